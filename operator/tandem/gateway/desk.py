"""What every request is served with: one of each in a gateway."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from tandem.api.role import Role
from tandem.gateway.client import Client
from tandem.gateway.dispatch import Dispatch
from tandem.gateway.legs import Engines
from tandem.gateway.metrics import GatewayMetrics
from tandem.gateway.pods import PodList
from tandem.gateway.releases import Releases
from tandem.gateway.settings import Settings
from tandem.gateway.sizing import Sizing
from tandem.routing.model import RoutePod
from tandem.routing.router import Router


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The parts of one gateway, and how many requests it serves now."""

    settings: Settings
    metrics: GatewayMetrics
    dispatch: Dispatch
    engines: Engines
    pods: PodList
    releases: Releases
    sizing: Sizing
    serving: set[Client]

    async def close(self) -> None:
        """Let go of the KV that is still pinned, and of the connections."""
        await self.releases.close()
        await self.engines.close()


def open_desk(settings: Settings) -> Desk:
    """The parts of a gateway, put together; needs a running loop."""
    decode = settings.profiles[Role.DECODE].decode
    router = Router(decode, settings.tpot_s, settings.order)
    metrics = GatewayMetrics(settings, router)
    dispatch = Dispatch(router, time.monotonic)

    def changed(pods: Sequence[RoutePod]) -> None:
        dispatch.set_pods(pods)
        metrics.busy.keep(pod.name for pod in pods if pod.role is Role.PREFILL)

    kv_tokens = {role: profile.kv.capacity_tokens for role, profile in settings.profiles.items()}
    pods = PodList(kv_tokens, changed)
    engines = Engines(settings, pods.url)
    return Desk(
        settings=settings,
        metrics=metrics,
        dispatch=dispatch,
        engines=engines,
        pods=pods,
        releases=Releases(dispatch, engines, metrics.releases),
        sizing=Sizing(settings),
        serving=set(),
    )
