# SPDX-License-Identifier: Apache-2.0
"""An out-of-tree rating module with tables, written against the imports of rating.md 2.2."""

from acme_rating import migration
from cloudkitty.rating import RatingProcessorBase


class Acme(RatingProcessorBase):
    """Makes everything twice as expensive."""

    module_name = "acme"
    db_api = migration

    def __init__(self, *args, **kwargs):
        raise RuntimeError("the database tool must not instantiate modules")

    def reload_config(self, start=None):
        pass

    def process(self, data):
        return data
