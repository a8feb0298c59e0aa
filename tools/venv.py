#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make or refresh ``.venv`` with the project and some of its extras: ``tools/venv.py [EXTRA ...]``.

Needs nothing but Python 3.11 or later with its ``venv`` module. When nothing that was installed
from has changed it returns at once, so that every make target can begin with it.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "installed.json"
#: What decides about the content of the environment.
INPUTS = ("pyproject.toml", "requirements.txt", "setup.cfg", "setup.py")
OLDEST = (3, 11)


def digest() -> str:
    """Give a text that changes when the environment must be made anew."""
    state = hashlib.sha256(f"{sys.version}\n{sysconfig.get_platform()}\n{ROOT}".encode())
    for name in INPUTS:
        state.update((ROOT / name).read_bytes())
    return state.hexdigest()


def installed() -> dict[str, object]:
    """Give what the stamp says; nothing when there is no usable environment."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) and (VENV / "bin" / "python").exists() else {}


def version() -> str:
    """Give the version of setup.cfg: pbr finds none itself without git tags."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser["metadata"]["version"]


def run(command: list[str], log: Path) -> None:
    """Run a step of the installation; exits with the end of its output when it fails."""
    environment = {
        "PBR_VERSION": version(),
        # The files that pbr would write from git's history are of no use here.
        "SKIP_WRITE_GIT_CHANGELOG": "1",
        "SKIP_GENERATE_AUTHORS": "1",
        **os.environ,
    }
    with log.open("ab") as output:
        done = subprocess.run(  # noqa: PLW1510 - the status is looked at below
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            cwd=ROOT,
        )
    if done.returncode:
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-25:]
        print("\n".join(tail), file=sys.stderr)
        sys.exit(f"failed: {' '.join(command)} (all of its output: {log})")


def ensure(extras: set[str]) -> Path:
    """Give the environment's ``bin``, made or refreshed so that it holds `extras`."""
    if sys.version_info < OLDEST:
        sys.exit(f"Python {OLDEST[0]}.{OLDEST[1]} or later is needed, this is {sys.version}")
    stamp = installed()
    current = digest()
    before = stamp.get("extras")
    had = set(before) if isinstance(before, list) else set()
    if stamp.get("digest") == current and extras <= had:
        return VENV / "bin"
    wanted = sorted(extras | had)
    start = time.monotonic()
    print("Installing into .venv (a minute or two, only now) ...", file=sys.stderr, flush=True)
    if not stamp and VENV.exists():
        shutil.rmtree(VENV)  # a half-made one
    VENV.mkdir(exist_ok=True)
    log = VENV / "install.log"
    log.write_bytes(b"")
    STAMP.unlink(missing_ok=True)
    run([sys.executable, "-m", "venv", str(VENV)], log)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install"]
    run([*pip, "--editable", f"{ROOT}[{','.join(wanted)}]" if wanted else str(ROOT)], log)
    STAMP.write_text(json.dumps({"digest": current, "extras": wanted}), encoding="utf-8")
    print(f"Installed in {time.monotonic() - start:.0f} s.", file=sys.stderr, flush=True)
    return VENV / "bin"


if __name__ == "__main__":
    ensure(set(sys.argv[1:]))
