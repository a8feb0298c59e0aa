# SPDX-License-Identifier: Apache-2.0
"""The audit log: who changed which rule, script or module state when, from what to what.

Whoever changes something says so in the same transaction, so that there is no change without an
entry and no entry without a change::

    with db.session_for_write() as session:
        ...
        changes.record(session, [Change("my rule", rule_id, before=old, after=new)])

`before` and `after` are JSON objects, with decimals and dates as they are; None is for what was not
there, or is not there any more. Who does it is known to the log: the API says so for each request,
whoever else wants to be named does his work inside of ``acting(Actor(...))``.

Entries of :mod:`cloudkitty.db.changes.reading` are never changed, and deleted only when they are
older than ``[audit] keep_days`` (:mod:`cloudkitty.db.changes.retention`).
"""

from __future__ import annotations

from cloudkitty.db.changes.actor import API_V1, API_V2, COMMAND, Actor, act, acting
from cloudkitty.db.changes.writing import CREATE, DELETE, UPDATE, Change, keep_source, record

__all__ = [
    "API_V1",
    "API_V2",
    "COMMAND",
    "CREATE",
    "DELETE",
    "UPDATE",
    "Actor",
    "Change",
    "act",
    "acting",
    "keep_source",
    "record",
]
