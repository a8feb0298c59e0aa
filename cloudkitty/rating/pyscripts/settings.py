# SPDX-License-Identifier: Apache-2.0
"""What the configuration says about scripts."""

from __future__ import annotations

import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg

from cloudkitty.sandbox.confine import Limits

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Settings:
    """How scripts are run; `seconds` is for one script, period and scope."""

    seconds: float
    interpreter: str
    limits: Limits


def from_conf(conf: cfg.ConfigOpts) -> Settings:
    """Read ``[pyscripts]``."""
    group = conf.pyscripts
    return Settings(
        group.time_limit,
        group.interpreter or _this_python(),
        Limits(
            memory=group.memory_limit * _MIB,
            file_size=group.file_size_limit * _MIB,
            processes=group.max_processes,
            network=group.network,
            imports=None if "*" in group.imports else tuple(group.imports),
            user=group.user or None,
        ),
    )


def _this_python() -> str:
    """Give the interpreter of this process, also where it is part of a WSGI server."""
    if Path(sys.executable or "").name.startswith("python"):
        return sys.executable
    for directory in (Path(sys.prefix, "bin"), Path(sysconfig.get_path("scripts"))):
        for name in (f"python{sys.version_info.major}.{sys.version_info.minor}", "python3"):
            if (directory / name).exists():
                return str(directory / name)
    return "python3"
