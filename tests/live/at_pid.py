# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""at_pid.py PID PROGRAM...: runs it as a child that has this pid (clone3 with set_tid), and ends as it does."""

import ctypes
import errno
import os
import signal
import struct
import sys

SYS_CLONE3 = 435  # on every architecture

pid, program = int(sys.argv[1]), sys.argv[2:]
libc = ctypes.CDLL(None, use_errno=True)
wanted = ctypes.c_int(pid)
# flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size
args = struct.pack("10Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, ctypes.addressof(wanted), 1)
child = libc.syscall(SYS_CLONE3, args, ctypes.c_size_t(len(args)))
if child == 0:
    os.execvp(program[0], program)
if child < 0:
    sys.exit(f"pid {pid}: {errno.errorcode[ctypes.get_errno()]}")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xff)
