# SPDX-License-Identifier: Apache-2.0
"""From records of the store to what an answer shows."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from wsme import types as wtypes

Model = TypeVar("Model")


def shown(model: type[Model], record: Any) -> Model:
    """Give a record of the store as the model of the answer, attribute by attribute."""
    found = {field.name: getattr(record, field.name) for field in fields(record)}
    keys = {attribute.name: attribute.key for attribute in wtypes.list_attributes(model)}
    return model(**{keys[name]: value for name, value in found.items()})
