# SPDX-License-Identifier: Apache-2.0
"""A source that costs as little as can be: answers query_range for a made-up cloud from memory.

Every scope has ``--resources`` series of each of ``--metrics`` metrics. Values are constant per
series but differ between series. It parses the selector's scope ids and the time range, nothing
else, and counts requests and connections: GET /stats.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

LOCK = threading.Lock()
STATS = {"requests": 0, "connections": 0, "first": 0.0, "last": 0.0, "bytes": 0}
SELECTOR = re.compile(r'(bench_\d+)\{project_id=~?"([^"]*)"\}')


@functools.lru_cache(maxsize=4096)
def values(start: int, end: int, step: int, value: str) -> str:
    return ",".join(f'[{t},"{value}"]' for t in range(start, end + 1, step))


@functools.lru_cache(maxsize=100_000)
def series(metric: str, scope: str, resource: int) -> tuple[str, str]:
    labels = {
        "id": f"{metric}-{scope}-{resource}",
        "project_id": scope,
        "user_id": f"user-{scope}",
        "flavor": ("m1.tiny", "m1.small", "m1.large", "m1.xlarge")[resource % 4],
    }
    number = int(metric.rpartition("_")[2])
    value = str(resource + 1) if number % 2 else f"{number}.{resource:02}5"
    return '{"metric":' + json.dumps(labels, separators=(",", ":")) + ',"values":[', value


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    resources = 10

    def setup(self) -> None:
        super().setup()
        with LOCK:
            STATS["connections"] += 1

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def reply(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path.startswith("/stats"):
            self.reply(json.dumps(STATS).encode())
        else:
            self.answer(self.path.partition("?")[2])

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def answer(self, form: str) -> None:
        asked = parse_qs(form)
        found = SELECTOR.search(asked["query"][0])
        metric, scopes = found[1], found[2].replace("\\", "").split("|")
        ranged = "start" in asked
        start, end, step = (
            (
                moment(asked["start"][0]),
                moment(asked["end"][0]),
                int(float(asked["step"][0].rstrip("s"))),
            )
            if ranged
            else (moment(asked["time"][0]),) * 2 + (1,)
        )
        out = []
        for scope in scopes:
            for resource in range(self.resources):
                head, value = series(metric, scope, resource)
                if ranged:
                    out.append(f"{head}{values(start, end, step, value)}]}}")
                else:
                    out.append(head.replace('"values":[', '"value":') + f'[{end},"{value}"]}}')
        kind = "matrix" if ranged else "vector"
        body = (
            '{"status":"success","data":{"resultType":"'
            + kind
            + '","result":['
            + ",".join(out)
            + "]}}"
        ).encode()
        with LOCK:
            STATS["requests"] += 1
            STATS["bytes"] += len(body)
            STATS["first"] = STATS["first"] or time.time()
            STATS["last"] = time.time()
        self.reply(body)


def moment(text: str) -> int:
    try:
        return int(float(text))
    except ValueError:
        import datetime as dt

        return int(dt.datetime.fromisoformat(text).timestamp())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--resources", type=int, default=10)
    options = parser.parse_args()
    Handler.resources = options.resources
    ThreadingHTTPServer(("127.0.0.1", options.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
