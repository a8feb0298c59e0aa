# SPDX-License-Identifier: Apache-2.0
"""Methods that processors answer on the message bus, as old API processes call them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from oslo_config import cfg
from oslo_config import fixture as cfg_fixture

from cloudkitty import db, messaging, timeutils
from cloudkitty.db.models import ModuleState
from cloudkitty.processor import rpc
from cloudkitty.rating.hashmap import models
from cloudkitty.state import orders
from cloudkitty.state.scope import Origin, states_for
from cloudkitty.tests import services

SCOPE = {
    "scope_id": "s1",
    "scope_key": "project_id",
    "fetcher": "source",
    "collector": "prometheus",
}
ORIGIN = Origin("project_id", "source", "prometheus")
WISH = {"scopes": [SCOPE], "last_processed_timestamp": "2026-11-23T06:00:00+00:00"}


class Bus:
    """A server that counts how often it woke its worker, and a client like an old API's."""

    def __init__(self) -> None:
        self._calls = 0
        self._called = threading.Condition()
        self.server = rpc.serve(cfg.CONF, self._call)
        assert self.server
        deadline = time.monotonic() + 30
        while self.server._server is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def _call(self) -> None:
        with self._called:
            self._calls += 1
            self._called.notify_all()

    def woken(self, times: int) -> bool:
        with self._called:
            return self._called.wait_for(lambda: self._calls >= times, 10)

    def client(self, **target: Any) -> Any:
        return messaging.get_client().prepare(**target)


@pytest.fixture(params=["fake", pytest.param("rabbit", marks=pytest.mark.service)])
def bus(
    request: pytest.FixtureRequest,
    conf: cfg_fixture.Config,
    sqlite_database: str,
) -> Iterator[Bus]:
    url = "fake://"
    if request.param == "rabbit":
        url = services.env("CLOUDKITTY_TEST_RABBITMQ_URL")
    conf.load_raw_values(transport_url=url, host=f"test-{time.time_ns()}")
    messaging._forget()
    bus = Bus()
    yield bus
    assert bus.server
    bus.server._server.stop()
    bus.server._server.wait()
    messaging._transport().cleanup()
    messaging._forget()


def price(cost: str) -> None:
    start = timeutils.naive_local(timeutils.from_epoch(0))
    with db.session_for_write() as session:
        session.add(ModuleState(name="hashmap", state=True, priority=1))
        service = models.Service(name="compute")
        field = models.Field(name="flavor", service=service)
        session.add_all(
            [
                service,
                field,
                models.Mapping(
                    field=field,
                    value="m1",
                    cost=Decimal(cost),
                    map_type="flat",
                    start=start,
                    created_by="t",
                    created_at=start,
                ),
            ],
        )


def resource(desc: dict[str, Any], qty: str = "2.0") -> dict[str, Any]:
    return {"usage": {"compute": [{"desc": desc, "vol": {"qty": qty, "unit": "instance"}}]}}


@pytest.mark.parametrize(
    ("desc", "total"),
    [
        ({"flavor": "m1"}, "2.50"),
        ({"metadata": {"flavor": "m1"}}, "2.50"),
        ({"groupby": {"flavor": "m1"}}, "2.50"),
        ({"flavor": "m2"}, "0"),
    ],
)
def test_quote(bus: Bus, desc: dict[str, Any], total: str) -> None:
    price("1.25")
    answer = bus.client(namespace="rating", version="1.0", timeout=20).call(
        {}, "quote", res_data=resource(desc)
    )
    assert isinstance(answer, str)
    assert Decimal(answer) == Decimal(total)
    assert "E" not in answer


def test_quote_of_nothing(bus: Bus) -> None:
    client = bus.client(namespace="rating", timeout=20)
    assert client.call({}, "quote", res_data={"usage": {}}) == "0"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (resource({}, "many"), "vol.qty"),
        (resource({}, "NaN"), "vol.qty"),
        ({"usage": []}, "usage"),
        ({"usage": {"compute": [{"desc": 1, "vol": {"qty": "1"}}]}}, "desc"),
    ],
)
def test_a_wrong_quote_tells_the_caller(bus: Bus, wrong: dict[str, Any], said: str) -> None:
    client = bus.client(namespace="rating", timeout=20)
    with pytest.raises(Exception, match=said):
        client.call({}, "quote", res_data=wrong)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_reload_modules_in_either_version(bus: Bus, version: str) -> None:
    client = bus.client(namespace="rating", version=version)
    client.cast({}, "reload_modules")
    assert bus.woken(1)


def test_methods_about_modules(bus: Bus) -> None:
    client = bus.client(namespace="rating", fanout=True)
    for method in ("reload_module", "enable_module", "disable_module"):
        client.cast({}, method, name="hashmap")
    assert bus.woken(3)


def test_what_our_api_sends(bus: Bus) -> None:
    messaging.modules_changed()
    messaging.module_changed("hashmap")
    messaging.module_switched("hashmap", enabled=False)
    messaging.wake_for_schedules()
    messaging.wake_for_resets([SCOPE], WISH["last_processed_timestamp"])  # type: ignore[arg-type]
    assert bus.woken(5)
    # What our API has written down is not written down again.
    assert not orders.pending(ORIGIN, 3600)


def test_reset_state_of_an_old_api_becomes_an_order(bus: Bus) -> None:
    bus.client().cast({}, "reset_state", res_data=WISH)
    assert bus.woken(1)
    [order] = orders.pending(ORIGIN, 3600)
    assert (order.scope_id, order.origin) == ("s1", ORIGIN)
    assert order.to == timeutils.parse_iso(str(WISH["last_processed_timestamp"]))
    assert set(states_for(ORIGIN)) == {"s1"}


def test_an_unknown_method(bus: Bus) -> None:
    with pytest.raises(Exception, match="does not support RPC method nothing"):
        bus.client(timeout=20).call({}, "nothing")


def test_nothing_is_served_or_sent_without_a_bus(conf: cfg_fixture.Config) -> None:
    assert rpc.serve(cfg.CONF, lambda: None) is None
    messaging._forget()
    messaging.modules_changed()
    assert messaging._sender is None


def test_a_bus_that_is_down_keeps_nobody_waiting(conf: cfg_fixture.Config) -> None:
    conf.load_raw_values(transport_url="rabbit://u:p@127.0.0.1:1/")
    messaging._forget()
    try:
        started = time.monotonic()
        for _ in range(300):
            messaging.modules_changed()
        server = rpc.serve(cfg.CONF, lambda: None)
        assert server
        server.stop()
        assert time.monotonic() - started < 8
    finally:
        messaging._forget()
