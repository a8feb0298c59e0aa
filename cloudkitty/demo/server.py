# SPDX-License-Identifier: Apache-2.0
"""The demo cloud over HTTP, as Prometheus' query API: ``/api/v1/query`` and ``query_range``."""

from __future__ import annotations

import datetime as dt
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import orjson

from cloudkitty.demo.cloud import DAY, Cloud
from cloudkitty.demo.evaluate import Column, Labels, evaluate
from cloudkitty.demo.promql import Node, QueryError, duration, parse
from cloudkitty.demo.series import TimeSeries

LOG = logging.getLogger(__name__)

#: Like Prometheus: more points in one series are refused.
MOST_POINTS: Final = 11_000
LARGEST_BODY: Final = 16 * 1024 * 1024


class BadDataError(Exception):
    """A parameter is wrong; the text names it."""


class DemoServer(ThreadingHTTPServer):
    """Serves one cloud; `clock` says what time it is."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        cloud: Cloud,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(address, Handler)
        self.cloud = cloud
        self.clock = clock
        self._lock = threading.Lock()
        self._day = -1
        self._series: dict[str, list[TimeSeries]] = {}

    def series(self, now: float) -> dict[str, list[TimeSeries]]:
        """Give all series, complete up to `now`; made anew once a day."""
        day = int(now) // DAY
        with self._lock:
            if day != self._day:
                self._series = self.cloud.series(int(now))
                self._day = day
            return self._series

    def query(self, parameters: dict[str, str]) -> dict[str, Any]:
        """Answer an instant query; raises BadDataError."""
        now = self.clock()
        node = _parse(parameters)
        at = _instant(parameters, "time", now)
        found = evaluate(node, [at], self.series(now), int(now))
        return {
            "resultType": "vector",
            "result": [
                {"metric": labels, "value": [at, number(column[0])]}
                for labels, column in found
                if column[0] is not None
            ],
        }

    def query_range(self, parameters: dict[str, str]) -> dict[str, Any]:
        """Answer a range query; raises BadDataError."""
        now = self.clock()
        start, end = _instant(parameters, "start"), _instant(parameters, "end")
        if end < start:
            raise BadDataError(
                'invalid parameter "end": end timestamp must not be before start time'
            )
        step = _step(parameters)
        if (end - start) / step > MOST_POINTS:
            raise BadDataError(
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the "
                "query resolution (?step=XX)"
            )
        node = _parse(parameters)
        instants = [start + index * step for index in range(int((end - start) / step) + 1)]
        found = evaluate(node, instants, self.series(now), int(now))
        return {"resultType": "matrix", "result": _matrix(instants, found)}


def _matrix(instants: Sequence[float], found: list[tuple[Labels, Column]]) -> list[dict[str, Any]]:
    result = []
    for labels, column in found:
        values = [
            [at, number(value)]
            for at, value in zip(instants, column, strict=True)
            if value is not None
        ]
        if values:
            result.append({"metric": labels, "values": values})
    return result


def number(value: float | None) -> str:
    """Give a sample as Prometheus writes it: shortest digits, no exponent."""
    if value is None or math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")


def _parse(parameters: dict[str, str]) -> Node:
    try:
        return parse(parameters.get("query", ""))
    except QueryError as error:
        raise BadDataError(f'invalid parameter "query": {error}') from error


def _instant(parameters: dict[str, str], name: str, default: float | None = None) -> float:
    text = parameters.get(name, "")
    if not text and default is not None:
        return math.floor(default * 1000) / 1000
    try:
        at = float(text)
    except ValueError:
        at = math.nan
    if not math.isfinite(at):
        try:
            moment = dt.datetime.fromisoformat(text)
            at = moment.timestamp() if moment.tzinfo else math.nan
        except ValueError:
            at = math.nan
    if not math.isfinite(at):
        raise BadDataError(
            f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp'
        )
    return int(at) if at.is_integer() else at


def _step(parameters: dict[str, str]) -> float:
    try:
        step = duration(parameters.get("step", ""))
    except QueryError as error:
        raise BadDataError(f'invalid parameter "step": {error}') from error
    if not step > 0 or not math.isfinite(step):
        raise BadDataError(
            'invalid parameter "step": zero or negative query resolution step widths are not '
            "accepted. Try a positive integer"
        )
    return int(step) if float(step).is_integer() else step


class Handler(BaseHTTPRequestHandler):
    """One connection; it stays open between requests."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 300
    server: DemoServer

    def do_GET(self) -> None:
        """Answer a query in the URL."""
        self._serve(urlsplit(self.path).query)

    def do_POST(self) -> None:
        """Answer a query in a form; parameters of the URL count as well."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > LARGEST_BODY:
            self.close_connection = True
            self._fail(HTTPStatus.BAD_REQUEST, "bad_data", "a body with Content-Length is needed")
            return
        body = self.rfile.read(int(length)).decode("utf-8", "replace")
        query = urlsplit(self.path).query
        self._serve(f"{body}&{query}" if query else body)

    def _serve(self, query: str) -> None:
        answers = {
            "/api/v1/query": self.server.query,
            "/api/v1/query_range": self.server.query_range,
        }
        path = urlsplit(self.path).path
        if path in {"/-/ready", "/-/healthy"}:
            self._send(HTTPStatus.OK, b"Demo source is ready.\n", "text/plain; charset=utf-8")
            return
        answer = answers.get(path)
        if answer is None:
            self._send(HTTPStatus.NOT_FOUND, b"404 page not found\n", "text/plain; charset=utf-8")
            return
        form = parse_qs(query, keep_blank_values=True)
        try:
            data = answer({name: values[0] for name, values in form.items()})
        except BadDataError as error:
            self._fail(HTTPStatus.BAD_REQUEST, "bad_data", str(error))
            return
        self._send(HTTPStatus.OK, orjson.dumps({"status": "success", "data": data}))

    def _fail(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = {"status": "error", "errorType": kind, "error": text}
        self._send(status, orjson.dumps(body))

    def _send(self, status: HTTPStatus, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Log a request the way the rest of the program logs."""
        LOG.info("%s %s", self.address_string(), format % args)
