# SPDX-License-Identifier: Apache-2.0
"""The API behind its whole pipeline, loaded from a paste file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import webtest
from oslo_config import cfg
from oslo_config import fixture as cfg_fixture
from oslo_middleware import cors, http_proxy_to_wsgi

import cloudkitty
from cloudkitty import service
from cloudkitty.api import app
from cloudkitty.policies import enforcer

ROOT = Path(cloudkitty.__file__).parents[1]
SHIPPED = ROOT / "etc" / "cloudkitty" / "api_paste.ini"
#: As shipped, but nobody is asked who they are.
TRUSTING = SHIPPED.read_text().replace("request_id authtoken ck_api", "request_id ck_api")


def load(
    conf: cfg_fixture.Config,
    paste: Path,
    auth: str = "keystone",
    **groups: dict[str, Any],
) -> webtest.TestApp:
    """Give the pipeline of a paste file, with options by group."""
    service.set_library_defaults()
    cfg.CONF.register_opts(cors.OPTS, group="cors")
    cfg.CONF.register_opts(http_proxy_to_wsgi.OPTS, group="oslo_middleware")
    conf.config(api_paste_config=str(paste), auth_strategy=auth)
    for group, options in groups.items():
        conf.config(group=group, **options)
    enforcer.reset()
    return webtest.TestApp(app.load_app())


def trusting(conf: cfg_fixture.Config, directory: Path, **groups: Any) -> webtest.TestApp:
    """Give the shipped pipeline without the filter that asks Keystone."""
    paste = directory / "api_paste.ini"
    paste.write_text(TRUSTING)
    return load(conf, paste, **groups)
