# SPDX-License-Identifier: Apache-2.0
"""Runs all tests of a tempest plugin; ``PYTHON tempest_driver.py PLUGIN``.

With the Python of tempest's virtual environment. ``tempest run`` does the same by way of more
processes and a repository of results. Prints a JSON object: `ran`, the number of tests; `skipped`,
id -> reason; `failed`, id -> traceback.
"""

from __future__ import annotations

import json
import sys
import unittest

from tempest.test_discover.plugins import TempestTestPluginManager


def main() -> None:
    """Run them one after the other, as ``--serial`` does."""
    tests, base = TempestTestPluginManager().get_plugin_load_tests_tuple()[sys.argv[1]]
    result = unittest.TestResult()
    unittest.TestLoader().discover(tests, top_level_dir=base).run(result)
    found = {
        "ran": result.testsRun,
        "skipped": {test.id(): reason for test, reason in result.skipped},
        "failed": {test.id(): why for test, why in result.errors + result.failures},
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
