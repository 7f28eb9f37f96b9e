"""The emulated engine in a pod: time from the role's profile, no accelerator."""

from tandem.api.fleet import DisaggregatedLLM
from tandem.api.role import Role
from tandem.cluster.kubernetes import labels
from tandem.controller.children import pod
from tandem.controller.children.engine import Engine, place
from tandem.controller.options import Images


def engine(fleet: DisaggregatedLLM, role: Role, images: Images) -> Engine:
    """What an emulated engine of a role needs."""
    profile = {"profile": f"{labels.PROFILES_DIR}/{role}.json", "model": fleet.spec.model.name}
    return Engine(
        image=images.emulator,
        command="emulate",
        flags=profile | place(fleet),
        volumes=(pod.profiles(fleet.metadata.name),),
    )
