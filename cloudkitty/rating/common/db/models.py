# SPDX-License-Identifier: Apache-2.0
"""Columns of rules that are valid for a time and remember who changed them."""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from cloudkitty.rating.dates import local_now


class VolatileAuditableModel:
    """Mixin with validity window, audit and soft deletion (contract rating.md 2.2).

    Dates are host-local and naive. A rule is valid from `start` until before `end`; one with a
    `deleted` date is never valid.
    """

    name: Mapped[str] = mapped_column(sa.String(32), default=lambda: uuid.uuid4().hex)
    created_at: Mapped[dt.datetime] = mapped_column(
        sa.DateTime, default=local_now, server_default=sa.func.now()
    )
    start: Mapped[dt.datetime] = mapped_column(
        sa.DateTime, default=local_now, server_default=sa.func.now()
    )
    end: Mapped[dt.datetime | None] = mapped_column(sa.DateTime)
    description: Mapped[str | None] = mapped_column(sa.Text)
    deleted: Mapped[dt.datetime | None] = mapped_column(sa.DateTime)
    created_by: Mapped[str] = mapped_column(sa.String(255))
    updated_by: Mapped[str | None] = mapped_column(sa.String(255))
    deleted_by: Mapped[str | None] = mapped_column(sa.String(255))
