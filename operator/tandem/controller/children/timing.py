"""How long engines keep KV and how long a pod that must go may take; whole seconds, as engines want."""

from math import ceil, floor

from tandem.api import duration
from tandem.api.fleet import DisaggregatedLLM

PRE_STOP_S = 5  # until every gateway has seen that the pod goes, it takes what is already under way
_TAIL_S = 10  # for the process to end after its drain


def lease_s(fleet: DisaggregatedLLM) -> int:
    """Seconds that KV is kept for a decode pod; rounded down, so that nobody relies on a rest."""
    return floor(duration.seconds(fleet.spec.engine.kv_transfer.lease))


def drain_s(fleet: DisaggregatedLLM) -> int:
    """Seconds that a pod gets to finish what it has."""
    return ceil(duration.seconds(fleet.spec.engine.drain))


def grace_s(fleet: DisaggregatedLLM) -> int:
    """Seconds from the wish to delete a pod to its kill."""
    return PRE_STOP_S + drain_s(fleet) + _TAIL_S
