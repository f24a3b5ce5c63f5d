# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
What a path of a process leads to is its own affair, and may be another thing at any moment: no file is taken for another, nothing
is opened that is no file, nothing waits, and the numbers stay exact.
"""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import socket

import pytest

from harness import FIXTURES, Program, Tracer, assert_error, jdk, run_tool

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MNT_DETACH = 0x20000, 2  # sched.h, sys/mount.h
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}[os.uname().machine]
# Without them /proc/PID/map_files, which is the mapped file whatever became of its path, is closed to the tool.
BY_PATH = ["setpriv", "--bounding-set=-sys_admin,-checkpoint_restore", "--inh-caps=-sys_admin,-checkpoint_restore"]


def leak(program, path, n=1):
    program.tell(f"{path} {n}")
    assert program.answer() == f"{n}\n"


def sites_in(report, name):
    return [s for s in report["sites"] if s["stack"] and s["stack"][0]["module"] == name]


def put_socket(path):
    with socket.socket(socket.AF_UNIX) as s, contextlib.chdir(path.parent):
        s.bind(path.name)


# What takes the place of a library.
OTHERS = {
    "fifo": os.mkfifo,
    "folder": os.mkdir,
    "zeros": lambda p: os.mknod(p, 0o020600, os.makedev(1, 5)),
    "disk": lambda p: os.mknod(p, 0o060600, os.makedev(7, 0)),
    "socket": put_socket,
    "link": lambda p: p.symlink_to("/etc/passwd"),
    "loop": lambda p: p.symlink_to(p.name),
    "library": lambda p: shutil.copy(FIXTURES / "libleaf.so", p),
    "nothing": lambda p: None,
}


@pytest.mark.parametrize("way", ["map_files", "path"])
def test_mapped_file_that_is_another_thing_by_now(tmp_path, way):
    """All by the time that it is opened: its names are its own, or there are none."""
    with Program(jdk("17"), "Hostile", "libhostile.so") as program:
        assert program.answer() == "ready\n"
        with Tracer(pids=[program.pid], prefix=BY_PATH if way == "path" else []) as tracer:
            tracer.wait_tracing()
            tracer.proc.send_signal(signal.SIGSTOP)
            for kind, put in OTHERS.items():
                path = tmp_path / f"lib{kind}.so"
                shutil.copy(FIXTURES / "libvictim.so", path)
                leak(program, path, 3)
                path.unlink()
                put(path)
            tracer.proc.send_signal(signal.SIGCONT)
            tracer.wait_report(lambda r: len(r["sites"]) == 3 * len(OTHERS) and not r["sites_pending"])
            final = tracer.stop()[program.pid]
    assert not any(final["drops"].values()), final["drops"]
    assert final["calls"]["NewGlobalRef"] == 3 * len(OTHERS)
    names = {"site_000", "site_001", "site_002"} if way == "map_files" else {None}
    for kind in OTHERS:
        sites = sites_in(final, f"lib{kind}.so")
        assert sum(s["acquired"] for s in sites) == 3, kind
        assert {s["stack"][0]["symbol"] for s in sites} == names, kind


# A root of its own in a mount namespace of its own: the machine's folders, and those of this test.
ROOT = """
set -e
mount -t tmpfs none "$1" && cd "$1"
for folder in /usr /etc /dev /proc /tmp "$2" "$3"; do
    mkdir -p ".$folder" && mount --rbind "$folder" ".$folder"
done
for name in bin lib lib64 sbin; do ln -s "usr/$name" "$name"; done
mkdir old && pivot_root . old && cd / && umount -l old
shift 3
exec "$@"
"""


class Confined(Program):
    """The program in that root, which can be taken apart around it."""

    def __init__(self, root, files):
        self.files = files
        super().__init__(jdk("17"), "Hostile", "libhostile.so",
                         prefix=["unshare", "--mount", "--propagation", "private", "sh", "-c", ROOT, "sh", root, FIXTURES, files])
        assert self.answer() == "ready\n"

    @contextlib.contextmanager
    def meanwhile(self, *steps, again=False):
        """Make these calls of libc's in its mount namespace, one after the other; again: whole rounds of them for as long as this lasts."""
        said, stop = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            os.close(stop[1])
            call_in(self.pid, steps, again, said[1], stop[0])
        os.close(said[1])
        os.close(stop[0])
        try:
            assert os.read(said[0], 1) == b".", "it cannot be done"
            yield
        finally:
            os.close(stop[1])
            os.waitpid(child, 0)
        assert os.read(said[0], 1) == b"", "it could not be done to the end"
        os.close(said[0])

    def do(self, *steps):
        with self.meanwhile(*steps):
            pass


