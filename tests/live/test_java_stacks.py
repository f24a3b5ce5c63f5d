# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every Java frame and line the tracer reports equals what Thread.getStackTrace() said in the same native call."""

import collections
import json
import os
import re
import select
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

from harness import SLOW, Jdk, Program, Tracer, assert_no_losses, copy_jdk17, jdk, lacking, run_tool


class Frames(Program):
    """The fixture that makes every kind of Java frame, and says what Java knows of each stack."""
    main, library = "Frames", "libframes.so"

    def __init__(self, on, *jvm_args):
        super().__init__(on, self.main, self.library, *jvm_args)
        self.jdk = on
        assert self._object()["pid"] == self.pid

    def _object(self):
        line = ""
        while not line.startswith("{"):
            line = self.answer(3 * SLOW)
        return json.loads(line)

    def do(self, command):
        """{Java frames, innermost first: how often}, since the start."""
        self.tell(command)
        return self.answered()

    def answered(self):
        return collections.Counter({tuple(s["frames"]): s["count"] for s in self._object()["stacks"]})

    def answers_within(self, seconds):
        return bool(select.select([self.proc.stdout], [], [], seconds)[0])


def java_frames(site):
    return tuple(f"{f['symbol']} {f['file'] or 'null'}:{f['line'] or 0}" for f in site["stack"] if f["type"] == "java")


def reported(final):
    """{Java frames: how often}, and how many references had none."""
    stacks, alone = collections.Counter(), 0
    for site in final["sites"]:
        # With -Xcheck:jni the VM's own checked_jni_NewGlobalRef is in between.
        direct = next((f["symbol"] for f in site["stack"] if f["type"] == "native" and not f["inlined"]), None)
        if direct in ("Java_Frames_mark", "Java_Frames_settle"):
            stacks[java_frames(site)] += site["acquired"]
        elif direct == "attached_thread":
            assert not java_frames(site), site
            alone += site["acquired"]
    return stacks, alone


def difference(want, got, final):
    starts = collections.Counter(str([f["symbol"] or f["offset"] for f in s["stack"][:3]]) for s in final["sites"])
    lines = [f"stacks begin with {starts}", *(f"missing {n}: {' <- '.join(s)}" for s, n in sorted((want - got).items()))]
    return "\n".join(lines + [f"wrong {n}: {' <- '.join(s)}" for s, n in sorted((got - want).items())])


def jdk_of(kind):
    """Also a JDK by its path, for trying one out: JNITRACE_TEST_JDK=/path."""
    return Jdk(os.environ["JNITRACE_TEST_JDK"]) if kind == "given" else jdk(kind)


KINDS = ["given"] if "JNITRACE_TEST_JDK" in os.environ else ["17", "sid-25"]
COUNTERS = "-XX:+UsePerfData"
BARE_MODES = [["-XX:+UseG1GC"], ["-XX:+UseParallelGC"], ["-Xint"], ["-XX:TieredStopAtLevel=1"], ["-XX:-UseCompressedOops"]]
COLLECTORS = ["-XX:+UseG1GC", "-XX:+UseParallelGC", "-XX:+UseSerialGC", "-XX:+UseZGC"]
MODES = [[c] for c in COLLECTORS] + [["-Xint"], ["-XX:TieredStopAtLevel=1"], ["-XX:-TieredCompilation"], ["-Xcheck:jni"],
                                     ["-XX:-SegmentedCodeCache"], ["-XX:-UseCompressedOops"]]


@pytest.mark.parametrize("jvm_args", MODES, ids=lambda v: v[0].replace("-XX:", ""))
@pytest.mark.parametrize("kind", KINDS)
def test_java_stacks_are_exact(kind, jvm_args):
    rounds = 3
    with Frames(jdk_of(kind), *jvm_args) as target:
        with Tracer(pids=[target.pid], interval="0.2") as tracer:
            tracer.wait_tracing()
            want = target.do(f"run {rounds}")
            final = tracer.stop()[target.pid]
    assert_no_losses(final)
    got, alone = reported(final)
    assert got == want, difference(want, got, final)
    assert alone == rounds
    assert len(want) > 20 and sum(want.values()) > 60
    assert_complete(final)


