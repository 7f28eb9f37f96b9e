"""Transfers: how long KV takes over this fleet's links against what their profile says.

    bandwidth told / bandwidth  =  Σ(seconds alone − latency) / Σ bytes / bandwidth told

Engines tell how long transfers took, with others at the same ports. At a port that is shared fairly a
transfer takes 1 + N times as long as alone, N being how many are under way there on average (M/G/1-PS and
Little's law: T = x/(1 − ρ), N = λT), and N is told by the same figures: seconds of transfers a second. What
senders add is left to the ports' own model. Bytes are those of whole prompts, as that model moves them: a
link over which less is moved, since decode has a part already, is a quicker one.

Sums fade together and begin with a few requests that took what the profile says, as prefill's do
(`ratio`). Pushed KV hides behind its prefill and tells nothing of the link.

Source: this project; Kleinrock (1976) for processor sharing.
"""

from dataclasses import astuple, replace
from functools import lru_cache
from math import exp

import numpy as np

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.planner import arriving, ratio
from tandem.planner.model import Sums
from tandem.planner.observation import Missing, Observation
from tandem.planner.readings import usable
from tandem.planner.sketch import believed
from tandem.planner.spec import FleetSpec

FORGET_S = 900.0  # after which an interval weighs 1/e
MOST_TRANSFER_S = 1000.0


def learnt(links: Sums, observation: Observation, spec: FleetSpec) -> Sums:
    """With the transfers of one more interval; what no link could do moves nothing."""
    keep = exp(-observation.traffic.interval_s / FORGET_S)
    return ratio.after(links, _seen(observation, spec), keep)


def scaled(profile: EngineProfile, by_link: float) -> EngineProfile:
    """A profile whose bytes take so many times as long."""
    if by_link == 1:
        return profile
    bandwidth = profile.transfer.bandwidth_bytes_per_s / by_link
    return replace(profile, transfer=replace(profile.transfer, bandwidth_bytes_per_s=bandwidth))


@lru_cache(maxsize=64)
def known_as(profile: EngineProfile) -> str:
    """A link by its figures: one that was measured anew is another."""
    numbers = (*astuple(profile.transfer), profile.kv.bytes_per_token)
    return " ".join(f"{number:.5g}" for number in numbers)


def _seen(observation: Observation, spec: FleetSpec) -> Sums | None:
    """Seconds that the bytes of an interval took, each alone, and those that they should have taken."""
    traffic, stale_s = observation.traffic, spec.behavior.stale_after_s
    took_s = usable(traffic.transfer_s, MOST_TRANSFER_S, stale_s)
    profile, pods = spec.roles[Role.DECODE].profile, observation.pods.get(Role.DECODE)
    if isinstance(took_s, Missing) or pods is None or pods.ready < 1:
        return None
    prompts = believed(arriving.prefilled(traffic))
    if profile.transfer.push_layers or not len(prompts):
        return None
    count = float(prompts[:, 3].sum())
    under_way = count * took_s / (traffic.interval_s * pods.ready)
    alone_s = took_s / (1 + under_way) - profile.transfer.latency_s
    tokens = float(np.dot(prompts[:, 0], prompts[:, 3]))
    told_s = tokens * profile.kv.bytes_per_token / profile.transfer.bandwidth_bytes_per_s
    return Sums(count * alone_s, told_s, count)
