# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-processor``: rates usage, period by period (contract config.md 4.5).

Exit status: 0 after SIGTERM, 1 after SIGINT or when the configuration cannot be used (one line on
standard error says why), 2 for wrong arguments.
"""

from __future__ import annotations

import sys

from cloudkitty import service


def main() -> int:
    """Run the daemon; gives the exit status."""
    return service.run(_body)


def _body() -> None:
    conf = service.prepare()
    # Imported when the configuration is known to be readable: these bring every plugin interface.
    from cloudkitty.processor.service import Master

    Master(conf).run()


if __name__ == "__main__":
    sys.exit(main())
