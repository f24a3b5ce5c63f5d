# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Native frames as walked equal what the C library's own unwinder says at the same place."""

import re
import signal
import subprocess
from pathlib import Path

import pytest

from uretprobes import uretprobes
from harness import ENV, Program, Tracer, assert_no_losses, jdk, lacking

KINDS = ("chain", "alloca", "large", "realigned", "exception", "libc", "signal", "altstack", "thread", "java", "function",
         "rust", "closure")


class Native(Program):
    """A JVM with the fixture that makes references at the end of native stacks of every kind."""

    def __init__(self, on, main="Native", **kw):
        super().__init__(on, main, "libnative.so", **kw)
        assert self.answer() == "ready\n"

    def run(self, kind, count):
        """[(library, offset)], innermost first, up to Java."""
        self.tell(f"{kind} {count}")
        said = self.answer().split()
        assert said and said[0] in (kind, "chain"), said
        return frames_of(said[1:])


def frames_of(words):
    """Those up to Java."""
    frames = [(name, int(offset, 16)) for name, offset in (word.rsplit("+", 1) for word in words)]
    return frames[:next((i for i, f in enumerate(frames) if f[0] == "?"), len(frames))]


def native_part(stack):
    """[(library, offset)] of the frames up to Java; inlined ones are no frames."""
    frames = []
    for frame in stack:
        if frame["type"] not in ("native", "vm") or not frame["module"]:
            break
        if not frame["inlined"]:
            frames.append((frame["module"], int(frame["offset"], 16)))
    return frames


def site_of(report, count):
    [site] = [s for s in report["sites"] if s["function"] == "NewGlobalRef" and s["acquired"] == count]
    return site


@pytest.mark.asan
@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_stacks_of_every_kind(kind):
    with Native(jdk(kind)) as native:
        native.run("rust", 1)  # loads its library
        with Tracer(pids=[native.pid]) as tracer:
            tracer.wait_tracing()
            said = {101 + i: (k, native.run(k, 101 + i)) for i, k in enumerate(KINDS)}
            final = tracer.stop()[native.pid]
    for count, (k, want) in said.items():
        site = site_of(final, count)
        got = native_part(site["stack"])
        # The first frame is the same function, at another call.
        assert got[0][0] == want[0][0] == "libnative.so", k
        assert got[1:] == want[1:], k
        assert len(got) >= 6, k
        if k == "rust":
            names = [f["symbol"] for f in site["stack"] if f["module"] == "librusty.so" and not f["inlined"]]
            assert names[1:] == ["rusty::from_destructor", "rusty::apply", "rusty::with_closure"] + \
                ["<rusty::Wide<_> as rusty::Step>::down"] * 5 + ["rust_run"], names
        assert site["truncated"] is None and not any((f["symbol"] or "").startswith("[") for f in site["stack"]), (k, site)
        assert k == "thread" or "Native.main" in [f["symbol"] for f in site["stack"]], (k, site)
    assert_no_losses(final)


@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_returns_that_another_tracer_probes(kind):
    """The kernel puts its own address in the place of theirs: in a caller's, in calls that nest, in the JNI function's own."""
    down = [f"_ZN12_GLOBAL__N_15chainILi{i}EE4downERNS_4workEiii" for i in range(6)]
    library = f"{jdk(kind).root or ''}{jdk(kind).fixtures()}/libnative.so"
    probed = [[], ["Java_Native_run"], down, ["Java_Native_run", *down]]
    with Native(jdk(kind)) as native:
        with Tracer(pids=[native.pid]) as tracer:
            tracer.wait_tracing()
            want = native.run("chain", 101)
            for i, names in enumerate(probed):
                with uretprobes(native.pid, library, *names):
                    native.tell(f"chain {103 + i}")
                    native.answer()
            with uretprobes(native.pid, jdk(kind).libjvm, "jni_NewGlobalRef"):
                native.tell("chain 109")
                native.answer()
            final = tracer.stop()[native.pid]
    site = site_of(final, 101 + sum(range(103, 107)) + 109)  # all stacks are one
    assert native_part(site["stack"])[1:] == want[1:] and site["truncated"] is None, site
    assert_no_losses(final)


def test_tables_are_ready_before_the_first_call_counts():
    """Of libraries that were mapped before, however long their tables take: a stack without one would be our fault."""
    many = [f"{jdk('17').fixtures()}/libmany{i}.so" for i in (1, 2)]
    with Native(jdk("17"), env={"LD_PRELOAD": ":".join(many)}) as native:
        with Tracer("-vv", pids=[native.pid]) as tracer:
            tracer.wait_tracing()
            tracer.stop()
    [(made, of)] = re.findall(r"unwind tables of (\d+) of (\d+) libraries", "".join(tracer.stderr))
    assert made == of and int(of) > len(many)


