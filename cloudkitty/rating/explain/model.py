# SPDX-License-Identifier: Apache-2.0
"""What an explanation consists of: plain data, as the API gives it.

Numbers are Decimals. Dates of rules are host-local texts without a zone, as the rules have them.

Keys that may be missing have classes of their own: ``NotRequired`` is not seen where annotations
are texts, as they are here.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, TypedDict

#: What a rule does to the price of a point.
#:
#: ``unit_price``: the highest flat price of its group. ``multiplies``: a rate. ``threshold``: the
#: highest level that is reached. ``lower_flat`` and ``lower_level`` are those that lost to another,
#: ``replaced`` those that another with the same key took the place of: the tenant's own, or a
#: newer one. ``no_effect``: a flat price of zero or less, or a level of -1 or less.
Effect = Literal[
    "unit_price",
    "multiplies",
    "threshold",
    "lower_flat",
    "lower_level",
    "replaced",
    "no_effect",
]


class Reason(TypedDict):
    """Why a price is zero, or is not explained: a word for programs, a sentence for people."""

    code: str
    text: str
    details: dict[str, Any]


class Rule(TypedDict):
    """A rule of hashmap; `tenant` is null for one that is for all."""

    id: str
    kind: Literal["mapping", "threshold"]
    service: str
    field: str | None
    value: str | None
    level: Decimal | None
    type: Literal["flat", "rate"]
    cost: Decimal
    group: str
    tenant: str | None
    start: str | None
    end: str | None


class AppliedRule(Rule):
    """A rule that applies, or would if another (`by`) did not win.

    `compared` is what its value or level was compared with.
    """

    effect: Effect
    by: str | None
    compared: str | Decimal | None


class Group(TypedDict):
    """What one group of hashmap adds: the rules, the arithmetic, the price with it.

    `flat` and `rate` are those of the mappings; `unit_cost` is what they and a threshold of a field
    make for one unit. `amount` is `unit_cost` times `quantity`, then with a threshold of the
    quantity, rounded to 28 digits after each operation. `price` is the price so far.
    """

    group: str
    rules: list[AppliedRule]
    flat: Decimal
    rate: Decimal
    unit_cost: Decimal
    quantity: Decimal
    calculation: str
    amount: Decimal
    price: Decimal
    reasons: list[Reason]


class Script(TypedDict):
    """A script of pyscripts."""

    id: str
    name: str


class _Step(TypedDict):
    module: str
    rules: Literal["recorded", "present"]
    price_before: Decimal
    amount: Decimal
    price_after: Decimal
    reasons: list[Reason]


class Step(_Step, total=False):
    """What one module, or one script, has made of the price.

    `rules` says which: those recorded for the period, or the present ones. `amount` is what it
    added. `groups` are those of hashmap; `details` is what other modules say.
    """

    groups: list[Group]
    script: Script
    details: dict[str, Any]


class _Explanation(TypedDict):
    source: Literal["recorded", "present", "posted"]
    rules_version: str | None
    reproduced: bool | None
    stored_price: Decimal
    explained_price: Decimal | None
    steps: list[Step]
    reasons: list[Reason]


class Explanation(_Explanation, total=False):
    """Which rules made the price of a point.

    `source`: where the rules come from that the steps are by. ``recorded`` are those that made the
    price, ``present`` those in the database now: what is older than the record of rules, or is kept
    in a storage without one. ``posted``: the point came with its price. `rules_version` is told to
    administrators, and null where there is none.

    `reproduced`: whether the steps give the price that is stored; null where there are none. If
    not, `reasons` say what may be the matter. `rounding` is there if the storage had to round.
    """

    rounding: Decimal


def reason(code: str, text: str, **details: Any) -> Reason:
    """Give a reason."""
    return {"code": code, "text": text, "details": details}
