# SPDX-License-Identifier: Apache-2.0
"""Fixtures that every test may use."""

from __future__ import annotations

import datetime as dt
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from keystoneauth1 import loading
from oslo_config import cfg
from oslo_config import fixture as cfg_fixture

from cloudkitty import conf as ck_conf
from cloudkitty import db, timeutils
from cloudkitty.tests import gnocchi, plugin, services

# A busy machine is no fault of the code. A change is judged by the same examples as the one before
# it; new ones are looked for where somebody is there to read what they found.
hypothesis.settings.register_profile("desk", deadline=None)
hypothesis.settings.register_profile("gate", deadline=None, derandomize=True)
hypothesis.settings.load_profile(
    "gate" if os.environ.get("CLOUDKITTY_REQUIRE_SERVICES") == "1" else "desk"
)


@pytest.fixture(autouse=True)
def conf(tmp_path: Path) -> Iterator[cfg_fixture.Config]:
    """The global configuration with defaults only, put back afterwards; `conf.config(...)` sets."""
    fixture = cfg_fixture.Config(cfg.CONF)
    fixture.setUp()
    ck_conf.register_opts(cfg.CONF)
    cfg.CONF([], project="cloudkitty-test", default_config_files=[], default_config_dirs=[])
    fixture.config(coordination_url=f"file://{tmp_path}/locks", group="orchestrator")
    yield fixture
    plugins = dict(_auth_plugins())
    fixture.cleanUp()
    for section, name in plugins.items():
        cfg.CONF.unregister_opts(loading.get_auth_plugin_conf_options(name), group=section)
    db.reset()


def _auth_plugins() -> Iterator[tuple[str, str]]:
    """Yield sections and their authentication plugins, whose options the next test must not have.

    Some of them are required.
    """
    for module in ck_conf.GROUPS:
        if module.GROUP and "auth_section" in cfg.CONF[module.GROUP]:
            section = cfg.CONF[module.GROUP].auth_section or module.GROUP
            name = cfg.CONF[section].auth_type if section in cfg.CONF else None
            if name and name in loading.get_available_plugin_names():
                yield section, name


@pytest.fixture(autouse=True)
def quiet_logging() -> Iterator[None]:
    """A test that starts logging as a process does leaves nothing of it to the next one."""
    loggers = logging.Logger.manager.loggerDict
    before = {name: logging.getLogger(name).level for name in list(loggers)}
    root = logging.getLogger()
    level, handlers, hook = root.level, list(root.handlers), sys.excepthook
    yield
    if sys.excepthook is hook:
        return
    sys.excepthook = hook
    root.setLevel(level)
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
    for name in list(loggers):
        logging.getLogger(name).setLevel(before.get(name, logging.NOTSET))


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    """Tests run on a host in UTC unless they say otherwise."""
    before = timeutils.local_timezone()
    timeutils.set_local_timezone(dt.UTC)
    yield
    timeutils.set_local_timezone(before)


@pytest.fixture(
    params=[
        pytest.param(engine, marks=[] if engine == "sqlite" else [pytest.mark.service])
        for engine in services.ENGINES
    ]
)
def engine_name(request: pytest.FixtureRequest) -> str:
    """Each SQL engine in turn."""
    name: str = request.param
    return name


@pytest.fixture
def empty_database(
    engine_name: str,
    tmp_path: Path,
    conf: cfg_fixture.Config,
) -> Iterator[str]:
    """An empty database on each engine, configured as ``[database] connection``."""
    with services.fresh_database(engine_name, tmp_path) as url:
        _use(conf, url)
        yield url
        db.reset()


@pytest.fixture
def database(empty_database: str) -> str:
    """A database with all tables, on each engine."""
    _create_tables()
    return empty_database


@pytest.fixture(scope="session")
def gnocchi_server() -> Iterator[gnocchi.Server]:
    """A real Gnocchi; what is written stays until the end: use projects of your own."""
    with gnocchi.server() as found:
        yield found


@pytest.fixture(scope="session")
def installed_plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory for PYTHONPATH with the distribution of plug-ins; it must not be changed."""
    return plugin.install(tmp_path_factory.mktemp("plugin"))


@pytest.fixture
def sqlite_database(tmp_path: Path, conf: cfg_fixture.Config) -> Iterator[str]:
    """A database with all tables, SQLite only: for tests that are not about SQL."""
    with services.fresh_database("sqlite", tmp_path) as url:
        _use(conf, url)
        _create_tables()
        yield url
        db.reset()


def _use(conf: cfg_fixture.Config, url: str) -> None:
    from oslo_db import options

    options.set_defaults(cfg.CONF)
    conf.config(connection=url, group="database")
    db.reset()


def _create_tables() -> None:
    # Migrations give the same tables; a test of cloudkitty.db compares the two.
    services.create_tables(db.get_engine())
