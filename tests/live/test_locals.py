# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Local references: exact by function, alive or dead as the VM has them, and the loop that makes them named while it runs."""

import time

import pytest

from harness import NativeLoop, Oracle, Tracer, assert_no_losses, jdk

CONFIGURATIONS = [("17", []), ("17", ["-Xcheck:jni"]), ("17", ["-XX:+UseZGC"]), ("17-stripped", []),
                  ("sid-25", []), ("sid-25", ["-XX:+UseZGC"])]
WARM_UP = ("each 1", "keep NewLocalRef 3", "unkeep 3", "frames 3 5", "threads 2 2 3", "hold 1 2 3", "letgo", "fill 1 3", "letgo",
           "spin 2 3 5", "join", "buffers 1")


class Locals(NativeLoop):
    """The program that makes local references in known numbers, and says in which."""
    main, library, warm_up = "Locals", "liblocals.so", WARM_UP

    def __init__(self, on, *jvm_args):
        self.names = CHECKED if "-Xcheck:jni" in jvm_args else {}
        super().__init__(on, *jvm_args)


PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
          113, 127, 131, 137, 139, 149, 151)  # as in locals.c


# -Xcheck:jni carries the variadic calls out by those that take a va_list.
CHECKED = {"NewObject": "NewObjectV", "CallObjectMethod": "CallObjectMethodV",
           "CallNonvirtualObjectMethod": "CallNonvirtualObjectMethodV", "CallStaticObjectMethod": "CallStaticObjectMethodV"}


def renamed(counts, names):
    sum_of = dict.fromkeys(counts, 0)
    for f, n in counts.items():
        sum_of[names.get(f, f)] += n
    return sum_of


class Done:
    """What the program did between two of its answers."""

    def __init__(self, before, after, names):
        def less(key):
            return renamed({f: n - before[key][f] for f, n in after[key].items()}, names)
        self.made, self.null, self.deleted = less("made"), less("null"), less("deleted")
        self.calls = {f: self.made[f] + self.null[f] for f in self.made}
        for function, key in (("PushLocalFrame", "pushed"), ("EnsureLocalCapacity", "ensured"),
                              ("NewDirectByteBuffer", "buffers")):
            self.calls[function] = after[key] - before[key]
        self.calls["DeleteLocalRef"] = sum(self.deleted.values()) + after["deleted_null"] - before["deleted_null"]


KEYS = ("acquired", "released", "died", "outstanding", "unverified")


def sums(sites):
    of = {}
    for site in sites:
        mine = of.setdefault(site["function"], dict.fromkeys(KEYS, 0))
        for key in KEYS:
            mine[key] += site[key]
    return of


def is_of_the_program(site):
    """Else the JDK's own: Object.getClass is GetObjectClass, where it is not compiled."""
    return next((f["module"] for f in site["stack"] if f["type"] != "vm"), None) == "liblocals.so"


def assert_locals(target, report, before, after, alive):
    """alive: by function"""
    want, f = Done(before, after, target.names), report["families"]["local"]
    alive = renamed(dict.fromkeys(want.made, 0) | alive, target.names)
    assert_no_losses(report)
    sites = [s for s in report["sites"] if s["family"] == "local"]
    got, others = sums(s for s in sites if is_of_the_program(s)), sums(s for s in sites if not is_of_the_program(s))
    assert {n: s["acquired"] for n, s in got.items()} == {n: made for n, made in want.made.items() if made}
    assert {n: s["released"] for n, s in got.items()} == {n: want.deleted[n] for n in got}
    assert {n: s["outstanding"] for n, s in got.items()} == {n: alive[n] for n in got}
    assert {n: report["calls"][n] - others.get(n, {"acquired": 0})["acquired"] for n in want.calls} == want.calls
    for s in sites:
        assert s["unverified"] == 0 and s["acquired"] == s["released"] + s["died"] + s["outstanding"], s
    for key in KEYS:
        assert f[key] == sum(s[key] for s in sites), key
    assert f["released_untracked"] == 0


@pytest.fixture
def local17():
    with Locals(jdk("17")) as target:
        yield target


@pytest.mark.parametrize("kind, jvm_args", CONFIGURATIONS, ids=str)
def test_exact(kind, jvm_args):
    with Locals(jdk(kind), *jvm_args) as target, Tracer("-e", "local", pids=[target.pid]) as tracer:
        tracer.wait_tracing()
        before = target.now
        after = target.do("each 7", "keep GetModule 101", "keep NewByteArray 103", "unkeep 41", "frames 11 97", "buffers 13",
                          "threads 8 13 61", "hold 2 3 37", "fill 1 1009")
        # Alive: kept; in each of 3 frames, native and pushed; in the loop.
        alive = {"GetModule": 101, "NewByteArray": 62, "NewObjectA": 2 * 3 * 37, "NewObjectV": 2 * 2 * 37,
                 "CallObjectMethod": 1009}
        final = tracer.stop()[target.pid]
        assert_locals(target, final, before, after, alive)


