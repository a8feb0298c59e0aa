#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""``make run``: installs into ``.venv`` when needed, then tries the product out on this machine.

Environment: PROMETHEUS_URL, SCOPE_KEY, METRICS, API_PORT; see cloudkitty/demo/run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent


def main() -> NoReturn:
    """Replace this process by the try-out."""
    done = subprocess.run([sys.executable, ROOT / "tools" / "venv.py"], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    python = ROOT / ".venv" / "bin" / "python"
    arguments = ["-m", "cloudkitty.demo.run", "--directory", str(ROOT / ".run"), *sys.argv[1:]]
    os.execv(python, [str(python), *arguments])


if __name__ == "__main__":
    main()
