# SPDX-License-Identifier: Apache-2.0
"""What is remembered of sources that know the present only."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from cloudkitty.collector import CollectError
from cloudkitty.collector.joins.base import Key, Labels, Window
from cloudkitty.collector.joins.directory import Directory

NOW = Window((0,), 3600)


class Source(Directory):
    def __init__(self, seconds: float) -> None:
        super().__init__(seconds, lambda: self.now)
        self.now = 0.0
        self.names: dict[str, str] | None = {}
        self.asked: list[list[str]] = []

    def fetch(self, keys: Collection[Key]) -> dict[Key, Labels]:
        self.asked.append([key[0] for key in keys])
        if self.names is None:
            raise CollectError("down")
        return {(one,): {"name": name} for one, name in self.names.items()}

    def name(self, one: str) -> str | None:
        labels = self.find([(one,)], NOW).timelines[one,].always
        return None if labels is None else labels["name"]


@pytest.fixture
def source() -> Source:
    return Source(600)


def test_a_name_is_asked_for_when_it_is_new_and_when_it_is_old(source: Source) -> None:
    source.names = {"a": "A", "b": "B"}
    assert source.name("a") == "A"
    source.names = {"a": "changed"}
    source.now = 599
    assert (source.name("a"), source.name("b"), source.asked) == ("A", "B", [["a"]])
    source.now = 600
    assert (source.name("a"), source.asked) == ("changed", [["a"], ["a"]])


def test_what_is_deleted_keeps_its_name(source: Source) -> None:
    source.names = {"a": "A"}
    assert source.name("a") == "A"
    source.names = {}
    source.now = 1000
    assert source.name("a") == "A"
    source.now = 5000
    assert source.name("a") == "A"


def test_what_was_never_there_is_asked_for_again_soon(source: Source) -> None:
    assert source.name("new") is None
    source.names = {"new": "New"}
    source.now = 59
    assert source.name("new") is None
    source.now = 60
    assert source.name("new") == "New"


def test_a_new_name_is_never_missing_because_the_list_is_recent(source: Source) -> None:
    source.names = {"a": "A"}
    assert source.name("a") == "A"
    source.names = {"a": "A", "b": "B"}
    assert source.name("b") == "B"


def test_a_source_that_is_down_is_an_error_once_names_are_old(source: Source) -> None:
    source.names = {"a": "A"}
    assert source.name("a") == "A"
    source.names = None
    source.now = 599
    assert source.name("a") == "A"
    with pytest.raises(CollectError, match="down"):
        source.name("b")
    source.now = 600
    with pytest.raises(CollectError, match="down"):
        source.name("a")
    source.names = {"a": "again"}
    assert source.name("a") == "again"
