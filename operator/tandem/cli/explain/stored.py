"""Explanations as files hold them: a plan as JSON, or what a fleet keeps."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tandem.cluster.local.decisions import FILE
from tandem.errors import InvalidInputError
from tandem.planner import decisions
from tandem.planner.decisions import Decisions
from tandem.planner.explanation import Explanation, from_json, to_json

BLOCK = "explanation"  # of a plan as JSON
ALLOWED = "a plan of tandem plan --json, or the folder of tandem up"


def is_path(what: str) -> bool:
    """Whether it is a file or folder, and not the name of a fleet."""
    path = Path(what)
    is_there = path.is_file() or (path / FILE).is_file()
    return is_there or "/" in what or path.suffix == ".json"


def of_path(path: Path) -> Decisions:
    """What a file tells, or the file of decisions in a folder."""
    file = path / FILE if path.is_dir() else path
    try:
        return read(file.read_text(), str(path))
    except FileNotFoundError:
        missing = f"a folder in which tandem up wrote {FILE}" if path.is_dir() else "a file that is"
        raise InvalidInputError("FILE", str(path), missing) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError("FILE", str(path), f"a text that can be read ({error})") from None


def read(text: str, source: str) -> Decisions:
    """The decisions that a text holds: those of a fleet, one plan, or one explanation alone."""
    try:
        found = json.loads(text)
        if isinstance(found, list):
            return _some(decisions.from_text(text), source)
        return Decisions((_one(found, source),))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        allowed = (
            f"an explanation as tandem writes it, not one whose {place} is wrong: {first['msg']}"
        )
        raise InvalidInputError("FILE", source, allowed) from None
    except (ValueError, RecursionError):
        raise InvalidInputError("FILE", source, f"{ALLOWED}; this is no JSON") from None


def as_json(explanation: Explanation) -> dict[str, Any]:
    """As `read` takes it back."""
    return {BLOCK: to_json(explanation)}


def _one(found: Any, source: str) -> Explanation:
    if not isinstance(found, dict):
        raise InvalidInputError("FILE", source, f"{ALLOWED}; this is no object")
    if "options" in found and "engines" in found:
        raise InvalidInputError("FILE", source, f"{ALLOWED}; --search lists options, no plan")
    if found.get(BLOCK) is not None:
        return from_json(found[BLOCK])
    if "prefill" in found and "decode" in found:
        older = f"a plan with the block {BLOCK!r}; an older tandem wrote this one: plan anew"
        raise InvalidInputError("FILE", source, older)
    raise InvalidInputError("FILE", source, f"{ALLOWED}; this is another object")


def _some(found: Decisions, source: str) -> Decisions:
    if not found.told:
        raise InvalidInputError("FILE", source, f"{ALLOWED}; this list is empty")
    return found
