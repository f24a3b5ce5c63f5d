# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What is used wrongly is found, counted exactly and shown from where; what is used rightly is not."""

import json
import time
from collections import Counter

import jsonschema
import pytest

from harness import TOP, WARM_UP, WORK, Oracle, Tracer, assert_exact, assert_no_losses, by_caller, direct_caller, jdk

SCHEMA = json.loads((TOP / "docs/jnitrace-1.schema.json").read_text())


class Misuse(Oracle):
    """The fixture that uses references wrongly."""

    def __init__(self, on, *jvm_args, **kwargs):
        # Debian's JDK 8 has Java frames only if counters tell when classes are unloaded.
        super().__init__(on, *(["-XX:+UsePerfData"] if "java-8-" in str(on.home) else []), *jvm_args, **kwargs)

    def main(self, fixtures):
        return "Misuse", str(fixtures / "libmisuse.so")


def found(report, java=True):
    """{(kind, function, called by, acquired by, first released by): count}; java: its frames have names."""
    def caller(stack):
        return stack and direct_caller({"stack": stack})

    keys = [(f["kind"], f["function"], *(caller(f[k]) for k in ("stack", "acquire_stack", "release_stack")))
            for f in report["findings"]]
    assert len(set(keys)) == len(keys), keys
    for f in report["findings"]:
        assert f["doubt"] is None and f["truncated"] is None, f
        for stack in ("stack", "acquire_stack", "release_stack"):
            if f[stack] and java:
                assert "Misuse.deeper" in [frame["symbol"] for frame in f[stack]], f
    return {key: f["count"] for key, f in zip(keys, report["findings"])}


def traced(target, *commands, args=(), code=0):
    with Tracer(*args, pids=[target.pid]) as tracer:
        tracer.wait_tracing()
        target.do(*commands)
        final = tracer.stop(code)[target.pid]
        for report in tracer.reports():
            jsonschema.validate(report, SCHEMA)
    assert_no_losses(final)
    assert all(site["acquired"] for site in final["sites"]), "the site of a release is no leak"
    return final


DOUBLE = {f: (("double-delete", f"Delete{n}Ref", f"delete_{f}_again", f"acquire_{f}"), f"delete_{f}_first")
          for f, n in (("global", "Global"), ("weak", "WeakGlobal"))}


@pytest.mark.asan
@pytest.mark.parametrize("kind, jvm_args", [
    ("17", []),
    ("17", ["-XX:+UseZGC"]),
    ("sid-25", []),
    ("sid-25", ["-XX:+UseZGC"]),
    ("sid-8", []),
], ids=lambda v: v if isinstance(v, str) else "+".join(v) or "plain")
def test_double_delete(kind, jvm_args):
    with Misuse(jdk(kind), *jvm_args) as target:
        target.do("once 3")
        final = traced(target, "global-twice 101", "weak-twice 53", "once 1009", args=("--check",))
    assert found(final) == {(*DOUBLE["global"][0], DOUBLE["global"][1]): 101, (*DOUBLE["weak"][0], DOUBLE["weak"][1]): 53}
    assert final["families"]["global"]["released_untracked"] == 101
    assert final["families"]["global"]["outstanding"] == final["families"]["weak"]["outstanding"] == 0


@pytest.mark.parametrize("attach", ["multi", "perf"])
def test_first_release_is_kept_once_a_site_is_suspect(attach):
    with Misuse(jdk("17")) as target:
        target.do("once 3")
        final = traced(target, "global-twice 7", args=("--attach", attach))
    assert found(final) == {(*DOUBLE["global"][0], None): 1, (*DOUBLE["global"][0], DOUBLE["global"][1]): 6}


@pytest.mark.parametrize("kind", ["17", "sid-8", "sid-25"])
def test_double_delete_of_what_is_older_than_the_tracer(kind):
    with Misuse(jdk(kind)) as target:
        target.do("once 3", "keep 59")
        final = traced(target, "drop-kept 59", "drop-kept-again 59", args=("--check",))
    assert found(final) == {
        ("double-delete", "DeleteGlobalRef", "delete_global_again", None, "delete_global_first"): 59,
        ("double-delete", "DeleteWeakGlobalRef", "delete_weak_again", None, "delete_weak_first"): 59,
    }


