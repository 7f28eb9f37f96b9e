"""An engine pod: the engine of `perf.engine` in virtual time, and its link for KV.

It begins an iteration, lets its seconds pass, ends it, and begins the next while there is work; an
idle pod costs no event. What happens to requests it tells a `PodEvents`, which is the gateway.
"""

from collections.abc import Callable
from typing import Protocol

from tandem.api.role import Role
from tandem.cluster.ports import PodPhase
from tandem.perf.engine import Engine, Outcome, Step
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.link import SharedLink
from tandem.perf.sequence import Sequence
from tandem.simulator.clock import Clock


class PodEvents(Protocol):
    """What a pod tells about requests, by key, at the moment it happens."""

    def prefilled(self, key: str) -> None:
        """A prefill leg ended; its KV is pinned."""
        ...

    def pulling(self, key: str) -> None:
        """The pull of a request's KV begins: its blocks are taken."""
        ...

    def pulled(self, key: str) -> None:
        """A request's KV is here."""
        ...

    def emitted(self, key: str) -> None:
        """A request emitted a token that does not follow its last one by one iteration."""
        ...

    def paused(self, key: str) -> None:
        """A request is preempted; its last token came just now."""
        ...

    def beat(self, seconds: float, sequences: int) -> None:
        """So many requests emitted a token, each so long after its last one."""
        ...

    def finished(self, key: str) -> None:
        """A request emitted its last token."""
        ...


class EnginePod:
    """One replica of a role, from the asking until it is gone."""

    def __init__(
        self,
        *,
        name: str,
        role: Role,
        profile: EngineProfile,
        clock: Clock,
        events: PodEvents,
        on_gone: Callable[["EnginePod"], None],
    ) -> None:
        self.name = name
        self.role = role
        self.profile = profile
        self.engine = Engine(profile)
        self.phase = PodPhase.STARTING
        self.asked_s = clock.now_s
        self.gone_s: float | None = None
        self._clock = clock
        self._events = events
        self._on_gone = on_gone
        self._link = SharedLink()
        self._link_watch = 0  # only the event that was asked for last is heeded
        self._step: Step | None = None
        self._loaded: list[str] = []  # KV came since the last iteration began
        self._fresh: list[str] = []  # emit their first token here in this iteration
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

    def busy_s(self) -> float:
        """Seconds spent in iterations until now."""
        running_s = self._clock.now_s - self._busy_from_s if self._step is not None else 0.0
        return self._busy_s + running_s

    def _go_if_drained(self) -> None:
        done = self.phase is PodPhase.DRAINING and not self.engine.unfinished
        if done and self.gone_s is None:
            self.gone_s = self._clock.now_s
            self._on_gone(self)

    # -- requests ---------------------------------------------------------------------------------

    def serve(self, sequence: Sequence) -> None:
        """Take a request."""
        self.engine.add(sequence)
        if sequence.remote_kv:
            self._pull()
        self._wake()

    def release(self, key: str) -> None:
        """Drop the KV that a finished prefill leg left here."""
        self.engine.release(key)
        if self.engine.waiting:  # for the blocks that are free now
            self._wake()
        self._go_if_drained()

    def _wake(self) -> None:
        if self._step is None:
            self._busy_from_s = self._clock.now_s
            self._begin()

    # -- iterations -------------------------------------------------------------------------------

    def _begin(self) -> None:
        step = self.engine.begin()
        if self._loaded or self.engine.preemptions != self._preemptions:
            self._fresh = self._newcomers(step)
        self._step = step
        if step is not None:
            self._clock.at(self._clock.now_s + step.seconds, self._end)

    def _end(self) -> None:
        step = self._step
        assert step is not None, "an iteration ends that never began"
        outcome = self.engine.end()
        regular = step.decoding - len(self._fresh)
        if regular:
            self._events.beat(step.seconds, regular)
        if self._fresh or outcome.prefilled or outcome.finished:
            self._tell(outcome)
        if self.engine.waiting:
            self._pull()
        self._begin()
        if self._step is None:
            self._busy_s += self._clock.now_s - self._busy_from_s
            self._go_if_drained()

    def _tell(self, outcome: Outcome) -> None:
        fresh, self._fresh = self._fresh, []
        for key in fresh:
            self._events.emitted(key)
        for sequence in outcome.prefilled:
            if sequence.pin:
                self._events.prefilled(sequence.key)
            else:  # preempted before, its prompt and answer now recomputed
                self._paused.discard(sequence.key)
                self._events.emitted(sequence.key)
        for sequence in outcome.finished:
            if not sequence.pin:
                self._events.finished(sequence.key)

    def _newcomers(self, step: Step | None) -> list[str]:
        """Requests that emit their first token here in this iteration; marks those just preempted."""
        fresh, self._loaded = self._loaded, []
        if self.engine.preemptions != self._preemptions:
            self._preemptions = self.engine.preemptions
            readmitted = (sequence for sequence, _, _ in (step.chunks if step else ()))
            for sequence in (*self.engine.waiting, *readmitted):
                if not sequence.remote_kv and sequence.key not in self._paused:
                    self._paused.add(sequence.key)
                    if sequence.key not in fresh:
                        self._events.paused(sequence.key)
        return [key for key in fresh if key not in self._paused]

    # -- the link ---------------------------------------------------------------------------------

    def _pull(self) -> None:
        """Begin the transfers whose blocks are free now."""
        began = False
        while (sequence := self.engine.next_load()) is not None:
            alone_s = self.profile.transfer_s(sequence.input_tokens)
            self._link.add(self._clock.now_s, sequence.key, alone_s)
            self._events.pulling(sequence.key)
            began = True
        if began:
            self._watch_link()

    def _watch_link(self) -> None:
        self._link_watch += 1
        end = self._link.next_end()
        if end is not None:
            self._clock.at(end[0], self._link_ended, self._link_watch)

    def _link_ended(self, watch: int) -> None:
        if watch != self._link_watch:
            return
        now_s = self._clock.now_s
        while (end := self._link.next_end()) is not None and end[0] <= now_s:
            key = end[1]
            self._link.finish(now_s, key)
            self.engine.loaded(key)
            self._loaded.append(key)
            self._events.pulled(key)
        self._watch_link()
        self._wake()
