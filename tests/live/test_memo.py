# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A stack that is remembered is the one a walk would find: the tool walks all the same, and compares."""

import os
import re
import subprocess

import pytest

import harness
from harness import ENV, SLOW, Tracer, jdk, read_line

MS = int(os.environ.get("JNITRACE_MEMO_MS", 3000))  # more for a long run by hand
SMALL = ["-XX:+UseSerialGC", "-XX:ReservedCodeCacheSize=6m", "-Xmx96m"]  # so that code and classes go soon
COMPILED = [*SMALL, "-Xcomp", "-XX:TieredStopAtLevel=1"]


class Memo:
    """The fixture that makes stacks which are easily taken for each other; how many, it says itself."""

    def __init__(self, on, *jvm_args):
        fixtures = on.fixtures()
        argv = on.java(*jvm_args, "-cp", str(fixtures), "Memo", *(str(fixtures / f"lib{name}.so") for name in ("memo", "hidden")))
        self.proc = subprocess.Popen(argv, bufsize=0, env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        assert read_line(self.proc.stdout) == "0\n"
        self.pid = self.proc.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proc.kill()
        self.proc.wait()
        self.proc.stdin.close()
        self.proc.stdout.close()

    def run(self, work, ms):
        """Pairs made since the start."""
        self.proc.stdin.write(f"{work} {ms}\n".encode())
        return int(read_line(self.proc.stdout, SLOW + ms / 1000))


def walks(tracer):
    """Stacks walked, and of these found in the memo, too."""
    [(walked, found)] = re.findall(r"stacks: (\d+) walked(?:, (\d+) of them)?", "".join(tracer.stderr))
    return int(walked), int(found or 0)


def traced(kind, jvm_args, work="all", ms=MS):
    """Pairs the target made, the final report, walks, and hits that were held against a walk."""
    with Memo(jdk(kind), *jvm_args) as target:
        # Classes that go before they can be named are a loss: not this test's.
        with Tracer("-vv", "--memo", "check", "--allow-loss", "--max-stacks", "500000", pids=[target.pid], interval="0.1") as tracer:
            tracer.wait_tracing()
            pairs = target.run(work, ms)
            return pairs, tracer.stop()[target.pid], *walks(tracer)


MODES = {"17": ("17", SMALL), "sid-25": ("sid-25", SMALL), "G1": ("17", []), "Xint": ("17", ["-Xint", "-XX:+UseSerialGC"]),
         # no interpreted frame, whose meaning depends on classes: only the code's
         "17-code": ("17", COMPILED, "unload"), "25-code": ("sid-25", COMPILED, "unload"),
         # where nothing but the thread's anchor tells two methods apart
         "17-hidden": ("17", COMPILED, "hidden"), "25-hidden": ("sid-25", COMPILED, "hidden")}


@pytest.mark.parametrize("mode", MODES)
def test_what_is_remembered_is_what_a_walk_finds(mode):
    pairs, final, walked, found = traced(*MODES[mode])
    print(f"{mode}: {pairs} pairs, {walked} walks, {found} of them held against the memo")
    assert {d: n for d, n in final["drops"].items() if n and d != "java_unnamed"} == {}
    family = final["families"]["global"]
    assert family["acquired"] == family["released"] + family["outstanding"] >= pairs
    assert walked >= found > pairs / 3


@pytest.mark.parametrize("mutant, mode", [
    ("slot", "G1"), ("anchor", "17-hidden"), ("anchor", "25-hidden"), ("generation", "17-code"), ("generation", "25-code"),
    ("unloads", "Xint")])
def test_a_wrong_memo_is_seen(monkeypatch, mutant, mode):
    """The test above sees a memo that compares one word or the anchor less, or does not know when code or classes went."""
    monkeypatch.setattr(harness, "JNITRACE", harness.TOOL_BUILD / "mutants" / mutant / "jnitrace")
    _, final, walked, found = traced(*MODES[mode])
    print(f"{mutant}: {final['drops']['memo_wrong']} of {found} wrong, {walked} walks")
    assert final["drops"]["memo_wrong"] > 0


LISTS = """
use DynaLoader; $| = 1; print "0\\n";
while (my $n = <STDIN>) {
    for (1 .. $n) { opendir(my $d, $ARGV[1]); closedir($d); }
    DynaLoader::dl_unload_file(DynaLoader::dl_load_file($ARGV[0], 0));
    print "0\\n";
}
"""


def test_a_library_that_is_there_for_a_moment_does_not_end_it(tmp_path):
    """The mappings are as before when they are looked at; what was known before is believed no more, and is known anew."""
    argv = ["/usr/bin/perl", "-e", LISTS, harness.FIXTURES / "libleaf.so", tmp_path]
    with subprocess.Popen(argv, bufsize=0, env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as target:
        assert read_line(target.stdout) == "0\n"
        with Tracer("-vv", "--pairs", "dir", "--memo", "on", pids=[target.pid]) as tracer:
            tracer.wait_tracing()
            for n in (307, 2003, 2011):
                target.stdin.write(f"{n}\n".encode())
                assert read_line(target.stdout) == "0\n"
                tracer.wait_looks(3)
            report = tracer.stop()[target.pid]
            walked, _ = walks(tracer)
        target.stdin.close()
    assert report["calls"]["opendir"] == report["calls"]["closedir"] == 307 + 2003 + 2011
    assert walked < 300, walked
