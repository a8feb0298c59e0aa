# SPDX-License-Identifier: Apache-2.0
"""The filter that asks for a name and a password, for a service without Keystone.

Passwords are in an htpasswd file (bcrypt), ``[oslo_middleware] http_basic_auth_user_file``; what
project and roles a name has is said by ``[api] http_basic_user``. The file is read at each request,
so that it can be changed meanwhile.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import webob
from oslo_config import cfg
from oslo_log import log
from oslo_middleware import basic_auth
from webob import exc as http

from cloudkitty.api import errors
from cloudkitty.api.wsgi import Environ, StartResponse, WSGIApplication

LOG = log.getLogger(__name__)

_UNAUTHORIZED: Final = "The request you have made requires authentication."
_UNREADABLE: Final = "The file with the users cannot be read, try again later."
_CHALLENGE: Final = 'Basic realm="cloudkitty", charset="UTF-8"'
#: Compared with the password of a name that there is not: that takes as long.
_NOBODY: Final = "nobody:$2b$12$abcdefghijklmnopqrstuuTqiH0gYTF0QDU9nCfOtWC9cuYTwLGpS"
#: Good passwords are remembered, because bcrypt is slow on purpose.
_REMEMBERED: Final = 1000


@dataclass(frozen=True, slots=True)
class User:
    """What a name stands for; no project is None."""

    project_id: str | None
    roles: tuple[str, ...]


def users(lines: Iterable[str]) -> dict[str, User]:
    """Read ``[api] http_basic_user``: ``NAME PROJECT ROLE[,ROLE...]``, ``-`` for no project.

    Raises ValueError for a line that is not like that, or a name that comes twice.
    """
    found: dict[str, User] = {}
    for line in lines:
        try:
            name, project, roles = line.split()
        except ValueError:
            raise ValueError(
                f"[api] http_basic_user: expected 'NAME PROJECT ROLE[,ROLE...]', got {line!r}",
            ) from None
        if name in found:
            raise ValueError(f"[api] http_basic_user: {name!r} comes twice")
        named = tuple(role for role in roles.split(",") if role)
        found[name] = User(None if project == "-" else project, named)
    return found


class BasicAuthMiddleware:
    """Lets requests for public paths pass, and those with the name and password of a user."""

    def __init__(self, app: WSGIApplication, conf: cfg.ConfigOpts, public: Iterable[str]) -> None:
        """Take the paths that anybody may ask for.

        Raises ValueError when the users are not configured as they should be.
        """
        self._app = app
        self._public = frozenset(path.strip().rstrip("/") for path in public)
        conf.register_opts(basic_auth.OPTS, group="oslo_middleware")
        self._file = Path(conf.oslo_middleware.http_basic_auth_user_file)
        self._users = users(conf.api.http_basic_user)
        self._check_file()
        self._secret = secrets.token_bytes(32)
        self._good: set[bytes] = set()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        """Answer 401, or what the application answers; 503 when the file cannot be read."""
        name = None
        if environ.get("PATH_INFO", "").rstrip("/") not in self._public:
            try:
                name = self._authenticate(environ)
            except http.HTTPException:
                return _challenge()(environ, start_response)
            except OSError as exc:
                LOG.error("%s cannot be read: %s", self._file, exc.strerror)  # noqa: TRY400
                return errors.message_response(503, _UNREADABLE)(environ, start_response)
        _forget_identity(environ)
        if name is not None:
            user = self._users.get(name, User(None, ()))
            environ["HTTP_X_USER_ID"] = environ["HTTP_X_USER_NAME"] = name
            environ["HTTP_X_ROLES"] = ",".join(user.roles)
            if user.project_id is not None:
                environ["HTTP_X_PROJECT_ID"] = user.project_id
        return self._app(environ, start_response)

    @classmethod
    def factory(
        cls,
        global_config: dict[str, str],
        **local_conf: str,
    ) -> Callable[[WSGIApplication], BasicAuthMiddleware]:
        """Give what makes the filter around an application, for a paste file."""
        routes = {**global_config, **local_conf}.get("acl_public_routes", "")
        return lambda app: cls(app, cfg.CONF, routes.split(","))

    def _authenticate(self, environ: Environ) -> str:
        """Give the name of the caller; HTTPException when it is not who it says."""
        name, password = basic_auth.parse_token(basic_auth.parse_header(environ))
        entry = self._entry(name)
        known = hmac.digest(self._secret, f"{entry}\n".encode() + password, hashlib.sha256)
        if known in self._good:
            return name
        try:
            basic_auth.auth_entry(entry or _NOBODY, password)
        except ValueError:  # longer than bcrypt takes, or not bcrypt
            raise http.HTTPUnauthorized from None
        if entry is None:
            raise http.HTTPUnauthorized
        if len(self._good) >= _REMEMBERED:
            self._good.clear()
        # The entry is part of it: with another password in the file this one is worth nothing.
        self._good.add(known)
        return name

    def _entry(self, name: str) -> str | None:
        with self._file.open(encoding="utf-8") as lines:
            return next((one.strip() for one in lines if one.startswith(f"{name}:")), None)

    def _check_file(self) -> None:
        where = f"[oslo_middleware] http_basic_auth_user_file ({self._file})"
        try:
            lines = self._file.read_text(encoding="utf-8").splitlines()
        except OSError as exc:
            raise ValueError(f"{where}: {exc.strerror}") from exc
        names = set()
        for line in lines:
            if ":" not in line:
                continue
            try:
                names.add(basic_auth.parse_entry(line.strip())[0])
            except http.HTTPException as exc:
                raise ValueError(f"{where}: {exc.detail}") from None
        for name in sorted(names - self._users.keys()):
            LOG.warning("User %s has a password and no [api] http_basic_user: no role", name)


def _forget_identity(environ: Environ) -> None:
    """Remove what a client says of itself in headers; filters before this one need no more."""
    for header in [name for name in environ if name.startswith(("HTTP_X_", "HTTP_OPENSTACK_"))]:
        del environ[header]


def _challenge() -> webob.Response:
    """Give the answer to a caller that nobody knows, like keystonemiddleware's."""
    return webob.Response(
        status=401,
        json_body={"error": {"code": 401, "title": "Unauthorized", "message": _UNAUTHORIZED}},
        content_type="application/json",
        charset=None,
        headerlist=[("WWW-Authenticate", _CHALLENGE), ("Content-Type", "application/json")],
    )