@pytest.mark.parametrize("kind", ["17", "sid-8", "sid-25"])
@pytest.mark.parametrize("args", [(), ("--check",)], ids=("plain", "check"))
def test_what_the_collector_cleared_is_deleted_once(kind, args):
    """Weak references from before attach, null by the time they are deleted: null alone is no proof."""
    with Misuse(jdk(kind), "-XX:+UseSerialGC") as target:
        target.do("once 3", "keep-garbage 59", "gc")
        final = traced(target, "drop-garbage 59", args=args)
    assert final["findings"] == []
    assert final["families"]["weak"]["released_untracked"] == 59


@pytest.mark.parametrize("fail_on, code", [(None, 0), ("error", 6), ("warning", 6)])
def test_findings_change_the_exit_code_only_when_asked(fail_on, code):
    with Misuse(jdk("17")) as target:
        args = ("--fail-on", fail_on) if fail_on else ()
        assert not traced(target, "once 3", args=args)["findings"]
        assert traced(target, "global-twice 1", args=args, code=code)["findings"]


@pytest.mark.parametrize("args", [(), ("--check",)])
def test_handles_in_use_again_are_no_double_delete(args):
    """What one thread deletes another gets at once, from eight of them; refs from before attach among them."""
    with Oracle(jdk("17")) as oracle:
        oracle.do(*WARM_UP)
        final = traced(oracle, "reuse 8 20011", "predrop", "cleared 11", "hold 1009", "gc", "letgo", "run 8 5003 0 5003 0",
                       args=args)
    assert final["findings"] == []
    assert final["calls"]["NewGlobalRef"] > 8 * 20011


REUSE_S = 30


def test_handles_in_use_again_at_full_speed_for_half_a_minute():
    """Eight threads that delete what another has just made; exact to the last call, and no false alarm."""
    with Oracle(jdk("17")) as oracle:
        before = oracle.do(*WARM_UP)
        with Tracer(pids=[oracle.pid]) as tracer:
            tracer.wait_tracing()
            end = time.monotonic() + REUSE_S
            while time.monotonic() < end:
                after = oracle.do("reuse 8 200003")
            final = tracer.stop()[oracle.pid]
    assert_exact(final, before, after)
    assert final["findings"] == []


@pytest.mark.parametrize("kind", ["17", "sid-8", "sid-25"])
@pytest.mark.parametrize("args", [("-e", "global,weak,local"), ("--check",)], ids=" ".join)
def test_deleted_as_local(kind, args):
    """DeleteLocalRef of a global or weak reference goes on for a while: until the collector finds the damage."""
    with Misuse(jdk(kind), "-Xmx1g") as target:
        target.do("once 3")
        final = traced(target, "global-as-local 11", "weak-as-local 7", "used-rightly 101", args=args)
    assert found(final) == {
        ("kind-mismatch", "DeleteLocalRef", "delete_as_local", "acquire_global", None): 11,
        ("kind-mismatch", "DeleteLocalRef", "delete_as_local", "acquire_weak", None): 7,
    }


@pytest.mark.parametrize("kind", ["17", "sid-25"])
@pytest.mark.parametrize("action, expected", [
    ("weak-as-global", ("DeleteGlobalRef", "delete_as_global", "acquire_weak")),
    ("global-as-weak", ("DeleteWeakGlobalRef", "delete_as_weak", "acquire_global")),
    ("local-as-global", ("DeleteGlobalRef", "delete_as_global", "acquire_local")),
])
def test_wrong_delete_is_told_when_it_was_the_end_of_the_vm(kind, action, expected):
    with Misuse(jdk(kind), "-XX:ErrorFile=/dev/null", "-XX:-CreateCoredumpOnCrash") as target:
        target.do("once 3", "used-rightly 3")
        with Tracer("-e", "global,weak,local", "--allow-loss", pids=[target.pid]) as tracer:
            tracer.wait_tracing()
            target.send(f"{action} 1")
            final = tracer.end()[target.pid]
    assert final["end_reason"] == "exited"
    assert not any(n for reason, n in final["drops"].items() if reason != "java_unnamed"), final["drops"]
    assert found(final, java=False) == {("kind-mismatch", *expected, None): 1}


