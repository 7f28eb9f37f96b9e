"""One process that exports what the gateways and engines of many fleets would, by a script.

Its series carry the target labels themselves: who scrapes it must honour them.
"""

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tandem.cluster import series
from tandem.cluster.local.addresses import LOOPBACK
from tandem.planner.lengths import representative

SCRAPE_S = 2


@dataclass(frozen=True, kw_only=True)
class Load:
    """Steady requests of one size, all of which meet both targets."""

    rate_rps: float
    input_tokens: int
    output_tokens: int

    def lines(self, labels: str, for_s: float) -> Iterator[str]:
        """What a gateway has counted after that time."""
        requests = int(self.rate_rps * for_s)
        lengths = {
            "input": representative(self.input_tokens),
            "cached": 0,
            "output": representative(self.output_tokens),
        }
        sizes = [f'{name}="{tokens}"' for name, tokens in lengths.items()]
        yield f"{series.ARRIVALS}{{{labels}}} {requests}"
        yield f"{series.LENGTHS}{{{labels},{','.join(sizes)}}} {requests}"
        yield f"{series.PROMPTS}{{{labels},{','.join(sizes[:2])}}} {requests}"
        yield f'{series.SLO}{{{labels},ttft="met",tpot="met"}} {requests}'
        for gauge, value in ((series.DISPERSION, 1), (series.QUEUED_REQUESTS, 0)):
            yield f"{gauge}{{{labels}}} {value}"
        yield f"{series.QUEUED_TOKENS}{{{labels}}} 0"


@dataclass
class Script:
    """The loads of fleets by name, and the engine pods they have now by (fleet, pod)."""

    namespace: str
    loads: Mapping[str, Load]
    engines: Iterable[tuple[str, str]] = ()
    port: int = 0
    _began_s: float = field(default_factory=time.monotonic)

    def text(self) -> str:
        """The page of all fleets."""
        for_s = time.monotonic() - self._began_s
        lines = [
            line
            for fleet, load in self.loads.items()
            for line in load.lines(self._labels(fleet, f"{fleet}-gateway-0", "gateway"), for_s)
        ]
        names = series.ENGINE_SERIES["emulator"]
        for fleet, pod in self.engines:
            labels = self._labels(fleet, pod, "engine")
            lines += [f"{names.running}{{{labels}}} 1", f"{names.kv_usage}{{{labels}}} 0.1"]
        return "\n".join((*lines, ""))

    def configuration(self) -> str:
        """A Prometheus that scrapes it; YAML may be JSON."""
        job = {
            "job_name": "scripted",
            "honor_labels": True,
            "static_configs": [{"targets": [f"{LOOPBACK}:{self.port}"]}],
        }
        scraped = {"scrape_interval": f"{SCRAPE_S}s", "scrape_timeout": f"{SCRAPE_S}s"}
        return json.dumps({"global": scraped, "scrape_configs": [job]})

    def _labels(self, fleet: str, pod: str, component: str) -> str:
        own = {
            "namespace": self.namespace,
            "pod": pod,
            "tandem_dev_fleet": fleet,
            "app_kubernetes_io_component": component,
        }
        return ",".join(f'{name}="{value}"' for name, value in own.items())


@contextmanager
def exported(script: Script) -> Iterator[Script]:
    """Serve a script on loopback; its port is filled in."""

    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = script.text().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Page)
    script.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
