# SPDX-License-Identifier: Apache-2.0
"""Where ``export`` and ``apply`` find the rules in use: a database, or an API."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from cloudkitty import service
from cloudkitty.cli import database
from cloudkitty.cli.rate import inputs, login, remote
from cloudkitty.db.changes.actor import Actor
from cloudkitty.rating import dates
from cloudkitty.rating.common.errors import RuleError
from cloudkitty.rating.document import Document
from cloudkitty.rating.document.change import database as stored
from cloudkitty.rating.document.change.live import Live
from cloudkitty.rating.document.change.plan import Plan
from cloudkitty.rating.document.change.run import run
from cloudkitty.rating.document.change.steps import Step
from cloudkitty.rating.document.change.windows import Clock

_USER: Final = "cloudkitty-rate"


class Rules(Protocol):
    """Rules in use somewhere; every method raises Refused with what is wrong."""

    #: Seconds that it may take before the first step, and for each.
    lead: float
    per_step: float

    def now(self) -> dt.datetime:
        """Give the present there, host-local and naive."""

    def load(self) -> Live:
        """Read them."""

    def apply(self, document: Document, plan: Plan, clock: Clock) -> None:
        """Carry out `plan`, which is what `document` needs; the text of Refused says what is so."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments about where the rules are."""
    parser.add_argument(
        "--config-file",
        action="append",
        default=[],
        metavar="FILE",
        help="use the database of this configuration file; without it, and without an API, that of "
        "the files in their usual places",
    )
    parser.add_argument("--config-dir", action="append", default=[], metavar="DIR")
    login.add_arguments(parser)
    inputs.add_timezone(parser)


@contextmanager
def opened(args: argparse.Namespace) -> Iterator[Rules]:
    """Yield the rules; raises Refused for arguments that do not go together."""
    with connected(args) as api:
        yield _Database() if api is None else _Remote(api)


@contextmanager
def connected(args: argparse.Namespace) -> Iterator[remote.Api | None]:
    """Yield the API that the arguments name, None when it is a database, which is then configured.

    Raises Refused for arguments that do not go together.
    """
    inputs.set_timezone(args)
    if args.os_cloud is not None or args.endpoint is not None:
        if args.config_file or args.config_dir:
            raise service.Refused("a database and an API at once: leave one of them out")
        inputs.log_to_stderr()
        yield remote.Api(login.adapter(args))
        return
    if args.auth != "none":
        raise service.Refused("--auth needs --endpoint")
    service.prepare(
        [
            *(f"--config-file={name}" for name in args.config_file),
            *(f"--config-dir={name}" for name in args.config_dir),
        ]
    )
    inputs.log_to_stderr()
    with database.refusing():
        yield None


class _Database:
    lead = 5.0
    per_step = 0.02

    @staticmethod
    def now() -> dt.datetime:
        return dates.local_now()

    @staticmethod
    def load() -> Live:
        try:
            return stored.load()
        except ValueError as exc:
            raise service.Refused(str(exc)) from exc

    @staticmethod
    def apply(document: Document, plan: Plan, clock: Clock) -> None:
        user = Actor.of_command().user_id or _USER
        try:
            stored.apply(document, plan, clock, user)
        except (RuleError, stored.ChangedMeanwhileError) as exc:
            raise service.Refused(f"nothing was changed: {exc}") from exc


class _Remote:
    """An API: no transaction holds its calls together."""

    lead = 20.0
    per_step = 0.5

    def __init__(self, api: remote.Api) -> None:
        self._api = api
        self._live: Live | None = None
        self.now: Callable[[], dt.datetime] = api.now

    def load(self) -> Live:
        try:
            self._live = self._api.load()
        except ValueError as exc:
            raise service.Refused(str(exc)) from exc
        return self._live

    def apply(self, document: Document, plan: Plan, clock: Clock) -> None:
        done: list[Step] = []
        live = self._live or self.load()
        try:
            run(plan.steps, live, self._api, done.append)
        except service.Refused as exc:
            raise service.Refused(_interrupted(plan, done, str(exc))) from exc


def _interrupted(plan: Plan, done: list[Step], reason: str) -> str:
    if not done:
        return f"nothing was changed: {reason}"
    failed = plan.steps[len(done)]
    lines = [
        f"stopped after {len(done)} of {len(plan.steps)} steps: {reason}",
        *(f"  done     {step.text()}" for step in done),
        f"  failed   {failed.text()}",
        *(f"  not done {step.text()}" for step in plan.steps[len(done) + 1 :]),
        "Run it again when the reason is gone: it goes on with what is left.",
    ]
    return "\n".join(lines)
