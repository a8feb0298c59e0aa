# SPDX-License-Identifier: Apache-2.0
"""What every process does first: options, files, refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from oslo_config import cfg

from cloudkitty import service
from cloudkitty.service import Refused


def prepare(path: Path, text: str) -> cfg.ConfigOpts:
    file = path / "cloudkitty.conf"
    file.write_text(text)
    return service.prepare(["--config-file", str(file)], conf=cfg.ConfigOpts(), prog="test")


def test_values_and_defaults(tmp_path: Path) -> None:
    conf = prepare(tmp_path, "[collect]\nperiod = 60\n")
    assert conf.collect.period == 60
    assert conf.collect.wait_periods == 2
    assert conf.database.connection == service.DEFAULT_CONNECTION
    assert "X-Auth-Token" in service.CORS_ALLOW_HEADERS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[collect]\nperiod = -1\n", ["[collect] period", "or equal to 1"]),
        ("[orchestrator]\nmax_workers = many\n", ["[orchestrator] max_workers", "many"]),
        ("[storage]\nversion = 3\n", ["[storage] version"]),
        ("[DEFAULT]\nauth_strategy = maybe\n", ["[DEFAULT] auth_strategy", "maybe"]),
        ("period\n", ["cloudkitty.conf"]),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: list[str]) -> None:
    with pytest.raises(Refused) as caught:
        prepare(tmp_path, text)
    for part in said:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"nothing\.conf"):
        service.prepare(["--config-file", str(tmp_path / "nothing.conf")], conf=cfg.ConfigOpts())


def test_a_refusal_is_one_line_and_status_one(capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> None:
        raise Refused("that cannot be")

    assert service.run(body) == 1
    assert capsys.readouterr().err.endswith("error: that cannot be\n")
    assert service.run(lambda: None) == 0
    assert service.run(lambda: 3) == 3
