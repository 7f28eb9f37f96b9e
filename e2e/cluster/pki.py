"""Certificates, keys and kubeconfigs: one authority, and one identity for each process."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.places import KUBECONFIGS, NODE_IP, NODE_NAME, PKI, BoxError

DAYS = "3650"
SERVER = f"https://{NODE_IP}:6443"
CA = PKI / "ca.crt"
CA_KEY = PKI / "ca.key"
SERVICE_ACCOUNT_KEY = PKI / "service-account.key"
SERVICE_ACCOUNT_PUBLIC = PKI / "service-account.pub"


@dataclass(frozen=True)
class Identity:
    """Who a process is to the API server, and where it may be reached itself."""

    name: str
    common_name: str
    organisation: str = ""
    addresses: str = ""

    @property
    def certificate(self) -> Path:
        return PKI / f"{self.name}.crt"

    @property
    def key(self) -> Path:
        return PKI / f"{self.name}.key"

    @property
    def kubeconfig(self) -> Path:
        return KUBECONFIGS / f"{self.name}.yaml"


APISERVER = Identity(
    "apiserver",
    "kube-apiserver",
    "system:masters",
    f"IP:127.0.0.1,IP:10.96.0.1,IP:{NODE_IP},DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,"
    "DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local",
)
ADMIN = Identity("admin", "admin", "system:masters")
KUBELET = Identity(
    "kubelet", f"system:node:{NODE_NAME}", "system:nodes", f"IP:{NODE_IP},DNS:{NODE_NAME}"
)
CONTROLLER_MANAGER = Identity("controller-manager", "system:kube-controller-manager")
SCHEDULER = Identity("scheduler", "system:kube-scheduler")
PROXY = Identity("proxy", "system:kube-proxy")
DNS = Identity("coredns", "system:coredns", "system:masters")
KWOK = Identity("kwok", "kwok", "system:masters")
IDENTITIES = (APISERVER, ADMIN, KUBELET, CONTROLLER_MANAGER, SCHEDULER, PROXY, DNS, KWOK)


def make() -> None:
    """Make every certificate and kubeconfig anew."""
    for folder in (PKI, KUBECONFIGS):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _openssl(*_new_certificate("/CN=tandem-e2e", CA, CA_KEY))
    _openssl("genrsa", "-out", f"{SERVICE_ACCOUNT_KEY}", "2048")
    _openssl("rsa", "-in", f"{SERVICE_ACCOUNT_KEY}", "-pubout", "-out", f"{SERVICE_ACCOUNT_PUBLIC}")
    for identity in IDENTITIES:
        _certify(identity)
        identity.kubeconfig.write_text(json.dumps(_kubeconfig(identity), indent=1))
        identity.kubeconfig.chmod(0o600)


def _certify(identity: Identity) -> None:
    organisation = f"/O={identity.organisation}" if identity.organisation else ""
    subject = f"{organisation}/CN={identity.common_name}"
    command = _new_certificate(subject, identity.certificate, identity.key)
    command += ["-CA", f"{CA}", "-CAkey", f"{CA_KEY}", "-addext", "basicConstraints=CA:FALSE"]
    command += ["-addext", "extendedKeyUsage=clientAuth,serverAuth"]
    if identity.addresses:
        command += ["-addext", f"subjectAltName={identity.addresses}"]
    _openssl(*command)


def _new_certificate(subject: str, certificate: Path, key: Path) -> list[str]:
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    files = ["-keyout", f"{key}", "-out", f"{certificate}"]
    return ["req", "-x509", *curve, "-days", DAYS, "-subj", subject, *files]


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BoxError(f"openssl {arguments[0]} failed: {done.stderr[-1000:]}")


def _kubeconfig(identity: Identity) -> dict[str, object]:
    user = {"client-certificate": f"{identity.certificate}", "client-key": f"{identity.key}"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "box", "cluster": {"server": SERVER, "certificate-authority": f"{CA}"}}
        ],
        "users": [{"name": identity.name, "user": user}],
        "contexts": [{"name": "box", "context": {"cluster": "box", "user": identity.name}}],
        "current-context": "box",
    }
