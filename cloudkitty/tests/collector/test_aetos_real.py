# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus behind a proxy that asks a real Keystone who may come in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from oslo_config import fixture as cfg_fixture

from cloudkitty.collector import CollectError
from cloudkitty.collector.base import BaseCollector, BatchQuery, get_collector
from cloudkitty.tests import aetos, keystone, prometheus, proxy
from cloudkitty.tests.collector import helpers
from cloudkitty.tests.collector.helpers import HOUR, TEN, flat
from cloudkitty.tests.collector.test_prometheus_real import (
    BEGINS,
    DEFINITIONS,
    HOURS,
    SCOPES,
    history,
)
from cloudkitty.tests.keystone import Cloud, User

pytestmark = pytest.mark.service

QUERY = BatchQuery([*SCOPES, "unknown"], BEGINS, HOUR)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prometheus.running(history(), tmp_path_factory.mktemp("prometheus")) as running:
        yield running


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with keystone.cloud() as found:
        yield found


@pytest.fixture(scope="module")
def service(cloud: Cloud) -> User:
    return cloud.user(cloud.project(), ["service"], name="cloudkitty")


@pytest.fixture(scope="module")
def front(cloud: Cloud, url: str) -> Iterator[proxy.Proxy]:
    with aetos.running(cloud, url) as running:
        yield running


@pytest.fixture(scope="module")
def region(cloud: Cloud, front: proxy.Proxy) -> str:
    return cloud.endpoint("metric-storage", front.url)


def build(
    conf: cfg_fixture.Config, service: User, region: str, definition: dict[str, Any]
) -> BaseCollector:
    conf.config(collector="aetos", group="collect")
    conf.load_raw_values(group="collector_aetos", region_name=region, **service.options())
    return get_collector(conf.conf, {"metrics": {"vol": {"unit": "GiB", **definition}}})


@pytest.mark.parametrize("definition", DEFINITIONS.values(), ids=DEFINITIONS)
def test_it_gives_what_prometheus_gives(
    conf: cfg_fixture.Config,
    service: User,
    region: str,
    front: proxy.Proxy,
    url: str,
    definition: dict[str, Any],
) -> None:
    direct = helpers.build(conf, url, {"vol": {"unit": "GiB", **definition}})
    expected = flat(direct.fetch_batch("vol", QUERY))
    collector = build(conf, service, region, definition)
    front.requests.clear()
    assert flat(collector.fetch_batch("vol", QUERY)) == expected
    custom = {"query_prefix", "query_suffix"} & {*definition.get("extra_args", ())}
    assert len(front.requests) == (len(QUERY.scopes) if custom else 1)
    assert expected
    assert flat(BaseCollector.fetch_batch(collector, "vol", QUERY)) == expected


@pytest.mark.parametrize(
    ("methods", "paths", "asked"),
    [
        (["GET"], ["query", "query_range"], ["GET query_range"]),
        (["GET"], ["query"], ["GET query"] * HOURS),
        (["GET", "POST"], ["query"], ["GET query"] * HOURS),
    ],
    ids=["no post", "nothing but get query", "no ranges"],
)
def test_proxies_that_let_less_through(
    conf: cfg_fixture.Config,
    cloud: Cloud,
    service: User,
    url: str,
    methods: list[str],
    paths: list[str],
    asked: list[str],
) -> None:
    definition = DEFINITIONS["plain"]
    direct = helpers.build(conf, url, {"vol": {"unit": "GiB", **definition}})
    expected = flat(direct.fetch_batch("vol", QUERY))
    with aetos.running(cloud, url, methods=methods, paths=paths) as front:
        region = cloud.endpoint("metric-storage", front.url)
        collector = build(conf, service, region, definition)
        assert flat(collector.fetch_batch("vol", QUERY)) == expected
        # What was refused once is not tried again.
        front.requests.clear()
        assert flat(collector.fetch_batch("vol", QUERY)) == expected
        seen = [f"{r.method} {r.path.rpartition('/')[2]}" for r in front.requests]
        assert seen == asked


def test_a_revoked_token(
    conf: cfg_fixture.Config, cloud: Cloud, service: User, region: str
) -> None:
    collector: Any = build(conf, service, region, {})
    cloud.revoke(collector._client._session.get_token())
    assert len(flat(collector.fetch_batch("vol", QUERY))) == len(SCOPES) * HOURS


def test_prometheus_s_own_errors(conf: cfg_fixture.Config, service: User, region: str) -> None:
    collector = build(conf, service, region, {"extra_args": {"range_function": "irange"}})
    with pytest.raises(
        CollectError, match=r"metric 'vol': http\S+: HTTP 400, bad_data: .*unknown function.*irange"
    ):
        collector.fetch_batch("vol", BatchQuery(SCOPES, [TEN], HOUR))
