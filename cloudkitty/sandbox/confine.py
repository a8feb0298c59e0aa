# SPDX-License-Identifier: Apache-2.0
"""How this process gives up what scripts shall not have: once, before the first script."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import resource
import signal
from pathlib import Path
from typing import Final, NamedTuple

from cloudkitty.sandbox import seccomp

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_OPEN_FILES: Final = 256


class ConfinementError(Exception):
    """Something that the configuration asks for cannot be had here."""


class Limits(NamedTuple):
    """What scripts may use; sizes in bytes, `imports` None for any."""

    memory: int
    file_size: int
    processes: int
    network: bool
    imports: tuple[str, ...] | None
    user: str | None


def confine(limits: Limits) -> list[str]:
    """Take the limits on; gives what could not be done, in words.

    Raises ConfinementError.
    """
    missing = []
    libc = ctypes.CDLL(None, use_errno=True)
    if limits.user:
        _become(limits.user)
    # Scripts end with the service, and what they leave behind can be found.
    libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    libc.prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1))
    for which, value in (
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_FSIZE, limits.file_size),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        _limit(which, value)
    if limits.processes:
        # The kernel counts by user, so what the user runs already is added.
        _limit(resource.RLIMIT_NPROC, _tasks_of_user() + limits.processes)
    try:
        seccomp.install(processes=limits.processes > 0, network=limits.network)
    except seccomp.UnavailableError as exc:
        if not limits.network:
            raise ConfinementError(f"network access cannot be denied here: {exc}") from exc
        missing.append(str(exc))
    if os.getuid() == 0:
        missing.append("scripts run as root: set [pyscripts] user")
    return missing


def _limit(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))


def _become(user: str) -> None:
    try:
        entry = pwd.getpwnam(user)
    except KeyError as exc:
        raise ConfinementError(f"there is no user '{user}'") from exc
    if os.getuid() == entry.pw_uid:
        return
    try:
        os.setgroups([])
        os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
        os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    except OSError as exc:
        raise ConfinementError(f"cannot become user '{user}': {exc}") from exc


def _tasks_of_user() -> int:
    count = 0
    mine = os.getuid()
    for entry in Path("/proc").iterdir():
        # Processes come and go while they are counted.
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == mine:
                count += sum(1 for _ in (entry / "task").iterdir())
    return count
