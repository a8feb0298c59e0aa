# SPDX-License-Identifier: Apache-2.0
"""Sessions with Keystone: which options count, what is told about wrong ones, what is repeated."""

from __future__ import annotations

import inspect
import logging
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1 import exceptions
from keystoneauth1 import session as ks_session
from oslo_config import cfg
from requests.adapters import HTTPAdapter

from cloudkitty import keystone as ck_keystone
from cloudkitty.tests import certificates, keystone, webserver
from cloudkitty.tests.webserver import Reply

GROUP = "collector_aetos"
#: Whether the library knows tls_ciphers and tls_min_version.
NEW = "tls_ciphers" in inspect.signature(ks_session.Session).parameters


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ck_keystone, "_PAUSE", 0.001)


def load(tmp_path: Path, text: str) -> cfg.ConfigOpts:
    """Give a configuration that knows no option yet, from a file."""
    path = tmp_path / "cloudkitty.conf"
    path.write_text(text, encoding="utf-8")
    conf = cfg.ConfigOpts()
    conf(["--config-file", str(path)], project="cloudkitty-test")
    return conf


def section(name: str = GROUP, **options: object) -> str:
    lines = [f"{option} = {value}" for option, value in options.items()]
    return "\n".join([f"[{name}]", *lines, ""])


PASSWORD = {
    "auth_type": "password",
    "auth_url": "http://localhost:5000/v3",
    "username": "u",
    "password": "p",
}


def test_options_of_the_section_itself(tmp_path: Path) -> None:
    conf = load(tmp_path, section(**PASSWORD))
    made = ck_keystone.session(conf, GROUP)
    assert made.auth._username == "u"
    assert made.timeout == 60
    assert made.verify is True
    assert made.cert is None
    assert made.section == GROUP


def test_options_of_another_section_parsed_before_and_after(tmp_path: Path) -> None:
    text = section(auth_section="shared", timeout=5) + section(
        "shared", timeout=7, collect_timing="true", **PASSWORD
    )
    early = load(tmp_path, text)
    for conf in (early, cfg.ConfigOpts()):
        if conf is not early:
            # All is registered, as when modules are imported first, and parsed then.
            for name in (GROUP, "shared"):
                ck_keystone.register(conf, name)
            conf(["--config-file", str(tmp_path / "cloudkitty.conf")], project="x")
        made = ck_keystone.session(conf, GROUP)
        assert made.auth._username == "u"
        assert made.section == "shared"
        # The section's own option wins; what it lacks is taken from the other.
        assert made.timeout == 5
        assert made._collect_timing is True


def test_a_section_that_keystonemiddleware_has_registered(tmp_path: Path) -> None:
    program = f"""
import keystonemiddleware.auth_token
from oslo_config import cfg
from cloudkitty import keystone
cfg.CONF(["--config-file", {str(tmp_path / "cloudkitty.conf")!r}], project="x")
middleware = keystonemiddleware.auth_token.AuthProtocol(None, {{"oslo_config_config": cfg.CONF}})
made = keystone.session(cfg.CONF, "fetcher_keystone")
assert made.auth._username == "u", made.auth
assert made.verify is False
"""
    text = section("fetcher_keystone", auth_section="keystone_authtoken")
    load(tmp_path, text + section("keystone_authtoken", insecure="true", **PASSWORD))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, r"^\[collector_aetos\] auth_type: not set$"),
        (
            {"auth_section": "shared"},
            r"^\[shared\] auth_type: not set \(named by \[collector_aetos\] auth_section\)$",
        ),
        ({"auth_type": "pasword"}, r"^\[collector_aetos\] auth_type: no such plugin: 'pasword'"),
        (
            {"auth_type": "password"},
            r"^\[collector_aetos\] auth_url: required by auth_type = password$",
        ),
        (
            {"auth_type": "v3applicationcredential", "auth_url": "http://k"},
            r"^\[collector_aetos\] auth_type = v3applicationcredential: .*application credential",
        ),
        (
            PASSWORD | {"auth_url": "keystone:5000/v3"},
            r"^\[collector_aetos\] auth_url: not an http\(s\) URL: 'keystone:5000/v3'$",
        ),
        (
            PASSWORD | {"cafile": "/nowhere/ca.pem"},
            r"^\[collector_aetos\] cafile: no such file: /nowhere/ca.pem$",
        ),
        (
            PASSWORD | {"certfile": "/nowhere/c.pem"},
            r"^\[collector_aetos\] certfile: no such file: /nowhere/c.pem$",
        ),
        (
            PASSWORD | {"keyfile": "/dev/null"},
            r"^\[collector_aetos\] keyfile: of no use without certfile, which is not set$",
        ),
        (
            PASSWORD | {"tls_ciphers": "rot13"},
            r"^\[collector_aetos\] tls_ciphers: (OpenSSL refuses it: No cipher|.* is too old)",
        ),
        (PASSWORD | {"tls_min_version": "1.1"}, r"tls-min-version"),
        (PASSWORD | {"timeout": "-1"}, r"timeout"),
    ],
)
def test_what_is_told_about_wrong_options(
    tmp_path: Path, options: dict[str, str], reason: str
) -> None:
    conf = load(tmp_path, section(**options))
    with pytest.raises((cfg.Error, ValueError), match=reason) as caught:
        ck_keystone.session(conf, GROUP)
    assert "\n" not in str(caught.value)


