"""The revision of a fleet: engines of two revisions never exchange KV."""

from tandem.api.fleet import DisaggregatedLLM
from tandem.controller.children import engine_pod
from tandem.controller.children.digest import digest
from tandem.controller.options import Images


def revision(fleet: DisaggregatedLLM, images: Images) -> str:
    """8 hex digits of the pod templates of all roles: it changes when and only when they do."""
    return digest({role: engine_pod.template(fleet, role, images, "") for role in fleet.spec.roles})
