# SPDX-License-Identifier: Apache-2.0
"""The adapter: what callers give, what drivers get, what comes back."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from stevedore.exception import NoMatches

from cloudkitty import storage as storage_module
from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.storage import NoTimeFrame
from cloudkitty.storage.v1 import BaseStorage
from cloudkitty.storage.v1.sqlalchemy import SQLAlchemyAdapter, SQLAlchemyStorage
from cloudkitty.tests.storage.v1.old import naive
from cloudkitty.usage import ScopeUsage

BEGIN, END = naive("2024-01-15"), naive("2024-01-16")


class Foreign(BaseStorage):
    """A driver as somebody else writes it: the plugin interface and nothing more."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.open: list[Any] = []
        self.stored: list[Any] = []
        self.calls: list[Any] = []
        self.full = False

    def _dispatch(self, data: Any, tenant_id: Any) -> None:
        self.open.append((tenant_id, self.usage_start_dt[tenant_id], sorted(data)))

    def _commit(self, tenant_id: Any) -> None:
        if self.full:
            self.open.clear()
            raise OSError("disk full")
        self.stored += self.open
        self.open.clear()

    def get_time_frame(self, *args: Any, **kwargs: Any) -> Any:
        self.calls.append((args, kwargs))
        if not self.stored:
            raise NoTimeFrame
        return [
            {
                "period": {"begin": BEGIN, "end": END},
                "usage": {
                    "cpu": [
                        {
                            "vol": {"unit": "u", "qty": 1},
                            "rating": {"price": 0.5},
                            "desc": {"id": str(n), "tenant_id": "p1"},
                        },
                    ],
                },
            }
            for n in range(3)
        ]

    def get_total(self, **kwargs: Any) -> Any:
        self.calls.append(kwargs)
        return [{"rate": None, "begin": kwargs["begin"], "end": kwargs["end"]}]

    def get_tenants(self, begin: Any, end: Any) -> list[str]:
        self.calls.append((begin, end))
        return ["p1"]

    def get_state(self, tenant_id: Any = None) -> Any:
        return tenant_id and BEGIN


def frame(hour: int, minute: int = 0, metric: str = "cpu") -> DataFrame:
    start = dt.datetime(2024, 1, 15, hour, minute, tzinfo=dt.UTC)
    end = start + dt.timedelta(hours=1)
    return DataFrame(start, end, {metric: [DataPoint("u", 1, 1, {"id": "a"}, {"m": 1})]})


@pytest.fixture
def driver() -> Foreign:
    return Foreign(period=3600)


def test_an_unknown_backend_is_named() -> None:
    with pytest.raises(NoMatches, match=r"cloudkitty\.storage\.v1\.backends.*'nope'"):
        storage_module.get_storage(version=1, backend="nope")


def test_a_driver_gets_frames_in_order_and_periods_are_closed(driver: Foreign) -> None:
    given = [frame(12), frame(10), frame(10, 30, "ram")]

    driver.adapted().push(given, "p1")

    at = [(start.hour, metrics) for _tenant, start, metrics in driver.stored]
    assert at == [(10, ["cpu"]), (10, ["ram"]), (12, ["cpu"])]
    assert driver.usage_start_dt == driver.usage_end_dt == {}
    assert given[0].start.tzinfo is not None


def test_a_push_that_failed_leaves_no_period_open(driver: Foreign) -> None:
    storage = driver.adapted()
    driver.full = True
    with pytest.raises(OSError, match="disk full"):
        storage.push([frame(10)], "p1")
    driver.full = False

    storage.push([frame(10, 30)], "p1")

    assert [start.minute for _tenant, start, _metrics in driver.stored] == [30]


def test_a_driver_is_asked_in_its_way(driver: Foreign, conf: Any) -> None:
    conf.config(scope_key="domain_id", group="collect")
    storage = driver.adapted()
    begin = timeutils.as_local(BEGIN).astimezone(dt.timezone(dt.timedelta(hours=5)))

    rows = storage.total(
        groupby=["type", "domain_id", "flavor"],
        begin=begin,
        end=END,
        metric_types=["ram", "cpu"],
        filters={"domain_id": ["d1"], "flavor": "x"},
    )["results"]

    assert driver.calls == [
        {
            "begin": BEGIN,
            "end": END,
            "tenant_id": "d1",
            "service": "ram",
            "groupby": "res_type,tenant_id",
        },
    ]
    assert rows == [
        {
            "rate": 0.0,
            "begin": timeutils.as_local(BEGIN),
            "end": timeutils.as_local(END),
            "tenant_id": "d1",
            "type": None,
        },
    ]


def test_frames_of_a_driver_are_paged(driver: Foreign) -> None:
    storage = driver.adapted()
    assert storage.retrieve(BEGIN, END) == {"total": 0, "dataframes": []}
    driver.stored.append("something")

    found = storage.retrieve(BEGIN, END, offset=1, limit=1)

    assert found["total"] == 3
    ((_metric, point),) = found["dataframes"][0].iterpoints()
    assert point.groupby == {"id": "1", "tenant_id": "p1"}
    assert point.price == Decimal("0.5")
    assert len(storage.retrieve(BEGIN, END, offset=1, limit=1, paginate=False)["dataframes"]) == 3


