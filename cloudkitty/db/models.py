# SPDX-License-Identifier: Apache-2.0
"""Tables of the core sub-tree (contract sql-schema.md 3.1), and our own."""

from __future__ import annotations

import sqlalchemy as sa
from oslo_db.sqlalchemy import models
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from cloudkitty.db.base import new_metadata
from cloudkitty.db.types import ExactText

# SQLite counts up only what is declared INTEGER.
_COUNTED = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_JSON = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
# What is compressed: it may be longer than 64 KiB.
_DATA = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


class Base(DeclarativeBase, models.ModelBase):
    """Base of the tables of this sub-tree."""

    metadata = new_metadata()


class StateInfo(Base):
    """A key and a value; kept because old databases have the table."""

    __tablename__ = "states"

    name: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    state: Mapped[int] = mapped_column(sa.BigInteger, nullable=False)
    s_metadata: Mapped[str | None] = mapped_column(sa.Text, default="")


class ModuleState(Base):
    """Whether a rating module is on, and its rank; a priority of NULL or 0 counts as 1."""

    __tablename__ = "modules_state"

    name: Mapped[str] = mapped_column(ExactText(255), primary_key=True)
    state: Mapped[bool] = mapped_column(sa.Boolean, nullable=False, default=False)
    priority: Mapped[int | None] = mapped_column(sa.Integer, default=1)


class ServiceToCollectorMapping(Base):
    """Served by the deprecated v1 collector API; collects nothing."""

    __tablename__ = "service_to_collector_mappings"

    service: Mapped[str] = mapped_column(ExactText(255), primary_key=True)
    collector: Mapped[str] = mapped_column(ExactText(255), nullable=False)


class IdempotencyKey(Base):
    """A request that must not be carried out twice; see :mod:`cloudkitty.db.idempotency`."""

    __tablename__ = "ck_idempotency_keys"

    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    body: Mapped[str] = mapped_column(sa.String(64), nullable=False)
    expires: Mapped[int] = mapped_column(sa.BigInteger, nullable=False, index=True)


class RuleSet(Base):
    """The rating modules that were on and their rules; see :mod:`cloudkitty.rating.snapshots`.

    `version` is what the ledger has as ``rules_version``, `created` in epoch seconds.
    """

    __tablename__ = "ck_rule_sets"

    version: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    created: Mapped[int] = mapped_column(sa.BigInteger, nullable=False)
    #: Compressed JSON: name, priority and parts of each module, in order of rating.
    modules: Mapped[bytes] = mapped_column(_DATA, nullable=False)


class RuleContent(Base):
    """A part of a module's rules, which any number of rule sets may have in common."""

    __tablename__ = "ck_rule_contents"

    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    #: The module that it was first written for; informative.
    module: Mapped[str] = mapped_column(sa.String(255), nullable=False)
    #: Compressed JSON.
    data: Mapped[bytes] = mapped_column(_DATA, nullable=False)


class AuditEntry(Base):
    """A change of a rule, a script or a module; see :mod:`cloudkitty.db.changes`.

    Numbers are never used again, so a later entry has a greater one. `time` is in microseconds
    since the epoch. `object_number` is the number of the row that was changed: of two objects of a
    kind that were there at a time, the older one has the smaller. `before` and `after` are JSON,
    NULL when the object was not there.
    """

    __tablename__ = "ck_audit"
    __table_args__ = (
        {
            "sqlite_autoincrement": True,
            "mysql_engine": "InnoDB",
            "mysql_charset": "utf8mb4",
            "mysql_collate": "utf8mb4_bin",
        },
    )

    id: Mapped[int] = mapped_column(_COUNTED, primary_key=True)
    time: Mapped[int] = mapped_column(sa.BigInteger, nullable=False, index=True)
    user_id: Mapped[str | None] = mapped_column(sa.String(255))
    project_id: Mapped[str | None] = mapped_column(sa.String(255))
    request_id: Mapped[str | None] = mapped_column(sa.String(255))
    way: Mapped[str] = mapped_column(sa.String(32), nullable=False)
    kind: Mapped[str] = mapped_column(sa.String(64), nullable=False, index=True)
    object_id: Mapped[str] = mapped_column(sa.String(255), nullable=False, index=True)
    object_number: Mapped[int | None] = mapped_column(sa.BigInteger)
    action: Mapped[str] = mapped_column(sa.String(16), nullable=False)
    before: Mapped[str | None] = mapped_column(_JSON)
    after: Mapped[str | None] = mapped_column(_JSON)


class AuditSource(Base):
    """The source of a script that entries of the audit log name by its checksum.

    `used` is the time of the newest of them, in microseconds since the epoch.
    """

    __tablename__ = "ck_audit_sources"

    checksum: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    #: Compressed with zlib.
    data: Mapped[bytes] = mapped_column(_DATA, nullable=False)
    used: Mapped[int] = mapped_column(sa.BigInteger, nullable=False)
