# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Much of what processes do seldom: deep recursion, many threads, libraries, call sites and references, code that comes and goes,
children. Every number is exact, what is missing is named, the target runs on, and the tool stays within its bounds.

`make storms` (JNITRACE_STORMS=1) runs the same with the second number of each size.
"""

import contextlib
import errno
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

import heap
from harness import (FIXTURES, SANITIZED, WARM_UP, WORK, Expected, Oracle, Tracer, assert_exact, assert_no_losses, by_caller,
                     direct_caller, entries_in_map, jdk, lacking, wait_until)

FULL = "JNITRACE_STORMS" in os.environ


def size(usual, full):
    return full if FULL else usual


class Churn(Oracle):
    """The program that does all this."""

    def main(self, fixtures):
        return "Churn", str(fixtures / "libchurn.so")


def resident_mb(pid):
    return int(re.search(r"^VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)[1]) / 1024


@pytest.fixture(name="churn", scope="module")
def _churn():
    with Churn(jdk("17"), "-Xss1m") as churn:
        yield churn


@pytest.fixture(name="libraries", scope="module")
def _libraries(tmp_path_factory):
    """Makes so many copies of the library, each with a build-id of its own, and returns their folder."""
    folder = tmp_path_factory.mktemp("libraries")
    code = (FIXTURES / "libleaf.so").read_bytes()
    build_id = code.index(b"GNU\0", code.index(b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0")) + 4

    def make(n):
        for i in range(n):
            own = code[:build_id] + i.to_bytes(20, "little") + code[build_id + 20:]
            (folder / f"libleaf{i}.so").write_bytes(own)
        return folder
    return make


def assert_well(churn, after):
    """The references were to the right objects, the children ended well, and it still runs."""
    assert after["wrong"] == 0 and churn.alive()


def test_recursion(churn):
    """Frames of C, and of Java: all calls are counted, and a stack that was cut says so."""
    before = churn.do("deep 3 1", "down 3")
    with Tracer(pids=[churn.pid]) as tracer:
        tracer.wait_tracing()
        after = churn.do("deep 4099 101", "down 4099")
        tracer.wait_looks()  # so many frames take longer to be named than there is time for after a signal, on a busy machine
        final = tracer.stop()[churn.pid]
    assert_exact(final, before, after)
    assert_well(churn, after)
    assert lacking(final) == {"depth_limit": 102}


@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_recursion_through_java_and_c(kind):
    """A reference is held at each of the levels."""
    with Oracle(jdk(kind), "-Xss64m") as oracle:
        before = oracle.do(*WARM_UP)
        with Tracer(pids=[oracle.pid]) as tracer:
            tracer.wait_tracing()
            after = oracle.do("nest 4096 3 1")
            tracer.wait_looks()
            final = tracer.stop()[oracle.pid]
        assert oracle.do("run 1 2 1 2 1")
    assert_exact(final, before, after)
    assert set(lacking(final)) == {"depth_limit"}


def test_classes_of_what_is_acquired_in_turns(churn):
    """Of so many references a part is read; were it each fourth, it would be all of one site and none of another."""
    sites, times = 1000, 101
    churn.do("letgo")
    with Tracer(pids=[churn.pid]) as tracer:
        tracer.wait_tracing()
        for _ in range(times):
            churn.do(f"paths 0 {sites}")
        tracer.wait_looks()
        final = tracer.stop()[churn.pid]
        churn.do("letgo")
    classes = [[(c["name"], c["outstanding"]) for c in site["classes"]] for site in final["sites"] if direct_caller(site) == "path_global"]
    assert classes == sites * [[("java.lang.Object", times)]]


def test_thread_without_java_while_a_library_closes(churn, libraries):
    """Nothing of its stack can be known; that is a site all the same, which says why."""
    folder = libraries(1)
    churn.do("threads 2 2", f"close {folder} 0 1")
    with Tracer(pids=[churn.pid]) as tracer:
        before = tracer.wait_tracing() and churn.do("totals")
        tracer.proc.send_signal(signal.SIGSTOP)
        after = churn.do(f"close {folder} 0 1", "threads 7 7")
        tracer.proc.send_signal(signal.SIGCONT)
        final = tracer.stop()[churn.pid]
    assert_no_losses(final)
    sums = by_caller(final)
    assert sums.pop("?") == ("NewGlobalRef", 21, 14)
    assert sums == {"leaf_global": ("NewGlobalRef", 1, 0)}
    assert sum(n for reason, n in lacking(final).items() if reason == "library_closed") >= 21
    [site] = [s for s in final["sites"] if not s["stack"]]
    assert site["truncated"] == "libraries were being unloaded"
    assert_well(churn, after)
    assert Expected(before, after).calls["NewGlobalRef"] == 22


@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_what_comes_and_goes(kind, libraries):
    """Threads, children that call in their copy of the VM, programs, mappings, libraries."""
    n = size(53, 1009)
    folder = libraries(n)
    on = jdk(kind)
    inside = folder if not on.root else copied(on, folder)
    with Churn(on) as churn:
        churn.do("threads 2 2", "forks 1", "churn 3")
        with Tracer("-v", pids=[churn.pid]) as tracer:
            tracer.wait_tracing()
            before = churn.do("totals")
            after = churn.do(f"threads {size(2003, 20011)} 503", f"forks {size(11, 499)}", "churn 1009",
                             f"maps {on.fixtures()}/libleaf.so {size(1009, 100003)}", f"close {inside} 0 {n}")
            final = tracer.stop()[churn.pid]
        assert_well(churn, churn.do("threads 3 3", "churn 3"))
    if on.root:
        shutil.rmtree(f"{on.root}{inside}")
    assert_no_losses(final)
    want = Expected(before, after)
    assert {f: final["calls"][f] for f in want.calls} == want.calls
    got = by_caller(final)
    leaf = want.sites.pop("leaf_global")
    assert {name: got.pop(name) for name in want.sites} == want.sites
    # Libraries that were closed before they were read have no names, and may make the next one's caller unknown.
    assert sum(acquired for _, acquired, _ in got.values()) == leaf[1], got
    assert {n if n in ("leaf_global", "?") else n[:24] for n in got} <= {"leaf_global", "?", "[native frames missing: "}


@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_library_that_is_opened_again(kind, libraries):
    """What it calls from is the same each time, in the tracer's books, too: else these would be full one day."""
    n = size(211, 5003)
    folder = libraries(1)
    on = jdk(kind)
    inside = folder if not on.root else copied(on, folder)
    with Churn(on) as churn:
        churn.do("threads 2 2", f"close {inside} 0 1")
        with Tracer(pids=[churn.pid]) as tracer:
            tracer.wait_tracing()
            before = churn.do("totals")
            for _ in range(n):
                after = churn.do(f"close {inside} 0 1")
            assert entries_in_map(tracer.proc.pid, "stacks") < 20
            final = tracer.stop()[churn.pid]
        assert_well(churn, churn.do("threads 3 3"))
    if on.root:
        shutil.rmtree(f"{on.root}{inside}")
    assert_no_losses(final)
    assert by_caller(final) == Expected(before, after).sites == {"leaf_global": ("NewGlobalRef", n, 0)}
    assert {s["stack"][0]["module"] for s in final["sites"]} == {"libleaf0.so"}


