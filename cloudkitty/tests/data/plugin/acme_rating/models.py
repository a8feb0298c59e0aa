# SPDX-License-Identifier: Apache-2.0
"""Its table."""

import sqlalchemy as sa

from cloudkitty.common.db.models import get_base
from cloudkitty.rating.common.db.models import VolatileAuditableModel

Base = get_base()


class Discount(Base, VolatileAuditableModel):
    __tablename__ = "acme_discounts"

    id = sa.Column(sa.Integer, primary_key=True)
    percent = sa.Column(sa.Integer, nullable=False)