def peak_of(made):
    """Of a call that makes so many and deletes every third at once."""
    return max(i + 1 - i // 3 for i in range(made))


@pytest.mark.parametrize("kind", ["17", "17-stripped", "sid-25"])
def test_peak_per_call(kind):
    """Not what many calls make together, but what one holds."""
    with Locals(jdk(kind)) as target, Tracer("-e", "local", pids=[target.pid]) as tracer:
        tracer.wait_tracing()
        before = target.now
        target.do("each 7", "each 3", "each 5", "frames 4 97", "threads 4 211 61", "fill 1 503", "more", "hold 3 2 37")
        done = Done(before, target.now, {})
        final = tracer.stop()[target.pid]
    assert_no_losses(final)
    got = {}
    for s in final["sites"]:
        if is_of_the_program(s):
            got.setdefault(s["function"], []).append(s["peak_per_call"])
    each = {f: p for f, p in zip(done.made, PRIMES)}
    want = {f: max(peak_of(7 * p), 1) for f, p in each.items()}
    want.update({"NewObject": max(want["NewObject"], 97), "NewStringUTF": max(want["NewStringUTF"], peak_of(61)),
                 "CallObjectMethod": 2 * 503, "NewObjectA": max(want["NewObjectA"], 37), "NewObjectV": max(want["NewObjectV"], 37),
                 "DefineClass": peak_of(7), "PopLocalFrame": 2})
    want["GetObjectArrayElement"] = max(want["GetObjectArrayElement"], 1)
    assert {f: max(p) for f, p in got.items()} == {f: want[f] for f in got}


# Whatever is still in the store: what a frame held is dead when it has returned.
def test_the_dead_are_not_outstanding(local17):
    before = local17.now
    with Tracer("-e", "local", pids=[local17.pid]) as tracer:
        tracer.wait_tracing()
        local17.do("hold 8 5 103", "fill 3 1009", "letgo")
        after = local17.do("each 1", "frames 101 7")
        made = sum(Done(before, after, {}).made.values())
        report = tracer.wait_report(lambda r: r["families"]["local"]["acquired"] >= made and not r["families"]["local"]["unverified"])
        assert_locals(local17, report, before, after, {})
        after = local17.do("fewer 3 2")
        final = tracer.stop()[local17.pid]
    assert_locals(local17, final, before, after, {"NewObjectA": 3 * 2})
    assert all((s["oldest_s"] is None) == (s["outstanding"] == 0) for s in final["sites"])


def test_the_loop_that_fills_the_table_is_named_while_it_runs(local17):
    before = local17.now
    with Tracer("-e", "local", pids=[local17.pid], interval="0.2") as tracer:
        tracer.wait_tracing()
        local17.do("threads 2 11 13")
        for rounds in range(1, 4):
            after = local17.do("fill 1 20011" if rounds == 1 else "more")
            report = tracer.wait_report(lambda r, n=rounds: r["families"]["local"]["outstanding"] == n * 20011)
            assert_locals(local17, report, before, after, {"CallObjectMethod": rounds * 20011})
            worst = report["sites"][0]
            assert worst["outstanding"] == rounds * 20011 and worst["function"] == "CallObjectMethod"
            names = [f["symbol"] for f in worst["stack"]]
            assert names[:4] == ["do_CallObjectMethod", "Java_Locals_fill", "Locals.fill", "Locals.up"], names
            assert worst["classes"] == [{"name": "Locals", "outstanding": rounds * 20011, "of": None}]
        local17.do("letgo")
        report = tracer.wait_report(lambda r: r["families"]["local"]["died"] >= 3 * 20011)
        assert_locals(local17, report, before, local17.now, {})


def test_handles_that_come_again_at_full_speed(local17):
    before = local17.now
    with Tracer("-e", "local", pids=[local17.pid], interval="0.2") as tracer:
        tracer.wait_tracing()
        local17.send("spin 4 2500 101")
        local17.now = local17._answer()
        local17.do("join")
        after = local17.now
        final = tracer.stop()[local17.pid]
        reports = tracer.reports()
    assert len(reports) > 5 and Done(before, after, {}).made["GetObjectClass"] >= 4 * 2500 * 101
    assert_locals(local17, final, before, after, {})
    for r in reports:
        f = r["families"]["local"]
        assert f["outstanding"] <= 4 * (101 + 100 + 2), f  # what can be alive at one moment
        assert not r["findings"] and not any(r["drops"].values())
    for earlier, later in zip(reports, reports[1:]):
        for key in ("acquired", "released", "died"):
            assert later["families"]["local"][key] >= earlier["families"]["local"][key]


def test_the_process_ends(local17):
    with Tracer("-e", "local", pids=[local17.pid]) as tracer:
        tracer.wait_tracing()
        local17.do("keep NewObject 1009", "unkeep 10")
        tracer.wait_report(lambda r: r["families"]["local"]["outstanding"] == 999)
        local17.kill()
        [final] = tracer.end().values()
    f = final["families"]["local"]
    assert final["end_reason"] == "exited"
    assert (f["acquired"], f["released"], f["died"], f["outstanding"]) == (1009, 10, 999, 0)


class Misuse(Oracle):
    def main(self, fixtures):
        return "Misuse", str(fixtures / "libmisuse.so")


def test_the_dead_take_no_room():
    """In the store, which has room for some 3,000 here: those of a frame that has ended, in places that nobody else gets."""
    each, rounds = 1009, 12
    with Misuse(jdk("17")) as target, Tracer("-e", "local", "--max-refs", "1000", pids=[target.pid], interval="0.1") as tracer:
        tracer.wait_tracing()
        for done in range(1, rounds + 1):
            target.do("pass 1")
            tracer.wait_report(lambda r, n=done: r["families"]["local"]["died"] >= n * each)
            time.sleep(0.2)  # in a report more they are counted without being looked at
        final = tracer.stop()[target.pid]
        reports = tracer.reports()
    assert_no_losses(final)
    [site] = [s for s in final["sites"] if s["stack"][0]["symbol"] == "acquire_local"]
    assert [site[key] for key in KEYS] == [rounds * each, 0, rounds * each, 0, 0]
    for earlier, later in zip(reports, reports[1:]):
        for key in ("acquired", "released", "died"):
            assert later["families"]["local"][key] >= earlier["families"]["local"][key]
