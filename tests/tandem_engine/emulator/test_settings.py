import pytest
from tests.tandem_engine.emulator.rig import settings

from tandem.errors import InvalidInputError
from tandem_engine.emulator.settings import default_side_channel_port


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"port": 70_000}, "--port: 70000 is not allowed: 0 to 65535", id="port"),
        pytest.param(
            {"side_channel_host": "0.0.0.0"},
            "--side-channel-host: '0.0.0.0' is not allowed: "
            "an address that decode engines reach, such as the pod's own",
            id="an address that nobody reaches",
        ),
        pytest.param({"lease_s": 5}, "--kv-lease: 5 is not allowed: 6 or more", id="lease"),
        pytest.param(
            {"shutdown_timeout_s": -1.0},
            "--shutdown-timeout: -1.0 is not allowed: 0 or more",
            id="shutdown",
        ),
        pytest.param(
            {"shutdown_timeout_s": float("nan")},
            "--shutdown-timeout: nan is not allowed: 0 or more",
            id="not a number",
        ),
        pytest.param(
            {"max_model_len": 20_000},
            "--max-model-len: 20000 is not allowed: 2 to 16384",
            id="more context than KV",
        ),
    ],
)
def test_a_wrong_setting_names_flag_value_and_what_is_allowed(
    changes: dict[str, float | str], message: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        settings(**changes)
    assert str(refused.value) == message


def test_the_context_is_the_kv_cache_unless_told() -> None:
    assert settings(max_model_len=None).context_tokens == 16_384
    assert settings(max_model_len=100).context_tokens == 100


@pytest.mark.parametrize(("port", "side"), [(8000, 9000), (65_000, 64_000), (0, 0)])
def test_the_side_channel_stands_beside_the_port(port: int, side: int) -> None:
    assert default_side_channel_port(port) == side
