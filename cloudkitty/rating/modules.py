# SPDX-License-Identifier: Apache-2.0
"""Which rating modules are on, in what order, and a batch's way through them (rating.md 2.4).

Modules with a batch form rate a scope's usage in place; one instance serves all scopes. For the
others frames are made, with one instance per scope, as their interface has it.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

from oslo_log import log as logging
from stevedore import extension

from cloudkitty.dataframe import DataFrame
from cloudkitty.db import module_info
from cloudkitty.rating import quantities, snapshots
from cloudkitty.rating.base import NAMESPACE, RatingProcessorBase
from cloudkitty.rating.step import ModuleError, Step, call, failure, takes_date
from cloudkitty.usage import ScopeUsage

LOG = logging.getLogger(__name__)

Module = type[RatingProcessorBase]
_DEFAULT_STATE: Final = (False, 1)
# Name, priority, and an instance if it may give its rules.
_Recordable = tuple[str, int, RatingProcessorBase | None]


class RatingFailure(ModuleError):  # noqa: N818 - a part of the batch did not fail
    """Some scopes of a batch could not be rated; the others are.

    `failed` holds scope id -> what went wrong. The usage of a failed scope must be dropped and
    collected again: modules may have seen it already.
    """

    def __init__(self, failed: Mapping[str, Exception]) -> None:
        first, error = next(iter(failed.items()))
        more = f" (and {len(failed) - 1} more scopes)" if len(failed) > 1 else ""
        super().__init__(f"scope {first} could not be rated: {error}{more}")
        self.failed = dict(failed)


@dataclass(frozen=True, slots=True)
class Modules:
    """Entry point name -> class, and -> error for those that could not be imported."""

    classes: Mapping[str, Module]
    broken: Mapping[str, BaseException]


def find(namespace: str = NAMESPACE) -> Modules:
    """Look the rating modules up; nothing is instantiated and nothing raised."""
    broken: dict[str, BaseException] = {}

    def failed(_manager: object, entry_point: Any, error: BaseException) -> None:
        broken[entry_point.name] = error

    classes: dict[str, Module] = {}
    manager: extension.ExtensionManager[Any] = extension.ExtensionManager(
        namespace,
        on_load_failure_callback=failed,
    )
    for found in manager:
        if classes.setdefault(found.name, found.plugin) is not found.plugin:
            broken[found.name] = ModuleError("several distributions bring a module of this name")
        if not getattr(found.plugin, "module_name", None):
            # Nothing would know whether it is on.
            broken[found.name] = ModuleError(f"{found.plugin.__name__} has no module_name")
    return Modules({n: c for n, c in sorted(classes.items()) if n not in broken}, broken)


class Rating:
    """The enabled rating modules, in order. Call ``begin_batch`` before each batch."""

    def __init__(
        self,
        modules: Modules | None = None,
        rule_set: snapshots.RuleSet | None = None,
    ) -> None:
        """Take the modules to choose from; by default those that are installed.

        With `rule_set` the modules of it are on, in its order, and rate by its rules; those whose
        rules are not in it rate by their present ones.
        """
        self._modules = modules or find()
        self._rule_set = rule_set
        self._recorded: tuple[object, str] | None = None
        classes = self._modules.classes.items()
        self._batch = {name: cls for name, cls in classes if _has_batch_form(cls)}
        self._classic = {name: cls for name, cls in classes if name not in self._batch}
        self._shared: dict[str, RatingProcessorBase] = {}
        self._states: dict[str, tuple[bool, int]] = {}
        # What does not depend on the scope: None until begin_batch.
        self._steps: list[Step] | None = None
        # Where errors came from that were logged with all that led to them.
        self._traced: set[tuple[str, str, int]] = set()

    def by(self, rule_set: snapshots.RuleSet) -> Rating:
        """Give what rates by a recorded rule set, of the same modules to choose from."""
        return Rating(self._modules, rule_set)

    def begin_batch(self, *, valid_then: bool = False) -> None:
        """Read which modules are on, and what has changed in their rules.

        With `valid_then` each period of the batch is rated by the rules that were valid at its
        begin, also if they have been deleted or changed since; which modules are on, and modules
        that do not know their past, are as at present.

        Raises ModuleError naming an enabled module that cannot be loaded, and what the database
        raises.
        """
        self._steps = None
        self._states = module_info.all_states() if self._rule_set is None else {}
        for module in self._rule_set.modules if self._rule_set else ():
            cls = self._modules.classes.get(module.name)
            self._states[(cls and cls.module_name) or module.name] = (True, module.priority)
            if cls is None and module.name not in self._modules.broken:
                raise ModuleError(f"rating module '{module.name}' is not installed any more")
        for name, error in self._modules.broken.items():
            if self._states.get(name, _DEFAULT_STATE)[0]:
                raise ModuleError(f"rating module '{name}' could not be loaded: {error}") from error
        steps = [step for name, cls in self._batch.items() if (step := self._step(name, cls, None))]
        for step in steps:
            begin = step.module.begin_batch_then if valid_then else step.module.begin_batch
            call(step.name, "could not read its rules", begin)
        self._steps = steps

    @property
    def version(self) -> str:
        """The enabled modules and the versions of their rules, in the order of rating."""
        out = []
        for step in self._chain(None):
            rules = getattr(step.module, "version", None)
            has_rules = isinstance(rules, str) and rules
            out.append(f"{step.name}:{rules}" if has_rules else step.name)
        return ",".join(out)

    def record(self) -> str:
        """Write the rules in use down, unless they are known to be; gives their version.

        That is what the ledger has for periods rated by them (:mod:`.snapshots`). Raises what the
        database raises.
        """
        if self._rule_set is not None:
            return self._rule_set.version
        found = self._to_record()
        known = [(name, rank, getattr(module, "version", None)) for name, rank, module in found]
        # A module without a version has to be asked for its rules each time.
        sure = all(m is None or isinstance(getattr(m, "version", None), str) for *_, m in found)
        if self._recorded is None or self._recorded[0] != known or not sure:
            self._recorded = (known, snapshots.save(list(map(_recorded, found))))
        return self._recorded[1]

    def rules(self) -> snapshots.RuleSet:
        """Give the rules in use, which need not have been written down.

        Raises what ``begin_batch`` raises.
        """
        if self._rule_set is not None:
            return self._rule_set
        return snapshots.of(list(map(_recorded, self._to_record())))

    def _to_record(self) -> list[_Recordable]:
        """Give the modules that are on, in order.

        Those of the classic form that give no snapshot are not made for it.
        """
        if self._steps is None:
            self.begin_batch()
        found: list[_Recordable] = [
            (step.name, step.priority, step.module) for step in self._steps or ()
        ]
        for name, cls in self._classic.items():
            enabled, priority = self._state(name, cls)
            if enabled or self._answers(cls, "enabled"):
                found.append((name, priority, self._keeper(name, cls)))
        return sorted(found, key=lambda module: (-module[1], module[0]))

    def _keeper(self, name: str, cls: Module) -> RatingProcessorBase | None:
        """Give an instance that is asked for a classic module's rules, if it gives them."""
        if cls.snapshot is RatingProcessorBase.snapshot:
            return None
        if name not in self._shared:
            self._shared[name] = call(name, "could not be loaded", cls)
        return self._shared[name]

    def rate(self, usages: Iterable[ScopeUsage]) -> None:
        """Set the prices of each scope's usage in place; to be called once for each.

        Points whose quantity is no number are taken out. One scope's failure does not touch the
        others. Raises RatingFailure after the last when there was any.
        """
        failed: dict[str, Exception] = {}
        alike = self._alike()
        if alike is not None:
            failed = _rate_together(alike, list(usages))
        else:
            for usage in usages:
                try:
                    self._rate(usage)
                except Exception as exc:  # noqa: BLE001 - it is the answer for this scope
                    failed[usage.scope_id] = exc
        if failed:
            self._trace(failed)
            raise RatingFailure(failed)

    def _trace(self, failed: Mapping[str, Exception]) -> None:
        """Log where errors come from: each place once, however many scopes meet it how often.

        That they failed and why is told by who called.
        """
        for scope, error in failed.items():
            place = _place(error)
            LOG.log(
                logging.DEBUG if place in self._traced else logging.ERROR,
                "scope %s could not be rated",
                scope,
                exc_info=error,
            )
            self._traced.add(place)

    def quote(self, frame: DataFrame) -> Decimal:
        """Give the price of a frame that belongs to no scope, by the rules valid at its start.

        Reads states and rules afresh. Raises ModuleError naming the module that fails.
        """
        self.begin_batch()
        for step in self._chain(None):
            step.reload(frame)
            frame = step.quote(frame)
        return sum((point.price for _, point in frame.iterpoints()), Decimal(0))

    def _alike(self) -> list[Step] | None:
        """Give the modules, in order, if all have the batch form, which is alike for all scopes."""
        if self._steps is None:
            self.begin_batch()
        maybe = any(
            self._state(name, cls)[0] or self._answers(cls, "enabled")
            for name, cls in self._classic.items()
        )
        return None if maybe else self._chain(None)

    def _rate(self, usage: ScopeUsage) -> None:
        quantities.drop_unusable(usage)
        for batch, steps in groupby(self._chain(usage.scope_id), lambda step: step.batch):
            if batch:
                for step in steps:
                    call(step.name, "failed", step.module.rate_usage, usage)
            else:
                frames = usage.frames()
                usage.replace_from_frames(_process(list(steps), frames))
                quantities.drop_unusable(usage)

    def _chain(self, scope: str | None) -> list[Step]:
        """Give the enabled modules for a scope in order: priority, then name."""
        if self._steps is None:
            self.begin_batch()
        classic = [
            step for name, cls in self._classic.items() if (step := self._step(name, cls, scope))
        ]
        return sorted([*(self._steps or ()), *classic], key=_rank)

    def _step(self, name: str, cls: Module, scope: str | None) -> Step | None:
        """Give a module's step, None when it is off; raises ModuleError naming it."""
        enabled, priority = self._state(name, cls)
        own_state, own_priority = self._answers(cls, "enabled"), self._answers(cls, "priority")
        if not (enabled or own_state):
            return None
        module = call(name, "could not be loaded", self._instance, name, cls, scope)
        if own_state and not call(name, "could not be loaded", getattr, module, "enabled"):
            return None
        if own_priority:
            priority = call(name, "could not be loaded", getattr, module, "priority")
        return Step(name, priority, module, name in self._batch, takes_date(module))

    def _state(self, name: str, cls: Module) -> tuple[bool, int]:
        """Whether a module is on, and its priority, as it is stored."""
        return self._states.get(cls.module_name or name, _DEFAULT_STATE)

    def _answers(self, cls: Module, attribute: str) -> bool:
        """Whether a module answers that itself, and is to be asked.

        Most leave it to the base class: their answer is in the states already.
        """
        inherited = getattr(RatingProcessorBase, attribute)
        return self._rule_set is None and getattr(cls, attribute) is not inherited

    def _instance(self, name: str, cls: Module, scope: str | None) -> RatingProcessorBase:
        if name not in self._batch:
            return self._restored(name, cls() if scope is None else cls(tenant_id=scope))
        if name not in self._shared:
            self._shared[name] = self._restored(name, cls())
        return self._shared[name]

    def _restored(self, name: str, module: RatingProcessorBase) -> RatingProcessorBase:
        """Have a module use the rules that are given for it, if any are."""
        for recorded in self._rule_set.modules if self._rule_set else ():
            if recorded.name == name and recorded.snapshot is not None:
                module.restore(recorded.snapshot)
        return module