def assert_complete(final):
    for site in final["sites"]:
        assert site["truncated"] is None, site
        assert not any((f["symbol"] or "").startswith("[") for f in site["stack"]), site
    assert not lacking(final)


def test_a_stripped_vm_is_walked_by_its_own_probes(tmp_path):
    """Without symbols: that code and classes go is seen by the VM's USDT probes."""
    on = copy_jdk17(tmp_path / "jdk")
    subprocess.run(["objcopy", "--strip-all", on.libjvm, tmp_path / "stripped"], check=True)
    (tmp_path / "stripped").rename(on.libjvm)
    with Frames(on) as target:
        with Tracer(pids=[target.pid], interval="0.2") as tracer:
            tracer.wait_tracing()
            want = target.do("run 1")
            final = tracer.stop()[target.pid]
    got, _ = reported(final)
    assert got == want, difference(want, got, final)


# Nothing of these VMs can be probed but JNI functions: that a class goes is seen by the VM's own counter, and code is
# looked at anew by each walk.
BARE = ["17-stripped", "sid-8"]


@pytest.mark.parametrize("jvm_args", BARE_MODES, ids=lambda v: v[0].replace("-XX:", ""))
@pytest.mark.parametrize("kind", BARE)
def test_a_vm_without_symbols_and_probes_is_walked_by_its_counters(kind, jvm_args):
    with Frames(jdk(kind), COUNTERS, *jvm_args) as target:
        with Tracer("-v", pids=[target.pid], interval="0.2") as tracer:
            tracer.wait_tracing()
            want = target.do("run 3")
            final = tracer.stop()[target.pid]
    got, alone = reported(final)
    assert got == want, difference(want, got, final)
    assert alone == 3 and len(want) > 20 and sum(want.values()) > 60
    assert_no_losses(final)
    assert_complete(final)


@pytest.mark.parametrize("kind", BARE)
def test_a_vm_without_symbols_probes_and_counters_is_not_walked(kind):
    """A class that goes would lend its name to the next one at its address."""
    with Frames(jdk(kind), "-XX:-UsePerfData") as target:
        with Tracer("-v", pids=[target.pid], interval="0.2") as tracer:
            tracer.wait_tracing()
            target.do("run 1")
            final = tracer.stop()[target.pid]
    assert any("no way to see when a class is unloaded" in line for line in tracer.stderr)
    assert "no way to see when a class is unloaded" in final["stacks"]["no_java"]
    for site in final["sites"]:
        assert not java_frames(site)
        assert site["truncated"] in (None, "Java frames of this VM cannot be walked"), site
    assert lacking(final) == {"java_off": sum(s["acquired"] for s in final["sites"] if s["truncated"])}


def test_stacks_without_their_java_part_are_not_complete():
    """A Zero VM runs Java on native frames, which are walked to the thread's start."""
    with Frames(jdk("17-zero")) as target:
        with Tracer(pids=[target.pid], interval="0.2") as tracer:
            tracer.wait_tracing()
            target.do("run 1")
            final = tracer.stop()[target.pid]
        table = run_tool("-p", target.pid, "-d", "0.1").stdout
    assert final["stacks"]["no_java"] and final["stacks"]["no_java"] in " ".join(table.split()), table
    assert final["sites"] and not any(java_frames(site) for site in final["sites"])
    for site in final["sites"]:
        of_vm = any(frame["type"] == "vm" for frame in site["stack"])
        assert site["truncated"] == ("Java frames of this VM cannot be walked" if of_vm else None), site
    assert lacking(final) == {"java_off": sum(s["acquired"] for s in final["sites"] if s["truncated"])}


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_frames_are_shown_when_asked_for(kind):
    """The VM can be told to show them, too: then Java itself says which there are."""
    with Frames(jdk_of(kind), "-XX:+UnlockDiagnosticVMOptions", "-XX:+ShowHiddenFrames") as target:
        with Tracer("--hidden-frames", pids=[target.pid], interval="0.2") as tracer:
            tracer.wait_tracing()
            want = target.do("run 1")
            final = tracer.stop()[target.pid]
    got, _ = reported(final)
    assert got == want, difference(want, got, final)
    assert any("$$Lambda" in frame for stack in got for frame in stack)
    assert_no_losses(final)


