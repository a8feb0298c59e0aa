# SPDX-License-Identifier: Apache-2.0
"""The distribution of plug-ins in ``data/plugin``: built and installed as anybody's would be."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from cloudkitty.tests import services

SOURCE = Path(__file__).parent / "data" / "plugin"


def install(directory: Path) -> Path:
    """Build and install it below `directory`, without network; gives what is for PYTHONPATH."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        services.missing("pip is not installed here, which installs the plug-ins of the tests")
    # Building leaves things behind.
    source = shutil.copytree(
        SOURCE, directory / "source", ignore=shutil.ignore_patterns("__pycache__")
    )
    target = directory / "installed"
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--no-compile"]
    done = subprocess.run(
        [*pip, "install", "--quiet", *options, "--target", str(target), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return target
