# SPDX-License-Identifier: Apache-2.0
"""Rules in the database: reading all of them, and carrying a plan out in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import Any, Final

from oslo_db import exception as db_exc
from oslo_log import log

from cloudkitty import db
from cloudkitty.rating import modules
from cloudkitty.rating.common.db.transaction import retried
from cloudkitty.rating.common.db.window import WindowFilter
from cloudkitty.rating.common.errors import ConflictError
from cloudkitty.rating.document import model
from cloudkitty.rating.document.change import live as lives
from cloudkitty.rating.document.change.live import Live
from cloudkitty.rating.document.change.plan import Plan, plan
from cloudkitty.rating.document.change.run import run
from cloudkitty.rating.document.change.steps import Kind
from cloudkitty.rating.document.change.windows import Clock
from cloudkitty.rating.hashmap.store import (
    field,
    group,
    mapping,
    mapping_update,
    service,
    threshold,
)
from cloudkitty.rating.hashmap.store.parents import RuleFilter
from cloudkitty.rating.hashmap.store.transaction import write_rules
from cloudkitty.rating.pyscripts.store import script

LOG = log.getLogger(__name__)


class ChangedMeanwhileError(Exception):
    """Somebody has changed rules since the plan was made."""


def load() -> Live:
    """Read the rules in use, all at one moment; raises what the database raises.

    Raises ValueError for a rule that nobody knows the price of.
    """
    with db.session_for_read():
        services = service.get_all()
        return lives.assemble(
            services=map(asdict, services),
            fields=[asdict(one) for of in services for one in field.get_all(of.service_id)],
            groups=map(asdict, group.get_all()),
            mappings=map(asdict, mapping.get_all(mapping.MappingFilter(deleted=True))),
            thresholds=map(asdict, threshold.get_all(RuleFilter())),
            scripts=map(asdict, script.get_all(WindowFilter())),
            modules=_modules(),
        )


@retried
def apply(document: model.Document, expected: Plan, clock: Clock, user: str) -> None:
    """Carry out what `document` needs, everything or nothing; `user` does it.

    `expected` is the plan that was shown. Raises ChangedMeanwhileError when it is another one by
    now, a RuleError of the store that refuses a step, and what the database raises.
    """
    with write_rules():
        live = load()
        found = plan(document, live, clock)
        if [step.text() for step in found.steps] != [step.text() for step in expected.steps]:
            raise ChangedMeanwhileError("rules were changed meanwhile")
        try:
            run(found.steps, live, _Database(user))
        except Exception as exc:
            if (taken := _duplicate(exc)) is not None:
                raise ConflictError(f"the database takes two names for the same: {taken}") from exc
            raise


def _duplicate(error: BaseException | None) -> str | None:
    """Give what a unique key has refused; the error may be one of trying to go on after it."""
    while error is not None:
        if isinstance(error, db_exc.DBDuplicateEntry):
            return str(error.value or ", ".join(error.columns))
        error = error.__cause__ or error.__context__
    return None


def _modules() -> Iterator[dict[str, Any]]:
    for name, cls in modules.find().classes.items():
        try:
            info = cls().module_info
        except Exception:
            # A plug-in may raise anything. It is out of reach, like one that is not installed.
            LOG.exception("Could not load rating module '%s'", name)
            continue
        yield {"module_id": name, "enabled": info["enabled"], "priority": info["priority"]}


_NEW_MAPPING: Final = frozenset(one.name for one in fields(mapping.NewMapping))
_NEW_SCRIPT: Final = frozenset(one.name for one in fields(script.NewScript))


class _Database:
    """The stores; whoever calls has begun the transaction."""

    def __init__(self, user: str) -> None:
        self._user = user

    def create(self, kind: Kind, attributes: dict[str, Any]) -> str:
        """Make an object."""
        # What begins in the past is refused by the plan.
        if kind is Kind.MAPPING:
            new = {name: value for name, value in attributes.items() if name in _NEW_MAPPING}
            return mapping.create(mapping.NewMapping(**new), self._user, force=True).mapping_id
        if kind is Kind.THRESHOLD:
            return threshold.create(threshold.NewThreshold(**attributes)).threshold_id
        if kind is Kind.SCRIPT:
            new = {name: value for name, value in attributes.items() if name in _NEW_SCRIPT}
            return script.create(script.NewScript(**new), self._user, force=True).script_id
        if kind is Kind.FIELD:
            return field.create(attributes["name"], attributes["service_id"]).field_id
        if kind is Kind.SERVICE:
            return service.create(attributes["name"]).service_id
        return group.create(attributes["name"]).group_id

    def update(self, kind: Kind, id_: str, attributes: dict[str, Any]) -> None:
        """Change a rule."""
        if kind is Kind.MAPPING:
            mapping_update.update(id_, attributes, self._user)
        elif kind is Kind.THRESHOLD:
            threshold.update(id_, attributes)
        else:
            script.update(id_, attributes, self._user)

    def delete(self, kind: Kind, id_: str) -> None:
        """Delete an object."""
        if kind is Kind.MAPPING:
            mapping.delete(id_, self._user)
        elif kind is Kind.SCRIPT:
            script.delete(id_, self._user)
        elif kind is Kind.THRESHOLD:
            threshold.delete(id_)
        elif kind is Kind.FIELD:
            field.delete(id_)
        elif kind is Kind.SERVICE:
            service.delete(id_)
        else:
            group.delete(id_)

    @staticmethod
    def set_module(name: str, state: model.Module) -> None:
        """Turn a module on or off, or move it."""
        module = modules.find().classes[name]()
        if state.enabled not in {None, module.enabled}:
            module.set_state(bool(state.enabled))
        if state.priority is not None and state.priority != module.priority:
            module.set_priority(state.priority)
