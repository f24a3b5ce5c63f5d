# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A process whose files take much to read costs the tracer what its budget says, and no report, signal or other file waits for it."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import FIXTURES, SANITIZED, SLOW, TOP, Program, Tracer, jdk, run_tool, wait_until

MAKE = TOP / "tests/fixtures/hostile/make.py"
VICTIM = TOP / "tests/fixtures/hostile/victim.c"
LIMIT_MB = 64
SITES = 400  # of a library
# What a terminal would obey, but for tabs and new lines.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(name="victim", scope="module")
def _victim():
    with Program(jdk("17"), "Hostile", "libhostile.so") as program:
        assert program.answer() == "ready\n"
        yield program


@pytest.fixture(name="make", scope="module")
def _make(tmp_path_factory):
    """Makes a copy of the library, each in a folder of its own."""
    def make(kind):
        folder = tmp_path_factory.mktemp(kind)
        path = folder / f"lib{folder.name}.so"
        subprocess.run([sys.executable, "-B", str(MAKE), kind, str(FIXTURES / "libvictim.so"), str(path)], check=True, timeout=SLOW)
        return path
    return make


def leak(program, path, n=1):
    program.tell(f"{path} {n}")
    assert program.answer() == f"{n}\n"


def of_module(report, path):
    return [s for s in report["sites"] if s["stack"] and s["stack"][0]["module"] == Path(path).name]


