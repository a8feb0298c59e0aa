# SPDX-License-Identifier: Apache-2.0
"""Commands of a command line client, many in one process: each start takes seconds.

``PYTHON client_driver.py openstack|cloudkitty VERSION`` with the Python of the clients' virtual
environment. Writes a line with the JSON list of the rating commands there are, then reads the JSON
list of the arguments of a command from each line, and writes ``[exit status, stdout, stderr]``.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
import traceback
from collections.abc import Callable
from importlib import metadata

#: Where a program is, how it is told the version, where its commands are registered.
PROGRAMS = {
    "openstack": ("openstackclient.shell", "--rating-api-version", "openstack.rating.v{}"),
    "cloudkitty": ("cloudkittyclient.shell", "--os-rating-api-version", "cloudkittyclient_v{}"),
}


def run(shell: Callable[[list[str]], object], arguments: list[str]) -> tuple[int, str, str]:
    """Run a command to its end; what it dies of is on its standard error."""
    out, err = io.StringIO(), io.StringIO()
    status: object
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = shell(arguments)
        except SystemExit as end:
            status = end.code
        except Exception:  # noqa: BLE001  # as Python itself does it
            traceback.print_exc()
            status = 1
    if status is not None and not isinstance(status, int):
        # Python shows what is no number, and the status is 1.
        err.write(f"{status}\n")
        status = 1
    return status or 0, out.getvalue(), err.getvalue()


def main() -> None:
    """Answer every line."""
    program, version = sys.argv[1:]
    module, option, group = PROGRAMS[program]
    shell = importlib.import_module(module).main
    found = metadata.entry_points(group=group.format(version))
    answers = sys.stdout
    print(json.dumps([one.name.replace("_", " ") for one in found]), file=answers, flush=True)
    for line in sys.stdin:
        answer = run(shell, [option, version, *json.loads(line)])
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
