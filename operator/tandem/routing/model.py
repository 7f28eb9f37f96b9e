"""What routing sees: requests that wait, pods that serve."""

from dataclasses import dataclass

from tandem.api.role import Role
from tandem.perf.engine_profile import DecodeCost


class RouteRequest:
    """One request at the gateway; times in seconds on the caller's clock. Never changed once made.

    `deadline_s` is arrival plus the TTFT target; `service_s` the prefill seconds it needs alone;
    `after_prefill_s` what TTFT still holds after them (transfer and the first decode step).
    `output_tokens` are expected: max_tokens where given, else what the model answers on average.
    `priority` is that of its class, the lowest first; `hash_ids` name the blocks of its prompt.
    """

    def __init__(
        self,
        *,
        key: str,
        arrival_s: float,
        deadline_s: float,
        input_tokens: int,
        service_s: float,
        after_prefill_s: float = 0.0,
        output_tokens: int = 0,
        priority: int = 0,
        hash_ids: tuple[int, ...] = (),
    ) -> None:
        self.key = key
        self.arrival_s = arrival_s
        self.deadline_s = deadline_s
        self.input_tokens = input_tokens
        self.service_s = service_s
        self.after_prefill_s = after_prefill_s
        self.output_tokens = output_tokens
        self.priority = priority
        self.hash_ids = hash_ids

    def latest_start_s(self) -> float:
        """The last moment at which its prefill can begin and TTFT still be met."""
        return self.deadline_s - self.service_s - self.after_prefill_s


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePod:
    """One engine pod as the router may use it; a draining pod takes no new request.

    One that is `finishing` still takes the decode leg of a request already begun, where no other can.
    `cost` is its own, where the pods of a role differ.
    """

    name: str
    role: Role
    kv_capacity_tokens: int
    revision: str = ""
    draining: bool = False
    finishing: bool = False
    cost: DecodeCost | None = None
