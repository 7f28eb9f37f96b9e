"""The operator's command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

_LAST_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Container images that the operator puts into pods, unless a fleet names its own.

    Attributes:
        pull_secrets: names of Secrets with which nodes pull, in each fleet's namespace.

    """

    gateway: str
    emulator: str
    vllm: str
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What an operator is told at its start.

    Attributes:
        namespaces: those it watches; all of them where none is named.
        port: of /metrics and /healthz, on every address of the pod.
        pod_name: of this operator, for the Events it posts.
        json_logs: one JSON object a line instead of text.

    """

    images: Images
    namespaces: tuple[str, ...] = ()
    port: int = 8081
    pod_name: str = "tandem-operator"
    json_logs: bool = False


def options(arguments: Sequence[str], version: str) -> Options:
    """The options of a command line; a mistake ends the program with exit 2."""
    parser = _parser(version)
    given = parser.parse_args(arguments)
    if not 0 <= given.port <= _LAST_PORT:
        parser.error(f"--port: {given.port} is not allowed: 0 to {_LAST_PORT}")
    return Options(
        images=Images(
            gateway=given.gateway_image,
            emulator=given.emulator_image,
            vllm=given.vllm_image,
            pull_policy=given.image_pull_policy,
            pull_secrets=tuple(dict.fromkeys(given.image_pull_secret)),
        ),
        namespaces=tuple(dict.fromkeys(given.namespace)),
        port=given.port,
        pod_name=given.pod_name,
        json_logs=given.log_format == "json",
    )


def _parser(version: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tandem.controller",
        description="Scales DisaggregatedLLM fleets of a Kubernetes cluster.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--namespace", action="append", default=[], help="watch only this one; may be repeated")
    for process in ("gateway", "emulator", "vllm"):
        default = f"tandem-{process}:{version}"
        add(f"--{process}-image", default=default, metavar="IMAGE", help="(%(default)s)")
    policies = ("IfNotPresent", "Always", "Never")
    add("--image-pull-policy", choices=policies, default="IfNotPresent", help="(%(default)s)")
    add("--image-pull-secret", action="append", default=[], metavar="NAME", help="may be repeated")
    add("--port", type=int, default=8081, help="of /metrics and /healthz (%(default)s)")
    add("--pod-name", default="tandem-operator", metavar="NAME", help="of this operator's pod")
    add("--log-format", choices=("text", "json"), default="text", help="(%(default)s)")
    return parser
