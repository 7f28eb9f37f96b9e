"""Names that a resource may choose from, and that decisions implement under the same names."""

POLICY_NAMES = ("tandem", "static", "hpa")  # keys of planner.policies
QUEUE_ORDERS = ("feasible-first", "fcfs", "edf")  # keys of routing.orders.ORDERS
BOTTLENECKS = ("prefillCompute", "kvTransfer", "decodeCompute", "decodeKV", "none")