def test_libraries_in_each_others_place(libraries):
    """
    One after another stays for a while where another was. Each is known by its name, and what all else calls from is the same as
    before: whoever takes plug-ins in and out for ever has no more stacks than when he had all of them once.
    """
    plugins = 3
    folder = libraries(plugins)

    def take_turns(rounds):
        for i in range(rounds * plugins):
            churn.do(f"stay {folder} {i % plugins}", "again 1")
            tracer.wait_looks(3)  # and has read where it lies
            last = churn.do("again 2", "paths 0 7", "churn 3")
        return last

    with Churn(jdk("17"), "-Xint") as churn:  # what is compiled has stacks of its own
        churn.do(f"stay {folder} 0", "again 1", "paths 0 1", "churn 3", "letgo")
        with Tracer(pids=[churn.pid]) as tracer:
            tracer.wait_tracing()
            before = churn.do("totals")
            take_turns(2)
            known = entries_in_map(tracer.proc.pid, "stacks")
            after = take_turns(size(3, 300))
            tracer.wait_looks()
            assert entries_in_map(tracer.proc.pid, "stacks") < known + 20  # those that were met while one was being closed
            final = tracer.stop()[churn.pid]
        assert_well(churn, after)
    assert_no_losses(final)
    want = Expected(before, after)
    assert {f: final["calls"][f] for f in want.calls} == want.calls
    calls = Counter()
    for site in final["sites"]:
        if direct_caller(site) == "leaf_global":
            calls[site["stack"][0]["module"]] += site["acquired"]
    assert calls == {f"libleaf{i}.so": 3 * (2 + size(3, 300)) for i in range(plugins)}