STRESS_S = int(os.environ.get("JNITRACE_STRESS_S", 10))  # scripts/run-tests: 30
STRESS_LONG_S = 30
RECYCLED, RECYCLED_WITHIN_S = 100, 300


class CodePlaces:
    """What code the VM had at which address, looked at now and again."""

    def __init__(self, target):
        self.target, self.code = target, collections.defaultdict(set)

    def look(self):
        text = self.target.jdk.run("jcmd", str(self.target.pid), "Compiler.codelist")
        for compile_id, address in re.findall(r"^(\d+) .*\[0x\w+, (0x\w+) - 0x\w+\]$", text, re.M):
            self.code[address].add(compile_id)

    def recycled(self):
        """Addresses at which one method's code came after another's."""
        return sum(len(ids) > 1 for ids in self.code.values())


def churn(target, seconds, long):
    """Classes and code come and go; long: until code was seen to come where other was, however slow the machine is."""
    places, end = CodePlaces(target), time.monotonic() + RECYCLED_WITHIN_S
    while True:
        target.tell(f"churn {seconds} 6")
        while not target.answers_within(2):
            if long:
                places.look()
        stacks = target.answered()
        if not long or places.recycled() > RECYCLED:
            return stacks
        assert time.monotonic() < end, {a: sorted(ids) for a, ids in places.code.items()}
        seconds = 5


@pytest.mark.parametrize("kind", [*KINDS, *BARE])
def test_code_that_comes_and_goes_is_never_named_wrongly(kind):
    """Threads that make classes, have them compiled and drop them, in a code cache that is soon full."""
    seconds = STRESS_S if kind in KINDS else 10
    long = seconds >= STRESS_LONG_S  # else too short, and elsewhere too slow, for much code to come where other was
    with Frames(jdk_of(kind), COUNTERS, "-XX:ReservedCodeCacheSize=6m", "-Xmx96m") as target:
        with Tracer("--allow-loss", "--max-stacks", "500000" if long else "65536", pids=[target.pid], interval="0.1") as tracer:
            tracer.wait_tracing()
            want = churn(target, seconds, long)
            waited = tracer.waited()
            final = tracer.stop()[target.pid]
    got, _ = reported(final)
    unnamed = collections.Counter({s: n for s, n in got.items() if any(f.startswith("[") for f in s)})
    named = got - unnamed
    assert not named - want, difference(want, named, final)
    assert sum(got.values()) == sum(want.values())
    # to be named within 0.1 s, they need a tracer that gets its turn
    assert sum(named.values()) > 0.5 * sum(got.values()) or waited > 0.5, final["drops"]
    assert bool(unnamed) == bool(final["drops"]["java_unnamed"])
    lacks = lacking(final)
    assert lacks.keys() <= {"java_unnamed", "code_flushed", "table_not_loaded"}
    assert final["stacks"]["incomplete"] == sum(s["acquired"] for s in final["sites"] if "[" in str([f["symbol"] for f in s["stack"]])[1:])
    for site in final["sites"]:
        assert site["truncated"] is None, site
        for frame in site["stack"]:
            assert not (frame["symbol"] or "").startswith("[") or re.fullmatch(REASONS, frame["symbol"]), site


# Code or a class that is gone; the VM loads a library while the tracer is on.
REASONS = r"\[(unknown Java method|code flushed, compile id \d+|native frames missing: unwind table not yet loaded)\]"


