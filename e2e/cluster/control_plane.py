"""etcd, the API server, the controllers, the scheduler and DNS: how each is started."""

import json
from collections.abc import Mapping
from pathlib import Path

from e2e.cluster import pki
from e2e.cluster.daemons import Daemon
from e2e.cluster.network import DNS_IP, SERVICE_RANGE
from e2e.cluster.places import LOGS, NODE_IP, RUN

ETCD_URL = "http://127.0.0.1:2379"
AUDIT_LOG = LOGS / "audit.log"
"""One line of JSON for each call of a pod's service account."""
CLIENT_RATE = ("--kube-api-qps=1000", "--kube-api-burst=2000")
"""A hundred fleets at once; the defaults are for tens of changes a second."""

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "None"},
    ],
}
COREFILE = f"""
cluster.local in-addr.arpa {{
  bind {NODE_IP}
  errors
  kubernetes {{
    kubeconfig {pki.DNS.kubeconfig}
    pods insecure
    ttl 5
  }}
}}
. {{
  bind {NODE_IP}
  template ANY ANY {{
    rcode NXDOMAIN
  }}
}}
"""
"""No name outside the cluster has an address, and that is said at once."""
_DNS_PORTS = [
    {"name": "dns", "port": 53, "protocol": "UDP"},
    {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
]
DNS_OBJECTS: list[dict[str, object]] = [
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {"clusterIP": DNS_IP, "ports": _DNS_PORTS},
    },
    {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kube-dns",
            "namespace": "kube-system",
            "labels": {"kubernetes.io/service-name": "kube-dns"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [NODE_IP], "conditions": {"ready": True}}],
        "ports": _DNS_PORTS,
    },
]
"""The pods' DNS: a Service whose one endpoint is the process below."""


def configure() -> None:
    """Write the files that the daemons below read."""
    (RUN / "audit-policy.json").write_text(json.dumps(AUDIT_POLICY))
    (RUN / "Corefile").write_text(COREFILE)


def etcd(programs: Mapping[str, Path]) -> Daemon:
    peer = "http://127.0.0.1:2380"
    command = [
        f"{programs['etcd']}",
        f"--data-dir={RUN / 'etcd'}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={ETCD_URL}",
        f"--advertise-client-urls={ETCD_URL}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
    ]
    return Daemon("etcd", command)


def apiserver(programs: Mapping[str, Path]) -> Daemon:
    command = [
        f"{programs['kube-apiserver']}",
        f"--etcd-servers={ETCD_URL}",
        f"--advertise-address={NODE_IP}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged",
        f"--client-ca-file={pki.CA}",
        f"--tls-cert-file={pki.APISERVER.certificate}",
        f"--tls-private-key-file={pki.APISERVER.key}",
        f"--kubelet-certificate-authority={pki.CA}",
        f"--kubelet-client-certificate={pki.APISERVER.certificate}",
        f"--kubelet-client-key={pki.APISERVER.key}",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki.SERVICE_ACCOUNT_PUBLIC}",
        f"--service-account-signing-key-file={pki.SERVICE_ACCOUNT_KEY}",
        "--max-requests-inflight=1000",
        "--max-mutating-requests-inflight=500",
        f"--audit-policy-file={RUN / 'audit-policy.json'}",
        f"--audit-log-path={AUDIT_LOG}",
    ]
    return Daemon("kube-apiserver", command)


def controller_manager(programs: Mapping[str, Path]) -> Daemon:
    identity = pki.CONTROLLER_MANAGER.kubeconfig
    command = [
        f"{programs['kube-controller-manager']}",
        *_client_flags(identity),
        "--use-service-account-credentials",
        f"--service-account-private-key-file={pki.SERVICE_ACCOUNT_KEY}",
        f"--root-ca-file={pki.CA}",
        "--concurrent-deployment-syncs=20",
        "--concurrent-replicaset-syncs=20",
    ]
    return Daemon("kube-controller-manager", command)


def scheduler(programs: Mapping[str, Path]) -> Daemon:
    command = [f"{programs['kube-scheduler']}", *_client_flags(pki.SCHEDULER.kubeconfig)]
    return Daemon("kube-scheduler", command)


def dns(programs: Mapping[str, Path]) -> Daemon:
    return Daemon("coredns", [f"{programs['coredns']}", "-conf", f"{RUN / 'Corefile'}"])


def _client_flags(kubeconfig: Path) -> list[str]:
    """What the two clients of the API server that lead nobody have in common."""
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--authentication-tolerate-lookup-failure",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        *CLIENT_RATE,
    ]
