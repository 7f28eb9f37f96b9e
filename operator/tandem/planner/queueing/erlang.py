"""Erlang C: the probability that all servers are busy."""


def delay_probability(load_erlangs: float, servers: int) -> float:
    """Share of arrivals that wait in M/M/c, from Erlang's recurrence on the inverse of B.

    1/B(k) = 1 + (k/A)·1/B(k−1) and C = B / (1 − ρ(1 − B)) (A. K. Erlang, 1917). The inverse grows
    where B would vanish, so no factorial overflows at any number of servers.
    """
    if load_erlangs <= 0:
        return 0.0
    if load_erlangs >= servers:
        return 1.0
    inverse = 1.0
    for k in range(1, servers + 1):
        inverse = 1.0 + inverse * k / load_erlangs
    blocked = 1.0 / inverse
    return blocked / (1.0 - load_erlangs / servers * (1.0 - blocked))
