# SPDX-License-Identifier: Apache-2.0
"""Rating modules that are not there as they should be: told before somebody misses their prices."""

from __future__ import annotations

from dataclasses import dataclass

from cloudkitty.db import module_info
from cloudkitty.rating.modules import Modules, find


@dataclass(frozen=True, slots=True)
class Absence:
    """What is wrong with a module; `on` says that it should rate."""

    text: str
    on: bool


def absences(found: Modules | None = None) -> list[Absence]:
    """Give what is wrong, by default with the modules that are installed.

    A module that is on and cannot be loaded stops rating. One that is on and not installed at all
    does not, as there would be no way to switch it off: rating goes on without it. Raises what the
    database raises.
    """
    found = found or find()
    on = {name for name, (enabled, _) in module_info.all_states().items() if enabled}
    wrong = [
        Absence(f"rating module '{name}' cannot be loaded: {error}", on=name in on)
        for name, error in sorted(found.broken.items())
    ]
    known = {cls.module_name for cls in found.classes.values()} | set(found.broken)
    text = "rating module '{}' is switched on but not installed: it rates nothing"
    wrong += [Absence(text.format(name), on=True) for name in sorted(on - known)]
    return wrong
