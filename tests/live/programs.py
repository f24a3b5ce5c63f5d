# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The BPF programs of a process, as the kernel compiled them."""

import ctypes
import os
import re
import subprocess
import tempfile
from pathlib import Path

SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
PROG_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD = 13, 15  # linux/bpf.h, enum bpf_cmd
MAX_BYTES = 1 << 20
libc = ctypes.CDLL(None, use_errno=True)


class ProgInfo(ctypes.Structure):
    """The beginning of struct bpf_prog_info."""
    _fields_ = [("type", ctypes.c_uint32), ("id", ctypes.c_uint32), ("tag", ctypes.c_uint8 * 8),
                ("jited_bytes", ctypes.c_uint32), ("xlated_bytes", ctypes.c_uint32),
                ("jited", ctypes.c_uint64), ("xlated", ctypes.c_uint64), ("load_time", ctypes.c_uint64),
                ("created_by_uid", ctypes.c_uint32), ("nr_map_ids", ctypes.c_uint32), ("map_ids", ctypes.c_uint64),
                ("name", ctypes.c_char * 16)]


def bpf(command, attr):
    data = ctypes.create_string_buffer(attr.ljust(64, b"\0"), 64)
    result = libc.syscall(SYS_BPF, command, data, 64)
    assert result >= 0, os.strerror(ctypes.get_errno())
    return result


def jited(prog_id):
    """(name, of which the kernel keeps 15 characters; machine code with that of its subprograms)"""
    fd = bpf(PROG_GET_FD_BY_ID, prog_id.to_bytes(4, "little"))
    code = ctypes.create_string_buffer(MAX_BYTES)
    info = ProgInfo(jited_bytes=MAX_BYTES, jited=ctypes.addressof(code))
    try:
        bpf(OBJ_GET_INFO_BY_FD, fd.to_bytes(4, "little") + ctypes.sizeof(info).to_bytes(4, "little") +
            ctypes.addressof(info).to_bytes(8, "little"))
    finally:
        os.close(fd)
    assert 0 < info.jited_bytes <= MAX_BYTES, f"{info.name}: not compiled, or hidden"
    return info.name.decode(), code.raw[:info.jited_bytes]


def programs_of(pid):
    """Those it holds a descriptor of: {name: machine code}"""
    found = {}
    for fdinfo in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            ids = re.findall(r"^prog_id:\s*(\d+)", fdinfo.read_text(), re.M)
        except FileNotFoundError:
            continue  # closed meanwhile
        found.update(jited(int(prog_id)) for prog_id in ids)
    return found


def private_stack_accesses(code):
    """
    Instructions that use r9: the x86-64 JIT has the frame pointer of a private stack there, and nothing else
    (arch/x86/net/bpf_jit_comp.c, emit_priv_frame_ptr()).
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(code)
        file.flush()
        listing = subprocess.run(["objdump", "-D", "-b", "binary", "-m", "i386:x86-64", file.name], capture_output=True,
                                 text=True, check=True).stdout
    assert listing.count("\n") > len(code) / 16, "that is no listing"
    return re.findall(r"^.*%r9\b.*$", listing, re.M)
