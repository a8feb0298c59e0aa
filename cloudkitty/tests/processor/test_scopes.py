# SPDX-License-Identifier: Apache-2.0
"""Which scopes count when the fetcher fails, names none, or names what is gone already."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from cloudkitty import db
from cloudkitty.fetcher.base import BaseFetcher
from cloudkitty.processor.notices import Notices
from cloudkitty.processor.scopes import RECENT, REFRESH, Scopes
from cloudkitty.state.models import IdentifierState
from cloudkitty.state.scope import Origin
from cloudkitty.tests.processor.rig import NOW, ORIGIN, P, Rig, lasts, seed, stored


class Scripted(BaseFetcher):
    """Says what the test says."""

    name = "scripted"

    def __init__(self) -> None:
        super().__init__()
        self.present: Callable[[], Any] = list
        self.recent: Callable[[], Any] = list
        self.asked = 0

    def get_tenants(self) -> Any:
        return self.present()

    def get_recent(self) -> Any:
        self.asked += 1
        return self.recent()


@pytest.fixture
def fetcher(sqlite_database: str, caplog: pytest.LogCaptureFixture) -> Scripted:
    caplog.set_level(logging.INFO)
    return Scripted()


def scopes_of(fetcher: Any, origin: Origin = ORIGIN) -> Scopes:
    return Scopes(fetcher, Notices(), origin, P)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == "cloudkitty.processor.scopes"]


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == "cloudkitty.processor.notices"]


def switch(*, active: bool) -> None:
    with db.session_for_write() as session:
        session.execute(sa.update(IdentifierState).values(active=active))


def test_an_empty_list_at_first_is_nothing_to_do(
    fetcher: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    scopes = scopes_of(fetcher)
    assert scopes.known(NOW) == []
    assert scopes.expires() == NOW + REFRESH
    assert warned(caplog) == []


def test_an_empty_list_is_an_error_when_scopes_were_rated_before_a_restart(
    fetcher: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    seed([f"s{n}" for n in range(12)], 2)
    scopes = scopes_of(fetcher)
    assert scopes.known(NOW) == []
    (line,) = warned(caplog)
    assert line == (
        "fetcher 'scripted' names no scopes, nothing is rated until it does: 12 scope(s) that were "
        "named before (s0, s1, s10, s11, s2 and 7 more) are not switched off"
    )
    # It is asked again soon, and nobody has to be restarted.
    assert scopes.expires() == NOW + 5
    fetcher.present = lambda: ["s1"]
    assert scopes.known(NOW + 5) == ["s1"]
    assert "fetcher 'scripted' works again" in said(caplog)


def test_the_last_list_counts_while_the_next_ones_are_empty(
    fetcher: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    seed(["a", "b"], 2)
    fetcher.present = lambda: ["a", "b"]
    scopes = scopes_of(fetcher)
    scopes.known(NOW)
    fetcher.present = list
    for hours in range(1, 30):
        assert scopes.known(NOW + hours * P) == ["a", "b"]
    assert caplog.text.count("names no scopes, going on with the 2 scopes known: 2 scope(s)") == 1


def test_an_empty_list_is_accepted_once_all_scopes_are_switched_off(
    fetcher: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    seed(["a", "b"], 2)
    fetcher.present = lambda: ["a", "b"]
    scopes = scopes_of(fetcher)
    scopes.known(NOW)
    fetcher.present = list
    assert scopes.known(NOW + 60) == ["a", "b"]
    switch(active=False)
    assert scopes.known(NOW + 120) == []
    assert scopes.expires() == NOW + 180
    assert said(caplog)[-1] == "0 scopes loaded for fetcher scripted"


def test_scopes_of_another_origin_are_not_missed(fetcher: Scripted) -> None:
    seed(["a"], 2)
    scopes = scopes_of(fetcher, Origin(ORIGIN.scope_key, "another", ORIGIN.collector))
    scopes.known(NOW)
    assert scopes.expires() == NOW + REFRESH


def test_a_scope_that_was_never_rated_is_missed_for_a_period(fetcher: Scripted) -> None:
    fetcher.present = lambda: ["new"]
    scopes = scopes_of(fetcher)
    scopes.known(NOW)
    fetcher.present = list
    assert scopes.known(NOW + P) == ["new"]
    assert scopes.known(NOW + P + 60) == []


def _down() -> list[str]:
    raise OSError("it is\ndown")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_down, "OSError: it is down"),
        (lambda: ["a", 7], "TypeError: a scope id is not text: 7"),
        (lambda: [["a"]], "TypeError: unhashable type: 'list'"),
        (lambda: None, "TypeError: "),
    ],
)
def test_a_fetcher_that_fails(
    fetcher: Scripted,
    caplog: pytest.LogCaptureFixture,
    answer: Callable[[], Any],
    reason: str,
) -> None:
    fetcher.present = lambda: ["a"]
    scopes = scopes_of(fetcher)
    scopes.known(NOW)
    fetcher.present = answer
    waits = []
    now = float(NOW + 60)
    for _ in range(8):
        assert scopes.known(now) == ["a"]
        waits.append(scopes.expires() - now)
        now = scopes.expires()
    assert waits == [5, 10, 20, 40, 60, 60, 60, 60]
    assert caplog.text.count("fetcher 'scripted' failed, going on with the 1 scopes known: ") == 1
    assert f"known: {reason}" in caplog.text
    fetcher.present = lambda: ["b"]
    assert scopes.known(now) == ["b"]


def test_unusable_ids_are_left_out(fetcher: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    fetcher.present = lambda: ["a", "", "x" * 300, "a"]
    assert scopes_of(fetcher).known(NOW) == ["a"]
    assert "left out: an id has 1 to 256 characters" in caplog.text


def test_scopes_of_the_recent_past_count_too(fetcher: Scripted) -> None:
    fetcher.present = lambda: ["a"]
    fetcher.recent = lambda: ["gone", "a"]
    scopes = scopes_of(fetcher)
    for seconds in range(0, RECENT, 60):
        assert scopes.known(NOW + seconds) == ["a", "gone"]
    assert fetcher.asked == 1
    fetcher.recent = lambda: ["a"]
    assert scopes.known(NOW + RECENT) == ["a"]


def test_the_past_can_fail_without_harm_to_the_present(
    fetcher: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    fetcher.present = lambda: ["a"]
    fetcher.recent = _down
    scopes = scopes_of(fetcher)
    for minute in range(3):
        assert scopes.known(NOW + 60 * minute) == ["a"]
    assert caplog.text.count("cannot say which scopes are gone since a short while") == 1
    fetcher.recent = lambda: ["gone"]
    assert scopes.known(NOW + 180) == ["a", "gone"]


def test_a_plugin_need_not_know_about_the_past(sqlite_database: str) -> None:
    class Plain:
        name = "plain"

        def get_tenants(self) -> list[str]:
            return ["a"]

    assert scopes_of(Plain()).known(NOW) == ["a"]


def test_a_scope_that_ended_an_hour_ago_gets_its_last_periods(sqlite_database: str) -> None:
    seed(["gone", "here"], 3)
    rig = Rig(["here"])
    rig.fetcher.recent = ["gone", "here"]
    rig.rounds()
    assert lasts() == {"gone": 0, "here": 0}
    assert len(stored()) == 6
