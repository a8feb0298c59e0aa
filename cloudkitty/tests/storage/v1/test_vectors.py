# SPDX-License-Identifier: Apache-2.0
"""The recorded storage answers, as far as the first generation can be asked (STORAGE.md, "v1")."""

from __future__ import annotations

import zoneinfo
from collections import Counter, defaultdict
from typing import Any

import pytest

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame
from cloudkitty.tests.storage.v1 import conftest
from cloudkitty.tests.storage.v2 import vectors

#: What the first generation goes on doing in its own way.
KEPT = {"V1-ZEROROW", "V1-PERIOD", "V1-SCOPE", "V1-QTY"}


def push(storage: Any, frames: list[DataFrame]) -> None:
    """Push by project, as the recording did."""
    by_project: dict[str | None, list[DataFrame]] = defaultdict(list)
    for frame in frames:
        parts: dict[str | None, DataFrame] = {}
        for metric, point in frame.iterpoints():
            project = point.groupby.get("project_id")
            part = parts.setdefault(project, DataFrame(frame.start, frame.end))
            part.add_point(point, metric)
        for project, part in parts.items():
            by_project[project].append(part)
    for project, some in by_project.items():
        assert storage.push(some, project) is None


def expectation(step: dict[str, Any]) -> dict[str, Any] | None:
    """Give what the step has to answer; None when it cannot be asked."""
    recorded = step.get("upstream", {}).get("sqlalchemy")
    if recorded is None or step["call"] not in {"total", "retrieve"}:
        return None
    if recorded != "same" and recorded["differs"] in KEPT:
        found: dict[str, Any] = recorded["observed"]["result"]
        return {**found, "truncated": recorded["observed"].get("truncated", False)}
    wanted: dict[str, Any] = step["expected"]
    return wanted


def rows(found: list[dict[str, Any]], groupby: list[str]) -> Counter[Any]:
    def value(row: dict[str, Any], *names: str) -> Any:
        return next((row[name] for name in names if row.get(name) is not None), None)

    return Counter(
        (
            f"{float(row['rate']):.9e}",
            value(row, "project_id", "tenant_id") if "project_id" in groupby else None,
            value(row, "type") if "type" in groupby else None,
        )
        for row in found
    )


def points(frames: list[dict[str, Any]]) -> Counter[Any]:
    found: Counter[Any] = Counter()
    for frame in frames:
        for metric, some in frame["usage"].items():
            for point in some:
                labels = {**point["metadata"], **point["groupby"]}
                labels.pop("tenant_id", None)
                period = frame["period"]
                found[
                    vectors.plain(period["begin"]),
                    vectors.plain(period["end"]),
                    metric,
                    point["vol"]["unit"],
                    f"{float(point['vol']['qty']):.9e}",
                    f"{float(point['rating']['price']):.9e}",
                    tuple(sorted((name, str(value)) for name, value in labels.items())),
                ] += 1
    return found


def play(storage: Any, step: dict[str, Any]) -> bool:
    args = vectors.arguments(step["args"])
    if step["call"] == "push":
        push(storage, [DataFrame.from_dict(frame) for frame in args["frames"]])
        return False
    if step["call"] == "delete":
        assert storage.delete(**args) is None
        return True
    wanted = expectation(step)
    if wanted is None:
        return False
    found = getattr(storage, step["call"])(**args)
    if step["call"] == "total":
        groupby = args.get("groupby") or []
        assert rows(found["results"], groupby) == rows(wanted["results"], groupby)
        rates = [row["rate"] for row in found["results"]]
        assert rates == sorted(rates)
        assert found["total"] == len(rates)
    else:
        assert found["total"] == wanted["total"]
        shown = [frame.as_dict(mutable=True) for frame in found["dataframes"]]
        if wanted.get("truncated"):  # the recording was cut, its "total" was not
            assert points(wanted["dataframes"]) <= points(shown)
            assert points(shown).total() == wanted["total"]
        else:
            assert points(shown) == points(wanted["dataframes"])
    return True


@pytest.mark.parametrize("scenario", vectors.scenarios(), ids=lambda s: s["name"])
def test_scenario(
    database: str, conf: Any, monkeypatch: pytest.MonkeyPatch, scenario: dict[str, Any]
) -> None:
    timeutils.set_local_timezone(zoneinfo.ZoneInfo(scenario["timezone"]))
    conf.config(period=scenario["period"], group="collect")
    vectors.freeze(monkeypatch, scenario.get("now"))
    storage = conftest.build()
    push(storage, vectors.frames_of(scenario))
    for step in scenario["steps"]:
        try:
            play(storage, step)
        except AssertionError as exc:
            raise AssertionError(f"{step['id']}: {step}\n{exc}") from exc


def test_deletions_leave_what_the_suite_says(storage: Any) -> None:
    """The recording has no deletion, so the sums come from the suite itself."""
    scenario = next(s for s in vectors.scenarios() if s["name"] == "delete")
    push(storage, vectors.frames_of(scenario))
    compared = 0
    for step in scenario["steps"]:
        args = vectors.arguments(step["args"])
        if step["call"] == "delete":
            storage.delete(**args)
        elif step["call"] == "total":
            found = rows(storage.total(**args)["results"], args["groupby"])
            assert found == rows(step["expected"]["results"], args["groupby"]), step["id"]
            compared += 1
        else:
            assert storage.retrieve(**args)["total"] == step["expected"]["total"]
    assert compared == 12


def test_as_many_steps_as_recorded_are_compared() -> None:
    steps = [step for scenario in vectors.scenarios() for step in scenario["steps"]]

    assert sum(expectation(step) is not None for step in steps) == 43 + 16
