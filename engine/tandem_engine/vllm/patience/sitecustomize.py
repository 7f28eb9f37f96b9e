"""Let engines without a GPU share a few cores: they sleep where vLLM and NIXL spin.

- NIXL's Python wrapper sets `pthrDelay = 0`: its progress thread spins on a whole core.
- vLLM's processes wait for each other with `sched_yield` for a second after each message, and as
  long as KV is leased or awaited there is always a message. Linux's fair scheduler (seen on 6.18)
  gives one engine that yields so the core for 5 to 15 s, while all threads of the other, ready to
  run, wait: handshakes and leases are missed.
- vLLM's NIXL connector moves each worker to the last core of the machine, whatever core it was
  bound to: all engines on one core, the others idle.

Python runs this file at its start when its folder is on PYTHONPATH, as `command.environment` puts
it for an engine that is given a core.
"""

import os
import sys
import time
from collections.abc import Iterable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

LOOK_EVERY_US = 1000  # adds up to 1 ms to a hand-over; 0.04 core idle where 0 takes a whole one
NAP_S = 0.0002  # a token crosses two queues


def nap() -> None:
    """Leave the core to others, really; instead of `sched_yield`."""
    time.sleep(NAP_S)


def stay(process: int, cores: Iterable[int], /) -> None:
    """Keep the core that OpenMP bound the worker to; instead of `sched_setaffinity`."""


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
os.sched_yield = nap
os.sched_setaffinity = stay
