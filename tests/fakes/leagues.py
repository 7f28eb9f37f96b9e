"""Small leagues: a case of a minute or two, and workers that work at once in this process."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Any

from tandem.simulator.league import fleet
from tandem.simulator.league.job import Case, Conditions, Load
from tandem.simulator.league.play import Played

PROFILE = "a100-llama-3.1-70b-tp4"


def conditions(
    *, attainment: float = 0.95, cold_start_s: float = 20.0, most: int = 16
) -> Conditions:
    unnamed = Conditions(
        profile=PROFILE,
        truth="generated",
        data="",
        digest="",
        ttft_s=4.0,
        tpot_s=0.06,
        attainment=attainment,
        cold_start_s=cold_start_s,
        start_spread=0.2,
        scrape_age_s=5.0,
        interval_s=5.0,
        drain_s=600.0,
        least=1,
        most=most,
    )
    return replace(unnamed, digest=fleet.digest(unnamed))


def case(
    *,
    duration_s: float = 90.0,
    rate_rps: float = 6.0,
    seed: int = 1,
    under: Conditions | None = None,
) -> Case:
    load = Load(name="generated", built_in="generated", duration_s=duration_s, rate_rps=rate_rps)
    return Case(load=load, conditions=under or conditions(), seed=seed)


def played(
    attainment: float = 0.99, gpu_hours: float = 10.0, arrivals: int = 1000, minutes: int = 10
) -> Played:
    """A run that never was."""
    missed = round((1 - attainment) * arrivals)
    return Played(
        arrivals=arrivals,
        attainment=attainment,
        gpu_hours=gpu_hours,
        cost=gpu_hours * 2,
        ttft_s=1.0,
        tpot_s=0.03,
        goodput_rps=1.0,
        smooth_goodput=100.0,
        switches=0,
        starts=0,
        duration_s=minutes * 60.0,
        replicas=((0.0, 2, 3),),
        came=tuple([arrivals // minutes] * minutes),
        pods=tuple([5] * minutes),
        misses={"decode TPOT": tuple([missed] + [0] * (minutes - 1))},
    )


class AtOnce(Executor):
    """Does each task when it is asked for; `before` may object."""

    def __init__(self, before: Callable[[Any], None] = lambda _: None) -> None:
        self.asked: list[Any] = []
        self._before = before

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self._before(args[0])
        self.asked.append(args[0])
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as an executor does
            future.set_exception(error)
        return future
