"""Works: what requests of some lengths cost the engines of a fleet, whatever their rate.

A plan asks about the same lengths at several rates: of now, of what is forecast, and of the last minute.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import lru_cache

from numpy import bool_
from numpy.typing import NDArray

from tandem.perf.engine_profile import EngineProfile
from tandem.planner import pools
from tandem.planner.demand import RECENT, LengthMix
from tandem.planner.queueing import decode, link, prefill
from tandem.planner.queueing.decode import DecodeWork
from tandem.planner.queueing.link import LinkWork
from tandem.planner.queueing.prefill import PrefillWork
from tandem.planner.queueing.stages import DecodeStage

Profiles = tuple[EngineProfile, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Works:
    """Works of every kind of replica.

    Attributes:
        kept: which points of the demand's lengths fit every engine.
        lengths, served: these, and their share of the requests.
        prefills, links, decodes: by kind of each role; a link is that of the decode kind.
        idle: what is known of decode replicas without end, by all that it depends on.

    """

    kept: NDArray[bool_]
    lengths: LengthMix
    served: float
    prefills: tuple[PrefillWork, ...]
    links: tuple[LinkWork, ...]
    decodes: tuple[DecodeWork, ...]
    idle: dict[Hashable, DecodeStage] = field(default_factory=dict)


@lru_cache(maxsize=RECENT)
def of(lengths: LengthMix, prefills: Profiles, decodes: Profiles) -> Works:
    """The works of requests of these lengths on engines of these kinds."""
    kept = pools.fitting((*prefills, *decodes), lengths)
    lengths, served = lengths.where(kept)
    ahead = tuple(prefill.work(each, lengths) for each in prefills)
    quickest = min(ahead, key=lambda work: work.mean_s)  # hides least of a transfer
    return Works(
        kept=kept,
        lengths=lengths,
        served=served,
        prefills=ahead,
        links=tuple(link.work(each, lengths, quickest) for each in decodes),
        decodes=tuple(decode.work(each, lengths) for each in decodes),
    )