def test_more_libraries_than_are_remembered(libraries):
    """
    They are opened again and again. Each has one stack for ever, and no call is another library's: not where more were opened at
    once than the tracer can be told of, either.
    """
    n, at_once = 551, 29  # 512 are remembered
    folder = libraries(n)

    def each_once():
        for first in range(0, n, at_once):
            churn.do(f"close {folder} {first} {min(at_once, n - first)}")
            tracer.wait_looks(2)

    with Churn(jdk("17"), "-Xint") as churn:  # what is compiled has stacks of its own
        churn.do("threads 2 2", f"close {folder} 0 1", "letgo")
        with Tracer(pids=[churn.pid]) as tracer:
            tracer.wait_tracing()
            before = churn.do("totals")
            each_once()
            each_once()
            assert entries_in_map(tracer.proc.pid, "stacks") < n + 100
            tracer.proc.send_signal(signal.SIGSTOP)
            after = churn.do(f"close {folder} 0 {n}")
            tracer.proc.send_signal(signal.SIGCONT)
            final = tracer.stop()[churn.pid]
        assert_well(churn, after)
    assert_no_losses(final)
    calls = Counter()
    for site in final["sites"]:
        calls[site["stack"][0]["module"] if direct_caller(site) == "leaf_global" else "?"] += site["acquired"]
    assert sum(calls.values()) == Expected(before, after).sites["leaf_global"][1] == 3 * n
    del calls["?"]
    assert set(calls) <= {f"libleaf{i}.so" for i in range(n)} and max(calls.values()) <= 3, calls.most_common(5)


def copied(on, folder):
    """As a process of this JDK's root sees it."""
    inside = Path(f"/tmp/{folder.name}-{os.getpid()}")
    shutil.copytree(folder, f"{on.root}{inside}")
    return inside


def test_only_what_is_new_is_called_new(libraries):
    """
    Eight threads call from a library that was there, while the tracer attaches and while others are opened and call at once: each
    stack of the old one is whole, from the first call that counts on, and of a new one only its own frame's caller may be missing.
    """
    n = size(53, 1009)
    folder = libraries(n)
    with Churn(jdk("17")) as churn:
        churn.do("threads 2 2", "beside 2 churn 3")
        with Tracer("--depth", "120", pids=[churn.pid]) as tracer:
            while not tracer.tracing.is_set():
                churn.do("beside 8 churn 101")
            tracer.wait_tracing()
            after = churn.do(f"beside 8 open {folder} 0 {n}")
            tracer.wait_report(lambda r: sum("leaf_global" == direct_caller(s) for s in r["sites"]) == n and not r["sites_pending"])
            final = tracer.stop()[churn.pid]
        assert_well(churn, after)
    assert_no_losses(final)
    old, new = [], []
    for site in final["sites"]:
        (new if any(f["module"].startswith("libleaf") for f in site["stack"] if f["module"]) else old).append(site)
    assert {direct_caller(s) for s in old} == {"churn_global", "churn_weak"} and len(new) == n
    for site in old:
        assert site["truncated"] is None and not [f for f in site["stack"] if (f["symbol"] or "").startswith("[")], site
    for site in new:
        gaps = [i for i, f in enumerate(site["stack"]) if (f["symbol"] or "").startswith("[")]
        assert direct_caller(site) == "leaf_global" and gaps in ([], [1]), site
    assert set(lacking(final)) <= {"table_not_loaded"}
    assert lacking(final).get("table_not_loaded", 0) == sum(s["acquired"] for s in new if len(s["stack"]) > 1 and s["stack"][1]["symbol"].startswith("["))


def test_many_libraries(libraries):
    """Each is known by name and line. At the end without notice, what there was no time for is said to be pending."""
    n = size(23, 5003)
    folder = libraries(n)
    with Churn(jdk("17")) as churn:
        with Tracer(pids=[churn.pid]) as tracer:
            tracer.wait_tracing()
            before = churn.do("totals")
            after = churn.do(f"open {folder} 0 {n}")
            at_once = tracer.stop()[churn.pid]
        with Tracer(pids=[churn.pid], interval=size("0.5", "5")) as tracer:  # a report of 5,003 sites has 10 MB
            tracer.wait_tracing()
            churn.do(f"open {folder} 0 {n}")
            tracer.wait_report(lambda r: sum(s["acquired"] for s in r["sites"]) == n and not r["sites_pending"], size(60, 600))
            final = tracer.stop()[churn.pid]
            assert_well(churn, after)
    assert_no_losses(final)
    assert_no_losses(at_once)
    assert by_caller(final) == {"leaf_global": ("NewGlobalRef", n, 0)} == Expected(before, after).sites
    assert {s["stack"][0]["module"] for s in final["sites"]} == {f"libleaf{i}.so" for i in range(n)}
    assert at_once["calls"]["NewGlobalRef"] == n
    assert sum(not s["stack"][0]["symbol"] for s in at_once["sites"]) <= at_once["sites_pending"]


