"""Names that a resource may hold are those that decisions implement."""

from tandem.api.policy_names import BOTTLENECKS, QUEUE_ORDERS
from tandem.planner.model import Bottleneck
from tandem.routing.orders import ORDERS


def test_every_queue_order_can_be_asked_for_and_is_done() -> None:
    assert set(QUEUE_ORDERS) | {"class"} == ORDERS.keys(), "no resource names classes yet"


def test_every_bottleneck_can_be_reported() -> None:
    assert set(BOTTLENECKS) == set(Bottleneck)
