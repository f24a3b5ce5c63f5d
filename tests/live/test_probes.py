# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Probe sites: every strategy finds the same functions, and the cheapest instruction in each."""

import lzma
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import WARM_UP, Oracle, Tracer, assert_exact, copy_jdk17, jdk, probes_of, run_tool
from test_errors import WITHOUT_BPF
from test_pins import Pins

FUNCTIONS = {"NewGlobalRef", "DeleteGlobalRef", "NewWeakGlobalRef", "DeleteWeakGlobalRef"}


def entries(probes):
    return {(p["function"], p["operation"]): p["offset"] for p in probes}


def objcopy(*args):
    subprocess.run(["objcopy", *map(str, args)], check=True)


def with_debuglink(library):
    """As a distribution ships it: the symbols in a file of their own, beside the library."""
    debug = library.with_name("libjvm.so.debug")
    objcopy("--only-keep-debug", library, debug)
    objcopy("--strip-all", "--remove-section=.note.stapsdt", "--remove-section=.gnu_debuglink", library)
    objcopy(f"--add-gnu-debuglink={debug}", library)


def with_debugdata(library):
    """As Fedora and Android ship it: a symbol table in the library, compressed."""
    debug = library.with_name("mini")
    objcopy("--only-keep-debug", library, debug)
    debug.with_name("mini.xz").write_bytes(lzma.compress(debug.read_bytes(), preset=0))
    objcopy("--strip-all", "--remove-section=.note.stapsdt", f"--add-section=.gnu_debugdata={debug}.xz", library)
    debug.unlink()


@pytest.mark.asan
def test_strategies_agree(oracle):
    by_table = probes_of(oracle.pid, "--strategy", "function-table")
    by_symbol = probes_of(oracle.pid, "--strategy", "symtab")
    by_note = probes_of(oracle.pid, "--strategy", "usdt")
    assert entries(by_table) == entries(by_symbol)
    for name, probes in (("function-table", by_table), ("symtab", by_symbol), ("usdt", by_note)):
        assert {p["function"] for p in probes} == FUNCTIONS
        assert {p["strategy"] for p in probes} == {name}
    assert all(p["instruction"] == "nop" and p["cost"] == "emulated" for p in by_note)
    # A note's site lies inside the function that the symbol names.
    symbols = {}
    for line in subprocess.run(["nm", "-S", oracle.jdk.libjvm], capture_output=True, text=True, check=True).stdout.splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[3].startswith("jni_"):
            symbols[fields[3][4:]] = (int(fields[0], 16), int(fields[1], 16))
    code = [line.split() for line in subprocess.run(["readelf", "-lW", oracle.jdk.libjvm], capture_output=True, text=True,
                                                    check=True).stdout.splitlines() if " R E " in line]
    shift = int(code[0][2], 16) - int(code[0][1], 16)
    for probe in by_note:
        start, size = symbols[probe["function"]]
        assert start <= int(probe["offset"], 16) + shift < start + size


@pytest.mark.parametrize("make", [with_debuglink, with_debugdata])
def test_separate_debug_file(tmp_path, make):
    on = copy_jdk17(tmp_path / "jdk")
    make(Path(on.libjvm))
    with Oracle(on) as oracle:
        probes = probes_of(oracle.pid, "--strategy", "debugfile")
        assert {p["strategy"] for p in probes} == {"debugfile"}
        assert entries(probes) == entries(probes_of(oracle.pid, "--strategy", "function-table"))
        before = oracle.do(*WARM_UP)
        with Tracer("--strategy", "debugfile", pids=[oracle.pid]) as tracer:
            tracer.wait_tracing()
            after = oracle.do("run 2 1009 7 503 5")
            assert_exact(tracer.stop()[oracle.pid], before, after)
    with Pins(on, "-Xmx64m") as pins, Tracer("-e", "critical", pids=[pins.pid]) as tracer:
        tracer.wait_tracing()
        pins.do("stall 65536 1 100000")
        [finding] = tracer.stop()[pins.pid]["findings"]
        assert [s["name"] for s in finding["stalled"]] == ["the-stalled"], "where threads wait only symbols tell"
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.mark.parametrize("strategy", ["usdt", "symtab", "function-table"])
@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_every_strategy_is_exact(kind, strategy):
    with Oracle(jdk(kind)) as oracle:
        before = oracle.do(*WARM_UP)
        with Tracer("--strategy", strategy, pids=[oracle.pid]) as tracer:
            tracer.wait_tracing()
            after = oracle.do("run 4 1009 7 503 5", "nulls 13", "nest 17 19 4", "reuse 4 10007", "predrop")
            assert_exact(tracer.stop()[oracle.pid], before, after)


