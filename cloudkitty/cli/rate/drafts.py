# SPDX-License-Identifier: Apache-2.0
"""Explanations of frames by the rules of a document, in the form that the API gives them in.

Rules of a document have no ids; they are called by their places in it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from cloudkitty import service, timeutils
from cloudkitty.dataframe import DataFrame
from cloudkitty.rating.document import Document, model
from cloudkitty.rating.document.cases import Case, Input
from cloudkitty.rating.explain.chain import Chain, Explained
from cloudkitty.rating.hashmap import record as hashmap
from cloudkitty.rating.hashmap.rules import Rules
from cloudkitty.rating.pyscripts import record as pyscripts
from cloudkitty.rating.pyscripts.scripts import Scripts
from cloudkitty.rating.snapshots import RecordedModule, RuleSet
from cloudkitty.storage.v2.base import Placed

_ZERO: Final = Decimal(0)


def answer(args: argparse.Namespace, rules: Document | None, found: Input) -> Mapping[str, Any]:
    """Explain every point of the input; raises Refused for a case without rules."""
    shared = None if rules is None else Chain(_rule_set(rules), present=True)
    pairs: list[tuple[Placed, Mapping[str, Any]]] = []
    for case in found.cases:
        chain = shared
        if chain is None:
            if case.document is None:
                where = f"{args.input}: {case.place}" if case.place else args.input
                raise service.Refused(f"{where}: it has no rules of its own: give --rules")
            chain = Chain(_rule_set(case.document), present=True)
        tenant = args.tenant if case.tenant is None else case.tenant
        pairs.extend(_explained(case, chain, tenant, from_zero=args.from_zero))
    return paged(len(pairs), pairs)


def paged(total: int, pairs: Iterable[tuple[Placed, Any]]) -> dict[str, Any]:
    """Give points and their explanations as ``GET /v2/dataframes`` does."""
    frames: list[dict[str, Any]] = []
    period: tuple[Any, Any] | None = None
    for placed, explanation in pairs:
        if period != (placed.start, placed.end):
            period = (placed.start, placed.end)
            shown = {"begin": placed.start, "end": placed.end}
            frames.append({"period": shown, "usage": {}})
        point = {**placed.point.as_dict(mutable=True), "explanation": explanation}
        frames[-1]["usage"].setdefault(placed.metric, []).append(point)
    return {"total": total, "dataframes": frames}


def _explained(
    case: Case, chain: Chain, tenant: str | None, *, from_zero: bool
) -> Iterator[tuple[Placed, Mapping[str, Any]]]:
    frame = DataFrame(case.frame.start, case.frame.end)
    for metric, point in case.frame.iterpoints():
        if point.qty.is_finite():  # as rating refuses the others
            frame.add_point(point.set_price(_ZERO) if from_zero else point, metric)
    stored = [p.price for _metric, p in case.frame.iterpoints() if p.qty.is_finite()]
    points = list(frame.iterpoints())
    wanted = range(len(points))
    found = chain.explain(frame, wanted, tenant, everything=True, begin=case.begin)
    start, end = (timeutils.as_local(bound) for bound in (frame.start, frame.end))
    for number, (metric, point) in enumerate(points):
        was = stored[number] if from_zero else None
        explanation = _explanation(found[number], was)
        price = explanation["explained_price"]
        shown = point if price is None else point.set_price(price)
        yield Placed(start, end, metric, shown), explanation


def _explanation(found: Explained, stored: Decimal | None) -> dict[str, Any]:
    price = None if found.point is None else found.point.price
    reasons = list(found.reasons)
    if price is not None and not price:
        reasons += [why for step in found.steps for why in step["reasons"]]
    return {
        "source": "document",
        "rules_version": None,
        "reproduced": None if stored is None or price is None else price == stored,
        "stored_price": stored,
        "explained_price": price,
        "steps": found.steps,
        "reasons": reasons,
    }


def _rule_set(document: Document) -> RuleSet:
    """Give the modules of a document in their order, with names for its rules."""
    known = document.hashmap
    named = Rules(
        known.services,
        tuple(
            rule._replace(id=_place(document, said))
            for rule, said in zip(known.mappings, document.mappings, strict=True)
        ),
        tuple(
            rule._replace(id=_place(document, said))
            for rule, said in zip(known.thresholds, document.thresholds, strict=True)
        ),
    )
    scripts = document.pyscripts
    called = Scripts(
        (
            script._replace(script_id=_place(document, said))
            for script, said in zip(scripts.scripts, document.scripts, strict=True)
        ),
        scripts.sources,
    )
    parts = {model.HASHMAP: hashmap.parts(named), model.PYSCRIPTS: pyscripts.parts(called)}
    modules = (RecordedModule(name, 1, parts[name]) for name in document.order())
    return RuleSet("", tuple(modules))


def _place(document: Document, rule: model.Mapping | model.Threshold | model.Script) -> str:
    return rule.path if rule.line is None else f"{document.source}:{rule.line}"
