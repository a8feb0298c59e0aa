# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: DTZ001 - dates of rules are naive
"""Mappings in the database (contract api.md 7.5, D8 to D16)."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal

import pytest
import sqlalchemy as sa

from cloudkitty import db
from cloudkitty.rating import dates
from cloudkitty.rating.hashmap import models
from cloudkitty.rating.hashmap.store import (
    field,
    group,
    mapping,
    mapping_conflicts,
    mapping_update,
    service,
)
from cloudkitty.rating.hashmap.store.errors import ConflictError, InvalidError, NotFoundError
from cloudkitty.rating.hashmap.store.mapping import MappingFilter, NewMapping

DEAD = "00000000-0000-4000-8000-00000000dead"
DAY = dt.timedelta(days=1)
TODAY = dt.datetime.now(dt.UTC).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
def compute(database):
    return service.create("compute").service_id


@pytest.fixture
def flavor(compute):
    return field.create("flavor", compute).field_id


def make(cost="1", user="me", *, force=False, **attributes):
    return mapping.create(NewMapping(cost=Decimal(cost), **attributes), user, force=force)


def raw_count():
    with db.session_for_read() as session:
        return session.execute(sa.select(sa.func.count()).select_from(models.Mapping)).scalar()


def test_the_defaults(compute):
    made = make(service_id=compute)
    assert made == mapping.get(made.mapping_id)
    assert (made.value, made.type, made.end, made.deleted) == ("", "flat", None, None)
    assert len(made.name) == 32
    assert made.created_by == "me"
    assert made.start == made.created_at
    assert abs(made.start - dates.local_now()) < dt.timedelta(seconds=60)
    assert make(service_id=compute, tenant_id="t", user=None).created_by == "unknown"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("0.1", "0.1000000000000000000000000000"),
        ("-1.5E-3", "-0.0015000000000000000000000000"),
        ("999999999999", "999999999999.0000000000000000000000000000"),
        # beyond 28 decimals: half to even
        ("0.00000000000000000000000000005", "0.0000000000000000000000000000"),
        ("0.00000000000000000000000000015", "0.0000000000000000000000000002"),
        ("123456789012.1234567890123456789012345678", "123456789012.1234567890123456789012345678"),
        ("-0", "0.0000000000000000000000000000"),
        ("1e-999999", "0.0000000000000000000000000000"),
    ],
)
def test_costs_are_exact(compute, given, kept):
    made = make(given, service_id=compute)
    assert format(made.cost, "f") == kept


@pytest.mark.parametrize(
    "cost", ["NaN", "sNaN", "Infinity", "-Infinity", "1000000000000", "1e12", "1e999999",
             "999999999999.99999999999999999999999999999"],
)  # fmt: skip
def test_costs_that_are_refused(compute, cost):
    with pytest.raises(InvalidError, match="cost"):
        make(cost, service_id=compute)
    assert raw_count() == 0


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({}, "You must specify one parent."),
        ({"service_id": DEAD, "field_id": DEAD}, "You can only specify one parent."),
        ({"service_id": DEAD, "value": "x"}, "You can't specify a value and a service_id."),
        ({"field_id": DEAD}, "You must specify a value for a field mapping."),
        ({"field_id": DEAD, "value": ""}, "You must specify a value for a field mapping."),
        ({"service_id": DEAD}, f"No such service: None (UUID: {DEAD})"),
        ({"field_id": DEAD, "value": "x"}, f"No such field: {DEAD}"),
    ],
)
def test_parents_are_checked(compute, attributes, text):
    with pytest.raises(InvalidError) as caught:
        make(**attributes)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "n" * 33),
        ("tenant_id", "t" * 256),
        ("description", "d" * 257),
        ("description", "a\x00"),
        ("tenant_id", "\udfff"),
        ("type", "odd"),
        ("type", None),
    ],
)
def test_texts_are_checked(compute, name, value):
    with pytest.raises(InvalidError, match=f"field/attribute {name}"):
        make(service_id=compute, **{name: value})
    with pytest.raises(InvalidError, match="field/attribute value"):
        make(field_id=compute, value="v" * 256)
    assert raw_count() == 0


def test_texts_at_their_limits(flavor):
    made = make(
        field_id=flavor, value="v" * 255, tenant_id="\N{ROCKET}" * 255, name="n" * 32,
        description="\N{ROCKET}" * 256,
    )  # fmt: skip
    assert mapping.get(made.mapping_id).description == "\N{ROCKET}" * 256
    assert made.tenant_id == "\N{ROCKET}" * 255


def test_an_unknown_group(compute):
    with pytest.raises(InvalidError) as caught:
        make(service_id=compute, group_id=DEAD)
    assert str(caught.value) == f"No such group: None (UUID: {DEAD})"


def test_a_start_in_the_past_needs_force(compute):
    start = dt.datetime(2020, 1, 1)
    with pytest.raises(InvalidError) as caught:
        make(service_id=compute, start=start)
    assert "start in the past. start=[2020-01-01 00:00:00] current time=[" in str(caught.value)
    assert make(service_id=compute, start=start, force=True).start == start


def test_an_end_before_the_start(compute):
    window = {"start": dt.datetime(2090, 1, 1), "end": dt.datetime(2089, 1, 1, 23, 59, 59)}
    with pytest.raises(InvalidError) as caught:
        make(service_id=compute, force=True, **window)
    assert str(caught.value) == (
        "Cannot create a rule with start after end. "
        "start=[2090-01-01 00:00:00] end=[2089-01-01 23:59:59]."
    )


def test_one_mapping_per_place(compute, flavor):
    bucket = group.create("bucket").group_id
    make(service_id=compute)
    make(service_id=compute, tenant_id="a")
    make(service_id=compute, group_id=bucket)
    make(field_id=flavor, value="x")
    for attributes, text in (
        ({"service_id": compute}, f"'' already exists for service '{compute}', tenant: 'None'"),
        (
            {"service_id": compute, "value": None, "type": "rate"},
            f"'None' already exists for service '{compute}', tenant: 'None'",
        ),
        (
            {"service_id": compute, "tenant_id": "a"},
            f"'' already exists for service '{compute}', tenant: 'a'",
        ),
        (
            {"field_id": flavor, "value": "x"},
            f"'x' already exists for field '{flavor}', tenant: 'None'",
        ),
    ):
        with pytest.raises(ConflictError) as caught:
            make(**attributes)
        assert str(caught.value) == f"Mapping {text}"
    assert raw_count() == 4


def test_values_and_tenants_are_compared_exactly(flavor):
    for value in ("gold", "Gold", "gold ", "göld"):
        make(field_id=flavor, value=value)
    for tenant in ("t", "T", "t "):
        make(field_id=flavor, value="gold", tenant_id=tenant)
    assert len(mapping.get_all(MappingFilter(filter_tenant=True, tenant_id="t"))) == 1
    assert len(mapping.get_all(MappingFilter(filter_tenant=True))) == 4


def test_a_name_exists_once_among_living_mappings(compute, flavor):
    made = make(service_id=compute, name="mine")
    with pytest.raises(ConflictError):
        make(field_id=flavor, value="x", name="mine")
    mapping.delete(made.mapping_id, "me")
    make(field_id=flavor, value="x", name="mine")


def d(day):
    return None if day is None else TODAY + day * DAY


@pytest.mark.parametrize(
    ("first", "second", "meet"),
    [
        ((10, 20), (20, 30), False),  # touching
        ((20, 30), (10, 20), False),
        ((10, 20), (15, 30), True),
        ((10, 20), (5, 30), True),
        ((10, 20), (12, 15), True),
        ((10, 20), (15, None), True),  # upstream's hole
        ((10, 20), (20, None), False),
        ((10, 20), (5, None), True),
        ((10, None), (5, 10), False),
        ((10, None), (5, 11), True),
        ((10, None), (500, None), True),
        ((10, 10), (10, 20), False),  # never in force
    ],
)
def test_places_are_taken_for_a_time(compute, first, second, meet):
    make(service_id=compute, start=d(first[0]), end=d(first[1]))
    if meet:
        with pytest.raises(ConflictError):
            make(service_id=compute, start=d(second[0]), end=d(second[1]))
    else:
        make(service_id=compute, start=d(second[0]), end=d(second[1]))
    assert meet is mapping_conflicts.overlap(*map(d, first), *map(d, second))


def test_deletion_is_soft_and_once(compute):
    made = make(service_id=compute)
    mapping.delete(made.mapping_id, "u" * 40)
    gone = mapping.get(made.mapping_id)
    assert gone.deleted is not None
    assert gone.deleted_by in {"u" * 40, "u" * 32}
    assert mapping.get_all(MappingFilter()) == []
    assert mapping.get_all(MappingFilter(deleted=True)) == [gone]
    assert mapping.get_all(MappingFilter(deleted=True, deleted_by="u" * 40)) == [gone]
    for call in (mapping.delete, lambda *_: update(made)):
        with pytest.raises(NotFoundError) as caught:
            call(made.mapping_id, "me")
        assert str(caught.value) == f"No such mapping: {made.mapping_id}"
    make(service_id=compute)


def test_long_user_ids_are_cut_never_refused(compute):
    user = "f" * 64
    made = make(service_id=compute, user=user)
    assert user.startswith(made.created_by)
    assert mapping.get_all(MappingFilter(created_by=user)) == [made]
    assert mapping.get_all(MappingFilter(created_by="f" * 31)) == []


def test_filters(compute, flavor):
    bucket = group.create("bucket").group_id
    now = make(service_id=compute, description="Alpha 100%")
    later = make(field_id=flavor, value="l", start=d(30), end=d(60), group_id=bucket,
                 description="ALPHA_x")  # fmt: skip
    past = make(field_id=flavor, value="p", start=dt.datetime(2020, 1, 1), user="other",
                end=dt.datetime(2020, 2, 1), force=True)  # fmt: skip

    def found(**wanted):
        return mapping.get_all(MappingFilter(**wanted))

    assert found() == [now, later, past]
    assert found(service_id=compute, field_id=flavor) == [now]
    assert found(field_id=flavor) == [later, past]
    assert found(group_id=bucket, no_group=True) == [later]
    assert found(no_group=True) == [now, past]
    assert found(is_active=True) == [now]
    assert found(start=d(30)) == [later]
    assert found(end=dt.datetime(2020, 3, 1)) == [past]
    assert found(end=dt.datetime(2020, 2, 1)) == []
    assert found(created_by="other") == [past]
    assert found(updated_by="other") == []
    assert found(description="alpha") == [now, later]
    assert found(description="0%") == [now]
    assert found(description="A_X") == [later]
    assert found(description="a%x") == []
    assert found(field_id=DEAD) == []


def update(made, user="editor", **attributes):
    attributes.setdefault("cost", made.cost)
    attributes["cost"] = Decimal(attributes["cost"])
    mapping_update.update(made.mapping_id, attributes, user)
    return mapping.get(made.mapping_id)


def whole(made):
    return {name: getattr(made, name) for name in made.__slots__}


def test_a_rule_to_come_takes_cost_dates_and_description(flavor):
    made = make(field_id=flavor, value="x", start=d(30), end=d(60), description="words")
    changed = update(made, cost="2", value="zzz", type="rate", name="other", tenant_id="t")
    assert (changed.cost, changed.end, changed.description) == (2, None, None)
    assert (changed.value, changed.type, changed.name) == ("x", "flat", made.name)
    assert changed.start == d(30)
    assert changed.updated_by == "editor"
    assert update(made, start=d(31), end=d(40)).start == d(31)
    with pytest.raises(InvalidError, match="start in the past"):
        update(made, start=d(-1))
    with pytest.raises(InvalidError, match="start after end"):
        update(made, start=d(40), end=d(35))
    with pytest.raises(InvalidError, match="description"):
        update(made, description="x" * 257)


def test_a_change_must_not_make_two_meet(flavor):
    one = make(field_id=flavor, value="x", start=d(10), end=d(20))
    two = make(field_id=flavor, value="x", start=d(30), end=d(40))
    with pytest.raises(ConflictError) as caught:
        update(one, end=d(35))
    assert f"Mapping 'x' already exists for field '{flavor}', tenant: 'None'" == str(caught.value)
    assert mapping.get(one.mapping_id) == one
    assert update(one, end=d(30)).end == two.start


def running(compute):
    return make(service_id=compute, start=d(-10), force=True, description="words")


def test_of_a_running_rule_only_the_end_may_change(compute):
    made = running(compute)
    for change in (
        {"cost": "2"}, {"cost": "0"}, {"type": "rate"}, {"value": "x"}, {"service_id": DEAD},
        {"start": d(-9)}, {"name": "other"}, {"description": "other"}, {"tenant_id": "t"},
        {"created_by": "you"},
    ):  # fmt: skip
        with pytest.raises(InvalidError, match=r"only the attribute \[end\]"):
            update(made, end=d(30), **change)
    with pytest.raises(InvalidError, match="End date must be in the future"):
        update(made, end=d(-1))
    assert mapping.get(made.mapping_id) == made
    closed = update(made, **{**whole(made), "end": d(30)})
    assert closed.end == d(30)
    assert closed.updated_by == "editor"
    assert closed.description == "words"


def test_a_put_that_changes_nothing_writes_nothing(compute, flavor):
    for made in (
        running(compute),
        make(field_id=flavor, value="a", start=d(10), end=d(20), description="x"),
        make(field_id=flavor, value="b", start=d(-10), end=d(20), force=True),
        make(field_id=flavor, value="c", start=d(-10), end=d(-5), force=True),
    ):
        assert update(made, **whole(made)) == made


def test_the_same_put_may_be_repeated(compute):
    made = running(compute)
    update(made, user="first", **{**whole(made), "end": None})
    body = {**whole(made), "end": d(30), "updated_by": "someone before"}
    closed = update(made, user="second", **body)
    assert update(made, user="third", **body) == closed
    assert closed.updated_by == "second"


def test_an_end_is_set_once(compute):
    made = update(running(compute), end=d(30))
    for end in (d(40), None):
        with pytest.raises(InvalidError) as caught:
            update(made, end=end)
        assert str(caught.value) == (
            "Cannot update a rule that was already processed and has a defined end date."
        )


def test_of_many_at_once_one_gets_the_place(flavor):
    outcomes = []
    together = threading.Barrier(6)

    def attempt():
        together.wait()
        try:
            outcomes.append(make(field_id=flavor, value="x"))
        except ConflictError as exc:
            outcomes.append(exc)

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 6
    assert [type(o) for o in outcomes].count(ConflictError) == 5
    assert raw_count() == 1
