# SPDX-License-Identifier: Apache-2.0
"""Which rating modules are on, in what order, and a batch's way through them (rating.md 2.4).

Modules with a batch form rate a scope's usage in place; one instance serves all scopes. For the
others frames are made, with one instance per scope, as their interface has it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import groupby
from typing import Any, Final

from oslo_log import log as logging
from stevedore import extension

from cloudkitty.dataframe import DataFrame, to_decimal
from cloudkitty.db import module_info
from cloudkitty.rating import quantities
from cloudkitty.rating.base import NAMESPACE, RatingProcessorBase
from cloudkitty.usage import ScopeUsage

LOG = logging.getLogger(__name__)

Module = type[RatingProcessorBase]
_DEFAULT_STATE: Final = (False, 1)


class ModuleError(Exception):
    """A rating module failed; the text names it and says why."""


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
    return Modules({n: c for n, c in sorted(classes.items()) if n not in broken}, broken)


@dataclass(slots=True)
class _Step:
    """A module with its place in the order, for one scope."""

    name: str
    priority: int
    module: RatingProcessorBase
    batch: bool
    #: Whether ``reload_config`` takes a date; modules from before rules had dates do not.
    dated: bool

    def reload(self, frame: DataFrame) -> None:
        """Have the module load its rules for a frame (rating.md 2.3)."""
        arguments = (frame.start,) if self.dated else ()
        _call(self.name, "could not read its rules", self.module.reload_config, *arguments)

    def process(self, frame: DataFrame) -> DataFrame:
        """Give the rated frame."""
        return self._checked(_call(self.name, "failed", self.module.process, frame))

    def quote(self, frame: DataFrame) -> DataFrame:
        """Give the rated frame of a quote."""
        return self._checked(_call(self.name, "failed", self.module.quote, frame))

    def _checked(self, frame: object) -> DataFrame:
        if not isinstance(frame, DataFrame):
            given = type(frame).__name__
            raise ModuleError(f"rating module '{self.name}' gave {given}, not a DataFrame")
        if all(_is_price(point.price) for _, point in frame.iterpoints()):
            return frame
        # A point takes any price a module sets: an int or a float is a number all the same.
        out = DataFrame(frame.start, frame.end)
        for metric, point in frame.iterpoints():
            out.add_point(point.set_price(self._price(metric, point.price)), metric)
        return out

    def _price(self, metric: str, given: object) -> Decimal:
        """Refuse prices that are no number: stored, they would spoil every sum they are part of."""
        try:
            price = to_decimal(given)
        except (InvalidOperation, TypeError, ValueError):
            price = Decimal("NaN")
        if not price.is_finite():
            raise ModuleError(f"rating module '{self.name}' set the price of {metric} to {given!r}")
        return price


def _is_price(price: object) -> bool:
    return type(price) is Decimal and price.is_finite()


class Rating:
    """The enabled rating modules, in order. Call ``begin_batch`` before each batch."""

    def __init__(self, modules: Modules | None = None) -> None:
        """Take the modules to choose from; by default those that are installed."""
        self._modules = modules or find()
        classes = self._modules.classes.items()
        self._batch = {name: cls for name, cls in classes if _has_batch_form(cls)}
        self._classic = {name: cls for name, cls in classes if name not in self._batch}
        self._shared: dict[str, RatingProcessorBase] = {}
        self._states: dict[str, tuple[bool, int]] = {}
        # What does not depend on the scope: None until begin_batch.
        self._steps: list[_Step] | None = None

    def begin_batch(self) -> None:
        """Read which modules are on, and what has changed in their rules.

        Raises ModuleError naming an enabled module that cannot be loaded, and what the database
        raises.
        """
        self._steps = None
        self._states = module_info.all_states()
        for name, error in self._modules.broken.items():
            if self._states.get(name, _DEFAULT_STATE)[0]:
                raise ModuleError(f"rating module '{name}' could not be loaded: {error}") from error
        steps = [step for name, cls in self._batch.items() if (step := self._step(name, cls, None))]
        for step in steps:
            _call(step.name, "could not read its rules", step.module.begin_batch)
        self._steps = steps

    @property
    def version(self) -> str:
        """The enabled modules and the versions of their rules, in the order of rating."""
        out = []
        for step in self._chain(None):
            rules = getattr(step.module, "version", None)
            out.append(f"{step.name}:{rules}" if isinstance(rules, str) else step.name)
        return ",".join(out)

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
            for scope, error in failed.items():
                LOG.error("scope %s could not be rated", scope, exc_info=error)
            raise RatingFailure(failed)

    def quote(self, frame: DataFrame) -> Decimal:
        """Give the price of a frame that belongs to no scope, by the rules valid at its start.

        Reads states and rules afresh. Raises ModuleError naming the module that fails.
        """
        self.begin_batch()
        for step in self._chain(None):
            step.reload(frame)
            frame = step.quote(frame)
        return sum((point.price for _, point in frame.iterpoints()), Decimal(0))

    def _alike(self) -> list[_Step] | None:
        """Give the modules, in order, if all have the batch form, which is alike for all scopes."""
        if self._steps is None:
            self.begin_batch()
        maybe = any(
            self._states.get(cls.module_name or name, _DEFAULT_STATE)[0]
            or cls.enabled is not RatingProcessorBase.enabled
            for name, cls in self._classic.items()
        )
        return None if maybe else self._chain(None)

    def _rate(self, usage: ScopeUsage) -> None:
        quantities.drop_unusable(usage)
        for batch, steps in groupby(self._chain(usage.scope_id), lambda step: step.batch):
            if batch:
                for step in steps:
                    _call(step.name, "failed", step.module.rate_usage, usage)
            else:
                frames = usage.frames()
                usage.replace_from_frames(_process(list(steps), frames))
                quantities.drop_unusable(usage)

    def _chain(self, scope: str | None) -> list[_Step]:
        """Give the enabled modules for a scope in order: priority, then name."""
        if self._steps is None:
            self.begin_batch()
        classic = [
            step for name, cls in self._classic.items() if (step := self._step(name, cls, scope))
        ]
        return sorted([*(self._steps or ()), *classic], key=_rank)

    def _step(self, name: str, cls: Module, scope: str | None) -> _Step | None:
        """Give a module's step, None when it is off; raises ModuleError naming it."""
        enabled, priority = self._states.get(cls.module_name or name, _DEFAULT_STATE)
        # Most modules leave the two to the base class: their answer is in the states already.
        own_state = cls.enabled is not RatingProcessorBase.enabled
        own_priority = cls.priority is not RatingProcessorBase.priority
        if not (enabled or own_state):
            return None
        module = _call(name, "could not be loaded", self._instance, name, cls, scope)
        if own_state and not _call(name, "could not be loaded", getattr, module, "enabled"):
            return None
        if own_priority:
            priority = _call(name, "could not be loaded", getattr, module, "priority")
        return _Step(name, priority, module, name in self._batch, _takes_date(module))

    def _instance(self, name: str, cls: Module, scope: str | None) -> RatingProcessorBase:
        if name not in self._batch:
            return cls() if scope is None else cls(tenant_id=scope)
        if name not in self._shared:
            self._shared[name] = cls()
        return self._shared[name]


def _rank(step: _Step) -> tuple[int, str]:
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


def _call(name: str, what: str, function: Any, *args: Any) -> Any:
    try:
        return function(*args)
    except Exception as exc:
        raise _failure(name, what, exc) from exc


def _failure(name: str, what: str, exc: Exception) -> ModuleError:
    error = ModuleError(f"rating module '{name}' {what}: {type(exc).__name__}: {exc}")
    error.__cause__ = exc
    return error


def _rate_together(steps: Sequence[_Step], usages: list[ScopeUsage]) -> dict[str, Exception]:
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
            failed[scope] = _failure(step.name, "failed", error)
    return failed


def _takes_date(module: RatingProcessorBase) -> bool:
    parameters = inspect.signature(module.reload_config).parameters.values()
    return any(p.kind not in {p.KEYWORD_ONLY, p.VAR_KEYWORD} for p in parameters)


def _process(steps: Sequence[_Step], frames: Iterable[DataFrame]) -> list[DataFrame]:
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