def test_no_limit_of_time(tmp_path: Path) -> None:
    conf = load(tmp_path, section(timeout=0, **PASSWORD))
    assert ck_keystone.session(conf, GROUP).timeout is None


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory with the certificates of a server and of a client."""
    directory = tmp_path_factory.mktemp("pki")
    for name in ("server", "client"):
        certificates.make(directory, name, "IP:127.0.0.1")
    return directory


@pytest.fixture(scope="module")
def tls_server(pki: Path) -> Iterator[webserver.Server]:
    """Run a server that wants a certificate of its clients, and knows TLS 1.2 at most."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "server.crt", pki / "server.key")
    context.load_verify_locations(pki / "client.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with webserver.serving(lambda _request: Reply(200, "ok"), tls=context) as running:
        yield running


@pytest.mark.parametrize(
    ("options", "works"),
    [
        ({"cafile": "server.crt", "certfile": "client.crt", "keyfile": "client.key"}, "works"),
        ({"cafile": "server.crt"}, ""),
        ({"certfile": "client.crt", "keyfile": "client.key"}, ""),
        ({"insecure": "true", "certfile": "client.crt", "keyfile": "client.key"}, "works"),
        # cafile wins over insecure, as everywhere.
        (
            {
                "insecure": "true",
                "cafile": "client.crt",
                "certfile": "client.crt",
                "keyfile": "client.key",
            },
            "",
        ),
        (
            {
                "insecure": "true",
                "certfile": "client.crt",
                "keyfile": "client.key",
                "tls_min_version": "1.2",
                "tls_ciphers": "ECDHE+AESGCM",
            },
            "works",
        ),
        (
            {
                "cafile": "server.crt",
                "certfile": "client.crt",
                "keyfile": "client.key",
                "tls_min_version": "1.3",
            },
            "",
        ),
        (
            {
                "cafile": "server.crt",
                "certfile": "client.crt",
                "keyfile": "client.key",
                "tls_ciphers": "ECDHE+CHACHA20:!AESGCM",
                "tls_min_version": "1.2",
            },
            "works",
        ),
    ],
)
def test_tls(
    tmp_path: Path, pki: Path, tls_server: webserver.Server, options: dict[str, str], works: str
) -> None:
    if "tls_min_version" in options and not NEW:
        pytest.skip("keystoneauth1 is older than 5.18")
    full = {
        name: f"{pki}/{value}" if name in {"cafile", "certfile", "keyfile"} else value
        for name, value in options.items()
    }
    conf = load(tmp_path, section(auth_type="none", **full))
    made = ck_keystone.session(conf, GROUP, retries=0)
    if works:
        assert made.get(f"{tls_server.url}/x").text == "ok"
    else:
        with pytest.raises(ck_keystone.Failure) as caught:
            made.get(f"{tls_server.url}/x")
        assert "\n" not in ck_keystone.explain(caught.value)


@pytest.fixture
def server() -> Iterator[webserver.Server]:
    with webserver.serving(lambda _request: Reply(200, "ok")) as running:
        yield running


@pytest.fixture
def session(tmp_path: Path, server: webserver.Server) -> ck_keystone.Session:
    conf = load(tmp_path, section(auth_type="none", endpoint=server.url, timeout=0.2))
    return ck_keystone.session(conf, GROUP, pool=3)


def test_what_is_repeated(session: ck_keystone.Session, server: webserver.Server) -> None:
    replies = [Reply(503, headers={"retry-after": "0"}), Reply(hang_up=True), Reply(429)]
    server.answer = lambda _request: replies.pop(0) if replies else Reply(200, "ok")
    assert session.post(f"{server.url}/x", json={"a": 1}).text == "ok"
    assert {request.body for request in server.requests} == {b'{"a": 1}'}
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("reply", "expected", "times"),
    [
        (Reply(502, "busy"), exceptions.BadGateway, 4),
        (Reply(hang_up=True), exceptions.ConnectFailure, 4),
        (Reply(500, "oops"), exceptions.InternalServerError, 1),
        (Reply(404, "no"), exceptions.NotFound, 1),
        (Reply(200, "late", pause=0.5), exceptions.ConnectFailure, 1),
    ],
)
def test_what_is_an_error(
    session: ck_keystone.Session,
    server: webserver.Server,
    reply: Reply,
    expected: type[Exception],
    times: int,
) -> None:
    server.answer = lambda _request: reply
    with pytest.raises(expected):
        session.get(f"{server.url}/x")
    assert len(server.requests) == times
    if reply.status >= 400:
        assert session.get(f"{server.url}/x", raise_exc=False).status_code == reply.status
    server.requests.clear()
    with session.brief(), pytest.raises(expected):
        session.get(f"{server.url}/x")
    assert len(server.requests) == 1


