# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""JVMs to trace, the oracle program in them, the tracer, and what the two must agree on."""

import contextlib
import ctypes
import errno
import glob
import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import zlib
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / os.environ.get("JNITRACE_BUILD", "build")
TOOL_BUILD = TOP / os.environ.get("JNITRACE_TOOL_BUILD", os.environ.get("JNITRACE_BUILD", "build"))
JNITRACE = TOOL_BUILD / "jnitrace"
SANITIZED = JNITRACE.exists() and b"__asan_init" in JNITRACE.read_bytes()
FIXTURES = BUILD / "fixtures"
SID = Path(os.environ.get("JNITRACE_JDK_ROOT", "/var/cache/jnitrace/sid"))
SLOW = 60  # seconds after which something that should have happened has not

# What a sanitizer says, of whichever process: conftest.py looks there after each test.
SANITIZER = Path(tempfile.mkdtemp(prefix="jnitrace-sanitizer-"))
ENV = dict(os.environ, ASAN_OPTIONS=f"exitcode=99:detect_leaks=1:handle_sigbus=0:log_path={SANITIZER}/asan",
           UBSAN_OPTIONS=f"print_stacktrace=1:log_path={SANITIZER}/ubsan", NO_COLOR="1")
ENV.pop("JAVA_TOOL_OPTIONS", None)

NEW = {"global": "NewGlobalRef", "weak": "NewWeakGlobalRef"}
DELETE = {"global": "DeleteGlobalRef", "weak": "DeleteWeakGlobalRef"}


class Jdk:
    """A JDK, of this machine or of another root."""

    def __init__(self, home, root=None):
        self.home, self.root = Path(home), root
        assert (Path(f"{root or ''}{home}") / "bin/java").exists(), f"no JDK at {root or ''}{home}: run scripts/jdk-matrix"

    def command(self, program, *args):
        argv = [str(self.home / "bin" / program), *args]
        if not self.root:
            return argv
        return ["chroot", str(self.root), *argv]

    def java(self, *args):
        """A JVM to be traced. Where it crashes, as some tests have it, nothing is left in the current folder."""
        return self.command("java", "-XX:-UsePerfData", f"-XX:ErrorFile={tempfile.gettempdir()}/hs_err_pid%p.log", *args)

    def run(self, program, *args):
        return subprocess.run(self.command(program, *args), capture_output=True, text=True, timeout=SLOW, check=True).stdout

    @property
    def libjvm(self):
        found = glob.glob(f"{self.root or ''}{self.home}/**/server/libjvm.so", recursive=True)
        assert len(found) == 1, found
        return found[0]

    def fixtures(self):
        """The folder of the fixtures as a process of this JDK sees it."""
        if not self.root:
            return FIXTURES
        inside = Path(f"/tmp/jnitrace-fixtures-{zlib.crc32(str(BUILD).encode()):08x}")  # of this build
        target = Path(f"{self.root}{inside}")
        target.mkdir(mode=0o755, exist_ok=True)
        for file in FIXTURES.iterdir():
            copy = target / file.name
            with contextlib.suppress(FileNotFoundError):  # a test's own, of a run beside this one
                if not copy.exists() or copy.stat().st_mtime_ns != file.stat().st_mtime_ns:
                    new = target / f"{file.name}.{os.getpid()}"
                    shutil.copy2(file, new)
                    new.rename(copy)
        return inside


def host_jdk17():
    homes = glob.glob("/usr/lib/jvm/java-17-openjdk-*")
    assert homes, "no JDK 17 on this machine: run scripts/setup test"
    return homes[0]


def jdk(kind):
    if kind == "17":
        return Jdk(host_jdk17())
    if kind in ("17-stripped", "17-zero"):
        return Jdk(BUILD / f"jdk{kind}")
    if kind.startswith("sid-"):
        homes = glob.glob(f"{SID}/usr/lib/jvm/java-{kind[4:]}-openjdk-*")
        assert homes, f"no JDK {kind[4:]} in {SID}: run scripts/jdk-matrix"
        return Jdk(homes[0][len(str(SID)):], SID)
    raise ValueError(kind)


def other_jdks():
    """Of those that scripts/jdk-matrix installs when the archive has them."""
    return [f"sid-{version}" for version in (11, 26, 28) if glob.glob(f"{SID}/usr/lib/jvm/java-{version}-openjdk-*")]


