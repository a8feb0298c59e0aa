# SPDX-License-Identifier: Apache-2.0
"""The table of the discounts."""

import sqlalchemy as sa

from cloudkitty.common.db.models import get_base
from cloudkitty.rating.common.db.models import VolatileAuditableModel

#: A base, and so a history of migrations, of its own.
Base = get_base()


class Discount(Base, VolatileAuditableModel):
    """A discount, valid for a time; who made it is kept."""

    __tablename__ = "acme_discounts"

    id = sa.Column(sa.Integer, primary_key=True)
    discount_id = sa.Column(sa.String(36), nullable=False, unique=True)
    scope_id = sa.Column(sa.String(255), nullable=False)
    percent = sa.Column(sa.Integer, nullable=False)
