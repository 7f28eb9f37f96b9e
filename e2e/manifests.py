"""Renders install.yaml from the chart: `python -m e2e.manifests`, for `make manifests`."""

import subprocess
from pathlib import Path

from e2e.cluster import programs

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
    """All of install.yaml."""
    command = [
        f"{programs.build()['helm']}",
        "template",
        "tandem",
        f"{CHART}",
        f"--namespace={NAMESPACE}",
        f"--kube-version={KUBERNETES}",
        "--set=crds.install=false",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return HEAD + done.stdout.replace("managed-by: Helm", "managed-by: kubectl")


if __name__ == "__main__":
    INSTALL.write_text(rendered())
