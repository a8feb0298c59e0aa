# SPDX-License-Identifier: Apache-2.0
"""The rating plugin interface (rating.md 2.3), namespace ``cloudkitty.rating.processors``."""

from __future__ import annotations

import abc
import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cloudkitty.dataframe import DataFrame
from cloudkitty.db import module_info
from cloudkitty.usage import ScopeUsage

NAMESPACE: Final = "cloudkitty.rating.processors"


def _nothing(_number: int) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Stage:
    """What a module, or a part of it, has made of a frame, and why.

    `why` takes the number of a point, in the order of ``iterpoints`` of the frame before, and gives
    what is to be said of it: JSON data, Decimals allowed. Known keys are ``reasons``, a list of
    :class:`cloudkitty.rating.explain.model.Reason`, and ``details``, a dictionary; our modules have
    some of their own (:class:`cloudkitty.rating.explain.model.Step`).
    """

    frame: DataFrame
    why: Callable[[int], Mapping[str, Any]] = _nothing


class RatingProcessorBase(abc.ABC):
    """Sets prices on data points. Built with ``tenant_id=<scope>``, or without argument.

    A module may have a *batch form* beside ``process``: it then sets ``batch = True`` and
    implements ``rate_usage``; one instance without tenant serves every scope, so that what is
    the same for many scopes and periods is worked out once. Both forms must give equal prices.
    """

    #: Key of the module in the table ``modules_state`` and in messages; must be set.
    module_name: str | None = None
    #: Text shown by the API.
    description: str | None = None
    #: Informative flag shown by the API.
    hot_config: bool = False
    #: Pecan controller class mounted at /v1/rating/module_config/<name>, None for none.
    config_controller: type | None = None
    #: Whether the module has the batch form.
    batch: bool = False
    #: Whether the price of a point depends on the point alone, not on others of its frame: then it
    #: is explained without them.
    pointwise: bool = False

    def __init__(self, tenant_id: str | None = None) -> None:
        self._tenant_id = tenant_id

    @property
    def module_info(self) -> dict[str, Any]:
        """Name, description, hot_config, enabled and priority, read afresh."""
        return {
            "name": self.module_name,
            "description": self.description,
            "hot_config": self.hot_config,
            "enabled": self.enabled,
            "priority": self.priority,
        }

    def _name(self) -> str:
        if self.module_name is None:
            raise TypeError(f"{type(self).__name__} has no module_name")
        return self.module_name

    @property
    def enabled(self) -> bool:
        """Whether the module is on; False when nobody ever said."""
        return module_info.get_state(self._name())

    @property
    def priority(self) -> int:
        """Rank of the module, higher goes first; 1 when nobody ever said."""
        return module_info.get_priority(self._name())

    def set_state(self, enabled: bool) -> bool:  # noqa: FBT001 - plugin interface
        """Turn the module on or off; gives what is stored."""
        return module_info.set_state(self._name(), enabled)

    def set_priority(self, priority: int) -> int:
        """Set the module's rank; gives what is stored."""
        return module_info.set_priority(self._name(), priority)

    def notify_reload(self) -> None:  # noqa: B027 - nothing to do unless a module wants to
        """Tell processors that the module's rules changed.

        Processors read rules with every batch, so that nothing has to be sent for a change to
        take effect; kept for modules that call it.
        """

    @abc.abstractmethod
    def process(self, data: DataFrame) -> DataFrame:
        """Rate one frame; the returned frame goes to the next module and then to storage."""

    def quote(self, data: DataFrame) -> DataFrame:
        """Rate one frame that will not be stored."""
        return self.process(data)

    def nodata(self, begin: dt.datetime, end: dt.datetime) -> None:  # noqa: B027
        """Do nothing; old callers may call it for a period without usage."""

    @abc.abstractmethod
    def reload_config(self, start: dt.datetime | None = None) -> None:
        """Load the rules valid at `start` (aware; None is now); called before every period."""

    def rate_usage(self, usage: ScopeUsage) -> None:
        """Batch form: set the prices in `usage` in place, for every period it covers."""
        raise NotImplementedError(f"{type(self).__name__} has no batch form: {usage.scope_id}")

    def rate_usages(self, usages: Sequence[ScopeUsage]) -> Mapping[str, Exception]:
        """Batch form: ``rate_usage`` for many scopes; gives scope -> error for those that failed.

        For modules for which many at once are less work than one after the other.
        """
        failed: dict[str, Exception] = {}
        for usage in usages:
            try:
                self.rate_usage(usage)
            except Exception as exc:  # noqa: BLE001 - it is the answer
                failed[usage.scope_id] = exc
        return failed

    def begin_batch(self) -> None:  # noqa: B027
        """Batch form: called before a batch; reads what may have changed since the last one."""

    def explain(
        self,
        data: DataFrame,
        *,
        everything: bool = False,
    ) -> Iterator[Stage]:
        """Rate a frame as ``process`` does, in one stage or several, and say what each does.

        What is said goes to who may read the frame. Only with `everything` may it be about others,
        or tell what an operator alone should know. A module without an answer of its own has one
        stage: what ``process`` makes of the frame.
        """
        del everything
        yield Stage(self.process(data))

    def begin_batch_then(self) -> None:
        """Batch form: as ``begin_batch``, before periods are rated again by the rules valid then.

        That is, also by rules that have been deleted or changed since, each for the periods that
        began while it was there. A module that does not know its past leaves it: present rules are
        used.
        """
        self.begin_batch()

    def snapshot(self) -> Mapping[str, Any] | None:
        """Give the rules in use, of all tenants, so that they can be kept; None: they are not.

        JSON data by name of part: a part that does not change is kept once, whatever becomes of
        the others (:mod:`cloudkitty.rating.snapshots`). Asked of an instance without tenant, in
        the batch form after ``begin_batch``. A module may have an attribute or property ``version``
        beside it, a text that differs whenever the snapshot does: it is then asked for only when
        the version is another.
        """
        return None

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Use the rules of a snapshot from now on; nothing is read from the database any more.

        ``reload_config`` goes on to choose those in force. Asked of instances that serve nothing
        else. Raises KeyError, TypeError or ValueError for what is no snapshot.
        """
        raise NotImplementedError(f"{type(self).__name__} keeps no rules: {sorted(snapshot)}")
