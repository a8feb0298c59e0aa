# SPDX-License-Identifier: Apache-2.0
"""``/scripts`` of pyscripts (contract api.md 8)."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields
from typing import Any, Final

import pecan
from wsme import types as wtypes

from cloudkitty.api import context
from cloudkitty.api.v1 import rest
from cloudkitty.api.v1.expose import wsexpose
from cloudkitty.api.v1.types import Flag, RuleDateType, Unset, UuidType, given
from cloudkitty.rating.common.datamodels.show import shown
from cloudkitty.rating.common.db.window import WindowFilter
from cloudkitty.rating.controller import RatingRestControllerBase
from cloudkitty.rating.pyscripts import syntax
from cloudkitty.rating.pyscripts.datamodels.script import Script, ScriptCollection
from cloudkitty.rating.pyscripts.store import script as store

_WRITABLE: Final = frozenset(field.name for field in fields(store.NewScript))


class ScriptsController(RatingRestControllerBase):
    """Scripts. None is ever run here; one that cannot be compiled is stored with a warning."""

    @wsexpose(
        ScriptCollection,
        bool,
        bool,
        RuleDateType(),
        RuleDateType(),
        wtypes.text,
        wtypes.text,
        wtypes.text,
        wtypes.text,
        bool,
    )
    def get_all(
        self,
        no_data: Flag = None,
        deleted: Flag = None,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        created_by: str | None = None,
        updated_by: str | None = None,
        deleted_by: str | None = None,
        description: str | None = None,
        is_active: Flag = None,
    ) -> ScriptCollection:
        """List the scripts that all filters admit, with `no_data` without their sources."""
        wanted = WindowFilter(
            deleted=bool(deleted),
            start=start,
            end=end,
            created_by=created_by,
            updated_by=updated_by,
            deleted_by=deleted_by,
            description=description,
            is_active=bool(is_active),
        )
        found = store.get_all(wanted, with_data=not no_data)
        return ScriptCollection(scripts=[_shown(record) for record in found])

    @wsexpose(Script, UuidType())
    def get_one(self, script_id: str) -> Script:
        """Show one script that is not deleted."""
        return _shown(store.get(script_id))

    @wsexpose(Script, bool, body=Script, status_code=201)
    def post(self, force: Flag = None, script_data: Any = None) -> Script:
        """Make a script; with `force` it may start in the past."""
        new = {name: value for name, value in given(script_data).items() if name in _WRITABLE}
        made = store.create(store.NewScript(**new), context.current().user_id, force=bool(force))
        syntax.warn(made.name, made.data)
        rest.created(made.script_id)
        return _shown(made)

    @wsexpose(Script, UuidType(), body=Script, status_code=201)
    def put(self, script_id: str, script_data: Any) -> Script:
        """Change a script; what may change depends on whether it runs."""
        changed = store.update(script_id, given(script_data), context.current().user_id)
        syntax.warn(changed.name, changed.data)
        if pecan.request.path_url.endswith(f"/{script_id}"):
            rest.see_itself()
        else:
            rest.created(script_id)
        return _shown(changed)

    @wsexpose(None, UuidType(), status_code=204)
    def delete(self, script_id: str) -> None:
        """Delete a script softly."""
        store.delete(script_id, context.current().user_id)


def _shown(record: store.Script) -> Script:
    answer = shown(Script, record)
    if record.data is None:
        answer.data = Unset
    return answer
