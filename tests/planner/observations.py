"""Whatever a source of figures may say, for properties."""

from hypothesis import strategies as st
from tests.planner.builders import D, P

from tandem.planner.cells import Cells
from tandem.planner.observation import Figure, LengthCounts, Missing, PodCounts, Traffic

readings = st.one_of(
    st.just(Missing("none")),
    st.builds(
        Figure,
        st.one_of(
            st.floats(0, 3000),
            st.sampled_from([float("nan"), float("inf"), -1.0, 1e9, 0.0]),
        ),
        st.floats(0, 100),
    ),
)
per_role = st.fixed_dictionaries({P: readings, D: readings})
cells = st.lists(
    st.tuples(st.integers(-1, 10**9), st.integers(0, 10**5), st.integers(-1, 10**6), st.floats()),
    max_size=4,
).map(lambda rows: Cells.of(*rows))
traffics = st.builds(
    Traffic,
    interval_s=st.floats(-1, 100),
    arrivals=readings,
    dispersion=readings,
    lengths=st.builds(LengthCounts, cells=cells),
    prompts=st.one_of(st.just(Missing("none")), st.builds(LengthCounts, cells=cells)),
    finished=readings,
    met_both=readings,
    ttft_s=readings,
    tpot_s=readings,
    queued_requests=readings,
    queued_tokens=readings,
    running=per_role,
    kv_usage=per_role,
    utilisation=per_role,
)
small = st.integers(0, 9)
pods = st.builds(PodCounts, desired=small, ready=small, starting=small, draining=small)
