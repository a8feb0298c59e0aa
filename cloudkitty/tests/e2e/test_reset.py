# SPDX-License-Identifier: Apache-2.0
"""Scopes are set back and rated again, whatever happens meanwhile: every digit, once."""

from __future__ import annotations

import json
import os
import random
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from oslo_config import fixture as cfg_fixture

from cloudkitty import db, messaging, timeutils
from cloudkitty.state import orders
from cloudkitty.state.scope import states_for
from cloudkitty.tests import services
from cloudkitty.tests.e2e import outcome, processes
from cloudkitty.tests.e2e.cloud import PERIOD, Cloud
from cloudkitty.tests.e2e.processes import Site
from cloudkitty.tests.e2e.test_api import PASTE, serving

pytestmark = pytest.mark.e2e


def pending() -> list[orders.Reset]:
    return orders.pending(outcome.ORIGIN, PERIOD)


def order(name: str, to: int) -> None:
    with db.session_for_write() as session:
        states = states_for(outcome.ORIGIN, [name], session)
        assert orders.place(session, states.values(), timeutils.from_epoch(to)) == 1


def wait(cloud: Cloud, seconds: float) -> None:
    """Wait until every order is carried out, and everything is rated again."""
    deadline = time.monotonic() + seconds
    while pending():
        assert time.monotonic() < deadline, pending()
        time.sleep(0.02)
    outcome.wait(cloud, deadline - time.monotonic())


def last_of(project: str) -> int:
    """Give where a project is, once what is ordered is carried out."""
    states = states_for(outcome.ORIGIN, [project])
    ordered = [reset.to for reset in pending() if reset.scope_id == project]
    return timeutils.to_epoch(min([states[project].last_processed, *ordered]))


def test_the_api_sets_a_scope_back(make_site: Callable[..., Site], cloud: Cloud) -> None:
    site = make_site()
    site.write(f"[DEFAULT]\nauth_strategy = noauth\napi_paste_config = {PASTE}\n")
    with site.processor(), serving(site) as api:
        outcome.wait(cloud, 40)
        wish = {
            "scope_id": cloud.names[:3],
            "last_processed_timestamp": timeutils.from_epoch(cloud.begins[4]).isoformat(),
        }
        request = urllib.request.Request(
            f"{api.url}/v2/scope",
            json.dumps(wish).encode(),
            {"Content-Type": "application/json"},
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 202
        wait(cloud, 40)
        site.wait_for_log(f"scope {cloud.names[2]} was reset to")
    outcome.check(cloud)
    assert "Traceback" not in site.output()


def test_every_digit_once_when_processes_are_killed(
    make_site: Callable[..., Site],
    cloud: Cloud,
) -> None:
    site = make_site(workers=2, reprocessing=1)
    with site.processor():
        outcome.wait(cloud, 40)
    site.write(batch_scopes=1, batch_periods=2)
    chance = random.Random(5)
    kills = resets = 0
    deadline = time.monotonic() + 20
    while kills < 6 and time.monotonic() < deadline:
        for name in chance.sample(cloud.names, 4):
            # Further ahead than it is, it would leave periods out.
            order(name, max(cloud.begins[0], last_of(name) - chance.randrange(8) * PERIOD))
            resets += 1
        before = pending()
        process = site.start()
        while pending() == before and time.monotonic() < deadline:
            time.sleep(0.005)
        for _ in range(2):
            time.sleep(chance.uniform(0, 0.1))
            for worker in processes.children(process)[:1]:
                os.kill(worker, signal.SIGKILL)
                kills += 1
        time.sleep(chance.uniform(0, 0.3))
        processes.kill_all(process)
        kills += 1
    assert kills >= 3
    assert resets >= 4
    site.write(batch_scopes=200, batch_periods=24)
    with site.processor():
        wait(cloud, 40)
    outcome.check(cloud)


@contextmanager
def on_the_bus(conf: cfg_fixture.Config, url: str) -> Iterator[Any]:
    """Yield a client such as API processes of older releases have."""
    conf.load_raw_values(transport_url=url)
    messaging._forget()
    try:
        yield messaging.get_client()
    finally:
        messaging._transport().cleanup()
        messaging._forget()


@pytest.mark.service
@pytest.mark.parametrize("engine_name", ["sqlite"])
def test_an_old_api_is_served_over_the_bus(
    make_site: Callable[..., Site],
    cloud: Cloud,
    conf: cfg_fixture.Config,
) -> None:
    url = services.env("CLOUDKITTY_TEST_RABBITMQ_URL")
    site = make_site(workers=1, reprocessing=1)
    site.write(f"[DEFAULT]\ntransport_url = {url}\n")
    with site.processor() as process:
        outcome.wait(cloud, 40)
        site.wait_for_log("answering on topic cloudkitty")
        with on_the_bus(conf, url) as client:
            usage = {"instance": [{"desc": {"flavor": "large"}, "vol": {"qty": "3", "unit": "x"}}]}
            rating = client.prepare(namespace="rating", timeout=20)
            assert rating.call({}, "quote", res_data={"usage": usage}) == "3.3"
            project, to = cloud.names[0], cloud.begins[3]
            origin = outcome.ORIGIN
            scope = {
                "scope_id": project,
                "scope_key": origin.scope_key,
                "fetcher": origin.fetcher,
                "collector": origin.collector,
            }
            client.cast(
                {},
                "reset_state",
                res_data={
                    "scopes": [scope],
                    "last_processed_timestamp": timeutils.from_epoch(to).isoformat(),
                },
            )
            site.wait_for_log(f"scope {project} was reset to")
        wait(cloud, 40)
        before = time.monotonic()
        assert processes.stop(process) == 0
        assert time.monotonic() - before < 15
    outcome.check(cloud)
    assert "Traceback" not in site.output()


@pytest.mark.parametrize("engine_name", ["sqlite"])
def test_rating_goes_on_while_the_bus_is_down(
    make_site: Callable[..., Site],
    cloud: Cloud,
) -> None:
    site = make_site(workers=1, reprocessing=1)
    site.write("[DEFAULT]\ntransport_url = rabbit://u:p@127.0.0.1:1/\n")
    with site.processor() as process:
        outcome.wait(cloud, 40)
        order(cloud.names[0], cloud.begins[5])
        wait(cloud, 40)
        before = time.monotonic()
        assert processes.stop(process) == 0
        assert time.monotonic() - before < 15
    outcome.check(cloud)
