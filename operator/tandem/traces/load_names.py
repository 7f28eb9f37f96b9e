"""Names of the built-in loads (`tandem.traces.named` has the loads), for who only lists them."""

LOADS = ("generated", "poisson", "sine-10528", "bursty", "drift", "multi-turn")
