# SPDX-License-Identifier: Apache-2.0
"""``python -m cloudkitty.demo.run [--directory PATH]``; see tools/run.py and the Makefile.

Environment: PROMETHEUS_URL, SCOPE_KEY, METRICS (a source of one's own), API_PORT.
Exit status: 0 after Ctrl-C or SIGTERM, 1 when something does not work (the reason is shown).
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from cloudkitty.demo.run import progress, ratecard, report, source
from cloudkitty.demo.run.client import HASHMAP, Api, ApiError
from cloudkitty.demo.run.processes import Processes
from cloudkitty.demo.run.settings import (
    API_PORT,
    DEMO_PORT,
    Settings,
    UsageError,
    api_arguments,
    free_port,
    from_environment,
    write_configuration,
)

#: After this time the table is shown even if rating is still catching up.
FIRST_LOOK: Final = 60
START_TIMEOUT: Final = 60


class Interrupted(BaseException):
    """Ctrl-C, or somebody ended us."""


def main() -> int:
    """Run until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m cloudkitty.demo.run")
    parser.add_argument("--directory", type=Path, default=Path(".run"), help="keeps all it makes")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        settings = from_environment(os.environ, arguments.directory.absolute())
        settings.directory.mkdir(parents=True, exist_ok=True)
        with _alone(settings.directory):
            return _run(settings)
    except (UsageError, ApiError) as error:
        _say(f"\n{error}", to=sys.stderr)
        return 1
    except Interrupted:
        return 0


def _interrupt(*_unused: object) -> None:
    raise Interrupted


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Keep a second start off the same database: it would take other ports and confuse."""
    with (directory / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"it runs already (in {directory})") from None
        yield


def _run(settings: Settings) -> int:
    settings.logs.mkdir(exist_ok=True)
    processes = Processes(settings.logs)
    try:
        api, scopes = _start(settings, processes)
        _show(settings, processes, api, scopes)
        while True:
            processes.check()
            time.sleep(1)
    finally:
        # A second Ctrl-C must not leave anything behind.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        _say("\nStopping ...")
        processes.stop()
        _say(f"Stopped. Everything is kept in {settings.directory}; the next start goes on there.")


def _start(settings: Settings, processes: Processes) -> tuple[Api, int]:
    """Start all processes; give the API and the number of scopes to expect."""
    found = source.definitions(settings)
    port = 0
    if settings.prometheus is None:
        port = free_port(DEMO_PORT)
        _say(f"Demo cloud     http://127.0.0.1:{port}")
        command = [sys.executable, "-m", "cloudkitty.demo", "--port", str(port)]
        processes.start("demo", command)
        _wait(processes, lambda: Api(f"http://127.0.0.1:{port}/-/ready").alive(), "the demo cloud")
    url = settings.api_url(port)
    scopes = source.scopes(settings, url, found)
    configuration = write_configuration(settings, port, scopes.metric, scopes.label)
    _say(f"Database       {settings.directory}/cloudkitty.sqlite")
    common = ["--config-file", str(configuration)]
    processes.once("dbsync", [_program("dbsync"), *common, "upgrade"])
    processes.once("storage-init", [_program("storage-init"), *common])
    api_port = free_port(_api_port())
    api = Api(f"http://127.0.0.1:{api_port}")
    _say(f"API            {api.url}")
    processes.start("api", [_program("api"), *common, *api_arguments(api_port)])
    _wait(processes, api.alive, "the API")
    _price(settings, api, source.units(found))
    _say(
        f"Processor      rating {scopes.count} {_whose(settings)}s since "
        f"{progress.month_start():%Y-%m-%d}"
    )
    processes.start("processor", [_program("processor"), *common])
    return api, scopes.count


def _whose(settings: Settings) -> str:
    """Give what a scope is called."""
    key = settings.scope_key
    return "project" if key.startswith(("project", "tenant")) else key.removesuffix("_id")


def _price(settings: Settings, api: Api, units: dict[str, str]) -> None:
    """Seed prices once; what the user makes of them later is left alone."""
    done = settings.directory / "priced"
    if done.exists():
        return
    prices = ratecard.DEMO if settings.prometheus is None else ratecard.example(units)
    last_month = (progress.month_start() - dt.timedelta(days=1)).replace(day=1).date()
    ratecard.seed(api, prices, last_month)
    done.touch()
    _say(f"Prices         of {', '.join(prices)}")


def _show(settings: Settings, processes: Processes, api: Api, scopes: int) -> None:
    """Wait for the data and show them; twice when catching up takes long."""
    found = source.definitions(settings)
    units = source.units(found)
    name_key = "project_name" if settings.prometheus is None else None
    first_look = time.monotonic() + FIRST_LOOK
    shown = False
    started = time.monotonic()
    while True:
        processes.check()
        state = progress.look(api, settings, scopes)
        if state.complete or (not shown and time.monotonic() > first_look):
            rows = report.rows(api, settings.scope_key, name_key)
            if rows or state.complete:
                _clear()
                month = progress.month_start()
                title = f"{_whose(settings)}, {month:%Y-%m}"
                text = report.table(rows, units, title, source.flows(found))
                _say("\n" + (text if rows else _nothing(settings)))
                shown = True
            if state.complete:
                _say(f"\nRated in {time.monotonic() - started:.0f} s.", end=" ")
                break
            _say(f"\nStill catching up ({state.done} of {state.scopes} are up to date) ...")
        elif not shown:
            _progress(state)
        time.sleep(0.5)
    _say("From now on every hour is rated as it ends.\n")
    _hints(settings, api, next(iter(units)))


def _nothing(settings: Settings) -> str:
    due = progress.last_due(settings)
    if due < progress.month_start():
        return "The month is too young: its first hour is rated when it has ended."
    return "No usage this month."


def _progress(state: progress.Progress) -> None:
    if sys.stdout.isatty():
        upto = f", all of them up to {state.oldest:%Y-%m-%d %H:%M}" if state.oldest else ""
        _say(f"\r\x1b[KRating ... {state.done} of {state.scopes} done{upto}", end="")


def _clear() -> None:
    if sys.stdout.isatty():
        _say("\r\x1b[K", end="")


def _hints(settings: Settings, api: Api, metric: str) -> None:
    key = settings.scope_key
    _say(f"Cost per day       curl '{api.url}/v2/summary?groupby=time-d'")
    _say(f"One kind of usage  curl '{api.url}/v2/summary?filters=type:{metric}&groupby={key}'")
    _say(f"Rated data         curl '{api.url}/v2/dataframes?limit=10'")
    _say(f"How far it is      curl '{api.url}/v2/scope'")
    _say(f"Prices             curl '{api.url}{HASHMAP}/services'")
    _say(f"Logs               {settings.logs}")
    _say("\nCtrl-C stops it.")


def _wait(processes: Processes, ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not ready():
        processes.check()
        if time.monotonic() > deadline:
            raise UsageError(f"{what} does not answer after {START_TIMEOUT} s")
        time.sleep(0.1)


def _program(name: str) -> str:
    """Give the path of one of our commands, beside this Python."""
    return str(Path(sys.executable).parent / f"cloudkitty-{name}")


def _api_port() -> int:
    text = os.environ.get("API_PORT", "").strip()
    if not text:
        return API_PORT
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise UsageError(f"API_PORT={text}: not a port")
    return int(text)


def _say(text: str, end: str = "\n", to: object = None) -> None:
    print(text, end=end, flush=True, file=to or sys.stdout)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
