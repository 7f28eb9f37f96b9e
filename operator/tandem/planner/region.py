"""Region: the pairs of replicas that a spec allows, by bounds, ratio, budget and domains; exact integers.

For each number of prefill replicas the allowed numbers of decode replicas are one interval, so a
question about all pairs is a question about two vectors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tandem.api.role import Role
from tandem.planner import packing, pools
from tandem.planner.packing import Packing
from tandem.planner.spec import FleetSpec, RatioBounds

NEVER = 2**40  # replicas, more than any bound
ROUNDING = 1e-9  # of prices: 3 x 0.1 fits a budget of 0.3
UNBOUNDED = RatioBounds()
Integers = NDArray[np.int64]
Pair = Mapping[Role, int]
Price = Mapping[Role, "float | NDArray[np.float64]"]  # of one replica, or of 0, 1, 2, ... together


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """A budget, and what one replica of each role takes of it.

    `alive` is what exists of each role, `leaving` what draining pods still take: growth beyond `alive`
    must fit into what these leave. None: only the pair itself counts.
    """

    total: float
    price: Price
    alive: Pair | None = None
    leaving: float = 0.0

    def most_decodes(self, prefills: Integers) -> Integers:
        """Most decode replicas beside so many prefill replicas; negative where even none is too much."""
        price, paid = self.price[Role.DECODE], together(self.price[Role.PREFILL], prefills)
        most = _times(self.total - paid, price)
        if self.alive is None:
            return most
        grown = np.maximum(0.0, paid - together(self.price[Role.PREFILL], self.alive[Role.PREFILL]))
        room = max(0.0, self.total - cost(self.alive, self.price) - self.leaving)
        standing = together(price, self.alive[Role.DECODE])
        most_grown = _times(room - grown + standing, price)
        return np.where(room - grown < -ROUNDING, -1, np.minimum(most, most_grown))


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Bounds of each role, bounds of their ratio, budgets, and domains that must hold all."""

    bounds: Mapping[Role, tuple[int, int]]
    ratio: RatioBounds = UNBOUNDED
    purses: tuple[Purse, ...] = ()
    packing: Packing | None = None

    def prefills(self) -> Integers:
        """The numbers of prefill replicas within their bounds."""
        low, high = self.bounds[Role.PREFILL]
        return np.arange(low, high + 1)

    def decodes(self, prefills: Integers) -> tuple[Integers, Integers]:
        """Fewest and most decode replicas beside so many prefill replicas; fewest > most where none is."""
        low, high = (np.full_like(prefills, bound) for bound in self.bounds[Role.DECODE])
        lowest, highest = self.ratio.lowest, self.ratio.highest
        if lowest is not None and lowest[0] > 0:
            high = np.minimum(high, prefills * lowest[1] // lowest[0])
        if highest is not None:
            needed = -(-prefills * highest[1] // max(highest[0], 1))
            low = np.maximum(low, needed if highest[0] > 0 else np.where(needed > 0, NEVER, 0))
        for purse in self.purses:
            high = np.minimum(high, purse.most_decodes(prefills))
        if self.packing is not None:
            high = np.minimum(high, self.packing.most_decodes(prefills))
        return low, high

    @property
    def is_empty(self) -> bool:
        """Whether no pair lies within."""
        fewest, most = self.decodes(self.prefills())
        return not bool((fewest <= most).any())

    def allows(self, pair: Pair) -> bool:
        """Whether a pair lies within."""
        low, high = self.bounds[Role.PREFILL]
        fewest, most = self.decodes(np.array([pair[Role.PREFILL]]))
        is_between = bool(fewest[0] <= pair[Role.DECODE] <= most[0])
        return is_between and low <= pair[Role.PREFILL] <= high

    def nearest(self, wish: Pair) -> Pair | None:
        """The pair within that serves a wish best; None when there is none.

        First the least shortfall of the role that falls short most, as a share of its wish (a chain is
        as strong as its weakest stage), then the fewest replicas more or less than wished.
        """
        prefills = self.prefills()
        fewest, most = self.decodes(prefills)
        allowed = fewest <= most
        if not allowed.any():
            return None
        prefills = prefills[allowed]
        decodes = np.clip(wish[Role.DECODE], fewest[allowed], most[allowed])
        pairs = {Role.PREFILL: prefills, Role.DECODE: decodes}
        short = [np.maximum(wish[role] - pairs[role], 0) / max(wish[role], 1) for role in Role]
        shortfall = np.maximum(*short)
        distance = sum(np.abs(pairs[role] - wish[role]) for role in Role)
        best = np.lexsort((prefills, distance, np.round(shortfall, 12)))[0]
        return {role: int(pairs[role][best]) for role in Role}


def of(spec: FleetSpec) -> Region:
    """The pairs that a spec allows at rest."""
    bounds = {role: pools.bounds(spec.roles[role]) for role in Role}
    totals = (spec.budget.accelerators, spec.budget.cost_per_hour)
    purses = tuple(
        Purse(total=float(total), price=price)
        for total, price in zip(totals, prices(spec), strict=True)
        if total is not None and any(np.any(each) for each in price.values())
    )
    return Region(bounds=bounds, ratio=spec.ratio, purses=purses, packing=packing.of(spec))


def prices(spec: FleetSpec) -> tuple[Price, Price]:
    """What replicas of each role take of the budget of accelerators, and of that of money an hour."""
    roles = {role: spec.roles[role] for role in Role}
    return (
        {
            role: pools.filling(each).accelerators
            if each.pools
            else float(each.profile.accelerators)
            for role, each in roles.items()
        },
        {
            role: pools.filling(each).cost_per_hour if each.pools else each.profile.cost_per_hour
            for role, each in roles.items()
        },
    )


def counts(pair: Pair) -> tuple[int, int]:
    """Prefill and decode replicas."""
    return pair[Role.PREFILL], pair[Role.DECODE]


def cost(pair: Pair, price: Price) -> float:
    """What a pair takes."""
    return float(sum(together(price[role], pair[role]) for role in Role))


def beside(region: Region, alive: Pair, draining: Pair) -> Region:
    """The pairs that can be asked for while pods that exist or drain take their part of the budget."""
    purses = tuple(
        replace(
            purse,
            alive=alive,
            leaving=cost(draining, purse.price),
        )
        for purse in region.purses
    )
    return replace(region, purses=purses)


def together(price: "float | NDArray[np.float64]", replicas: "int | Integers") -> "Any":
    """What so many replicas take."""
    return (
        price * replicas
        if isinstance(price, float | int)
        else price[np.minimum(replicas, pools.LARGEST)]
    )


def _times(money: "NDArray[np.float64]", price: "float | NDArray[np.float64]") -> Integers:
    """How many replicas money pays for; negative where there is too little for none."""
    if isinstance(price, np.ndarray):
        return np.searchsorted(price, money + ROUNDING, side="right") - 1
    if price <= 0:
        return np.where(money < -ROUNDING, -1, np.iinfo(np.int64).max // 2).astype(np.int64)
    times: Integers = np.floor(money / price + ROUNDING).astype(np.int64)
    return times
