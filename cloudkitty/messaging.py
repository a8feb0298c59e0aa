# SPDX-License-Identifier: Apache-2.0
"""The message bus (contract processor.md 7; for out-of-tree modules rating.md 2.2 and 2.6).

Nothing of ours needs a message to be correct: they only wake somebody up sooner. So whoever sends
one (the functions named ``..._changed`` and ``wake_...``) neither waits nor fails, and where
``[DEFAULT] transport_url`` is not set nothing is sent at all.
"""

from __future__ import annotations

import functools
import os
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import oslo_messaging
from oslo_config import cfg
from oslo_log import log

LOG = log.getLogger(__name__)

TOPIC: Final = "cloudkitty"
VERSION: Final = "1.0"
#: Namespace of the methods that are about rating modules.
RATING: Final = "rating"

#: Messages that may wait to be sent; more are dropped.
_WAITING: Final = 100
#: Seconds between two log lines about a bus that does not work.
_QUIET: Final = 60
_DEFAULTS: Final = (cfg.Locations.opt_default, cfg.Locations.set_default)


class _Message(NamedTuple):
    method: str
    arguments: Mapping[str, Any]
    namespace: str | None
    fanout: bool


def configured(conf: cfg.ConfigOpts) -> bool:
    """Whether ``[DEFAULT] transport_url`` is set; its default stands for no bus."""
    # Registers the option, which the library does only when a transport is made.
    oslo_messaging.TransportURL.parse(conf, "fake://")
    location = conf.get_location("transport_url")
    return location is not None and location.location not in _DEFAULTS


def get_client(version_cap: str | None = None) -> Any:
    """Give an RPC client on topic ``cloudkitty``, version 1.0, of ``[DEFAULT] transport_url``."""
    target = oslo_messaging.Target(topic=TOPIC, version=VERSION)
    return oslo_messaging.get_rpc_client(_transport(), target, version_cap=version_cap)


def get_server(conf: cfg.ConfigOpts, endpoints: Sequence[object]) -> Any:
    """Give an RPC server on topic ``cloudkitty`` of this host; raises what the library does."""
    target = oslo_messaging.Target(topic=TOPIC, server=conf.host, version=VERSION)
    return oslo_messaging.get_rpc_server(_transport(), target, endpoints)


def check(conf: cfg.ConfigOpts) -> None:
    """Raise oslo_messaging.MessagingException if ``transport_url`` cannot be used at all.

    No connection is made: a bus that is down is no reason not to work.
    """
    if configured(conf):
        oslo_messaging.get_rpc_transport(conf).cleanup()


def modules_changed() -> None:
    """Tell processors to read all rating modules anew."""
    _send("reload_modules", {}, RATING, fanout=True)


def module_changed(name: str) -> None:
    """Tell processors that the rules or the priority of a rating module changed."""
    _send("reload_module", {"name": name}, RATING, fanout=True)


def module_switched(name: str, *, enabled: bool) -> None:
    """Tell processors that a rating module was switched on or off."""
    _send("enable_module" if enabled else "disable_module", {"name": name}, RATING, fanout=True)


def wake_for_resets(scopes: Sequence[Mapping[str, str]], last_processed_timestamp: str) -> None:
    """Tell a processor that scopes are to be reset, which the database has as orders.

    `scopes` have scope_id, scope_key, fetcher and collector each; the time is ISO 8601.
    """
    wish = {"scopes": list(scopes), "last_processed_timestamp": last_processed_timestamp}
    # Processors of older releases do it as the message says; ours need not write it down again.
    _send("reset_state", {"res_data": wish | {"ordered": True}}, None, fanout=False)


def wake_for_simulations() -> None:
    """Tell processors that there is something to simulate; as for schedules."""
    modules_changed()


def wake_for_schedules() -> None:
    """Tell processors that there is something to reprocess.

    There is no message for it that old processors would understand; this one does them no harm.
    """
    modules_changed()


class _Sender:
    """Sends messages from a thread of its own: the bus may be slow, or not there."""

    def __init__(self) -> None:
        self._queue: queue.Queue[_Message] = queue.Queue(_WAITING)
        self._told = -float(_QUIET)
        threading.Thread(target=self._run, name="messages", daemon=True).start()

    def send(self, message: _Message) -> None:
        """Take a message, or drop it when too many wait."""
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self._tell("too many messages wait to be sent")

    def _run(self) -> None:
        while True:
            message = self._queue.get()
            try:
                _cast(message)
            except Exception as exc:  # noqa: BLE001 - nobody depends on the message
                self._tell(f"{type(exc).__name__}: {' '.join(str(exc).split())}")

    def _tell(self, reason: str) -> None:
        if time.monotonic() - self._told >= _QUIET:
            self._told = time.monotonic()
            LOG.warning("message bus: %s; processors will see changes a little later", reason)


_sender: _Sender | None = None
_sender_lock: Final = threading.Lock()


def _send(
    method: str, arguments: Mapping[str, Any], namespace: str | None, *, fanout: bool
) -> None:
    global _sender  # noqa: PLW0603 - one thread per process, made when it is first needed
    if not configured(cfg.CONF):
        return
    with _sender_lock:
        if _sender is None:
            _sender = _Sender()
    _sender.send(_Message(method, arguments, namespace, fanout))


def _cast(message: _Message) -> None:
    target: dict[str, Any] = {"namespace": message.namespace, "version": VERSION}
    if message.fanout:
        target["fanout"] = True
    get_client().prepare(**target).cast({}, message.method, **message.arguments)


@functools.cache
def _transport() -> Any:
    """Give the connection to the bus, one for all clients and servers of the process."""
    oslo_messaging.set_transport_defaults(control_exchange=TOPIC)
    return oslo_messaging.get_rpc_transport(cfg.CONF)


def _forget() -> None:
    """Forget connection and thread: a child can use neither of its parent's."""
    global _sender  # noqa: PLW0603 - one per process
    _transport.cache_clear()
    _sender = None


os.register_at_fork(after_in_child=_forget)
