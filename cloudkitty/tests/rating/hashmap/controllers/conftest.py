# SPDX-License-Identifier: Apache-2.0
"""The API over a database with all tables, and a few objects in it."""

from __future__ import annotations

import pytest

from cloudkitty.tests import webapi

H = "/v1/rating/module_config/hashmap"


@pytest.fixture
def api(sqlite_database, conf):
    return webapi.Api(conf)


@pytest.fixture
def any_api(database, conf):
    """The API on each SQL engine in turn."""
    return webapi.Api(conf)


def make(api, kind, **attributes):
    """Make an object and give it as the answer shows it."""
    answer = api.post(f"{H}/{kind}", attributes)
    assert answer.status_int == 201, answer.text
    return answer.json


def tree(api):
    """Make a service, a field and a group; give their ids."""
    service = make(api, "services", name="compute")["service_id"]
    field = make(api, "fields", name="flavor", service_id=service)["field_id"]
    group = make(api, "groups", name="bucket")["group_id"]
    return service, field, group
