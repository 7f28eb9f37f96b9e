"""What the planner is shown of a fleet, made of what its gateways and engines said: one rule for all.

Direct scrapes and Prometheus differ in how they come by a `Look`; what becomes of it is written here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tandem.api.role import Role
from tandem.cluster import series
from tandem.cluster.engine_counts import EngineCounts
from tandem.cluster.growth import COUNTS, SUMS, GatewayCounts, Growth, Look, finite
from tandem.cluster.pod import Pod, PodPhase
from tandem.planner.observation import Figure, LengthCounts, Missing, Reading, Traffic

NO_PROMPTS = Missing("no gateway has counted a prompt")


class Meter:
    """Turns looks at one fleet into `Traffic`; remembers counters from one look to the next."""

    def __init__(self, batch_cap: Mapping[Role, int], engine: str) -> None:
        self._batch_cap = batch_cap
        self._names = series.ENGINE_SERIES[engine]
        self._counts = GatewayCounts()
        self._tokens = EngineCounts(self._names.generation_tokens)
        self._transfers = [EngineCounts(name) for name in self._names.transfers]
        self._busy: Figure | None = None  # prefill pods at work at once, mean of the last interval

    @property
    def engine_names(self) -> tuple[str, ...]:
        """Series that are read of each engine."""
        return self._names.read

    def read(
        self,
        gateways: Mapping[str, Look | Missing],
        engines: Mapping[str, Look | Missing],
        pods: Sequence[Pod],
    ) -> Traffic:
        """Figures since the last look; `engines` by the name of their pod.

        Where no sample is newer than at the last look the interval is 0 s and its counts are 0.
        """
        seen = {role: _of_role(role, ready(pods), engines) for role in Role}
        running = {role: _mean(looks, self._names.running) for role, looks in seen.items()}
        kv_usage = {role: _mean(looks, self._names.kv_usage) for role, looks in seen.items()}
        growth = self._counts.grown(gateways)
        if isinstance(growth, Missing):
            return replace(Traffic.untold(growth), running=running, kv_usage=kv_usage)
        utilisation = {
            Role.PREFILL: self._prefill_use(growth, len(seen[Role.PREFILL])),
            Role.DECODE: self._decode_use(running[Role.DECODE]),
        }
        decode = [pod for pod in pods if pod.role is Role.DECODE]
        unread = Missing("it was not read")
        looks = {pod.name: engines.get(pod.name, unread) for pod in ready(decode)}
        # those that drain generate too, and are not asked
        whole = all(pod.phase is not PodPhase.DRAINING for pod in decode)
        traffic = _traffic(growth, running, kv_usage, utilisation)
        return replace(
            traffic,
            output_tokens=self._tokens.grown(looks, growth.interval_s, whole=whole),
            transfer_s=self._transfer_s(looks, growth.interval_s),
        )

    def _transfer_s(self, looks: Mapping[str, Look | Missing], interval_s: float) -> Reading:
        """Mean of what KV took to come to decode engines."""
        taken_s, count = (each.grown(looks, interval_s, whole=True) for each in self._transfers)
        if isinstance(taken_s, Missing) or isinstance(count, Missing):
            return taken_s if isinstance(taken_s, Missing) else count
        if not count.value:
            return Missing("no KV came in the interval")
        return replace(taken_s, value=taken_s.value / count.value)

    def _prefill_use(self, growth: Growth, pods: int) -> Reading:
        """Share of time with a prompt in hand; several gateways may have one there at once."""
        if growth.interval_s > 0:
            value = growth.totals[series.PREFILL_BUSY] / growth.interval_s
            self._busy = Figure(value, growth.age_s, growth.exact and growth.replicas == 1)
        if not pods:
            return Missing("no prefill pod was ready")
        if self._busy is None:
            return Missing("it takes two looks to know how long prefill pods were at work")
        return Figure(min(1.0, self._busy.value / pods), growth.age_s, self._busy.exact)

    def _decode_use(self, running: Reading) -> Reading:
        """Share of the batch cap in use."""
        if isinstance(running, Missing):
            return running
        return Figure(running.value / self._batch_cap[Role.DECODE], running.age_s, running.exact)


def ready(pods: Sequence[Pod]) -> list[Pod]:
    """Pods that are asked for figures."""
    return [pod for pod in pods if pod.phase is PodPhase.READY]


def _of_role(
    role: Role, pods: Iterable[Pod], engines: Mapping[str, Look | Missing]
) -> list[Look | Missing]:
    unread = Missing("it was not read")
    return [engines.get(pod.name, unread) for pod in pods if pod.role is role]


def _mean(looks: Sequence[Look | Missing], name: str) -> Reading:
    """Mean over the pods that have it, as old as the oldest; not exact where some lack it."""
    if not looks:
        return Missing("no pod of the role was ready")
    values, ages_s, lacks = [], [], []
    for look in looks:
        if isinstance(look, Missing):
            lacks.append(look)
            continue
        own = [row.value for row in finite(look.rows) if row.name == name]
        values += own
        ages_s += [look.age_s] if own else []
        lacks += [] if own else [Missing(f"an engine has no {name} that is a number")]
    if not values:
        return lacks[0]
    return Figure(sum(values) / len(values), max(ages_s), exact=not lacks)


def _traffic(
    growth: Growth,
    running: Mapping[Role, Reading],
    kv_usage: Mapping[Role, Reading],
    utilisation: Mapping[Role, Reading],
) -> Traffic:
    def counted(value: float) -> Figure:
        return Figure(value, growth.age_s, growth.exact)

    met = growth.met
    return Traffic(
        interval_s=growth.interval_s,
        arrivals=counted(growth.totals[series.ARRIVALS]),
        dispersion=_dispersion(growth),
        lengths=LengthCounts.of(growth.cells),
        prompts=NO_PROMPTS
        if growth.cells and not growth.tells_prompts
        else LengthCounts.of(growth.prompts),
        finished=counted(sum(met.values())),
        met_ttft=counted(met["met", "met"] + met["met", "missed"]),
        met_tpot=counted(met["met", "met"] + met["missed", "met"]),
        met_both=counted(met["met", "met"]),
        ttft_s=_mean_grown(growth, series.TTFT),
        tpot_s=_mean_grown(growth, series.TPOT),
        queued_requests=_gauge(growth, series.QUEUED_REQUESTS),
        queued_tokens=_gauge(growth, series.QUEUED_TOKENS),
        running=running,
        kv_usage=kv_usage,
        utilisation=utilisation,
        in_flight=dict(growth.in_flight),
    )


def _dispersion(growth: Growth) -> Reading:
    """Exact of one gateway; several each see their own share of the arrivals."""
    if series.DISPERSION not in growth.gauges:
        return Missing("too few arrivals within the last two minutes to tell how they vary")
    return Figure(growth.gauges[series.DISPERSION], growth.age_s, growth.replicas == 1)


def _mean_grown(growth: Growth, name: str) -> Reading:
    """Mean of what a histogram took in over the interval."""
    count = growth.totals[COUNTS[name]]
    if not count:
        return Missing("no request ended in the interval that tells it")
    return Figure(growth.totals[SUMS[name]] / count, growth.age_s, growth.exact)


def _gauge(growth: Growth, name: str) -> Reading:
    if name in growth.gauges:
        return Figure(growth.gauges[name], growth.age_s)
    return Missing(f"the gateway does not export {name}")