def test_libraries_loaded_later():
    """Their first stacks say that they are incomplete, and why; the later ones are complete."""
    with Native(jdk("17")) as native:
        native.run("bare", 1)
        with Tracer(pids=[native.pid], interval="0.2") as tracer:
            tracer.wait_tracing()
            tracer.proc.send_signal(signal.SIGSTOP)  # or it might be quick enough
            native.run("bare-fp", 101)
            tracer.proc.send_signal(signal.SIGCONT)
            tracer.wait_report(lambda r: r["sites"])
            tracer.wait_looks()
            native.run("bare-fp", 107)
            native.run("bare", 109)
            final = tracer.stop()[native.pid]
    whole = [f["symbol"] for f in site_of(final, 107)["stack"] if not f["inlined"]]
    assert whole.count("bare_down") == 4, "frames proven by the functions' first instructions"
    assert "Java_Native_run" in whole and "Native.main" in str(whole)
    for count in (101, 109):
        stack = site_of(final, count)["stack"]
        assert [f["symbol"] for f in stack].count("bare_down") == 1, "nobody can know the caller"
        assert "Java_Native_run" not in str(stack)
    gaps = {count: [f["symbol"] for f in site_of(final, count)["stack"] if (f["symbol"] or "").startswith("[")] for count in (101, 109)}
    assert gaps == {101: ["[native frames missing: unwind table not yet loaded]"],
                    109: ["[native frames missing: code without unwind table]"]}
    assert lacking(final) == {"table_not_loaded": 101, "no_unwind_table": 109}
    assert (final["stacks"]["incomplete"], final["stacks"]["incomplete_sites"]) == (210, 2)


CLOSED = "libraries were being unloaded"


def test_a_library_in_the_place_of_another():
    """Its frames are never walked, nor named, as the other's, however late the tracer looks."""
    with Native(jdk("17")) as native:
        native.run("plug1", 1)
        with Tracer(pids=[native.pid], interval="0.2") as tracer:
            tracer.wait_tracing()
            said = {101: native.run("plug1", 101)}
            tracer.proc.send_signal(signal.SIGSTOP)
            said |= {count: native.run(kind, count) for kind, count in (("plug2", 103), ("plug1", 107), ("plug2", 109))}
            tracer.proc.send_signal(signal.SIGCONT)
            tracer.wait_report(lambda r: CLOSED in str(r["sites"]))
            said[113] = native.run("plug2", 113)
            final = tracer.stop()[native.pid]
    for count in (101, 113):
        site = site_of(final, count)
        got = native_part(site["stack"])
        assert got[1:] == said[count][1:] and len(got) > 6, (count, site)
        assert site["truncated"] is None, site
        plugs = {f["symbol"] for f in site["stack"] if (f["symbol"] or "").startswith("plug")}
        assert plugs == {"plug1_down" if count == 101 else "plug2_down", "plug_run"}, site
    [unsure] = [s for s in final["sites"] if s["acquired"] == 103 + 107 + 109]
    assert [f["symbol"] for f in unsure["stack"]][:2] == [f"[native frames missing: {CLOSED}]", "Native.run"], unsure
    assert not native_part(unsure["stack"])
    assert lacking(final) == {"library_closed": 103 + 107 + 109} and final["stacks"]["incomplete_sites"] == 1
    assert_no_losses(final)


def test_behind_a_callback_through_jna():
    """Two native parts with Java between: the outer one goes through libffi's code, both ways."""
    with Native(jdk("17"), main="Jna", jars=":/usr/share/java/jna.jar") as native:
        with Tracer(pids=[native.pid]) as tracer:
            tracer.wait_tracing()
            native.tell("jna 101")
            said = [frames_of(part.split()) for part in native.answer().removeprefix("chain").split("/")]
            final = tracer.stop()[native.pid]
    site = site_of(final, 101)
    assert site["truncated"] is None and not any(f["symbol"].startswith("[") for f in site["stack"] if f["symbol"]), site
    parts, java = [], []
    for frame in site["stack"]:
        of_java = frame["type"] == "java"
        if not parts or of_java != java[-1]:
            parts.append([])
            java.append(of_java)
        if not frame["inlined"]:
            parts[-1].append(frame)
    # The callback is called by reflection: a native part of the VM's more.
    assert java == [False, True] * 3 + [False], site
    below, callback, _, _, between, caller, _ = ([(f["module"], int(f["offset"], 16)) if f["module"] else f["symbol"] for f in p]
                                                 for p in parts)
    assert below[1:] == said[0][1:] and callback[:2] == ["Native.run", "Jna.down"], site
    # The C function itself is at another call.
    assert between[-len(said[1]) + 1:] == said[1][1:], (between, said[1])
    libraries = [name for i, (name, _) in enumerate(between) if not i or between[i - 1][0] != name]
    assert [name.split(".so")[0] for name in libraries] == ["libjvm", "libjnidispatch.system", "libffi", "libnative", "libffi",
                                                            "libjnidispatch.system"], libraries
    assert caller[-1] == "Jna.main", caller
    assert_no_losses(final)


