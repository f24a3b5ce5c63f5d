# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
A target whose files or memory are on a file system that does not answer: every signal is obeyed, other targets are traced
as ever, what was not read is named, and nothing is left behind. The kernel lets nobody go who waits there, so a process
of the tool's does that which nobody misses.
"""

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from fuse import OPEN, READ, STATFS, StallingFiles
from harness import BUILD, ENV, JNITRACE, SLOW, TOP, WARM_UP, WORK, Jdk, Oracle, Program, Tracer, assert_error, assert_exact, bpf_ids, bpf_objects, host_jdk17, jdk, read_line, run_tool, wait_until
from test_signals import LIMIT_S, Watch

VICTIM = TOP / "tests/fixtures/hostile/victim.c"
NO_ANSWER = "the file system that it is on does not answer"


def leak(program, path, n=1):
    program.tell(f"{path} {n}")
    assert program.answer() == f"{n}\n"


@pytest.fixture(name="library", scope="module")
def _library(tmp_path_factory):
    made = tmp_path_factory.mktemp("library") / "lib.so"
    java = f"{host_jdk17()}/include"
    subprocess.run(["gcc", "-g", "-O1", "-fPIC", "-shared", f"-I{java}", f"-I{java}/linux", "-o", made, VICTIM], check=True, timeout=SLOW)
    return made.read_bytes()


@pytest.fixture(name="files")
def _files(tmp_path, library):
    (tmp_path / "mount").mkdir()
    with StallingFiles(tmp_path / "mount", library) as files:
        yield files


@pytest.fixture(name="victim", scope="module")
def _victim():
    with Program(jdk("17"), "Hostile", "libhostile.so") as program:
        assert program.answer() == "ready\n"
        yield program


@pytest.fixture(name="oracle", scope="module")
def _oracle():
    with Oracle(jdk("17")) as oracle:
        oracle.do(*WARM_UP)
        yield oracle


class Tool:
    """With its reports in a file, and its children."""

    def __init__(self, path, *args):
        self.path = path
        self.proc = subprocess.Popen([str(JNITRACE), *map(str, args)], env=ENV, stdin=subprocess.DEVNULL, stdout=open(path, "wb"),
                                     stderr=subprocess.PIPE, bufsize=0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proc.kill()
        self.proc.wait(SLOW)
        self.proc.stderr.close()

    def reports(self, pid):
        lines = Path(self.path).read_text().split("\n")[:-1]
        return [r for r in map(json.loads, lines) if r["target"]["pid"] == pid]

    def wait_report(self, pid, wanted):
        found = []
        def look():
            assert self.proc.poll() is None, self.proc.stderr.read()
            found[:] = [r for r in self.reports(pid) if wanted(r)]
            return found
        wait_until(look)
        return found[0]

    def readers(self):
        """Processes that read for it, by their state."""
        found = {}
        for child in Path(f"/proc/{self.proc.pid}/task/{self.proc.pid}/children").read_text().split():
            with contextlib.suppress(FileNotFoundError):
                found[child] = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        return found


def all_gone(pids):
    return not any(os.path.exists(f"/proc/{pid}") for pid in pids)


def traced(path, victim, oracle):
    tool = Tool(path, "-p", f"{victim.pid},{oracle.pid}", "--json", "-i", "0.5")
    assert read_line(tool.proc.stderr).startswith("jnitrace: tracing ")
    return tool


@pytest.mark.parametrize("op, sig", [(STATFS, signal.SIGTERM), (OPEN, signal.SIGINT), (READ, signal.SIGHUP), (READ, signal.SIGKILL)])
def test_file(files, victim, oracle, tmp_path, op, sig):
    """It is mapped, and is to be read for names."""
    with traced(tmp_path / "out", victim, oracle) as tool:
        tool.proc.send_signal(signal.SIGSTOP)
        leak(victim, files.file)
        files.forget()
        files.stall(op)
        before = oracle.now
        tool.proc.send_signal(signal.SIGCONT)
        assert files.waits.wait(SLOW)
        after = oracle.do("run 2 101 7 53 5")
        made = after["sites"]
        if sig != signal.SIGKILL:
            tool.wait_report(oracle.pid, lambda r: r["calls"]["NewGlobalRef"] and not r["sites_pending"])
            tool.wait_report(victim.pid, lambda r: r["drops"]["files_refused"])
        held, children = bpf_objects(tool.proc.pid), tool.readers()
        watch = Watch(tool.proc.pid, sig)
        assert sig == signal.SIGKILL or watch.written_s(tool.path) < LIMIT_S
        wait_until(lambda: not held & bpf_ids())  # the kernel takes its time
        code = tool.proc.wait(SLOW)
        files.resume()
        wait_until(lambda: all_gone(children))
        if sig == signal.SIGKILL:
            return
        assert code == 5
        assert f"{files.file}: {NO_ANSWER}" in tool.proc.stderr.read().decode()
        [final] = [r for r in tool.reports(victim.pid) if r["final"]]
        assert {name: n for name, n in final["drops"].items() if n} == {"files_refused": 1}
        assert final["calls"]["NewGlobalRef"] == 1
        [final] = [r for r in tool.reports(oracle.pid) if r["final"]]
        assert made and assert_exact(final, before, after) is None


def test_file_that_answers_later(files, victim, oracle, tmp_path):
    """What was not read is read then; a file of such a file system has all that others have."""
    with traced(tmp_path / "out", victim, oracle) as tool:
        tool.proc.send_signal(signal.SIGSTOP)
        leak(victim, files.file)
        files.forget()
        files.stall(STATFS)
        tool.proc.send_signal(signal.SIGCONT)
        tool.wait_report(victim.pid, lambda r: r["drops"]["files_refused"])
        files.resume()
        tool.wait_report(victim.pid, lambda r: [s for s in r["sites"] if s["stack"] and s["stack"][0]["symbol"] == "site_000"
                                                and s["stack"][0]["file"] == "victim.c"])

        def whole():
            """Its unwind table was refused, too."""
            leak(victim, files.file)
            return [s for s in tool.reports(victim.pid)[-1]["sites"] if not s["truncated"] and [f["symbol"] for f in s["stack"][:2]] == ["site_000", "hostile_leak"]]
        wait_until(whole)


@pytest.fixture(name="overlay")
def _overlay(tmp_path):
    """A JDK of which the file system is known by nothing but its kind, which may lie on any other: that of a container."""
    top = tmp_path / "overlay"
    for name in ("jdk", "upper", "work"):
        (top / name).mkdir(parents=True)
    subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir={host_jdk17()},upperdir={top}/upper,workdir={top}/work", "overlay", top / "jdk"],
                   check=True, timeout=SLOW)
    yield Jdk(top / "jdk")
    subprocess.run(["umount", "--lazy", top / "jdk"], check=True, timeout=SLOW)


def test_file_system_that_may_not_answer(overlay, tmp_path):
    """All is as with any other, names and numbers."""
    with Oracle(overlay) as oracle:
        oracle.do(*WARM_UP)
        with Tracer("--stacks", "native", pids=[oracle.pid]) as tracer:
            before = oracle.now
            tracer.wait_tracing()
            after = oracle.do(*WORK)
            final = tracer.stop()[oracle.pid]
        assert_exact(final, before, after)
        assert Path(final["target"]["library"]).is_relative_to(overlay.home)
        assert any(f["module"] == "libjvm.so" and f["symbol"] for s in final["sites"] for f in s["stack"])


@pytest.mark.parametrize("user", [0, 1000])
def test_probes_in_a_file_that_a_user_serves(library, tmp_path, user):
    """Who could take the page back, so that the kernel waits with a lock for which every fork waits."""
    (tmp_path / "mount").mkdir()
    code = "import ctypes, sys; ctypes.PyDLL(sys.argv[1]); print('ready', flush=True); sys.stdin.read()"
    with StallingFiles(tmp_path / "mount", library, user) as files, \
         subprocess.Popen(["/usr/bin/python3", "-c", code, files.file], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout.readline() == b"ready\n"
        result = run_tool("-p", program.pid, "--pair", f"it={files.file}:hostile_leak(ret)/site_000(arg0)", "-n", "1", "-i", "0.1")
        program.stdin.close()
    if user:
        assert_error(result, 1)
        assert "the file to be probed is on a FUSE that a user mounted, who could hold up the kernel" in result.stderr
    else:
        assert result.returncode == 0, result.stderr


def test_probes_added_later_in_a_file_that_a_user_serves(library, tmp_path):
    """Likewise when the library is loaded while the process is traced."""
    (tmp_path / "mount").mkdir()
    code = ("import ctypes, sys; print('ready', flush=True); sys.stdin.readline()\n"
            "ctypes.PyDLL(sys.argv[1]); print('loaded', flush=True); sys.stdin.read()")
    with StallingFiles(tmp_path / "mount", library, 1000) as files, \
         subprocess.Popen(["/usr/bin/python3", "-c", code, files.file], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout.readline() == b"ready\n"
        with Tracer("--pairs", "dl", "--pair", f"it={files.file}:hostile_leak(ret)/site_000(arg0)", pids=[program.pid]) as tracer:
            tracer.wait_tracing()
            program.stdin.write(b"\n")
            program.stdin.flush()
            assert program.stdout.readline() == b"loaded\n"
            wait_until(lambda: any("are not traced: the file to be probed is on a FUSE that a user mounted" in line for line in tracer.stderr))
            report = tracer.stop(5)[program.pid]
        program.stdin.close()
    assert report["calls"]["dlopen"] == 1 and report["families"]["it"]["acquired"] == 0


@pytest.mark.parametrize("command", ["top", "census", "probes"])
def test_memory_of_what_looks_like_a_runtime(library, tmp_path, command):
    """Each command reads whether an ELF header is where that is mapped."""
    (tmp_path / "mount").mkdir()
    code = ("import mmap, sys; f = open(sys.argv[1], 'rb'); m = mmap.mmap(f.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)\n"
            "print('ready', flush=True); sys.stdin.read()")
    with StallingFiles(tmp_path / "mount", library, name="libjvm.so") as files, \
         subprocess.Popen(["/usr/bin/python3", "-c", code, files.file], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout.readline() == b"ready\n"
        files.forget()
        files.stall()
        with subprocess.Popen([str(JNITRACE), command, "-p", str(program.pid)], env=ENV, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as tool:
            try:
                assert files.waits.wait(SLOW)
                assert tool.wait(SLOW) == 4
            finally:
                files.resume()
        program.stdin.close()


# A page of shared memory that looks like a runtime, and that userfaultfd is to serve: nobody ever does. What is asked is told.
SERVED = """
import ctypes, fcntl, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 4096)
page = libc.mmap(None, 4096, 5, 1, fd, 0)  # PROT_READ | PROT_EXEC, MAP_SHARED
served = libc.syscall({"x86_64": 323, "aarch64": 282}[os.uname().machine], os.O_CLOEXEC)
assert served >= 0, os.strerror(ctypes.get_errno())
fcntl.ioctl(served, 0xC018AA3F, bytearray(struct.pack("<QQQ", 0xAA, 0, 0)))  # UFFDIO_API
fcntl.ioctl(served, 0xC020AA00, bytearray(struct.pack("<QQQQ", page, 4096, 1, 0)))  # UFFDIO_REGISTER, missing pages
print("ready", flush=True)
os.read(served, 32)
print("asked", flush=True)
sys.stdin.read()
"""


@pytest.fixture(name="memory")
def _memory(tmp_path):
    """A file system in memory, from which code may be mapped."""
    (tmp_path / "memory").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", tmp_path / "memory"], check=True, timeout=SLOW)
    yield tmp_path / "memory"
    subprocess.run(["umount", "--lazy", tmp_path / "memory"], check=True, timeout=SLOW)


@pytest.mark.parametrize("command, sig", [("top", signal.SIGINT), ("census", signal.SIGTERM), ("probes", signal.SIGHUP)])
def test_memory_that_the_process_itself_serves(command, sig, memory):
    """By userfaultfd, also to the kernel, for which it needs a privilege. What waits there can be ended."""
    with subprocess.Popen(["/usr/bin/python3", "-c", SERVED, memory / "libjvm.so"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as program:
        assert read_line(program.stdout) == "ready\n"
        with subprocess.Popen([str(JNITRACE), command, "-p", str(program.pid)], env=ENV, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as tool:
            try:
                assert read_line(program.stdout) == "asked\n"
                tool.send_signal(sig)
                assert tool.wait(SLOW) == -sig
            finally:
                tool.kill()
        program.stdin.close()


def test_memory(files, oracle, tmp_path):
    """It is mapped from there, and is read again and again."""
    env = dict(ENV, LIAR_FILE=str(files.file))
    files.content = bytes(4096)
    argv = [str(BUILD / "liar/liar"), str(BUILD / "liar/libjvm.so"), "5"]
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, bufsize=0) as liar:
        try:
            read_line(liar.stdout)
            with Tool(tmp_path / "out", "census", "--watch", "--json", "-i", "0.5", "-p", f"{liar.pid},{oracle.pid}") as tool:
                tool.wait_report(liar.pid, lambda r: True)
                files.stall()
                files.forget()
                assert files.waits.wait(SLOW)
                n = len(tool.reports(oracle.pid))
                wait_until(lambda: len(tool.reports(oracle.pid)) > n + 2)
                children = tool.readers()
                assert Watch(tool.proc.pid).end_s() < LIMIT_S
                assert tool.proc.wait(SLOW) == 0
                assert tool.reports(liar.pid)[-1]["refused"] == f"memory: {NO_ANSWER}"
                files.resume()
                wait_until(lambda: all_gone(children))
        finally:
            liar.kill()
