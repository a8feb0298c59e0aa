# SPDX-License-Identifier: Apache-2.0
"""A rating module of the classic form, with a table and a configuration of its own."""

import sqlalchemy as sa

from acme_rating import controllers, migration, models
from cloudkitty import db, timeutils
from cloudkitty.dataframe import DataFrame
from cloudkitty.rating import RatingProcessorBase


class Discounts(RatingProcessorBase):
    """Takes a percentage off what the modules before it have charged a customer."""

    module_name = "acme"
    description = "Acme's discounts."
    hot_config = True
    config_controller = controllers.AcmeController
    #: What the database tool asks for ``get_migration()``.
    db_api = migration

    def __init__(self, tenant_id=None):
        # Nothing is read here: the API makes instances before there are tables.
        super().__init__(tenant_id)
        self._percent = 0

    def reload_config(self, start=None):
        """Read the discount that is valid when a period begins, the highest if there are many."""
        when = timeutils.naive_local(start or timeutils.utcnow())
        discount = models.Discount
        with db.session_for_read() as session:
            found = session.scalar(
                sa.select(sa.func.max(discount.percent)).where(
                    discount.scope_id == self._tenant_id,
                    discount.deleted.is_(None),
                    discount.start <= when,
                    sa.or_(discount.end.is_(None), discount.end > when),
                )
            )
        self._percent = found or 0

    def process(self, data):
        """Give the frame with lower prices; points are never changed in place."""
        rated = DataFrame(data.start, data.end)
        for metric, point in data.iterpoints():
            off = point.price * self._percent / 100
            rated.add_point(point.set_price(point.price - off), metric)
        return rated
