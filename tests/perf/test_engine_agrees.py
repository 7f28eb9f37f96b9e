"""On random workloads the engine agrees, step for step, with its rules written plainly."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.fakes.plain_engine import PlainEngine, PlainSequence

from tandem.perf.engine import Engine
from tandem.perf.engine_profile import (
    DecodeCost,
    EngineProfile,
    KvCache,
    PrefillCost,
    TransferCost,
)
from tandem.perf.sequence import Sequence

PROFILE = EngineProfile(
    name="small",
    model="test/small",
    accelerator="nvidia-test",
    accelerators=1,
    prefill=PrefillCost(a_s=0.010, b_s_per_token=1e-4, c_s_per_token2=1e-6),
    decode=DecodeCost(alpha_s=0.005, beta_s_per_sequence=1e-3, gamma_s_per_token=1e-5),
    kv=KvCache(bytes_per_token=1000, capacity_tokens=48, block_tokens=4),
    transfer=TransferCost(latency_s=0.001, bandwidth_bytes_per_s=1e6),
    batch_cap=4,
    batch_tokens=8,
)

profiles = st.builds(
    lambda blocks, block, cap, tokens: replace(
        PROFILE,
        kv=KvCache(bytes_per_token=1, capacity_tokens=blocks * block, block_tokens=block),
        batch_cap=cap,
        batch_tokens=max(cap, tokens),
    ),
    st.integers(4, 12),
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(1, 16),
)


@dataclass(frozen=True)
class Request:
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    remote_kv: bool = False
    pin: bool = False
    emitted: int = 0


requests = st.one_of(
    st.builds(Request, st.integers(1, 16), st.integers(1, 12), st.integers(0, 30)),
    st.builds(Request, st.integers(1, 24), st.just(1), st.integers(0, 9), pin=st.just(True)),
    st.builds(Request, st.integers(1, 16), st.integers(1, 12), remote_kv=st.just(True)),
    st.builds(
        Request,
        st.integers(1, 16),
        st.integers(2, 12),
        remote_kv=st.just(True),
        emitted=st.just(1),
        pin=st.booleans(),
    ),
)

which = st.integers(0, 20)
acts = st.one_of(
    st.tuples(st.just("add"), requests),
    st.tuples(st.just("step"), st.integers(1, 7)),
    st.tuples(st.just("step"), st.just(1)),
    st.tuples(st.just("load"), st.just(0)),
    st.tuples(st.just("loaded"), which),
    st.tuples(st.just("release"), which),
    st.tuples(st.just("abort"), which),
)


@dataclass
class Both:
    """The two engines, told the same and compared after every word."""

    profile: EngineProfile
    known: dict[str, Sequence] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fast = Engine(self.profile)
        self.plain = PlainEngine(self.profile)
        self.count = 0

    def act(self, name: str, value: Request | int) -> None:
        if isinstance(value, Request):
            self.add(value)
        elif name == "step":
            for _ in range(value):
                self.half_step()
                self.compare()
        elif name == "load":
            self.load()
        else:
            self.tell(name, value)
        self.compare()

    def add(self, request: Request) -> None:
        if not self.fast.fits(request.input_tokens, request.output_tokens):
            return
        self.count += 1
        key = f"r{self.count}"
        self.known[key] = Sequence(
            key=key,
            input_tokens=request.input_tokens,
            output_tokens=request.output_tokens,
            cached_tokens=request.cached_tokens,
            remote_kv=request.remote_kv,
            pin=request.pin,
            emitted_before=request.emitted,
        )
        self.fast.add(self.known[key])
        self.plain.add(PlainSequence(key=key, **vars(request)))

    def load(self) -> bool:
        fast, plain = self.fast.next_load(), self.plain.next_load()
        assert (fast and fast.key) == (plain and plain.key)
        return fast is not None

    def tell(self, name: str, index: int) -> bool:
        """Tell both of one that is there to be told of; whether there was any."""
        plain = self.plain
        there = {"loaded": plain.loading, "release": plain.pinned, "abort": plain.everyone}[name]
        if there:
            key = there[index % len(there)].key
            getattr(self.fast, name)(key)
            getattr(plain, name)(key)
        return bool(there)

    def half_step(self) -> bool:
        """Begin a step, or end the one that runs; whether there was one."""
        if self.plain.step is None:
            return self.begin()
        self.end()
        return True

    def begin(self) -> bool:
        fast, plain = self.fast.begin(), self.plain.begin()
        if fast is None or plain is None:
            assert fast is None
            assert plain is None
            return False
        assert fast.seconds == pytest.approx(plain.seconds, rel=1e-12)
        assert fast.decoding == len(plain.decoding)
        chunks = [(s.key, start, end) for s, start, end in fast.chunks]
        assert chunks == [(s.key, start, end) for s, start, end in plain.chunks]
        assert sum(end - start for _, start, end in chunks) <= self.profile.batch_tokens
        return True

    def end(self) -> None:
        outcome, (prefilled, finished) = self.fast.end(), self.plain.end()
        assert [s.key for s in outcome.prefilled] == [s.key for s in prefilled]
        assert [s.key for s in outcome.finished] == [s.key for s in finished]
        for sequence in outcome.finished:
            assert self.fast.emitted(sequence) == sequence.output_tokens

    def compare(self) -> None:
        fast, plain = self.fast, self.plain
        assert fast.blocks_free == plain.blocks_free >= 0
        assert fast.running == plain.running <= self.profile.batch_cap
        assert fast.unfinished == len(plain.everyone)
        assert fast.pinned == len(plain.pinned)
        assert fast.preemptions == plain.preemptions
        assert [s.key for s in fast.waiting] == [s.key for s in plain.waiting]
        assert list(fast.batch.members) == [s.key for s in plain.decoding]
        for sequence in plain.everyone:
            assert fast.emitted(self.known[sequence.key]) == sequence.emitted
        assert fast.kv_usage == pytest.approx(1 - fast.blocks_free / fast.blocks_total)

    def drain(self) -> None:
        """Load, release and step until nothing is left."""
        for _ in range(10_000):
            moved = [self.load(), self.tell("loaded", 0), self.tell("release", 0), self.half_step()]
            self.compare()
            if not self.plain.everyone:
                return
            assert any(moved), "stuck"
        pytest.fail("never ends")


@given(profiles, st.lists(acts, min_size=20, max_size=80))
@example(
    PROFILE,
    [
        ("add", Request(16, 12)),
        ("add", Request(16, 12)),
        ("add", Request(16, 1, pin=True)),
        ("step", 40),
    ],
)
def test_the_engine_agrees_with_its_rules_written_plainly(
    profile: EngineProfile, words: list[tuple[str, Request | int]]
) -> None:
    both = Both(profile)
    for name, value in words:
        both.act(name, value)
    both.drain()
    assert both.fast.blocks_free == both.fast.blocks_total
    assert both.fast.kv_usage == 0
    assert both.fast.begin() is None


def test_the_comparison_meets_preemptions() -> None:
    """Else agreement would say little: a decode that is preempted, and a prompt in chunks."""
    decodes = Both(PROFILE)
    for _ in range(3):
        decodes.add(Request(12, 12))
    decodes.drain()
    assert decodes.fast.preemptions > 0

    prompts = Both(PROFILE)
    for request in (Request(15, 10), Request(32, 2)):  # all 12 blocks, and the first will grow
        prompts.add(request)
    while not prompts.fast.preemptions:
        assert prompts.half_step()
        prompts.compare()
    assert list(prompts.fast.batch.members) == ["r1"]
    assert [s.key for s in prompts.fast.waiting] == ["r2"]
    prompts.drain()
