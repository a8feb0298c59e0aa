# SPDX-License-Identifier: Apache-2.0
"""On MySQL, names are compared exactly: of modules and collectors, and of services."""

from cloudkitty.db import additions

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    additions.compare_exactly("modules_state", "name", 255)
    for name in ("service", "collector"):
        additions.compare_exactly("service_to_collector_mappings", name, 255)
