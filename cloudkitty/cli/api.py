# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-api``: serves the HTTP API (contract config.md 4.1).

Exit status: 0 after SIGTERM or SIGINT; 1 with one line on standard error when the configuration
cannot be used, an argument has no valid value or the address is taken; 2 for arguments that do not
exist.
"""

from __future__ import annotations

import errno
import socket
import sys
from typing import Final

from keystoneauth1 import exceptions as ksa_exc
from oslo_config import cfg
from stevedore.exception import NoMatches

from cloudkitty import service

# [DEFAULT] has a `host` already, which is another thing.
_OPTIONS: Final = (
    cfg.HostAddressOpt(
        "host",
        short="b",
        dest="listen_host",
        default="0.0.0.0",  # noqa: S104 - an API is there to be reached
        help="Address to listen on.",
    ),
    cfg.PortOpt("port", short="p", help="Port; default: [api] port."),
    cfg.IntOpt("workers", min=1, help="Number of processes; default: [api] workers."),
)


def main() -> int:
    """Run the command line of this process and give its exit status."""
    return service.run(_body)


def _body() -> None:
    conf = service.prepare(cli_opts=_OPTIONS)
    try:
        listen = (conf.listen_host, conf.port, conf.workers)
    except ValueError as exc:
        raise service.Refused(str(exc)) from exc
    # Imported when the configuration is known to be readable: these bring every plugin interface.
    from cloudkitty.api.server import Listen, Server

    _check(conf)
    server = Server(conf, Listen(*listen))
    _check_address(*server.address())
    server.run()


def _check(conf: cfg.ConfigOpts) -> None:
    """Build the application once, to say what is wrong before there are any workers."""
    from cloudkitty.api import app
    from cloudkitty.policies import enforcer

    try:
        enforcer.load()
    except Exception as exc:  # whatever the parser of the file's format raises
        where = f"[oslo_policy] policy_file ({conf.oslo_policy.policy_file})"
        raise service.Refused(f"{where}: {_one_line(exc)}") from exc
    try:
        app.load_app(conf)
    except NoMatches as exc:
        raise service.Refused(f"[storage] backend: {exc}") from exc
    except (cfg.Error, LookupError, ImportError, ValueError, ksa_exc.ClientException) as exc:
        where = f"[DEFAULT] api_paste_config ({conf.api_paste_config})"
        raise service.Refused(f"{where}: {_one_line(exc)}") from exc


def _check_address(host: str, port: int) -> None:
    """Refuse an address that cannot be listened on: gunicorn would try for a while."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
    except OSError as exc:
        reason = exc.strerror or errno.errorcode.get(exc.errno or 0, str(exc))
        raise service.Refused(f"cannot listen on {host}, port {port}: {reason}") from exc


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
