# SPDX-License-Identifier: Apache-2.0
"""The ledger says by which rules each period was rated."""

from __future__ import annotations

import sqlalchemy as sa

from cloudkitty import db, timeutils
from cloudkitty.db import module_info
from cloudkitty.rating import snapshots
from cloudkitty.storage.v2.base import Provenance
from cloudkitty.tests.processor.rig import NEWEST, P, Rig, seed
from cloudkitty.tests.rating.hashmap.rulebook import Rulebook


def ledger() -> dict[int, tuple[str, str | None]]:
    """Begin -> status and version, of the one scope that there is."""
    rows = sa.text("SELECT begin, status, rules_version FROM ck_periods")
    with db.session_for_read() as session:
        return {begin: (status, version) for begin, status, version in session.execute(rows)}


def add_rule(metric: str) -> None:
    with db.session_for_write() as session:
        Rulebook(session).mapping(metric, "0.5")


def test_versions_of_periods(database: str) -> None:
    module_info.set_state("hashmap", enabled=True)
    add_rule("cpu")
    seed(["a"], 2)
    rig = Rig(["a"])
    # Idle periods are rated too: that nothing was used does not depend on who looks.
    rig.collector.usage = lambda _scope: False
    rig.rounds()
    add_rule("a_disk")
    rig.clock.now += 2 * P
    rig.collector.usage = lambda _scope: True
    rig.rounds()

    begins = [NEWEST + number * P for number in range(-1, 3)]
    found = ledger()
    assert sorted(found) == begins
    assert {status for status, _version in found.values()} == {"rated"}
    versions = [found[begin][1] for begin in begins]
    assert versions[0] == versions[1] != versions[2] == versions[3]
    first, second = (snapshots.load(version or "") for version in versions[1:3])
    assert first is not None
    assert second is not None
    assert [module.name for module in second.modules] == ["hashmap", "noop"]
    assert set(first.modules[0].snapshot or ()) == {"cpu"}
    assert set(second.modules[0].snapshot or ()) == {"a_disk", "cpu"}

    moments = [timeutils.from_epoch(begin) for begin in begins]
    known = rig.storage.provenance([("a", moment) for moment in moments] + [("b", moments[0])])
    assert known == {
        ("a", moment): Provenance(rated=True, rules_version=version)
        for moment, version in zip(moments, versions, strict=True)
    }


def test_a_version_is_there_before_the_points(sqlite_database: str) -> None:
    seed(["a"], 1)
    rig = Rig(["a"])

    def check(batch: object) -> None:
        (usage,) = batch  # type: ignore[misc]
        assert snapshots.load(usage.rules_version) is not None
        checked.append(usage.scope_id)

    checked: list[str] = []
    rig.storage.before = check  # type: ignore[assignment, return-value]
    rig.rounds()
    assert checked == ["a"]
