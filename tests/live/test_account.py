# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the VM's tables hold is accounted for, reference by reference: tracked, from before attach, or the VM's own."""

import json
import re
import subprocess
import time

import jsonschema
import pytest

from harness import TOP, Tracer, wait_until
from test_census import STEADY, Fixture, ids
from tmux import Tmux

SCHEMA = json.loads((TOP / "docs/jnitrace-1.schema.json").read_text())
MANY = [("17", []), ("17", ["-XX:+UseParallelGC"]), ("17-stripped", []), ("sid-8", []), ("sid-21", ["-XX:+UseZGC"]), ("sid-25", []),
        ("sid-25", ["-XX:+UseCompactObjectHeaders", "-XX:+UseZGC"])]


def accounted(report):
    """Exactly, or a sentence on what is not."""
    for name, f in report["families"].items():
        assert f["vm_total"] is not None and f["before_attach"] is not None, (name, f)
        assert f["outstanding"] + f["before_attach"] + f["vm_own"] == f["vm_total"], (name, f)
        rows = [r for r in report["before_attach"] if r["family"] == name]
        assert sum(r["outstanding"] for r in rows) == f["before_attach"], (name, rows)
    return True


def before(report, family="global"):
    return {r["class"]: r["outstanding"] for r in report["before_attach"] if r["family"] == family}


def classes_are_read(report):
    """Of strong references: that takes more than one report where there are many. A weak one may be cleared."""
    return all(r["class"] for r in report["before_attach"] if r["family"] == "global")


def is_at_rest(report):
    return all(f["outstanding"] + f["before_attach"] + f["vm_own"] == f["vm_total"] for f in report["families"].values())


def destroy_global(target):
    """Where the VM's own way to delete a reference is: it passes no probe."""
    libjvm = target.jdk.libjvm
    listing = subprocess.run(["nm", libjvm], capture_output=True, text=True, check=True).stdout
    [symbol] = re.findall(r"^([0-9a-f]+) \w _ZN10JNIHandles14destroy_globalEP8_jobject$", listing, re.M)
    with open(f"/proc/{target.pid}/maps") as maps:
        start = next(int(line.split("-")[0], 16) for line in maps if line.rstrip().endswith("/libjvm.so"))
    return f"{start + int(symbol, 16):x}"


@pytest.mark.asan
@pytest.mark.parametrize("kind, jvm_args", MANY, ids=ids)
def test_late_attach_knows_the_past(kind, jvm_args):
    with Fixture(kind, *STEADY, *jvm_args) as target:
        target.do("hold string 1009 1009", "weak object 31 7", "hold inner 503 1", "hold bytes 10007 100")
        with Tracer(pids=[target.pid], interval="0.1") as tracer:
            tracer.wait_tracing()
            first = tracer.wait_report(lambda r: is_at_rest(r) and classes_are_read(r))
            assert accounted(first)
            assert before(first)["java.lang.String"] >= 1009
            assert before(first)["Census$Inner"] == 503
            assert before(first)["byte[]"] == 10007
            assert before(first, "weak")["java.lang.Object"] >= 31
            # every second one of the last 2 * 5003: of bytes alone; their slots are used again by tracked ones
            target.do("drop 5003", "hold inner 2003 1", "gc", "drop 101")
            # a table that was looked at between two of the deletes agrees with itself, too
            second = tracer.wait_report(lambda r: is_at_rest(r) and r["calls"]["DeleteGlobalRef"] == 5104
                                        and before(r)["byte[]"] == 10007 - 5003)
            final = tracer.stop()[target.pid]
        for report in (second, final):
            jsonschema.validate(report, SCHEMA)
            assert accounted(report)
            assert before(report)["byte[]"] == 10007 - 5003
            assert before(report)["Census$Inner"] == 503
            assert before(report)["java.lang.String"] == before(first)["java.lang.String"]
            assert report["families"]["global"]["outstanding"] == 2003 - 101
            assert report["families"]["global"]["released_untracked"] == 5003
            assert not any(report["drops"].values()), report["drops"]


