# SPDX-License-Identifier: Apache-2.0
"""Who changes something, and on what way: of this thread, and of what it calls."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

API_V1: Final = "api v1"
API_V2: Final = "api v2"
COMMAND: Final = "command"


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever does it: ids of Keystone or another authentication, and of the request, if any."""

    way: str
    user_id: str | None = None
    project_id: str | None = None
    request_id: str | None = None

    @classmethod
    def of_command(cls) -> Actor:
        """Give the actor of a command: the user of the operating system that runs it."""
        try:
            user = getpass.getuser()
        except (KeyError, OSError):  # a user id without a name, as containers have
            user = None
        return cls(COMMAND, user)


_current: ContextVar[Actor | None] = ContextVar("cloudkitty_actor", default=None)


def current() -> Actor:
    """Give who acts: whoever was named last, else the user who runs this process."""
    return _current.get() or Actor.of_command()


def act(actor: Actor) -> None:
    """Name the actor of what follows in this context, as long as it lasts."""
    _current.set(actor)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Name the actor of what is done inside."""
    token = _current.set(actor)
    try:
        yield
    finally:
        _current.reset(token)
