"""What a simulated fleet can do besides the plain path, all off by default."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.step_times import StepTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """How KV gets from prefill to decode.

    `push_layers` 0: decode pulls it when the prompt is whole. Above 0: it is sent layer by layer while it
    is computed, to a decode pod that is chosen when the prefill begins; only what was not through by
    then, and at least the last of so many layers, is waited for.
    """

    push_layers: int = 0
    lease_s: float = (
        30.0  # prefilled KV waits so long for its decode leg to be sent; vLLM's default
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Encode:
    """Encoders of images and the like, in front of prefill; all is free of charge by default.

    A request with encode tokens takes `fixed_s` and `s_per_token` for each of them. `pods` 0: prefill pods
    encode, in the step that begins the prompt, as an engine that does both does. Above 0: so many pods of
    their own, of one accelerator each, do, before the request is queued for prefill.
    """

    fixed_s: float = 0.0
    s_per_token: float = 0.0
    pods: int = 0

    @property
    def costs(self) -> bool:
        """Whether it takes any time."""
        return self.fixed_s > 0 or self.s_per_token > 0

    def seconds(self, tokens: int) -> float:
        """Of one request."""
        return self.fixed_s + self.s_per_token * tokens if tokens else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Up to so many pods of a role on another engine; `times` as in a scenario."""

    profile: EngineProfile
    most: int
    times: StepTimes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFeatures:
    """What engines do.

    Attributes:
        prefix_block_tokens: tokens of one hashed block of the trace; 0 leaves prefixes uncached.
        swap_bytes_per_s: preempted KV goes to the host's memory and comes back at this pace; 0 recomputes.
        deflect_chunk_tokens: decode pods take prompts that no prefill pod would begin in time, in
            chunks of at most so many tokens; 0 never does.
        migrate: a decode pod that is told to go hands what it decodes over to the others.
        pod_spread, prompt_spread: coefficients of variation of a pod's speed, and of a prompt's time.

    """

    prefix_block_tokens: int = 0
    swap_bytes_per_s: float = 0.0
    deflect_chunk_tokens: int = 0
    migrate: bool = False
    pod_spread: float = 0.0
    prompt_spread: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What goes wrong at a time.

    `pod`: one of a role's ready pods dies. `node`: all pods of one node do. `link`: both ports of a pod
    have a share `speed` of their bandwidth for `lasts_s`. `pick` counts the role's ready pods by name,
    round and round.
    """

    at_s: float
    kind: str = "pod"
    role: Role = Role.DECODE
    pick: int = 0
    speed: float = 0.1
    lasts_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFeatures:
    """What the cluster does.

    Attributes:
        start_spread: coefficient of variation of each stage of a start, drawn per pod.
        warm_s: a warm pod is Ready so long after it is needed.
        node_accelerators: of one node; pods are placed on the first that has room.
        missed_scrapes: share of scrapes that bring nothing.
        failures: in any order.

    """

    start_spread: float = 0.0
    warm_s: float = 5.0
    node_accelerators: int = 8
    missed_scrapes: float = 0.0
    failures: tuple[Failure, ...] = ()


def switched_on(*features: Handover | EngineFeatures | Encode | ClusterFeatures) -> Iterator[str]:
    """What differs from the plain path, by its name and value, for whoever reads a report."""
    for feature in features:
        for field in fields(feature):
            value = getattr(feature, field.name)
            if value != field.default:
                yield f"{field.name} = {value}"
