# SPDX-License-Identifier: Apache-2.0
"""The HTTP client towards sources: whole answers within limits, or one line that says why not."""

from __future__ import annotations

import http.server
import os
import ssl
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudkitty import http as ck_http
from cloudkitty.tests import certificates, webserver
from cloudkitty.tests.webserver import Reply


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudkitty.http._PAUSE", 0.001)


def test_fields_and_headers() -> None:
    with webserver.serving(lambda _r: Reply(200, "ok")) as server:
        client = ck_http.Client(user="u", password="pä")
        assert client.get(f"{server.url}/a", {"q": "ä&b"}).body == b"ok"
        assert client.post(f"{server.url}/a", {"q": "ä&b"}).status == 200
    assert [r.method for r in server.requests] == ["GET", "POST"]
    assert all(r.fields == {"q": "ä&b"} for r in server.requests)
    assert all(r.headers["Authorization"].startswith("Basic ") for r in server.requests)


def test_credentials_do_not_follow_to_another_host() -> None:
    with webserver.serving(lambda _r: Reply(200, "ok")) as other:
        away = Reply(302, headers={"location": f"{other.url}/x"})
        with webserver.serving(lambda _r: away) as server:
            client = ck_http.Client(user="u", password="p")
            assert client.get(f"{server.url}/a", {"q": "1"}).body == b"ok"
    assert "Authorization" in server.requests[0].headers
    assert "Authorization" not in other.requests[0].headers


@pytest.mark.parametrize(
    "location",
    [
        "http://u:hidden@h:99999/x",
        "http://u:hidden@[bad/x",
        "ftp://u:hidden@h/x",
        "http://u:hidden@/x",
        "//u:hidden@127.0.0.1:1/x",
    ],
)
def test_a_redirect_to_nowhere_tells_no_password(location: str) -> None:
    away = Reply(302, headers={"location": location})
    with (
        webserver.serving(lambda _r: away) as server,
        pytest.raises(ck_http.Unreachable) as caught,
    ):
        ck_http.Client(retries=0).get(server.url, {})
    assert "hidden" not in "".join(traceback.format_exception(caught.value))


def test_cookies_are_not_kept() -> None:
    reply = Reply(200, "ok", headers={"set-cookie": "a=b"})
    with webserver.serving(lambda _r: reply) as server:
        client = ck_http.Client()
        client.get(server.url, {})
        client.get(server.url, {})
    assert "Cookie" not in server.requests[1].headers


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_an_overloaded_server_is_asked_again_a_few_times(status: int) -> None:
    with webserver.serving(lambda _r: Reply(status, "busy")) as server:
        assert ck_http.Client(retries=3).get(server.url, {}).status == status
    assert len(server.requests) == 4


def test_an_explained_refusal_is_an_answer() -> None:
    with webserver.serving(lambda _r: webserver.error("timeout", "x", 503)) as server:
        assert ck_http.Client().get(server.url, {}).status == 503
    assert len(server.requests) == 1


def test_retry_after_is_heeded_within_reason() -> None:
    replies = iter([Reply(503, "busy", headers={"retry-after": "1"}), Reply(200, "ok")])
    with webserver.serving(lambda _r: next(replies)) as server:
        start = time.monotonic()
        assert ck_http.Client().get(server.url, {}).body == b"ok"
    assert time.monotonic() - start >= 1


def test_no_repeat_that_would_come_too_late() -> None:
    reply = Reply(503, "busy", headers={"retry-after": "9"})
    with webserver.serving(lambda _r: reply) as server:
        start = time.monotonic()
        assert ck_http.Client().get(server.url, {}, seconds=1).status == 503
        assert time.monotonic() - start < 5


def test_limits() -> None:
    with webserver.serving(lambda _r: Reply(200, b"x" * 3_000_000)) as server:
        client = ck_http.Client(max_bytes=1 << 20)
        with pytest.raises(ck_http.HTTPFailure, match="answer larger than 1 MiB"):
            client.get(server.url, {})
        # The connection of the answer that was not read is not used for the next one.
        server.answer = lambda _r: Reply(200, "ok")
        assert client.get(server.url, {}).body == b"ok"


def test_a_name_that_does_not_resolve() -> None:
    with pytest.raises(ck_http.Unreachable, match=r"http://nowhere\.invalid/x: "):
        ck_http.Client(retries=0).get("http://u:p@nowhere.invalid/x?q=1", {})


def test_the_pool_is_not_shared_with_a_child() -> None:
    with webserver.serving(lambda _r: Reply(200, "ok")) as server:
        client = ck_http.Client()
        client.get(server.url, {})
        child = os.fork()
        if child == 0:
            os._exit(0 if client.get(server.url, {}).body == b"ok" else 1)
        assert os.waitpid(child, 0)[1] == 0
        client.get(server.url, {})
    assert server.connections == 2


def test_many_threads() -> None:
    with webserver.serving(lambda r: Reply(200, r.fields["q"])) as server:
        client = ck_http.Client(pool=4)
        wrong: list[int] = []

        def work(number: int) -> None:
            for _ in range(20):
                body = client.get(server.url, {"q": str(number)}).body
                wrong.extend([number] if body != str(number).encode() else [])

        threads = [threading.Thread(target=work, args=(n,)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        assert server.connections <= 4


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    certificate, key = certificates.make(path.parent, "localhost", "DNS:localhost")
    path.write_text(key.read_text() + certificate.read_text())
    return path


@pytest.fixture
def tls_url(certificate: Path) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *args: object) -> None:
            """Tests are silent."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.handle_error = lambda *_args: None  # type: ignore[method-assign]
    httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"https://localhost:{httpd.server_port}/x"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_tls(tls_url: str, certificate: Path, tmp_path: Path) -> None:
    with pytest.raises(ck_http.Unreachable, match=r"TLS: .*(certificate|CERTIFICATE)"):
        ck_http.Client().get(tls_url, {})
    assert ck_http.Client(insecure=True).get(tls_url, {}).body == b"ok"
    assert (
        ck_http.Client(cafile=str(certificate.with_name("localhost.crt"))).get(tls_url, {}).body
        == b"ok"
    )
    with pytest.raises(ck_http.HTTPFailure, match="nope"):
        ck_http.Client(cafile=str(tmp_path / "nope"), insecure=True).get(tls_url, {})
