from pathlib import Path

import pytest

from tandem.api.role import Role
from tandem.errors import InvalidInputError
from tandem.gateway import options
from tandem.gateway.settings import lease_margin_s

PROFILE = "h200-llama-3.1-8b-fp8-tp1"
NEEDED = ["--registry", "pods.json", "--profile", PROFILE]


def test_two_flags_are_enough() -> None:
    given = options.settings(NEEDED)
    assert given.registry == Path("pods.json")
    assert {profile.name for profile in given.profiles.values()} == {PROFILE}
    assert given.model == given.profiles[Role.DECODE].model
    assert (given.ttft_s, given.tpot_s, given.kv_lease_s, given.margin_s) == (2.0, 0.05, 30.0, 3.0)
    assert given.usable_lease_s == 27.0


def test_every_flag_is_taken() -> None:
    given = options.settings(
        [
            *NEEDED,
            *("--host", "0.0.0.0", "--port", "0", "--model", "tiny", "--order", "edf"),
            *("--ttft", "500ms", "--tpot", "30ms", "--kv-lease", "20s", "--lease-margin", "4s"),
            *("--retries", "1", "--max-queue", "7", "--max-wait", "1m", "--silence", "9s"),
            *("--drain", "5s", "--prefill-profile", "a100-opt-13b-tp1"),
        ]
    )
    assert (given.host, given.port, given.model, given.order) == ("0.0.0.0", 0, "tiny", "edf")
    assert (given.ttft_s, given.tpot_s, given.kv_lease_s, given.margin_s) == (0.5, 0.03, 20, 4)
    assert (given.retries, given.max_queue, given.max_wait_s) == (1, 7, 60)
    assert (given.silence_s, given.drain_s) == (9, 5)
    assert given.profiles[Role.PREFILL].name == "a100-opt-13b-tp1"
    assert given.profiles[Role.DECODE].name == PROFILE


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        pytest.param(
            ["--profile", "b300"], "--profile: 'b300' is not allowed: one of", id="profile"
        ),
        pytest.param(["--decode-profile", "x"], "--decode-profile: 'x'", id="role's profile"),
        pytest.param(["--ttft", "2"], "--ttft: '2' is not allowed: a duration", id="no unit"),
        pytest.param(["--tpot", "0s"], "--tpot: '0s' is not allowed", id="zero"),
        pytest.param(
            ["--order", "lifo"], "--order: 'lifo' is not allowed: one of feas", id="order"
        ),
        pytest.param(["--port", "70000"], "--port: 70000 is not allowed: 0 to 65535", id="port"),
        pytest.param(["--port", "x"], "command line: .*--port", id="no number"),
        pytest.param(["--retries", "-1"], "--retries: -1 is not allowed: 0 or more", id="retries"),
        pytest.param(["--max-queue", "-1"], "--max-queue: -1", id="queue"),
        pytest.param(["--lease-margin", "30s"], "--lease-margin: 30.0", id="margin of the lease"),
        pytest.param(["--kv-lease", "2s"], "--lease-margin: 2.0", id="lease of the margin"),
        pytest.param(["--what"], "command line: .*--what", id="unknown"),
    ],
)
def test_a_mistake_names_flag_value_and_what_is_allowed(flags: list[str], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        options.settings([*NEEDED, *flags])


def test_a_profile_is_needed() -> None:
    with pytest.raises(InvalidInputError, match="required: --profile"):
        options.settings(NEEDED[:2])


def test_a_fleet_of_a_namespace_stands_for_the_registry() -> None:
    given = options.settings([*NEEDED[2:], "--fleet", "chat", "--namespace", "prod"])
    assert (given.registry, given.fleet, given.namespace) == (None, "chat", "prod")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        pytest.param([], "--fleet: '' is not allowed: .*--registry FILE instead", id="neither"),
        pytest.param(["--fleet", "chat"], "--namespace: ''", id="no namespace"),
        pytest.param(["--namespace", "prod"], "--fleet: ''", id="no fleet"),
        pytest.param(["--fleet", "a/b", "--namespace", "prod"], "--fleet: 'a/b'", id="no name"),
        pytest.param(
            ["--fleet", "chat", "--registry", "x"], "--fleet: 'chat' .*beside --registry", id="both"
        ),
        pytest.param(
            ["--namespace", "prod", "--registry", "x"], "--namespace: 'prod'", id="half of both"
        ),
    ],
)
def test_exactly_one_way_to_know_the_pods_is_given(flags: list[str], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        options.settings([*NEEDED[2:], *flags])


@pytest.mark.parametrize(("lease_s", "margin_s"), [(6, 2), (20, 2), (30, 3), (300, 30)])
def test_the_margin_is_two_seconds_or_a_tenth(lease_s: float, margin_s: float) -> None:
    assert lease_margin_s(lease_s) == pytest.approx(margin_s)
