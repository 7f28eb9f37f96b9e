"""The closed kernel does what the exact one does, to the nanosecond, whatever happens to the fleet."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.simulated import ROUND, scenario, scripted, with_kv

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.simulator.features import Handover
from tandem.simulator.recorder import TIMES
from tandem.simulator.result import Result
from tandem.simulator.run import simulate
from tandem.traces.model import Trace, from_first_arrival
from tandem.traces.request import TraceRequest

# Prompts in chunks, batches that fill, 25 blocks of KV: prompts press answers out.
SMALL = replace(with_kv(ROUND, 400), batch_cap=8, batch_tokens=64)
AMPLE = replace(ROUND, batch_cap=16)
# Irrational steps: no two things happen in one instant by chance.
ODD = 0.001 * 2**0.5

ARRIVALS = st.floats(0, 20).map(lambda s: s + ODD * s)
REQUESTS = st.builds(
    TraceRequest,
    arrival_s=ARRIVALS,
    input_tokens=st.integers(1, 250),
    output_tokens=st.integers(1, 200),
    session=st.sampled_from(["", "", "a", "b"]),
    think_s=st.sampled_from([0.0, 0.4713]),
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
    asked = scenario(
        trace,
        dict.fromkeys(Role, 2),
        profile=replace(profile, first_token=first_token),
        planner=None if changes is None else scripted([*changes, *BACK]),
        lead_time_s=2.0 + ODD,
        interval_s=0.7 + ODD,
        handover=Handover(lease_s=1.5 + ODD),
        order="feasible-first",
    )
    agree(simulate(replace(asked, kernel="exact")), simulate(replace(asked, kernel="closed")))
