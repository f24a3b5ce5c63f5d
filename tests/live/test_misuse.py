# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Calls at the wrong time or by the wrong thread: another's JNIEnv, a pending exception, a critical section."""

import re
from collections import Counter

import pytest

from harness import Tracer, direct_caller, jdk
from test_findings import Misuse, traced

ALL = ("-e", "all", "--check")
JDKS = ["17", "17-stripped", "sid-8", "sid-25"]
# What leaves an exception pending, by the step of the fixture: action, function, its direct caller.
THROWN = {"throw": ("Throw", "by_throw"), "throw-new": ("ThrowNew", "by_throw_new"), "find-class": ("FindClass", "by_find_class"),
          "method-id": ("GetStaticMethodID", "by_method_id"), "call": ("CallStaticVoidMethod", "by_call"),
          "new-object": ("NewObject", "by_new_object"), "array": ("NewByteArray", "by_array")}


def told(final):
    """{(kind, function, called by): count}; all is complete and sure."""
    counts = Counter()
    for f in final["findings"]:
        assert f["doubt"] is None and f["truncated"] is None, f
        counts[f["kind"], f["function"], direct_caller(f)] += f["count"]
    return counts


@pytest.mark.asan
@pytest.mark.parametrize("kind", JDKS)
def test_calls_by_the_wrong_thread_and_at_the_wrong_time(kind):
    """And each of their twins is silent. Who threw is named in each finding, as all happen more than once."""
    with Misuse(jdk(kind), "-XX:+UsePerfData") as target:
        target.do("once 3", "env-rightly 2")
        good = [f"{action}-good 5" for action in THROWN]
        right = traced(target, "env-rightly 11", "critical-rightly 11", *good, args=ALL)
        assert right["findings"] == []

        bad = [f"{action}-bad 7" for action in THROWN]
        final = traced(target, "env-lend 13", "critical-calls 17", *bad, "env-rightly 3", args=ALL)
    wrong = {(f, by): 2 * 13 for f, by in (
        ("IsSameObject", "env_use"), ("ExceptionCheck", "env_check"), ("GetStringCritical", "env_critical"),
        ("ReleaseStringCritical", "env_critical"), ("GetJavaVM", "env_vm"), ("ReleaseStringUTFChars", "env_release"))}
    expected = {("wrong-env", *key): n for key, n in wrong.items()}
    expected.update({("call-in-critical", f, by): 17 for f, by in (
        ("GetArrayLength", "critical_length"), ("GetVersion", "critical_version"), ("ExceptionCheck", "env_check"),
        ("NewGlobalRef", "acquire_global"), ("DeleteGlobalRef", "delete_global_first"),
        *((f, "critical_invoke") for f in ("GetEnv", "AttachCurrentThread", "AttachCurrentThreadAsDaemon", "DetachCurrentThread")))})
    expected.update({("pending-exception", f, by): 7 * len(THROWN) for f, by in (
        ("FindClass", "call_pending"), ("NewGlobalRef", "make_pending"))})
    assert told(final) == expected

    seen = Counter()
    for f in final["findings"]:
        if f["kind"] == "wrong-env":
            user, owner = f["caller_thread"], f["owner_thread"]
            assert user["name"] == "env-user" and owner["name"] not in ("env-user", None), f
            assert user["tid"] != owner["tid"] and f"{user['tid']} (env-user)" in f["text"], f
            assert f"{owner['tid']} ({owner['name']})" in f["text"], f
        else:
            assert f["caller_thread"] is f["owner_thread"] is None
        if f["kind"] == "pending-exception":
            seen[f["thrown_by"], f["acquire_stack"] and direct_caller({"stack": f["acquire_stack"]})] += 1
        else:
            assert f["thrown_by"] is None
    assert set(seen) == set(THROWN.values())


class Args(Misuse):
    """The fixture that calls methods with dead references."""

    def main(self, fixtures):
        return "Args", str(fixtures / "libargs.so")


CALLS = {"one_v": "CallVoidMethodV", "one_c": "CallVoidMethod", "many_v": "CallStaticVoidMethodV", "many_c": "CallStaticVoidMethod",
         "two_a": "CallObjectMethodA", "new_v": "NewObjectV", "nonvirtual_c": "CallNonvirtualObjectMethod"}


@pytest.mark.parametrize("kind", ["17", "17-stripped", "sid-8", "sid-25"])
def test_dead_references_among_the_arguments_of_methods(kind):
    """In each way to pass them, behind arguments of other types. A number that looks like one is none."""
    with Args(jdk(kind), "-XX:+UsePerfData") as target:
        target.do(*(f"{call}-good 4" for call in CALLS))
        right = traced(target, *(f"{call}-good 8" for call in CALLS), "number_v 5", args=ALL)
        final = traced(target, *(f"{call} {11 + i}" for i, call in enumerate(CALLS)), args=ALL)
    assert right["findings"] == []
    wrong = Counter()
    for f in final["findings"]:
        assert f["doubt"] is None and f["truncated"] is None and f["kind"] == "stale-use", f
        assert {x["symbol"] for x in f["acquire_stack"]} >= {"Java_Args_act", "Args.main"}, f
        wrong[f["function"], next(x["symbol"] for x in f["stack"] if (x["symbol"] or "").startswith("(anonymous namespace)::"))] += f["count"]
    assert wrong == {(function, f"(anonymous namespace)::{call}"): 11 + i for i, (call, function) in enumerate(CALLS.items())}


# The end of the VM, after which the tool still says why.
ENDS = {"env-dead": ("wrong-env", "IsSameObject", "env_use"), "garbage-instance": ("stale-use", "IsInstanceOf", "use_as_instance")}


@pytest.mark.parametrize("kind, action", [("17", "env-dead"), ("17", "garbage-instance"), ("sid-8", "garbage-instance"),
                                          ("sid-25", "env-dead")])
def test_the_last_finding_before_a_crash(kind, action):
    with Misuse(jdk(kind), "-XX:-CreateCoredumpOnCrash" if kind != "sid-8" else "-Xmx64m") as target:
        target.do("once 3", "keep-garbage 1", "gc", "instance-rightly 3")
        with Tracer(*ALL, pids=[target.pid]) as tracer:
            tracer.wait_tracing()
            target.do("instance-rightly 3", "env-rightly 3")
            target.send(f"{action} 1")
            final = tracer.end()[target.pid]
    assert final["end_reason"] == "exited"
    [f] = final["findings"]
    assert (f["kind"], f["function"], direct_caller(f)) == ENDS[action]
    assert f["severity"] == "error" and f["count"] == 1
    if action == "env-dead":
        assert f["owner_thread"]["name"] == "env-leaver" and f["caller_thread"]["name"] != "env-leaver", f
