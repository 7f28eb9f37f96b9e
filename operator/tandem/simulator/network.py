"""KV on its way between pods: each pod sends and takes over ports that its transfers share fairly.

A transfer goes at the smaller of its two shares: of the sender's port among what it sends, of the
receiver's among what it takes. (What a transfer cannot use because its other end is the narrow one is
left unused; a max-min fair network would give it to the others.) A port can be slower than it should be.
"""

from collections.abc import Callable

from tandem.simulator.clock import Clock, Timer


class Port:
    """One end of a link, in one direction; `speed` is the share of its bandwidth that is there."""

    def __init__(self) -> None:
        self.speed = 1.0
        self.transfers: list[Transfer] = []


class Transfer(Timer):
    """One request's KV on its way; due when all of it is there, at the pace it has now."""

    def __init__(
        self,
        clock: Clock,
        key: str,
        alone_s: float,
        *,
        sender: Port,
        receiver: Port,
        through: Callable[[str], None],
    ) -> None:
        super().__init__()
        self.key = key
        self._clock = clock
        self._left_s = alone_s  # what is left would take so long over idle links
        self._pace = 0.0
        self._since_s = clock.now_s
        self._sender = sender
        self._receiver = receiver
        self._through = through
        sender.transfers.append(self)
        receiver.transfers.append(self)
        self._let_others_move()
        self.move()

    def fire(self) -> None:
        """It is through."""
        self._leave()
        self._through(self.key)

    def cancel(self) -> None:
        """Nobody waits for it any more."""
        self.ticket = 0
        self._leave()

    def at_least(self, alone_s: float) -> None:
        """So much is left at least: what could not be sent before now."""
        self._settle()
        if self._left_s < alone_s:
            self._left_s = alone_s
            self._go()

    def move(self) -> None:
        """Go on at the pace that its ports give it now."""
        sender, receiver = self._sender, self._receiver
        pace = min(sender.speed / len(sender.transfers), receiver.speed / len(receiver.transfers))
        if pace != self._pace:
            self._settle()
            self._pace = pace
            self._go()

    def _settle(self) -> None:
        now_s = self._clock.now_s
        self._left_s = max(0.0, self._left_s - (now_s - self._since_s) * self._pace)
        self._since_s = now_s

    def _go(self) -> None:
        if self._pace > 0:
            self._clock.set(self._since_s + self._left_s / self._pace, self)
        else:
            self.ticket = 0

    def _leave(self) -> None:
        self._sender.transfers.remove(self)
        self._receiver.transfers.remove(self)
        self._let_others_move()

    def _let_others_move(self) -> None:
        for port in (self._sender, self._receiver):
            for other in port.transfers:
                if other is not self:
                    other.move()


def slow(port: Port, speed: float) -> None:
    """Let a port have a share of its bandwidth from now on."""
    port.speed = speed
    for transfer in port.transfers:
        transfer.move()
