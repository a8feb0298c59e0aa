# SPDX-License-Identifier: Apache-2.0
"""Services, fields and groups in the database (contract api.md 7.2 to 7.4)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cloudkitty.rating.hashmap.store import field, group, mapping, service, threshold
from cloudkitty.rating.hashmap.store.errors import ConflictError, InvalidError, NotFoundError
from cloudkitty.rating.hashmap.store.mapping import MappingFilter, NewMapping
from cloudkitty.rating.hashmap.store.parents import RuleFilter
from cloudkitty.rating.hashmap.store.threshold import NewThreshold

DEAD = "00000000-0000-4000-8000-00000000dead"
ONE = Decimal(1)

pytestmark = pytest.mark.usefixtures("database")


def test_services_are_listed_in_the_order_of_their_creation():
    made = [service.create(name) for name in ("zeta", "alpha", "mid")]
    assert service.get_all() == made
    assert service.get(made[1].service_id) == made[1]


def test_a_service_name_exists_once():
    made = service.create("compute")
    with pytest.raises(ConflictError) as caught:
        service.create("compute")
    assert str(caught.value) == f"Service compute already exists (UUID: {made.service_id})"
    assert caught.value.code == 409


def test_names_that_differ_in_case_are_two():
    service.create("compute")
    assert service.create("Compute").name == "Compute"


@pytest.mark.parametrize("name", [None, "", "n" * 256, "a\x00b", "\ud800"])
def test_names_that_no_database_should_see(name):
    for create in (service.create, group.create, lambda text: field.create(text, DEAD)):
        with pytest.raises(InvalidError, match="Invalid input for field/attribute name"):
            create(name)


@pytest.mark.parametrize("unknown", [DEAD, "no-uuid", "", "\x00", "\ud800", "x" * 5000])
def test_unknown_ids(unknown):
    with pytest.raises(NotFoundError, match="No such service: None "):
        service.get(unknown)
    with pytest.raises(NotFoundError, match="No such service: None "):
        service.delete(unknown)
    with pytest.raises(NotFoundError, match="No such field: "):
        field.get(unknown)
    with pytest.raises(NotFoundError, match="No such field: "):
        field.delete(unknown)
    with pytest.raises(NotFoundError, match="No such group: None "):
        group.get(unknown)
    with pytest.raises(NotFoundError, match="No such group: None "):
        group.delete(unknown)
    with pytest.raises(NotFoundError, match="No such mapping: "):
        mapping.get(unknown)
    with pytest.raises(NotFoundError, match="No such threshold: "):
        threshold.get(unknown)
    with pytest.raises(NotFoundError, match="Mapping has no group"):
        group.of_mapping(unknown)
    with pytest.raises(NotFoundError, match="Threshold has no group"):
        group.of_threshold(unknown)
    assert field.get_all(unknown) == []
    if unknown:
        assert mapping.get_all(MappingFilter(service_id=unknown)) == []
        assert threshold.get_all(RuleFilter(group_id=unknown)) == []


def test_a_field_name_exists_once_in_a_service():
    one, two = service.create("one"), service.create("two")
    made = field.create("flavor", one.service_id)
    field.create("flavor", two.service_id)
    with pytest.raises(ConflictError) as caught:
        field.create("flavor", one.service_id)
    assert str(caught.value) == f"Field flavor already exists (UUID: {made.field_id})"
    assert field.get_all(one.service_id) == [made]
    assert field.get(made.field_id) == made


def test_a_field_needs_its_service():
    with pytest.raises(InvalidError) as caught:
        field.create("flavor", DEAD)
    assert str(caught.value) == f"No such service: None (UUID: {DEAD})"


def _tree():
    compute = service.create("compute")
    flavor = field.create("flavor", compute.service_id)
    bucket = group.create("bucket")
    in_group = {"group_id": bucket.group_id}
    rules = {
        "sm": mapping.create(
            NewMapping(service_id=compute.service_id, cost=ONE, **in_group), "me"
        ).mapping_id,
        "fm": mapping.create(
            NewMapping(field_id=flavor.field_id, value="x", cost=ONE), "me"
        ).mapping_id,
        "st": threshold.create(
            NewThreshold(service_id=compute.service_id, level=ONE, cost=ONE, **in_group)
        ).threshold_id,
        "ft": threshold.create(
            NewThreshold(field_id=flavor.field_id, level=ONE, cost=ONE)
        ).threshold_id,
    }
    return compute, flavor, bucket, rules


def _left():
    mappings = [m.mapping_id for m in mapping.get_all(MappingFilter(deleted=True))]
    return {*mappings, *(t.threshold_id for t in threshold.get_all(RuleFilter()))}


def test_a_service_takes_everything_below_it_along():
    compute, flavor, bucket, rules = _tree()
    other = service.create("other")
    kept = mapping.create(NewMapping(service_id=other.service_id, cost=ONE), "me")
    mapping.delete(rules["fm"], "me")
    service.delete(compute.service_id)
    assert _left() == {kept.mapping_id}
    with pytest.raises(NotFoundError):
        field.get(flavor.field_id)
    assert group.get_all() == [bucket]


def test_a_field_takes_its_rules_along():
    _, flavor, _, rules = _tree()
    field.delete(flavor.field_id)
    assert _left() == {rules["sm"], rules["st"]}


def test_a_group_leaves_its_rules_behind():
    _, _, bucket, rules = _tree()
    assert group.of_mapping(rules["sm"]) == group.of_threshold(rules["st"]) == bucket
    group.delete(bucket.group_id)
    assert _left() == set(rules.values())
    assert mapping.get(rules["sm"]).group_id is None
    assert threshold.get(rules["st"]).group_id is None


def test_a_group_can_take_its_rules_along():
    _, _, bucket, rules = _tree()
    mapping.delete(rules["sm"], "me")
    group.delete(bucket.group_id, recursive=True)
    assert _left() == {rules["fm"], rules["ft"]}
