# SPDX-License-Identifier: Apache-2.0
"""The process for scripts ends with the test."""

from __future__ import annotations

import pytest

from cloudkitty.rating.pyscripts import PyScripts, isolation


@pytest.fixture(autouse=True)
def fresh():
    """Nothing is remembered from other tests' databases."""
    PyScripts._latest = None
    yield
    PyScripts._latest = None


@pytest.fixture(scope="session", autouse=True)
def end_process():
    yield
    if isolation._shared is not None:
        isolation._shared.close()
