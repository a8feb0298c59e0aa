# SPDX-License-Identifier: Apache-2.0
"""What operators can set, call or plug in is documented."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from oslo_config import cfg

import cloudkitty
from cloudkitty import conf as ck_conf

PACKAGE = Path(cloudkitty.__file__).parent
ROOT = PACKAGE.parent
DOC = ROOT / "doc" / "source"

pytestmark = pytest.mark.skipif(not DOC.is_dir(), reason="needs a checkout")

OPTIONS = [
    pytest.param(module.GROUP or "DEFAULT", opt, id=f"{module.GROUP or 'DEFAULT'}.{opt.name}")
    for module in ck_conf.GROUPS
    for opt in module.OPTS
]


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def entry_points(group: str) -> list[str]:
    lines = setup_cfg()["entry_points"][group].split("\n")
    return [line.partition("=")[0].strip() for line in lines if line.strip()]


def pages() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(DOC.rglob("*.rst")))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The sample configuration, as packagers make it."""
    path = tmp_path_factory.mktemp("sample") / "cloudkitty.conf.sample"
    made_by = ROOT / "etc" / "oslo-config-generator" / "cloudkitty.conf"
    # A process of its own: libraries whose options are listed do things when they are imported.
    program = Path(sys.executable).parent / "oslo-config-generator"
    subprocess.run([program, "--config-file", made_by, "--output-file", path], check=True)
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("group", "opt"), OPTIONS)
def test_each_option_has_a_help_text_and_is_in_the_sample(
    group: str, opt: cfg.Opt, sample: str
) -> None:
    assert len(opt.help or "") > 15
    # A sentence; "Like this" would be cut off by whoever reads it.
    assert opt.help.rstrip()[-1] in ".:)", opt.help
    section = re.search(rf"^\[{group}\]$(.*?)(?=^\[|\Z)", sample, re.MULTILINE | re.DOTALL)
    assert section, group
    assert re.search(rf"^#?{opt.dest} ?=", section[1], re.MULTILINE)


def test_each_module_of_options_is_listed() -> None:
    files = {path.stem for path in (PACKAGE / "conf").glob("*.py")} - {"__init__"}
    assert {module.__name__.rpartition(".")[2] for module in ck_conf.GROUPS} == files


def test_options_that_pages_name_exist() -> None:
    known = {
        (module.GROUP or "DEFAULT", opt.dest) for module in ck_conf.GROUPS for opt in module.OPTS
    }
    groups = {group for group, _name in known} - {"DEFAULT"}
    named = re.findall(r"``\[(\w+)\] ([a-z_]+)", pages())
    assert named
    assert [pair for pair in named if pair[0] in groups and pair not in known] == []


@pytest.mark.parametrize("command", entry_points("console_scripts"))
def test_each_command_is_documented(command: str) -> None:
    page = (DOC / "admin" / "commands.rst").read_text(encoding="utf-8")
    assert re.search(rf"^{command}\n=+$", page, re.MULTILINE)


@pytest.mark.parametrize("group", [g for g in setup_cfg()["entry_points"] if "cloudkitty" in g])
def test_each_plugin_is_documented(group: str) -> None:
    page = (DOC / "developer" / "plugins.rst").read_text(encoding="utf-8")
    rows = re.findall(rf"``{re.escape(group)}``\n     - (.*)\n", page)
    assert len(rows) == 1
    assert set(re.findall(r"``(\w+)``", rows[0])) == set(entry_points(group))


@pytest.mark.parametrize("group", [*setup_cfg()["entry_points"]])
def test_each_entry_point_can_be_loaded(group: str) -> None:
    names = entry_points(group)
    installed = {e.name: e for e in metadata.entry_points(group=group) if e.name in names}
    assert set(installed) == set(names), "install the project anew"
    for name in names:
        assert callable(installed[name].load()), name


def test_each_dependency_has_a_reason() -> None:
    page = (DOC / "developer" / "dependencies.rst").read_text(encoding="utf-8")
    documented = {
        name.strip()
        for line in re.findall(r"^   \* - (.+)$", page, re.MULTILINE)
        for name in line.split(",")
    }
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    text += "".join(setup_cfg()["extras"].values())
    needed = set(re.findall(r"^([A-Za-z][\w.-]*)(?=[><=~!])", text, re.MULTILINE))
    assert needed == documented


def test_each_dependency_is_used() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    names = re.findall(r"^([A-Za-z][\w.-]*)", text, re.MULTILINE)
    modules = {
        "oslo.": lambda name: name.replace(".", "_"),
        "python-dateutil": lambda _name: "dateutil",
        "PyYAML": lambda _name: "yaml",
        "PasteDeploy": lambda _name: "paste.deploy",
    }
    # Named by paste files and setup.py, or used by cotyledon and gunicorn if it is there.
    elsewhere = {"pbr", "Paste", "setproctitle"}
    imported = _imported()
    unused = []
    for name in set(names) - elsewhere:
        convert = next((f for prefix, f in modules.items() if name.startswith(prefix)), str.lower)
        module = convert(name)
        if not any(one == module or one.startswith(f"{module}.") for one in imported):
            unused.append(name)
    assert unused == []


def _imported() -> set[str]:
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_nothing_shipped_names_a_machine() -> None:
    """Documentation and code are the same for everybody."""
    files = [*DOC.rglob("*.rst"), *ROOT.glob("*.rst"), *PACKAGE.rglob("*.py")]
    pattern = re.compile(r"(?<![\w.])/(?:work|home|root)/\w")
    assert [str(p) for p in files if pattern.search(p.read_text(encoding="utf-8"))] == []
