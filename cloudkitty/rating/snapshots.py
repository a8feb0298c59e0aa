# SPDX-License-Identifier: Apache-2.0
"""Rule sets: which rules made a price, also when they have changed since.

A rule set is what rating depends on beside usage: the modules that are on, in order, with their
priorities, and the rules of each. It is kept under its *version*, a digest of all that, which the
ledger has for every period (``ck_periods.rules_version``). A module gives its rules in *parts*
(``RatingProcessorBase.snapshot``); a part that several versions have in common is kept once, so
that a changed rule costs the part that it is in, not all rules.

Versions are written in a transaction of their own before any point refers to them, and never
change. A module that gives no snapshot is recorded by name.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from oslo_db import api as db_api
from oslo_db import exception as db_exc
from sqlalchemy.orm import Session

from cloudkitty import db, timeutils
from cloudkitty.db import models

#: Parts read or looked for in one statement.
_CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class RecordedModule:
    """A module that was on: the name of its entry point, its priority, its rules.

    `snapshot` has the parts of its rules by name, as the module gave them; None when it gave none.
    """

    name: str
    priority: int
    snapshot: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The modules that were on, in order of rating."""

    version: str
    modules: tuple[RecordedModule, ...]

    @property
    def unrecorded(self) -> tuple[str, ...]:
        """The modules whose rules are not in it."""
        return tuple(module.name for module in self.modules if module.snapshot is None)


class DamagedError(Exception):
    """A rule set in the database cannot be read; the text says which and why."""


def save(modules: Sequence[RecordedModule]) -> str:
    """Write a rule set down unless it is there already; gives its version.

    Any number of processes may do so at the same time. Raises ValueError naming a module whose
    snapshot is no JSON, and what the database raises.
    """
    version, text, contents = _digested(modules)
    _store(version, text, contents)
    return version


def of(modules: Sequence[RecordedModule]) -> RuleSet:
    """Give modules as a rule set, without writing it down."""
    return RuleSet(_digested(modules)[0], tuple(modules))


def _digested(
    modules: Sequence[RecordedModule],
) -> tuple[str, bytes, dict[str, tuple[str, bytes]]]:
    """Give version and text of a rule set, and its parts: digest -> module and text."""
    contents: dict[str, tuple[str, bytes]] = {}
    listed = [
        [
            module.name,
            module.priority,
            None
            if module.snapshot is None
            else [
                [part, _digest(module.name, data, contents)]
                for part, data in module.snapshot.items()
            ],
        ]
        for module in modules
    ]
    text = _json(listed)
    return hashlib.sha256(text).hexdigest(), text, contents


def load(version: str) -> RuleSet | None:
    """Read a rule set; None when there is none of that version.

    Raises DamagedError, and what the database raises.
    """
    with db.session_for_read() as session:
        packed = session.scalar(
            sa.select(models.RuleSet.modules).where(models.RuleSet.version == version),
        )
        if packed is None:
            return None
        listed = _unpacked(packed, version)
        wanted = {digest for _name, _rank, parts in listed for _part, digest in parts or ()}
        contents = _contents(session, wanted, version)
    return RuleSet(
        version,
        tuple(
            RecordedModule(
                name,
                priority,
                None if parts is None else {part: contents[digest] for part, digest in parts},
            )
            for name, priority, parts in listed
        ),
    )


def _digest(module: str, data: Any, contents: dict[str, tuple[str, bytes]]) -> str:
    try:
        text = _json(data)
    except (TypeError, ValueError) as exc:
        raise ValueError(f"rating module '{module}' gave rules that are no JSON: {exc}") from exc
    digest = hashlib.sha256(text).hexdigest()
    contents[digest] = (module, text)
    return digest


# Whoever writes the same at the same moment is looked at again: then it is there.
@db_api.wrap_db_retry(
    max_retries=10,
    retry_interval=0.05,
    inc_retry_interval=True,
    max_retry_interval=2,
    jitter=True,
    retry_on_deadlock=True,
    exception_checker=lambda exc: isinstance(exc, db_exc.DBDuplicateEntry),
)
def _store(version: str, text: bytes, contents: Mapping[str, tuple[str, bytes]]) -> None:
    with db.session_for_read() as session:
        if _has(session, version):
            return
        missing = sorted(contents.keys() - _known(session, contents))
    with db.session_for_write() as session:
        for digest in missing:
            module, content = contents[digest]
            row = {"digest": digest, "module": module, "data": zlib.compress(content)}
            session.execute(sa.insert(models.RuleContent).values(**row))
        session.execute(
            sa.insert(models.RuleSet).values(
                version=version,
                created=timeutils.to_epoch(timeutils.utcnow()),
                modules=zlib.compress(text),
            ),
        )


def _has(session: Session, version: str) -> bool:
    found = sa.select(models.RuleSet.version).where(models.RuleSet.version == version)
    return session.scalar(found) is not None


def _known(session: Session, digests: Iterable[str]) -> set[str]:
    column = models.RuleContent.digest
    return {
        digest
        for some in _chunks(digests)
        for digest in session.scalars(sa.select(column).where(column.in_(some)))
    }


def _contents(session: Session, digests: Iterable[str], version: str) -> dict[str, Any]:
    row = models.RuleContent
    found = {
        digest: _unpacked(data, version)
        for some in _chunks(digests)
        for digest, data in session.execute(
            sa.select(row.digest, row.data).where(row.digest.in_(some)),
        )
    }
    if missing := set(digests) - found.keys():
        raise DamagedError(f"rule set {version} lacks {len(missing)} of its parts")
    return found


def _chunks(digests: Iterable[str]) -> Iterable[list[str]]:
    wanted = sorted(digests)
    return (wanted[start : start + _CHUNK] for start in range(0, len(wanted), _CHUNK))


def _json(data: Any) -> bytes:
    return json.dumps(data, separators=(",", ":"), allow_nan=False).encode()


def _unpacked(packed: bytes, version: str) -> Any:
    try:
        return json.loads(zlib.decompress(packed))
    except (zlib.error, ValueError) as exc:
        raise DamagedError(f"rule set {version} cannot be read: {exc}") from exc
