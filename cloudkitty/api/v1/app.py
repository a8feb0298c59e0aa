# SPDX-License-Identifier: Apache-2.0
"""pecan's application for v1, and what it answers when a request does not reach a controller."""

from __future__ import annotations

import contextvars
from typing import Any

import pecan
import pecan.hooks
import webob
from oslo_config import cfg

from cloudkitty.api import context, errors, jsonbody
from cloudkitty.api.v1 import expose, negotiation, root
from cloudkitty.api.wsgi import Environ, StartResponse, WSGIApplication
from cloudkitty.db import changes
from cloudkitty.storage.v2.base import BaseStorage


class V1:
    """Answers everything below ``/v1``."""

    def __init__(self, conf: cfg.ConfigOpts, storage: BaseStorage) -> None:
        self._pecan: WSGIApplication = pecan.make_app(
            root.RootController(conf, storage),
            debug=conf.api.pecan_debug,
            hooks=[ContextHook(), ErrorHook(debug=conf.api.pecan_debug)],
            request_cls=jsonbody.ApiRequest,
            force_canonical=False,
            guess_content_type_from_ext=False,
        )

    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        """Answer a request for a path below ``/v1``."""
        chosen = negotiation.choose(environ.get("HTTP_ACCEPT"))
        if chosen is not None:
            environ["HTTP_ACCEPT"] = chosen
        environ["PATH_INFO"] = "/" + environ["PATH_INFO"].lstrip("/")
        # Who acts is known to what is called here, and not to the next request of the thread.
        body = contextvars.copy_context().run(self._pecan, environ, start_response)
        return environ.get(expose.STREAMED, body)


class ContextHook(pecan.hooks.PecanHook):
    """Says who is asking, before the request is routed."""

    def on_route(self, state: Any) -> None:
        """Put the context where controllers look for it."""
        caller = context.from_environ(state.request.environ)
        state.request.context = caller
        changes.act(context.actor(caller, changes.API_V1))


class ErrorHook(pecan.hooks.PecanHook):
    """Gives everything that is raised outside of a call the fault body (contract D1, D4)."""

    def __init__(self, *, debug: bool) -> None:
        """Take whether unexpected exceptions go on to pecan's debug page."""
        self._debug = debug

    def on_error(self, state: Any, error: Exception) -> webob.Response | None:
        """Give the answer; None leaves the error as it is: redirections, and all when debugging."""
        status, text = errors.describe(error)
        if status < 400 or (self._debug and text is None):
            return None
        errors.log_failure(error, status)
        response = errors.fault_response(status, text, errors.request_id(state.request.environ))
        if status == 405:
            response.headers["Allow"] = ""
        return response
