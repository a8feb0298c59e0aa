# SPDX-License-Identifier: Apache-2.0
"""On MySQL, what the table of older releases lacks: names compared exactly, any description."""

from cloudkitty.db import additions

revision = "0002"
down_revision = "0001"

TABLE = "pyscripts_scripts"


def upgrade() -> None:
    additions.compare_exactly(TABLE, "name", 255)
    additions.hold_any_text(TABLE, "description")
    additions.forbid_null(TABLE, "checksum")
