"""Kill a process group before the N-th system call with which any of its threads writes: ``python -m tests.faults.tracer GROUP N``.

With N = 0 nothing is killed. Prints "attached", and at its end the calls that it saw, one a line. It ends when its input does.
``strace -e inject=…:signal=KILL:when=N`` counts in each thread and for each call apart, so that no N there names every moment of a
process with thirty threads; here all of them are counted together, which is why this stands in its place.
"""

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path

SEIZE, INTERRUPT, SYSCALL, SYSCALL_INFO = 0x4206, 0x4207, 24, 0x420E
GOOD, FORK, VFORK, CLONE = 1, 2, 4, 8
WALL = 0x40000000
AT_ENTRY = 1
WRITES = {  # on x86-64
    1: "write", 18: "pwrite64", 20: "writev", 26: "msync", 44: "sendto", 46: "sendmsg", 74: "fsync", 75: "fdatasync",
    76: "truncate", 77: "ftruncate", 82: "rename", 83: "mkdir", 86: "link", 87: "unlink", 263: "unlinkat", 264: "renameat",
    285: "fallocate", 296: "pwritev", 307: "sendmmsg", 316: "renameat2",
}  # fmt: skip


class SyscallInfo(ctypes.Structure):
    _fields_ = (
        ("op", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("ip", ctypes.c_uint64),
        ("sp", ctypes.c_uint64),
        ("number", ctypes.c_uint64),
        ("arguments", ctypes.c_uint64 * 6),
    )


_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


def ptrace(request: int, thread: int, address: int = 0, data: object = 0) -> bool:
    """False if the thread is gone."""
    return bool(_libc.ptrace(request, thread, address, data) >= 0)


def members(group: int) -> list[int]:
    """The processes of this group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def attach(group: int) -> bool:
    """Take hold of every thread, also of those that begin meanwhile. Whether we may."""
    held: set[int] = set()
    allowed = False
    while True:
        threads = {int(task.name) for process in members(group) for task in Path(f"/proc/{process}/task").glob("*")}
        if not threads - held:
            return allowed
        for thread in threads - held:
            held.add(thread)
            if ptrace(SEIZE, thread, 0, GOOD | FORK | VFORK | CLONE):
                allowed |= ptrace(INTERRUPT, thread)


def trace(group: int, n: int, seen: list[str]) -> None:
    """Until the group is dead."""
    info = SyscallInfo()
    while True:
        try:
            thread, status = os.waitpid(-1, WALL)
        except ChildProcessError:
            return
        if not os.WIFSTOPPED(status):
            continue
        number, event, deliver = os.WSTOPSIG(status), status >> 16, 0
        if number == signal.SIGTRAP | 0x80:
            ptrace(SYSCALL_INFO, thread, ctypes.sizeof(info), ctypes.addressof(info))
            if info.op == AT_ENTRY and (name := WRITES.get(info.number)):
                seen.append(name)
                if len(seen) == n:
                    os.killpg(group, signal.SIGKILL)
        elif not event:
            deliver = number
        ptrace(SYSCALL, thread, 0, deliver)


def main() -> None:
    group, n = map(int, sys.argv[1:])
    seen: list[str] = []

    def until_told() -> None:
        sys.stdin.read()
        print("\n".join(seen), flush=True)
        os._exit(0)  # the kernel lets go of what we held

    print("attached" if attach(group) else "refused" if members(group) else "gone", flush=True)
    threading.Thread(target=until_told, daemon=True).start()
    trace(group, n, seen)
    threading.Event().wait()  # all is dead: now until we are told


if __name__ == "__main__":
    main()
