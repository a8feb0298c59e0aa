# SPDX-License-Identifier: Apache-2.0
"""On MySQL, trailing blanks count in names."""

from cloudkitty.db import additions

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    additions.compare_exactly("pyscripts_scripts", "name", 255)
