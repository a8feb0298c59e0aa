# SPDX-License-Identifier: Apache-2.0
"""Imports point one way: every import statement, in functions too, is looked at."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import cloudkitty

ROOT = Path(cloudkitty.__file__).parent

#: What everything may use: types, time, options, database sessions, HTTP, finding plug-ins.
GROUND = {
    "cloudkitty",
    "cloudkitty.conf",
    "cloudkitty.dataframe",
    "cloudkitty.db",
    "cloudkitty.gnocchi",
    "cloudkitty.http",
    "cloudkitty.keystone",
    "cloudkitty.keystone_http",
    "cloudkitty.plugins",
    "cloudkitty.prometheus",
    "cloudkitty.timeutils",
    "cloudkitty.usage",
}
#: Layers that stand side by side: they know one another by their ``base`` modules only.
SIDE_BY_SIDE = ("collector", "fetcher", "rating", "state", "storage")
#: Nothing imports these but themselves.
TOP = ("api", "cli", "processor", "wsgi", "demo")
#: A rating module brings its own controllers and engine, which use helpers of the API and rules
#: of its policy.
CONTROLLERS = (
    "cloudkitty.rating.controller",
    "cloudkitty.rating.hashmap",
    "cloudkitty.rating.pyscripts",
)
HELPERS = ("cloudkitty.api", "cloudkitty.policies")
#: Aliases of import paths that plug-ins of older releases use; nothing of ours imports them.
ALIASES = ("cloudkitty.common",)


def modules() -> dict[str, Path]:
    """Every module of the package but the tests, by name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        if "tests" in parts or not all(part.isidentifier() for part in parts):
            continue
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports(path: Path, name: str) -> Iterator[str]:
    """Names of our modules that `path` imports anywhere."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base]).rstrip(".")
            # `from package import module` is an import of the module.
            names = [
                full if (full := f"{base}.{alias.name}") in MODULES else base
                for alias in node.names
            ]
        else:
            continue
        yield from (one for one in names if one.split(".")[0] == "cloudkitty")


def under(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def layer(name: str) -> str:
    """First part below the package: ``storage`` of ``cloudkitty.storage.v2.base``."""
    return name.split(".")[1] if "." in name else ""


def violations() -> Iterator[str]:
    for name, path in MODULES.items():
        mine = layer(name)
        for other in imports(path, name):
            theirs = layer(other)
            if mine == theirs or under(name, *ALIASES, "cloudkitty.rating.common"):
                continue
            if theirs in TOP and mine not in TOP and not allowed_helper(name, other):
                yield f"{name} imports {other}: nothing below imports {theirs}"
            elif mine in SIDE_BY_SIDE and theirs in SIDE_BY_SIDE and not is_base(other):
                yield f"{name} imports {other}: only its base may be used"
            elif under(name, *GROUND) and not under(other, *GROUND) and not registers(name):
                yield f"{name} imports {other}: it is used by everything, so it uses nothing above"


def allowed_helper(name: str, other: str) -> bool:
    return under(name, *CONTROLLERS) and under(other, *HELPERS)


def is_base(name: str) -> bool:
    # The packages themselves give their base classes, under the names that plug-ins use.
    return name.endswith(".base") or name.count(".") == 1


def registers(name: str) -> bool:
    """Say whether `name` gathers all tables or migrations: it has to know who has any."""
    return under(name, "cloudkitty.db.schema", "cloudkitty.db.modules", "cloudkitty.db.subtree")


def test_imports_point_one_way() -> None:
    assert len(MODULES) > 50
    assert list(violations()) == []


def test_the_process_for_scripts_imports_the_standard_library_only() -> None:
    found = set()
    for name, path in MODULES.items():
        if not under(name, "cloudkitty.sandbox"):
            continue
        assert all(under(other, "cloudkitty.sandbox") for other in imports(path, name)), name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").split(".")[0])
    assert found - {"cloudkitty"} <= sys.stdlib_module_names


def test_nothing_of_ours_uses_the_aliases() -> None:
    # The entry points of setup.cfg name some of them; code does not.
    users = [
        f"{name} imports {other}"
        for name, path in MODULES.items()
        if not under(name, *ALIASES)
        for other in imports(path, name)
        if under(other, *ALIASES)
    ]
    assert users == []


def test_the_checker_sees_imports_in_functions_and_relative_ones(tmp_path: Path) -> None:
    source = tmp_path / "x.py"
    source.write_text(
        "def f():\n    from cloudkitty.db import models\n    from . import y\n    import os\n"
    )

    assert list(imports(source, "cloudkitty.api.x")) == ["cloudkitty.db.models", "cloudkitty.api"]


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name
        for name, path in MODULES.items()
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_every_file_names_its_licence() -> None:
    first = "# SPDX-License-Identifier: Apache-2.0\n"
    without = [
        str(path)
        for path in sorted(ROOT.rglob("*.py"))
        # What was recorded elsewhere stays as it came.
        if "data" not in path.relative_to(ROOT).parts
        and not path.read_text(encoding="utf-8").startswith(first)
    ]
    assert without == []
