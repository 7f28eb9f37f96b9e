"""What a pair does with the arrivals of the last minute: predicted for it, and as it is observed."""

from collections.abc import Iterator
from dataclasses import replace
from math import isfinite

from tandem.api.role import Role
from tandem.planner import placed, prediction
from tandem.planner.explanation import Outcome, Stage, figures
from tandem.planner.model import QUANTILES, Bottleneck, Prediction
from tandem.planner.observation import Missing, Observation, Reading
from tandem.planner.queueing import headroom
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.readings import MOST_REQUESTS, usable
from tandem.planner.region import Pair
from tandem.planner.sizing import Sizing
from tandem.planner.spec import FleetSpec

USED = {  # of each stage, under which name a prediction has it
    Bottleneck.PREFILL_COMPUTE: "prefill",
    Bottleneck.KV_TRANSFER: "link",
    Bottleneck.DECODE_COMPUTE: "decode",
    Bottleneck.DECODE_KV: "kv",
}
MOST_S = 3600.0  # of a mean latency
MIDDLE, TAIL = QUANTILES.index(0.5), QUANTILES.index(0.95)


def stages(tandem: Tandem, replicas: Pair) -> Iterator[Stage]:
    """Load and head-room of each stage; none where a role has no replica."""
    pair = replicas[Role.PREFILL], replicas[Role.DECODE]
    if min(pair) < 1:
        return
    use, growth = prediction.utilisation(tandem, *pair), headroom.growth(tandem, *pair)
    for stage, name in USED.items():
        factor = growth[stage]
        rate_rps = factor * tandem.demand.rate_rps if isfinite(factor) else None
        yield Stage(
            stage=stage,
            used=figures(use[name]),
            growth=figures(factor),
            breaks_at_rps=figures(rate_rps),
        )


def stages_of(sizing: Sizing) -> Iterator[Stage]:
    """The same of an answer; where pods lie in domains, those of the one whose load can grow least."""
    if sizing.placement is None:
        yield from stages(sizing.tandem, sizing.replicas)
    elif (tight := placed.tightest(sizing.placement.places)) is not None:
        for stage in stages(tight.tandem, tight.replicas):
            breaks_at_rps = (
                None if stage.breaks_at_rps is None else stage.breaks_at_rps / tight.share
            )
            yield replace(stage, breaks_at_rps=figures(breaks_at_rps))


def predicted(tandem: Tandem, replicas: Pair) -> Outcome:
    """What users get of the pair, by the model."""
    return told(prediction.of(tandem, replicas[Role.PREFILL], replicas[Role.DECODE]))


def told(outcome: Prediction) -> Outcome:
    """A prediction as an explanation has it."""
    return Outcome(
        attainment=_share(outcome.attainment),
        ttft_s=figures(outcome.ttft_s[MIDDLE]),
        tpot_s=figures(outcome.tpot_s[MIDDLE]),
        ttft_p95_s=figures(outcome.ttft_s[TAIL]),
        tpot_p95_s=figures(outcome.tpot_s[TAIL]),
    )


def observed(observation: Observation, spec: FleetSpec) -> Outcome | None:
    """What users got in the last interval; None where nothing is known of it."""
    traffic, stale_s = observation.traffic, spec.behavior.stale_after_s
    finished, met = (
        _known(reading, MOST_REQUESTS, stale_s) for reading in (traffic.finished, traffic.met_both)
    )
    means = [_known(reading, MOST_S, stale_s) for reading in (traffic.ttft_s, traffic.tpot_s)]
    attained = met / finished if met is not None and finished else None
    if attained is None and means == [None, None]:
        return None
    return Outcome(
        attainment=None if attained is None else _share(min(attained, 1.0)),
        ttft_s=means[0],
        tpot_s=means[1],
    )


def _known(reading: Reading, most: float, stale_s: float) -> float | None:
    value = usable(reading, most, stale_s)
    return None if isinstance(value, Missing) else figures(value)


def _share(value: float) -> float:
    """So finely that a share near all of it still tells what is missing."""
    return round(value, 6)
