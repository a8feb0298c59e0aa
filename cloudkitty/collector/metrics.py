# SPDX-License-Identifier: Apache-2.0
"""metrics.yml: reading, validating, naming (contract collect.md 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import voluptuous as vol
import yaml
from oslo_log import log

from cloudkitty.collector.conversion import MODES, Conversion, map_key, map_value, rational
from cloudkitty.collector.joins import schema as joins
from cloudkitty.collector.joins.schema import metadata_names, scope_label

LOG = log.getLogger(__name__)

__all__ = [
    "Conversion",
    "InvalidConfiguration",
    "MetricsFile",
    "Unreadable",
    "frame_name",
    "load",
    "metadata_names",
    "metric_key",
    "scope_label",
    "source_name",
    "validate",
]

_SEPARATOR: Final = "@#"
_BOOL: Final = "tag:yaml.org,2002:bool"
_NO_METRICS: Final = (
    "Not a dict with at least one key or a list with at least one dict with at least one key. "
    "Provided value: {} for dictionary value @ data['metrics']"
)

Definition = dict[str, Any]
#: Gives reasons why a validated definition cannot be used, none when it can.
Check = Callable[[str, Definition], Iterable[str]]


class InvalidConfiguration(Exception):  # noqa: N818 - the contract's name
    """metrics.yml cannot be used; `errors` lists every reason, the text has them on one line."""

    def __init__(self, *errors: str) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


class Unreadable(InvalidConfiguration):
    """There is no usable file at `path`; `reason` says why without saying where."""

    def __init__(self, path: str, reason: str, details: str = "") -> None:
        super().__init__(f"{path}: {reason}{details}")
        self.path = path
        self.reason = reason


class MetricsFile(dict[str, Any]):
    """The parsed file; `path` lets messages name it."""

    path: str = ""


class _Loader(yaml.SafeLoader):
    """Safe YAML that says when a key appears twice: the first one is lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[str] = set()
        for key, _value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                LOG.warning("%s: key %r is given twice, the last one counts", self.name, key.value)
            seen.add(key.value)
        if "source" in seen:
            # A join's "on" is a word, though YAML 1.1 takes it for true.
            for key, _value in node.value:
                if key.tag == _BOOL and key.value == "on":
                    key.tag = self.DEFAULT_SCALAR_TAG
        return super().construct_mapping(node, deep=deep)


def load(path: str) -> MetricsFile:
    """Read the file; an empty one gives an empty dict.

    Raises Unreadable, an InvalidConfiguration, when it cannot be read, is no YAML or no mapping.
    """
    try:
        with Path(path).open(encoding="utf-8") as stream:
            data = yaml.load(stream, _Loader)  # noqa: S506 - a subclass of SafeLoader
    except OSError as exc:
        raise Unreadable(path, exc.strerror or type(exc).__name__) from exc
    except (yaml.YAMLError, ValueError, TypeError) as exc:
        details = " ".join(str(exc).split())
        raise Unreadable(path, "not valid YAML", f": {details}") from exc
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise Unreadable(path, "expected a dictionary")
    parsed = MetricsFile(data)
    parsed.path = path
    return parsed


def source_name(key: str) -> str:
    """Give the metric's name in the source, for a metric key."""
    return key.split(_SEPARATOR, 1)[0]


def frame_name(key: str, definition: Mapping[str, Any]) -> str:
    """Give the metric's name in data frames, hashmap services and reports."""
    name: str = definition.get("alt_name") or source_name(key)
    return name


def metric_key(name: str, definition: Mapping[str, Any]) -> str:
    """Give the internal name of one definition of the metric `name` (1.3)."""
    alt_name = definition.get("alt_name")
    return f"{name}{_SEPARATOR}{alt_name}" if alt_name else name


def _number(value: Any) -> Any:
    try:
        exact = rational(value)
    except ValueError:
        raise vol.Invalid("expected int") from None
    return value if isinstance(value, int) else exact


_TEXT: Final = vol.All(str, vol.Length(min=1))


def _schema(extra_args: Mapping[Any, Any] | None, *, extra_required: bool) -> vol.Schema:
    extra: dict[Any, Any]
    if extra_args is None:
        extra = {vol.Optional("extra_args"): dict}
    elif extra_required:
        extra = {vol.Required("extra_args"): dict(extra_args)}
    else:
        extra = {vol.Required("extra_args", default=dict): dict(extra_args)}
    return vol.Schema(
        {
            vol.Required("unit"): _TEXT,
            vol.Required("factor", default=1): _number,
            vol.Required("offset", default=0): _number,
            vol.Optional("alt_name"): _TEXT,
            vol.Required("groupby", default=list): [_TEXT],
            vol.Required("metadata", default=list): [_TEXT],
            vol.Required("mutate", default="NONE"): vol.In(MODES),
            vol.Optional("mutate_map"): dict,
            vol.Optional("description"): _TEXT,
            vol.Optional("skip_datapoints_expression"): _TEXT,
            vol.Optional("joins"): [joins.SCHEMA],
            **extra,
        },
    )


