# SPDX-License-Identifier: Apache-2.0
"""A real HTTP server on loopback that answers as the test says, faults included."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """What came in; `fields` are those of the query string and of the form in `body`."""

    method: str
    path: str
    fields: Mapping[str, str]
    headers: Mapping[str, str]
    target: str = ""
    body: bytes = b""


@dataclass
class Reply:
    """What goes out. `declared`: a false Content-Length; `pause`: seconds before each piece."""

    status: int = 200
    body: bytes | str | object = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    declared: int | None = None
    pause: float = 0
    pieces: int = 1
    hang_up: bool = False


@dataclass
class Server:
    """The running server: its `url`, the `requests` so far, the `answer` to the next ones."""

    url: str
    answer: Callable[[Request], Reply]
    requests: list[Request] = field(default_factory=list)
    connections: int = 0


def vector(*series: tuple[Mapping[str, str], str], **extra: Any) -> Reply:
    """Give an instant answer of Prometheus."""
    result = [{"metric": labels, "value": [0, text]} for labels, text in series]
    data = {"resultType": "vector", "result": result}
    return Reply(body={"status": "success", "data": data, **extra})


def matrix(*series: tuple[Mapping[str, str], list[tuple[float, str]]], **extra: Any) -> Reply:
    """Give a range answer of Prometheus."""
    result = [{"metric": labels, "values": values} for labels, values in series]
    data = {"resultType": "matrix", "result": result}
    return Reply(body={"status": "success", "data": data, **extra})


def error(kind: str, text: str, status: int = 400) -> Reply:
    """Give an error of Prometheus."""
    return Reply(status, {"status": "error", "errorType": kind, "error": text})


@contextlib.contextmanager
def serving(
    answer: Callable[[Request], Reply], port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[Server]:
    """Run the server until the end of the block, on a free port unless `port` is given."""
    state = Server("", answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            state.connections += 1

        def do_GET(self) -> None:
            self._serve()

        def do_PUT(self) -> None:
            self._serve()

        def do_DELETE(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            form = self.rfile.read(int(self.headers.get("content-length", 0)))
            fields = dict(parse_qsl(parts.query) + parse_qsl(form.decode()))
            request = Request(self.command, parts.path, fields, dict(self.headers), self.path, form)
            state.requests.append(request)
            reply = state.answer(request)
            body, kind = reply.body, "text/plain"
            if isinstance(body, str):
                body = body.encode()
            elif not isinstance(body, bytes):
                body, kind = json.dumps(body).encode(), "application/json"
            if reply.hang_up:
                self.close_connection = True
                return
            self.send_response(reply.status)
            headers = {"content-type": kind, **reply.headers}
            headers["content-length"] = str(len(body) if reply.declared is None else reply.declared)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            size = max(1, -(-len(body) // reply.pieces))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for start in range(0, max(len(body), 1), size):
                    time.sleep(reply.pause)
                    self.wfile.write(body[start : start + size])
                    self.wfile.flush()
            if reply.declared is not None:
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            """Tests are silent."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    httpd = Quiet(("127.0.0.1", port), Handler)
    if tls is not None:
        httpd.socket = tls.wrap_socket(httpd.socket, server_side=True)
    state.url = f"http{'s' if tls else ''}://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
