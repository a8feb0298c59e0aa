# SPDX-License-Identifier: Apache-2.0
"""What every process of the product does first: options, configuration files, log.

A console script is ``return service.run(body)`` around a body that calls :func:`prepare`. Whatever
an operator can get wrong is raised as :class:`Refused` and ends as one line on standard error and
exit status 1 (contract config.md 4); a traceback is for our own mistakes.
"""

from __future__ import annotations

import gc
import importlib.metadata
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from oslo_config import cfg
from oslo_db import options as db_options
from oslo_log import log
from oslo_middleware import cors

from cloudkitty import conf as ck_conf

PROJECT: Final = "cloudkitty"
DEFAULT_CONNECTION: Final = "sqlite:////var/lib/cloudkitty/cloudkitty.sqlite"

# Contract config.md 3.3.
CORS_ALLOW_HEADERS: Final = (
    "X-Auth-Token",
    "X-Subject-Token",
    "X-Roles",
    "X-User-Id",
    "X-Domain-Id",
    "X-Project-Id",
    "X-Tenant-Id",
    "X-OpenStack-Request-ID",
)
CORS_EXPOSE_HEADERS: Final = (
    "X-Auth-Token",
    "X-Subject-Token",
    "X-Service-Token",
    "X-OpenStack-Request-ID",
)
CORS_ALLOW_METHODS: Final = ("GET", "PUT", "POST", "DELETE", "PATCH")

LOG = log.getLogger(__name__)


class Refused(Exception):  # noqa: N818 - it is the process that is refused
    """The process cannot do what it was started for; the text says what is wrong and where."""


def freeze() -> None:
    """Have the garbage collector leave alone what there is now: it lives as long as the process.

    For servers, when all is imported and built. Otherwise every one of those objects is looked at
    whenever answers have made enough new ones, which holds up all requests for 0.1 s.
    """
    gc.collect()
    gc.freeze()


def set_library_defaults() -> None:
    """Change the defaults of library options that the contract changes (config.md 3.3)."""
    cors.set_defaults(
        allow_headers=list(CORS_ALLOW_HEADERS),
        expose_headers=list(CORS_EXPOSE_HEADERS),
        allow_methods=list(CORS_ALLOW_METHODS),
    )


def version() -> str:
    """Give the version of the installed distribution, as ``--version`` prints it."""
    return importlib.metadata.version(PROJECT)


def prepare(
    args: Sequence[str] | None = None,
    *,
    conf: cfg.ConfigOpts = cfg.CONF,
    prog: str | None = None,
    cli_opts: Iterable[cfg.Opt] = (),
) -> cfg.ConfigOpts:
    """Read command line and configuration files, check every value, and start logging.

    `args` are the arguments without the program's name (default: those of this process); `prog`
    is the program's name, which also names a configuration file of its own; `cli_opts` are options
    and sub-commands that only this program has. Gives `conf`.

    Raises Refused for a file that cannot be read or a value that is not valid; argparse ends the
    process with status 2 for arguments that do not exist.
    """
    # A library of a library tries whether eventlet is there, which complains when it is.
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    register_options(conf)
    conf.register_cli_opts(list(cli_opts))
    try:
        conf(
            list(sys.argv[1:] if args is None else args),
            project=PROJECT,
            prog=prog or os.path.basename(sys.argv[0]),  # noqa: PTH119 - as oslo.config does
            version=version(),
            validate_default_values=True,
        )
        check_values(conf)
        log.setup(conf, PROJECT, version())
    except (cfg.Error, log.LogConfigError, OSError) as exc:
        raise Refused(" ".join(str(exc).split())) from exc
    return conf


def register_options(conf: cfg.ConfigOpts) -> None:
    """Register what every process of ours understands, on `conf`; may be called again."""
    log.register_options(conf)
    ck_conf.register_opts(conf)
    db_options.set_defaults(conf, connection=DEFAULT_CONNECTION)
    set_library_defaults()


def check_values(conf: cfg.ConfigOpts) -> None:
    """Read every option of ours once, since oslo.config checks a value only when it is read.

    Raises Refused that names group, option and reason.
    """
    for module in ck_conf.GROUPS:
        group = conf if module.GROUP is None else conf[module.GROUP]
        for opt in module.OPTS:
            try:
                getattr(group, opt.dest)
            except ValueError as exc:
                name = f"[{module.GROUP or 'DEFAULT'}] {opt.name}"
                raise Refused(f"{name}: {exc}") from exc


def run(body: Callable[[], int | None], *, refused: int = 1) -> int:
    """Run the body of a console script and give its exit status.

    Refused becomes one line on standard error (and in the log, if that is a file) and the status
    `refused`.
    """
    try:
        return body() or 0
    except Refused as exc:
        prog = os.path.basename(sys.argv[0])  # noqa: PTH119
        sys.stderr.write(f"{prog}: error: {exc}\n")
        if _logs_to_file(cfg.CONF):
            LOG.critical("%s", exc)
        return refused


def _logs_to_file(conf: cfg.ConfigOpts) -> bool:
    return any(getattr(conf, name, None) for name in ("log_file", "log_dir", "use_syslog"))