def test_the_pool_and_what_a_child_does_with_it(
    session: ck_keystone.Session, server: webserver.Server
) -> None:
    for one in session.adapters.values():
        assert isinstance(one, HTTPAdapter)
        assert (one._pool_maxsize, one._pool_block) == (3, True)
    session.get(f"{server.url}/x")
    session.get(f"{server.url}/x")
    assert server.connections == 1
    child = os.fork()
    if child == 0:  # pragma: no cover - in another process
        good = session.get(f"{server.url}/child").text == "ok"
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    # The child has made a connection of its own; that of the parent is as before.
    assert server.connections == 2
    session.get(f"{server.url}/x")
    assert server.connections == 2


def test_timings_are_logged_and_not_kept(
    tmp_path: Path, server: webserver.Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    conf = load(tmp_path, section(auth_type="none", collect_timing="true"))
    made = ck_keystone.session(conf, GROUP)
    made.get(f"{server.url}/x?secret=1")
    assert f"GET {server.url}/x: 0." in caplog.text
    assert "secret" not in caplog.text
    assert made.get_timings() == []


@pytest.mark.parametrize("name", ["internalURL", "internal", " Internal"])
def test_interfaces(name: str) -> None:
    assert ck_keystone.interface_name(name) == "internal"


@pytest.mark.parametrize("name", ["", "URL", "intern", "internalURLs"])
def test_what_is_no_interface(session: ck_keystone.Session, name: str) -> None:
    with pytest.raises(ValueError, match=r"is no interface of the catalogue: public, internal, a"):
        ck_keystone.adapter(session, service_type="metric", interface=name)


def test_an_adapter(session: ck_keystone.Session, server: webserver.Server) -> None:
    made = ck_keystone.adapter(session, service_type="metric", interface="publicURL")
    assert made.get("/v1/status").text == "ok"
    assert [request.path for request in server.requests] == ["/v1/status"]


@pytest.mark.service
def test_the_catalogue_and_no_secrets_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with keystone.cloud() as cloud:
        urls = {name: f"http://127.0.0.1:1/{name}/" for name in ck_keystone.INTERFACES}
        region = cloud.endpoint("metric", urls)
        user = cloud.user(cloud.project(), ["service"])
        caplog.clear()
        made = ck_keystone.session(load(tmp_path, section(**user.options())), GROUP)

        def endpoint(interface: str, name: str | None = region) -> str:
            return ck_keystone.endpoint(
                made, service_type="metric", interface=interface, region_name=name
            )

        found = [endpoint(f"{name}URL") for name in ck_keystone.INTERFACES]
        assert found == [url.rstrip("/") for url in urls.values()]
        assert endpoint("public", "").startswith("http")
        reason = r"^admin endpoint for metric service in nowhere region not found$"
        with pytest.raises(exceptions.EndpointNotFound, match=reason):
            endpoint("admin", "nowhere")
        token = made.get_token()
        adapter = ck_keystone.adapter(made, service_type="metric", region_name=region)
        with pytest.raises(ck_keystone.Failure) as caught:
            adapter.get("/x")
    assert ck_keystone.explain(caught.value) == (
        "Unable to establish connection to http://127.0.0.1:1/public/x: Connection refused"
    )
    assert "auth/tokens" in caplog.text
    assert user.password not in caplog.text
    assert token not in caplog.text


def test_first_try(session: ck_keystone.Session, caplog: pytest.LogCaptureFixture) -> None:
    def failing(exc: Exception) -> Any:
        def ask() -> None:
            assert session.retries == 0
            raise exc

        return ask

    for harmless in (
        exceptions.ConnectFailure("gone"),
        exceptions.DiscoveryFailure("gone"),
        exceptions.ServiceUnavailable("gone"),
        exceptions.RequestTimeout("gone"),
    ):
        caplog.clear()
        ck_keystone.first_try(session, failing(harmless))
        assert "Keystone cannot be used now" in caplog.text
    for refusal in (exceptions.Unauthorized("no"), exceptions.BadRequest("no")):
        with pytest.raises(cfg.Error, match=r"^\[collector_aetos\]: Keystone at .*refuses: no"):
            ck_keystone.first_try(session, failing(refusal))
    with pytest.raises(exceptions.EndpointNotFound):
        ck_keystone.first_try(session, failing(exceptions.EndpointNotFound("none")))
    assert session.retries == 3
