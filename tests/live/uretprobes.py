# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What another tracer does to a target: probes at the returns of functions, by perf_event_open(2)."""

import contextlib
import ctypes
import os
import platform
import struct
import subprocess
from pathlib import Path

NR_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}[platform.machine()]
PMU = Path("/sys/bus/event_source/devices/uprobe")
libc = ctypes.CDLL(None, use_errno=True)


def offsets(library, *names):
    """{symbol: offset in the file}"""
    segments = [[int(x, 16) for x in line.split()[1:5]] for line in subprocess.run(
        ["readelf", "-lW", library], capture_output=True, text=True, check=True).stdout.splitlines() if line.split()[:1] == ["LOAD"]]
    found = {}
    for line in subprocess.run(["nm", library], capture_output=True, text=True, check=True).stdout.splitlines():
        address, _, name = line.rjust(20).partition(" ")[0], *line.split()[-2:]
        if name in names:
            at = int(address, 16)
            [found[name]] = [at - vaddr + offset for offset, vaddr, _, size in segments if vaddr <= at < vaddr + size]
    assert set(found) == set(names), set(names) - set(found)
    return found


@contextlib.contextmanager
def uretprobes(pid, library, *names):
    """Probe the returns of these functions of a file in a process, as long as this lasts."""
    kind = int((PMU / "type").read_text())
    is_return = 1 << int((PMU / "format/retprobe").read_text().removeprefix("config:"))
    path = ctypes.create_string_buffer(os.fsencode(library))
    fds = []
    try:
        for offset in offsets(library, *names).values():
            # struct perf_event_attr: type, size, config; at 56 and 64 the path and the offset
            attr = struct.pack("=IIQ", kind, 112, is_return).ljust(56, b"\0")
            attr = (attr + struct.pack("=QQ", ctypes.addressof(path), offset)).ljust(112, b"\0")
            fd = libc.syscall(NR_PERF_EVENT_OPEN, ctypes.create_string_buffer(attr, 112), pid, -1, -1, 0)
            assert fd >= 0, os.strerror(ctypes.get_errno())
            fds.append(fd)
        yield
    finally:
        for fd in fds:
            os.close(fd)
