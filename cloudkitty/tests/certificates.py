# SPDX-License-Identifier: Apache-2.0
"""Certificates that sign themselves, for servers and clients of tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from cloudkitty.tests import services


def make(directory: Path, name: str, address: str) -> tuple[Path, Path]:
    """Write a certificate of `name` for `address` (such as ``IP:127.0.0.1``), and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        services.missing("the program openssl is not installed")
    certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName={address}"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        [str(openssl), *command.split(), *names, *files], check=True, capture_output=True
    )
    return certificate, key
