"""The router against a plain model of it: whatever happens, nothing is lost and no load stays behind."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from tests.examples import fewer

from tandem.api.role import Role
from tandem.perf.engine_profile import DecodeCost
from tandem.routing.model import RoutePod, RouteRequest
from tandem.routing.router import Router

PODS = [
    RoutePod(name=f"{role}{number}", role=role, kv_capacity_tokens=300)
    for role in Role
    for number in range(3)
]
pod_lists = st.lists(st.sampled_from(PODS), unique_by=lambda pod: pod.name)


class RouterMachine(RuleBasedStateMachine):
    waiting = Bundle("waiting")
    prefilling = Bundle("prefilling")
    prefilled = Bundle("prefilled")
    decoding = Bundle("decoding")

    def __init__(self) -> None:
        super().__init__()
        cost = DecodeCost(alpha_s=0.01, beta_s_per_sequence=0.001, gamma_s_per_token=1e-6)
        self.router = Router(cost, tpot_s=0.05, order="feasible-first")
        self.router.set_pods(PODS)
        self.listed = {pod.name for pod in PODS}
        self.now_s = 0.0
        self.number = 0
        self.queued: dict[str, RouteRequest] = {}
        self.at: dict[str, str] = {}  # key of a prefill leg: its pod

    @rule(tokens=st.integers(1, 200), slack_s=st.floats(0, 5))
    def arrive(self, tokens: int, slack_s: float) -> None:
        self.number += 1
        asked = RouteRequest(
            key=str(self.number),
            arrival_s=self.now_s,
            deadline_s=self.now_s + slack_s,
            input_tokens=tokens,
            service_s=0.1,
            output_tokens=5,
        )
        self.router.enqueue(asked)
        self.queued[asked.key] = asked

    @rule(seconds=st.floats(0, 3))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @rule(target=prefilling)
    def start(self) -> str:
        found = self.router.start_prefill(self.now_s)
        if found is None:
            return ""
        asked, pod = found
        assert asked == self.queued.pop(asked.key), "only who waits is started, and once"
        assert pod.name in self.listed
        assert pod.name not in self.at.values(), "one prompt a pod at a time"
        if asked.latest_start_s() < self.now_s:
            assert all(x.latest_start_s() < self.now_s for x in self.queued.values())
        self.at[asked.key] = pod.name
        return asked.key

    @rule(target=prefilled, key=consumes(prefilling))
    def end_prefill(self, key: str) -> str:
        self.router.prefilled(key)
        self.at.pop(key, None)
        return key

    @rule(target=decoding, key=prefilled)
    def decode(self, key: str) -> str:
        if key and key in self.router._flights:
            pod = self.router.start_decode(key)
            assert (pod is None) == (not any(name.startswith("decode") for name in self.listed))
        return key

    @rule(key=decoding)
    def pull(self, key: str) -> None:
        self.router.pulled(key)

    @rule(key=prefilling)
    def fail_in_prefill(self, key: str) -> None:
        self.router.ended(key)
        self.at.pop(key, None)

    @rule(key=prefilled)
    def fail_before_decode(self, key: str) -> None:
        self.router.ended(key)

    @rule(key=consumes(decoding))
    def end(self, key: str) -> None:
        self.router.ended(key)

    @rule(data=st.data())
    def leave_the_queue(self, data: st.DataObject) -> None:
        if self.queued:
            key = data.draw(st.sampled_from(sorted(self.queued)))
            self.router.ended(key)
            del self.queued[key]

    @rule(pods=pod_lists)
    def change_pods(self, pods: list[RoutePod]) -> None:
        self.router.set_pods(pods)
        self.listed = {pod.name for pod in pods}

    @invariant()
    def queue_counts_are_those_that_wait(self) -> None:
        assert self.router.queued_requests == len(self.queued)
        assert self.router.queued_tokens == sum(x.input_tokens for x in self.queued.values())

    def teardown(self) -> None:
        """All end, in whatever state they are: no pod keeps a load, nobody waits."""
        for number in range(self.number):
            self.router.ended(str(number + 1))
        self.router.set_pods(PODS)
        for role in Role:
            for load in self.router.loads(role):
                assert not load.tokens
                assert not load.pinned
                assert (load.tokens_sum, load.pinned_sum) == (0, 0)
        assert self.router.queued_requests == self.router.queued_tokens == 0
        assert self.router.start_prefill(self.now_s) is None


TestRouterMachine = RouterMachine.TestCase
TestRouterMachine.settings = settings(fewer(150), stateful_step_count=40)
