"""Names that a resource may choose from, and that decisions implement under the same names."""

# Keys of planner.policies. A resource takes rules whose authors' code or paper was read; of the others only
# what third parties tell is known, so they are for comparisons.
POLICY_NAMES = (
    "tandem",
    "static",
    "hpa",
    "kpa",
    "dynamo-sla",
    "dynamo-load",
    "distserve",
    "aibrix-apa",
    "llm-d-saturation",
    "llm-d-tokens",
    "dopd-code",
    "epd",
    "mooncake",
    "splitwise",
    "blitzscale",
    "elasticmm",
    "sageserve",
)
COMPARED_POLICY_NAMES = (
    *POLICY_NAMES,
    "tokenscale",
    "heteroscale",
    "li-mm1",
    "chiron",
    "arrow",
    "dopd",
    "pd-serve",
)
QUEUE_ORDERS = ("feasible-first", "fcfs", "edf")  # keys of routing.orders.ORDERS
BOTTLENECKS = ("prefillCompute", "kvTransfer", "decodeCompute", "decodeKV", "none")
