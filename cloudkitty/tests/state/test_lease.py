# SPDX-License-Identifier: Apache-2.0
"""Leases: one owner at a time, until they expire or the owner is gone."""

from __future__ import annotations

import subprocess
import sys
import threading

from cloudkitty.state.lease import Leases, lock_name, new_owner
from cloudkitty.state.scope import Origin


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_the_name_is_that_of_the_contract() -> None:
    name = lock_name("s1", Origin("project_id", "source", "prometheus"))
    assert name == "8286a2cb1145515cb42c86fa2775abc4e6efd2a5214b53bd50253980596d9141"


def test_one_owner_at_a_time(database: str) -> None:
    clock = Clock()
    one, two = Leases("one", 60, clock), Leases("two", 60, clock)
    assert one.acquire({"a", "b"}) == {"a", "b"}
    assert two.acquire({"a", "b", "c"}) == {"c"}
    assert one.acquire({"a", "c"}) == {"a"}
    one.release(["a", "c"])
    assert two.acquire({"a", "b", "c"}) == {"a", "c"}


def test_leases_expire(database: str) -> None:
    clock = Clock()
    one, two = Leases("one", 60, clock), Leases("two", 60, clock)
    one.acquire({"a"})
    clock.now += 59
    assert two.acquire({"a"}) == set()
    assert one.acquire({"a"}) == {"a"}
    clock.now += 59
    assert two.acquire({"a"}) == set()
    clock.now += 2
    assert two.acquire({"a"}) == {"a"}
    one.release(["a"])
    assert one.acquire({"a"}) == set()


def test_released_for_later(database: str) -> None:
    clock = Clock()
    one, two = Leases("one", 600, clock), Leases("two", 600, clock)
    one.acquire({"a"})
    one.release(["a"], after=10)
    assert two.acquire({"a"}) == set()
    assert one.acquire({"a"}) == {"a"}
    one.release(["a"], after=10)
    clock.now += 10
    assert two.acquire({"a"}) == {"a"}


def test_those_of_a_process_that_died_are_free(database: str) -> None:
    program = "from cloudkitty.state import lease; print(lease.new_owner())"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    clock = Clock()
    dead, alive = Leases(done.stdout.strip(), 60, clock), Leases(new_owner(), 60, clock)
    assert dead.acquire({"a", "b"}) == {"a", "b"}
    other = Leases(new_owner(), 60, clock)
    assert other.acquire({"a"}) == {"a"}
    assert alive.acquire({"a", "b"}) == {"b"}


def test_many_at_once(database: str) -> None:
    names = {f"n{n}" for n in range(50)}
    got: list[str] = []
    barrier = threading.Barrier(4)

    def run(number: int) -> None:
        leases = Leases(f"owner-{number}", 60)
        barrier.wait()
        for _ in range(3):
            got.extend(leases.acquire(names) - set(got))

    threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(names)
