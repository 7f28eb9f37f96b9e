"""Tandem by the real helm: install, upgrade, uninstall and again, while a fleet serves; RBAC alone."""

import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from e2e.audit import Calls
from e2e.cluster.access import Box
from e2e.cluster.places import ROOT, direct_environment
from e2e.conftest import REGISTRY, install
from e2e.fleet import Fleet
from e2e.manifests import CHART, INSTALL, NAMESPACE
from e2e.test_operator import ask, engine_uids

from tandem.controller.permissions import PERMISSIONS

pytestmark = pytest.mark.e2e

FLEET = "dllm/demo"
EXAMPLES = ROOT / "docs" / "examples"
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
SETTINGS = (f"--set=images.registry={REGISTRY}", "--wait", "--timeout=90s")
_numbers = itertools.count(1)


def helm(box: Box, *arguments: str) -> str:
    """What helm prints."""
    command = [f"{box.programs['helm']}", f"--kubeconfig={box.kubeconfig}", f"-n={NAMESPACE}"]
    done = subprocess.run(
        box.inside([*command, *arguments]),
        env=direct_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def bare(box: Box) -> Iterator[Box]:
    """The box without Tandem; other tests find it again as it was."""
    was_there = box.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found")
    remove(box)
    box.kubectl("create", "namespace", NAMESPACE)
    box.kubectl("label", "namespace", NAMESPACE, RESTRICTED)
    yield box
    remove(box)
    if was_there:
        install(box)


def remove(box: Box) -> None:
    """Take operator, definitions and with them all fleets away, however they came."""
    helm(box, "uninstall", "tandem", "--ignore-not-found", "--wait")
    box.kubectl("delete", "--ignore-not-found", "-f", f"{INSTALL}", "-f", f"{ROOT / 'crds'}")


@pytest.fixture
def demo(bare: Box) -> Iterator[Fleet]:
    """A namespace for the fleet of docs/examples that needs no GPU; no release is left after it."""
    made = Fleet(bare, f"install-{next(_numbers)}-{os.getpid()}", "demo")
    bare.kubectl("create", "namespace", made.namespace)
    bare.kubectl("label", "namespace", made.namespace, RESTRICTED)
    yield made
    helm(bare, "uninstall", "tandem", "--ignore-not-found", "--wait")
    bare.kubectl("delete", "namespace", made.namespace, "--wait=false")


def apply_example(fleet: Fleet) -> None:
    """Apply the two files of docs/examples, with engines that start soon."""
    body = yaml.safe_load((EXAMPLES / "emulated.yaml").read_text(encoding="utf-8"))
    body["spec"]["engine"]["args"] = ["--cold-start=1s"]
    fleet.kubectl("apply", "-f", f"{EXAMPLES / 'emulated-profile.yaml'}")
    fleet.apply(body)


def patch(fleet: Fleet, **spec: object) -> None:
    fleet.kubectl("patch", FLEET, "--type=merge", "-p", json.dumps({"spec": spec}))


def older(folder: Path) -> Path:
    """The chart as one that came before it: its fleets had fewer columns."""
    chart = Path(shutil.copytree(CHART, folder / "tandem"))
    definition = chart / "files" / "crds" / "tandem.dev_disaggregatedllms.yaml"
    body = yaml.safe_load(definition.read_text(encoding="utf-8"))
    body["spec"]["versions"][0]["additionalPrinterColumns"] = []
    definition.write_text(yaml.safe_dump(body), encoding="utf-8")
    return chart


def operator(box: Box) -> str:
    """Names of the operator's objects, of the namespace and of the cluster."""
    own = ("-l", "app.kubernetes.io/name=tandem-operator", "-o", "name")
    kinds = "deployments,replicasets,pods,serviceaccounts,configmaps"
    return box.kubectl("-n", NAMESPACE, "get", kinds, *own) + box.kubectl(
        "get", "clusterroles,clusterrolebindings", *own
    )


def permissions() -> set[tuple[str, str, str]]:
    return {(each.group, each.resource, verb) for each in PERMISSIONS for verb in each.verbs}


def test_a_fleet_serves_through_install_upgrade_uninstall_and_reinstall(
    demo: Fleet, tmp_path: Path
) -> None:
    first = Calls.of(NAMESPACE, "tandem")
    helm(demo.box, "install", "tandem", f"{older(tmp_path)}", *SETTINGS)
    assert demo.kubectl("get", "dllm") == ""
    apply_example(demo)
    demo.until_ready()
    before = engine_uids(demo)

    helm(demo.box, "upgrade", "tandem", f"{CHART}", *SETTINGS, "--set=operator.logFormat=text")
    assert demo.kubectl("get", "dllm").split()[:3] == ["NAME", "READY", "PREFILL"]
    log = demo.box.kubectl("-n", NAMESPACE, "logs", "deployment/tandem")
    assert not log.startswith("{")
    assert ask(demo.url)["usage"]["completion_tokens"] == 4

    assert first.refused() == []
    helm(demo.box, "uninstall", "tandem", "--wait")  # its role goes before its pod has ended
    demo.until("the operator is gone", lambda: not operator(demo.box), 20)
    assert demo.kubectl("get", "dllm,engineprofiles", "-o", "name").split() == [
        "disaggregatedllm.tandem.dev/demo",
        "engineprofile.tandem.dev/demo",
    ]
    patch(demo, decode={"replicas": {"min": 2}})
    assert ask(demo.url)["usage"]["completion_tokens"] == 4

    second = Calls.of(NAMESPACE, "tandem")
    helm(demo.box, "install", "tandem", f"{CHART}", *SETTINGS)
    demo.until("the new operator scales", lambda: demo.replicas() == (1, 2))
    demo.until("both decode pods are Ready", lambda: demo.status["roles"]["decode"]["ready"] == 2)
    assert before < engine_uids(demo)
    live_to_the_end(demo)
    assert second.refused() == []
    assert permissions() - first.used() - second.used() == set()


def live_to_the_end(fleet: Fleet) -> None:
    """What a fleet's life has besides: a scale-down, a new revision, and its end."""
    patch(fleet, decode={"replicas": {"min": 1, "max": 1}})
    fleet.until("one decode pod", lambda: fleet.replicas() == (1, 1))
    first = names(fleet)
    patch(fleet, model={"maxContext": 8192})
    fleet.until("the old revision has gone", lambda: not set(first) & set(names(fleet)))
    gateway = Calls.of(fleet.namespace, f"{fleet.name}-gateway")
    fleet.kubectl("delete", FLEET)
    fleet.until("nothing but pods that drain", lambda: not fleet.get("deployments")["items"])
    assert gateway.refused() == []


def names(fleet: Fleet) -> list[str]:
    """Deployments of engines, of all revisions."""
    found = fleet.get("deployments", "-l", "tandem.dev/role")["items"]
    return [body["metadata"]["name"] for body in found]


@pytest.mark.full  # the chart's golden file holds the same rights
def test_an_operator_of_one_namespace_has_no_rights_elsewhere_and_needs_none(
    bare: Box, demo: Fleet
) -> None:
    calls = Calls.of(NAMESPACE, "tandem")
    other = Fleet(bare, NAMESPACE, "demo")
    scope = f"--set=watch.namespaces={{{demo.namespace}}}"
    helm(bare, "install", "tandem", f"{CHART}", *SETTINGS, scope)
    apply_example(other)
    apply_example(demo)
    demo.until_ready()
    patch(demo, decode={"replicas": {"min": 2}})
    demo.until("both decode pods are Ready", lambda: demo.status["roles"]["decode"]["ready"] == 2)

    assert ask(demo.url)["usage"]["completion_tokens"] == 4
    assert demo.events("ScaledUp")
    assert calls.refused() == []
    assert "clusterrole" not in operator(bare)
    assert other.status == {}
    assert names(other) == []
