"""What helm makes of the chart: golden files, refusals, and the files that it ships unchanged."""

import subprocess
from typing import Any

import pytest
import yaml
from e2e.cluster import programs
from e2e.cluster.places import ROOT, BoxError
from e2e.manifests import CHART, INSTALL, rendered, template

pytestmark = pytest.mark.e2e

GOLDEN = ROOT / "tests" / "golden" / "chart"
MONITORING = (
    "--api-versions=monitoring.coreos.com/v1/PodMonitor",
    "--api-versions=monitoring.coreos.com/v1/PrometheusRule",
)
RENDERED = {  # golden file: flags
    "namespaced": (
        "--set=crds.install=false,dashboards.enabled=false",
        "--set=watch.namespaces={models,team-a}",
    ),
    "everything": (*MONITORING, f"--values={GOLDEN / 'everything.values.yaml'}"),
}


def documents(*flags: str) -> list[dict[str, Any]]:
    """What is rendered, with the name of a file where its content stands."""
    made = [body for body in yaml.safe_load_all(template(*flags)) if body]
    return sorted(made, key=lambda body: (body["kind"], body["metadata"]["name"]))


def shortened(body: dict[str, Any]) -> dict[str, Any]:
    """An object without the content of a file that the chart ships as it is."""
    if body["kind"] == "ConfigMap":
        return body | {"data": dict.fromkeys(body["data"], "...")}
    if body["kind"] in ("PrometheusRule", "CustomResourceDefinition"):
        return body | {"spec": "..."}
    return body


@pytest.mark.parametrize("name", RENDERED)
def test_the_chart_renders_its_golden_file(name: str) -> None:
    """A wanted difference: `python -m e2e.test_chart`, and read what changed."""
    assert golden(name) == (GOLDEN / f"{name}.yaml").read_text(encoding="utf-8")


def golden(name: str) -> str:
    return yaml.safe_dump_all(map(shortened, documents(*RENDERED[name])), sort_keys=False)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param((), id="defaults"),
        pytest.param(("--set=watch.namespaces={a,b}",), id="namespaced"),
        pytest.param((f"--values={GOLDEN / 'everything.values.yaml'}",), id="everything"),
    ],
)
def test_helm_finds_nothing_to_complain_of(values: tuple[str, ...]) -> None:
    command = [f"{programs.build()['helm']}", "lint", "--strict", f"{CHART}", *values]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_install_yaml_is_rendered_from_the_chart() -> None:
    assert INSTALL.read_text(encoding="utf-8") == rendered(), "run `make manifests`"


def test_definitions_dashboards_and_rules_are_shipped_as_they_are() -> None:
    made = documents(*RENDERED["everything"])
    kinds = {
        kind: [body for body in made if body["kind"] == kind]
        for kind in ("ConfigMap", "CustomResourceDefinition", "PrometheusRule")
    }
    boards = {name: text for body in kinds["ConfigMap"] for name, text in body["data"].items()}
    files = (CHART / "dashboards").glob("*.json")
    assert boards == {path.name: path.read_text(encoding="utf-8").strip() for path in files}
    definitions = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "crds").iterdir())]
    assert [body["spec"] for body in kinds["CustomResourceDefinition"]] == [
        d["spec"] for d in definitions
    ]
    (rules,) = kinds["PrometheusRule"]
    assert rules["spec"] == yaml.safe_load((CHART / "rules" / "tandem.yaml").read_text())


def test_the_longest_release_name_leaves_names_and_labels_that_kubernetes_takes() -> None:
    release = "long" * 13 + "x"  # helm takes 53
    made = list(yaml.safe_load_all(template("--set=networkPolicy.enabled=true", release=release)))
    (operator,) = (body for body in made if body["kind"] == "Deployment")
    assert operator["metadata"]["name"] == release[:50]
    assert all(len(value) <= 63 for value in operator["metadata"]["labels"].values())


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        pytest.param(["--set=imagse.tag=1"], "'imagse' not allowed", id="unknown value"),
        pytest.param(["--set=images.pullPolicy=No"], "/images/pullPolicy", id="pull policy"),
        pytest.param(
            ["--set=podMonitor.enabled=true"], "the cluster has no PodMonitor", id="monitor"
        ),
        pytest.param(["--set=rules.enabled=true"], "the cluster has no PrometheusRule", id="rules"),
        pytest.param(
            ["--kube-version=1.29.9"], ">=1.30.0-0", id="a Kubernetes without preStop.sleep"
        ),
    ],
)
def test_what_can_not_work_is_refused_with_a_sentence(flags: list[str], words: str) -> None:
    with pytest.raises(BoxError, match=words):
        template(*flags)


if __name__ == "__main__":
    for each in RENDERED:
        (GOLDEN / f"{each}.yaml").write_text(golden(each), encoding="utf-8")
