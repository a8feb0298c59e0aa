# SPDX-License-Identifier: Apache-2.0
"""How ``cloudkitty-status rating check`` shows what it found: text, or JSON for monitoring.

The first line of the text says it all: that is what monitoring systems show.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from cloudkitty.cli.collect_check import Level
from cloudkitty.cli.rating_check import Report
from cloudkitty.rating.coverage import answer

TITLE: Final = "Rating Check Results"
_WORDS: Final = {Level.FINE: "ok", Level.WARNING: "warning", Level.ERROR: "error"}
_LONGEST: Final = 60


def as_json(report: Report) -> str:
    """Give the report as one JSON document; numbers with a point are texts with all digits."""
    document: dict[str, Any] = {
        "name": TITLE,
        "result": int(report.level),
        "error": report.error,
        "coverage": report.found,
    }
    return json.dumps(document, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dt.datetime):
        return value.isoformat()
    raise TypeError(f"{type(value)} has no JSON")


def as_table(report: Report) -> str:
    """Give the report as text."""
    lines = [f"{TITLE}: {_WORDS[report.level]}: {_summary(report)}"]
    if report.found is not None:
        lines += _body(report.found)
    return "\n".join(lines)


def _summary(report: Report) -> str:
    found = report.found
    if found is None:
        return report.error or ""
    parts = []
    warnings = report.warnings
    if warnings.get("unpriced"):
        points = f"{found['points']['unpriced']} of {found['points']['total']} points"
        parts.append(f"{points} without a price ({_many(warnings['unpriced'], 'finding')})")
    if warnings.get("unused"):
        parts.append(f"{_many(warnings['unused'], 'rule')} without usage")
    if warnings.get("overlaps"):
        parts.append(f"{_many(warnings['overlaps'], 'overlap')} to look at")
    return ", ".join(parts) or f"{found['points']['total']} points"


def _body(found: answer.RatingCoverage) -> Iterator[str]:
    points = found["points"]
    yield f"Interval  {found['begin'].isoformat()} to {found['end'].isoformat()}"
    modules = (
        f"{one['module_id']} {'on' if one['enabled'] else 'off'}" for one in found["modules"]
    )
    yield f"Modules   {', '.join(modules)}"
    yield (
        f"Points    {points['total']}: {points['priced']} priced, "
        f"{points['priced_at_zero']} priced at zero, "
        f"{points['without_quantity']} without quantity, {points['unpriced']} unpriced, "
        f"{points['ignored']} ignored"
    )
    for note in found["notes"]:
        yield f"note: {note}"
    totals = found["totals"]
    yield from _usage("Usage without a price", found["unpriced"], totals["unpriced"])
    yield from _usage("Priced at zero", found["priced_at_zero"], totals["priced_at_zero"])
    yield from _rules(found["unused_rules"], totals["unused_rules"])
    yield from _overlaps(found["overlaps"], totals["overlaps"])


def _usage(title: str, entries: Sequence[answer.UnpricedUsage], total: int) -> Iterator[str]:
    if not entries:
        return
    yield from _title(title, len(entries), total)
    for one in entries:
        ignored = " (ignored)" if one["ignored"] else ""
        yield f"{one['type']}: {_amount(one, one['unit'])}: {one['text']}{ignored}"
        for some in one["values"]:
            if some["values"]:
                yield f"    {_values(some['values'])}: {_amount(some, one['unit'])}"
        if one["more_values"]:
            yield f"    and {one['more_values']} more"


def _rules(entries: Sequence[answer.UnusedMappingOrThreshold], total: int) -> Iterator[str]:
    if not entries:
        return
    yield from _title("Rules without usage", len(entries), total)
    for one in entries:
        by = f" ({', '.join(one['replaced_by'])})" if one["replaced_by"] else ""
        yield f"{one['result']}: {_rule(one)}: {one['text']}{by}"
        yield f"    {one['kind']} {one['id']}"


def _rule(one: answer.UnusedMappingOrThreshold) -> str:
    parent = one["service"] if one["field"] is None else f"{one['service']} {one['field']}"
    if one["value"] is not None:
        parent += f"={_short(one['value'])}"
    if one["level"] is not None:
        parent += f" from {one['level']:f}"
    details = [f"{one['type']} {one['cost']:f}"]
    details += [f"group {one['group']}"] if one["group"] else []
    details += [f"scope {one['tenant_id']}"] if one["tenant_id"] else []
    details += [f"until {one['end'].isoformat()}"] if one["end"] else []
    return f"{parent}, {', '.join(details)}"


def _overlaps(entries: Sequence[answer.RuleOverlap], total: int) -> Iterator[str]:
    if not entries:
        return
    yield from _title("Rules that come together", len(entries), total)
    for one in entries:
        yield f"{one['result']}: {one['service']}: {one['text']} ({_amount(one)})"
        for part in one["parts"]:
            parent = part["field"] or "the service"
            group = f"group {part['group']}" if part["group"] else "no group"
            yield f"    {group}, {part['kind']} of {parent}: {', '.join(part['rules'])}"
        example = one["example"]
        if example is not None:
            values = f": {_values(example['values'])}" if example["values"] else ""
            yield f"    for example scope {example['scope_id'] or '-'}{values}"


def _title(title: str, shown: int, total: int) -> Iterator[str]:
    yield ""
    yield title if shown == total else f"{title} (the first {shown} of {total})"
    yield "-" * len(title)


def _amount(one: Mapping[str, Any], unit: str = "") -> str:
    series, scopes = _many(one["series"], "series", "series"), _many(one["scopes"], "scope")
    qty = f", {one['qty']:f} {unit}" if unit else ""
    return f"{_many(one['points'], 'point')}{qty}, {series} of {scopes}"


def _values(values: Mapping[str, str | None]) -> str:
    return ", ".join(
        f"no {name}" if value is None else f"{name}={_short(value)}"
        for name, value in values.items()
    )


def _many(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def _short(text: str) -> str:
    line = "".join(char if char.isprintable() else "?" for char in text)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