SITE_BYTES = 64 << 10  # a new one at the most: its stack, names, history, and arrays that double


class AtRest:
    """What a tracer has when nothing happens: bytes in use between two reports, by owner; stacks and sites known."""

    def __init__(self, folder, tracer):
        pid = tracer.proc.pid

        def helpers():
            with contextlib.suppress(FileNotFoundError):
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                return [c for c in children if Path(f"/proc/{c}/comm").read_text() != "jnitrace-reader\n"]
            return [pid]  # one has gone meanwhile

        wait_until(lambda: not helpers())  # which look for lines: they stay for some seconds
        self.known = entries_in_map(pid, "stacks") + len(last_report(tracer)["sites"])
        self.bytes = min(heap.in_use(folder, pid)[0] for _ in range(1000))
        self.owners = heap.owners(folder, pid)
        # It has a list of what is mapped there, and the VM may map one more.
        self.bytes -= sum(n for by, n in self.owners.items() if by[0].startswith("areas_set "))


def last_report(tracer):
    lines = Path(tracer.out.name).read_bytes().rsplit(b"\n", 2)
    return json.loads(lines[-2]) if len(lines) > 1 else None


def test_memory(tmp_path, libraries):
    """When all that a program does has been seen once, the tool takes not a byte more of it, in however many reports."""
    folder = libraries(3)
    with Churn(jdk("17"), "-Xint") as churn:  # what is compiled has stacks of its own
        with Tracer(pids=[churn.pid], interval="0.1", prefix=["env", *heap.counting(tmp_path)]) as tracer:
            def rounds(n):
                """Each site holds something in some report: from then on it has a history."""
                for i in range(n):
                    sites = churn.do("paths 0 7", f"close {folder} {i % 3} 1")["sites"].values()
                    held = sum(s["made"] - s["dropped"] for s in sites)
                    wait_until(lambda: (r := last_report(tracer)) and r["families"]["global"]["outstanding"] == held
                               and not r["sites_pending"])
                    churn.do("letgo")
                    wait_until(lambda: not last_report(tracer)["families"]["global"]["outstanding"])

            def held():
                return last_report(tracer)["families"]["global"]["outstanding"]

            tracer.wait_tracing()
            rounds(6)
            tracer.proc.send_signal(signal.SIGSTOP)  # of these no reading finds that they hold something
            last = churn.do("paths 7 7", "letgo")["sites"]["path_global"]["made"]
            tracer.proc.send_signal(signal.SIGCONT)
            wait_until(lambda: by_caller(last_report(tracer))["path_global"][1] == last and not last_report(tracer)["sites_pending"])
            plateau = AtRest(tmp_path, tracer)
            rounds(size(9, 300))
            churn.do("paths 7 7")
            wait_until(lambda: held() == 7)
            churn.do("letgo")
            wait_until(lambda: not held())

            def is_kept():
                """When no report is being written: where the tracer has to wait for a CPU that may take long."""
                end = AtRest(tmp_path, tracer)
                print(end.bytes - plateau.bytes, (end.owners - plateau.owners).most_common(5))
                # While a library is closed stacks lack frames, which may happen at a new place only now: a site of its own.
                return end.bytes <= plateau.bytes + SITE_BYTES * (end.known - plateau.known)

            wait_until(is_kept)
            tracer.stop()


@pytest.mark.parametrize("args, room", [([], 20000), (["--max-stacks", "200000"], 200000)], ids=["default", "raised"])
def test_many_call_sites(churn, args, room):
    """Each in a function of its own; what there is no room for is one row, and said."""
    n = size(5003, 100000)
    before = churn.do("places 0 2")
    with Tracer("--stacks", "native", "--depth", "4", *args, pids=[churn.pid], interval="60", record=False) as tracer:
        tracer.wait_tracing()
        after = churn.do(f"places 0 {n}", "letgo")
        tracer.wait_looks()
        taken_mb = resident_mb(tracer.proc.pid)
        final = tracer.stop(code=5 if n > room else 0)[churn.pid]
    print(f"{n} call sites: {taken_mb:.0f} MB")
    assert SANITIZED or taken_mb < 80 + min(n, room) * 10 / 1024, "10 KB a call site"
    assert_well(churn, after)
    kept = min(n, room)
    assert {d: v for d, v in final["drops"].items() if v} == ({"stacks_full": n - room} if n > room else {})
    want = Expected(before, after)
    assert {f: final["calls"][f] for f in want.calls} == want.calls
    names = {s["stack"][0]["symbol"] for s in final["sites"] if s["stack"]}
    assert len(names) == kept
    assert by_caller(final)["distinct"] == ("NewGlobalRef", kept, kept)


