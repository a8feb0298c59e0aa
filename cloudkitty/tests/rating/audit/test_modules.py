# SPDX-License-Identifier: Apache-2.0
"""What modules of plug-ins are asked when a past is rated again."""

from __future__ import annotations

import pytest

from cloudkitty.db import module_info
from cloudkitty.rating.base import RatingProcessorBase
from cloudkitty.rating.modules import Modules, Rating


class Present(RatingProcessorBase):
    """The batch form, from before there was a past."""

    module_name = "present"
    batch = True
    calls: list[str] = []  # noqa: RUF012 - of the test

    def process(self, data):
        return data

    def reload_config(self, start=None):
        self.calls.append("reload")

    def rate_usage(self, usage):
        pass

    def begin_batch(self):
        self.calls.append("present")


class Remembering(Present):
    """Knows its past."""

    def begin_batch_then(self):
        self.calls.append("then")

    def rate_usage(self, usage):
        pass


@pytest.mark.parametrize(
    ("module", "valid_then", "expected"),
    [
        (Present, False, ["present"]),
        (Present, True, ["present"]),
        (Remembering, False, ["present"]),
        (Remembering, True, ["then"]),
    ],
)
def test_a_module_is_asked_for_what_it_knows(sqlite_database, module, valid_then, expected):
    Present.calls.clear()
    module_info.set_state("present", enabled=True)

    Rating(Modules({"present": module}, {})).begin_batch(valid_then=valid_then)

    assert Present.calls == expected
