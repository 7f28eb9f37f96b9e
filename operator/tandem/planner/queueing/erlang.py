"""Erlang C: the probability that all servers are busy."""

import numpy as np
from scipy.special import gammaincc, gammaln

from tandem.planner.demand import Floats

IDLE = -745.0  # ln of the least probability that a float holds


def ln_delay_probability(load_erlangs: Floats, servers: Floats) -> Floats:
    """Ln of the share of arrivals that wait in M/M/c, element by element; servers need not be whole.

    C = B / (1 − ρ(1 − B)) with B of Erlang (1917), by its incomplete gamma function:
    B = A^c e^(−A) / (Γ(c + 1) Q(c + 1, A)). In logarithms no number of servers overflows.
    """
    load = np.minimum(np.maximum(load_erlangs, 1e-300), servers * (1 - 1e-12))
    tail = np.maximum(gammaincc(servers + 1, load), 1e-300)
    ln_blocked = servers * np.log(load) - load - gammaln(servers + 1) - np.log(tail)
    free = 1 - load / servers * -np.expm1(ln_blocked)
    ln_delayed: Floats = np.minimum(np.maximum(ln_blocked - np.log(free), IDLE), 0.0)
    return ln_delayed


def delay_probability(load_erlangs: float, servers: float) -> float:
    """Share of arrivals that wait in M/M/c: 0 without load, 1 with as much load as servers."""
    if load_erlangs <= 0:
        return 0.0
    if load_erlangs >= servers:
        return 1.0
    return float(np.exp(ln_delay_probability(np.array(load_erlangs), np.array(servers))))
