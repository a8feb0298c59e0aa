# SPDX-License-Identifier: Apache-2.0
"""Long answers of v1: the bytes that WSME would make, little memory, nothing left open."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
import wsme.rest.json
import wsme.rest.xml
from wsme import types as wtypes

from cloudkitty import db
from cloudkitty.api import streaming
from cloudkitty.api.v1 import expose, listing, storage
from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.rating.hashmap.datamodels.mapping import Mapping, MappingCollection
from cloudkitty.storage.base import get_storage
from cloudkitty.storage.v2 import base
from cloudkitty.tests import webapi

FRAMES = "/v1/storage/dataframes"
NOVEMBER = "begin=2026-11-01&end=2026-12-01"
BEGIN = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
TYPES = {"application/json": wsme.rest.json, "application/xml": wsme.rest.xml}


def fill(points, per_hour=100):
    """Store points of three tenants, odd ones among them, hour by hour; gives the frames."""
    hour = dt.timedelta(hours=1)
    frames = [
        DataFrame(
            BEGIN + number * hour,
            BEGIN + (number + 1) * hour,
            {
                metric: [
                    DataPoint(
                        "é",
                        f"{one}.5",
                        "0.1",
                        {"id": f"r{one}", "project_id": f"project-{one % 3}"},
                        {"note": '<é"&>' * 20, "big": 10**30},
                    )
                    for one in range(first, per_hour, 2)
                ]
                for first, metric in enumerate(["cpu", 'di"sk'])
            },
        )
        for number in range(points // per_hour)
    ]
    get_storage().push(frames, "project-0")


def whole(mimetype, version):
    """Give the text as WSME makes it of everything at once."""
    frames = []
    for frame in get_storage().retrieve(BEGIN, BEGIN + dt.timedelta(30), paginate=False)[
        "dataframes"
    ]:
        for metric, points in frame.itertypes():
            by_tenant = {}
            for number, point in enumerate(points):
                key = point.desc["project_id"], number if version == 1 else 0
                resource = storage.RatedResource(
                    rating="0.1",
                    service=metric,
                    desc=dict(point.desc),
                    volume=format(Decimal(point.qty).normalize(), "f"),
                )
                by_tenant.setdefault(key, []).append(resource)
            frames += [
                storage.Frame(begin=frame.start, end=frame.end, tenant_id=tenant, resources=some)
                for (tenant, _number), some in by_tenant.items()
            ]
    collection = storage.FrameCollection(dataframes=frames)
    text = TYPES[mimetype].encode_result(collection, storage.FrameCollection)
    return text if isinstance(text, bytes) else text.encode()


@pytest.fixture
def small_steps(monkeypatch):
    """As if there were many more points."""
    monkeypatch.setattr(base, "STREAMED_AT_ONCE", 70)
    monkeypatch.setattr(streaming, "_LONG", 1000)


@pytest.mark.usefixtures("database", "small_steps")
@pytest.mark.parametrize("version", [1, 2])
def test_the_same_bytes(conf, version):
    conf.config(version=version, backend="sqlalchemy", group="storage")
    api = webapi.Api(conf)
    fill(400)

    for mimetype in TYPES:
        answer = api.get(f"{FRAMES}?{NOVEMBER}", headers={"Accept": mimetype})

        assert answer.status_int == 200
        assert answer.content_type == mimetype
        assert expose.STREAMED in answer.request.environ
        assert answer.body == whole(mimetype, version)


@pytest.mark.parametrize("mimetype", TYPES)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_any_collection_is_written_as_wsme_writes_it(mimetype, number):
    moment = dt.datetime(2026, 11, 1, 0, 0, 0, 5)  # noqa: DTZ001 - of rules
    attributes = dict.fromkeys(attribute.name for attribute in wtypes.list_attributes(Mapping))
    attributes |= {
        "mapping_id": "754f2f11-f921-4e78-8b6f-329f924aeea1",
        "value": 'é"<',
        "type": "flat",
        "cost": Decimal("1.5"),
        "created_at": moment,
        "start": moment,
    }
    keys = {one.name: one.key for one in wtypes.list_attributes(Mapping)}
    model = Mapping(**{keys[name]: value for name, value in attributes.items()})
    expected = TYPES[mimetype].encode_result(
        MappingCollection(mappings=[model] * number), MappingCollection
    )
    write = listing.as_json if mimetype == "application/json" else listing.as_xml

    text = b"".join(write(MappingCollection, iter([SimpleNamespace(**attributes)] * number)))

    assert text.decode() == (expected if isinstance(expected, str) else expected.decode())


@pytest.mark.usefixtures("sqlite_database")
@pytest.mark.parametrize("version", [1, 2])
def test_memory_stays_flat(conf, monkeypatch, version):
    monkeypatch.setattr(base, "STREAMED_AT_ONCE", 100)
    monkeypatch.setattr(streaming, "_LONG", 10_000)
    conf.config(version=version, backend="sqlalchemy", group="storage")
    api = webapi.Api(conf)
    fill(500)
    path = f"{FRAMES}?{NOVEMBER}"
    api.peak(path)
    before, short = api.peak(path)
    fill(5_000)

    after, long = api.peak(path)

    assert long > 9 * short
    assert long > 1_000_000
    assert after < 1.5 * before
    assert after < long / 2


@pytest.mark.usefixtures("database", "small_steps")
@pytest.mark.parametrize("version", [1, 2])
def test_a_client_that_goes_away_leaves_nothing_open(conf, version):
    conf.config(version=version, backend="sqlalchemy", group="storage")
    api = webapi.Api(conf)
    fill(400)
    in_use = []
    pool = db.get_engine().pool
    sa.event.listen(pool, "checkout", lambda *_args: in_use.append(1))
    sa.event.listen(pool, "checkin", lambda *_args: in_use.pop())
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": FRAMES,
        "QUERY_STRING": NOVEMBER,
        "SERVER_NAME": "x",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "HTTP_X_ROLES": "admin",
    }
    body = api.wsgi(environ, lambda *_args: None)
    next(iter(body))
    assert in_use == [1]

    body.close()

    assert in_use == []
    assert get_storage().retrieve(BEGIN, BEGIN + dt.timedelta(30))["total"] == 400
