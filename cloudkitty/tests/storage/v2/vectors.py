# SPDX-License-Identifier: Apache-2.0
"""Plays ``tests/data/vectors/storage.json`` on a driver; see STORAGE.md beside it."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from werkzeug import exceptions

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame

DATA = Path(__file__).parents[2] / "data" / "vectors" / "storage.json"


def scenarios() -> list[dict[str, Any]]:
    return json.loads(DATA.read_text())["scenarios"]


def frames_of(scenario: dict[str, Any]) -> list[DataFrame]:
    given = scenario.get("frames") or []
    pattern = scenario.get("frames_pattern")
    if pattern:
        begin = dt.datetime.fromisoformat(pattern["begin"])
        step = dt.timedelta(seconds=pattern["step"])

        def pick(value: Any, index: int) -> Any:
            return value[index % len(value)] if isinstance(value, list) else value

        given = [
            {
                "period": {
                    "begin": (begin + step * i).isoformat(),
                    "end": (begin + step * (i + 1)).isoformat(),
                },
                "usage": {
                    pick(pattern["type"], i): [
                        {
                            "vol": {"unit": pattern["unit"], "qty": pick(pattern["qty"], i)},
                            "rating": {"price": pick(pattern["price"], i)},
                            "groupby": {k: pick(v, i) for k, v in pattern["groupby"].items()},
                            "metadata": {
                                k: pick(v, i) for k, v in pattern.get("metadata", {}).items()
                            },
                        },
                    ],
                },
            }
            for i in range(pattern["count"])
        ]
    return [DataFrame.from_dict(frame) for frame in given]


def arguments(args: dict[str, Any]) -> dict[str, Any]:
    found = dict(args)
    for name in ("begin", "end"):
        if found.get(name) is not None:
            found[name] = dt.datetime.fromisoformat(found[name])
    return found


def plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return value


def play(storage: Any, step: dict[str, Any]) -> None:
    """Carry out one step; fails when the answer is not the expected one."""
    call, args = step["call"], arguments(step.get("args", {}))
    if "expected_error" in step:
        with pytest.raises(exceptions.HTTPException) as caught:
            getattr(storage, call)(**args)
        assert caught.value.code == step["expected_error"]["http_status"]
    elif call == "push":
        assert storage.push([DataFrame.from_dict(f) for f in args["frames"]]) is None
    elif call == "delete":
        assert storage.delete(**args) is None
    elif call.endswith("_pages"):
        _walk(getattr(storage, call.removesuffix("_pages")), args, step["expected"])
    elif call == "total":
        found = storage.total(**args)
        assert found["total"] == step["expected"]["total"]
        same_rows(found["results"], step["expected"]["results"])
    else:
        found = storage.retrieve(**args)
        assert found["total"] == step["expected"]["total"]
        same_frames(found["dataframes"], step["expected"]["dataframes"])


def _walk(method: Any, args: dict[str, Any], expected: dict[str, Any]) -> None:
    sizes, pieces, offset = [], [], 0
    while True:
        found = method(**args, offset=offset)
        assert found["total"] == expected["total"]
        part = found.get("results", found.get("dataframes"))
        size = len(part) if "results" in found else sum(len(list(f.iterpoints())) for f in part)
        if not size:
            break
        sizes.append(size)
        pieces += part
        offset += args["limit"]
    assert sizes == expected["page_sizes"]
    if "results" in expected:
        same_rows(pieces, expected["results"])
    else:
        merged: dict[Any, DataFrame] = {}
        for frame in pieces:
            known = merged.setdefault((frame.start, frame.end), DataFrame(frame.start, frame.end))
            for metric, point in frame.iterpoints():
                known.add_point(point, metric)
        same_frames(list(merged.values()), expected["dataframes"])


def same_rows(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert len(found) == len(expected)
    for row, wanted in zip(found, expected, strict=True):
        assert list(row) == list(wanted)
        for name, value in wanted.items():
            _same(plain(row[name]), value)


def same_frames(found: list[DataFrame], expected: list[dict[str, Any]]) -> None:
    assert len(found) == len(expected)
    for frame, wanted in zip(found, expected, strict=True):
        assert frame.start.isoformat() == wanted["period"]["begin"]
        assert frame.end.isoformat() == wanted["period"]["end"]
        usage = frame.as_dict(mutable=True)["usage"]
        assert usage.keys() == wanted["usage"].keys()
        for metric, points in wanted["usage"].items():
            assert Counter(map(_key, usage[metric])) == Counter(map(_key, points))


def _key(point: dict[str, Any]) -> str:
    """A text that is equal for points that are equal within the tolerance of the vectors."""

    def number(value: Any) -> str:
        return f"{float(value):.9e}"

    return json.dumps(
        [
            {**point["vol"], "qty": number(point["vol"]["qty"])},
            {**point["rating"], "price": number(point["rating"]["price"])},
            point["groupby"],
            point["metadata"],
        ],
        sort_keys=True,
    )


def _same(found: Any, expected: Any) -> None:
    if isinstance(expected, int | float) and not isinstance(expected, bool):
        assert isinstance(found, int | float)
        assert math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
    else:
        assert found == expected


def freeze(monkeypatch: pytest.MonkeyPatch, now: str | None) -> None:
    """Stop the clock that default intervals look at."""
    if now:
        instant = timeutils.as_utc(dt.datetime.fromisoformat(now))
        monkeypatch.setattr(timeutils, "utcnow", lambda: instant)