def _recorded(found: _Recordable) -> snapshots.RecordedModule:
    name, priority, module = found
    snapshot = None
    if module is not None:
        snapshot = call(name, "could not say its rules", module.snapshot)
    return snapshots.RecordedModule(name, priority, snapshot)


def _rank(step: Step) -> tuple[int, str]:
    return -step.priority, step.name


def _has_batch_form(cls: Module) -> bool:
    """Whether the batch form is there and at least as new as the classic one.

    A subclass that changes only ``process`` of a batch module means to be asked for it.
    """
    if not cls.batch:
        return False
    definers = {
        method: next(i for i, base in enumerate(cls.__mro__) if method in vars(base))
        for method in ("rate_usage", "process", "reload_config")
    }
    return definers["rate_usage"] <= min(definers["process"], definers["reload_config"])


def _rate_together(steps: Sequence[Step], usages: list[ScopeUsage]) -> dict[str, Exception]:
    """Send usages through modules of the batch form, all at once; gives scope -> error."""
    failed: dict[str, Exception] = {}
    for usage in usages:
        quantities.drop_unusable(usage)
    for step in steps:
        going = [usage for usage in usages if usage.scope_id not in failed]
        try:
            errors = step.module.rate_usages(going)
        except Exception as exc:  # noqa: BLE001 - it is the answer for all
            errors = {usage.scope_id: exc for usage in going}
        for scope, error in errors.items():
            failed[scope] = failure(step.name, "failed", error)
    return failed


def _process(steps: Sequence[Step], frames: Iterable[DataFrame]) -> list[DataFrame]:
    """Send frames through modules of the classic form, period by period."""
    out = []
    for frame in frames:
        for step in steps:
            step.reload(frame)
        rated = frame
        for step in steps:
            rated = step.process(rated)
        out.append(rated)
    return out


def _place(error: BaseException) -> tuple[str, str, int]:
    """Give the kind of an error, and the file and line that it was raised in."""
    frames = traceback.extract_tb(error.__traceback__)
    return (
        type(error).__name__,
        frames[-1].filename if frames else "",
        (frames[-1].lineno or 0) if frames else 0,
    )
