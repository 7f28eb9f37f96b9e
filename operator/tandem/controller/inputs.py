"""What a decision was made from, in a few numbers that a person can check."""

from tandem.api.decision_status import InputsStatus
from tandem.controller.figures import oldest_s
from tandem.planner.model import Memory
from tandem.planner.observation import Figure, Observation, Reading
from tandem.planner.plan import recent_rps

MOST = 1e15  # of any amount; what is above came from a broken exporter


def of(seen: Observation, memory: Memory) -> InputsStatus:
    """The inputs of a decision; `memory` is the one after it."""
    means = mean_lengths(memory)
    input_tokens, cached_tokens, output_tokens = means or (None, None, None)
    return InputsStatus(
        arrivals_per_second=_shown(recent_rps(memory)),
        arrival_dispersion=_shown(memory.dispersion) if memory.rates else None,
        mean_input_tokens=_shown(input_tokens),
        mean_cached_tokens=_shown(cached_tokens),
        mean_output_tokens=_shown(output_tokens),
        queued_requests=_shown(_value(seen.traffic.queued_requests)),
        age_seconds=_shown(oldest_s(seen.traffic)),
    )


def mean_lengths(memory: Memory) -> tuple[float, float, float] | None:
    """Means of input, cached and output tokens; None before a request ended."""
    total = memory.cells.requests
    if total <= 0:
        return None
    inputs, cached, outputs = memory.cells.tokens()
    return inputs / total, cached / total, outputs / total


def output_tokens_per_hour(memory: Memory) -> float | None:
    """Tokens that the arrivals of the last minute ask for in an hour; None where unknown or none."""
    rate, means = recent_rps(memory), mean_lengths(memory)
    return 3600 * rate * means[2] if rate and means else None


def _value(reading: Reading) -> float | None:
    return reading.value if isinstance(reading, Figure) else None


def _shown(value: float | None) -> float | None:
    """Four figures; None for what is no amount."""
    if value is None or not 0 <= value < MOST:
        return None
    return float(f"{value:.4g}")
