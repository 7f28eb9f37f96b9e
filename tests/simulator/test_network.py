"""Transfers share the ports at both of their ends."""

import pytest

from tandem.simulator.clock import Clock
from tandem.simulator.network import Port, Transfer, slow


class Wires:
    """Notes when each transfer is through."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.ends: dict[str, float] = {}
        self.ports = {name: Port() for name in "abxy"}

    def send(self, key: str, at_s: float, alone_s: float, sender: str, receiver: str) -> None:
        self.clock.at(at_s, self._send, key, alone_s, self.ports[sender], self.ports[receiver])

    def _send(self, key: str, alone_s: float, sender: Port, receiver: Port) -> None:
        Transfer(self.clock, key, alone_s, sender=sender, receiver=receiver, through=self._through)

    def _through(self, key: str) -> None:
        self.ends[key] = self.clock.now_s

    def played(self) -> dict[str, float]:
        while self.clock.next_s() < float("inf"):
            self.clock.step()
        return self.ends


@pytest.fixture
def wires() -> Wires:
    return Wires()


def test_alone_it_takes_its_time(wires: Wires) -> None:
    wires.send("1", 1.0, 3.0, "a", "x")
    assert wires.played() == {"1": 4.0}


def test_a_receiver_shares_its_port_among_those_who_send_to_it(wires: Wires) -> None:
    """4 s alone; from 2 s on at half pace, until the other, 1 s alone, ends at 4."""
    wires.send("1", 0.0, 4.0, "a", "x")
    wires.send("2", 2.0, 1.0, "b", "x")
    assert wires.played() == {"2": 4.0, "1": 5.0}


def test_a_sender_shares_its_port_among_its_receivers(wires: Wires) -> None:
    wires.send("1", 0.0, 4.0, "a", "x")
    wires.send("2", 2.0, 1.0, "a", "y")
    assert wires.played() == {"2": 4.0, "1": 5.0}


def test_transfers_with_no_port_in_common_do_not_meet(wires: Wires) -> None:
    wires.send("1", 0.0, 4.0, "a", "x")
    wires.send("2", 0.0, 4.0, "b", "y")
    assert wires.played() == {"1": 4.0, "2": 4.0}


def test_the_narrower_end_sets_the_pace(wires: Wires) -> None:
    """`a` sends three, `y` takes one of them and one of `b`: that one goes at 1/3, `b`'s at 1/2.

    After 3 s the two to `x` are through. What is left of the third, 2 of 3, goes at 1/2 beside `b`'s 1.5 of
    3, which ends at 6; 0.5 are left then and go alone.
    """
    wires.send("1", 0.0, 1.0, "a", "x")
    wires.send("2", 0.0, 1.0, "a", "x")
    wires.send("3", 0.0, 3.0, "a", "y")
    wires.send("4", 0.0, 3.0, "b", "y")
    assert wires.played() == pytest.approx({"1": 3.0, "2": 3.0, "4": 6.0, "3": 6.5})


def test_a_slow_port_slows_what_is_on_its_way_and_recovers(wires: Wires) -> None:
    """1 s done, then a quarter of the pace for 4 s, then the other 2."""
    wires.send("1", 0.0, 4.0, "a", "x")
    wires.clock.at(1.0, slow, wires.ports["a"], 0.25)
    wires.clock.at(5.0, slow, wires.ports["a"], 1.0)
    assert wires.played() == {"1": 7.0}


def test_a_dead_port_holds_everything_until_it_is_back(wires: Wires) -> None:
    wires.send("1", 0.0, 4.0, "a", "x")
    wires.clock.at(1.0, slow, wires.ports["x"], 0.0)
    wires.clock.at(9.0, slow, wires.ports["x"], 1.0)
    assert wires.played() == {"1": 12.0}


def test_one_that_is_cancelled_gives_its_share_back(wires: Wires) -> None:
    """Half of the pace for 2 s, then 3 s alone."""
    sender, receiver = wires.ports["a"], wires.ports["x"]
    first, _ = (
        Transfer(wires.clock, key, 4.0, sender=sender, receiver=receiver, through=wires._through)
        for key in "12"
    )
    wires.clock.at(2.0, first.cancel)
    assert wires.played() == {"2": 5.0}
