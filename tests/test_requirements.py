"""The locks of the images against the lock that the tests run with."""

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[1] / "requirements"


def pins(name: str) -> dict[str, str]:
    text = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("image", ["operator", "gateway", "emulator", "build"])
def test_an_image_installs_the_versions_that_the_tests_run_with(image: str) -> None:
    locked = pins(image)
    assert locked
    assert locked.items() <= pins("dev").items()


@pytest.mark.parametrize(("image", "package"), [("gateway", "uvicorn"), ("operator", "kopf")])
def test_an_image_has_what_its_process_is_built_on(image: str, package: str) -> None:
    assert package in pins(image)
