"""The one real node: containerd, the pods' network, the kubelet, the service proxy."""

import json
from collections.abc import Mapping
from pathlib import Path

from e2e.cluster import pki
from e2e.cluster.daemons import Daemon
from e2e.cluster.network import BRIDGE, DNS_IP, POD_RANGE
from e2e.cluster.places import CGROUP, NETNS, NODE_IP, NODE_NAME, RUN

SOCKET = RUN / "containerd" / "containerd.sock"
PAUSE_IMAGE = "localhost/tandem-pause:1"
MAX_PODS = 250

CONTAINERD = f"""
version = 2
root = "{RUN}/containerd/root"
state = "{RUN}/containerd/state"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{RUN}/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  # Without it runc may not set a negative score, and dies with "can't get final child's PID from pipe".
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{RUN}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = "{RUN}/containerd/runc"
        SystemdCgroup = false
"""
CNI = {
    "cniVersion": "0.4.0",
    "name": NETNS,
    "plugins": [
        {
            "type": "bridge",
            "bridge": BRIDGE,
            "isGateway": True,
            "ipMasq": True,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": POD_RANGE}]],
                "routes": [{"dst": "0.0.0.0/0"}],
                "dataDir": f"{RUN}/addresses",
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}
KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "address": NODE_IP,
    "authentication": {
        "anonymous": {"enabled": False},
        "webhook": {"enabled": True},
        "x509": {"clientCAFile": f"{pki.CA}"},
    },
    "authorization": {"mode": "Webhook"},
    "cgroupDriver": "cgroupfs",
    "cgroupRoot": f"/{CGROUP}",
    "clusterDNS": [DNS_IP],
    "clusterDomain": "cluster.local",
    "containerRuntimeEndpoint": f"unix://{SOCKET}",
    "evictionHard": {
        "imagefs.available": "0%",
        "memory.available": "1Mi",
        "nodefs.available": "0%",
        "nodefs.inodesFree": "0%",
    },
    "failSwapOn": False,
    "imageGCHighThresholdPercent": 100,
    "kubeAPIBurst": 400,
    "kubeAPIQPS": 200,
    "maxPods": MAX_PODS,
    "oomScoreAdj": 0,
    "podLogsDir": f"{RUN}/pod-logs",
    "resolvConf": f"{RUN}/resolv.conf",
    "serializeImagePulls": False,
    "tlsCertFile": f"{pki.KUBELET.certificate}",
    "tlsPrivateKeyFile": f"{pki.KUBELET.key}",
    "volumePluginDir": f"{RUN}/volume-plugins",
}
PROXY = {
    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
    "kind": "KubeProxyConfiguration",
    "clientConnection": {"kubeconfig": f"{pki.PROXY.kubeconfig}"},
    "clusterCIDR": POD_RANGE,
    # The machine's own connection table stays as it is.
    "conntrack": {"maxPerCore": 0, "min": 0},
    "healthzBindAddress": "127.0.0.1:10256",
    "hostnameOverride": NODE_NAME,
    "metricsBindAddress": "127.0.0.1:10249",
    "mode": "nftables",
    "nftables": {"minSyncPeriod": "0s"},
    "oomScoreAdj": 0,
}


def configure() -> None:
    """Write the files that the daemons below read."""
    files = {
        "containerd.toml": CONTAINERD,
        "cni/10-box.conflist": json.dumps(CNI),
        "kubelet.json": json.dumps(KUBELET),
        "proxy.json": json.dumps(PROXY),
        "resolv.conf": "",
    }
    for name, text in files.items():
        (RUN / name).parent.mkdir(parents=True, exist_ok=True)
        (RUN / name).write_text(text)


def containerd() -> Daemon:
    return Daemon("containerd", ["containerd", "--config", f"{RUN / 'containerd.toml'}"])


def kubelet(programs: Mapping[str, Path]) -> Daemon:
    command = [
        f"{programs['kubelet']}",
        f"--config={RUN / 'kubelet.json'}",
        f"--kubeconfig={pki.KUBELET.kubeconfig}",
        f"--root-dir={RUN / 'kubelet'}",
        f"--containerd={SOCKET}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={NODE_IP}",
    ]
    return Daemon("kubelet", command)


def proxy(programs: Mapping[str, Path]) -> Daemon:
    return Daemon("kube-proxy", [f"{programs['kube-proxy']}", f"--config={RUN / 'proxy.json'}"])
