"""What a case makes of the simulated fleet: starts that differ by seed, caches where a trace has hashes."""

from dataclasses import replace
from pathlib import Path

from tests.fakes.leagues import case, conditions

from tandem.api.role import Role
from tandem.simulator.league import fingerprint, fleet
from tandem.simulator.league.job import Case, Load, fixed, key
from tandem.simulator.scenario import Scenario
from tandem.simulator.starts import StartTimes


def asked(of: Case) -> Scenario:
    return fleet.scenario(fixed(of, 1, 1, "fcfs"))


def first_start_s(of: Case) -> float:
    """Of the first decode pod that is asked for."""
    scenario = asked(of)
    starts = StartTimes(scenario.spec.roles, scenario.cluster.start_spread, scenario.seed)
    return starts.draw_s(Role.DECODE, 1)


def test_seeds_draw_other_cold_starts() -> None:
    assert len({first_start_s(case(seed=seed)) for seed in (1, 2, 3)}) == 3
    even = replace(conditions(), start_spread=0.0)
    assert {first_start_s(case(seed=seed, under=even)) for seed in (1, 2)} == {20.0}


def test_another_spread_is_another_result() -> None:
    usual = fixed(case(), 1, 1, "fcfs")
    even = fixed(case(under=replace(conditions(), start_spread=0.0)), 1, 1, "fcfs")
    assert key(usual, "source") != key(even, "source")


def test_prefixes_are_kept_where_a_trace_tells_them(tmp_path: Path) -> None:
    """Prompts of 128 and 256 tokens in 2 and 4 blocks: of 64 tokens each."""
    path = tmp_path / "hashed.jsonl"
    path.write_text(
        '{"timestamp": 0, "input_length": 128, "output_length": 5, "hash_ids": [1, 2]}\n'
        '{"timestamp": 900, "input_length": 256, "output_length": 5, "hash_ids": [1, 2, 3, 4]}\n'
    )
    load = Load(name="hashed", path=str(path), digest=fingerprint.of_file(path, "--trace"))
    hashed = Case(load=load, conditions=conditions(), seed=1)
    assert asked(hashed).engines.prefix_block_tokens == 64
    assert asked(case()).engines.prefix_block_tokens == 0
