"""Renders install.yaml from the chart: `python -m e2e.manifests`, for `make manifests`."""

import subprocess
from pathlib import Path

from e2e.cluster import programs
from e2e.cluster.places import BoxError

ROOT = Path(__file__).parents[1]
INSTALL = ROOT / "install.yaml"
CHART = ROOT / "charts" / "tandem"
NAMESPACE = "tandem-system"
KUBERNETES = "1.34.4"

HEAD = f"""\
# Tandem's operator for every namespace; rendered from charts/tandem by `make manifests`.
# kubectl apply -f crds/ -f install.yaml
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    pod-security.kubernetes.io/enforce: restricted
"""


def rendered() -> str:
    """All of install.yaml: definitions are in crds/, dashboards in charts/tandem/dashboards."""
    text = template("--set=crds.install=false,dashboards.enabled=false")
    return HEAD + text.replace("managed-by: Helm", "managed-by: kubectl")


def template(*flags: str, release: str = "tandem") -> str:
    """What `helm template` makes of the chart.

    Raises:
        BoxError: the chart refuses its values, and why.

    """
    helm = f"{programs.build()['helm']}"
    where = (f"--namespace={NAMESPACE}", f"--kube-version={KUBERNETES}")
    command = [helm, "template", release, f"{CHART}", *where, *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BoxError(done.stderr.strip())
    return done.stdout


if __name__ == "__main__":
    INSTALL.write_text(rendered())
