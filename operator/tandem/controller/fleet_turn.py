"""One turn of one fleet on Kubernetes: children, replicas that somebody moved, the loop, old revisions."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tandem.cluster.kubernetes.api import KubernetesApi
from tandem.cluster.kubernetes.decisions import ConfigMapDecisions
from tandem.cluster.kubernetes.fleet import Drift, KubernetesFleet
from tandem.cluster.kubernetes.memory import ConfigMapStore
from tandem.cluster.kubernetes.seen import Seen
from tandem.controller.children import children, revision
from tandem.controller.chronicle import Chronicle
from tandem.controller.keep import Children
from tandem.controller.loop import FleetLoop, Tick
from tandem.controller.options import Images
from tandem.controller.pace import Pace
from tandem.controller.reasons import Trouble
from tandem.controller.sources import Sources
from tandem.controller.troubles import troubles
from tandem.controller.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn saw and did."""

    tick: Tick
    drifts: tuple[Drift, ...]  # put back
    troubles: Sequence[Trouble]


class FleetTurn:
    """Turns of the fleet `name` in `namespace`."""

    def __init__(
        self,
        *,
        api: KubernetesApi,
        seen: Seen,
        sources: Sources,
        images: Images,
        pace: Pace,
        namespace: str,
        name: str,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._seen = seen
        self._sources = sources
        self._images = images
        self._pace = pace  # of explanations, which all fleets share
        self._now_s = now_s
        self._place = namespace, name
        self._cluster = KubernetesFleet(api, seen, namespace, name)
        self._children = Children(api, seen)
        self._rendered: Wanted | None = None  # what the children are made from
        self._store: ConfigMapStore | None = None
        self._loop: FleetLoop | None = None
        self._read_from: object = None  # what says where figures come from

    async def once(self, wanted: Wanted) -> Turn:
        """Look at everything once, and do what is to be done.

        Raises:
            InvalidInputError: a template has something other than a pod template has there.
            ApiError: the API server did not answer, or refused.

        """
        await self._keep_children(wanted)
        drifts = await self._put_back(wanted)
        tick = await (await self._loop_of(wanted)).tick()
        await self._cluster.retire_old()
        return Turn(tick, drifts, self._troubles())

    async def close(self) -> None:
        """Close connections; the cluster stays as it is."""
        self._seen.forget_fleet(*self._place)
        if self._loop is not None:
            await self._sources.close(self._loop.metrics)

    async def _keep_children(self, wanted: Wanted) -> None:
        if wanted is not self._rendered:
            profiles = {role: given.profile for role, given in wanted.spec.roles.items()}
            place = wanted.owner, wanted.namespace
            self._children.want(children(wanted.fleet, *place, profiles, self._images))
            self._cluster.revision = revision(wanted.fleet, self._images)
            self._rendered = wanted
        await self._children.keep({**wanted.at_least, **self._cluster.sizes()})

    async def _put_back(self, wanted: Wanted) -> tuple[Drift, ...]:
        """Undo what somebody else did to replicas; of a paused fleet it is theirs to do."""
        if wanted.spec.paused:
            self._cluster.adopt()
            return ()
        drifts = self._cluster.drifted()
        for drift in drifts:
            await self._cluster.scale(drift.role, drift.wanted)
        return drifts

    async def _loop_of(self, wanted: Wanted) -> FleetLoop:
        if self._loop is None:
            self._store = ConfigMapStore(self._api, *self._place, wanted.owner)
            told = ConfigMapDecisions(self._api, *self._place, wanted.owner)
            self._loop = FleetLoop(
                cluster=self._cluster,
                metrics=self._sources.of(wanted, self._seen),
                spec=wanted.spec,
                store=self._store,
                chronicle=Chronicle(told, pace=self._pace),
                now_s=self._now_s,
                report=_told_by_the_reporter,
            )
        elif _read_from(wanted) != self._read_from:
            before, self._loop.metrics = (
                self._loop.metrics,
                self._sources.of(wanted, self._seen),
            )
            await self._sources.close(before)
        self._read_from = _read_from(wanted)
        self._loop.spec = wanted.spec
        return self._loop

    def _troubles(self) -> tuple[Trouble, ...]:
        kept = self._store.trouble if self._store else ""
        bodies = self._seen.pods(*self._place), self._seen.deployments(*self._place)
        return troubles(*bodies, memory=kept, now_s=self._now_s())


def _read_from(wanted: Wanted) -> object:
    """All that a source of figures is made from."""
    spec = wanted.fleet.spec
    caps = [(role, given.profile.batch_cap) for role, given in wanted.spec.roles.items()]
    return spec.metrics, spec.engine.type, caps


def _told_by_the_reporter(_: Tick) -> None:
    """Ticks are returned, not reported, where the turns are driven from outside."""
