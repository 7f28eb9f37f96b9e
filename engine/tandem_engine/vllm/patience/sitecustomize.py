"""Let NIXL's progress thread sleep between two looks, so that an idle engine leaves its core alone.

NIXL's Python wrapper sets `pthrDelay = 0`: the thread spins on a whole core. That is right beside a
GPU; on a small machine two engines then starve each other into missing their KV leases. Python runs
this file at its start when its folder is on PYTHONPATH, which only the tests' engines have.
"""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

LOOK_EVERY_US = 1000  # adds up to 1 ms to a hand-over; 0.04 core idle where 0 takes a whole one


def slow_down(bindings: Any) -> None:
    """Make every agent configuration keep our delay, whatever the wrapper sets after."""
    given = bindings.nixlAgentConfig

    class PatientConfig(given):  # type: ignore[misc, valid-type]  # a base known at run time only
        def __init__(self) -> None:
            super().__init__()
            given.pthrDelay.__set__(self, LOOK_EVERY_US)

        def __setattr__(self, name: str, value: object) -> None:
            if name != "pthrDelay":
                super().__setattr__(name, value)

    bindings.nixlAgentConfig = PatientConfig


class PatientLoader(Loader):
    """Load NIXL's wrapper as usual, then slow its configuration down."""

    def __init__(self, usual: Loader) -> None:
        self.usual = usual

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Make the module as usual."""
        return self.usual.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module as usual, then slow it down."""
        self.usual.exec_module(module)
        slow_down(module.nixlBind)


class PatientFinder(MetaPathFinder):
    """Hook `nixl_cu12._api` and its like; importing it here would load torch in every child."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Our loader for NIXL's wrapper; None, so Python looks on, for all else."""
        if not (fullname.startswith("nixl_cu") and fullname.endswith("._api")):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and spec.loader:
            spec.loader = PatientLoader(spec.loader)
        return spec


sys.meta_path.insert(0, PatientFinder())
