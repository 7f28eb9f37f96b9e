"""Words that a command's help lists, without NumPy: a command has to start at once."""

LOADS = ("generated", "poisson", "sine-10528", "bursty", "drift", "multi-turn")  # of `traces.named`
ENDINGS = (".jsonl", ".csv", ".parquet", ".apex.jsonl")  # of the files that `traces.write` writes
FILE_NAMES = f"a name that ends with {', '.join(ENDINGS)}, then .gz to compress it"