def copy_jdk17(target):
    """A copy with a libjvm.so of its own; without the parts no test needs."""
    home = Path(target)
    home.mkdir(parents=True)
    for part in ("bin", "conf", "lib"):
        # src.zip is a link into another package.
        shutil.copytree(f"{host_jdk17()}/{part}", home / part, ignore=shutil.ignore_patterns("src.zip"))
    return Jdk(home)


def read_line(stream, seconds=SLOW):
    """One line of an unbuffered pipe; fails instead of waiting for ever."""
    line, end = b"", time.monotonic() + seconds
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([stream], [], [], max(0, end - time.monotonic()))
        assert ready, f"no line within {seconds} s, only {line!r}"
        byte = os.read(stream.fileno(), 1)
        if not byte:
            break
        line += byte
    return line.decode(errors="replace")


def wait_until(what, seconds=SLOW):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.02)


class Program:
    """A Java program of the fixtures with its library, which is told what to do line by line."""

    def __init__(self, on, main, library, *jvm_args, jars="", env=None, prefix=()):
        fixtures = on.fixtures()
        self.log = tempfile.TemporaryFile()
        argv = [*prefix, *on.java(*jvm_args, "-cp", f"{fixtures}{jars}", main, str(fixtures / library))]
        self.proc = subprocess.Popen(argv, bufsize=0, env={**ENV, **(env or {})}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=self.log, start_new_session=True)
        self.pid = self.proc.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proc.kill()
        self.proc.wait()
        for stream in (self.proc.stdin, self.proc.stdout, self.log):
            stream.close()

    def tell(self, line):
        self.proc.stdin.write(f"{line}\n".encode())

    def answer(self, seconds=SLOW):
        line = read_line(self.proc.stdout, seconds)
        if not line:
            self.log.seek(0)
            raise AssertionError(f"the program is gone: {self.log.read().decode(errors='replace')}")
        return line


class Oracle:
    """The fixture that makes references in known numbers, and says in which."""

    def __init__(self, on, *jvm_args, wait=True, prefix=(), prefix_forks=False):
        fixtures = on.fixtures()
        self.jdk = on
        self.log = tempfile.TemporaryFile()
        argv = on.java(*jvm_args, "-cp", str(fixtures), *self.main(fixtures))
        self.proc = subprocess.Popen([*prefix, *argv], bufsize=0, env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=self.log, start_new_session=True)
        self.pid = self.proc.pid
        self.now = None
        if prefix_forks:  # into another pid namespace, where it has another pid
            self.now = self._answer()
            [self.pid] = map(int, Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split())
        elif wait:
            self.wait_ready()

    def main(self, fixtures):
        return "Oracle", str(fixtures / "liboracle.so")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.proc.wait()
        for stream in (self.proc.stdin, self.proc.stdout, self.log):
            stream.close()

    def wait_ready(self):
        self.now = self._answer()
        assert self.now["pid"] == self.pid

    def _answer(self):
        while True:
            line = read_line(self.proc.stdout)
            if line.startswith("{"):
                return json.loads(line)
            if not line:  # else: a warning of -Xcheck:jni
                self.log.seek(0)
                raise AssertionError(f"the oracle is gone: {self.proc.wait()}: {self.log.read().decode(errors='replace')}")

    def send(self, command):
        self.proc.stdin.write(command.encode() + b"\n")

    def do(self, *commands):
        for command in commands:
            self.send(command)
            self.now = self._answer()
        return self.now

    def wait_ended(self, waiting=0):
        """
        Until the threads of its commands are gone, but for those that wait: join() returns before, and what is found at their
        end is found then.
        """
        def own():
            for task in Path(f"/proc/{self.pid}/task").iterdir():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    if (task / "comm").read_text().startswith("Thread-"):
                        yield task

        wait_until(lambda: len(list(own())) <= waiting)

    def alive(self):
        return self.proc.poll() is None

    def kill(self):
        if self.alive():
            self.proc.kill()

    def quit(self, code=0):
        self.send(f"quit {code}")
        return self.proc.wait(SLOW)


class NativeLoop(Oracle):
    """A program that carries out commands in native code: the JDK's own streams would make JNI calls, too."""
    main, library, warm_up = None, None, ()

    def __init__(self, on, *jvm_args):
        fixtures = on.fixtures()
        self.jdk, self.now = on, None
        self.log = tempfile.TemporaryFile()
        argv = on.java(*jvm_args, "-cp", str(fixtures), self.main, str(fixtures / self.library))
        self.proc = subprocess.Popen(argv, bufsize=0, env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=self.log, start_new_session=True)
        self.pid = self.proc.pid
        self.wait_ready()
        self.do(*self.warm_up)


