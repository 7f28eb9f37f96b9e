import pytest
import yaml

from tandem.api.parse import parse_profile
from tandem.cli.main import run
from tandem.perf import from_resource, library


def test_all_profiles_are_listed_with_what_tells_them_apart(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["profiles"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["NAME", "MODEL", "ACCELERATORS", "COST/H"]
    assert [row.split()[0] for row in rows] == list(library.PROFILES)
    profile = library.profile("h200-qwen3-32b-tp2")
    row = next(row.split() for row in rows if row.startswith(profile.name))
    assert row[1:] == [profile.model, "2", "nvidia-h200", f"{profile.cost_per_hour:.2f}"]


@pytest.mark.parametrize("name", library.PROFILES)
def test_a_profile_is_printed_as_the_resource_that_describes_it(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["profiles", name]) == 0
    resource = parse_profile(yaml.safe_load(capsys.readouterr().out))
    assert from_resource.engine_profile(resource) == library.profile(name)


def test_an_unknown_profile_is_one_line_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["profiles", "h9000"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: NAME: 'h9000' is not allowed: one of h")
