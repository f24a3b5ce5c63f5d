# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Every call of the tool that may fail does so once, in turn: allocations, system calls, reads of the target.

fixtures/faults/faults.c says which there are, and lets one fail: the first call of a place, or the first after all the
work was done, when only reading is left, so that what is not read then is missing in the last report. What is asked of
every run: numbers that the oracle's are, or a loss by its name, or an error and its reason; and an end.
JNITRACE_FAULT_DEPTH=3 tells calls apart by more of the functions above them, and lets all kinds fail late, and more
commands, which takes the longer (make faults).
"""

import json
import os
import re
import signal
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import pytest

from harness import ENV, FIXTURES, JNITRACE, NEW, SLOW, WARM_UP, Expected, Oracle, Tracer, by_caller, jdk, wait_until

WORK = ("run 2 101 7 5 3", "nulls 3", "sites 5")
CODES = range(8)
ENDS_S = SLOW  # what hangs; a busy machine takes 20 s to verify the programs
DEPTH = os.environ.get("JNITRACE_FAULT_DEPTH", "1")
THOROUGH = DEPTH != "1"
WORKERS = 2


class Place:
    """Where the tool makes a call, and whether it does after the work, too."""

    def __init__(self, line):
        self.name, calls, late = line.rsplit(" ", 2)
        self.late = int(late) > 0
        self.kind = self.name.split()[0]

    def described(self):
        """With the functions of the tool by name."""
        offsets = re.findall(rf"{JNITRACE.name}\+(0x[0-9a-f]+)", self.name)
        names = subprocess.run(["addr2line", "-sfe", str(JNITRACE), *(hex(int(o, 16) - 1) for o in offsets)],
                               capture_output=True, text=True)
        return f"{self.name} ({' <- '.join(names.stdout.split())})"


def shim(folder, place, late):
    """The environment in which that place fails; None: in which places are listed."""
    env = {"LD_PRELOAD": str(FIXTURES / "libfaults.so"), "JNITRACE_FAULT_DEPTH": DEPTH, "JNITRACE_FAULT_DONE": str(folder / "done")}
    if place:
        env["JNITRACE_FAULT"] = place.name
    else:
        env["JNITRACE_FAULT_LIST"] = str(folder / "places")
    if late or not place:
        env["JNITRACE_FAULT_ARM"] = str(folder / "armed")
    for name in ("done", "armed"):
        (folder / name).unlink(missing_ok=True)
    return env


def unreasonable_end(code, stderr):
    """What is wrong with an end without a result; None: nothing."""
    if code not in CODES:
        return f"ended with {code}"
    return None if re.search(r"^jnitrace: .+: .+", stderr, re.M) else f"exit code {code} without a reason"


class Top:
    """What is traced while the work is done."""

    def __init__(self, *args):
        self.args = args

    def run(self, oracle, folder, place, late):
        """exit code or what it did instead, stderr, final report, what to expect"""
        prefix = ["env", *(f"{k}={v}" for k, v in shim(folder, place, late).items())]
        with Tracer(*self.args, pids=[oracle.pid], prefix=prefix, interval="0.2") as tracer:
            before = oracle.now
            assert tracer.tracing.wait(ENDS_S), "neither traces nor ends"
            after = oracle.do(*WORK)
            (folder / "armed").touch()
            if tracer.proc.poll() is None:
                tracer.proc.terminate()
            try:
                code = tracer._collect(ENDS_S)
            except subprocess.TimeoutExpired:
                return "hangs", tracer.stderr, None, None
            finals = [r for r in tracer.reports() if r["final"]]
            return code, "".join(tracer.stderr), finals[0] if finals else None, Expected(before, after)

    def verdict(self, place, code, stderr, final, want):
        """What is wrong with this end; None: nothing."""
        if place and code == -signal.SIGTERM and "wait_for_signals" in place.described():
            return None  # it could not pass on what this test sent, and obeyed as any program does
        if place and code == -signal.SIGTERM and re.search(r"^jnitrace: .+: .+", stderr, re.M):
            return None  # it had said why it ends, and was on its way when what this test sent came
        if code not in (0, 5):
            return unreasonable_end(code, stderr)
        if not final:
            return f"exit code {code} without a report"
        if any(final["drops"].values()):
            return None if code == 5 else "losses, and exit code 0"
        if code == 5:
            return "exit code 5 without losses"
        for name in want.calls:
            if final["calls"][name] != want.calls[name]:
                return f"{name}: {final['calls'][name]} calls counted of {want.calls[name]}, and no word"
        got = {f: {k: final["families"][f][k] for k in want.families[f]} for f in want.families}
        if got != want.families:
            return f"{got}, not {want.families}, and no word"
        incomplete = final["stacks"]["incomplete"] or "symbols cannot be read" in stderr
        sites = by_caller({"sites": [s for s in final["sites"] if s["family"] in NEW]})
        if sites != want.sites and not incomplete:
            return f"{sites}, not {want.sites}, and no word"
        return None


class Following:
    """Every JVM of the host, one of which ends and another begins, which gets the first one's number."""

    def run(self, oracle, folder, place, late):
        prefix = ["env", *(f"{k}={v}" for k, v in shim(folder, place, late).items())]
        with Tracer("-a", "--allow-loss", "-e", "global,weak", prefix=prefix, interval="0.2") as tracer:
            assert tracer.tracing.wait(ENDS_S), "neither traces nor ends"
            for last in (False, True):
                with Oracle(jdk("17")) as other:
                    wait_until(lambda: tracer.proc.poll() is not None or any(r["target"]["pid"] == other.pid for r in tracer.reports()))
                    before, after = other.now, other.do("run 2 101 7 5 3")
                    (folder / "armed").touch() if last else other.quit()
                    if not last:
                        wait_until(lambda: tracer.proc.poll() is not None or
                                   any(r["target"]["pid"] == other.pid and r["final"] for r in tracer.reports()))
                    elif tracer.proc.poll() is None:
                        tracer.proc.terminate()
                        tracer._collect(ENDS_S)
            code = tracer._collect(ENDS_S)
            finals = [r for r in tracer.reports() if r["final"] and r["target"]["pid"] == other.pid]
            return code, "".join(tracer.stderr), finals[0] if finals else None, Expected(before, after)

    def verdict(self, place, code, stderr, final, want):
        if code:
            return unreasonable_end(code, stderr)
        if not final:
            return "exit code 0 without a report"
        if any(final["drops"].values()) or final["stacks"]["incomplete"]:
            return None
        for function in NEW.values():  # it was attached to while it started, so only what must be equal is known
            sites = sum(s["acquired"] for s in final["sites"] if s["function"] == function)
            if final["calls"][function] < want.calls[function]:
                return f"{function}: {final['calls'][function]} calls, fewer than {want.calls[function]}, and no word"
            if final["calls"][function] != sites:
                return f"{function}: {final['calls'][function]} calls, {sites} of them at sites, and no word"
        return None