# Every kind of call once, so that nothing is loaded or compiled for the first time later.
WARM_UP = ("run 2 3 2 3 2", "pre 101", "nulls 2", "cleared 2", "nest 3 2 1", "reuse 2 10", "threads 2 2 1", "hold 3", "letgo",
           "sites 2", "gc")
# Primes, so that no wrong sum comes out right.
WORK = ("run 8 1009 7 503 5", "predrop", "nulls 13", "cleared 11", "nest 17 19 4", "reuse 4 10007", "threads 23 3 1",
        "threads 11 2 0", "hold 10007", "letgo", "sites 41")


class Expected:
    """What the tracer must report of what the oracle did between two of its answers."""

    def __init__(self, before, after):
        self.calls = {f: 0 for f in (*NEW.values(), *DELETE.values())}
        self.families = {f: {"acquired": 0, "released": 0, "released_untracked": 0} for f in NEW}
        self.sites = {}
        for name, site in after["sites"].items():
            d = {k: site[k] - before["sites"][name][k] for k in ("made", "made_null", "dropped", "dropped_null")}
            family = "weak" if site["weak"] else "global"
            # References of these were made before the tracer came.
            untracked = name.startswith("pre_") and d["made"] == 0
            self.calls[NEW[family]] += d["made"] + d["made_null"]
            self.calls[DELETE[family]] += d["dropped"] + d["dropped_null"]
            self.families[family]["acquired"] += d["made"]
            self.families[family]["released_untracked" if untracked else "released"] += d["dropped"]
            if d["made"]:
                self.sites[name] = (NEW[family], d["made"], d["dropped"])
        for f in self.families.values():
            f["outstanding"] = f["acquired"] - f["released"]


def direct_caller(site):
    """The function outside the VM that made the call, without what was inlined into it; the distinct ones as one."""
    for frame in site["stack"]:
        if not frame["inlined"] and frame["type"] != "vm":  # -Xcheck:jni calls through functions of the VM's
            symbol = frame["symbol"] or "?"
            return "distinct" if symbol.startswith("distinct_0x") else symbol
    return "?"


def by_caller(report, of=None):
    """{direct caller: (function, acquired, released)}"""
    sums = {}
    for site in report["sites"]:
        name = direct_caller(site)
        if of is not None and name not in of:
            continue
        _, acquired, released = sums.get(name, (None, 0, 0))
        assert site["outstanding"] == site["acquired"] - site["released"], site
        sums[name] = (site["function"], acquired + site["acquired"], released + site["released"])
    return sums


def assert_exact(report, before, after):
    want = Expected(before, after)
    assert_no_losses(report)
    assert {name: report["calls"][name] for name in want.calls} == want.calls
    assert {f: {k: report["families"][f][k] for k in want.families[f]} for f in want.families} == want.families
    assert by_caller(report) == want.sites


def assert_no_losses(report):
    assert not any(report["drops"].values()), report["drops"]


def assert_every_stack_counted(report):
    stacks, sites = report["stacks"], report["sites"]
    assert stacks["complete"] + stacks["incomplete"] == sum(s["acquired"] for s in sites), stacks
    assert stacks["complete_sites"] + stacks["incomplete_sites"] == len(sites), stacks
    assert bool(stacks["incomplete"]) == bool(stacks["incomplete_sites"]) == any(stacks["reasons"].values()), stacks


def lacking(report):
    """{reason: acquisitions}, those that are not zero."""
    return {reason: n for reason, n in report["stacks"]["reasons"].items() if n}


