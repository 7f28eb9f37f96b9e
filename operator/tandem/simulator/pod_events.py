"""What an engine pod tells whoever sent it requests."""


class PodEvents:
    """What a pod tells about requests, by key, at the moment it happens or when it next looks."""

    def prefilled(self, key: str) -> None:
        """A prefill leg ended; its KV is pinned."""
        raise NotImplementedError

    def pulling(self, key: str) -> None:
        """The pull of a request's KV begins: its blocks are taken."""
        raise NotImplementedError

    def pulled(self, key: str) -> None:
        """A request's KV is here."""
        raise NotImplementedError

    def emitted(self, key: str, at_s: float) -> None:
        """A request emitted a token that does not follow its last one by one iteration."""
        raise NotImplementedError

    def paused(self, key: str, at_s: float) -> None:
        """A request is preempted, or moves away; its last token came then."""
        raise NotImplementedError

    def beat(self, first_s: float, slope_s: float, iterations: int, sequences: int) -> None:
        """So many requests emitted a token in each iteration; i, from 0, took first + i slope."""
        raise NotImplementedError

    def finished(self, key: str) -> None:
        """A request emitted its last token."""
        raise NotImplementedError
