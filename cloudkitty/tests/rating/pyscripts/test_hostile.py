# SPDX-License-Identifier: Apache-2.0
"""Scripts that mean harm, for real: each stops its scope with an error, and nothing else."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from cloudkitty.rating.pyscripts import isolation, process
from cloudkitty.tests.rating.pyscripts import scriptbook
from cloudkitty.tests.rating.pyscripts.scriptbook import add, prices, rate, usage_of

FIRST = "if data['usage']['instance'][0]['groupby']['project_id'] == 'bad':\n"
DEARER = "for p in data['usage']['instance']:\n    p['rating']['price'] += 1\n"


@pytest.fixture(autouse=True)
def limits(sqlite_database, conf):
    conf.config(group="pyscripts", time_limit=0.7, memory_limit=256, file_size_limit=1)
    return conf


def runs(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in {"Z", "X"}


def suffer(code, *, line=2, name="wicked \u00e9", others=None):
    """Run a script that is wicked to one scope of three; gives its error without the names."""
    body = "".join(f"    {each}\n" for each in code.splitlines())
    add(FIRST + body + DEARER, name)
    usages = [usage_of("a"), usage_of("bad"), usage_of("z")]
    failed = rate(*usages)
    assert list(failed) == ["bad"], failed
    assert prices(usages[0]) == prices(usages[2]) == [["2", "2"]]
    assert prices(usages[1]) == [["1", "1"]]
    where = f"script '{name}'" + ("" if line is None else f", line {line}")
    expected = re.escape(where) + r": (.*) \(scope bad, period 2024-05-01T00:00:00\+00:00\)"
    found = re.fullmatch(expected, failed["bad"])
    assert found, failed["bad"]
    return found[1]


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("while True: pass", 2),
        ("x = 1\nwhile True:\n    try:\n        while True: x += 1\n    except: pass", 5),
        ("import time\ntime.sleep(1000)", 3),
        ("sum(iter(int, 1))", 2),
        ("def f():\n    while 1:\n        pass\nf()", None),
        ("import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(99)", 4),
        ("import threading\nthreading.Event().wait()", 3),
        ("import re\nre.match('(a+)+$', 'a' * 100 + 'b')", 3),
    ],
)
def test_one_that_never_ends(code, line):
    started = time.monotonic()
    if line is None:
        line = 3
        code = code.replace("    while 1:\n        pass", "    while 1: pass")
    error = suffer(code, line=line)
    assert error == "stopped after 0.7 s ([pyscripts] time_limit)"
    assert 0.7 < time.monotonic() - started < 15


@pytest.mark.parametrize(
    "code",
    [
        "x = 'x' * (1 << 40)",
        "x = bytearray(300 << 20)",
        "x = [0]; [x.extend(x) for _ in range(64)]",
        "import mmap; mmap.mmap(-1, 1 << 40)",
    ],
)
def test_one_that_takes_memory(code):
    assert re.search("MemoryError|Cannot allocate memory|OverflowError", suffer(code))


def test_one_that_calls_itself():
    assert "RecursionError" in suffer("f = lambda: f()\nf()")


def test_one_that_overflows_the_stack():
    error = suffer(
        "import sys\nsys.setrecursionlimit(10**9)\nf = lambda: eval('f()', globals())\nf()",
        line=4,
    )
    assert re.search("SIGSEGV|MemoryError|RecursionError|SIGABRT", error)


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.fork()",
        "import os; os.system('true')",
        "import os; os.posix_spawn('/bin/true', ['true'], {})",
        "import subprocess; subprocess.run(['true'])",
        "import multiprocessing; multiprocessing.Process(target=print).start()",
        "import os; os.execv('/bin/sleep', ['sleep', '100'])",
        "import _posixsubprocess, os; __import__('pty').fork()",
    ],
)
def test_one_that_starts_processes(code):
    assert "PermissionError: scripts may not" in suffer(code)


@pytest.mark.parametrize(
    "call",
    ["libc.fork()", "libc.vfork()", "libc.syscall(435, 0, 0)", "libc.system(b'true')"],
)
def test_one_that_starts_processes_past_python(call):
    before = process._descendants(os.getpid())
    code = f"import ctypes; libc = ctypes.CDLL(None)\nr = {call}\nraise ValueError(r)"
    assert re.search("ValueError: (-1|32512)", suffer(code, line=4))
    assert len(process._descendants(os.getpid()) - before) <= 1


def test_threads_are_allowed_as_long_as_they_end():
    add(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(3) as pool:\n"
        "    found = list(pool.map(lambda x: x + 1, range(10)))\n"
        "data['usage']['instance'][0]['rating']['price'] = sum(found)\n"
    )
    usage = usage_of(periods=1)
    assert rate(usage) == {}
    assert prices(usage) == [["55"]]


def test_a_thread_that_is_left_does_not_meet_the_next_scope():
    add(
        "import threading, time, sys\n"
        "n = threading.active_count()\n"
        "data['usage']['instance'][0]['rating']['price'] = n\n"
        "threading.Thread(target=time.sleep, args=(100,)).start()\n"
    )
    usages = [usage_of(scope, periods=1) for scope in "abc"]
    assert rate(*usages) == {}
    assert [prices(usage) for usage in usages] == [[["1"]]] * 3


def test_one_that_forks_until_it_cannot(limits):
    limits.config(group="pyscripts", max_processes=4, time_limit=3)
    error = suffer("import os, time\nwhile True:\n    if os.fork() == 0: time.sleep(1000)", line=4)
    assert "more than 4 processes" in error


def test_copies_of_the_process_do_not_answer(limits):
    limits.config(group="pyscripts", max_processes=2)
    add("import os\n" + DEARER + "if os.fork() == 0:\n    p['rating']['price'] = 77\n")
    usages = [usage_of(scope) for scope in "ab"]
    assert rate(*usages) == {}
    assert [prices(usage) for usage in usages] == [[["2", "2"]]] * 2


def test_what_a_script_leaves_running_is_killed(limits, tmp_path):
    limits.config(group="pyscripts", max_processes=2)
    pid_file = tmp_path / "pid"
    add(
        "import subprocess\n"
        f"p = subprocess.Popen(['sh', '-c', 'setsid sleep 1000 & echo $! > {pid_file}; wait'])\n"
        "import time\n"
        f"while not __import__('os').path.exists('{pid_file}'): time.sleep(0.01)\n"
        "time.sleep(0.1)\n" + DEARER
    )
    usage = usage_of(periods=1)
    assert rate(usage) == {}
    assert prices(usage) == [["2"]]
    assert not runs(int(pid_file.read_text()))


@pytest.mark.parametrize("way", ["os.kill({pid}, 15)", "libc.kill({pid}, 15)", "libc.kill(-1, 15)"])
def test_one_that_kills_the_service(way):
    got = []
    before = signal.signal(signal.SIGTERM, lambda *_: got.append("it got through"))
    try:
        call = way.format(pid=os.getpid())
        error = suffer(
            f"import os, ctypes; libc = ctypes.CDLL(None)\nr = {call}\nraise ValueError(r)",
            line=3 if way.startswith("os") else 4,
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert got == []
    assert error in {"PermissionError: scripts may not send signals", "ValueError: -1"}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import sys; sys.exit()", "SystemExit"),
        ("exit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise GeneratorExit('x')", "GeneratorExit: x"),
        ("import os; os._exit(0)", "EndError: os._exit() was called"),
        ("import posix; posix._exit(0)", "EndError: os._exit() was called"),
        ("import os; os.abort()", "EndError: os.abort() was called"),
        ("import os; os.kill(os.getpid(), 9)", "PermissionError: scripts may not send signals"),
        ("import signal; signal.raise_signal(9)", "its process ended: killed by SIGKILL"),
        ("import ctypes; ctypes.string_at(0)", "its process ended: killed by SIGSEGV"),
        ("import ctypes; ctypes.CDLL(None)._exit(0)", "its process ended: exit status 0"),
        ("import resource as r; r.setrlimit(r.RLIMIT_AS, (-1, -1))",
         "PermissionError: scripts may not change limits"),
        ("class E(Exception):\n    def __str__(self): while_ = 1 / 0\nraise E",
         "E: (its text could not be had)"),
        ("print('price is', 7); 1 / 0", "ZeroDivisionError: division by zero; printed: price is 7"),
    ],
)  # fmt: skip
def test_one_that_ends_the_process(code, error):
    silent = "SIGKILL" in error or "exit status" in error
    line = None if silent else 4 if code.startswith("class") else 2
    assert suffer(code, line=line) == error


def test_one_that_closes_everything():
    error = suffer("import os; os.closerange(0, 1000)", line=None)
    assert error.startswith("its process ended: ")


def test_one_that_writes_to_all_descriptors():
    code = (
        "import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'x' * 100)\n"
        "    except OSError: pass"
    )
    error = suffer(code, line=None)
    assert error.startswith("its process gave an answer of ")


def test_one_that_forges_an_answer():
    forged = (
        "import os, struct, json\n"
        "body = json.dumps({'periods': [['1e999999999'], ['NaN']], 'left': 1}).encode()\n"
        "for fd in range(3, 64):\n"
        "    try:\n"
        "        if os.readlink(f'/proc/self/fd/{fd}').startswith('pipe'):\n"
        "            os.write(fd, struct.pack('!Q', len(body)) + body)\n"
        "    except OSError: pass"
    )
    error = suffer(forged, line=None)
    assert error == "its process gave an answer to another question"


def test_one_that_writes_a_large_file(tmp_path):
    code = f"f = open('{tmp_path}/x', 'wb', 0)\nwhile True: f.write(b'x' * 100_000)"
    assert suffer(code, line=3) == "OSError: [Errno 27] File too large"
    assert (tmp_path / "x").stat().st_size <= 1 << 20


def test_printing_goes_nowhere():
    add(
        "import sys\nprint('x' * 10_000_000)\nprint('y', file=sys.stderr)\nsys.stdout.close()\n"
        + DEARER
    )
    usages = [usage_of("a"), usage_of("b")]
    assert rate(*usages) == {}
    assert prices(usages[1]) == [["2", "2"]]


CHANGES = """
import builtins, decimal, os, signal, sys
builtins.len = lambda _: 1000
builtins.extra = 5
del builtins.print
__builtins__['str'] = __builtins__['sum'] = None
decimal.getcontext().prec = 3
decimal.getcontext().traps[decimal.InvalidOperation] = False
sys.setrecursionlimit(60)
signal.signal(signal.SIGALRM, lambda *_: os._exit(1))
signal.setitimer(signal.ITIMER_REAL, 0.05)
sys.stdout = None
shared = 5
"""
CHECKS = """
from decimal import Decimal
import sys, time
print('still there', str(1), sum([1]))
assert len('ab') == 2
assert 'extra' not in dir(__import__('builtins')) and 'shared' not in globals()
assert sys.getrecursionlimit() == 1000
time.sleep(0.1)
data['usage']['instance'][0]['rating']['price'] = Decimal(1) / 3
"""


def test_what_a_script_changes_is_put_back():
    add(CHANGES, "first")
    add(CHECKS, "second")
    usages = [usage_of("a"), usage_of("b")]
    assert rate(*usages) == {}
    assert prices(usages[1]) == [["0." + "3" * 28] * 2]


def test_globals_are_those_of_the_contract():
    add(
        "assert sorted(globals()) == ['__builtins__', 'data'], sorted(globals())\n"
        "assert __name__ == 'builtins'\n"
        "assert (lambda: 0).__code__.co_filename == '<PyScripts: script>'\n"
    )
    assert rate(usage_of()) == {}


def test_the_network_can_be_denied(limits):
    ways = [
        "import socket\nsocket.create_connection(('127.0.0.1', 9), 1)",
        "import socket\nsocket.getaddrinfo('localhost', 80)",
        "import urllib.request as u\nu.urlopen('http://127.0.0.1:9/')",
    ]
    add(ways[0])
    assert "ConnectionRefusedError" in rate(usage_of())["a"]
    limits.config(group="pyscripts", network=False)
    for way in ways:
        scriptbook.clear()
        add(way)
        error = rate(usage_of())["a"]
        assert "script 'script', line 2: " in error
        assert "not use the network" in error or "not permitted" in error, error
    scriptbook.clear()
    add("import ctypes\nraise ValueError(ctypes.CDLL(None).socket(2, 1, 0))")
    assert "ValueError: -1" in rate(usage_of())["a"]


def test_imports_can_be_limited(limits):
    limits.config(group="pyscripts", imports=["decimal", "datetime"])
    add("import decimal, datetime\nfrom decimal import Decimal\n" + DEARER)
    usage = usage_of()
    assert rate(usage) == {}
    for way in ("import os", "from os import path", "__import__('os')", "import decimal, sys"):
        scriptbook.clear()
        add("# what is this\n" + way)
        assert re.search("line 2: ImportError: scripts may not import (os|sys)", rate(usage)["a"])
    limits.config(group="pyscripts", imports=[])
    scriptbook.clear()
    add("import decimal")
    assert "may not import decimal" in rate(usage)["a"]


def test_scripts_can_run_as_another_user(limits):
    if os.getuid():
        pytest.skip("needs root")
    limits.config(group="pyscripts", user="nobody")
    add("import posix\nraise ValueError(posix.getresuid()[0], posix.getresgid()[0])")
    import pwd

    nobody = pwd.getpwnam("nobody")
    assert f"ValueError: ({nobody.pw_uid}, {nobody.pw_gid})" in rate(usage_of())["a"]


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("user", "no-such-user", "there is no user 'no-such-user'"),
        ("interpreter", "/no/such/python", "cannot start /no/such/python"),
        ("interpreter", "/bin/false", "/bin/false did not start: exit status 1"),
    ],
)
def test_a_configuration_that_cannot_be_had_is_an_error(limits, option, value, error):
    limits.config(group="pyscripts", **{option: value})
    add(DEARER)
    with pytest.raises(isolation.IsolationError, match=re.escape(error)):
        rate(usage_of())


def test_the_process_stays_from_batch_to_batch():
    add("import os\ndata['usage']['instance'][0]['rating']['price'] = os.getpid()")
    usages = [usage_of(periods=1), usage_of(periods=1)]
    for usage in usages:
        assert rate(usage) == {}
    assert prices(usages[0]) == prices(usages[1]) != [["1"]]


def test_a_process_that_died_meanwhile_is_replaced():
    add(DEARER)
    assert rate(usage_of()) == {}
    running = isolation.shared()._process._process
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    usage = usage_of()
    assert rate(usage) == {}
    assert prices(usage) == [["2", "2"]]


def test_a_copy_of_the_service_has_its_own_process():
    add(DEARER)
    assert rate(usage_of()) == {}
    mine = isolation.shared()
    pid = os.fork()
    if pid == 0:
        other = isolation.shared()
        os._exit(0 if other is not mine and other._process is None else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert rate(usage_of()) == {}


def test_the_process_ends_with_the_service():
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        other = process.ScriptProcess(isolation.shared().settings)
        os.write(writer, str(other._process.pid).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    pid = int(os.read(reader, 20))
    for _ in range(100):
        if not runs(pid):
            return
        time.sleep(0.05)
    pytest.fail("it still runs")