def call_in(pid, steps, again, said, stop):
    """In a process of its own. Tells of its first round, and of a later one only when it failed."""
    with open(f"/proc/{pid}/ns/mnt") as ns:
        failed = libc.setns(ns.fileno(), CLONE_NEWNS)
    rounds = 0
    while not rounds or again and not select.select([stop], [], [], 0.001)[0]:
        for call, *args in steps:
            failed |= getattr(libc, call)(*(a if isinstance(a, int) else os.fsencode(a) for a in args))
        rounds += 1
        if rounds == 1 or failed:
            os.write(said, b"!" if failed else b".")
        if failed:
            break
    os._exit(0)


@pytest.fixture
def confined(tmp_path):
    for name in ("root", "files"):
        (tmp_path / name).mkdir()
    with Confined(tmp_path / "root", tmp_path / "files") as program:
        yield program


def victim(folder, name):
    shutil.copy(FIXTURES / "libvictim.so", folder / name)
    return folder / name


def test_root_that_is_taken_apart(confined):
    """Its libraries' file systems are unmounted while it is traced, then its root is another, empty one: what is mapped is still read."""
    with Tracer(pids=[confined.pid]) as tracer:
        tracer.wait_tracing()
        tracer.proc.send_signal(signal.SIGSTOP)
        leak(confined, victim(confined.files, "libone.so"), 3)
        confined.do(("umount2", confined.files, MNT_DETACH), ("umount2", "/usr", MNT_DETACH))
        tracer.proc.send_signal(signal.SIGCONT)
        tracer.wait_report(lambda r: len(r["sites"]) == 3 and not r["sites_pending"])
        final = tracer.stop()[confined.pid]
    assert not any(final["drops"].values()), final["drops"]
    assert {s["stack"][0]["symbol"] for s in sites_in(final, "libone.so")} == {"site_000", "site_001", "site_002"}
    confined.do(("mount", "none", "/old", "tmpfs", 0, 0), ("chdir", "/old"), ("mkdir", "gone", 0o755),
                ("syscall", PIVOT_ROOT, ".", "gone"), ("umount2", "/gone", MNT_DETACH), ("rmdir", "/gone"))
    assert os.listdir(f"/proc/{confined.pid}/root") == []
    for args in (["census"], ["probes"], ["top", "-d", "0.1"]):
        done = run_tool(*args, "-p", confined.pid)
        assert done.returncode == 0 and f"PID {confined.pid} " in done.stdout, done
        # whose path leads nowhere, and no other way there is: it is said
        assert_error(run_tool(*args, "-p", confined.pid, prefix=BY_PATH), 1)


def test_root_that_turns(confined):
    """File systems come and go above its libraries while they are opened: no library is taken for what lies above it."""
    over = [("mount", "none", folder, "tmpfs", 0, 0) for folder in ("/usr", confined.files)]
    off = [("umount2", folder, MNT_DETACH) for folder in ("/usr", confined.files)]
    paths = [victim(confined.files, f"lib{i}.so") for i in range(4)]
    leak(confined, paths[0], 0)
    with Tracer(pids=[confined.pid]) as tracer:
        tracer.wait_tracing()
        for path in paths:
            leak(confined, path, 3)
            with confined.meanwhile(*over, ("usleep", 1000), *off, again=True):
                tracer.wait_report(lambda r, path=path: len(sites_in(r, path.name)) == 3)
                done = run_tool("probes", "-p", confined.pid, "--json")
                assert done.returncode == 0, done
                by_path = run_tool("probes", "-p", confined.pid, "--json", prefix=BY_PATH)
                assert by_path.returncode in (0, 1, 3) and (by_path.returncode == 0) == (by_path.stdout == done.stdout), by_path
        final = tracer.stop()[confined.pid]
    assert not any(final["drops"].values()), final["drops"]
    assert final["calls"]["NewGlobalRef"] == 3 * len(paths)
    for path in paths:
        assert {s["stack"][0]["symbol"] for s in sites_in(final, path.name)} == {"site_000", "site_001", "site_002"}