def gdb_frames(pid):
    """[(library, offset)] of the thread that runs main(), innermost first, as gdb sees it."""
    maps = [line.split(None, 5) for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    base = {}
    for where, _, offset, _, _, *path in maps:
        if path and int(offset, 16) == 0:
            base.setdefault(path[0], int(where.split("-")[0], 16))
    said = subprocess.run(["gdb", "-q", "-batch", "-nx", "-ex", "set auto-load no", "-p", str(pid), "-ex", "thread apply all bt 24"],
                          capture_output=True, text=True, timeout=60, check=True, env=ENV, stdin=subprocess.DEVNULL).stdout
    [thread] = [t for t in re.split(r"^Thread \d+ ", said, flags=re.M) if "chain<6>::down" in t]
    frames = []
    for address in re.findall(r"^#\d+ +0x([0-9a-f]+) in ", thread, re.M):
        pc = int(address, 16)
        path = next((p[0] for where, _, _, _, _, *p in maps
                     if p and int(where.split("-")[0], 16) <= pc < int(where.split("-")[1], 16)), None)
        frames.append((Path(path).name, pc - base[path]) if path in base else ("?", pc))
    return frames


def test_what_jstack_and_gdb_say():
    """Of a thread that stays in the native call that made the references."""
    with Native(jdk("17")) as native:
        with Tracer(pids=[native.pid]) as tracer:
            tracer.wait_tracing()
            native.tell("stay-java 101")
            tracer.wait_report(lambda r: r["sites"])
            dump = jdk("17").run("jstack", str(native.pid))
            frames = gdb_frames(native.pid)
            native.tell("chain 1")
            assert native.answer().startswith("stay ")
            final = tracer.stop()[native.pid]
    stack = site_of(final, 101)["stack"]
    [main] = [t for t in dump.split("\n\n") if t.startswith('"main"')]
    said = re.findall(r"^\tat (\S+)\((?:([^:()\n]+):(\d+)|Native Method)\)", main, re.M)
    java = [f for f in stack if f["type"] == "java"]
    assert [(f["symbol"], f["line"] or "") for f in java] == [(name, int(line) if line else "") for name, _, line in said]
    assert [name for name, _, _ in said] == ["Native.run", "Native.again", "Native.run", "Native.main"], main
    mine = native_part(stack)
    at = frames.index(mine[1])
    assert len(mine) > 6 and frames[at:at + len(mine) - 1] == mine[1:], (frames, mine)


def test_a_library_written_anew_under_its_name():
    """The same file at the same address, with other contents, while the tracer does not look."""
    fixtures = jdk("17").fixtures()
    plug = fixtures / "libplug.so"
    plug.write_bytes((fixtures / "libplug1.so").read_bytes())
    try:
        with Native(jdk("17")) as native:
            native.run("plug", 1)
            with Tracer(pids=[native.pid], interval="0.2") as tracer:
                tracer.wait_tracing()
                said = {101: native.run("plug", 101)}
                tracer.wait_report(lambda r: r["sites"])
                tracer.proc.send_signal(signal.SIGSTOP)
                native.run("plug1", 103)
                inode = plug.stat().st_ino
                with plug.open("r+b") as file:
                    file.write((fixtures / "libplug2.so").read_bytes())
                assert plug.stat().st_ino == inode
                native.run("plug", 107)
                tracer.proc.send_signal(signal.SIGCONT)
                tracer.wait_report(lambda r: CLOSED in str(r["sites"]))
                said[113] = native.run("plug", 113)
                final = tracer.stop()[native.pid]
    finally:
        plug.unlink()
    for count, name in ((101, "plug1_down"), (113, "plug2_down")):
        site = site_of(final, count)
        assert site["truncated"] is None and native_part(site["stack"])[1:] == said[count][1:], (count, site)
        assert {f["symbol"] for f in site["stack"] if f["module"] == "libplug.so"} == {name, "plug_run"}, site
    assert_no_losses(final)
