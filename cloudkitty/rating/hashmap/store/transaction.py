# SPDX-License-Identifier: Apache-2.0
"""Transactions that write hashmap rules: one writer at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloudkitty.rating.common.db.transaction import write
from cloudkitty.rating.hashmap.models import Service


@contextmanager
def write_rules() -> Iterator[Session]:
    """Yield a session for a change that must not meet another one: checks, then writes.

    Whether two rules overlap no unique key can say. Every writer therefore locks the services,
    always in the same order; a rule has a service above it, so there is one to meet at. (SQLite
    has one writer at a time anyway.) The locking read comes first: what the transaction reads
    afterwards is what the writer before it has committed.
    """
    with write() as session:
        session.execute(select(Service.id).order_by(Service.id).with_for_update()).all()
        yield session
