# SPDX-License-Identifier: Apache-2.0
"""Loads the pipeline of filters that stands before the API (contract api.md 2.1).

Paste files tell oslo.middleware's filters the name of a project, whose configuration they would
look up in the standard places. Ours read the configuration of the process, whatever file it came
from (D50); what a paste file itself sets still wins.
"""

from __future__ import annotations

import pathlib
from typing import Any, Final

from oslo_config import cfg
from oslo_middleware import cors
from paste.deploy import loadwsgi

from cloudkitty.api.wsgi import WSGIApplication

_PROJECT: Final = "oslo_config_project"


def load(conf: cfg.ConfigOpts, name: str) -> WSGIApplication:
    """Build the application `name` of the configured paste file.

    Raises cfg.ConfigFilesNotFoundError when the file is not found, LookupError when it has no such
    application.
    """
    app: WSGIApplication = _Loader(find(conf), conf).get_app(name)
    return app


def find(conf: cfg.ConfigOpts) -> str:
    """Give the path of the paste file: as configured, or where configuration files are.

    Raises cfg.ConfigFilesNotFoundError.
    """
    name: str = conf.api_paste_config
    candidates = [conf.find_file(name), _beside(conf, name)]
    for path in candidates:
        if path is not None and pathlib.Path(path).is_file():
            return str(pathlib.Path(path).absolute())
    raise cfg.ConfigFilesNotFoundError([name])


def _beside(conf: cfg.ConfigOpts, name: str) -> pathlib.Path | None:
    """Give the file beside the first configuration file."""
    files = conf.config_file or conf.default_config_files or []
    return pathlib.Path(files[0]).parent / name if files else None


class _Loader(loadwsgi.ConfigLoader):
    """Paste's own loader, but for the project name that filters are told."""

    def __init__(self, filename: str, conf: cfg.ConfigOpts) -> None:
        super().__init__(filename)
        self._conf = conf

    def get_context(
        self,
        object_type: Any,
        name: str | None = None,
        global_conf: dict[str, str] | None = None,
    ) -> Any:
        context = super().get_context(object_type, name=name, global_conf=global_conf)
        if context.local_conf.pop(_PROJECT, None) is not None and _is_cors(context.object):
            # The filter insists on one of the two.
            self._conf.register_opts(cors.OPTS, group="cors")
            context.local_conf.setdefault("allowed_origin", self._conf.cors.allowed_origin)
        return context


def _is_cors(factory: Any) -> bool:
    owner = getattr(factory, "__self__", None)
    return factory is cors.filter_factory or (
        isinstance(owner, type) and issubclass(owner, cors.CORS)
    )
