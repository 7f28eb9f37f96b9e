"""What a tick's figures cost the operator: direct scrapes against one answer of Prometheus.

Run `python benchmarks/cluster/reading.py [--fleets 100] [--pods 8] [--cells 120]`; it prints one JSON
object: milliseconds of CPU to turn bytes into figures, a tick of one fleet and of all of them. Only our
own side is timed, not the network, the engines' or Prometheus' work; an idle machine gives figures
that repeat. `shared` is the one answer of all fleets read into rows, which the fleets that tick within
its second share; `parse` is what each of them adds.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator

from tandem.api.role import Role
from tandem.cluster import series
from tandem.cluster.exposition import samples
from tandem.cluster.growth import GATEWAY, Look
from tandem.cluster.meter import Meter
from tandem.cluster.pod import Pod, PodPhase
from tandem.cluster.promql import Answer

NOW_S = 1_800_000_000.0
TURNS = 5
OTHER_LINES = 700  # of an engine's page, which nobody reads
CAPS = dict.fromkeys(Role, 256)

Series = tuple[str, dict[str, str], float]


def gateway(cells: int, pods: int, turn: int) -> Iterator[Series]:
    """What a gateway of so many lengths and pods exports of what is read."""
    for name in (series.ARRIVALS, series.QUEUED_REQUESTS, series.QUEUED_TOKENS, series.DISPERSION):
        yield name, {}, 100.0 + turn
    for ttft in ("met", "missed"):
        for tpot in ("met", "missed"):
            yield series.SLO, {"ttft": ttft, "tpot": tpot}, 100.0 + turn
    for cell in range(cells):
        lengths = {"input": str(100 + cell), "cached": "0", "output": str(50 + cell % 7)}
        yield series.LENGTHS, lengths, 10.0 + turn
        prompt = {"input": lengths["input"], "cached": "0"}
        yield series.PROMPTS, prompt, 10.0 + turn
    for pod in range(pods):
        yield series.IN_FLIGHT, {"role": "decode", series.TARGET_POD: f"pod-{pod}"}, 5.0
        yield series.PREFILL_BUSY, {series.TARGET_POD: f"pod-{pod}"}, 5.0 + turn


def engine() -> Iterator[Series]:
    """What is read of an engine."""
    for name in (series.VLLM.running, series.VLLM.kv_usage):
        yield name, {"engine": "0", "model_name": "m"}, 0.5


def page(rows: Iterator[Series], others: int) -> str:
    """A /metrics page."""
    lines = [f'vllm:other_{i}{{engine="0",model_name="m",le="0.5"}} {i}' for i in range(others)]
    for name, labels, value in rows:
        inner = ",".join(f'{key}="{word}"' for key, word in labels.items())
        lines.append(f"{name}{{{inner}}} {value}")
    return "\n".join(lines)


def answer(fleets: int, pods: int, cells: int, turn: int) -> bytes:
    """Prometheus' answer for all fleets."""
    result = []
    for fleet in range(fleets):
        target = {"namespace": "team", "tandem_dev_fleet": f"fleet-{fleet}"}
        told = {"gateway": gateway(cells, pods, turn)}
        told |= {f"pod-{pod}": engine() for pod in range(pods)}
        for pod, rows in told.items():
            for name, labels, value in rows:
                kept = {key: word for key, word in labels.items() if key != "model_name"}
                metric = {"__name__": name, **target, "pod": pod, **kept}
                result.append({"metric": metric, "value": [NOW_S, str(value)]})
            times = {**target, "pod": pod, "of": "sampled"}
            result.append({"metric": times, "value": [NOW_S, str(NOW_S - 9 + turn)]})
    return json.dumps({"status": "success", "data": {"result": result}}).encode()


def pods_of(count: int) -> list[Pod]:
    """Half prefill, half decode."""
    roles = tuple(Role)
    return [
        Pod(name=f"pod-{i}", role=roles[i % 2], phase=PodPhase.READY, url="") for i in range(count)
    ]


def direct_ms(pods: int, cells: int) -> float:
    """One fleet's tick by direct scrapes."""
    meter, names, listed = (
        Meter(CAPS, "vllm"),
        (series.VLLM.running, series.VLLM.kv_usage),
        pods_of(pods),
    )
    front = [page(gateway(cells, pods, turn), 100) for turn in range(TURNS)]
    behind = page(engine(), OTHER_LINES)

    def tick(turn: int) -> None:
        looks = {pod.name: Look(samples(behind, names), turn) for pod in listed}
        meter.read({"gateway": Look(samples(front[turn], GATEWAY), turn)}, looks, listed)

    return least_ms(tick)


def prometheus_ms(fleets: int, pods: int, cells: int) -> tuple[float, float]:
    """An answer read into rows, and one fleet's tick on it."""
    texts = [answer(fleets, pods, cells, turn) for turn in range(TURNS)]
    shared_ms = least_ms(lambda turn: Answer(json.loads(texts[turn])["data"]["result"]))
    read = [Answer(json.loads(text)["data"]["result"]) for text in texts]
    meter, listed = Meter(CAPS, "vllm"), pods_of(pods)

    def tick(turn: int) -> None:
        told = read[turn].of("team", "fleet-0", 0.0)
        looks = told.looks
        meter.read({"gateway": looks["gateway"]}, dict(looks), listed)

    return shared_ms, least_ms(tick)


def least_ms(tick: Callable[[int], object]) -> float:
    """CPU of the cheapest of some turns."""
    spent = []
    for turn in range(TURNS):
        began_s = time.process_time()
        tick(turn)
        spent.append(time.process_time() - began_s)
    return round(1000 * min(spent), 2)


def main() -> None:
    """Print what both cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    for flag, default in (("fleets", 100), ("pods", 8), ("cells", 120)):
        parser.add_argument(f"--{flag}", type=int, default=default)
    asked = parser.parse_args()
    direct = direct_ms(asked.pods, asked.cells)
    shared, parse = prometheus_ms(asked.fleets, asked.pods, asked.cells)
    print(
        json.dumps(
            {
                "direct": {"fleet_ms": direct, "all_ms": round(direct * asked.fleets, 1)},
                "prometheus": {
                    "shared_ms": shared,
                    "fleet_ms": parse,
                    "all_ms": round(shared + parse * asked.fleets, 1),
                    "answer_mb": round(
                        len(answer(asked.fleets, asked.pods, asked.cells, 0)) / 1e6, 1
                    ),
                },
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
