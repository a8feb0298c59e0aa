# SPDX-License-Identifier: Apache-2.0
"""Readers of what JSON bodies of v2 hold (contract api.md 13, 3.3).

Each takes a value as it came, gives what is made of it or raises voluptuous.Invalid, and says as
`json` what it takes: a JSON Schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import voluptuous as vol

from cloudkitty.api.v2.schema import NOT_TEXT

_TRUE: Final = frozenset({"1", "true", "yes", "on", "enable"})
_FALSE: Final = frozenset({"0", "false", "no", "off", "disable"})


@dataclass(frozen=True, slots=True)
class Text:
    """The reader of texts in bodies, up to so many characters long; integers become texts."""

    most: int | None = None

    @property
    def json(self) -> dict[str, Any]:
        """What it takes, as a JSON Schema."""
        return {"type": "string"} | ({} if self.most is None else {"maxLength": self.most})

    def __call__(self, value: Any) -> str:
        """Give the text; raises voluptuous.Invalid."""
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise vol.Invalid("expected str")
        if NOT_TEXT.search(value):
            raise vol.Invalid("not a valid text")
        if self.most is not None and len(value) > self.most:
            raise vol.Invalid(f"too long, at most {self.most} characters")
        return value


@dataclass(frozen=True, slots=True)
class One:
    """What bodies give once: a value, or a list of exactly one."""

    kind: Any

    @property
    def json(self) -> dict[str, Any]:
        """What it takes, as a JSON Schema."""
        one = _json(self.kind)
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": 1}]}

    def __call__(self, value: Any) -> Any:
        """Give the value; raises voluptuous.Invalid."""
        values = value if isinstance(value, list) else [value]
        if len(values) != 1:
            raise vol.Invalid("length of value must be 1")
        return self.kind(values[0])


@dataclass(frozen=True, slots=True)
class Several:
    """What bodies give as a list, or as a text with commas; at least one."""

    kind: Text

    @property
    def json(self) -> dict[str, Any]:
        """What it takes, as a JSON Schema."""
        items = {"type": "array", "items": self.kind.json, "minItems": 1}
        return {"anyOf": [{"type": "string"}, items]}

    def __call__(self, value: Any) -> list[str]:
        """Give the values in order, each once; raises voluptuous.Invalid."""
        values = value if isinstance(value, list) else Text()(value).split(",")
        if not values:
            raise vol.Invalid("length of value must be at least 1")
        return list(dict.fromkeys(map(self.kind, values)))


@dataclass(frozen=True, slots=True)
class OrNull:
    """What bodies may give as null, which counts as not given (D48)."""

    kind: Any

    @property
    def json(self) -> dict[str, Any]:
        """What it takes, as a JSON Schema."""
        return {"anyOf": [_json(self.kind), {"type": "null"}]}

    def __call__(self, value: Any) -> Any:
        """Give the value or None; raises voluptuous.Invalid."""
        return None if value is None else self.kind(value)


@dataclass(frozen=True, slots=True)
class _Boolean:
    """The reader of booleans in bodies (api.md 3.3)."""

    @property
    def json(self) -> dict[str, Any]:
        """What it takes, as a JSON Schema."""
        return {"anyOf": [{"type": "boolean"}, {"enum": [0, 1, *sorted(_TRUE | _FALSE)]}]}

    def __call__(self, value: Any) -> bool:
        """Give the boolean; raises voluptuous.Invalid."""
        if isinstance(value, int) and value in {0, 1}:
            return bool(value)
        word = value.lower() if isinstance(value, str) else ""
        if word not in _TRUE | _FALSE:
            raise vol.Invalid("expected boolean")
        return word in _TRUE


boolean: Final = _Boolean()


@dataclass(frozen=True, slots=True)
class Choice:
    """The reader of texts in bodies that are one of a few."""

    words: tuple[str, ...]

    @property
    def json(self) -> dict[str, Any]:
        """What it takes, as a JSON Schema."""
        return {"enum": list(self.words)}

    def __call__(self, value: Any) -> str:
        """Give the text; raises voluptuous.Invalid."""
        if not isinstance(value, str) or value not in self.words:
            raise vol.Invalid(f"expected one of {', '.join(self.words)}")
        return value


@dataclass(frozen=True, slots=True)
class Whole:
    """The reader of integers in bodies, between bounds."""

    least: int
    most: int

    @property
    def json(self) -> dict[str, Any]:
        """What it takes, as a JSON Schema."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}

    def __call__(self, value: Any) -> int:
        """Give the integer; raises voluptuous.Invalid."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise vol.Invalid("expected int")
        if value < self.least:
            raise vol.Invalid(f"value must be at least {self.least}")
        if value > self.most:
            raise vol.Invalid(f"value must be at most {self.most}")
        return value


def _json(reader: Any) -> dict[str, Any]:
    """Give the JSON Schema of a reader that has one."""
    found: dict[str, Any] = reader.json
    return found
