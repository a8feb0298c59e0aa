# SPDX-License-Identifier: Apache-2.0
"""The WSGI application: everything behind the filters of the paste pipeline.

:func:`app_factory` is what paste files name; :func:`load_app` gives the whole pipeline, which is
what a WSGI server runs.
"""

from __future__ import annotations

from typing import Any

import webob
from oslo_config import cfg
from oslo_context import context as oslo_context
from oslo_db import options as db_options

from cloudkitty.api import bodysize, errors, paste, root, v1, v2
from cloudkitty.api.wsgi import Environ, StartResponse, WSGIApplication


class Application:
    """Sends a request to the root resource or to one of the API's versions."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        versions = [root.V1]
        self._v1 = v1.make_app(conf)
        self._v2 = None
        if conf.storage.version >= 2:
            versions.append(root.V2)
            self._v2 = v2.make_app(conf)
        self._root = root.Root(versions)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        """Answer a request."""
        # Log lines are about this request, not about the last one that this thread answered.
        oslo_context.RequestContext.from_environ(environ)
        most = self._conf.api.max_request_body_size
        if bodysize.is_too_large(environ, most):
            return _refuse(environ, 413, bodysize.refusal(most))(environ, start_response)
        request = webob.Request(environ)
        path = _path(request)
        if path is None:
            return _refuse(environ, 400, errors.NOT_TEXT)(environ, start_response)
        return self._choose(path)(environ, start_response)

    def _choose(self, path: str) -> WSGIApplication:
        if path in {"", "/"}:
            return self._root
        version = path.lstrip("/").partition("/")[0]
        if version == "v1":
            return self._v1
        if version == "v2" and self._v2 is not None:
            return self._v2
        not_found: WSGIApplication = errors.message_response(404, errors.NO_URL_V2)
        return not_found


def setup_app(conf: cfg.ConfigOpts | None = None) -> Application:
    """Build the application without any filter; default: from the configuration of the process.

    Raises stevedore.exception.NoMatches for a storage backend that is not installed.
    """
    return Application(conf or cfg.CONF)


def app_factory(global_config: dict[str, str], **local_conf: str) -> Application:
    """Build the application for a paste file."""
    del global_config, local_conf
    return setup_app()


def load_app(conf: cfg.ConfigOpts | None = None) -> WSGIApplication:
    """Build the pipeline ``cloudkitty+<auth_strategy>`` of ``[DEFAULT] api_paste_config``.

    Raises cfg.ConfigFilesNotFoundError when there is no such file, LookupError when the file has
    no such pipeline, and what :func:`setup_app` raises.
    """
    conf = conf or cfg.CONF
    # A caller is told at once that the database is away, and may try again; oslo.db's default is
    # to try for minutes.
    db_options.set_defaults(conf)
    conf.set_default("max_retries", 0, group="database")
    return paste.load(conf, f"cloudkitty+{conf.auth_strategy}")


def _refuse(environ: Environ, status: int, text: str) -> WSGIApplication:
    """Give the answer to a request that no version looks at, in the form of its version (D1)."""
    refused: WSGIApplication
    # The path as it came, byte by byte.
    if environ.get("PATH_INFO", "").lstrip("/").partition("/")[0] == "v1":
        request_id = errors.request_id(environ)
        refused = errors.fault_response(status, text, request_id)
    else:
        refused = errors.message_response(status, text)
    return refused


def _path(request: webob.Request) -> str | None:
    """Give the path; None when path, query or form are not texts in UTF-8.

    A NUL is refused as well: no database has it in its texts.
    """
    try:
        path: str = request.path_info
        texts = [path, *request.GET.keys(), *request.GET.values()]
        if request.content_type == "application/x-www-form-urlencoded":
            texts += [*request.POST.keys(), *map(str, request.POST.values())]
    except UnicodeDecodeError:
        return None
    return None if any("\0" in text for text in texts) else path
