"""Labels, annotations, ports and field managers of what Tandem makes on Kubernetes: written once, here."""

from collections.abc import Mapping

from tandem.api.role import Role

GROUP = "tandem.dev"
MANAGED = f"{GROUP}/managed"  # "true" on every child: the operator watches by it
FLEET = f"{GROUP}/fleet"  # name of the DisaggregatedLLM
ROLE = f"{GROUP}/role"  # what the gateway routes by; may change on a running pod
POOL = (
    f"{GROUP}/pool"  # role of origin and pool, such as prefill-h200; in the selector, never changes
)
REVISION = f"{GROUP}/revision"  # pods of different revisions never exchange KV
CONFIG = f"{GROUP}/config"  # annotation: hash of what a gateway reads at its start
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"

NAME = "app.kubernetes.io/name"
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"
MANAGED_BY = "app.kubernetes.io/managed-by"

MANAGER = "tandem"  # field manager of everything but replicas
SCALE_MANAGER = "tandem-scale"  # field manager of replicas

HTTP = "http"  # name of the port that serves users and /metrics, of engines and gateways
ENGINE_PORT = 8000
SIDE_CHANNEL_PORT = 5600  # NIXL's hand-over
GATEWAY_PORT = 8080
GATEWAY = "gateway"  # component
ENGINE = "engine"  # container of an engine pod
PROFILES_DIR = "/etc/tandem/profiles"  # ROLE.json each, from the ConfigMap of the fleet


def of_fleet(fleet: str) -> dict[str, str]:
    """Labels of every child of a fleet."""
    return {
        NAME: "tandem",
        INSTANCE: fleet,
        MANAGED_BY: "tandem",
        MANAGED: "true",
        FLEET: fleet,
    }


def of_engine(fleet: str, role: Role, pool: str, revision: str) -> dict[str, str]:
    """Labels of an engine pod and of its Deployment."""
    return of_fleet(fleet) | {
        COMPONENT: role.value,
        ROLE: role.value,
        POOL: f"{role}-{pool}",
        REVISION: revision,
    }


def selector(labels: Mapping[str, str]) -> str:
    """A label selector as the API server reads it."""
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
