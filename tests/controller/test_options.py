import pytest

from tandem import __version__
from tandem.controller.options import Images, options


def test_without_flags_every_namespace_is_watched_with_the_images_of_this_version() -> None:
    given = options([], __version__)
    assert given.namespaces == ()
    assert given.images == Images(
        gateway=f"tandem-gateway:{__version__}",
        emulator=f"tandem-emulator:{__version__}",
        vllm=f"tandem-vllm:{__version__}",
    )


def test_namespaces_and_pull_secrets_are_taken_once_each() -> None:
    twice = [f"--{flag}={value}" for flag in ("namespace", "image-pull-secret") for value in "aba"]
    given = options(twice, __version__)
    assert given.namespaces == ("a", "b")
    assert given.images.pull_secrets == ("a", "b")


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_out_of_range_ends_the_program(
    port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        options([f"--port={port}"], __version__)
    assert f"--port: {port} is not allowed: 0 to 65535" in capsys.readouterr().err