def resident_mb(pid):
    return int(re.search(r"^VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)[1]) / 1024


def cpu_s(pid):
    """Its own, and that of its helpers."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    total = sum(map(int, fields[11:15]))
    for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        try:
            total += sum(map(int, Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11:13]))
        except FileNotFoundError:
            pass
    return total / os.sysconf("SC_CLK_TCK")


@pytest.mark.asan
def test_budget(make):
    """Memory and CPU time are what the budget says; what does not fit is refused by name, and nothing else is."""
    large = [make("strings") for _ in range(20)]  # take little, as only what is used is read
    refused = [make(kind) for kind in ("functions", "functions", "frames", "xz", "zlib_bomb")]
    plain = make("plain")
    with Program(jdk("17"), "Hostile", "libhostile.so") as victim, \
            Tracer("--limit-memory", f"{LIMIT_MB}M", "-v", pids=[victim.pid], record=False) as tracer:
        assert victim.answer() == "ready\n"
        tracer.wait_tracing()
        before_mb, before_s, began = resident_mb(tracer.proc.pid), cpu_s(tracer.proc.pid), time.monotonic()
        for path in (*large, *refused, plain):
            leak(victim, path)
        tracer.wait_report(lambda r: all(of_module(r, p) for p in (*large, *refused, plain)) and not r["sites_pending"])
        if not SANITIZED:
            assert resident_mb(tracer.proc.pid) - before_mb <= LIMIT_MB
        # the share of a target, at once and as it comes back; and the rest of the tool
        assert cpu_s(tracer.proc.pid) - before_s <= 3 + (time.monotonic() - began) * (1 / 4 + 1 / 4) + (9 if SANITIZED else 1)
        final = tracer.stop(code=5)[victim.pid]
    text = "".join(tracer.stderr)
    for path in refused:
        assert f"{path}: " in text, path
    for path in (*large, plain):
        assert f"{path}: " not in text, text
    assert final["drops"]["files_refused"] >= len(refused)
    assert {d for d, n in final["drops"].items() if n} == {"files_refused"}
    for path in (plain, large[0]):
        [site] = of_module(final, path)
        assert path == large[0] or site["stack"][0]["symbol"] == "site_000"
    [site] = of_module(final, refused[0])
    assert site["stack"][0]["symbol"] is None and site["acquired"] == 1


@pytest.mark.asan
def test_slow_lines(victim, make):
    """DWARF that takes a third of a second for each address: reports come, and a signal ends the run; lines are pending."""
    path = make("entries")
    with Tracer(pids=[victim.pid]) as tracer:
        tracer.wait_tracing()
        leak(victim, path, SITES)
        first = tracer.wait_report(lambda r: len(of_module(r, path)) == SITES)
        assert first["sites_pending"] > 0
        assert all(s["stack"][0]["symbol"].startswith("site_") for s in of_module(first, path)), "functions are known"
        tracer.wait_report(lambda r: r["elapsed_s"] > first["elapsed_s"] + 1)
        began = time.monotonic()
        tracer.proc.send_signal(signal.SIGINT)
        final = tracer.end()[victim.pid]
        assert time.monotonic() - began < 20, "it was 61 s"
    assert final["sites_pending"] > 0 and not any(final["drops"].values())
    assert sum(s["acquired"] for s in of_module(final, path)) == SITES


def test_an_address_that_takes_long(victim, make):
    """It is no fault of the file: its lines come with a later report, and nothing is refused."""
    path = make("slow")
    with Tracer(pids=[victim.pid]) as tracer:
        tracer.wait_tracing()
        leak(victim, path)
        tracer.wait_report(lambda r: of_module(r, path) and not r["sites_pending"])
        final = tracer.stop()[victim.pid]
    assert not any(final["drops"].values()), final["drops"]


def lines_helpers(pid):
    """The processes that read lines for it."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError):  # it has ended
            if Path(f"/proc/{child}/comm").read_text() == "jnitrace-lines\n":
                found.append(int(child))
    return found


def stopped_helper(pid):
    """Of the one that there is: it was stopped, and stays. False: there is none."""
    with contextlib.suppress(ProcessLookupError):
        for helper in lines_helpers(pid):
            os.kill(helper, signal.SIGSTOP)
            return True
    return False


@pytest.mark.waits
def test_a_helper_that_does_not_move(victim, make, tmp_path):
    """Who reads the lines of a file was stopped: they are lost, and counted; all others have theirs meanwhile."""
    path, other = make("entries"), tmp_path / "libother.so"
    java = f"{jdk('17').home}/include"
    subprocess.run(["gcc", "-g", "-O1", "-fPIC", "-shared", f"-I{java}", f"-I{java}/linux", "-o", other, VICTIM], check=True, timeout=SLOW)
    with Tracer("--limit-memory", "2G", pids=[victim.pid]) as tracer:  # or one may be let go for the other
        tracer.wait_tracing()
        leak(victim, path, SITES)  # 0.3 s for each of them
        wait_until(lambda: stopped_helper(tracer.proc.pid))
        [helper] = lines_helpers(tracer.proc.pid)
        leak(victim, other)
        waits = tracer.wait_report(lambda r: any(s["stack"][0]["file"] for s in of_module(r, other)))
        tracer.wait_report(lambda r: r["drops"]["files_refused"] and not r["sites_pending"])
        assert not Path(f"/proc/{helper}").exists()
        final = tracer.stop(code=5)[victim.pid]
    assert waits["sites_pending"] and not waits["drops"]["files_refused"]
    assert {name: n for name, n in final["drops"].items() if n} == {"files_refused": 1}
    assert f"{path}: the process that reads its lines was stopped, or the file system that it is on does not answer" in "".join(tracer.stderr)
    assert all(s["stack"][0]["symbol"].startswith("site_") for s in of_module(final, path)) and len(of_module(final, path)) == SITES


@pytest.mark.asan
def test_file_shrinks(victim, make):
    """The helper that reads a file ends when the file does: its lines are lost, and counted."""
    path = make("entries")
    with Tracer(pids=[victim.pid]) as tracer:
        tracer.wait_tracing()
        leak(victim, path, SITES)
        tracer.wait_report(lambda r: len(of_module(r, path)) == SITES and r["sites_pending"])
        os.truncate(path, 70000)  # behind its code
        tracer.wait_report(lambda r: r["drops"]["files_refused"] and not r["sites_pending"])
        final = tracer.stop(code=5)[victim.pid]
    assert final["drops"]["files_refused"] == 1
    assert f"{path}: " in "".join(tracer.stderr)
    assert len(of_module(final, path)) == SITES


def special_files():
    """What may stand where a separate debug file is looked for, and is none."""
    yield "FIFO", lambda p: os.mkfifo(p)
    yield "folder", lambda p: p.mkdir()
    yield "device", lambda p: p.symlink_to("/dev/zero")
    yield "terminal", lambda p: p.symlink_to("/dev/tty")
    yield "loop", lambda p: p.symlink_to(p.name)
    yield "memory", lambda p: p.symlink_to("/proc/self/mem")
    yield "other's root", lambda p: p.symlink_to("/proc/1/root/etc/passwd")

    def bind(p):
        with socket.socket(socket.AF_UNIX) as s:
            os.chdir(p.parent)
            s.bind(p.name)
    yield "socket", bind


@pytest.mark.asan
def test_special_files(victim, make):
    """They are never opened: nothing waits, nothing is refused for them."""
    paths = []
    here = os.getcwd()
    for name, put in special_files():
        path = make("debuglink")
        for debug in (path.parent / "huge.debug", path.parent / ".debug/huge.debug"):
            debug.unlink()
            put(debug)
        paths.append((name, path))
    os.chdir(here)
    with Tracer(pids=[victim.pid]) as tracer:
        tracer.wait_tracing()
        for _, path in paths:
            leak(victim, path)
        tracer.wait_report(lambda r: all(of_module(r, p) for _, p in paths))
        final = tracer.stop()[victim.pid]
    assert not any(final["drops"].values()), final["drops"]
    assert all(of_module(final, p)[0]["stack"][0]["symbol"] is None for _, p in paths)


def test_debuglink(victim, make):
    """Two files of 4 GB of holes whose checksum is asked for."""
    path = make("debuglink")
    with Tracer(pids=[victim.pid], record=False) as tracer:
        tracer.wait_tracing()
        before_s = cpu_s(tracer.proc.pid)
        leak(victim, path)
        tracer.wait_report(lambda r: of_module(r, path))
        assert cpu_s(tracer.proc.pid) - before_s < 3, "it was 18 s"
        final = tracer.stop(code=5)[victim.pid]
    assert final["drops"]["files_refused"] == 1
    assert f"{path}: " in "".join(tracer.stderr)


# What is hostile, and what is said of it. None: nothing, as the tool does without what it holds.
HOSTILE = {
    "plain": None,
    "zlib_bomb": "its files and lines take too much",
    "zlib_liar": None,
    "zstd_bomb": "its files and lines take too much",
    "zstd_liar": None,
    "build_id": None,
    "notes": None,
    "sections": None,
    "altlink": None,
    "loop_of_units": None,
}


def resident_now_mb(pid):
    return int(re.search(r"^VmRSS:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)[1]) / 1024


def test_each_file(victim, make):
    """One after the other: half a second of CPU and 16 MB for each, its reports counted in; its function has its name."""
    paths = {}
    with Tracer(pids=[victim.pid], record=False) as tracer:
        tracer.wait_tracing()
        for kind in HOSTILE:
            path = paths[kind] = make(kind)
            before_s, before_mb = cpu_s(tracer.proc.pid), resident_now_mb(tracer.proc.pid)
            leak(victim, path)
            tracer.wait_report(lambda r, path=path: of_module(r, path) and not r["sites_pending"])
            assert cpu_s(tracer.proc.pid) - before_s < 0.5, kind
            assert resident_now_mb(tracer.proc.pid) - before_mb < 16, kind
        final = tracer.stop(code=5)[victim.pid]
    told = [line for line in tracer.stderr if "raise --limit-memory)" in line and "files_refused" not in line]
    assert len(told) == final["drops"]["files_refused"] == sum(why is not None for why in HOSTILE.values()), told
    for kind, path in paths.items():
        [site] = of_module(final, path)
        assert site["stack"][0]["symbol"] == (None if kind == "sections" else "site_000"), kind
        assert not HOSTILE[kind] or any(f"{path}: {HOSTILE[kind]}" in line for line in told), told


def test_names_that_are_hostile(make, tmp_path):
    """Of a process, its arguments, its environment, a library and its folder: no command prints what a terminal would obey."""
    evil = "\x1b[2J\u202e\x9b31m\rx"
    java = tmp_path / f"j{evil}"
    java.symlink_to(jdk("17").home / "bin/java")
    folder = tmp_path / "d\x1b[2J\x07"  # of what Java hands on as it is
    folder.mkdir()
    library = make("plain").rename(folder / "lib\x1b[2J\x07.so")
    proc = subprocess.Popen([java, f"-Dx={evil}", "-XX:-UsePerfData", "-cp", FIXTURES, "Hostile", FIXTURES / "libhostile.so", evil, "\n"],
                            env={**os.environ, "JNITRACE": evil, evil: evil}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert proc.stdout.readline() == "ready\n"
        outputs = [run_tool(*args, proc.pid) for args in (["census", "-p"], ["census", "--json", "-p"], ["probes", "-p"])]
        for args in ([], ["--json"]):
            with Tracer("-v", *args, json_out=False, pids=[proc.pid]) as tracer:
                tracer.wait_tracing()
                proc.stdin.write(f"{library} 3\n")
                proc.stdin.flush()
                assert proc.stdout.readline() == "3\n"
                tracer.proc.send_signal(signal.SIGINT)
                assert tracer.proc.wait(SLOW) == 0
                text = Path(tracer.out.name).read_text()
            assert f"{proc.pid}" in text
            outputs.append(subprocess.CompletedProcess(args, 0, text, "".join(tracer.stderr)))
    finally:
        proc.kill()
        proc.wait()
        proc.stdin.close()
        proc.stdout.close()
    for done in outputs:
        assert done.returncode == 0, done
        assert not CONTROL.search(done.stdout + done.stderr), done


def read_bytes(pid):
    """From files, by read() and pread(); those of the target's memory do not count."""
    return int(re.search(r"^rchar: (\d+)", Path(f"/proc/{pid}/io").read_text(), re.M)[1])


def test_bytes(make):
    """Ten tables of 255 MB: what may be read is four times the limit, and a sixteenth of that a second."""
    paths = [make("table") for _ in range(10)]
    with Program(jdk("17"), "Hostile", "libhostile.so") as victim, Tracer("--limit-memory", f"{LIMIT_MB}M", pids=[victim.pid]) as tracer:
        assert victim.answer() == "ready\n"
        tracer.wait_tracing()
        before, began = read_bytes(tracer.proc.pid), time.monotonic()
        for path in paths:
            leak(victim, path)
        tracer.wait_report(lambda r: all(of_module(r, p) for p in paths) and not r["sites_pending"])
        allowed = 4 * LIMIT_MB * (1 + (time.monotonic() - began) / 16)
        assert (read_bytes(tracer.proc.pid) - before) / 2**20 < allowed + 32, "it was 2,665 MB"
        final = tracer.stop(code=5)[victim.pid]
    text = "".join(tracer.stderr)
    told = [p for p in paths if f"{p}: " in text]
    assert final["drops"]["files_refused"] >= len(told) >= 8
    assert not any(n for name, n in final["drops"].items() if name != "files_refused")
    assert sum(s["acquired"] for p in paths for s in of_module(final, p)) == len(paths)


def test_open_files(tmp_path):
    """A thousand modules, and 128 files that the tool may have open: nothing is lost."""
    paths = [tmp_path / f"libm{i}.so" for i in range(1000)]
    for path in paths:
        path.write_bytes((FIXTURES / "libvictim.so").read_bytes())
    with Program(jdk("17"), "Hostile", "libhostile.so") as victim, \
            Tracer(prefix=["prlimit", "--nofile=128"], pids=[victim.pid]) as tracer:
        assert victim.answer() == "ready\n"
        tracer.wait_tracing()
        for path in paths:
            leak(victim, path)
        final = tracer.stop()[victim.pid]
    assert sum(s["acquired"] for s in final["sites"]) >= len(paths)
    assert len({s["stack"][0]["module"] for s in final["sites"] if s["stack"]} & {p.name for p in paths}) == len(paths)
    assert not any(final["drops"].values()), final["drops"]
    assert len(tracer.stderr) == 1


def test_limit_is_checked(victim):
    assert "at least 16M" in run_tool("-p", victim.pid, "--limit-memory", "1M").stderr


class Group:
    """Cgroups by names of any bytes, each in the one before it, the first in one of this test's."""

    def __init__(self, names):
        tops = [Path("/sys/fs/cgroup") / part for part in ("", "unified", "memory")]  # of version 2, of both, of version 1
        top = next(top for top in tops if (top / "cgroup.procs").exists())
        self.paths = [top / f"jnitrace-{os.getpid()}"]
        self.paths[0].mkdir()
        for name in names:
            self.paths.append(self.paths[-1] / name)
            self.paths[-1].mkdir()
        self.inner = self.paths[-1]
        self.beside = self.paths[0] / "beside"
        self.beside.mkdir()
        self.paths.append(self.beside)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for path in reversed(self.paths):
            wait_until(lambda path=path: not (path / "cgroup.procs").read_text())
            path.rmdir()


def inside(group):
    """The prefix of a command that is to run in it."""
    return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(group / "cgroup.procs")]


def test_cgroup_names_that_are_hostile():
    """Escapes, marks that turn text, names of 255 bytes, names that begin with .. and a path that does, as seen from beside; 3.6 KB."""
    evil = "\x1b[2J\u202e\x07\r\t;\\\"'<b>"
    names = [evil, "docker-" + "0123456789abcdef" * 4 + ".scope", evil[::-1] + "%s%n", *["x" * 255] * 11, "y" * 255, ".." + evil]
    with Group(names) as group:
        with pytest.raises(OSError):  # the kernel has none that would be two lines
            (group.paths[0] / "a\n0::/b").mkdir()
        with Program(jdk("17"), "Hostile", "libhostile.so", prefix=inside(group.inner)) as victim:
            assert victim.answer() == "ready\n"
            assert evil.encode() in Path(f"/proc/{victim.pid}/cgroup").read_bytes()
            for prefix in ([], [*inside(group.beside), "unshare", "--cgroup"]):
                outputs = [run_tool(*args, "-p", victim.pid, prefix=prefix)
                           for args in (["census"], ["census", "--json"], ["probes"], ["top", "-d", "0.1"], ["top", "-d", "0.1", "--json"])]
                for done in outputs:
                    assert done.returncode == 0, done
                    assert not CONTROL.search(done.stdout + done.stderr), done
                targets = [json.loads(done.stdout.splitlines()[-1])["target"] for done in (outputs[1], outputs[4])]
                for target in targets:
                    assert target["container"] == "0123456789abcdef" * 4, target
                    assert target["cgroup"].startswith("/../?[2J????;" if prefix else f"/{group.paths[0].name}/?[2J????;"), target
                    assert target["cgroup"].endswith("y" * 255 + "/..?[2J????;\\\"'<b>"), target
