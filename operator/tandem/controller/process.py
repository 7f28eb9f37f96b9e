"""The process: one client, one kopf, one HTTP port, and the fleets between them."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import kopf
from prometheus_client import CollectorRegistry

from tandem import __version__
from tandem.cluster.kubernetes.api import ApiError, KubernetesApi
from tandem.cluster.kubernetes.kinds import DEPLOYMENT, ENGINE_PROFILE, FLEET, POD, Kind
from tandem.cluster.kubernetes.labels import MANAGED
from tandem.cluster.kubernetes.seen import Seen
from tandem.controller import handlers, permissions, server
from tandem.controller.control import FleetControl
from tandem.controller.fleet_turn import FleetTurn
from tandem.controller.fleets import Fleets
from tandem.controller.metrics import OperatorMetrics
from tandem.controller.options import Options
from tandem.controller.pace import Pace
from tandem.controller.reporter import Reporter
from tandem.controller.sources import Sources

_RELIST_S = 300.0  # what a watch has lost shows at the latest then
_TRY_AGAIN_S = 5.0
_log = logging.getLogger("tandem.controller")


async def run(options: Options) -> None:
    """Keep the fleets of the cluster until a signal ends the process.

    Raises:
        TandemError: no cluster is configured, or a permission is missing.

    """
    api = await KubernetesApi.connect()
    seen, sources = Seen(), Sources()
    figures = OperatorMetrics(lambda: api.requests)
    fleets = Fleets(_controls(api, seen, sources, figures, options))
    exposition = CollectorRegistry()
    exposition.register(figures)
    async with contextlib.AsyncExitStack() as ends:
        ends.push_async_callback(api.close)
        ends.push_async_callback(sources.close_all)
        http = await server.serve(options.port, exposition, lambda: fleets.busy_s)
        ends.push_async_callback(http.cleanup)
        await _permitted(api, options)
        ends.push_async_callback(fleets.close)
        listing = asyncio.create_task(_relist(api, seen, fleets, options.namespaces))
        ends.callback(listing.cancel)
        _log.info("tandem %s watches %s", __version__, ", ".join(options.namespaces) or "all")
        await kopf.operator(
            registry=handlers.registry(seen, fleets),
            settings=handlers.settings(options.pod_name),
            standalone=True,
            clusterwide=not options.namespaces,
            namespaces=options.namespaces,
        )


def _controls(
    api: KubernetesApi, seen: Seen, sources: Sources, figures: OperatorMetrics, options: Options
) -> Callable[[str, str], FleetControl]:
    pace = Pace()

    def control(namespace: str, name: str) -> FleetControl:
        turn = FleetTurn(
            api=api,
            seen=seen,
            sources=sources,
            images=options.images,
            pace=pace,
            namespace=namespace,
            name=name,
        )
        return FleetControl(turn, Reporter(api, figures, namespace, name))

    return control


async def _permitted(api: KubernetesApi, options: Options) -> None:
    """Wait for the API server and for our definitions, and end where it grants too little.

    kopf reads once what the server serves: definitions that come after that would stay unseen.
    """
    for namespace in options.namespaces or (None,):
        while True:
            try:
                await permissions.check(api, namespace)
                for kind in (FLEET, ENGINE_PROFILE):
                    await api.list(kind, namespace)
                break
            except (ApiError, OSError) as error:
                _log.warning("not yet: %s%s", error, _advice(error))
                await asyncio.sleep(_TRY_AGAIN_S)


def _advice(error: Exception) -> str:
    """What to do about it, where a person can do something."""
    is_missing = isinstance(error, ApiError) and error.status == HTTPStatus.NOT_FOUND
    return "; apply the resources' definitions: kubectl apply -f crds/" if is_missing else ""


async def _relist(
    api: KubernetesApi, seen: Seen, fleets: Fleets, namespaces: tuple[str, ...]
) -> None:
    """List what the watches follow: once before any fleet has a turn, then now and again."""
    while True:
        wait_s = _RELIST_S
        try:
            for kind in (POD, DEPLOYMENT):
                since = seen.mark()
                selector = f"{MANAGED}=true"
                seen.replace(kind, await _listed(api, kind, namespaces, selector), since)
            fleets.profiles_listed(await _listed(api, ENGINE_PROFILE, namespaces))
            kept = fleets.mark()
            fleets.listed(await _listed(api, FLEET, namespaces), kept)
            fleets.start()
        except (ApiError, OSError) as error:
            _log.warning("what the watches follow can't be listed: %s", error)
            wait_s = _TRY_AGAIN_S
        await asyncio.sleep(wait_s)


async def _listed(
    api: KubernetesApi, kind: Kind, namespaces: tuple[str, ...], selector: str = ""
) -> list[dict[str, Any]]:
    """All of a kind in the namespaces that are watched."""
    each = [await api.list(kind, namespace, selector) for namespace in namespaces or (None,)]
    return [body for bodies in each for body in bodies]