class Tracer:
    """
    jnitrace in the background, reporting as JSON. It records, too, and end() compares what report says of the recording with
    what the run said (not with a prefix, which may lead into another root, nor where args say what is recorded). record=False:
    where the tool's own memory and time are measured.
    """

    def __init__(self, *args, pids=(), json_out=True, prefix=(), interval="0.5", record=True):
        argv = [*prefix, str(JNITRACE)]
        self.recording = None
        if record and json_out and not prefix and "--record" not in args:
            handle, name = tempfile.mkstemp(suffix=".jtr")
            os.close(handle)
            self.recording = Path(name)
            argv += ["--record", name]
        if pids:
            argv += ["-p", ",".join(str(p) for p in pids)]
        if json_out:
            argv += ["--json"]
        argv += ["-i", interval, *map(str, args)]
        self.out = tempfile.NamedTemporaryFile()
        self.started = time.monotonic()
        self.proc = subprocess.Popen(argv, env=ENV, stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.PIPE)
        self.stderr = []
        self.tracing = threading.Event()
        self.tracing_after_s = None
        self.reader = threading.Thread(target=self._read_stderr)
        self.reader.start()

    def _read_stderr(self):
        for line in self.proc.stderr:
            line = line.decode(errors="replace")
            self.stderr.append(line)
            if line.startswith("jnitrace: tracing "):
                self.tracing_after_s = time.monotonic() - self.started
                self.tracing.set()
        self.tracing.set()  # the end of it

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.proc.poll() is None:
            self.proc.kill()
        self._collect()
        self.out.close()
        if self.recording:
            self.recording.unlink()

    def _collect(self, seconds=SLOW):
        code = self.proc.wait(seconds)
        self.reader.join(seconds)
        return code

    def wait_tracing(self, seconds=SLOW):
        assert self.tracing.wait(seconds), f"no tracing line within {seconds} s: {self.stderr}"
        assert self.tracing_after_s is not None, f"ended with {self._collect()}: {self.stderr}"
        return self

    def waited(self):
        """The part of its time in which it would have run, had the machine let it."""
        delay_ns = int(Path(f"/proc/{self.proc.pid}/schedstat").read_text().split()[1])
        return delay_ns / 1e9 / (time.monotonic() - self.started)

    def wait_looks(self, n=10):
        """Until it has looked for new stacks so often, which it does ten times a second, and named them: it sleeps in between."""
        def sleeps():
            return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", Path(f"/proc/{self.proc.pid}/status").read_text(), re.M)[1])

        end = sleeps() + n
        time.sleep(n / 10)
        wait_until(lambda: sleeps() >= end)

    def reports(self):
        """What was written until now, whole lines only."""
        text = Path(self.out.name).read_text()
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def wait_report(self, wanted, seconds=SLOW):
        """The first that is wanted, of those before, too. Each is asked about once: they may be many, and large."""
        end, seen = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            with open(self.out.name, "rb") as out:
                out.seek(seen)
                lines = out.read().splitlines(True)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                seen += len(line)
                if wanted(report := json.loads(line)):
                    return report
            assert self.proc.poll() is None, self.stderr
            time.sleep(0.05)
        last = [{k: r.get(k) for k in ("elapsed_s", "sites_pending", "files_refused")} for r in self.reports()[-3:]]
        raise AssertionError(f"no such report within {seconds} s; last: {last}; stderr: {self.stderr}")

    def end(self, code=0):
        """Wait until it ends by itself; its last reports by pid."""
        got = self._collect()
        assert got == code, f"exit code {got}, not {code}: {''.join(self.stderr)}"
        reports = self.reports()
        finals = {r["target"]["pid"]: r for r in reports if r["final"]}
        assert len(finals) == sum(r["final"] for r in reports), "one final report a target"
        last = {r["target"]["pid"]: r["final"] for r in reports}
        assert all(last.values()), "a target without a final report, or with reports after it"
        for report in reports:
            assert_every_stack_counted(report)
        if self.recording:
            assert_replays(self.recording, Path(self.out.name).read_text(), got, self.stderr)
        return finals

    def stop(self, code=0, sig=signal.SIGINT):
        """Sanitized, a library's symbols take longer than there is time for after a signal: it has seen all before."""
        if SANITIZED:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
                self.wait_looks(3)
        self.proc.send_signal(sig)
        return self.end(code)


