# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""--pair and --pairs in a JVM: exact numbers, and each stack goes on through Java, to where the thread began."""

import collections
import json

import pytest

from harness import Program, Tracer, assert_no_losses, jdk
from test_pairs import numbers

# By how: memory, files of zlib's, both and references; primes, of which half go again, rounded down.
WORK = {"thread": {"memory": 13, "files": 29, "all": 17}, "plain": {"memory": 101, "files": 41, "all": 7}, "up": {"memory": 53, "files": 23, "all": 11}}
MADE_BY = {"memory": ("malloc", ("memory", "all")), "files": ("zlib-file", ("files", "all")), "references": ("global", ("all",))}
BLOCKS = 2  # of memory that an open file has


def kept(numbers):
    return sum(numbers), sum(n // 2 for n in numbers)


def java_frames(site):
    """Innermost first, as the program says them itself: native methods have no line, and what the compiler made of a lambda is hidden."""
    return tuple((f["symbol"], f["line"]) for f in site["stack"] if f["type"] == "java" and f["line"] and "$$" not in f["symbol"])


@pytest.mark.parametrize("kind, flags", [("17", ()), ("17", ("-Xint",)), ("sid-21", ()), ("sid-25", ("-XX:-TieredCompilation",))])
def test_stacks_go_on_through_java(kind, flags):
    """First in threads that no call has told of before, from the middle of a library that has no JNIEnv in a register any more."""
    said = {}
    with Program(jdk(kind), "Borders", "libborders.so", *flags) as program:
        program.answer()
        with Tracer("--pairs", "malloc,zlib", "-e", "global", pids=[program.pid]) as tracer:
            tracer.wait_tracing()
            for how, work in WORK.items():
                for what, n in work.items():
                    program.tell(f"{how} {what} {n}")
                    frames = json.loads(program.answer())["stack"]
                    said.setdefault(how, tuple((name, line) for name, line in frames if line > 0))
            tracer.wait_report(lambda r: r["calls"].get("NewGlobalRef") and not r["sites_pending"])
            report = tracer.stop()[program.pid]
    assert_no_losses(report)
    assert report["findings"] == []
    found = collections.Counter()
    for site in report["sites"]:
        makers = [f["symbol"] for f in site["stack"] if f["symbol"] in MADE_BY]
        if makers:
            assert site["truncated"] is None and site["stack"][-1]["type"] == "native", site
            found[makers[0], site["family"], java_frames(site), "acquired"] += site["acquired"]
            found[makers[0], site["family"], java_frames(site), "released"] += site["released"]
    wanted = {}
    for how, work in WORK.items():
        for maker, (family, commands) in MADE_BY.items():
            acquired, released = kept([work[command] for command in commands])
            wanted[maker, family, said[how], "acquired"], wanted[maker, family, said[how], "released"] = acquired, released
            if maker == "files":
                wanted[maker, "malloc", said[how], "acquired"] = BLOCKS * acquired
                wanted[maker, "malloc", said[how], "released"] = BLOCKS * released
    assert found == wanted


def frame_of(name, stack):
    """The innermost one of a class."""
    return next((f["symbol"], f["line"]) for f in stack if f["symbol"].startswith(f"{name}."))


MEMORY, TWIN, CALLBACKS, LIBRARIES = 29, 53, 13, 7


def test_what_jna_holds():
    """Debian's JNA: what is kept by the line that made it, what is closed not, and a double free before it is the end of the process."""
    with Program(jdk("17"), "Handles", "-", jars=":/usr/share/java/jna.jar") as program:
        assert program.answer() == "ready\n"
        with Tracer("--pairs", "jna", pids=[program.pid]) as tracer:
            tracer.wait_tracing()
            line = {}
            for what, n in (("leak", MEMORY), ("twin", TWIN), ("callbacks", CALLBACKS), ("libraries", LIBRARIES), ("twice", 24)):
                program.tell(f"{what} {n}")
                line[what] = int(program.answer())
            assert int(program.answer()) == line["twice"]
            report = tracer.stop()[program.pid]  # which may have ended by then
    assert_no_losses(report)
    assert numbers(report) == {"jna": (MEMORY + TWIN + 1, TWIN + 1, MEMORY, 1), "jna-callback": (CALLBACKS, 0, CALLBACKS, 0),
                               "jna-library": (LIBRARIES, LIBRARIES, 0, 0)}
    held = {(s["family"], *frame_of("Handles", s["stack"])): (s["outstanding"], s["outstanding_bytes"]) for s in report["sites"] if s["outstanding"]}
    assert held == {("jna", "Handles.leak", line["leak"]): (MEMORY, 24 * MEMORY),
                    ("jna-callback", "Handles.callbacks", line["callbacks"]): (CALLBACKS, None)}
    [finding] = report["findings"]
    assert (finding["kind"], finding["count"]) == ("double-release", 1), finding
    assert frame_of("Handles", finding["stack"]) == frame_of("Handles", finding["release_stack"]) == ("Handles.twice", line["twice"]), finding
    assert frame_of("Handles", finding["acquire_stack"])[0] == "Handles.twice", finding
