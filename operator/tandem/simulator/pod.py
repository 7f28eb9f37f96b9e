"""An engine pod: the engine of `perf.engine` in virtual time, and the ports over which KV comes and goes.

It begins a run of iterations, lets their seconds pass, ends it, and begins the next while there is work;
an idle pod costs no event. A run is at most `most_iterations` long: one makes the simulator exact in the
plainest way, many make it fast, and what comes out is the same. Whatever may change what an iteration
works on ends the run with the iteration it is in. What happens to requests a pod tells a `PodEvents`,
which is the gateway.
"""

from collections.abc import Callable
from typing import Final

from tandem.api.role import Role
from tandem.cluster.pod import PodPhase
from tandem.perf.engine import Engine
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.prefixes import PrefixCache
from tandem.perf.sequence import Sequence
from tandem.perf.step import Outcome, Step
from tandem.perf.step_times import StepTimes
from tandem.simulator.clock import Clock, Timer
from tandem.simulator.network import Port, Transfer
from tandem.simulator.pod_events import PodEvents

_DRAINING: Final = PodPhase.DRAINING


class EnginePod(Timer):
    """One replica of a role, from the asking until it is gone; due when its run of iterations ends."""

    def __init__(
        self,
        *,
        name: str,
        role: Role,
        number: int,
        profile: EngineProfile,
        times: StepTimes,
        most_iterations: int,
        clock: Clock,
        events: PodEvents,
        on_gone: Callable[["EnginePod"], None],
        swap_bytes_per_s: float = 0.0,
        chunk_tokens: int = 0,
    ) -> None:
        super().__init__()
        self.name = name
        self.role = role
        self.number = number
        self.node = 0
        self.is_started = False
        self.is_warm = False  # started, or starting, to stand by
        self.profile = profile
        swap = swap_bytes_per_s > 0
        self.engine = Engine(profile, times, swap=swap, chunk_tokens=chunk_tokens)
        self.phase = PodPhase.STARTING
        self.asked_s = clock.now_s
        self.gone_s: float | None = None
        self._most_iterations = most_iterations
        self._clock = clock
        self._events = events
        self._on_gone = on_gone
        self.sends, self.takes = Port(), Port()
        self._host = Port()  # where swapped KV comes back from
        self._swap_bytes_per_s = swap_bytes_per_s
        self._senders: dict[str, Port] = {}  # of KV whose pull has not begun
        self._transfers: dict[str, Transfer] = {}
        self._early: dict[
            str, bool
        ] = {}  # pushed while it is computed: whether what was sent is through
        self._step: Step | None = None
        self._ending = False  # while what a run did is told
        self._begun_s = 0.0
        self._prefixes = PrefixCache()
        self._loaded: list[str] = []  # KV came since the last iteration began
        self._fresh: list[str] = []  # emit their first token here in the first iteration
        self._paused: set[str] = set()
        self._preemptions = 0
        self._busy_s = 0.0
        self._busy_from_s = 0.0

    # -- life -------------------------------------------------------------------------------------

    def ready(self) -> None:
        """The start is over, or the drain is taken back."""
        self.phase = PodPhase.READY

    def drain(self) -> None:
        """Take no new request; go when those here have ended and nobody needs their KV."""
        self.phase = PodPhase.DRAINING
        self._go_if_drained()

    def begin_anew(self, role: Role) -> None:
        """Start over in another role, empty."""
        self.role = role
        self.phase = PodPhase.STARTING
        self.gone_s = None

    def busy_s(self) -> float:
        """Seconds spent in iterations until now."""
        running_s = self._clock.now_s - self._busy_from_s if self._step is not None else 0.0
        return self._busy_s + running_s

    def _go_if_drained(self) -> None:
        done = self.phase is _DRAINING and not self.engine.unfinished
        if done and self.gone_s is None:
            self.gone_s = self._clock.now_s
            self._on_gone(self)

    # -- requests ---------------------------------------------------------------------------------

    def serve(
        self, sequence: Sequence, sender: Port | None = None, *, pushed: bool = False
    ) -> None:
        """Take a request; remote KV comes from `sender`, `pushed` while it is still computed."""
        self.engine.add(sequence)
        if sender is not None:
            self._senders[sequence.key] = sender
            if pushed:
                self._early[sequence.key] = False
            self._pull()
        else:
            self._interrupt()
        self._wake()

    def hand_over(self, key: str) -> int:
        """Stop decoding a request and keep its KV until it is released.

        Returns the tokens that it emitted so far; 0 for one that does not decode here, which stays.
        """
        self.settle()
        if key in self._fresh:
            return 0
        emitted = self.engine.hand_over(key)
        if emitted:
            self._events.paused(key, self._begun_s)
            self._interrupt()
        return emitted

    def known_tokens(self, hash_ids: tuple[int, ...], block_tokens: int) -> int:
        """Tokens of a prompt's beginning that need not be computed here."""
        return self._prefixes.known(hash_ids) * block_tokens

    def keep_prefix(self, hash_ids: tuple[int, ...], block_tokens: int) -> None:
        """A prompt's blocks are no longer in use: they stay to be read as long as nothing needs their room."""
        free_tokens = self.engine.blocks_free * self.profile.kv.block_tokens
        self._prefixes.use(hash_ids, free_tokens // block_tokens)

    def computed(self, key: str, rest_s: float) -> None:
        """The prompt of pushed KV is whole; over idle links its last layer alone takes `rest_s`."""
        through = self._early.pop(key, None)
        if through:
            self._transfer(key, rest_s)
        elif key in self._transfers:
            self._transfers[key].at_least(rest_s)

    def abort(self, key: str) -> None:
        """Drop a request at whatever stage it is; unknown keys are none."""
        self.settle()
        if self.engine.abort(key) is None:
            return
        self._senders.pop(key, None)
        self._early.pop(key, None)
        transfer = self._transfers.pop(key, None)
        if transfer is not None:
            transfer.cancel()
        for keys in (self._loaded, self._fresh):
            if key in keys:
                keys.remove(key)
        self._paused.discard(key)
        self._interrupt()
        if self.engine.waiting:
            self._pull()
            self._wake()
        self._go_if_drained()

    def die(self) -> None:
        """Be gone at once, with all that is here."""
        self.settle()
        self.ticket = 0
        for transfer in self._transfers.values():
            transfer.cancel()
        self.gone_s = self._clock.now_s
        self._on_gone(self)

    def release(self, key: str) -> None:
        """Drop the KV that a finished prefill leg left here."""
        self.engine.release(key)
        if self.engine.waiting:  # for the blocks that are free now
            self._interrupt()
            self._wake()
        self._go_if_drained()

    def _wake(self) -> None:
        if self._step is None:
            self._busy_from_s = self._clock.now_s
            self._begin()

    # -- iterations -------------------------------------------------------------------------------

    def fire(self) -> None:
        """A run of iterations ended."""
        step = self._step
        assert step is not None, "an iteration ends that never began"
        self._ending = True
        outcome = self.engine.end()
        self._count(step, step.iterations)
        if outcome.prefilled or outcome.finished:
            self._tell(outcome)
        if self.engine.waiting:
            self._pull()
        self._ending = False
        self._begin()
        if self._step is None:
            self._busy_s += self._clock.now_s - self._busy_from_s
            self._go_if_drained()

    def settle(self) -> None:
        """Account for the iterations of the run that are over by now."""
        step = self._step
        if step is None or self._ending:
            return
        over = step.passed(self._clock.now_s - self._begun_s)
        if over:
            self._count(step, over)
            self._begun_s += step.lasts_s(over)
            self.engine.go_on(over)

    def _begin(self) -> None:
        step = self.engine.begin(self._most_iterations)
        if self._loaded or self.engine.preemptions != self._preemptions:
            self._fresh = self._newcomers(step)
        self._step = step
        if step is not None:
            self._begun_s = self._clock.now_s
            self._clock.set(self._begun_s + step.seconds, self)

    def _interrupt(self) -> None:
        """Let the run end with the iteration it is in."""
        step = self._step
        if step is not None and step.iterations > 1 and not self._ending:
            self.settle()
            if step.iterations > 1:
                self.engine.stop_run()
                self._clock.set(self._begun_s + step.first_s, self)

    def _count(self, step: Step, iterations: int) -> None:
        """Tell the tokens of so many iterations; newcomers emit their first in the first of them."""
        if not step.decoding:
            return
        first_s, fresh = step.first_s, self._fresh
        if fresh:
            self._fresh = []
            for key in fresh:
                self._events.emitted(key, self._begun_s + first_s)
            if step.decoding > len(fresh):
                self._events.beat(first_s, 0.0, 1, step.decoding - len(fresh))
            first_s += step.slope_s
            iterations -= 1
        if iterations:
            self._events.beat(first_s, step.slope_s, iterations, step.decoding)

    def _tell(self, outcome: Outcome) -> None:
        for sequence in outcome.prefilled:
            if sequence.pin:
                self._events.prefilled(sequence.key)
            else:  # preempted before, its prompt and answer now recomputed
                self._paused.discard(sequence.key)
                self._events.emitted(sequence.key, self._clock.now_s)
        for sequence in outcome.finished:
            if not sequence.pin:
                self._events.finished(sequence.key)

    def _newcomers(self, step: Step | None) -> list[str]:
        """Requests that emit their first token here in this iteration; marks those just preempted."""
        fresh, self._loaded = self._loaded, []
        if self.engine.preemptions != self._preemptions:
            self._preemptions = self.engine.preemptions
            readmitted = [sequence for sequence, _, _ in (step.chunks if step else ())]
            for sequence in (*self.engine.waiting, *readmitted):
                preempted = sequence.swapped or not sequence.remote_kv
                if preempted and sequence.key not in self._paused:
                    self._paused.add(sequence.key)
                    if sequence.key not in fresh:
                        self._events.paused(sequence.key, self._clock.now_s)
        return [key for key in fresh if key not in self._paused]

    # -- KV that comes ----------------------------------------------------------------------------

    def _pull(self) -> None:
        """Begin the transfers whose blocks are free now."""
        self.settle()
        began = False
        while (sequence := self.engine.next_load()) is not None:
            began = True
            if sequence.swapped:
                kv_bytes = self.profile.kv.bytes_per_token * sequence.target_tokens
                self._transfer(sequence.key, kv_bytes / self._swap_bytes_per_s)
            else:
                self._events.pulling(sequence.key)
                kv_tokens = max(sequence.input_tokens, sequence.target_tokens - 1)
                self._transfer(sequence.key, self.profile.transfer_s(kv_tokens))
        if began and not self.engine.run_fits():
            self._interrupt()

    def _transfer(self, key: str, alone_s: float) -> None:
        self._transfers[key] = Transfer(
            self._clock,
            key,
            alone_s,
            sender=self._senders.get(key, self._host),
            receiver=self.takes if key in self._senders else self._host,
            through=self._through,
        )

    def _through(self, key: str) -> None:
        """A request's KV is here."""
        del self._transfers[key]
        if key in self._early:
            self._early[key] = True
            return
        self.engine.loaded(key)
        self._loaded.append(key)
        self._paused.discard(key)
        if self._senders.pop(key, None) is not None:
            self._events.pulled(key)
        self._interrupt()
        self._wake()