def last_table(tracer):
    with open(tracer.out.name, encoding="utf-8") as out:
        return out.read().split("jnitrace - ")[-1]


def inner_rows(tracer):
    return [line.split() for line in last_table(tracer).splitlines() if "before attach" in line and "Census$Inner" in line]


def test_the_table_has_a_row_for_each_class():
    with Fixture("17", *STEADY) as target:
        target.do("hold inner 10007 3", "weak inner 5003 1")
        with Tracer(pids=[target.pid], json_out=False, interval="0.2") as tracer:
            tracer.wait_tracing()
            target.do("drop 1009")
            wait_until(lambda: [row[0] for row in inner_rows(tracer)] == ["8,998", "5,003"])
            tracer.proc.send_signal(2)
            assert tracer.proc.wait(60) == 0
            rows, table = inner_rows(tracer), last_table(tracer)
    assert [row[0] for row in rows] == ["8,998", "5,003"], table
    assert rows[1][-1] == "(weak)", table
    assert re.search(r"tracked \S+ \+ before attach \S+ (\+ the VM's own \S+ )?= (\S+) of \2\b", table), table


@pytest.mark.asan
@pytest.mark.parametrize("kind", ["17", "sid-21", "sid-25"])
def test_a_missed_delete_is_no_leak(kind):
    with Fixture(kind, *STEADY) as target:
        address = destroy_global(target)
        with Tracer(pids=[target.pid], interval="0.1") as tracer:
            tracer.wait_tracing()
            target.do("hold string 1009 1009")
            tracer.wait_report(lambda r: r["families"]["global"]["outstanding"] == 1009 and is_at_rest(r))
            target.do(f"dropunseen {address} 503")
            seen = tracer.wait_report(lambda r: r["drops"]["release_missed"] == 503)
            assert seen["families"]["global"]["outstanding"] == 506 and accounted(seen)
            # their handles come again, or others do: each was missed once
            target.do("hold inner 307 307", "drop 101")
            tracer.wait_report(lambda r: r["calls"]["DeleteGlobalRef"] == 101)
            final = tracer.stop(code=5)[target.pid]
            missed = [r["drops"]["release_missed"] for r in tracer.reports()]
        assert missed == sorted(missed)
        jsonschema.validate(final, SCHEMA)
        assert accounted(final)
        assert final["drops"].pop("release_missed") == 503
        assert not any(final["drops"].values())
        assert final["families"]["global"]["outstanding"] == 506 + 307 - 101
        assert sum(s["outstanding"] for s in final["sites"] if s["family"] == "global") == 506 + 307 - 101


def test_missed_deletes_of_very_many_on_a_screen():
    """The VM's tables are looked at more seldom there, but are: once some were missed, too."""
    with Fixture("17", *STEADY) as target:
        address = destroy_global(target)
        with Tmux(120, 30, "-p", target.pid) as screen:
            screen.until("q quit")
            target.do("hold string 100003 1009")
            for unseen, sum_of in ((503, "503"), (20011, "20,514")):
                target.do(f"dropunseen {address} {unseen}")
                screen.until(f"drops {sum_of} ")


@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_full_speed_makes_no_missed_delete(kind):
    """Four threads make and delete as fast as they can: nothing is taken for missed, and at rest all is accounted for."""
    with Fixture(kind, *STEADY) as target:
        target.do("hold string 1009 1009", "churn 4 1")
        with Tracer(pids=[target.pid], interval="0.05") as tracer:
            tracer.wait_tracing()
            time.sleep(5)
            target.do("stop", "gc")
            last = len(tracer.reports())
            tracer.wait_report(lambda r: len(tracer.reports()) > last + 2)
            final = tracer.stop()[target.pid]
            reports = tracer.reports()
        assert final["drops"]["release_missed"] == 0 and not any(final["drops"].values()), final["drops"]
        assert accounted(final)
        assert final["families"]["global"]["outstanding"] == 0
        assert before(final)["java.lang.String"] >= 1009
        for report in reports:
            # those in the middle of a call may be taken for old ones until the next look
            assert 1009 <= before(report)["java.lang.String"] <= 1009 + 64


