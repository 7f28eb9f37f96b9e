"""What end-to-end tests need of the machine; on CI what is missing is a failure, elsewhere a skip."""

import itertools
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from e2e.cluster import images
from e2e.cluster.access import Box
from e2e.cluster.box import running
from e2e.fleet import Fleet, emulated, profile
from e2e.manifests import INSTALL, NAMESPACE

ROOT = Path(__file__).parents[1]


def missing(reason: str) -> NoReturn:
    """Skip with a reason; with CI=true fail with it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def vllm_python() -> Path:
    """The interpreter of the real engine's environment."""
    python = ROOT / ".venv-vllm" / "bin" / "python"
    if not python.exists():
        missing("no .venv-vllm: `make venv-vllm` makes it (6 GB)")
    return python


@pytest.fixture(scope="session")
def tiny_model(vllm_python: Path) -> Path:
    """A model that real engines serve on one CPU core; made once, some seconds."""
    folder = ROOT / ".cache" / "tiny-model"
    script = ROOT / "engine" / "tandem_engine" / "vllm" / "tiny_model.py"
    subprocess.run([str(vllm_python), str(script), str(folder)], check=True)
    return folder


_numbers = itertools.count(1)
REGISTRY = "localhost"  # the images of the cluster in a box


@pytest.fixture(scope="session")
def box() -> Iterator[Box]:
    """A real Kubernetes with Tandem's images; this process is in its network meanwhile."""
    if os.geteuid() != 0:
        missing("a cluster in a box needs root")
    made = running()
    for archive in images.build().values():
        made.load_image(archive)
    with made.entered():
        yield made


@pytest.fixture(scope="session")
def tandem(box: Box) -> Box:
    """The box with Tandem installed as users do it, its images from the box."""
    install(box)
    return box


def install(box: Box) -> None:
    """Apply definitions and operator, and wait until it runs."""
    box.kubectl("apply", "-f", str(ROOT / "crds"))
    box.kubectl("apply", "-f", "-", stdin=installed_from(REGISTRY))
    operator = ("-n", NAMESPACE, "rollout", "status", "deployment/tandem", "--timeout=60s")
    box.kubectl("-n", NAMESPACE, "rollout", "restart", "deployment/tandem")
    box.kubectl(*operator)


def installed_from(registry: str) -> str:
    """install.yaml with a registry before the images' names, as docs/how-to/images.md tells."""
    text = INSTALL.read_text()
    for start in ("image: ", "-image="):
        text = text.replace(f"{start}tandem-", f"{start}{registry}/tandem-")
    return text


@pytest.fixture
def fleet(tandem: Box) -> Iterator[Fleet]:
    """A namespace of its own with a profile in it; the fleet itself is the test's to make."""
    with in_its_namespace(tandem) as made:
        yield made


@pytest.fixture(scope="module")
def serving(tandem: Box) -> Iterator[Fleet]:
    """A fleet that is Ready; each test of a file leaves it so."""
    with in_its_namespace(tandem) as made:
        made.apply(emulated())
        made.until_ready()
        yield made


@contextmanager
def in_its_namespace(tandem: Box) -> Iterator[Fleet]:
    """A new namespace with a profile in it, gone afterwards."""
    made = Fleet(tandem, f"e2e-{next(_numbers)}-{os.getpid()}")
    tandem.kubectl("create", "namespace", made.namespace)
    made.apply(profile())
    yield made
    tandem.kubectl("delete", "namespace", made.namespace, "--wait=false")