class Unload(Program):
    """The fixture whose classes get each other's addresses."""

    def __init__(self, kind):
        super().__init__(jdk(kind), "Unload", "libframes.so", "-Xint", "-XX:+UseSerialGC", COUNTERS)
        assert self.answer() == "ready\n"

    def load(self, *numbers):
        self.tell(" ".join(map(str, numbers)))
        assert self.answer() == "done\n"


def moving(report):
    """{the method that made references: how many}, of the fixture's classes; one without a name has that of the reason."""
    calls = collections.Counter()
    for site in report["sites"]:
        java = [f["symbol"] for f in site["stack"] if f["type"] == "java"]
        if len(java) == 3:
            calls[java[1]] += site["acquired"]
    return calls


@pytest.mark.parametrize("kind", ["17", "sid-25", *BARE])
def test_an_unloaded_class_does_not_lend_its_name(kind):
    """Interpreted frames: each class keeps its own name and count."""
    with Unload(kind) as target:
        with Tracer(pids=[target.pid], interval="0.1") as tracer:
            tracer.wait_tracing()
            for i in range(1, 14):
                target.load(i)
                tracer.wait_report(lambda r: moving(r).get(f"Moving{i:04d}.run") == 7)  # named before it goes
            final = tracer.stop()[target.pid]
    assert moving(final) == {f"Moving{i:04d}.run": 7 for i in range(1, 14)}


@pytest.mark.parametrize("before", [[1], []], ids=["known", "unknown"])
@pytest.mark.parametrize("kind", ["17", "sid-25", *BARE])
def test_a_class_that_is_gone_before_it_is_named_has_no_name(kind, before):
    """Nor that of the class which has its place by then, even if the same was there before, too."""
    with Unload(kind) as target:
        with Tracer("--allow-loss", pids=[target.pid], interval="0.1") as tracer:
            tracer.wait_tracing()
            for i in before:
                target.load(i)
                tracer.wait_report(lambda r: moving(r))
            tracer.proc.send_signal(signal.SIGSTOP)
            target.load(*range(2, 14), 1)
            tracer.proc.send_signal(signal.SIGCONT)
            tracer.wait_report(lambda r: sum(moving(r).values()) == (len(before) + 13) * 7)
            final = tracer.stop()[target.pid]
    assert moving(final) == {"Moving0001.run": len([*before, 1]) * 7, "[unknown Java method]": 12 * 7}
    assert lacking(final)["java_unnamed"] >= 12 * 7 and final["drops"]["java_unnamed"] > 0


@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_a_method_that_could_not_be_named_once_is_named_later(kind):
    """Though each time a class is unloaded before its frames are named, as where an agent redefines classes."""
    with Unload(kind) as target:
        with Tracer("--allow-loss", pids=[target.pid], interval="0.1") as tracer:
            tracer.wait_tracing()
            for i in 2, 3:
                tracer.proc.send_signal(signal.SIGSTOP)
                target.load(i, 0)
                tracer.proc.send_signal(signal.SIGCONT)
                tracer.wait_report(lambda r, n=i - 1: sum(moving(r).values()) == n * 7)
            final = tracer.stop()[target.pid]
    assert moving(final) == {"[unknown Java method]": 2 * 7}
    callers = collections.Counter()
    for site in final["sites"]:
        java = [f["symbol"] for f in site["stack"] if f["type"] == "java"]
        if len(java) == 3:
            callers[java[2]] += site["acquired"]
    assert callers == {"[unknown Java method]": 7, "Unload.main": 7}


METHODS, LINES = 2500, 8


