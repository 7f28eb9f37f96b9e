"""What vLLM really answered, and the shape of it."""

import json
from pathlib import Path
from typing import Any

from tests.tandem_engine.emulator.rig import Stream

GOLDEN = Path(__file__).parents[2] / "golden" / "vllm"


def golden_json(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text())


def golden_stream(name: str) -> Stream:
    lines = (GOLDEN / name).read_text().splitlines()
    events = [line.removeprefix("data: ") for line in lines if line]
    return Stream(events, [0.0] * len(events))


def shape(value: Any) -> Any:
    """Keys in their order, and the kinds of values."""
    if isinstance(value, dict):
        return [(key, shape(each)) for key, each in value.items()]
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return type(value).__name__


def shapes(stream: Stream) -> list[Any]:
    """Each kind of event once, in the order of their first coming."""
    found: list[Any] = []
    for event in stream.events:
        each = event if event == "[DONE]" else shape(json.loads(event))
        if each not in found:
            found.append(each)
    return found