def test_many_references(oracle):
    """By default there is room for a million."""
    n = size(20011, 2000003)
    before = oracle.do(*WARM_UP)
    with Tracer("--max-refs", "2100000", pids=[oracle.pid]) as tracer:
        tracer.wait_tracing()
        oracle.do(f"hold {n}")
        tracer.wait_report(lambda r: r["families"]["global"]["outstanding"] == n)
        after = oracle.do("letgo")
        final = tracer.stop()[oracle.pid]
    assert_exact(final, before, after)


def agent_jar(folder):
    """The agent, packed as the JVM wants it."""
    path = folder / "redefiner.jar"
    with zipfile.ZipFile(path, "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nPremain-Class: Redefiner\nCan-Retransform-Classes: true\n"
                     "Can-Redefine-Classes: true\n")
        for file in FIXTURES.glob("Redefiner*.class"):
            jar.write(file, file.name)
    return path


def test_beside_other_tools(tmp_path):
    """JFR, JDWP and an agent that redefines the very class, all at once: they make calls, too, which are not the program's."""
    tools = (f"-XX:StartFlightRecording:filename={tmp_path}/it.jfr,settings=profile", f"-javaagent:{agent_jar(tmp_path)}=Churn",
             "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=127.0.0.1:0")
    with Churn(jdk("17"), *tools) as churn:
        churn.do("churn 3", "down 3", "deep 3 1", "threads 2 2", "letgo")
        with Tracer("--allow-loss", pids=[churn.pid]) as tracer:
            tracer.wait_tracing()
            before = churn.do("totals")
            for _ in range(size(5, 500)):  # each with the class as another one has left it
                after = churn.do("churn 101", "down 11", "deep 7 1", "threads 3 3", "letgo")
            tracer.wait_looks()
            final = tracer.stop()[churn.pid]
        assert_well(churn, churn.do("churn 3"))
    want = Expected(before, after).sites
    assert by_caller(final, of=want) == want
    assert {d for d, n in final["drops"].items() if n} <= {"java_unnamed"}


def confine():
    """Runs its arguments with a filter that refuses what tracers need, as containers do (EPERM)."""
    # linux/filter.h, linux/seccomp.h; by number: ptrace, bpf, perf_event_open, process_vm_readv, uretprobe, uprobe
    numbers = {"x86_64": (101, 321, 298, 310, 335, 336), "aarch64": (117, 280, 241, 270)}[os.uname().machine]
    steps = [(0x20, 0, 0, 0)]  # A = the number
    steps += [(0x15, len(numbers) - i, 0, n) for i, n in enumerate(numbers)]  # if equal: to the last one
    steps += [(0x06, 0, 0, 0x7fff0000), (0x06, 0, 0, 0x00050001)]
    program = b"".join(struct.pack("HBBI", *s) for s in steps)
    return [sys.executable, "-c", "import ctypes, os, struct, sys\n"
            f"program = ctypes.create_string_buffer({program!r})\n"
            f"fprog = ctypes.create_string_buffer(struct.pack('HxxxxxxP', {len(steps)}, ctypes.addressof(program)))\n"
            "libc = ctypes.CDLL(None, use_errno=True)\n"
            "assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, fprog, 0, 0) == 0, ctypes.get_errno()\n"
            "os.execvp(sys.argv[1], sys.argv[1:])"]


@pytest.mark.parametrize("kind", ["17", "17-stripped"])
def test_in_a_container(kind):
    """User, pid, mount, network and IPC namespaces, and a filter of system calls."""
    unshare = ["unshare", "--user", "--map-root-user", "--pid", "--mount", "--net", "--ipc", "--uts", "--fork", "--kill-child"]
    with Oracle(jdk(kind), prefix=[*unshare, *confine()], prefix_forks=True) as oracle:
        before = oracle.do(*WARM_UP)
        assert before["pid"] == 1 and re.search(r"^Seccomp:\s*2$", Path(f"/proc/{oracle.pid}/status").read_text(), re.M)
        for args in ([], ["--attach", "perf"]):
            with Tracer(*args, pids=[oracle.pid]) as tracer:
                tracer.wait_tracing()
                after = oracle.do(*WORK)
                assert_exact(tracer.stop()[oracle.pid], before, after)
            before = after
        assert oracle.do("run 1 2 1 2 1")


