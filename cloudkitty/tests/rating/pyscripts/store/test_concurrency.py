# SPDX-License-Identifier: Apache-2.0
"""Two who make scripts of one name at the same time."""

from __future__ import annotations

import threading

from cloudkitty.rating.common.errors import ConflictError
from cloudkitty.rating.pyscripts.store import script


def test_one_of_two_gets_the_name(database):
    for number in range(5):
        barrier = threading.Barrier(3)
        got = []

        def create(name=f"s{number}", barrier=barrier, got=got):
            barrier.wait()
            try:
                got.append(script.create(script.NewScript(name=name, data=""), "me"))
            except ConflictError as exc:
                got.append(exc)

        threads = [threading.Thread(target=create) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(type(each).__name__ for each in got) == [
            "ConflictError",
            "ConflictError",
            "Script",
        ]
