# SPDX-License-Identifier: Apache-2.0
"""Thresholds in the database (contract api.md 7.6, D17 to D19)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cloudkitty import db
from cloudkitty.rating.hashmap import models
from cloudkitty.rating.hashmap.store import field, group, service, threshold
from cloudkitty.rating.hashmap.store.errors import ConflictError, InvalidError, NotFoundError
from cloudkitty.rating.hashmap.store.parents import RuleFilter
from cloudkitty.rating.hashmap.store.threshold import NewThreshold

DEAD = "00000000-0000-4000-8000-00000000dead"


@pytest.fixture
def compute(database):
    return service.create("compute").service_id


@pytest.fixture
def bucket(database):
    return group.create("bucket").group_id


def make(level="10", cost="1", **attributes):
    return threshold.create(NewThreshold(level=Decimal(level), cost=Decimal(cost), **attributes))


def update(made, **attributes):
    attributes = {"level": made.level, "cost": made.cost, **attributes}
    threshold.update(made.threshold_id, attributes)
    return threshold.get(made.threshold_id)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("10", "10.00000000"), ("1.123456785", "1.12345678"), ("1.123456789", "1.12345679"),
     ("-0.5", "-0.50000000"), ("999999999999", "999999999999.00000000")],
)  # fmt: skip
def test_levels_are_exact(compute, given, kept):
    made = make(given, service_id=compute)
    assert format(made.level, "f") == kept
    assert threshold.get(made.threshold_id) == made


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"level": "NaN"}, "level"),
        ({"level": "1e12"}, "level"),
        ({"cost": "Infinity"}, "cost"),
        ({"type": None}, "type"),
        ({"tenant_id": "t" * 256}, "tenant_id"),
        ({"group_id": DEAD}, "No such group: None"),
        ({"service_id": None}, "You must specify one parent."),
        ({"service_id": DEAD}, "No such service: None"),
        ({"service_id": None, "field_id": DEAD}, "No such field: "),
        ({"field_id": DEAD}, "You can only specify one parent."),
    ],
)
def test_what_is_refused(compute, attributes, text):
    with pytest.raises(InvalidError, match=text):
        make(**{"service_id": compute, **attributes})
    assert threshold.get_all(RuleFilter()) == []


def test_nulls_are_refused(compute):
    with pytest.raises(InvalidError, match="level"):
        threshold.create(NewThreshold(level=None, cost=Decimal(1), service_id=compute))
    with pytest.raises(InvalidError, match="cost"):
        threshold.create(NewThreshold(level=Decimal(1), cost=None, service_id=compute))


def test_exact_duplicates_are_refused(compute, bucket):
    make(service_id=compute)
    make(service_id=compute, group_id=bucket)
    make(service_id=compute, level="11")
    for again in ({}, {"group_id": bucket}):
        with pytest.raises(ConflictError) as caught:
            make(service_id=compute, level="10.000000001", **again)
        assert str(caught.value) == (
            f"Threshold '10.00000000' already exists for service '{compute}', tenant: 'None'"
        )


def test_with_a_tenant_the_group_plays_no_part(compute, bucket):
    make(service_id=compute, tenant_id="t")
    make(service_id=compute, tenant_id="T")
    with pytest.raises(ConflictError) as caught:
        make(service_id=compute, tenant_id="t", group_id=bucket)
    assert str(caught.value).endswith("tenant: 't'")


def test_lists(compute, bucket):
    kind = field.create("kind", compute).field_id
    one = make(service_id=compute)
    two = make(field_id=kind, group_id=bucket)
    three = make(service_id=compute, tenant_id="t")

    def found(**wanted):
        return threshold.get_all(RuleFilter(**wanted))

    assert found() == [one, two, three]
    assert found(service_id=compute, field_id=kind) == [one, three]
    assert found(field_id=kind) == found(group_id=bucket) == [two]
    assert found(no_group=True) == [one, three]
    assert found(tenant_id="t") == [one, two, three]
    assert found(tenant_id="t", filter_tenant=True) == [three]
    assert found(filter_tenant=True) == [one, two]


def test_a_change_replaces_but_for_the_group(compute, bucket):
    made = make(service_id=compute, type="rate", tenant_id="t", group_id=bucket)
    changed = update(made, level=Decimal(20), cost=Decimal("0.1"))
    assert (changed.level, changed.cost) == (20, Decimal("0.1"))
    assert (changed.type, changed.tenant_id, changed.group_id) == ("flat", None, bucket)
    assert update(made, group_id=None).group_id is None
    assert update(made, group_id=bucket, type="rate").group_id == bucket
    with pytest.raises(InvalidError, match="No such group"):
        update(made, group_id=DEAD)
    with pytest.raises(InvalidError, match="level"):
        update(made, level=None)
    with pytest.raises(InvalidError, match="type"):
        update(made, type=None)


def test_a_change_must_not_make_a_duplicate(compute, bucket):
    one = make(service_id=compute)
    two = make(service_id=compute, level="20", group_id=bucket)
    assert update(two, level=one.level).level == one.level
    with pytest.raises(ConflictError) as caught:
        update(two, level=one.level, group_id=None)
    assert "Threshold '10.00000000' already exists for service" in str(caught.value)
    assert threshold.get(two.threshold_id).group_id == bucket


def test_duplicates_of_old_databases_can_be_read_changed_and_deleted(compute):
    one = make(service_id=compute)
    with db.session_for_write() as session:
        row = session.query(models.Threshold).one()
        twin = models.Threshold(
            threshold_id=DEAD, level=row.level, cost=row.cost, map_type=row.map_type,
            service_id=row.service_id,
        )  # fmt: skip
        session.add(twin)
    assert len(threshold.get_all(RuleFilter())) == 2
    assert update(one, cost=Decimal(7)).cost == 7
    threshold.delete(DEAD)
    left = threshold.get_all(RuleFilter(service_id=compute))
    assert left == [threshold.get(one.threshold_id)]


def test_deletion_is_final(compute):
    made = make(service_id=compute)
    threshold.delete(made.threshold_id)
    for call in (threshold.delete, threshold.get, lambda _: update(made)):
        with pytest.raises(NotFoundError) as caught:
            call(made.threshold_id)
        assert str(caught.value) == f"No such threshold: {made.threshold_id}"
