# SPDX-License-Identifier: Apache-2.0
"""``python -m cloudkitty.demo [--host ADDR] [--port N] [--seed TEXT] [--projects N]``."""

from __future__ import annotations

import argparse
import datetime as dt
import logging
import signal
import sys
import threading

from cloudkitty.demo.cloud import PROJECTS, Cloud
from cloudkitty.demo.server import DemoServer

LOG = logging.getLogger("cloudkitty.demo")


def main() -> int:
    """Serve until SIGTERM or SIGINT; exits 1 when the address cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m cloudkitty.demo", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9190, help="0: any free one")
    parser.add_argument("--seed", default="kitty", help="another seed, another cloud")
    parser.add_argument("--projects", type=int, default=len(PROJECTS))
    arguments = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stdout,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    # From the beginning of last month on, so that a new month does not begin with nothing.
    first = dt.datetime.now(dt.UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    start = (first - dt.timedelta(days=1)).replace(day=1)
    cloud = Cloud(arguments.seed, int(start.timestamp()), arguments.projects)
    try:
        server = DemoServer((arguments.host, arguments.port), cloud)
    except (OSError, OverflowError) as error:
        LOG.error(  # noqa: TRY400 - one clear line
            "cannot listen on %s port %s: %s", arguments.host, arguments.port, error
        )
        return 1
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_unused: stopped.set())
    server.series(server.clock())
    threading.Thread(target=server.serve_forever, name="serve", daemon=True).start()
    LOG.info("serving on http://%s:%s/api/v1", *server.server_address[:2])
    stopped.wait()
    server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