def validate(
    conf: Mapping[str, Any],
    scope_key: str,
    extra_args: Mapping[Any, Any] | None = None,
    *,
    extra_required: bool = False,
    check: Check | None = None,
    strict: bool = False,
) -> dict[str, Definition]:
    """Give metric key -> validated copy of its definition, in file order.

    `extra_args` is the voluptuous mapping of the collector's own arguments (None: any mapping);
    `check` adds conditions of the collector. Defaults are filled in and the scope key is appended
    to ``groupby``, which then has what to ask the source for: in place of the scope key
    `scope_label` when a join gives the scope, and all that joins look up. A name both in
    ``groupby`` and ``metadata`` is dropped from the latter with a warning, or is an error with
    `strict` (info API).

    Raises InvalidConfiguration with all that is wrong: file (when known), metric, key, reason.
    """
    path = getattr(conf, "path", "")
    prefix = f"{path}: " if path else ""
    try:
        raw = _definitions(conf)
    except vol.Invalid as exc:
        raise InvalidConfiguration(f"{prefix}{exc}") from None
    schema = _schema(extra_args, extra_required=extra_required)
    found: dict[str, Definition] = {}
    errors: list[str] = []
    for name, given in raw:
        if not isinstance(name, str) or not name:
            errors.append(f"metric {name!r}: expected str as the name of a metric")
            continue
        key = metric_key(name, given) if isinstance(given, Mapping) else name
        try:
            definition = schema(given)
        except vol.MultipleInvalid as exc:
            errors += [f"metric '{key}': {error}" for error in exc.errors]
            continue
        reasons = list(_rest(key, definition, scope_key, strict=strict))
        if not reasons and check is not None:
            reasons = list(check(key, definition))
        if key in found:
            reasons.append(
                f"Metric {key} already exists, you should change the alt_name for metric: {given}"
            )
        errors += [f"metric '{key}': {reason}" for reason in reasons]
        found[key] = definition
    if errors:
        raise InvalidConfiguration(*(f"{prefix}{error}" for error in errors))
    return found


def _definitions(conf: Any) -> list[tuple[Any, Any]]:
    """Give (metric name, definition as written) for every definition of the file."""
    if not isinstance(conf, Mapping):
        raise vol.Invalid("expected a dictionary")
    for key in conf:
        if key != "metrics":
            raise vol.Invalid("extra keys not allowed", path=[key])
    if "metrics" not in conf:
        raise vol.Invalid("required key not provided", path=["metrics"])
    metrics = conf["metrics"]
    if isinstance(metrics, list) and metrics and all(isinstance(m, Mapping) for m in metrics):
        raise vol.Invalid(
            "expected a dictionary of metric names, not a list",
            path=["metrics"],
            error_type="dictionary value",
        )
    if not isinstance(metrics, Mapping) or not metrics:
        raise vol.Invalid(_NO_METRICS.format(metrics))
    return [
        (name, definition)
        for name, given in metrics.items()
        for definition in (given if isinstance(given, list) else [given])
    ]


def _rest(key: str, definition: Definition, scope_key: str, *, strict: bool) -> Iterator[str]:
    """Complete the definition; yield what the schema cannot say."""
    groupby = definition["groupby"] = list(definition["groupby"])
    asked_by = scope_label(definition, scope_key)
    if asked_by not in groupby:
        groupby.append(asked_by)
    both = [name for name in definition["metadata"] if name in groupby]
    if both and strict:
        yield f"Metric {key} has duplicates in groupby and metadata: {definition}"
    elif both:
        LOG.warning(
            "metric '%s': %s both in groupby and metadata, left out of metadata",
            key,
            ", ".join(both),
        )
        definition["metadata"] = [n for n in definition["metadata"] if n not in groupby]
    if "joins" in definition:
        yield from joins.complete(definition, scope_key)
    table = definition.get("mutate_map")
    if definition["mutate"] == "MAP" and table is None:
        yield f"Metric {key} uses MAP mutator but mutate_map is missing: {definition}"
    elif definition["mutate"] != "MAP" and table is not None:
        yield f"Metric {key} not using MAP mutator but mutate_map is present: {definition}"
    for name, value in (table or {}).items():
        if map_key(name) is None:
            LOG.warning("metric '%s': key %r of mutate_map is no number, never met", key, name)
        try:
            map_value(value)
        except ValueError as exc:
            yield f"{exc} for dictionary value @ data['mutate_map'][{name!r}]"