@pytest.mark.asan
@pytest.mark.parametrize("kind", ["17", "17-stripped", "sid-8", "sid-17", "sid-21", "sid-25"])
def test_no_site_is_single_stepped(kind):
    with Oracle(jdk(kind)) as oracle:
        probes = probes_of(oracle.pid)
    assert {p["function"] for p in probes} == FUNCTIONS
    for probe in probes:
        assert probe["cost"] in ("emulated", "uretprobe"), probe
        assert probe["instruction"] not in ("endbr64", "nop5"), probe
        assert set(probe) >= {"function", "operation", "file", "offset", "strategy", "instruction", "cost"}
    if kind == "17-stripped" or kind == "sid-8":
        assert {p["strategy"] for p in probes} == {"function-table"}
    else:
        assert {p["strategy"] for p in probes if p["operation"] == "return"} == {"usdt"}


SHORTCUTS = {f"Get{t}Field" for t in ("Boolean", "Byte", "Char", "Short", "Int", "Long", "Float", "Double")}


@pytest.mark.parametrize("kind, jvm_args, unseen", [
    ("17", [], SHORTCUTS), ("17-stripped", [], SHORTCUTS), ("sid-25", [], SHORTCUTS), ("17", ["-XX:-UseFastJNIAccessors"], set()),
    ("17", ["-Xcheck:jni"], set()), ("sid-26", [], SHORTCUTS)])
def test_what_check_does_not_see_is_told(kind, jvm_args, unseen):
    """The VM reads fields of primitive types by code that it generates; not so when it is told not to."""
    with Oracle(jdk(kind), *jvm_args) as oracle:
        probes = probes_of(oracle.pid, "--check")
        table = run_tool("probes", "-p", oracle.pid, "--check").stdout
    told = {u["function"]: u["why"] for u in probes[0]["unseen"]}
    assert set(told) == unseen and {tuple(p["unseen"]) == tuple(probes[0]["unseen"]) for p in probes} == {True}
    assert all("code that the VM has generated" in why for why in told.values())
    assert not unseen & {p["function"] for p in probes}
    blind = {(f["kind"], f["why"].split(",")[0]) for p in probes for f in p["unseen_findings"]}
    assert blind == ({("stale-use", "not among the arguments of methods")} if kind == "sid-26" else set())
    assert SHORTCUTS <= unseen | {p["function"] for p in probes}
    assert ("(8): calls come to code" in " ".join(table.split())) == bool(unseen)


def test_probes_needs_no_bpf(oracle):
    result = run_tool("probes", "-p", oracle.pid, prefix=WITHOUT_BPF)
    assert result.returncode == 0, result
    assert all(name in result.stdout for name in FUNCTIONS)


def test_cet_entry_is_after_endbr64():
    """Debian's sid builds begin with endbr64, which would have to be single-stepped."""
    with Oracle(jdk("sid-25")) as oracle:
        by_symbol = [p for p in probes_of(oracle.pid, "--strategy", "symtab") if p["operation"] == "entry"]
        assert by_symbol
        with open(oracle.jdk.libjvm, "rb") as file:
            for probe in by_symbol:
                file.seek(int(probe["offset"], 16) - 4)
                assert file.read(4) == b"\xf3\x0f\x1e\xfa", probe
