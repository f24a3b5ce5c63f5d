# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A file system with one file, of which some calls get no answer while it is told so (linux/fuse.h)."""

import contextlib
import ctypes
import errno
import os
import stat
import struct
import threading

LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, RELEASE, FLUSH, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 14, 15, 17, 18, 25, 26, 36, 42
NO_ANSWER = FORGET, BATCH_FORGET, INTERRUPT
ROOT, FILE = 1, 2
MNT_FORCE, MNT_DETACH = 1, 2
INVAL_INODE = 2  # of what a file system tells unasked
SECONDS = 1 << 30  # what was said of it once holds for so long


def device(path, kind, major, minor):
    """One of the kernel's own that a /dev without udev lacks."""
    with contextlib.suppress(FileExistsError):
        os.mknod(path, kind | 0o600, os.makedev(major, minor))


class StallingFiles:
    """With a thread that serves them, which ends when they are unmounted."""

    def __init__(self, path, content, user=0, name="it"):
        self.path, self.file, self.content = path, path / name, content
        self.unanswered, self.lock = None, threading.Lock()  # requests; None: each is answered
        self.stalled = ()
        self.waits = threading.Event()  # somebody does
        device("/dev/fuse", stat.S_IFCHR, 10, 229)
        self.fd = os.open("/dev/fuse", os.O_RDWR)
        self.libc = ctypes.CDLL(None, use_errno=True)
        options = f"fd={self.fd},rootmode=40000,user_id={user},group_id=0,allow_other"
        if self.libc.mount(b"stalls", os.fsencode(path), b"fuse", 0, options.encode()):
            raise OSError(ctypes.get_errno(), "mount")
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def stall(self, *ops):
        self.stalled = ops or (READ,)
        self.waits.clear()
        self.unanswered = []

    def forget(self):
        """What the kernel has of the file it asks for anew, also where it is mapped."""
        os.write(self.fd, struct.pack("<IiQQqq", 40, INVAL_INODE, 0, FILE, 0, 0))

    def resume(self):
        with self.lock:
            left, self.unanswered = self.unanswered or [], None
        for request in left:
            self._reply(*request)

    def __exit__(self, *_):
        self.resume()
        self.libc.umount2(os.fsencode(self.path), MNT_FORCE | MNT_DETACH)  # the connection ends, and with it who waits
        self.thread.join()
        os.close(self.fd)

    def _attr(self, node):
        size, mode = (0, stat.S_IFDIR | 0o755) if node == ROOT else (len(self.content), stat.S_IFREG | 0o755)
        return struct.pack("<QQQQQQIIIIIIIIII", node, size, (size + 511) // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def _answer(self, op, node, data):
        """(error, bytes)"""
        if op == INIT:
            return 0, struct.pack("<IIIIHHIIHHI", 7, 31, 0, 0, 16, 12, 65536, 1, 0, 0, 0) + bytes(28)
        if op == LOOKUP:
            if data.rstrip(b"\0") != os.fsencode(self.file.name):
                return errno.ENOENT, b""
            return 0, struct.pack("<QQQQII", FILE, 0, SECONDS, SECONDS, 0, 0) + self._attr(FILE)
        if op == GETATTR:
            return 0, struct.pack("<QII", SECONDS, 0, 0) + self._attr(node)
        if op == OPEN:
            return 0, struct.pack("<QII", 0, 0, 0)  # what was read before is read again
        if op == READ:
            _, offset, size = struct.unpack_from("<QQI", data)
            return 0, self.content[offset:offset + size]
        if op == STATFS:
            return 0, struct.pack("<QQQQQIIII", 1, 0, 0, 2, 0, 4096, 255, 4096, 0) + bytes(24)
        return (0, b"") if op in (RELEASE, FLUSH) else (errno.ENOSYS, b"")

    def _serve(self):
        while True:
            try:
                request = os.read(self.fd, 1 << 20)
            except OSError as e:
                if e.errno == errno.ENOENT:  # who asked has gone
                    continue
                return  # it is unmounted
            _, op, unique, node = struct.unpack_from("<IIQQ", request)
            if op in NO_ANSWER:
                continue
            with self.lock:
                keep = op in self.stalled and self.unanswered is not None
                if keep:
                    self.unanswered.append((op, unique, node, request[40:]))
            if keep:
                self.waits.set()
            else:
                self._reply(op, unique, node, request[40:])

    def _reply(self, op, unique, node, data):
        error, answer = self._answer(op, node, data)
        with contextlib.suppress(FileNotFoundError):  # who asked has gone
            os.write(self.fd, struct.pack("<IiQ", 16 + len(answer), -error, unique) + answer)
