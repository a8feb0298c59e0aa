# SPDX-License-Identifier: Apache-2.0
"""The configuration of the discounts, below ``/v1/rating/module_config/acme``."""

import uuid

import pecan
import sqlalchemy as sa
import wsme.exc
from wsme import types as wtypes
from wsmeext.pecan import wsexpose

from acme_rating import models
from cloudkitty import db, timeutils
from cloudkitty.db import changes
from cloudkitty.rating import RatingRestControllerBase
from cloudkitty.rating.common.datamodels.models import VolatileAuditableModel
from cloudkitty.rating.common.db.filters import get_filters
from cloudkitty.rating.common.validations import fields


class Discount(VolatileAuditableModel):
    """A discount on the wire; the base has start, end and who made it."""

    discount_id = wtypes.wsattr(wtypes.text)
    scope_id = wtypes.wsattr(wtypes.StringType(min_length=1, max_length=255), mandatory=True)
    percent = wtypes.wsattr(wtypes.IntegerType(minimum=1, maximum=100), mandatory=True)


class Discounts(wtypes.Base):
    """A list of them."""

    discounts = [Discount]


class DiscountsController(RatingRestControllerBase):
    """The base lets only those in whom the policy ``rating:module_config`` allows."""

    @wsexpose(Discounts, bool)
    def get_all(self, is_active=False):
        """List the discounts that are not deleted, or those that are valid now."""
        query = get_filters(sa.select(models.Discount), models.Discount, is_active=is_active)
        with db.session_for_read() as session:
            found = session.scalars(query.order_by(models.Discount.id))
            return Discounts(discounts=[_shown(row) for row in found])

    @wsexpose(Discount, wtypes.text)
    def get_one(self, discount_id):
        """Show one discount."""
        with db.session_for_read() as session:
            return _shown(_find(session, discount_id))

    @wsexpose(Discount, bool, body=Discount, status_code=201)
    def post(self, force=False, discount=None):
        """Make a discount; one that begins in the past only with `force`."""
        fields.validate_resource(discount, force=force)
        row = models.Discount(
            discount_id=str(uuid.uuid4()),
            scope_id=discount.scope_id,
            percent=discount.percent,
            created_by=pecan.request.context.user_id or "unknown",
        )
        for name in ("start", "end", "name", "description"):
            if getattr(discount, name):
                setattr(row, name, getattr(discount, name))
        with db.session_for_write() as session:
            session.add(row)
            session.flush()
            # In the same transaction: no change without an entry in the audit log.
            change = changes.Change("acme discount", row.discount_id, after=_logged(row))
            changes.record(session, [change])
            return _shown(row)

    @wsexpose(None, wtypes.text, status_code=204)
    def delete(self, discount_id):
        """Delete a discount; the row stays, so that one can see later what there was."""
        with db.session_for_write() as session:
            row = _find(session, discount_id)
            row.deleted = timeutils.naive_local(timeutils.utcnow())
            row.deleted_by = pecan.request.context.user_id or "unknown"
            change = changes.Change("acme discount", discount_id, before=_logged(row))
            changes.record(session, [change])


class AcmeController(RatingRestControllerBase):
    """What lies directly below the module's name."""

    discounts = DiscountsController()


def _find(session, discount_id):
    query = get_filters(sa.select(models.Discount), models.Discount)
    row = session.scalar(query.where(models.Discount.discount_id == discount_id))
    if row is None:
        raise wsme.exc.ClientSideError(f"No such discount: {discount_id}", status_code=404)
    return row


def _shown(row):
    names = [attribute.key for attribute in wtypes.list_attributes(Discount)]
    return Discount(**{name: getattr(row, name) for name in names})


def _logged(row):
    names = ("scope_id", "percent", "start", "end", "name", "description")
    return {name: getattr(row, name) for name in names}
