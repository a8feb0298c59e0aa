# SPDX-License-Identifier: Apache-2.0
"""The callable for WSGI servers, imported by processes whose arguments are not ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cloudkitty.tests.conformance import server

PROGRAM = """
import sys
from cloudkitty.wsgi import api
import webtest
print(webtest.TestApp(api.application).get("/").json["versions"][0]["id"])
"""


def run(directory: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *args],
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(directory), "PATH": ""},
    )


@pytest.mark.parametrize("form", ["separate", "joined"])
def test_only_the_configuration_is_taken_from_the_arguments(tmp_path, form):
    config = server.configuration(tmp_path, database="sqlite://", auth="keystone")
    where = ["--config-file", str(config)] if form == "separate" else [f"--config-file={config}"]

    done = run(tmp_path, "--bind", "0.0.0.0:80", *where, "--workers=4", "module:app")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "v1"


def test_a_missing_paste_file_is_named(tmp_path):
    (tmp_path / "ck.conf").write_text("[DEFAULT]\napi_paste_config = nothing.ini\n")

    done = run(tmp_path, "--config-file", str(tmp_path / "ck.conf"))

    assert done.returncode == 1
    assert "Failed to find some config files: nothing.ini" in done.stdout + done.stderr
