# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os

import pytest
from oslo_config import cfg
from oslo_policy import opts

from cloudkitty import policies
from cloudkitty.api import context
from cloudkitty.policies import enforcer

PROJECT_A = {"project_id": "project-a"}
#: Rules of what the contract does not have.
OURS = {
    "v2_rating:create_simulation",
    "v2_rating:delete_simulation",
    "v2_rating:get_coverage",
    "v2_rating:get_simulation",
    "v2_rating:list_audit",
    "v2_rating:list_simulations",
}


@pytest.fixture(autouse=True)
def _keystone(conf):
    opts.set_defaults(cfg.CONF)
    conf.config(auth_strategy="keystone")
    enforcer.reset()
    yield
    enforcer.reset()


def caller(roles, project="project-a", **more):
    environ = {"HTTP_X_ROLES": roles, "HTTP_X_PROJECT_ID": project, **more}
    return context.from_environ({key: value for key, value in environ.items() if value})


def may(who, rule, target):
    try:
        context.authorize(rule, target, who)
    except enforcer.PolicyNotAuthorized:
        return False
    return True


@pytest.mark.parametrize(
    ("roles", "project", "reads_a"),
    [
        ("admin,member,reader", "other", True),
        ("reader", "project-a", True),
        ("reader", "project-b", False),
        ("member", "project-a", False),
        ("reader", None, False),
        ("", None, False),
    ],
)
def test_readers_of_the_project_and_administrators(roles, project, reads_a):
    assert may(caller(roles, project), "summary:get_summary", PROJECT_A) is reads_a


def test_the_refusal_names_the_rule():
    text = "Policy doesn't allow scope:get_state to be performed."
    with pytest.raises(enforcer.PolicyNotAuthorized) as caught:
        context.authorize("scope:get_state", {}, caller("reader"))
    assert str(caught.value) == text


def test_any_role_reads_with_the_old_defaults(conf):
    conf.config(group="oslo_policy", enforce_new_defaults=False)
    enforcer.reset()

    assert may(caller("auditor"), "summary:get_summary", PROJECT_A)
    assert not may(caller("auditor", "project-b"), "summary:get_summary", PROJECT_A)


@pytest.mark.parametrize("scope", ["HTTP_OPENSTACK_SYSTEM_SCOPE", "HTTP_X_DOMAIN_ID"])
def test_tokens_of_other_scopes_may_nothing(scope):
    who = caller("admin,reader", None, **{scope: "all"})

    assert not any(
        may(who, rule.name, PROJECT_A) for rule in policies.list_rules() if rule.scope_types
    )


def test_noauth_lets_everybody_in(conf):
    conf.config(auth_strategy="noauth")
    who = caller("", None)

    assert who.is_admin
    assert may(who, "rating:update_module", {})


def test_a_changed_policy_file_counts_at_once(conf, tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text('"rating:list_modules": "role:reader"\n')
    conf.config(group="oslo_policy", policy_file=str(file))
    enforcer.reset()
    assert may(caller("reader"), "rating:list_modules", {})

    file.write_text('"rating:list_modules": "role:admin"\n')
    os.utime(file, (2**31, 2**31))

    assert not may(caller("reader"), "rating:list_modules", {})


def test_rules_are_those_of_the_contract():
    operations = {rule.name: rule.check_str for rule in policies.list_rules() if rule.scope_types}

    assert len(operations.keys() - OURS) == 31
    everybody = {name for name, check in operations.items() if not check}
    assert everybody == {
        "info:list_services_info",
        "info:get_service_info",
        "info:list_metrics_info",
        "info:get_metric_info",
        "info:get_config",
        "rating:quote",
    }
    readers = {name for name, check in operations.items() if check.startswith("rule:")}
    assert readers == {
        "report:get_summary",
        "report:get_total",
        "storage:list_data_frames",
        "dataframes:get",
        "summary:get_summary",
    }
    assert all(
        check == "role:admin"
        for name, check in operations.items()
        if name not in everybody | readers
    )
