# SPDX-License-Identifier: Apache-2.0
"""Keystone: one way to log in, and to send requests to the services of its catalogue.

::

    session = keystone.session(conf, "collector_gnocchi", pool=16)
    metrics = keystone.adapter(session, service_type="metric", interface="internalURL")
    metrics.get("/v1/status").json()

Contract config.md 2.1 and collect.md 4: the options of a section, and of the one that its
``auth_section`` names, are registered when the session is made, so that it does not matter in
which order modules are imported and files are parsed.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import itertools
import os
import random
import ssl
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
import urllib3
from keystoneauth1 import adapter as ks_adapter
from keystoneauth1 import exceptions, loading
from keystoneauth1 import session as ks_session
from oslo_config import cfg
from oslo_log import log
from requests.adapters import HTTPAdapter

from cloudkitty import http
from cloudkitty.conf.fetcher_keystone import SESSION_OPTS

LOG = log.getLogger(__name__)

#: Seconds for the connect and for each read when ``timeout`` is not set.
TIMEOUT: Final = 60.0
#: What the interfaces of the catalogue may be called.
INTERFACES: Final = ("public", "internal", "admin")

#: What can go wrong in a request, whoever is asked; ``explain`` puts it into words.
Failure: Final = exceptions.ClientException

# Seconds before the first repeat, doubled for each further one.
_PAUSE: Final = 0.5
_MAX_PAUSE: Final = 5.0
# The check before a start: nobody waits a minute for a Keystone that hangs.
_BRIEF_TIMEOUT: Final = 5.0


class Session(ks_session.Session):
    """A session of keystoneauth that repeats what is worth it and is usable after a fork.

    Every request must be repeatable: it is sent again, `retries` times with growing pauses, after
    a broken connection and when an overloaded server (429, 502, 503, 504) says so. A timeout is
    not repeated, and a rejected token is renewed once. `section` has the credentials.
    """

    def __init__(self, *, section: str, retries: int, pool: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.section = section
        self.retries = retries
        self._pool = pool
        self._size_pool()
        _SESSIONS.add(self)

    # The library has the arguments one by one.
    def request(  # type: ignore[override]
        self, url: str, method: str, **kwargs: Any
    ) -> requests.Response:
        """Send as keystoneauth does, and again when that may help; raises `Failure`."""
        wanted: int | None = kwargs.pop("connect_retries", None)
        retries = self.retries if wanted is None else wanted
        raise_exc: bool = kwargs.pop("raise_exc", True)
        authenticated = kwargs.get("authenticated")
        if authenticated or (authenticated is None and (kwargs.get("auth") or self.auth)):
            # First, so that its own repeats are not multiplied by those of this request.
            self.get_auth_headers(kwargs.get("auth"))
        for attempt in itertools.count():
            pause = min(_PAUSE * 2**attempt * random.uniform(0.75, 1.25), _MAX_PAUSE)  # noqa: S311
            try:
                answer: requests.Response = super().request(url, method, raise_exc=False, **kwargs)
            except exceptions.ConnectFailure as exc:
                if attempt >= retries or _timed_out(exc):
                    raise
                LOG.debug("%s; again in %.1f s", explain(exc), pause)
            else:
                self._tell_timings()
                if answer.status_code not in http.RETRY_STATUSES or attempt >= retries:
                    break
                seconds = answer.headers.get("retry-after", "")
                if seconds.isdigit():
                    pause = min(max(pause, float(seconds)), _MAX_PAUSE)
                answer.close()
            time.sleep(pause)
        if raise_exc and answer.status_code >= 400:
            raise exceptions.from_response(answer, method, url)
        return answer

    @contextmanager
    def brief(self) -> Iterator[None]:
        """Inside the block nothing is repeated and nothing waited for long: for a first try."""
        before = self.retries, self.timeout
        self.retries = 0
        self.timeout = min(self.timeout or _BRIEF_TIMEOUT, _BRIEF_TIMEOUT)
        try:
            yield
        finally:
            self.retries, self.timeout = before

    def _tell_timings(self) -> None:
        if not self._collect_timing:
            return
        # Emptied each time: the library would keep those of all requests ever made.
        timings = self.get_timings()
        self.reset_timings()
        for timing in timings:
            seconds = timing.elapsed.total_seconds()
            LOG.info("%s %s: %.3f s", timing.method, http.bare(timing.url or ""), seconds)

    def _size_pool(self) -> None:
        """Make new pools; the library's adapter keeps its settings of TLS."""
        for one in set(self.session.adapters.values()):
            if not isinstance(one, HTTPAdapter):
                continue
            one.init_poolmanager(self._pool, self._pool, block=True)
            context = one.poolmanager.connection_pool_kw.get("ssl_context")
            if context is not None and self.verify is False:
                # Made by the library for tls_ciphers and tls_min_version, which forgets this.
                context.check_hostname = False


