"""Where the pods come from: the API server, or the registry file of a local fleet."""

from tandem.gateway.pods import PodList
from tandem.gateway.settings import Settings


async def follow(settings: Settings, pods: PodList) -> None:
    """Keep the list as the fleet is, for ever."""
    if settings.registry is not None:
        await pods.watch(settings.registry)
        return
    from tandem.cluster.kubernetes import watch  # noqa: PLC0415 - a local fleet needs no Kubernetes

    await watch.follow(settings.namespace, settings.fleet, pods.replace)