def many_calls(folder):
    """A class that calls mark() from METHODS * LINES different lines, and {"Many.method": its first line}."""
    text, at = ["public class Many {", "static native void mark();"], {}
    for m in range(METHODS):
        text.append(f"static void m{m}() {{")
        at[f"Many.m{m}"] = len(text) + 1
        text += ["mark();"] * LINES + ["}"]
    text += ["static void all() {", *(f"m{m}();" for m in range(METHODS)), "}"]
    text += ["public static void main(String[] a) throws Exception { System.load(a[0]);",
             "System.out.println(\"ready\"); System.in.read(); all(); System.out.println(\"done\"); System.in.read(); }", "}"]
    source = folder / "Many.java"
    source.write_text("\n".join(text))
    jdk("17").run("javac", "-d", str(folder), str(source))
    return at


@pytest.mark.parametrize("mode", ["-Xint", "-Xcomp"])
def test_twenty_thousand_frames_are_named_in_time(mode, tmp_path):
    """While the tracer is stopped the program does all its calls: what it does then is to name them."""
    first_line = many_calls(tmp_path)
    with Program(jdk("17"), "Many", "libframes.so", mode, "-XX:TieredStopAtLevel=1", "-XX:-Inline", jars=f":{tmp_path}") as target:
        assert target.answer() == "ready\n"
        with Tracer("--max-stacks", "65536", pids=[target.pid], interval="60", record=False) as tracer:
            tracer.wait_tracing()
            tracer.proc.send_signal(signal.SIGSTOP)
            target.tell("")
            assert target.answer() == "done\n"
            before_s = cpu_s(tracer.proc.pid)
            tracer.proc.send_signal(signal.SIGCONT)
            time.sleep(0.2)
            while is_busy(tracer.proc.pid):
                pass
            took_s = cpu_s(tracer.proc.pid) - before_s
            final = tracer.stop()[target.pid]
    calls = collections.Counter()
    for site in final["sites"]:
        [frame] = [f for f in site["stack"] if (f["symbol"] or "").startswith("Many.m") and f["symbol"] in first_line]
        calls[frame["symbol"], frame["line"] - first_line[frame["symbol"]]] += site["acquired"]
    assert calls == {(f"Many.m{m}", line): 1 for m in range(METHODS) for line in range(LINES)}
    assert_no_losses(final)
    assert took_s < NAMED_S, took_s


NAMED_S = 6.0  # half a second on an idle machine; each frame asked for alone would be minutes


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_busy(pid):
    """Does it use the CPU now?"""
    before = cpu_s(pid)
    time.sleep(0.3)
    return cpu_s(pid) - before > 0.05


REDEFINE = """
import java.io.*;
import java.lang.instrument.*;
import java.nio.file.*;
public class Redefine {
    static Instrumentation instrumentation;
    public static void premain(String arguments, Instrumentation i) { instrumentation = i; }
    public static void main(String[] args) throws Exception {
        System.load(args[0]);
        System.out.println("ready");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; System.out.println("done"))
            for (int round = Integer.parseInt(line.split(" ")[0]); round > 0; round--) {
                for (int i = 0; i < 7; i++) Moved.first();
                for (int i = 0; i < 11; i++) Moved.second();
                Thread.sleep(Integer.parseInt(line.split(" ")[1]));
                byte[] code = Files.readAllBytes(Paths.get("@", round % 2 == 0 ? "b" : "a", "Moved.class"));
                instrumentation.redefineClasses(new ClassDefinition(Moved.class, code));
                System.gc(); // what nobody runs is freed
            }
    }
}"""


def redefining(folder):
    """A class is redefined by one with its methods in another order, and back: they get each other's addresses."""
    (folder / "Many.java").write_text("public class Many { static native void mark(); }")
    (folder / "Redefine.java").write_text(REDEFINE.replace("@", str(folder)))
    for name, methods in {"b": ("second", "first"), "a": ("first", "second")}.items():
        (folder / name).mkdir()
        bodies = "".join(f"public static void {m}() {{ Many.mark(); }} " for m in methods)
        (folder / name / "Moved.java").write_text(f"public class Moved {{ {bodies} }}")
        jdk("17").run("javac", "-cp", str(folder), "-sourcepath", str(folder), "-d", str(folder / name), str(folder / name / "Moved.java"))
    jdk("17").run("javac", "-cp", f"{folder}:{folder}/a", "-d", str(folder), str(folder / "Redefine.java"), str(folder / "Many.java"))
    with zipfile.ZipFile(folder / "agent.jar", "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Premain-Class: Redefine\nCan-Redefine-Classes: true\n")
    return Program(jdk("17"), "Redefine", "libframes.so", "-Xint", "-XX:+UseSerialGC", f"-javaagent:{folder}/agent.jar",
                   jars=f":{folder}:{folder}/a")