def test_what_a_driver_cannot_do_is_refused(driver: Foreign) -> None:
    storage = driver.adapted()

    with pytest.raises(ValueError, match="one scope"):
        storage.retrieve(BEGIN, END, {"project_id": ["a", "b"]})
    with pytest.raises(TypeError, match="custom_fields"):
        storage.total(custom_fields="SUM(qty)")
    with pytest.raises(NotImplementedError, match="Foreign cannot delete"):
        storage.delete()


def test_nothing_can_match_no_value(driver: Foreign) -> None:
    storage = driver.adapted()

    assert storage.retrieve(BEGIN, END, {"project_id": []})["total"] == 0
    assert storage.total(["type"], BEGIN, END, filters={"type": []})["results"] == []
    assert driver.calls == []


def test_a_month_in_utc_is_the_default(driver: Foreign, monkeypatch: pytest.MonkeyPatch) -> None:
    timeutils.set_local_timezone(dt.timezone(dt.timedelta(hours=-5)))
    now = dt.datetime(2024, 2, 1, 3, tzinfo=dt.UTC)
    monkeypatch.setattr(timeutils, "utcnow", lambda: now)
    storage = driver.adapted()

    assert storage.get_tenants() == ["p1"]

    assert driver.calls == [(naive("2024-02-01"), naive("2024-03-01"))]


def test_a_driver_without_transactions_of_ours_stores_first(
    driver: Foreign, sqlite_database: str
) -> None:
    batch = [ScopeUsage("p1", 3600, [0])]
    seen: list[Any] = []

    assert driver.adapted().commit(batch, lambda session: seen.append(session) or {"p1"}) == {"p1"}
    assert len(seen) == 1


def test_reads_are_restricted_by_the_scope_key(storage: SQLAlchemyAdapter, conf: Any) -> None:
    conf.config(scope_key="domain_id", group="collect")
    for scope in ("d1", "d2"):
        storage.push([frame(10)], scope)

    rows = storage.total(begin=BEGIN, end=END, filters={"domain_id": "d1"})["results"]

    assert [row["rate"] for row in rows] == [1]
    assert storage.retrieve(BEGIN, END, {"domain_id": "d2"})["total"] == 1
    groups = storage.total(["domain_id"], BEGIN, END)["results"]
    assert [row["tenant_id"] for row in groups] == ["d1", "d2"]


def test_pages_of_points(storage: SQLAlchemyAdapter) -> None:
    storage.push([frame(hour) for hour in (12, 10, 11)], "p1")

    pages = [storage.retrieve(BEGIN, END, offset=n, limit=2) for n in (0, 2, 4)]

    assert [page["total"] for page in pages] == [3, 3, 3]
    hours = [[f.start.hour for f in page["dataframes"]] for page in pages]
    assert hours == [[10, 11], [12], []]
    labelled = storage.retrieve(BEGIN, END, {"m": "1"}, offset=2, limit=2)
    assert (labelled["total"], len(labelled["dataframes"])) == (3, 1)


def test_the_driver_by_itself(database: str) -> None:
    driver = SQLAlchemyStorage(period=3600)
    legacy = [
        {
            "period": {"begin": naive(f"2024-01-15T{hour}:00"), "end": None},
            "usage": {
                "cpu": [
                    {
                        "vol": {"unit": "u", "qty": 1},
                        "rating": {"price": hour},
                        "desc": {"id": "a", "m": 1},
                    },
                ],
            },
        }
        for hour in (11, 10)
    ]
    for _twice in range(2):
        raw = list(legacy)
        driver.append(raw, "p1")
        driver.commit("p1")
        assert raw == []
    driver.nodata(naive("2024-01-15T12:00"), naive("2024-01-15T13:00"), "p1")
    driver.commit("p1")

    found = driver.get_time_frame(BEGIN, END, "cpu", "p1")

    assert [f["period"]["begin"].hour for f in found] == [10, 11]
    assert found[0]["usage"]["cpu"][0]["desc"] == {"id": "a", "m": 1, "tenant_id": "p1"}
    assert driver.get_state("p1") == driver.get_state() == naive("2024-01-15T12:00")
    assert driver.get_state("p2") is None
    (row,) = driver.get_total(BEGIN, END, groupby="tenant_id,res_type")
    assert row == {"rate": 21, "tenant_id": "p1", "res_type": "cpu", "begin": BEGIN, "end": END}
    assert driver.get_total(BEGIN, END, service="ram") == [
        {"rate": None, "begin": BEGIN, "end": END},
    ]
    with pytest.raises(NoTimeFrame, match="No time frame available"):
        driver.get_time_frame(BEGIN, END, "ram")