class MemoryGroup:
    """A memory cgroup, of version 1 or 2."""

    def __init__(self, name):
        top = Path("/sys/fs/cgroup/memory")
        self.second = not top.is_dir()
        if self.second:
            top = Path("/sys/fs/cgroup")
            (top / "cgroup.subtree_control").write_text("+memory")
        self.path = top / f"jnitrace-{name}-{os.getpid()}"
        self.path.mkdir()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        wait_until(lambda: not (self.path / "cgroup.procs").read_text())
        self.path.rmdir()

    def prefix(self):
        """Of a command that is to run in it."""
        return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(self.path / "cgroup.procs")]

    def kept_bytes(self):
        """What it uses and cannot be taken away: all but its page cache."""
        used = int((self.path / ("memory.current" if self.second else "memory.usage_in_bytes")).read_text())
        return used - int(re.search(r"^(?:file|cache) (\d+)", (self.path / "memory.stat").read_text(), re.M)[1])

    def limit(self, limit_bytes):
        """Once what ended in it has given back its memory, that of BPF maps later than the process itself: until then EBUSY."""
        def is_set():
            try:
                (self.path / ("memory.max" if self.second else "memory.limit_in_bytes")).write_text(str(limit_bytes))
            except OSError as e:
                if e.errno != errno.EBUSY:
                    raise
                return False
            return True
        wait_until(is_set)

    def at_limit(self):
        """How often it wanted more than it may have."""
        if self.second:
            return int(re.search(r"^max (\d+)", (self.path / "memory.events").read_text(), re.M)[1])
        return int((self.path / "memory.failcnt").read_text())


def test_target_at_its_memory_limit(tmp_path):
    """Its cgroup has no byte left: what probes need in its memory must come from its page cache, as all else must."""
    with MemoryGroup("target") as group:
        jvm_args = ("-Xmx16m", "-Xms16m", "-XX:+AlwaysPreTouch", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
        with Oracle(jdk("17"), *jvm_args, prefix=group.prefix()) as oracle:
            oracle.do(*WARM_UP, *WORK)
            # Its share of files that were read before is not in here, so some that are.
            file = tmp_path / "cache"
            fill = [*group.prefix(), "dd", "if=/dev/zero", f"of={file}", "bs=1M", "count=16"]
            subprocess.run(fill, check=True, capture_output=True)
            before = oracle.do("run 1 2 1 2 1")
            for _ in range(size(2, 50)):
                group.limit(group.kept_bytes() + (4 << 20))  # by itself, without a tracer, it takes 3 MB more in 25 rounds
                with Tracer(pids=[oracle.pid]) as tracer:
                    tracer.wait_tracing()
                    subprocess.run(fill, check=True, capture_output=True)  # more than there is room for
                    after = oracle.do(*WORK)
                    final = tracer.stop()[oracle.pid]
                assert_exact(final, before, after)
                before = after
            assert group.at_limit() > 0
            assert oracle.quit(7) == 7


def test_tracer_at_its_memory_limit(oracle):
    """It works, or says that it cannot, or the kernel kills it: the target runs on, and nothing is left behind."""
    before = oracle.do(*WARM_UP)
    with MemoryGroup("tracer") as group:
        for limit_mb in size((256, 24), (256, 128, 96, 80, 64, 48, 32, 24, 16, 8)):
            group.limit(limit_mb << 20)
            with Tracer(pids=[oracle.pid], prefix=group.prefix()) as tracer:
                tracer.tracing.wait()
                after = oracle.do(*WORK)
                if tracer.proc.poll() is None:
                    tracer.proc.send_signal(signal.SIGINT)
                code = tracer.proc.wait(60)
                text = "".join(tracer.stderr)
                if code == 0:
                    assert_exact(tracer.end()[oracle.pid], before, after)
                else:
                    assert code == -signal.SIGKILL or re.search(r"^jnitrace: [^\n]+: ", text, re.M), (code, text)
                print(f"{limit_mb} MB: {code} {text}")
                assert code == 0 or limit_mb < 256
            before = after
    assert oracle.do("run 1 2 1 2 1")