def assert_replays(recording, said, code, warnings):
    """
    What report says of a recording is what the run said, to the byte, with its exit code and what it warned of files that
    were not read; and so is a moment in the middle. Of intervals that were left out to save room nothing is there but their
    number.
    """
    def run_report(*args):  # of any size, on a machine of any speed
        return run_tool("report", recording, "--json", "--limit-memory", "4G", *args, seconds=10 * SLOW)

    again = run_report()
    assert again.returncode == code, (again.returncode, again.stderr)
    refused = [line for line in warnings if line.endswith(" (raise --limit-memory)\n")]
    assert [line for line in again.stderr.splitlines(True) if line.endswith(" (raise --limit-memory)\n")] == refused
    want, got = said.splitlines(), again.stdout.splitlines()
    if "intervals were not recorded" in again.stderr:
        left = iter(want)
        assert all(line in left for line in got), "a report that the run did not make, or in another order"
        want = [line for line in want if json.loads(line)["final"]]
        got = [line for line in got if json.loads(line)["final"]]
    if got != want:  # the first that differs, by its members
        for a, b in zip(map(json.loads, got), map(json.loads, want)):
            assert a == b, {key: (a.get(key), b.get(key)) for key in {*a, *b} if a.get(key) != b.get(key)}
    assert got == want
    reports = [json.loads(line) for line in again.stdout.splitlines()]
    if len({r["target"]["pid"] for r in reports}) == 1:
        middle, *later = reports[len(reports) // 2:]
        if all(r["elapsed_s"] > middle["elapsed_s"] + 0.00001 for r in later):  # else the later one is meant
            at = run_report("--at", middle["elapsed_s"])
            assert json.loads(at.stdout) == middle, at.stderr


def run_tool(*args, prefix=(), seconds=SLOW):
    """Run jnitrace to its end."""
    return subprocess.run([*prefix, str(JNITRACE), *map(str, args)], env=ENV, capture_output=True, text=True, timeout=seconds,
                          stdin=subprocess.DEVNULL, check=False)


def assert_schema(*records):
    """Each is as docs/jnitrace-1.schema.json says, with no member that it does not name."""
    subprocess.run([TOP / "scripts/check-json-schema.py", "--strict"], input="".join(json.dumps(r) + "\n" for r in records), text=True,
                   check=True)


def assert_error(result, code):
    """One line `jnitrace: WHAT: WHY (WHAT TO DO)` on stderr, nothing on stdout."""
    assert result.returncode == code, result
    assert re.fullmatch(r"jnitrace: [^\n]+: [^\n]+ \([^\n]+\)\n", result.stderr), result.stderr
    assert result.stdout == "", result.stdout


def bpf_objects(pid):
    """Programs, maps and links a process holds, as (kind, id)."""
    found = set()
    for fd in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            for kind, number in re.findall(r"^(prog|map|link)_id:\s*(\d+)$", fd.read_text(), re.M):
                found.add((kind, int(number)))
    return found


def bpftool(*args):
    path = ENV["PATH"] + ":/usr/sbin:/sbin"
    return json.loads(subprocess.run(["bpftool", "-j", *map(str, args)], capture_output=True, check=True,
                                     env=dict(ENV, PATH=path)).stdout or "[]")


def bpf_ids():
    """
    Those of the whole machine. bpftool would open each: the kernel then forgets to free a map of programs that two let go of at
    the same moment (prog_array_map_clear() takes a reference for work that is under way already).
    """
    return {(kind, number) for kind in NEXT_ID for number in _bpf_ids_of(NEXT_ID[kind])}


NEXT_ID = {"prog": 11, "map": 12, "link": 31}  # BPF_*_GET_NEXT_ID (linux/bpf.h)
SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]


def _bpf_ids_of(command):
    libc = ctypes.CDLL(None, use_errno=True)
    attr = (ctypes.c_uint32 * 3)()  # where to begin, what comes next, how to open it
    while libc.syscall(SYS_BPF, command, attr, ctypes.sizeof(attr)) == 0:
        yield attr[1]
        attr[0] = attr[1]
    assert ctypes.get_errno() == errno.ENOENT, os.strerror(ctypes.get_errno())


def entries_in_map(pid, name):
    """How many elements the map of that name has, of those a process holds."""
    [held] = [m["id"] for m in bpftool("map", "list") if m.get("name") == name and ("map", m["id"]) in bpf_objects(pid)]
    return len(bpftool("map", "dump", "id", held))


def code_is_unchanged(pid, libjvm, probes):
    """Do the bytes in the target's memory at all probe sites equal the file's?"""
    bias = None
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        fields = line.split(None, 5)
        if len(fields) == 6 and fields[5].endswith("libjvm.so") and "x" in fields[1]:
            start, end = (int(x, 16) for x in fields[0].split("-"))
            bias = (start, end, int(fields[2], 16))
    assert bias, "libjvm.so is not mapped"
    start, end, offset = bias
    with open(f"/proc/{pid}/mem", "rb", 0) as mem, open(libjvm, "rb") as file:
        for probe in probes:
            at = int(probe["offset"], 16)
            assert offset <= at < offset + end - start
            mem.seek(start + at - offset)
            file.seek(at)
            if mem.read(8) != file.read(8):
                return False
    return True


def probes_of(pid, *args):
    result = run_tool("probes", "-p", pid, "--json", *args)
    assert result.returncode == 0, result
    return [json.loads(line) for line in result.stdout.splitlines()]
