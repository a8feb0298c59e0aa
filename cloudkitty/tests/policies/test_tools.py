# SPDX-License-Identifier: Apache-2.0
"""oslo.policy's own commands find the rules and the enforcer of the service."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_effective_policy_is_printed(tmp_path):
    (tmp_path / "policy.yaml").write_text('"rating:list_modules": "role:rater"\n')
    config = tmp_path / "cloudkitty.conf"
    config.write_text("[oslo_policy]\npolicy_file = policy.yaml\n")
    program = Path(sys.executable).parent / "oslopolicy-policy-generator"

    done = subprocess.run(
        [program, "--namespace", "cloudkitty", "--config-file", config],
        capture_output=True,
        text=True,
        check=True,
    )

    rules = done.stdout.splitlines()
    assert '"rating:list_modules": "role:rater"' in rules
    assert '"scope:get_state": "role:admin"' in rules