_SESSIONS: Final[weakref.WeakSet[Session]] = weakref.WeakSet()


def _forget_connections() -> None:
    """Let go of connections that the parent process goes on using."""
    for one in list(_SESSIONS):
        one._size_pool()  # noqa: SLF001 - of this module


os.register_at_fork(after_in_child=_forget_connections)


def session(
    conf: cfg.ConfigOpts,
    group: str,
    *,
    pool: int = 10,
    retries: int = 3,
    timeout: float = TIMEOUT,
    auth: Any = None,
) -> Session:
    """Make the session that section `group` describes; nothing is sent.

    `pool` connections are kept per host, `timeout` counts when the option is not set. `auth` is a
    plugin of keystoneauth in place of the one that the options name. Raises
    oslo_config.cfg.Error naming the section, the option and the reason.
    """
    options = _Options(conf, group)
    settings = options.session_settings()
    auth = auth or options.auth()
    seconds = options.value("timeout")
    try:
        made = Session(
            auth=auth,
            section=options.auth_section,
            retries=retries,
            pool=pool,
            # Without limit it is None for the library.
            timeout=timeout if seconds is None else seconds or None,
            collect_timing=options.value("collect_timing"),
            split_loggers=options.value("split_loggers"),
            app_name="cloudkitty",
            **settings,
        )
    except (ssl.SSLError, ValueError) as exc:
        # Only the ciphers are looked at when it is made.
        where = options.where("tls_ciphers")
        reason = http.reason(exc).strip("()',")
        raise cfg.ConfigFileValueError(f"{where}: OpenSSL refuses it: {reason}") from exc
    return made


def adapter(
    session: Session,
    *,
    service_type: str,
    interface: str = "public",
    region_name: str | None = None,
    endpoint_override: str | None = None,
    **kwargs: Any,
) -> ks_adapter.Adapter:
    """Give what sends requests with relative URLs to a service of the catalogue.

    `interface` may be spelled like ``internalURL``; `region_name` None or empty: any.
    """
    return ks_adapter.Adapter(
        session,
        service_type=service_type,
        interface=interface_name(interface),
        region_name=region_name or None,
        endpoint_override=endpoint_override or None,
        **kwargs,
    )


def endpoint(
    session: Session, *, service_type: str, interface: str, region_name: str | None = None
) -> str:
    """Give the URL that the catalogue has for a service, without a slash at its end.

    Raises keystoneauth1's EndpointNotFound, or another `Failure` when Keystone cannot be asked.
    """
    name, region = interface_name(interface), region_name or None
    found: str | None = session.get_endpoint(
        service_type=service_type, interface=name, region_name=region
    )
    if not found:
        where = f"in {region} region " if region else ""
        raise exceptions.EndpointNotFound(
            f"{name} endpoint for {service_type} service {where}not found"
        )
    return found.rstrip("/")


def first_try(session: Session, ask: Callable[[], object]) -> None:
    """Run `ask` once, briefly, so that what is wrong in the configuration is found at start.

    A Keystone that cannot be reached or is broken is no such thing: it is tried again later. Raises
    keystoneauth1's EndpointNotFound and VersionNotAvailable, and oslo_config.cfg.Error naming the
    section when Keystone refuses the credentials.
    """
    try:
        with session.brief():
            ask()
    except (exceptions.CatalogException, exceptions.VersionNotAvailable):
        raise
    except (exceptions.HTTPClientError, exceptions.AuthorizationFailure) as exc:
        if getattr(exc, "http_status", 0) in {408, 429}:
            LOG.warning("Keystone cannot be used now: %s", explain(exc))
            return
        url = http.bare(getattr(session.auth, "auth_url", None) or "")
        raise cfg.ConfigFileValueError(
            f"[{session.section}]: Keystone at {url} refuses: {explain(exc)}"
        ) from exc
    except Failure as exc:
        LOG.warning("Keystone cannot be used now, trying again later: %s", explain(exc))


def interface_name(text: str) -> str:
    """Give ``internal`` for ``internalURL`` and so on; raises ValueError for what is none."""
    name = text.strip().removesuffix("URL").lower()
    if name not in INTERFACES:
        raise ValueError(f"{text!r} is no interface of the catalogue: {', '.join(INTERFACES)}")
    return name


