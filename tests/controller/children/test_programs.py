"""What pods are told is what the programs in them understand: their own parsers read it."""

import argparse
import importlib
from pathlib import Path

import pytest
from tests.controller.children import builders

from tandem.api.role import Role
from tandem.cluster.kubernetes import labels
from tandem.gateway import options
from tandem_engine.cli import COMMANDS


def engine_flags(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    importlib.import_module(COMMANDS[words[0]][0]).add_flags(parser)
    return parser.parse_args(words[1:])


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("kind", ["vllm", "emulator"])
def test_an_engine_understands_what_its_pod_is_told(kind: str, role: Role) -> None:
    fleet = builders.fleet(
        engine__type=kind, model__maxContext=4096, prefill__pools__0__accelerator__count=2
    )
    flags = engine_flags(builders.engine(fleet, role)["args"])
    assert str(flags.port) == "8000"
    assert str(flags.max_model_len) == "4096"
    assert str(flags.shutdown_timeout) == "120"


def test_vllm_takes_the_arguments_of_the_fleet_as_if_typed_behind() -> None:
    own = ["--python=/opt/bin/python", "--cpu-core=1", "--", "--seed=1"]
    flags = engine_flags(builders.engine(builders.fleet(engine__args=own))["args"])
    assert (flags.python, flags.cpu_core, flags.more) == ("/opt/bin/python", 1, ["--seed=1"])


def test_a_gateway_understands_what_its_pod_is_told(tmp_path: Path) -> None:
    fleet = builders.fleet(engine__kvTransfer={"lease": "20s"}, gateway__routing={"order": "edf"})
    made = builders.rendered(fleet)
    for name, text in builders.found(made, "ConfigMap", "chat-profiles")["data"].items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (container,) = builders.gateway(fleet)["spec"]["template"]["spec"]["containers"]
    args = [word.replace(labels.PROFILES_DIR, str(tmp_path)) for word in container["args"]]
    settings = options.settings(args)
    assert settings.profiles == dict.fromkeys(Role, builders.PROFILE)
    assert (settings.port, settings.order, settings.model) == (8080, "edf", builders.PROFILE.model)
    assert (settings.ttft_s, settings.tpot_s) == (0.5, 0.04)
    assert (settings.kv_lease_s, settings.drain_s) == (20.0, 120.0)
