"""vLLM in a pod: the model from the hub or a folder, shared memory, the accelerators of the pool."""

from tandem.api.fleet import DisaggregatedLLM
from tandem.api.role import Role
from tandem.controller.children import pod
from tandem.controller.children.engine import Engine, place
from tandem.controller.options import Images

_PYTHON = "python3"  # of the image; `engine.args` may name another
_ACCELERATOR = "nvidia.com/gpu"
# Processes of one engine talk over it; the 64 MB of a container are too few.
_SHARED_MEMORY = pod.Volume(
    name="tandem-shm",
    path="/dev/shm",  # noqa: S108 - the pod's own
    source={"emptyDir": {"medium": "Memory"}},
)


def engine(fleet: DisaggregatedLLM, role: Role, images: Images) -> Engine:
    """What a vLLM engine of a role needs; both roles get the same flags, so that either can be both."""
    model = fleet.spec.model
    accelerators = fleet.spec.roles[role].pool.accelerator.count
    own = {
        "python": _PYTHON,
        "model": model.source.path if model.source else model.name,
        "served-name": model.name,
        "tensor-parallel-size": accelerators if accelerators > 1 else None,
    }
    return Engine(
        image=images.vllm,
        command="serve",
        flags=own | place(fleet),
        env={"HOME": pod.SCRATCH.path},  # caches of compiled kernels and of the hub
        volumes=(_SHARED_MEMORY,),
        resources={"limits": {_ACCELERATOR: str(accelerators)}},
    )