@pytest.mark.asan
@pytest.mark.parametrize("kind, jvm_args", [("17", []), ("sid-21", []), ("sid-25", []), ("sid-25", ["-XX:+UseZGC"]), ("sid-8", [])],
                         ids=lambda v: v if isinstance(v, str) else "+".join(v) or "plain")
def test_stale_use(kind, jvm_args):
    # A compiler keeps a weak reference while it works, perhaps in the very slot that was deleted: then it is in use again.
    with Misuse(jdk(kind), "-Xint", *jvm_args) as target:
        target.do("once 3", "used-rightly 3")
        final = traced(target, "stale-global 101", "stale-weak 53", "stale-local 29 8", "used-rightly 1009 8", args=("--check",))
    uses = 2 * (101 + 53 + 29 * 8) + 5 * 1009 * 8
    assert final["calls"]["IsSameObject"] == uses and final["check"]["calls"] >= uses
    assert final["overhead"]["events"] == final["check"]["calls"] + sum(
        n for f, n in final["calls"].items() if f in ("NewGlobalRef", "DeleteGlobalRef", "NewWeakGlobalRef", "DeleteWeakGlobalRef"))
    assert found(final) == {
        ("stale-use", "IsSameObject", "use", "acquire_global", "delete_global_first"): 101,
        ("stale-use", "IsSameObject", "use", "acquire_weak", "delete_weak_first"): 53,
        ("stale-use", "IsSameObject", "use", None, None): 29 * 8,
    }


LENT = [("17", []), ("sid-8", []), ("sid-11", []), ("sid-21", ["-XX:+UseSerialGC"]), ("sid-25", []), ("sid-25", ["-XX:+UseZGC"])]


@pytest.mark.asan
@pytest.mark.parametrize("kind, jvm_args", LENT, ids=lambda v: v if isinstance(v, str) else "+".join(v) or "plain")
def test_local_of_another_thread(kind, jvm_args):
    """From 8 threads, each to one more: of its native call, its argument, far from the top, and of a call that has ended."""
    with Misuse(jdk(kind), *jvm_args) as target:
        target.do("once 3", "lend-none 3 2")
        final = traced(target, "lend-local 13 8", "lend-argument 11 8", "lend-far 7 8", "save-local+lend-saved 5 8",
                       args=("--check", "-e", "global,weak,local"))
    assert all(f["function"] == "IsSameObject" and "of another thread" in f["text"] for f in final["findings"])
    assert all(direct_caller(f) == "use_foreign" for f in final["findings"])
    lent = Counter()
    for f in final["findings"]:
        lent[tuple(s["symbol"] for s in (f["acquire_stack"] or [])[:2])] += f["count"]
    assert lent == {(): 11 * 8, ("acquire_local", "lend_far"): 2 * 7 * 8, ("acquire_local", "lend_local"): 13 * 8,
                    ("acquire_local", "save_local"): 5 * 8}


@pytest.mark.parametrize("kind, jvm_args", LENT, ids=lambda v: v if isinstance(v, str) else "+".join(v) or "plain")
def test_own_locals_are_no_other_threads(kind, jvm_args):
    """Blocks of threads that come and go are others' at once; locals of frames further out, and arguments, are used."""
    with Misuse(jdk(kind), *jvm_args) as target:
        target.do("once 3", "lend-none 3 2")
        final = traced(target, "outer-make+lend-none+used-rightly+weak-rightly 101 8", "outer-make+lend-none 101 8", args=("--check",))
    assert final["findings"] == []


@pytest.mark.parametrize("kind", ["17", "sid-8", "sid-25"])
def test_argument_of_a_call_that_has_ended(kind):
    with Misuse(jdk(kind)) as target:
        target.do("once 3")
        final = traced(target, "far-save-argument+use-saved 101 8", args=("--check",))
    assert found(final) == {("stale-use", "IsSameObject", "use", None, None): 101 * 8}


