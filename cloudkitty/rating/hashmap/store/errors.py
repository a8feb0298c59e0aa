# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a request about hashmap rules: an HTTP status and the text of the contract."""

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


def no_service(service_id: str) -> str:
    """Text for a service that does not exist (contract api.md 7.2)."""
    return f"No such service: None (UUID: {service_id})"


def no_field(field_id: str) -> str:
    """Text for a field that does not exist (contract api.md 7.3)."""
    return f"No such field: {field_id}"


def no_group(group_id: str) -> str:
    """Text for a group that does not exist (contract api.md 7.4)."""
    return f"No such group: None (UUID: {group_id})"
