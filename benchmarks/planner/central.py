"""Reference queues: many servers, one queue, first come first served.

For one server the law of waits is exact, by spectral factorisation. For more it is simulated in C
(`central.c`, compiled at its first use: `cc` must be there; 20 to 200 million customers a second). The
single server as fast as all sees the same customers, and its law is known: what its sample has too much,
the sample of the queue loses (a control variate, worth up to ten times the customers).
"""

import ctypes
from dataclasses import dataclass, field
from functools import cache
from zlib import crc32

import numpy as np
from benchmarks.planner.native import library
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtri

Floats = NDArray[np.float64]
Counts = tuple[
    NDArray[np.uint32], NDArray[np.uint32]
]  # of waits: of the queue, of the single server
STRATA = (
    2**16
)  # equally likely values that stand for a law, in its simulation and in its exact solution
CELLS = 2**18  # of time, in the exact solution
BINS = 2**15  # non-negative float32 by their upper half
BATCHES = 20
STUDENT = 2.10  # 95 %, two-sided, 18 degrees of freedom
FLOOR = 0.1  # services: shorter waits are measured as exactly as this


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Gaps are gamma variables of variation `ca2` (1: Poisson); services have mean 1.

    `share` is that of the longer of the two services of the two-point law.
    """

    servers: int
    use: float
    ca2: float
    law: str
    scv: float
    share: float = 0.1

    def gaps(self) -> Floats:
        """Between arrivals."""
        return _gamma(self.ca2) / (self.use * self.servers)

    def services(self) -> Floats:
        """Of the customers."""
        return services(self.law, self.scv, self.share)


@cache
def _middles() -> Floats:
    return (np.arange(STRATA) + 0.5) / STRATA


@cache
def _gamma(scv: float) -> Floats:
    return _of_mean_one(gammaincinv(1 / scv, _middles()))


@cache
def services(law: str, scv: float, share: float = 0.1) -> Floats:
    """Equally likely values of a law of mean 1, ascending."""
    u = _middles()
    if law == "deterministic":
        return np.ones(STRATA)
    if law == "exponential":
        return _gamma(1.0)
    if law == "gamma":
        return _gamma(scv)
    if law == "lognormal":
        return _of_mean_one(np.exp(ndtri(u) * np.sqrt(np.log1p(scv))))
    if law == "two-point":
        odds = np.sqrt(share / (1 - share))
        return _of_mean_one(np.where(u < 1 - share, 1 - odds * scv**0.5, 1 + scv**0.5 / odds))
    if law == "uniform":
        return _of_mean_one(1 + np.sqrt(3 * scv) * (2 * u - 1))
    raise ValueError(law)


def _of_mean_one(values: NDArray[np.floating]) -> Floats:
    scaled: Floats = (values / values.mean()).astype(np.float64)
    return scaled


def quantiles(queue: Queue, shares: Floats, *, half_width: float) -> tuple[Floats, float]:
    """Waits that these shares do not exceed, and the widest half of a 95 % interval, relative."""
    exact = _single_server(queue, shares)
    if queue.servers == 1:
        return exact, 0.0
    run = _Run(queue, (crc32(repr(queue).encode()),))
    size = int(max(1e5, 20 * (queue.ca2 + queue.scv) / (1 - queue.use) ** 2))
    run.counts(size)
    batches = [run.counts(size) for _ in range(BATCHES)]
    while True:
        waits, half = _controlled(batches, shares, exact)
        if half <= half_width:
            return waits, half
        size *= 2  # the old ones pair up, and as many come
        pairs = zip(batches[::2], batches[1::2], strict=True)
        old = [(one[0] + other[0], one[1] + other[1]) for one, other in pairs]
        batches = [*old, *(run.counts(size) for _ in range(BATCHES // 2))]


def _controlled(batches: list[Counts], shares: Floats, exact: Floats) -> tuple[Floats, float]:
    central = _below(np.sum([batch[0] for batch in batches], axis=0))
    raw = _waits(central, shares)
    ours, fast = (
        np.array(
            [1 - np.interp(waits, _edges()[1:-1], _below(batch[i])[1:-1]) for batch in batches]
        )
        for i, waits in ((0, raw), (1, exact))
    )
    spread = fast - fast.mean(axis=0)
    variance = (spread**2).sum(axis=0)
    tells = (exact > 0) & (variance > 0)
    slope = np.where(tells, (spread * ours).sum(axis=0) / np.where(tells, variance, 1), 0.0)
    off = slope * (fast.mean(axis=0) - (1 - shares))
    half = STUDENT * (ours - slope * fast).std(axis=0, ddof=1) / np.sqrt(BATCHES)
    waits, low, high = (
        _waits(central, np.clip(shares + side * half - off, 0.0, 1 - 1e-9)) for side in (0, -1, 1)
    )
    return waits, float(((high - low) / 2 / np.maximum(waits, FLOOR)).max())


@dataclass(slots=True)
class _Run:
    """A queue under way."""

    queue: Queue
    seed: tuple[int, ...]
    _state: NDArray[np.uint64] = field(init=False)
    _free_at: Floats = field(init=False)
    _fast: Floats = field(init=False)
    _laws: tuple[NDArray[np.float32], NDArray[np.float32]] = field(init=False)

    def __post_init__(self) -> None:
        self._state = (
            np.random.SeedSequence(self.seed).generate_state(4, np.uint64).astype(np.uint64)
        )
        self._free_at, self._fast = np.zeros(self.queue.servers), np.zeros(1)
        self._laws = (
            self.queue.gaps().astype(np.float32),
            self.queue.services().astype(np.float32),
        )

    def counts(self, customers: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """How many more waited how long, with these servers and with one as fast as all of them."""
        central, single = np.zeros(BINS, np.uint32), np.zeros(BINS, np.uint32)
        arrays = (self._state, *self._laws)
        library("central").serve(
            *(each.ctypes.data_as(ctypes.c_void_p) for each in arrays),
            ctypes.c_uint64(STRATA - 1),
            ctypes.c_int(self.queue.servers),
            *(each.ctypes.data_as(ctypes.c_void_p) for each in (self._free_at, self._fast)),
            ctypes.c_int64(customers),
            *(each.ctypes.data_as(ctypes.c_void_p) for each in (central, single)),
        )
        return central, single


@cache
def _edges() -> Floats:
    """Waits at which bins begin, and the end of the last."""
    bits = np.arange(BINS + 1, dtype=np.uint32) << 16
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(bits.view(np.float32).astype(np.float64), nan=np.inf)


def _below(counts: NDArray[np.integer]) -> Floats:
    """Share below each edge."""
    below: Floats = np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])
    return below


def _waits(below: Floats, shares: Floats) -> Floats:
    """Waits that these shares do not exceed, linear within a bin."""
    place = np.clip(np.searchsorted(below, shares) - 1, 0, BINS - 1)
    within = (shares - below[place]) / np.maximum(below[place + 1] - below[place], 1e-300)
    low, high = _edges()[place], _edges()[place + 1]
    return np.where(place == 0, 0.0, low + within * (high - low))


def _single_server(queue: Queue, shares: Floats) -> Floats:
    """Exact quantiles of the wait for one server as fast as all: Spitzer (1956), by Fourier transform.

    With φ the transform of service less gap, 1 − φ is the product of a factor of ascending ladder
    heights and one of descending ones, which the signs of the powers in its logarithm tell apart; the
    wait's transform is the inverse of the first. On a grid of a two-hundredth of the longest service or
    finer, checked against Pollaczek and Khinchine.
    """
    cells = CELLS
    moves = queue.services() / queue.servers, queue.gaps()
    variation = queue.ca2 + float(moves[0].var()) * queue.servers**2
    reach = 25 * variation / (1 - queue.use) / queue.servers + 8 * float(moves[0].max())
    step = reach / (cells / 2)
    service, gap = (np.fft.fft(_on_grid(each / step, cells)) for each in moves)
    mean = float(moves[0].mean() - moves[1].mean()) / step
    unit = np.exp(2j * np.pi * np.arange(cells) / cells)
    unit[0] = 0.0  # any that is not 1: the quotient there is a limit, put in by hand
    ratio = (1 - service * np.conj(gap)) / (1 - unit)
    ratio[0] = -mean
    logs = np.log(np.abs(ratio)) + 1j * np.unwrap(np.angle(ratio))
    powers = np.fft.ifft(logs)
    powers[0] = 0.0
    powers[cells // 2 :] = 0.0
    mass = np.fft.ifft(np.exp(-np.fft.fft(powers))).real
    below = np.maximum.accumulate(np.cumsum(mass) / mass.sum())
    found = np.interp(shares, below, np.arange(cells) * step)
    return np.where(shares <= below[0], 0.0, found)


def _on_grid(values: Floats, cells: int) -> Floats:
    """Mass 1/n at each value, shared between its two neighbours; beyond the grid it wraps around."""
    below = np.floor(values)
    upper = values - below
    place = below.astype(np.int64)
    mass = np.bincount(place % cells, 1 - upper, cells)
    mass += np.bincount((place + 1) % cells, upper, cells)
    return mass / len(values)
