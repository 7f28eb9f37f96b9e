"""Floor, oracle, best fixed fleet and policies in their order, on minutes of the real traces."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes.leagues import AtOnce, conditions

from tandem.simulator.league import fingerprint
from tandem.simulator.league.contest import Contest
from tandem.simulator.league.entry import entries
from tandem.simulator.league.field import fields
from tandem.simulator.league.job import Job, Load
from tandem.simulator.league.judge import baselines, frontiers
from tandem.simulator.league.league import League
from tandem.simulator.league.play import Played
from tandem.simulator.league.store import Store

SLICES = {  # file, begin, rate, TTFT
    "azure": ("azure2023/AzureLLMInferenceTrace_conv.csv.gz", 600.0, 10.0, 4.0),
    "mooncake": ("mooncake/synthetic_trace.jsonl.gz", 0.0, 2.0, 30.0),
    "m-large": ("servegen/m-large_day2_x0.05.parquet", 30_000.0, 8.0, 4.0),
    "mm-image": ("servegen/mm-image_24h.parquet", 30_000.0, 8.0, 4.0),
}


@pytest.mark.data
@pytest.mark.parametrize("name", SLICES)
def test_the_order_holds_on_real_traffic(name: str, data_folder: Path, tmp_path: Path) -> None:
    file, start_s, rate_rps, ttft_s = SLICES[name]
    path = data_folder / file
    load = Load(
        name=name,
        path=str(path),
        digest=fingerprint.of_file(path, "--trace"),
        start_s=start_s,
        duration_s=120.0,
        rate_rps=rate_rps,
    )
    under = replace(conditions(attainment=0.95), ttft_s=ttft_s)
    league = League(
        fields=((load, under),),
        seeds=(1,),
        entries=tuple(entries(("tandem", "hpa"), ("tandem",))),
        points=2,
        halvings=1,
        effort=12,
    )
    contest = Contest(AtOnce(), Store(tmp_path), "source", lambda *_: None)
    league.play(contest)

    field = fields(league, contest)[0]
    floor, oracle, static = (base.gpu_hours for base in baselines(field, league.entries))
    assert floor is not None
    assert oracle is not None
    assert static is not None
    assert 0 < floor <= oracle <= static
    hours = [frontier.gpu_hours_at_target for frontier in frontiers(field, league.entries)]
    assert all(oracle <= each for each in hours if each is not None)
    runs = [(job, run) for job, run in contest.done.items() if isinstance(job, Job)]
    met = [run for _, run in runs if isinstance(run, Played) and run.attainment >= 0.95]
    assert met
    assert all(floor <= run.gpu_hours for run in met)
