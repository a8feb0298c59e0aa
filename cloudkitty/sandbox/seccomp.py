# SPDX-License-Identifier: Apache-2.0
"""System calls that scripts may not make, refused by the kernel with ``EPERM``.

A classic BPF program that this process and all that it starts can never get rid of. Signals may
go to the process itself only, limits can be read but not set, other processes cannot be looked
into; starting processes and opening sockets is refused when the configuration says so.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from typing import Final, NamedTuple

_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2

_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000

# Instructions of classic BPF: load a word, jump if equal, jump if any bit is set, return.
_LOAD: Final = 0x20
_EQUAL: Final = 0x15
_ANY_BIT: Final = 0x45
_AT_LEAST: Final = 0x35
_RETURN: Final = 0x06

# Offsets in struct seccomp_data.
_NUMBER: Final = 0
_ARCH: Final = 4
_ARGUMENTS: Final = 16

_X32: Final = 0x40000000
_CLONE_THREAD: Final = 0x00010000
_AF_UNIX: Final = 1


class _Abi(NamedTuple):
    audit_arch: int
    numbers: dict[str, int]


_ABIS: Final = {
    "x86_64": _Abi(
        0xC000003E,
        {
            "socket": 41,
            "clone": 56,
            "fork": 57,
            "vfork": 58,
            "execve": 59,
            "kill": 62,
            "ptrace": 101,
            "rt_sigqueueinfo": 129,
            "pivot_root": 155,
            "setrlimit": 160,
            "mount": 165,
            "umount2": 166,
            "swapon": 167,
            "swapoff": 168,
            "reboot": 169,
            "init_module": 175,
            "delete_module": 176,
            "tkill": 200,
            "tgkill": 234,
            "kexec_load": 246,
            "unshare": 272,
            "rt_tgsigqueueinfo": 297,
            "prlimit64": 302,
            "setns": 308,
            "process_vm_readv": 310,
            "process_vm_writev": 311,
            "finit_module": 313,
            "bpf": 321,
            "execveat": 322,
        },
    ),
    "aarch64": _Abi(
        0xC00000B7,
        {
            "umount2": 39,
            "mount": 40,
            "pivot_root": 41,
            "unshare": 97,
            "kexec_load": 104,
            "init_module": 105,
            "delete_module": 106,
            "ptrace": 117,
            "kill": 129,
            "tkill": 130,
            "tgkill": 131,
            "rt_sigqueueinfo": 138,
            "reboot": 142,
            "setrlimit": 164,
            "socket": 198,
            "clone": 220,
            "execve": 221,
            "swapon": 224,
            "swapoff": 225,
            "rt_tgsigqueueinfo": 240,
            "prlimit64": 261,
            "setns": 268,
            "process_vm_readv": 270,
            "process_vm_writev": 271,
            "finit_module": 273,
            "bpf": 280,
            "execveat": 281,
        },
    ),
}
# The same everywhere.
_COMMON: Final = {
    "pidfd_send_signal": 424,
    "io_uring_setup": 425,
    "pidfd_open": 434,
    "clone3": 435,
    "pidfd_getfd": 438,
}
_ALWAYS_REFUSED: Final = (
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_open",
    "pidfd_getfd",
    "pidfd_send_signal",
    "tkill",
    # Would do what is refused here past this filter.
    "io_uring_setup",
    "setrlimit",
    "unshare",
    "setns",
    "mount",
    "umount2",
    "pivot_root",
    "swapon",
    "swapoff",
    "reboot",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "bpf",
)
_TO_ITSELF: Final = ("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")
_STARTS: Final = ("fork", "vfork", "execve", "execveat")


class UnavailableError(Exception):
    """This kernel or machine has no such filter."""


def install(*, processes: bool, network: bool) -> None:
    """Refuse system calls from now on; raises UnavailableError.

    Without `processes` only threads can be started, without `network` only sockets of this host.
    """
    abi = _ABIS.get(platform.machine())
    if abi is None:
        raise UnavailableError(f"no filter of system calls for {platform.machine()}")
    program = _program(abi, os.getpid(), processes=processes, network=network)
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(program, len(program))
    descriptor = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    held = ctypes.create_string_buffer(descriptor, len(descriptor))
    zero = ctypes.c_ulong(0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero):
        raise UnavailableError(f"no_new_privs: {os.strerror(ctypes.get_errno())}")
    if libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), held, zero, zero):
        raise UnavailableError(f"seccomp: {os.strerror(ctypes.get_errno())}")


def _program(abi: _Abi, pid: int, *, processes: bool, network: bool) -> bytes:
    numbers = {**_COMMON, **abi.numbers}
    refuse = _instruction(_RETURN, _ERRNO | errno.EPERM)
    # The C library falls back to clone, whose flags can be looked at.
    absent = _instruction(_RETURN, _ERRNO | errno.ENOSYS)
    out = [
        _instruction(_LOAD, _ARCH),
        _instruction(_EQUAL, abi.audit_arch, 1, 0),
        refuse,
        _instruction(_LOAD, _NUMBER),
        _instruction(_AT_LEAST, _X32, 0, 1),
        refuse,
    ]

    def when(name: str, *body: bytes) -> None:
        if name in numbers:
            out.append(_instruction(_EQUAL, numbers[name], 0, len(body)))
            out.extend(body)

    for name in _ALWAYS_REFUSED:
        when(name, refuse)
    allow = _instruction(_RETURN, _ALLOW)
    for name in _TO_ITSELF:
        when(name, _argument(0), _instruction(_EQUAL, pid, 0, 1), allow, refuse)
    # Reading a limit is setting none: both halves of the pointer to the new one are 0.
    when(
        "prlimit64",
        _argument(2),
        _instruction(_EQUAL, 0, 0, 3),
        _argument(2, high=True),
        _instruction(_EQUAL, 0, 0, 1),
        allow,
        refuse,
    )
    if not processes:
        for name in _STARTS:
            when(name, refuse)
        when("clone3", absent)
        when("clone", _argument(0), _instruction(_ANY_BIT, _CLONE_THREAD, 0, 1), allow, refuse)
    if not network:
        when("socket", _argument(0), _instruction(_EQUAL, _AF_UNIX, 0, 1), allow, refuse)
    out.append(allow)
    return b"".join(out)


def _argument(index: int, *, high: bool = False) -> bytes:
    """Load half of an argument; both machines have the low half first."""
    return _instruction(_LOAD, _ARGUMENTS + 8 * index + (4 if high else 0))


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("@HBBI", code, if_true, if_false, value)
