# SPDX-License-Identifier: Apache-2.0
"""Who may configure hashmap, and what is where (contract api.md 5.2, 6.3, 7)."""

from __future__ import annotations

import pytest

from cloudkitty.tests.rating.hashmap.controllers.conftest import H, tree
from cloudkitty.tests.webapi import ALICE, NOBODY, fault

KINDS = ("services", "fields", "groups", "mappings", "thresholds")


@pytest.mark.parametrize("who", [ALICE, NOBODY, {**ALICE, "OpenStack-System-Scope": "all"}])
def test_only_administrators_get_in_and_others_learn_nothing(api, who):
    paths = [H, f"{H}/nothing", f"{H}/types", f"{H}/services/a/b/c"]
    paths += [f"{H}/{kind}{rest}" for kind in KINDS for rest in ("", "/x", "/x/y/z", "?bad=1")]
    for path in paths:
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            text = fault(api(method, path, as_=who, body=b"{"), 403)
            assert text == "Policy doesn't allow rating:module_config to be performed."


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "", 405),
        ("GET", "/", 405),
        ("POST", "/types", 405),
        ("PUT", "/services/x", 405),
        ("PATCH", "/mappings/x", 405),
        ("GET", "/nothing", 405),
        ("GET", "/services/x/y", 404),
        ("GET", "/services/x/fields/y", 404),
        ("POST", "/mappings/true/y/z", 404),
        ("DELETE", "/services/x/y", 404),
    ],
)
def test_what_is_not_there(api, method, path, status):
    body = b"{}" if method in {"POST", "PUT"} else b""
    headers = {"Content-Type": "application/json"} if body else {}
    fault(api(method, H + path, body=body, headers=headers), status)


def test_the_types(api):
    assert api.get(f"{H}/types").json == api.get(f"{H}/types/").json == ["flat", "rate"]


def test_sub_resources_take_the_parent_in_the_path_or_in_the_query(api):
    service, field, group = tree(api)
    fields = {"fields": [{"field_id": field, "name": "flavor", "service_id": service}]}
    assert api.get(f"{H}/services/{service}/fields").json == fields
    assert api.get(f"{H}/services/fields?service_id={service}").json == fields
    assert api.get(f"{H}/services/{service}/mappings").json == {"mappings": []}
    assert api.get(f"{H}/groups/{group}/thresholds").json == {"thresholds": []}
    assert api.get(f"{H}/groups/mappings?group_id={group}").json == {"mappings": []}
    assert "group_id" in fault(api.get(f"{H}/groups/mappings"), 400)
    assert fault(api.get(f"{H}/thresholds/group?threshold_id=x"), 404) == (
        "Threshold has no group (UUID: x)"
    )