@pytest.mark.parametrize("kind", ["17", "sid-8", "sid-25"])
def test_weak_used_as_strong(kind):
    """Where it may be cleared any time, that is a warning; when it was, an error."""
    with Misuse(jdk(kind), "-XX:+UseSerialGC") as target:
        target.do("once 3", "keep-garbage 1", "gc", "weak-rightly 3")
        final = traced(target, "weak-as-strong 101", "use-garbage 13", "weak-rightly 1009 8", "drop-garbage 1", args=("--check",))
    assert found(final, java=False) == {
        ("kind-mismatch", "GetObjectClass", "use_as_object", "acquire_weak", None): 101,
        ("stale-use", "CallStaticVoidMethod", "use_as_class", None, None): 13,
    }
    assert [f["severity"] for f in final["findings"]] == ["error", "warning"]


def test_site_of_a_finding_is_its_familys():
    """Of a call that is both counted and checked, the check comes first."""
    with Misuse(jdk("17")) as target:
        target.do("once 3", "weak-pinned 3")
        final = traced(target, "weak-pinned 101", args=("--check", "-e", "critical"))
    assert found(final) == {("kind-mismatch", "GetPrimitiveArrayCritical", "pin_weak", None, None): 101}
    assert by_caller(final) == {"pin_weak": ("GetPrimitiveArrayCritical", 101, 101)}
    assert [site["family"] for site in final["sites"]] == ["critical"]


@pytest.mark.parametrize("args", [("-e", "global,weak,local"), ("--check",)], ids=" ".join)
@pytest.mark.parametrize("kind", ["17", "sid-8", "sid-11", "sid-25"])
def test_global_from_before_attach_deleted_as_local(kind, args):
    with Misuse(jdk(kind), "-Xmx1g") as target:
        target.do("once 3", "keep 7", "used-rightly 3")
        final = traced(target, "drop-kept-as-local 7", "used-rightly 1009 8", args=args)
    assert found(final) == {("kind-mismatch", "DeleteLocalRef", "delete_as_local", None, None): 7}


@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_what_the_collector_cleared_may_be_used(kind):
    """A weak reference that lives while the store still knows of an earlier release of its handle."""
    with Misuse(jdk(kind), "-XX:+UseSerialGC") as target:
        target.do("once 3")
        final = traced(target, "keep-spilled-garbage 1", "gc", "use-kept 101", "drop-garbage 1", args=("--check", "--max-refs", "1"))
    assert final["findings"] == []
    assert final["families"]["weak"]["acquired"] == final["families"]["weak"]["released"] == 3


class Pins(Oracle):
    def main(self, fixtures):
        return "Pins", str(fixtures / "libpins.so")


@pytest.mark.parametrize("kind", ["17", "sid-8", "sid-25"])
def test_local_of_a_call_that_has_ended(kind):
    with Misuse(jdk(kind)) as target:
        # When the VM compiles the way into a native method it uses a slot of the thread's, which looks alive then.
        target.do("once 3", "save-local+used-rightly 2003 8")
        final = traced(target, "save-local+use-saved 101 8", "save-local+used-rightly 1009 8", args=("--check",))
    assert found(final) == {("stale-use", "IsSameObject", "use", None, None): 101 * 8}


@pytest.mark.parametrize("kind", ["17", "sid-8", "sid-25"])
def test_all_that_is_right_is_silent(kind):
    """Every kind of use that the oracle knows, weak references that the collector clears among them, closely looked at."""
    with Oracle(jdk(kind)) as oracle:
        before = oracle.do(*WARM_UP)
        with Tracer("--check", pids=[oracle.pid]) as tracer:
            tracer.wait_tracing()
            after = oracle.do(*WORK)
            final = tracer.stop()[oracle.pid]
    assert_exact(final, before, after)
    assert final["findings"] == []
    assert final["overhead"]["probes"] > 200


class Library(Oracle):
    """A program that uses a library of Debian's."""

    def __init__(self, program, *args, **kwargs):
        self.words = (program, *args)
        super().__init__(jdk("17"), "-Djava.library.path=/usr/lib/x86_64-linux-gnu/jni:/usr/lib/aarch64-linux-gnu/jni", **kwargs)

    def main(self, fixtures):
        return "-cp", f"{fixtures}:/usr/share/java/jna.jar:/usr/share/java/sqlite-jdbc.jar", *self.words


def symbols(site):
    return [frame["symbol"] for frame in site["stack"]]


