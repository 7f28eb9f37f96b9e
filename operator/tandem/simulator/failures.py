"""What goes wrong in a run: pods die, nodes go, links are slow."""

from tandem.simulator.clock import Clock
from tandem.simulator.features import Failure
from tandem.simulator.fleet import Fleet
from tandem.simulator.network import slow
from tandem.simulator.pod import EnginePod


class Failures:
    """Lets each failure happen at its time, to a pod that is ready then; to nobody where none is."""

    def __init__(self, clock: Clock, fleet: Fleet, failures: tuple[Failure, ...]) -> None:
        self._clock = clock
        self._fleet = fleet
        for failure in failures:
            clock.at(failure.at_s, self._happen, failure)

    def _happen(self, failure: Failure) -> None:
        ready = sorted(self._fleet.ready(failure.role), key=_name)
        if not ready:
            return
        pod = ready[failure.pick % len(ready)]
        if failure.kind == "link":
            self._slow(pod, failure.speed)
            self._clock.at(self._clock.now_s + failure.lasts_s, self._slow, pod, 1.0)
        elif failure.kind == "node":
            self._fleet.lose([other for other in self._fleet.pods if other.node == pod.node])
        else:
            self._fleet.lose([pod])

    def _slow(self, pod: EnginePod, speed: float) -> None:
        slow(pod.sends, speed)
        slow(pod.takes, speed)


def _name(pod: EnginePod) -> str:
    return pod.name
