"""Sides: what so many replicas of a role do with a demand, each number of them worked out once.

The decode side comes first, with the pods that send it KV where that matters; the prefill side is in front of it,
and held up by what it has not taken yet.
"""

from dataclasses import replace
from math import inf

from tandem.planner.demand import Demand, Floats
from tandem.planner.queueing import decode, link, mixed, pinned, prefill
from tandem.planner.queueing.decode import DecodePool, DecodeWork
from tandem.planner.queueing.latency import Latency
from tandem.planner.queueing.link import LinkState, LinkWork
from tandem.planner.queueing.prefill import PrefillWork
from tandem.planner.queueing.stages import UNLIMITED, Counts, DecodeStage, PrefillStage
from tandem.planner.queueing.wait import NO_WAIT
from tandem.planner.queueing.works import Works

MOST_STRETCH = 1e3  # of transfers, in KV that is on its way


class Sides:
    """Both sides of a fleet, by replicas of each kind.

    `rate_rps` are requests a second that an engine can serve at all, `prompts_rps` the prompts of these; `is_plain`
    tells whether there is one target for all, and one kind of prefill replica.
    """

    def __init__(self, works: Works, latency: Latency, demand: Demand) -> None:
        self._works, self._latency = works, latency
        self.rate_rps = demand.rate_rps * works.served
        self.prompts_rps = self.rate_rps * demand.prompts
        self.is_plain = len(latency.targets) == len(works.prefills) == 1
        self._arrival_ca2 = demand.arrival_ca2
        self._ahead: dict[tuple[Counts, float], PrefillStage] = {}
        self._behind: dict[tuple[Counts, Counts], DecodeStage] = {}

    def prefill(self, counts: Counts, held_up: float) -> PrefillStage:
        """Prefill replicas, without room for a prompt for such a share of the time."""
        key = counts, held_up
        if key not in self._ahead:
            self._ahead[key] = self._prefill(*key)
        return self._ahead[key]

    def decode(self, senders: Counts, counts: Counts) -> DecodeStage:
        """Decode replicas behind prefill replicas; () where it is all one who sends."""
        key = senders, counts
        if key not in self._behind:
            is_idle = not senders and max(counts) >= UNLIMITED
            self._behind[key] = self._idle(counts) if is_idle else self._decode(*key)
        return self._behind[key]

    def _idle(self, counts: Counts) -> DecodeStage:
        """Decode replicas without end."""
        if not self._is_idle_alike():
            return self._decode((), counts)
        asked = self._latency.targets[0]
        key = counts, asked.slo.ttft_s, asked.slo.tiers, asked.slo.tpot_s
        if key not in self._works.idle:
            self._works.idle[key] = self._decode((), counts)
        stage = self._works.idle[key]
        kept = pinned.tokens(self._works.lengths, self.rate_rps, stage.transfer_s, NO_WAIT)
        return replace(stage, pinned_tokens=kept)

    def _is_idle_alike(self) -> bool:
        """Whether decode replicas without end do alike at any rate: one target, one kind, no domain's link."""
        is_whole = self._latency.targets[0].weights is self._works.lengths.weights
        is_alone = all(work.domain_ports == inf for work in self._works.links)
        return self.is_plain and is_whole and is_alone

    def _prefill(self, counts: Counts, held_up: float) -> PrefillStage:
        (work, shares), wait = self._prompts(counts), NO_WAIT
        if (free := sum(counts) * (1 - held_up)) < UNLIMITED:
            wait = prefill.wait(work, self.prompts_rps, self._arrival_ca2, free)
        within = 1 - wait.beyond(self._latency.times_s)
        return PrefillStage(work=work, shares=shares, held_up=held_up, wait=wait, within=within)

    def _prompts(self, counts: Counts) -> tuple[PrefillWork, Floats]:
        """What prompts cost prefill replicas, and the share of each kind."""
        return mixed.prefills(
            self._works.prefills, counts, self.prompts_rps, self._works.lengths.weights
        )

    def _decode(self, senders: Counts, counts: Counts) -> DecodeStage:
        parts = mixed.parts(self._works.decodes, counts, self.rate_rps)
        work = mixed.decode_work(self._works.decodes, parts)
        links = mixed.link_work(self._works.links, parts)
        ports = self._ports(links, senders, mixed.ports(self._works.links, parts, links))
        transfer_s = link.exposed_s(links, ports.excess)
        replicas = sum(part.replicas for part in parts)
        pool = self._pool(work, links, replicas, ports)
        cases_s = link.cases_s(links, ports, self._latency.shortest_s)
        met = self._latency.tpot_met(work, pool, transfer_s)
        return DecodeStage(
            parts=parts,
            work=work,
            replicas=replicas,
            pool=pool,
            link=ports,
            transfer_s=transfer_s,
            cases_s=cases_s,
            pinned_tokens=pinned.tokens(
                self._works.lengths, self.rate_rps, transfer_s, pool.admission
            ),
            tpot_met=met,
            slack=self._latency.slack(self._works.prefills, work, pool, cases_s, met),
        )

    def _ports(self, links: LinkWork, senders: Counts, takers: float) -> LinkState:
        if not senders:
            ends = (UNLIMITED, takers) if takers < UNLIMITED else (inf, inf)
            return link.state(links, self.rate_rps, *ends)
        prefill_s = self._prompts(senders)[0].mean_s
        return link.state(links, self.rate_rps, sum(senders), takers, prefill_s)

    def _pool(
        self, work: DecodeWork, links: LinkWork, replicas: int, ports: LinkState
    ) -> DecodePool:
        if replicas >= UNLIMITED:
            return decode.idle(work)
        loading_s = links.loading_token_s * min(1 + ports.excess, MOST_STRETCH)
        return decode.pool(
            work,
            self.rate_rps,
            replicas,
            arrival_ca2=self._arrival_ca2,
            loading_tokens=self.rate_rps * loading_s,
        )
