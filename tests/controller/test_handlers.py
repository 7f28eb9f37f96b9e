import asyncio
from typing import Any

import kopf
from kopf._core.intents.causes import Activity

from tandem.cluster.kubernetes.seen import Seen
from tandem.controller import handlers
from tandem.controller.fleets import Fleets


class Control:
    """A fleet whose loop runs until it is ended."""

    uid = ""
    busy_s = 0.0

    def __init__(self, namespace: str, name: str) -> None:
        self.began = asyncio.Event()
        self.is_running = False

    def told(self, body: Any, profiles: Any) -> None:
        pass

    def forget(self) -> None:
        pass

    async def run(self) -> None:
        self.is_running = True
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.is_running = False


async def test_an_operator_that_ends_ends_its_loops_before_it_waits_for_anything() -> None:
    control = Control("models", "chat")
    fleets = Fleets(lambda *_: control)  # type: ignore[arg-type]
    registry = handlers.registry(Seen(), fleets)
    fleets.start()
    metadata = {"namespace": "models", "name": "chat", "uid": "1"}
    fleets.fleet_seen("ADDED", {"metadata": metadata})
    await asyncio.wait_for(control.began.wait(), 5)

    for handler in registry._activities.get_all_handlers():
        if handler.activity is Activity.CLEANUP:
            await handler.fn()  # type: ignore[call-arg, misc]
    assert not control.is_running


def test_kopf_copies_no_object_to_find_out_what_changed_in_it() -> None:
    storage = handlers.settings("tandem-0").persistence.diffbase_storage
    pod = kopf.Body({"metadata": {"name": "decode-1"}, "spec": {"nodeName": "gpu-1"}})

    assert not storage.build(body=pod)
    assert storage.fetch(body=pod) is None
