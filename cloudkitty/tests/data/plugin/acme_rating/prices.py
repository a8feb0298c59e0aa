# SPDX-License-Identifier: Apache-2.0
"""A rating module of the batch form: what one unit costs, from the configuration."""

from decimal import Decimal

from acme_rating import options
from cloudkitty.dataframe import DataFrame
from cloudkitty.rating import RatingProcessorBase, Stage


class Prices(RatingProcessorBase):
    """Adds the price of ``[acme_prices] prices`` for each unit."""

    module_name = "acme_prices"
    description = "Acme's price list."
    batch = True

    def __init__(self, tenant_id=None):
        super().__init__(tenant_id)
        self._prices = {}
        self._restored = False

    # batch form
    def begin_batch(self):
        """Read what may have changed since the last batch."""
        if not self._restored:
            listed = options.group("acme_prices").prices
            self._prices = {metric: Decimal(price) for metric, price in listed.items()}

    def rate_usage(self, usage):
        """Rate all periods of a scope at once, in place."""
        for series in usage.series:
            price = self._prices.get(series.metric, Decimal(0))
            series.prices = [
                before + price * qty for before, qty in zip(series.prices, series.qtys, strict=True)
            ]

    # classic form
    def reload_config(self, start=None):
        """Read the prices; those of a list have no dates."""
        self.begin_batch()

    def process(self, data):
        """Rate one frame: for quotes, and beside modules that have no batch form."""
        rated = DataFrame(data.start, data.end)
        for metric, point in data.iterpoints():
            price = self._prices.get(metric, Decimal(0))
            rated.add_point(point.set_price(point.price + price * point.qty), metric)
        return rated

    # explain
    #: A price depends on its point alone.
    pointwise = True

    def explain(self, data, *, everything=False):
        """Rate a frame, and say for each point why."""
        metrics = [metric for metric, _point in data.iterpoints()]

        def why(number):
            price = self._prices.get(metrics[number])
            if price is not None:
                return {"details": {"unit_price": price}}
            text = f"{metrics[number]} is not in the price list"
            return {"reasons": [{"code": "not_listed", "text": text, "details": {}}]}

        yield Stage(self.process(data), why)

    # rules that are kept
    @property
    def version(self):
        """Differs whenever the rules do."""
        return ";".join(f"{metric}:{price}" for metric, price in sorted(self._prices.items()))

    def snapshot(self):
        """Give the rules in use, as JSON data."""
        return {"prices": {metric: str(price) for metric, price in self._prices.items()}}

    def restore(self, snapshot):
        """Use the rules of a snapshot."""
        prices = snapshot["prices"]
        self._prices = {metric: Decimal(price) for metric, price in prices.items()}
        self._restored = True
