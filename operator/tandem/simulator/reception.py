"""What the gateway makes of a request when it comes: whether it fits, and what the router is told of it."""

from tandem.api.role import Role
from tandem.perf.engine import Engine
from tandem.routing.model import RouteRequest
from tandem.routing.router import Router
from tandem.simulator.clock import Clock
from tandem.simulator.measure import Measurements
from tandem.simulator.scenario import Scenario
from tandem.traces.request import TraceRequest


class Reception:
    """Knows the fleet's profiles as the gateway does; what really happens it learns from measurements."""

    def __init__(
        self, clock: Clock, scenario: Scenario, router: Router, measured: Measurements
    ) -> None:
        roles = scenario.spec.roles
        self._clock = clock
        self._router = router
        self._measured = measured
        self._ttft_s = scenario.spec.slo.ttft_s
        self._prefill = roles[Role.PREFILL].profile
        self._decode = roles[Role.DECODE].profile
        self._empty_prefill = Engine(self._prefill)
        self._empty_decode = Engine(self._decode)
        self._prefill_emits = self._decode.first_token is Role.PREFILL
        self._block_tokens = scenario.engines.prefix_block_tokens
        self._priorities = dict(scenario.priorities)
        self._encode = scenario.encode
        self._encodes_beside = scenario.encode.costs and not scenario.encode.pods

    def fits(self, request: TraceRequest) -> bool:
        """Whether engines of this fleet could ever hold a request."""
        tokens = request.input_tokens
        fits_prefill = self._empty_prefill.fits(tokens, 1)
        return fits_prefill and self._empty_decode.fits(tokens, request.output_tokens)

    def route(self, key: str, request: TraceRequest) -> RouteRequest:
        """What the router is told; how long the answer will be it can't know, only what to expect."""
        tokens, now_s = request.input_tokens, self._clock.now_s
        after_s, cached = 0.0, 0
        if not self._prefill_emits:
            after_s = self._decode.transfer_s(tokens) + self._router.decode_step_s(tokens)
        hash_ids = request.hash_ids if self._block_tokens else ()
        if hash_ids:
            cached = self._router.known_blocks(hash_ids) * self._block_tokens
        service_s = self._prefill.prefill_s(tokens, cached)
        if self._encodes_beside:
            service_s += self._encode.seconds(request.encode_tokens)
        return RouteRequest(
            key=key,
            arrival_s=now_s,
            deadline_s=now_s + self._ttft_s,
            input_tokens=tokens,
            service_s=service_s,
            after_prefill_s=after_s,
            output_tokens=self._measured.expected_output_tokens,
            priority=self._priorities.get(request.class_name, 0) if self._priorities else 0,
            hash_ids=hash_ids,
        )
