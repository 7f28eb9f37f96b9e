"""Erlang C: the probability that all servers are busy."""

from math import exp, expm1, lgamma, log

from scipy.special import gammaincc

IDLE = -745.0  # ln of the least probability that a float holds


def ln_delay_probability(load_erlangs: float, servers: float) -> float:
    """Ln of the share of arrivals that wait in M/M/c; servers need not be whole.

    C = B / (1 − ρ(1 − B)) with B of Erlang (1917), by its incomplete gamma function:
    B = A^c e^(−A) / (Γ(c + 1) Q(c + 1, A)). In logarithms no number of servers overflows.
    """
    load = min(max(load_erlangs, 1e-300), servers * (1 - 1e-12))
    tail = max(float(gammaincc(servers + 1, load)), 1e-300)
    ln_blocked = servers * log(load) - load - lgamma(servers + 1) - log(tail)
    free = 1 + load / servers * expm1(ln_blocked)
    return min(max(ln_blocked - log(free), IDLE), 0.0)


def delay_probability(load_erlangs: float, servers: float) -> float:
    """Share of arrivals that wait in M/M/c: 0 without load, 1 with as much load as servers."""
    if load_erlangs <= 0:
        return 0.0
    if load_erlangs >= servers:
        return 1.0
    return exp(ln_delay_probability(load_erlangs, servers))