class Asking:
    """A command that asks an idle JVM, and says what it says when nothing fails."""

    def __init__(self, *args, same, as_good=None):
        self.args, self.same, self.as_good, self.expected = args, same, as_good or is_part, {}

    def run(self, oracle, folder, place, late):
        env = {**ENV, **shim(folder, place, late)}
        argv = [JNITRACE, self.args[0], "-p", str(oracle.pid), "--json", *self.args[1:]]
        try:
            done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=ENDS_S)
        except subprocess.TimeoutExpired as e:
            return "hangs", str(e.stderr), None, None
        said = [self.same(json.loads(line)) for line in done.stdout.splitlines()]
        if not place:
            self.expected[oracle.pid] = said
        elif oracle.pid not in self.expected:
            plain = subprocess.run(argv, env=ENV, capture_output=True, text=True, timeout=ENDS_S, check=True)
            self.expected[oracle.pid] = [self.same(json.loads(line)) for line in plain.stdout.splitlines()]
        return done.returncode, done.stderr, said, self.expected[oracle.pid]

    def verdict(self, place, code, stderr, said, want):
        if code:
            return unreasonable_end(code, stderr)
        if stderr.startswith("jnitrace: ") or len(said) == len(want) and all(map(self.as_good, said, want)):
            return None
        return f"{said}, not {want}, and no word"


