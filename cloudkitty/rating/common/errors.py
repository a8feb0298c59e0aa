# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a request about rules: an HTTP status and the text of the contract."""

from __future__ import annotations

from typing import ClassVar


class RuleError(Exception):
    """A request cannot be carried out: `code`, an HTTP status, and a text for the client."""

    code: ClassVar[int] = 400


class InvalidError(RuleError):
    """A value or a combination of values that is not allowed."""


class NotFoundError(RuleError):
    """The object that the request names does not exist."""

    code = 404


class ConflictError(RuleError):
    """Another object stands in the way."""

    code = 409


def bad_attribute(name: str, value: object, reason: str) -> InvalidError:
    """Say what is wrong with one attribute, in the words of the API (contract api.md 4.1)."""
    return InvalidError(f"Invalid input for field/attribute {name}. Value: '{value}'. {reason}")
