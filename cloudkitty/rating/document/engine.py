# SPDX-License-Identifier: Apache-2.0
"""Rates with the rules of a document, by the engine that rates with those in the database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame
from cloudkitty.rating import quantities
from cloudkitty.rating.document import model
from cloudkitty.rating.hashmap.tariff import Tariffs, rate_frame
from cloudkitty.rating.pyscripts import PyScripts
from cloudkitty.rating.pyscripts.scripts import Scripts
from cloudkitty.usage import ScopeUsage


class DraftScripts(PyScripts):
    """pyscripts with scripts that are in no database; they run as isolated as those that are."""

    def __init__(self, scripts: Scripts, tenant_id: str | None = None) -> None:
        super().__init__(tenant_id)
        self._scripts = scripts

    def begin_batch(self) -> None:
        """Keep the scripts."""


class Draft:
    """The modules of a document, compiled once for all scopes and times.

    Nothing is read or written, but scripts need the options of ``[pyscripts]`` to be registered.
    """

    def __init__(self, document: model.Document) -> None:
        #: Names of the modules, in the order in which they rate.
        self.order = document.order()
        self._tariffs = Tariffs(document.hashmap) if model.HASHMAP in self.order else None
        self._scripts = document.pyscripts if model.PYSCRIPTS in self.order else None

    def rate(self, frame: DataFrame, tenant: str | None, begin: dt.datetime) -> DataFrame:
        """Give a frame rated for a tenant by the rules in force at `begin`, an aware datetime.

        Raises pyscripts.ScriptError naming the script that fails.
        """
        for name in self.order:
            if name == model.HASHMAP and self._tariffs is not None:
                when = timeutils.naive_local(begin)
                frame = rate_frame(frame, self._tariffs.of(tenant).at(when), tenant)
            elif name == model.PYSCRIPTS and self._scripts is not None:
                module = DraftScripts(self._scripts, tenant)
                module.reload_config(begin)
                frame = module.process(frame)
        return frame

    def rate_usages(self, usages: Sequence[ScopeUsage]) -> Mapping[str, Exception]:
        """Set the prices of many scopes' usage in place; gives scope -> error of those that failed.

        Prices are added to those that are there. To be called once for each scope.
        """
        failed: dict[str, Exception] = {}
        for usage in usages:
            quantities.drop_unusable(usage)
        for name in self.order:
            going = [usage for usage in usages if usage.scope_id not in failed]
            if name == model.HASHMAP and self._tariffs is not None:
                for usage in going:
                    self._tariffs.rate(usage)
            elif name == model.PYSCRIPTS and self._scripts is not None:
                failed |= DraftScripts(self._scripts).rate_usages(going)
        return failed
