# SPDX-License-Identifier: Apache-2.0
"""Scripts as data that can be kept, and back (:mod:`cloudkitty.rating.snapshots`).

One part says which scripts there are; each source is a part of its own, so that a script whose
dates change is not kept twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from cloudkitty.rating.pyscripts.scripts import Script, Scripts
from cloudkitty.rating.pyscripts.store import source
from cloudkitty.sandbox.engine import Source

_LIST: Final = "scripts"
# Sources are bytes in any encoding: each byte is kept as one character.
_BYTES: Final = "latin-1"


def parts(scripts: Scripts) -> dict[str, Any]:
    """Give the scripts and their sources, as JSON data."""
    listed = []
    sources: dict[str, str] = {}
    for script in scripts.scripts:
        code = scripts.sources[script.key].code
        checksum = source.checksum(code)
        sources[checksum] = code.decode(_BYTES)
        dates = [script.start.isoformat(), script.end and script.end.isoformat()]
        listed.append([script.id, script.script_id, script.name, *dates, checksum])
    return {_LIST: listed, **sources}


def scripts(parts: Mapping[str, Any]) -> Scripts:
    """Give the scripts of parts; raises KeyError, TypeError or ValueError for what is none."""
    found, sources = [], {}
    for id_, script_id, name, start, end, checksum in parts[_LIST]:
        key = f"{id_} {checksum} {name}"
        sources[key] = Source(key, name, parts[checksum].encode(_BYTES))
        found.append(
            Script(
                key,
                id_,
                name,
                dt.datetime.fromisoformat(start),
                None if end is None else dt.datetime.fromisoformat(end),
                script_id,
            )
        )
    return Scripts(found, sources)
