# SPDX-License-Identifier: Apache-2.0
"""Rating modules of the classic form, as third parties write them."""

from __future__ import annotations

from decimal import Decimal

from cloudkitty.dataframe import DataFrame
from cloudkitty.rating import RatingProcessorBase


class Recording(RatingProcessorBase):
    """Writes down what happens to it."""

    log: list[tuple]

    def __init__(self, tenant_id=None):
        super().__init__(tenant_id)
        self.log.append(("made", tenant_id))

    def reload_config(self, start=None):
        self.log.append(("reload", self._tenant_id, start))

    def process(self, data):
        self.log.append(("process", self._tenant_id, data.start))
        return data


def changing(name, change, **attributes):
    """A module class that sets each price to ``change(point)``."""

    def process(self, data):
        out = DataFrame(data.start, data.end)
        for metric, point in data.iterpoints():
            out.add_point(point.set_price(change(point)), metric)
        return out

    def reload_config(self, start=None):
        pass

    members = {"module_name": name, "process": process, "reload_config": reload_config}
    return type(name, (RatingProcessorBase,), members | attributes)


def doubling(name, **attributes):
    return changing(name, lambda point: point.price * 2, **attributes)


def adding(name, amount, **attributes):
    return changing(name, lambda point: point.price + Decimal(amount), **attributes)


def failing(name, scope=None, **attributes):
    """A module class that fails, for one scope or for all."""

    def process(self, data):
        if scope is None or self._tenant_id == scope:
            raise ZeroDivisionError("bad luck")
        return data

    return changing(name, None, **{"process": process, **attributes})