def is_part(said, want):
    """Is it the same but for what is not known, and says so?"""
    if isinstance(said, dict) and isinstance(want, dict):
        return said.keys() == want.keys() and all(is_part(said[k], want[k]) for k in want)
    if isinstance(said, (list, tuple)) and isinstance(want, (list, tuple)):
        return len(said) == len(want) and all(map(is_part, said, want))
    return said is None or said == want


def is_as_good(said, want):
    """Is it the same probe, or one of the same function that costs more, and is said to?"""
    if said["strategy"] == "symtab" and want["strategy"] == "usdt":
        return said["function"] == want["function"] and said["file"] == want["file"]
    return said == want


def counted(report):
    """What a census says of references and threads; of what could not be read it says how many there were."""
    families = {name: {k: f[k] for k in ("vm_total", "in_use", "sampled")} for name, f in report["families"].items()}
    unread = sum((f["unreadable"] or 0) + (f["stale"] or 0) for f in report["families"].values())
    threads = report["threads"] and sorted((t["tid"], t["local_refs"], t["native_attached"]) for t in report["threads"])
    classes = report.get("classes")
    return {"families": families, "threads": threads,
            "classes": None if unread else classes and sorted((c["family"], c["name"], c["count"]) for c in classes)}


def placed(probe):
    return {k: probe[k] for k in ("function", "operation", "file", "offset", "strategy", "instruction", "cost")}


COMMANDS = {"top": (Top(), 200), "probes": (Asking("probes", same=placed, as_good=is_as_good), 30), "census": (Asking("census", "--classes", same=counted), 50)}
if THOROUGH:
    COMMANDS |= {"census-watch": (Asking("census", "--classes", "--watch", "-n", "2", "-i", "0.2", same=counted), 50),
                 "top-following": (Following(), 200),
                 "top-all-families": (Top("-e", "all", "--check", "--group-by", "thread"), 200)}


def places(command, oracle, folder):
    (folder / "places").unlink(missing_ok=True)
    (folder / "armed").unlink(missing_ok=True)
    end = command.run(oracle, folder, None, False)
    assert end[0] == 0 and command.verdict(None, *end) is None, (end[0], end[1])
    found = {place.name: place for place in map(Place, (folder / "places").read_text().splitlines())}
    return [found[name] for name in sorted(found)]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_call_that_may_fail_fails_once(name, tmp_path):
    command, least = COMMANDS[name]
    idle = Queue()
    folders = [tmp_path / str(i) for i in range(WORKERS)]
    oracles = [Oracle(jdk("17")) for _ in folders]
    try:
        for oracle, folder in zip(oracles, folders):
            folder.mkdir()
            oracle.do(*WARM_UP)
            idle.put((oracle, folder))
        found = places(command, oracles[0], folders[0])
        assert len(found) > least, found  # else this tests nothing
        todo = [(place, False) for place in found]
        todo += [(place, True) for place in found if place.late and (THOROUGH or place.kind.startswith("bpf"))]

        def one(what):
            place, late = what
            oracle, folder = idle.get()
            try:
                wrong = command.verdict(place, *command.run(oracle, folder, place, late))
                return place, late, wrong, (folder / "done").exists()
            except AssertionError as e:
                return place, late, str(e), True
            finally:
                idle.put((oracle, folder))

        with ThreadPoolExecutor(WORKERS) as pool:
            results = list(pool.map(one, todo))
    finally:
        for oracle in oracles:
            oracle.__exit__()
    wrong = [f"{place.described()}{' after the work' if late else ''}: {what}" for place, late, what, _ in results if what]
    reached = Counter(done for _, _, _, done in results)
    print(f"{reached[True]} of {len(results)} calls failed")
    assert not wrong, f"{len(wrong)} of {reached[True]}:\n" + "\n".join(wrong)
    assert reached[True] > len(todo) * 3 / 4, reached  # some are not passed in every run
