"""Times of a real GPU: prefill of prompts and decode steps of a model of Llama-3.1-8B's shape, with random weights.

    python benchmarks/perf/gpu_times.py benchmarks/perf/h200_torch.csv     # needs PyTorch and a GPU of 80 GB

Kernels are PyTorch's own (cuBLAS and flash attention, BF16); steps are captured as CUDA graphs, as vLLM's are.
Sequences of a batch have the same context. Rotary embedding and what a server adds, scheduling and sampling, are not in it.
"""

import csv
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch  # type: ignore[import-not-found]
from torch.nn import functional  # type: ignore[import-not-found]
from torch.nn.attention import SDPBackend, sdpa_kernel  # type: ignore[import-not-found]
from torch.nn.attention.bias import causal_lower_right  # type: ignore[import-not-found]

LAYERS, HIDDEN, HEADS, KV_HEADS, HEAD, MIDDLE, VOCABULARY = 32, 4096, 32, 8, 128, 14336, 128256
MOST_KV_TOKENS = 380_000  # beside the weights, of 128 KiB each
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 192, 256)
CONTEXTS = (128, 512, 1024, 2048, 4096, 8192, 16384, 32768)
PROMPTS = (128, 256, 512, 1024, 2048, 4096, 8192)
CACHED = (0, 1024, 4096, 16384)
REPEATS = 20
Tensor = Any  # torch.Tensor: PyTorch is not among what the project installs


class Layer:
    """Weights of one layer, and what it does to rows of tokens."""

    def __init__(self, generator: torch.Generator) -> None:
        def weight(rows: int, columns: int) -> Tensor:
            made = torch.empty(rows, columns, device="cuda", dtype=torch.bfloat16)
            return made.normal_(std=0.02, generator=generator)

        self.qkv = weight((HEADS + 2 * KV_HEADS) * HEAD, HIDDEN)
        self.out = weight(HIDDEN, HEADS * HEAD)
        self.gate_up, self.down = weight(2 * MIDDLE, HIDDEN), weight(HIDDEN, MIDDLE)
        self.norm = torch.ones(HIDDEN, device="cuda", dtype=torch.bfloat16)

    def __call__(self, rows: Tensor, sequences: int, keys: Tensor, values: Tensor) -> Tensor:
        """Rows of (sequences x new) tokens; keys and values (sequences, KV_HEADS, context, HEAD) end with theirs."""
        new = len(rows) // sequences
        q, k, v = functional.linear(
            functional.rms_norm(rows, (HIDDEN,), self.norm), self.qkv
        ).split([HEADS * HEAD, KV_HEADS * HEAD, KV_HEADS * HEAD], dim=-1)
        q, k, v = (each.view(sequences, new, -1, HEAD).transpose(1, 2) for each in (q, k, v))
        keys[:, :, -new:].copy_(k)
        values[:, :, -new:].copy_(v)
        mask = causal_lower_right(new, keys.shape[2]) if new > 1 else None
        seen = functional.scaled_dot_product_attention(
            q, keys, values, attn_mask=mask, enable_gqa=True
        )
        rows = rows + functional.linear(seen.transpose(1, 2).reshape(len(rows), -1), self.out)
        gate, up = functional.linear(
            functional.rms_norm(rows, (HIDDEN,), self.norm), self.gate_up
        ).chunk(2, dim=-1)
        return rows + functional.linear(functional.silu(gate) * up, self.down)


class Model:
    """All layers, their KV, and the head that reads each sequence's last token."""

    def __init__(self) -> None:
        generator = torch.Generator(device="cuda").manual_seed(1)
        self.layers = [Layer(generator) for _ in range(LAYERS)]
        shape = (LAYERS, 2, MOST_KV_TOKENS * KV_HEADS * HEAD)
        self.kv = torch.empty(shape, device="cuda", dtype=torch.bfloat16)
        self.kv.normal_(generator=generator)
        self.head = torch.empty(VOCABULARY, HIDDEN, device="cuda", dtype=torch.bfloat16)
        self.head.normal_(std=0.02, generator=generator)

    def step_s(self, sequences: int, new: int, context: int) -> float:
        """Seconds of one step of so many new tokens a sequence, whose contexts are so long with them."""
        rows = torch.randn(sequences * new, HIDDEN, device="cuda", dtype=torch.bfloat16)
        size = sequences * KV_HEADS * context * HEAD
        kv = self.kv[:, :, :size].view(LAYERS, 2, sequences, KV_HEADS, context, HEAD)

        def step() -> Tensor:
            found = rows
            for layer, (keys, values) in zip(self.layers, kv, strict=True):
                found = layer(found, sequences, keys, values)
            return functional.linear(found.view(sequences, new, HIDDEN)[:, -1], self.head)

        return _median_s(_captured(step))


def _captured(step: Callable[[], Tensor]) -> Callable[[], None]:
    """The step as a graph, after two runs that let libraries choose their kernels."""
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        step()
        step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    replay: Callable[[], None] = graph.replay
    return replay


def _median_s(run: Callable[[], None]) -> float:
    run()
    pairs = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(REPEATS)]
    for begin, end in pairs:
        begin.record()
        run()
        end.record()
    torch.cuda.synchronize()
    times_ms: list[float] = sorted(begin.elapsed_time(end) for begin, end in pairs)
    return times_ms[REPEATS // 2] / 1e3


def measured(model: Model) -> Iterator[tuple[str, int, int, int, float]]:
    """Rows (phase, sequences, new tokens, context tokens, seconds) of each sequence."""
    for new in PROMPTS:
        for cached in CACHED:
            yield "prefill", 1, new, new + cached, model.step_s(1, new, new + cached)
    for sequences in BATCHES:
        for context in CONTEXTS:
            if sequences * context <= MOST_KV_TOKENS:
                yield "decode", sequences, 1, context, model.step_s(sequences, 1, context)


def main() -> None:
    """Write all rows."""
    with torch.inference_mode(), sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        rows = measured(Model())
        with Path(sys.argv[1]).open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("phase", "sequences", "new", "context", "seconds"))
            for row in rows:
                table.writerow((*row[:4], f"{row[4]:.6f}"))
                print(*row, flush=True)
    print(torch.cuda.get_device_name(), torch.__version__)


if __name__ == "__main__":
    main()