def explain(exc: BaseException) -> str:
    """Give one line that says what went wrong, with the innermost reason of a broken connection."""
    text = " ".join(str(exc).split())
    if isinstance(exc, exceptions.ConnectFailure | exceptions.SSLError):
        # "Unable to establish connection to URL: ", then everything the layers below say.
        head = text.split(": ", 1)[0]
        inner = exc.__cause__ or exc.__context__
        return f"{head}: {http.reason(inner)}" if inner is not None else text
    return text or type(exc).__name__


def _timed_out(exc: BaseException) -> bool:
    """Say whether what seems a broken connection was a wait for the rest of an answer."""
    inner = exc.__context__.args[:1] if exc.__context__ else ()
    return any(isinstance(one, urllib3.exceptions.ReadTimeoutError) for one in inner)


def register(conf: cfg.ConfigOpts, section: str) -> None:
    """Register the options that every section with credentials has (``SESSION_OPTS``)."""
    for opt in SESSION_OPTS:
        try:
            conf.register_opt(opt, group=section)
        except cfg.DuplicateOptError:
            # [keystone_authtoken] has them under the same names, with help texts of its own.
            LOG.debug("[%s] %s is registered already", section, opt.name)


class _Options:
    """The options of a section and of the one that its ``auth_section`` names."""

    def __init__(self, conf: cfg.ConfigOpts, group: str) -> None:
        self._conf, self._group = conf, group
        register(conf, group)
        self.auth_section: str = conf[group].auth_section or group
        if self.auth_section != group:
            register(conf, self.auth_section)

    def value(self, name: str) -> Any:
        """Give an option of the session: the section's own one if it is set."""
        return self._conf[self._section(name)][name]

    def where(self, name: str) -> str:
        """Give what error messages call an option."""
        return f"[{self._section(name)}] {name}"

    def _section(self, name: str) -> str:
        unset = cfg.Locations.opt_default, cfg.Locations.set_default
        for section in (self._group, self.auth_section):
            place = self._conf.get_location(name, section)
            if place is not None and place.location not in unset:
                return section
        return self._group

    def session_settings(self) -> dict[str, Any]:
        """Give the arguments of a session about TLS; every file must be there."""
        for name in ("cafile", "certfile", "keyfile"):
            path = self.value(name)
            if path and not Path(path).exists():
                raise cfg.ConfigFileValueError(f"{self.where(name)}: no such file: {path}")
        cafile, insecure = self.value("cafile"), self.value("insecure")
        certfile, keyfile = self.value("certfile"), self.value("keyfile")
        if keyfile and not certfile:
            raise cfg.ConfigFileValueError(
                f"{self.where('keyfile')}: of no use without certfile, which is not set"
            )
        if cafile and insecure:
            LOG.warning("%s is without effect: cafile is set", self.where("insecure"))
        elif insecure:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        settings: dict[str, Any] = {
            "verify": cafile or not insecure,
            "cert": (certfile, keyfile) if keyfile else certfile,
        }
        known = inspect.signature(ks_session.Session.__init__).parameters
        for name in ("tls_ciphers", "tls_min_version"):
            if not (value := self.value(name)):
                continue
            if name not in known:
                raise cfg.ConfigFileValueError(
                    f"{self.where(name)}: the keystoneauth1 that is installed is too old for it"
                )
            settings[name] = value
        return settings

    def auth(self) -> Any:
        """Build the authentication plugin; raises oslo_config.cfg.Error."""
        section = self.auth_section
        named = f" (named by [{self._group}] auth_section)" if section != self._group else ""
        name = self._conf[section].auth_type
        if not name:
            raise cfg.ConfigFileValueError(f"[{section}] auth_type: not set{named}")
        try:
            loading.get_plugin_options(name)
            plugin = loading.load_auth_from_conf_options(self._conf, self._group)
        except exceptions.NoMatchingPlugin as exc:
            # Not by the library: it would load them all, and log those that cannot be.
            found = importlib.metadata.entry_points(group=loading.PLUGIN_NAMESPACE)
            known = ", ".join(sorted(one.name for one in found))
            raise cfg.ConfigFileValueError(
                f"[{section}] auth_type: no such plugin: {name!r}{named}; there are {known}"
            ) from exc
        except exceptions.MissingRequiredOptions as exc:
            missing = ", ".join(option.dest for option in exc.options)
            raise cfg.ConfigFileValueError(
                f"[{section}] {missing}: required by auth_type = {name}{named}"
            ) from exc
        except (exceptions.AuthPluginException, ValueError, TypeError) as exc:
            raise cfg.ConfigFileValueError(
                f"[{section}] auth_type = {name}: {explain(exc)}{named}"
            ) from exc
        url = getattr(plugin, "auth_url", None)
        if url and urlsplit(url).scheme not in {"http", "https"}:
            raise cfg.ConfigFileValueError(f"[{section}] auth_url: not an http(s) URL: {url!r}")
        return plugin
