# SPDX-License-Identifier: Apache-2.0
"""The filter that asks Keystone about tokens, but for public paths (contract api.md 2.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from keystoneauth1 import exceptions as ksa_exc
from keystonemiddleware import auth_token
from oslo_config import cfg
from oslo_log import log

from cloudkitty.api import errors
from cloudkitty.api.wsgi import Environ, StartResponse, WSGIApplication

LOG = log.getLogger(__name__)

_UNAVAILABLE: Final = "The identity service cannot be reached, try again later."


class AuthTokenMiddleware:
    """Lets requests for public paths pass, and those whose token Keystone knows."""

    def __init__(self, app: WSGIApplication, conf: dict[str, Any]) -> None:
        """Take `acl_public_routes`, paths with commas between; the rest is keystonemiddleware's.

        Raises ValueError when there is no way to ask Keystone.
        """
        options = dict(conf)
        routes = options.pop("acl_public_routes", "")
        self._public = frozenset(_plain(route.strip()) for route in routes.split(","))
        self._app = app
        options.pop("oslo_config_project", None)
        oslo_config = options.setdefault("oslo_config_config", cfg.CONF)
        paste_auth_type = options.get("auth_type")
        self._guarded: WSGIApplication = auth_token.AuthProtocol(app, options)
        group = oslo_config.keystone_authtoken
        if not (paste_auth_type or group.auth_type or group.auth_section):
            raise ValueError("[keystone_authtoken] auth_type is not set: no token can be checked")

    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        """Answer 401, or what the application answers; 503 when Keystone cannot be asked."""
        if _plain(environ.get("PATH_INFO", "")) in self._public:
            return self._app(environ, start_response)
        try:
            return self._guarded(environ, start_response)
        except ksa_exc.ClientException:
            LOG.exception("Keystone cannot be asked about a token")
            return errors.message_response(503, _UNAVAILABLE)(environ, start_response)

    @classmethod
    def factory(
        cls,
        global_config: dict[str, str],
        **local_conf: str,
    ) -> Callable[[WSGIApplication], AuthTokenMiddleware]:
        """Give what makes the filter around an application, for a paste file."""
        conf = {**global_config, **local_conf}
        return lambda app: cls(app, conf)


def _plain(path: str) -> str:
    return path.rstrip("/")
