"""What a request will cost, in the router's terms."""

from collections.abc import Callable

from tandem.api.role import Role
from tandem.errors import InvalidInputError
from tandem.gateway.request import ClientRequest
from tandem.gateway.settings import Settings
from tandem.gateway.tokens import LengthEstimates
from tandem.routing.model import RouteRequest


class Sizing:
    """Estimates of a request's lengths and times; the profiles are those of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.lengths = LengthEstimates()

    def check(self, request: ClientRequest) -> None:
        """Raise for a prompt that no pod can hold; only the engine's own count may refuse a text."""
        tokens, most = request.prompt.tokens, self._settings.kv_tokens
        if tokens is not None and tokens > most:
            raise InvalidInputError("prompt", f"{tokens} tokens", f"at most {most} tokens of KV")

    def route_request(
        self,
        request: ClientRequest,
        key: str,
        arrival_s: float,
        decode_step_s: Callable[[int], float],
    ) -> RouteRequest:
        """The request as the router sees it; an estimate above what a pod holds is cut to that.

        `decode_step_s` tells how long an iteration with so many more tokens takes.
        """
        tokens = min(self.lengths.input_tokens(request), self._settings.kv_tokens)
        transfer_s = self._settings.profiles[Role.DECODE].transfer_s(tokens)
        return RouteRequest(
            key=key,
            arrival_s=arrival_s,
            deadline_s=arrival_s + self._settings.ttft_s,
            input_tokens=tokens,
            service_s=self._settings.profiles[Role.PREFILL].prefill_s(tokens),
            after_prefill_s=transfer_s + decode_step_s(tokens),
            output_tokens=self.lengths.output_tokens(request),
        )

    def drained_s(self, queued_tokens: int, prefill_pods: int) -> float:
        """Seconds until the prompts that wait now are prefilled."""
        cost = self._settings.profiles[Role.PREFILL].prefill
        return queued_tokens * cost.b_s_per_token / max(1, prefill_pods)