@pytest.mark.waits
def test_verdicts_of_real_libraries():
    """
    Over a minute: a leak of one reference a second is named, what comes and goes at random is not. JNA 5.13 keeps
    two weak references for each callback that is mapped (its issue 1586); sqlite-jdbc keeps nothing.
    """
    per_s = 10
    with (Misuse(jdk("17")) as target, Pins(jdk("17")) as pins, Library("Callbacks", "-", str(per_s)) as jna,
          Library("Sqlite") as sqlite):
        target.do("once 3")
        untraced = jna.do("")
        with Tracer("-e", "global,weak,string,array", pids=[p.pid for p in (target, pins, jna, sqlite)], interval="1") as tracer:
            tracer.wait_tracing()
            before, start = jna.do(""), time.monotonic()
            for second in range(1, 68):
                target.do("leak 1", "come-and-go 17")
                pins.do("utf 1 7 0 3 1", "chars 1 7 0 3 0", "elements 1 1 7 3 0 0 0")
                time.sleep(max(0, start + second - time.monotonic()))
            after = jna.do("")
            finals = tracer.stop()
            later = jna.do("")
            reports = tracer.reports()
    for report in (*finals.values(), reports[0]):
        jsonschema.validate(report, SCHEMA)

    made = finals[target.pid]
    verdicts = {direct_caller(s): s["verdict"] for s in made["sites"]}
    assert verdicts["acquire_global"]["kind"] == "growing", verdicts
    assert 57 < verdicts["acquire_global"]["growth_per_min"] < 63, verdicts
    assert verdicts["acquire_for_a_while"]["kind"] == "bounded", verdicts
    assert [(f["kind"], f["function"]) for f in made["findings"]] == [("leak", "NewGlobalRef")]
    assert direct_caller(made["sites"][0]) == "acquire_global", "growing sites come first"
    early = [r["elapsed_s"] for r in reports if r["target"]["pid"] == target.pid and r["findings"]]
    assert 40 < early[0] < 65, early

    # strings and arrays that are not released are a leak as references are
    kept = finals[pins.pid]
    [leak] = kept["findings"]
    assert (leak["kind"], leak["function"], leak["count"], direct_caller(leak)) == ("leak", "GetStringUTFChars", 67, "got_utf")
    verdicts = {direct_caller(s): s["verdict"] for s in kept["sites"] if s["family"] in ("string", "array")}
    assert 57 < verdicts["got_utf"]["growth_per_min"] < 63, verdicts
    assert verdicts["got_chars"]["kind"] == verdicts["got_Byte"]["kind"] == "clean", verdicts
    assert {lib["module"]: lib["verdict"] for lib in kept["libraries"]}["libpins.so"] == "growing"

    # it maps on while the tracer starts and stops; and one callback may be half mapped
    at_least, at_most = after["mapped"] - before["mapped"], later["mapped"] - untraced["mapped"]
    [site] = [s for s in finals[jna.pid]["sites"] if s["verdict"]["kind"] == "growing"]
    assert site == finals[jna.pid]["sites"][0] and site["function"] == "NewWeakGlobalRef"
    assert "Callbacks.mapOne" in symbols(site), site
    assert 2 * at_least - 2 <= site["outstanding"] <= 2 * at_most + 2, (at_least, at_most, site["outstanding"])
    [library] = [lib for lib in finals[jna.pid]["libraries"] if lib["module"].startswith("libjnidispatch")]
    assert library["verdict"] == "growing" and library["growing"] == 1

    # of a site that was first seen a moment ago nothing can be said, and so of its library
    judged = [s["verdict"] for s in finals[sqlite.pid]["sites"]]
    unjudged = [v for v in judged if v["kind"] is None]
    assert all(v["span_s"] < 10 for v in unjudged) and len(unjudged) < len(judged) / 2, unjudged
    [library] = [lib for lib in finals[sqlite.pid]["libraries"] if lib["module"] == "libsqlitejdbc.so"]
    assert library["verdict"] == "clean" or (library["verdict"] is None and unjudged), (library, unjudged)
    assert not finals[sqlite.pid]["findings"], finals[sqlite.pid]["findings"]
    assert finals[sqlite.pid]["calls"]["NewGlobalRef"] > 1000
