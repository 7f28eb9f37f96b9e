"""The closed kernel does what the exact one does, to the nanosecond, whatever happens to the fleet."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.simulated import ROUND, scenario, scripted, with_kv

from tandem.api.role import Role
from tandem.perf.engine_profile import DecodeCost, EngineProfile
from tandem.perf.generated import generated
from tandem.routing.orders import ORDERS
from tandem.simulator.features import (
    ClusterFeatures,
    Encode,
    EngineFeatures,
    Failure,
    Handover,
    Pool,
)
from tandem.simulator.recorder import TIMES
from tandem.simulator.result import Result
from tandem.simulator.run import simulate
from tandem.simulator.scenario import Planner, Scenario
from tandem.traces.model import Trace, from_first_arrival
from tandem.traces.request import TraceRequest

# Irrational steps: no two things happen in one instant by chance, where their order would be rounding's.
ODD = 0.001 * 2**0.5
UNEVEN = replace(
    ROUND,
    prefill=replace(ROUND.prefill, a_s=0.01 * 3**0.5),
    decode=replace(ROUND.decode, alpha_s=0.01 * 5**0.5),
    transfer=replace(ROUND.transfer, latency_s=0.01 * 7**0.5),
)
# Prompts in chunks, batches that fill, 25 blocks of KV: prompts press answers out.
SMALL = replace(with_kv(UNEVEN, 400), batch_cap=8, batch_tokens=64)
AMPLE = replace(UNEVEN, batch_cap=16)
SLOWER = DecodeCost(alpha_s=0.013, beta_s_per_sequence=0.0011, gamma_s_per_token=0.00003)

ARRIVALS = st.floats(0, 20).map(lambda s: s + ODD * s)
REQUESTS = st.builds(
    TraceRequest,
    arrival_s=ARRIVALS,
    input_tokens=st.integers(1, 250),
    output_tokens=st.integers(1, 200),
    session=st.sampled_from(["", "", "a", "b"]),
    think_s=st.sampled_from([0.0, 0.4713]),
    hash_ids=st.integers(0, 12).map(lambda blocks: tuple(range(blocks))),
    class_name=st.sampled_from(["", "high"]),
    encode_tokens=st.sampled_from([0, 0, 40]),
)
TRACES = st.lists(
    REQUESTS, min_size=1, max_size=30, unique_by=lambda request: round(request.arrival_s, 4)
).map(lambda requests: from_first_arrival("random", requests))
CHANGES = st.lists(
    st.tuples(st.integers(0, 30).map(float), st.sampled_from(list(Role)), st.integers(0, 3)),
    max_size=12,
).map(sorted)
BACK = [(31.0, Role.PREFILL, 1), (31.0, Role.DECODE, 1)]


Changes = list[tuple[float, Role, int]]


def moving(
    trace: Trace, profile: EngineProfile, planner: Planner | None, **features: Any
) -> Scenario:
    """Two pods a role, scaled by a planner at times that nothing else happens at."""
    usual = {"handover": Handover(lease_s=1.5 + ODD), "order": "feasible-first"}
    return scenario(
        trace,
        dict.fromkeys(Role, 2),
        profile=profile,
        planner=planner,
        lead_time_s=2.0 + ODD,
        interval_s=0.7 + ODD,
        **{**usual, **features},
    )


def fits(trace: Trace, capacity: int) -> bool:
    return any(r.input_tokens + r.output_tokens - 1 <= capacity for r in trace.requests)


def agree(exact: Result, closed: Result) -> None:
    assert (exact.table.outcomes == closed.table.outcomes).all()
    assert (exact.table.positions == closed.table.positions).all()
    for name in TIMES:
        np.testing.assert_allclose(
            closed.table.times[name], exact.table.times[name], rtol=0, atol=1e-9, err_msg=name
        )
    assert closed.gpu_hours == pytest.approx(exact.gpu_hours, rel=1e-9)
    if exact.itl_s.mean is None:
        assert closed.itl_s.mean is None
    else:
        assert closed.itl_s.mean == pytest.approx(exact.itl_s.mean, rel=1e-9)


ENGINES = st.builds(
    EngineFeatures,
    prefix_block_tokens=st.sampled_from([0, 8]),
    swap_bytes_per_s=st.sampled_from([0.0, 3e6]),
    deflect_chunk_tokens=st.sampled_from([0, 16]),
    migrate=st.booleans(),
    pod_spread=st.sampled_from([0.0, 0.1]),
    prompt_spread=st.sampled_from([0.0, 0.2]),
)
ENCODES = st.builds(
    Encode,
    fixed_s=st.just(0.03 + ODD),
    s_per_token=st.sampled_from([0.0, 0.002]),
    pods=st.integers(0, 2),
)
FAILURES = st.builds(
    Failure,
    at_s=st.floats(0.5, 25.0),
    kind=st.sampled_from(["pod", "node", "link"]),
    role=st.sampled_from(list(Role)),
    pick=st.integers(0, 3),
    lasts_s=st.just(2.0),
)
CLUSTERS = st.builds(
    ClusterFeatures,
    start_spread=st.sampled_from([0.0, 0.3]),
    warm_s=st.just(0.5 + ODD),
    node_accelerators=st.just(4),
    missed_scrapes=st.sampled_from([0.0, 0.5]),
    failures=st.lists(FAILURES, max_size=2).map(tuple),
)
SWITCHES = st.lists(
    st.builds(
        lambda at_s, turn: (at_s, *(list(Role) if turn else list(Role)[::-1])),
        st.floats(0, 25),
        st.booleans(),
    ),
    max_size=2,
)


def both(asked: Callable[[], Scenario]) -> tuple[Result, Result]:
    """One scenario under each kernel; a scripted planner is used up by a run."""
    return simulate(replace(asked(), kernel="exact")), simulate(replace(asked(), kernel="closed"))


@given(
    TRACES,
    st.sampled_from([SMALL, AMPLE]),
    st.sampled_from(list(Role)),
    st.one_of(st.none(), CHANGES),
)
def test_the_kernels_agree_to_a_nanosecond(
    trace: Trace, profile: EngineProfile, first_token: Role, changes: Changes | None
) -> None:
    if not fits(trace, profile.kv.capacity_tokens):
        return
    profile = replace(profile, first_token=first_token)

    def asked() -> Scenario:
        planner = None if changes is None else scripted([*changes, *BACK])
        return moving(trace, profile, planner)

    agree(*both(asked))


@given(TRACES, st.sampled_from([SMALL, AMPLE]), st.sampled_from(list(Role)), st.data())
def test_the_kernels_agree_with_all_features_on(
    trace: Trace, profile: EngineProfile, first_token: Role, data: st.DataObject
) -> None:
    if not fits(trace, profile.kv.capacity_tokens):
        return
    profile = replace(profile, first_token=first_token)
    changes, switches = data.draw(CHANGES), data.draw(SWITCHES)
    warm = dict.fromkeys(Role, data.draw(st.integers(0, 1)))
    slower = Pool(profile=replace(profile, decode=SLOWER), most=data.draw(st.integers(0, 2)))
    features = {
        "handover": Handover(push_layers=data.draw(st.sampled_from([0, 4])), lease_s=1.5 + ODD),
        "engines": data.draw(ENGINES),
        "encode": data.draw(ENCODES),
        "cluster": data.draw(CLUSTERS),
        "pools": {Role.DECODE: (slower,)},
        "times": dict.fromkeys(Role, generated(profile)),
        "order": data.draw(st.sampled_from(list(ORDERS))),
        "priorities": {"": 1, "high": 0},
        "switch_s": 0.4 + ODD,
    }

    def asked() -> Scenario:
        planner = scripted([*changes, *BACK], warm=warm, switches=switches)
        return moving(trace, profile, planner, **features)

    exact, closed = both(asked)
    agree(exact, closed)
    assert exact.table.positions.size + exact.never_came == len(trace.requests)
