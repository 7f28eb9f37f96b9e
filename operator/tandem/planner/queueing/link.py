"""KV link: each prefill pod sends and each decode pod takes over a port that its transfers share.

A transfer goes at the smaller of its two shares, so it takes x·(1 + e), e being how many others are at the
busier of its ports. At one port under Poisson arrivals e = ρ/(1 − ρ), whatever the law of x (processor
sharing; Kleinrock 1976), and so it is taken to be at the taker's: whatever smooths
arrivals there is not counted on. At the sender's they are smoother, since a pod is sent one prompt at a
time and its next transfer is at least one prefill later: it meets the last one with P(X > S) where no pod
was free to choose, and else seldom, since idle pods are chosen in turn: C·P(X > S) + (1 − C)/P of e, C
being Erlang's probability that all P pods are busy.

Both meet as the larger of two geometric variables, less those that a transfer meets at both ends. What a
transfer cannot use of one port because the other is the narrow one is lost: a tenth of the other's use
(fitted; docs/concepts/queueing-model.md). A domain's shared capacity, if there is one, is as many servers
as it has ports' worth of bandwidth.

KV that is sent layer by layer while it is computed exposes only what is not through by then, and at
least its last layer.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import inf

import numpy as np
from scipy.special import gammaincinv

from tandem.perf.engine_profile import EngineProfile
from tandem.planner.demand import RECENT, Floats, LengthMix
from tandem.planner.queueing.erlang import delay_probability
from tandem.planner.queueing.prefill import PrefillWork

LOST = 0.1  # of a port, at full use of the other end
PARTS = 5  # into which the excess of a transfer is divided where its spread is to be seen
SEEN = 0.005  # of a TTFT target: transfers that add less are taken at their mean


@dataclass(frozen=True, kw_only=True, eq=False)
class LinkWork:
    """What these prompts cost to move.

    Attributes:
        alone_s: seconds of each length point's KV over an idle link, shape (points,).
        mean_s: their mean.
        weights: of the points.
        service_s: S of each point, behind which a pushed transfer hides.
        push_layers: 0 where KV is pulled when the prompt is whole.
        domain_ports: ports that the domain's shared capacity serves at once; infinite without a limit.
        loading_token_s: token-seconds of decode's KV that a request holds while it comes over an idle link.

    """

    alone_s: Floats
    mean_s: float
    weights: Floats
    service_s: Floats
    push_layers: int
    domain_ports: float
    loading_token_s: float

    @cached_property
    def overlap(self) -> float:
        """P(X > S), X and S of two prompts: a pod's next transfer comes before the last is through."""
        order = np.argsort(self.service_s)
        below = np.append(0.0, np.cumsum(self.weights[order]))
        return float(self.weights @ below[np.searchsorted(self.service_s[order], self.alone_s)])

    @cached_property
    def outlasting(self) -> float:
        """P(X > S) of one prompt: a pushed transfer is under way still when the pod begins the next."""
        return float(self.weights @ (self.alone_s > self.service_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkState:
    """Steady state of all ports.

    Attributes:
        use: share of the time that the busiest kind of port (or the domain) has to move something.
        excess: mean of what a transfer takes beyond its time alone, in times alone; infinite when overloaded.
        spread2: squared coefficient of variation of that.

    """

    use: float
    excess: float
    spread2: float


@lru_cache(maxsize=RECENT)
def work(profile: EngineProfile, lengths: LengthMix, prefill: PrefillWork) -> LinkWork:
    """What these prompts cost to move: the whole prompt's KV, cached or computed."""
    transfer = profile.transfer
    per_token_s = profile.kv.bytes_per_token / transfer.bandwidth_bytes_per_s
    alone_s = transfer.latency_s + per_token_s * lengths.input_tokens
    domain = transfer.domain_bytes_per_s
    loading_s = np.maximum(alone_s, prefill.service_s) if transfer.push_layers else alone_s
    return LinkWork(
        alone_s=alone_s,
        mean_s=float(lengths.weights @ alone_s),
        weights=lengths.weights,
        service_s=prefill.service_s,
        push_layers=transfer.push_layers,
        domain_ports=domain / transfer.bandwidth_bytes_per_s if domain else inf,
        loading_token_s=float(lengths.weights @ (lengths.input_tokens * loading_s)),
    )


def state(
    work: LinkWork, rate_rps: float, prefills: float, decodes: float, prefill_s: float = 0.0
) -> LinkState:
    """Ports of so many pods, or of pods without end; `prefill_s` is a mean prefill, 0 where senders do not matter."""
    if not decodes:
        return LinkState(use=inf, excess=inf, spread2=1.0)
    busy_s = rate_rps * work.mean_s
    sends, takes, domain = busy_s / prefills, busy_s / decodes, busy_s / work.domain_ports
    apart = 1 - 1 / min(
        prefills, decodes
    )  # with one pod at an end, both ends see the same transfers
    lost = LOST * apart
    use = max(sends, takes, domain)
    sends, takes = sends * (1 + lost * takes), takes * (1 + lost * sends)
    if max(sends, takes, domain) >= 1:
        return LinkState(use=use, excess=inf, spread2=1.0)
    crowded = delay_probability(rate_rps * prefill_s, prefills) if prefill_s else 0.0
    met = crowded * work.overlap + (1 - crowded) / prefills if crowded else 1 / prefills
    if work.push_layers:
        met = crowded * work.outlasting
    of_sender = met * sends / (1 - sends)
    of_taker = takes / (1 - takes)
    both = of_sender / (1 + of_sender) * of_taker / (1 + of_taker)
    same = max(of_sender / decodes, of_taker / prefills)
    excess = of_sender + of_taker - same - apart * both / (1 - both)
    if domain > 0:
        ports = work.domain_ports
        excess += delay_probability(busy_s, ports) / (ports * (1 - domain))
    poisson = sends / (1 - sends) + takes / (1 - takes)
    return LinkState(use=use, excess=excess, spread2=min(1.0, excess / max(poisson, 1e-12)))


def exposed_s(work: LinkWork, excess: float | Floats) -> Floats:
    """What is waited for of each length point's transfer; the excess may have leading axes."""
    whole_s: Floats = work.alone_s * (1 + excess)
    if not work.push_layers:
        return whole_s
    return np.maximum(whole_s - work.service_s, whole_s / work.push_layers)


def cases_s(work: LinkWork, ports: LinkState, ttft_s: float) -> Floats:
    """The same as equally likely cases of a transfer, shape (cases, points); one where none is to be seen.

    The excess is taken as a gamma variable.
    """
    if not SEEN * ttft_s < ports.excess * work.mean_s < inf:
        return exposed_s(work, ports.excess)[None]
    middles = (np.arange(PARTS) + 0.5) / PARTS
    multiples = gammaincinv(1 / max(ports.spread2, 1e-3), middles).astype(np.float64, copy=False)
    return exposed_s(work, ports.excess * (multiples / multiples.mean())[:, None])