@pytest.mark.parametrize("rounds, pause_ms", [(6, 400), (40, 0)], ids=["named", "gone"])
def test_a_redefined_class_does_not_lend_its_methods_names(rounds, pause_ms, tmp_path):
    """Each method keeps its own name and count, or has none when it is gone before it is named."""
    with redefining(tmp_path) as target:
        assert target.answer() == "ready\n"
        with Tracer("--allow-loss", pids=[target.pid], interval="0.1") as tracer:
            tracer.wait_tracing()
            target.tell(f"{rounds} {pause_ms}")
            assert target.answer() == "done\n"
            final = tracer.stop()[target.pid]
    calls = collections.Counter()
    for site in final["sites"]:
        java = [f["symbol"] for f in site["stack"] if f["type"] == "java"]
        if len(java) == 3:
            calls[java[1]] += site["acquired"]
    want = {"Moved.first": 7 * rounds, "Moved.second": 11 * rounds}
    unnamed = calls.pop("[unknown Java method]", 0)
    assert calls == want if pause_ms else calls.keys() <= want.keys() and all(calls[m] <= want[m] for m in calls), calls
    assert unnamed + sum(calls.values()) == sum(want.values())


NAMELESS = "[unknown Java method]"


@pytest.fixture(name="compiled", scope="module", params=["17", "sid-25"])
def _compiled(request):
    """The last report of javac in its first second, when it loads and compiles more code than most programs ever do."""
    with Program(jdk(request.param), "Compiles", "", "-XX:MetaspaceSize=512m") as javac:  # or the collector unloads code
        assert javac.answer() == "ready\n"
        with Tracer("-e", "all", pids=[javac.pid]) as tracer:
            tracer.wait_tracing()
            javac.tell("go")
            assert javac.answer() == "0\n"
            tracer.wait_report(lambda r: r["calls"]["NewStringUTF"] and not r["sites_pending"], 3 * SLOW)
            yield tracer.stop()[javac.pid]


def test_javac_at_its_start(compiled):
    """Each Java frame has its name; what else is missing says why: libraries that were loaded then, code thrown away since."""
    assert_no_losses(compiled)
    frames = [f for s in compiled["sites"] for f in s["stack"] if f["type"] == "java"]
    assert len(frames) > 10000 and len({f["symbol"] for f in frames}) > 300, len(frames)
    assert not [f for f in frames if f["symbol"] == NAMELESS]
    assert compiled["stacks"]["reasons"]["java_unnamed"] == 0
    assert set(lacking(compiled)) <= {"table_not_loaded", "no_unwind_table", "code_flushed"}, lacking(compiled)


def test_natives_that_are_the_vms_own(compiled):
    """Class.getSuperclass is the JNI function itself, which no library calls: its row is that of libjvm.so, and none is unknown."""
    def is_java(frame):
        return frame["type"] == "java"

    own = [s for s in compiled["sites"] if is_java(next(f for f in s["stack"] if f["type"] != "vm"))]
    assert "java.lang.Class.getSuperclass" in {s["stack"][0]["symbol"] for s in own}
    rows = {row["module"]: row for row in compiled["libraries"]}
    assert None not in rows
    assert rows["libjvm.so"]["sites"] == len(own) and rows["libjvm.so"]["path"] == compiled["target"]["library"]
    assert rows["libjvm.so"]["build_id"] == compiled["target"]["build_id"]
    assert sum(row["sites"] for row in rows.values()) == len(compiled["sites"])
