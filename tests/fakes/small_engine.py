"""A program that stands for an engine: it answers /health, takes its time to end, or dies.

Run as `python small_engine.py PORT [--die-after S] [--ready-after S] [--drain S]`.
"""

import argparse
import http.server
import signal
import sys
import threading
import time


class _Health(http.server.BaseHTTPRequestHandler):
    ready_at_s = 0.0

    def do_GET(self) -> None:  # the name http.server asks for
        self.send_response(200 if time.monotonic() >= self.ready_at_s else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--die-after", type=float)
    parser.add_argument("--ready-after", type=float, default=0.0)
    parser.add_argument("--drain", type=float, default=0.0)
    flags = parser.parse_args()
    _Health.ready_at_s = time.monotonic() + flags.ready_after
    server = http.server.ThreadingHTTPServer(("127.0.0.1", flags.port), _Health)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    if not ended.wait(flags.die_after):
        print("out of memory", flush=True)  # noqa: T201 - the log is what is read
        sys.exit(3)
    time.sleep(flags.drain)


if __name__ == "__main__":
    main()
