# SPDX-License-Identifier: Apache-2.0
"""What the processor answers on the message bus (contract processor.md 7, rating.md 2.6 and 7).

For API processes of older releases. Ours write into the database what they want; their messages
only have the processor look sooner.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import oslo_messaging
from oslo_config import cfg
from oslo_log import log

from cloudkitty import db, messaging, timeutils
from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.rating.modules import Rating
from cloudkitty.state import orders
from cloudkitty.state.scope import Origin

LOG = log.getLogger(__name__)

#: Seconds between attempts to reach a bus that is down.
_RETRY: Final = 10


class RatingEndpoint:
    """Methods of the namespace ``rating``; answers to versions 1.0 and 1.1."""

    target = oslo_messaging.Target(namespace=messaging.RATING, version="1.1")

    def __init__(self, conf: cfg.ConfigOpts, call: Callable[[], None]) -> None:
        """`call` has the worker look for work at once."""
        self._conf = conf
        self._call = call

    def quote(self, ctxt: object, res_data: Mapping[str, Any]) -> str:
        """Give the price of one period of ``res_data["usage"]``, as text.

        Raises what the caller is told: ValueError for what cannot be understood, ModuleError.
        """
        del ctxt
        start = timeutils.as_local(timeutils.utcnow())
        frame = DataFrame(start, start + dt.timedelta(seconds=self._conf.collect.period))
        for service, resources in _object(res_data.get("usage"), "usage").items():
            for resource in resources:
                frame.add_point(_point(_object(resource, service)), service)
        # Modules are made anew: most are not safe for several threads.
        return format(Rating().quote(frame), "f")

    def reload_modules(self, ctxt: object) -> None:
        """Look at the rules: workers read them with every batch, and are at one sooner so."""
        del ctxt
        self._call()

    def reload_module(self, ctxt: object, name: str) -> None:
        """Do the same."""
        del ctxt, name
        self._call()

    def enable_module(self, ctxt: object, name: str) -> None:
        """Do the same; whether a module is on is read with every batch too."""
        del ctxt, name
        self._call()

    def disable_module(self, ctxt: object, name: str) -> None:
        """Do the same."""
        del ctxt, name
        self._call()


class ScopeEndpoint:
    """Methods without a namespace."""

    target = oslo_messaging.Target(version="1.1")

    def __init__(self, call: Callable[[], None]) -> None:
        """`call` has the worker look for work at once."""
        self._call = call

    def reset_state(self, ctxt: object, res_data: Mapping[str, Any]) -> None:
        """Write down that scopes are to be reset, unless the caller has done so, and do it."""
        del ctxt
        if not res_data.get("ordered"):
            to = timeutils.parse_iso(res_data["last_processed_timestamp"])
            names = [
                (
                    scope["scope_id"],
                    Origin(scope["scope_key"], scope["fetcher"], scope["collector"]),
                )
                for scope in res_data["scopes"]
            ]
            with db.session_for_write() as session:
                placed = orders.place_by_name(session, names, to)
            LOG.info("%d scopes are to be reset to %s", placed, to.isoformat())
        self._call()


class Server:
    """Answers on the bus from threads of its own, once it can be reached."""

    def __init__(self, conf: cfg.ConfigOpts, call: Callable[[], None]) -> None:
        """`call` has the worker of this process look for work at once."""
        self._conf = conf
        self._endpoints = (RatingEndpoint(conf, call), ScopeEndpoint(call))
        self._stop = threading.Event()
        self._server: Any = None

    def start(self) -> None:
        """Begin to answer; does not wait for the bus."""
        threading.Thread(target=self._connect, name="rpc", daemon=True).start()

    def stop(self) -> None:
        """Take no more messages; does not wait for the bus, which may be down."""
        self._stop.set()
        if self._server is not None:
            threading.Thread(target=self._server.stop, name="rpc stop", daemon=True).start()

    def _connect(self) -> None:
        while not self._stop.is_set():
            try:
                server = messaging.get_server(self._conf, self._endpoints)
                server.start()
            except Exception as exc:  # noqa: BLE001 - nothing depends on the bus
                reason = f"{type(exc).__name__}: {' '.join(str(exc).split())}"
                LOG.warning("message bus: %s; trying again in %d s", reason, _RETRY)
                self._stop.wait(_RETRY)
            else:
                self._server = server
                LOG.info("answering on topic %s of the message bus", messaging.TOPIC)
                return


def serve(conf: cfg.ConfigOpts, call: Callable[[], None]) -> Server | None:
    """Start to answer on the bus, if there is one; `call` has the worker look for work."""
    if not messaging.configured(conf):
        return None
    server = Server(conf, call)
    server.start()
    return server


def _point(resource: Mapping[str, Any]) -> DataPoint:
    volume = _object(resource.get("vol"), "vol")
    try:
        qty = Decimal(str(volume["qty"]))
    except (KeyError, InvalidOperation):
        qty = Decimal("NaN")
    if not qty.is_finite():
        raise ValueError(f"vol.qty is not a number: {volume.get('qty')!r}")
    desc = _object(resource.get("desc", {}), "desc")
    groupby = _object(desc.get("groupby", {}), "desc.groupby")
    # What is beside the two objects is metadata: clients send flat ones (contract api.md D28).
    beside = {k: v for k, v in desc.items() if not isinstance(v, dict)}
    metadata = beside | dict(_object(desc.get("metadata", {}), "desc.metadata"))
    return DataPoint(str(volume.get("unit") or "undef"), qty, 0, groupby, metadata)


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is not an object: {value!r}")  # noqa: TRY004 - goes to the caller
    return value
