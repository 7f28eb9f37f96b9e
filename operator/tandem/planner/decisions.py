"""The last decisions of a fleet, explained: the newest, and those before it that moved a target."""

import json
from dataclasses import dataclass

from tandem.planner.explanation import Explanation, from_json, to_json

MOST = 5
MOST_BYTES = 24000  # together, as JSON; the oldest go first


@dataclass(frozen=True, slots=True)
class Decisions:
    """Explanations, the newest first."""

    told: tuple[Explanation, ...] = ()

    def is_due(self, now_s: float, every_s: float, *, moved: bool) -> bool:
        """Whether to explain the decision of this moment: one that moved a target, or after a while."""
        last_s = self.told[0].at_s if self.told else None
        return moved or last_s is None or not 0 <= now_s - last_s < every_s

    def after(self, newest: Explanation) -> "Decisions":
        """With one more; one that moved nothing makes room for it."""
        kept = self.told if not self.told or self.told[0].moved else self.told[1:]
        return Decisions((newest, *kept)[:MOST])


def to_text(decisions: Decisions) -> str:
    """As JSON, as many as there is room for."""
    rows = [json.dumps(to_json(each), separators=(",", ":")) for each in decisions.told]
    while len(rows) > 1 and sum(len(row) + 1 for row in rows) + 1 > MOST_BYTES:
        rows.pop()
    return f"[{','.join(rows)}]"


def from_text(text: str) -> Decisions:
    """What `to_text` gave.

    Raises:
        ValueError: it is none.

    """
    stored = json.loads(text)
    if not isinstance(stored, list):
        raise ValueError(f"a list of decisions is expected, not {type(stored).__name__}")  # noqa: TRY004
    return Decisions(tuple(from_json(each) for each in stored))
