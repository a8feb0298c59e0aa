# SPDX-License-Identifier: Apache-2.0
"""What a source of labels is: keys in, labels for each period out.

A *key* is the values of a join's ``on`` labels, in their order; its first value is what a source is
asked by. A *timeline* says which labels a key has in each period of a batch.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

#: Their label -> value.
Labels = Mapping[str, Any]
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """Consecutive periods, by their begins (epoch seconds) and their length."""

    begins: tuple[int, ...]
    period: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """The labels of one key: `always` the same, or by period (`at`, as the window's begins).

    None: there are none.
    """

    always: Labels | None = None
    at: Sequence[Labels | None] | None = None

    @classmethod
    def of(cls, at: Sequence[Labels | None]) -> Timeline:
        """Build one from labels by period; labels that stay the same are the same object."""
        first = at[0]
        return cls(first) if all(one is first for one in at) else cls(None, at)


#: Of a key that nobody knows.
NOTHING: Final = Timeline()


@dataclass(slots=True)
class Answer:
    """What a source knows. `failed`: first value of keys that could not be had -> why."""

    timelines: dict[Key, Timeline] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


class Lookup(abc.ABC):
    """A source of labels, for all definitions that ask it for the same; safe for threads."""

    @abc.abstractmethod
    def find(self, keys: Iterable[Key], window: Window) -> Answer:
        """Give the timelines of `keys`, and maybe of others; one that is unknown may be absent.

        Raises CollectError when the source cannot be asked at all.
        """


class ScopeLookup(Lookup):
    """A source that also knows which keys are those of a scope."""

    @abc.abstractmethod
    def owned(
        self, scopes: Sequence[str], window: Window
    ) -> tuple[dict[str, list[str]], dict[str, str]]:
        """Give (scope -> first values of its keys in any period, sorted; scope -> why it failed).

        Somebody else may own a key too: `find` decides. Raises CollectError.
        """
