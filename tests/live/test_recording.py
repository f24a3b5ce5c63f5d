# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Recordings: what report says of one is what the run itself said, to the byte; and what is left of a run that was cut off."""

import fcntl
import json
import os
import pty
import random
import re
import shutil
import signal
import subprocess
import termios
import time
from pathlib import Path

import pytest

import recorded
from harness import BUILD, ENV, JNITRACE, SLOW, WARM_UP, Oracle, Tracer, assert_error, assert_exact, by_caller, jdk, run_tool, wait_until


def report(file, *args, code=0, prefix=()):
    result = run_tool("report", file, *args, prefix=prefix)
    assert result.returncode == code, (result.returncode, result.stderr)
    return result


def wait_bytes(file, n):
    wait_until(lambda: file.exists() and file.stat().st_size >= n)


# How each is asked for, of a run and of its recording.
FORMATS = {
    "json": (["--json"], ["--json"]),
    "table": (["-b", "-e", "all", "--check"], ["--each"]),
    "by class": (["-b", "-g", "class", "-r", "3"], ["--each"]),
    "by thread": (["--json", "-g", "thread"], ["--json"]),
    "csv": (["--format", "csv", "-s", "acquired"], ["--format", "csv"]),
    "folded": (["--format", "folded"], ["--format", "folded"]),
    "pprof": (["--format", "pprof"], ["--format", "pprof"]),
    "html": (["--format", "html"], ["--format", "html"]),
}


@pytest.mark.asan
def test_report_is_what_the_run_said(oracle, tmp_path):
    """Runs in every format beside each other, each with a recording."""
    oracle.do(*WARM_UP)
    runs = {}
    for name, (args, _) in FORMATS.items():
        file = tmp_path / f"{name}.jtr"
        runs[name] = Tracer(*args, "--record", file, "--fail-on", "leak", pids=[oracle.pid], json_out=False)
    for tracer in runs.values():
        tracer.wait_tracing()
    oracle.do("run 4 101 7 53 5", "hold 1009", "letgo", "sites 11", "threads 3 3 1")
    for name, tracer in runs.items():
        tracer.wait_looks()
        tracer.proc.send_signal(signal.SIGINT)
        code = tracer.proc.wait(SLOW)
        tracer.reader.join(SLOW)
        said, file, again = Path(tracer.out.name).read_bytes(), tmp_path / f"{name}.jtr", tmp_path / "again"
        assert file.stat().st_mode & 0o777 == 0o600
        result = run_tool("report", file, *FORMATS[name][1], "-o", again)
        assert result.returncode == code, (name, result.stderr, tracer.stderr)
        assert said and again.read_bytes() == said, name
        if name == "table":
            last = run_tool("report", file)
            assert said.decode().endswith(last.stdout) and " final (detached)" in last.stdout.splitlines()[1]
        tracer.__exit__()


def test_every_view_of_one_recording(oracle, tmp_path):
    """Without root, without the JVM, in a root folder where nothing else is; each format and group."""
    oracle.do(*WARM_UP)
    file = tmp_path / "run.jtr"
    before = oracle.now
    tracer = subprocess.Popen([JNITRACE, "record", "-p", str(oracle.pid), "-o", file, "-i", "0.2", "-g", "thread"],
                              stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    assert tracer.stderr.readline().startswith(b"jnitrace: tracing ")
    after = oracle.do("run 4 101 7 53 5", "sites 11")
    wait_bytes(file, 2000)
    tracer.send_signal(signal.SIGINT)
    out, err = tracer.communicate(timeout=SLOW)
    assert (tracer.returncode, out, err) == (0, b"", b"")
    oracle.kill()
    oracle.proc.wait()
    seen = subprocess.run(f"zstdcat {file} | jq -r 'select(.record == \"frame\" and .type == \"java\") | .symbol'", shell=True,
                          capture_output=True, text=True, check=True).stdout.split()
    assert "Oracle.main" in seen
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(JNITRACE, bare / "jnitrace")
    for word in subprocess.run(["ldd", JNITRACE], capture_output=True, text=True, check=True).stdout.split():
        if word.startswith("/"):
            (bare / word[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(word, bare / word[1:])
    shutil.copy(file, bare / "run.jtr")
    (bare / "run.jtr").chmod(0o644)
    for folder in (bare, *bare.rglob("*")):
        if folder.is_dir():
            folder.chmod(0o755)
    alone = ["chroot", "--userspec=65534:65534", bare, "/jnitrace", "report", "/run.jtr"]
    reports = [json.loads(line) for line in report(file, "--json").stdout.splitlines()]
    assert [r["final"] for r in reports][-2:] == [False, True]
    want = sum(s["made"] - s["dropped"] for s in after["sites"].values()) - sum(s["made"] - s["dropped"] for s in before["sites"].values())
    assert sum(f["outstanding"] for f in reports[-1]["families"].values()) == want
    # Native methods are no callers: those that call them are.
    callers = {g["caller"] for g in json.loads(report(file, "--json", "-g", "caller").stdout.splitlines()[-1])["groups"] if g["caller"]}
    natives = set(subprocess.run(f"zstdcat {file} | jq -r 'select(.record == \"frame\" and .native_method) | .symbol'", shell=True,
                                 capture_output=True, text=True, check=True).stdout.split())
    assert callers & set(seen) and natives and not callers & natives, (callers, natives)
    for args in ([], ["--json"], ["--format", "csv"], ["--format", "folded"], ["-g", "class"], ["-g", "function"], ["-g", "pid"],
                 ["-g", "thread", "--stacks", "native"], ["-s", "acquired", "-r", "1", "--width", "60"]):
        want = report(file, *args).stdout
        assert want
        got = subprocess.run([*alone, *args], capture_output=True, text=True, timeout=SLOW, check=False)
        assert (got.returncode, got.stderr, got.stdout) == (0, "", want)


def acquired(report):
    """By sites that have names."""
    return sum(s["acquired"] for s in report["sites"] if s["family"] == "global")


def test_moments(oracle, tmp_path):
    """--at is the state then, --from and --to what happened in between."""
    oracle.do(*WARM_UP)
    file = tmp_path / "run.jtr"
    with Tracer("--record", file, pids=[oracle.pid], interval="0.2") as tracer:
        tracer.wait_tracing()
        oracle.do("hold 101")
        first = tracer.wait_report(lambda r: acquired(r) >= 101)
        oracle.do("hold 1009")
        second = tracer.wait_report(lambda r: acquired(r) >= 1110)
        oracle.do("letgo")
        tracer.stop()
    [at] = [json.loads(line) for line in report(file, "--json", "--at", first["elapsed_s"]).stdout.splitlines()]
    assert at == first
    [window] = [json.loads(line) for line in
                report(file, "--json", "--from", first["elapsed_s"], "--to", second["elapsed_s"]).stdout.splitlines()]
    family = window["families"]["global"]
    assert (family["acquired"], family["released"]) == (1009, 0) and window["calls"]["NewGlobalRef"] == 1009
    assert acquired(window) == 1009
    length_s = second["elapsed_s"] - first["elapsed_s"]
    assert window["elapsed_s"] == pytest.approx(length_s, abs=1e-5)
    held = max(window["sites"], key=lambda s: s["acquired"])
    assert held["rate_per_s"] == pytest.approx(1009 / length_s, rel=1e-4)
    assert_error(run_tool("report", file, "--at", "0"), 1)
    assert changes(diff(file, "--from", first["elapsed_s"], "--to", second["elapsed_s"])) == {("hold_global", "grown", 1009)}
    assert_error(run_tool("diff", file, "--from", "0"), 1)


def diff(*args, code=0):
    """Of one process; its JSON, which is as the schema says."""
    result = run_tool("diff", *args, "--json")
    assert result.returncode == code, (result.returncode, result.stderr)
    subprocess.run([Path(__file__).parents[2] / "scripts/check-json-schema.py", "--strict"], input=result.stdout, text=True, check=True)
    return json.loads(result.stdout)


def changes(found):
    """What is not as it was: the function that calls JNI, how, and by how many references."""
    return {(next(f["symbol"] for f in (s["b"] or s["a"])["stack"] if not f["inlined"] and f["type"] != "vm"), s["change"], s["delta"])
            for s in found["sites"] if s["change"] != "same"}


def test_diff(oracle, tmp_path):
    """Two recordings with a known difference: just that is named, in both directions, and changes the exit code when asked."""
    oracle.do(*WARM_UP)

    def recorded(name, *commands):
        file = tmp_path / name
        with Tracer("--record", file, pids=[oracle.pid]) as tracer:
            tracer.wait_tracing()
            oracle.do(*commands)
            tracer.wait_looks()
            tracer.stop()
        return file

    old = recorded("old.jtr", "run 2 101 7 53 5", "hold 101", "sites 3")
    new = recorded("new.jtr", "run 2 101 7 53 5", "hold 1009", "sites 7")
    more = {("hold_global", "grown", 908), *((f"distinct_0x{i:03x}", "new", 1) for i in range(3, 7))}
    less = {("hold_global", "shrunk", -908), *((f"distinct_0x{i:03x}", "gone", -1) for i in range(3, 7))}
    found = diff(old, new)
    assert changes(found) == more
    assert {s["matched"] for s in found["sites"]} == {"id", None} and not found["findings"] and not found["modules"]
    assert changes(diff(new, old)) == less
    assert not changes(diff(new, new, "--fail-on", "new"))
    for what, forth, back in (("growth", 6, 0), ("new", 6, 0), ("finding", 0, 0)):
        assert diff(old, new, "--fail-on", what, code=forth) == found
        diff(new, old, "--fail-on", what, code=back)
    table = run_tool("diff", old, new, "--width", "80").stdout
    assert "101 -> 1,009" in table and max(map(len, table.splitlines())) <= 80
    assert run_tool("diff", old, new, "-p", oracle.pid).stdout == run_tool("diff", old, new).stdout
    assert_error(run_tool("diff", old, new, "-p", "1"), 4)
    assert_error(run_tool("diff", old, __file__), 1)


class NextOracle(Oracle):
    """Its library is of another build (tests/fixtures/rules.mk)."""

    def main(self, fixtures):
        return "Oracle", str(BUILD / "next/liboracle.so")


def test_diff_of_two_builds(tmp_path):
    """The same work with a library and its next build: it is said, sites are found by what both have, and the difference is named."""
    files = []
    for of, work in ((Oracle, ("hold 101", "sites 3")), (NextOracle, ("hold 1009", "sites 7"))):
        files.append(tmp_path / f"{of.__name__}.jtr")
        with of(jdk("17")) as oracle:
            oracle.do(*WARM_UP)
            with Tracer("--record", files[-1], pids=[oracle.pid]) as tracer:
                tracer.wait_tracing()
                oracle.do("run 2 101 7 53 5", "nest 3 2 1", *work)
                tracer.wait_looks()
                tracer.stop()
    more = {("hold_global", "grown", 908), *((f"distinct_0x{i:03x}", "new", 1) for i in range(3, 7))}
    found = diff(*files)
    assert changes(found) == more
    assert {s["matched"] for s in found["sites"]} - {"caller"} == {"names", None}
    [module] = found["modules"]
    assert module["module"] == "liboracle.so" and module["build_id_a"] != module["build_id_b"]
    table = run_tool("diff", *files).stdout
    assert "liboracle.so of two builds: " in table and " BY " in table


def test_targets_come_and_go(tmp_path):
    file = tmp_path / "run.jtr"
    with Oracle(jdk("17")) as a, Oracle(jdk("17")) as b:
        with Tracer("--record", file, pids=[a.pid, b.pid], interval="0.2") as tracer:
            tracer.wait_tracing()
            a.do("hold 101")
            b.do("hold 53")
            a.quit()
            tracer.wait_report(lambda r: r["final"])
            b.do("hold 7")
            b.quit()
            tracer.end()
            said = Path(tracer.out.name).read_text()
    assert report(file, "--json").stdout == said
    finals = [line for line in said.splitlines() if json.loads(line)["final"]]
    assert len(finals) == 2
    table = report(file).stdout
    assert f"PID {a.pid} " in table and f"PID {b.pid} " in table


# A pid namespace as in a container: no JVM of others is in it.
OWN_PIDS = ["unshare", "--pid", "--mount", "--propagation", "unchanged", "--fork", "--kill-child", "sh", "-c",
            'mount --make-rprivate /proc && mount -t proc proc /proc && exec "$@"', "sh"]


def test_all(tmp_path):
    """`record -a`: each JVM that is there, comes and goes is in the recording, told apart."""
    file = tmp_path / "run.jtr"

    def recorded():
        result = run_tool("report", file, "--json", "--allow-loss")  # also while it grows
        return [json.loads(line) for line in result.stdout.splitlines()]

    with Oracle(jdk("17"), prefix=OWN_PIDS, prefix_forks=True) as first:
        before = first.do(*WARM_UP)
        enter = ["nsenter", "--target", str(first.pid), "--pid", "--mount", "--root"]
        tracer = subprocess.Popen([*enter, JNITRACE, "record", "-a", "-o", file, "-i", "0.2", "-e", "global,weak", "--allow-loss"], env=ENV,
                                  stderr=subprocess.PIPE)
        assert tracer.stderr.readline().startswith(b"jnitrace: tracing 1: ")
        with Oracle(jdk("17"), prefix=enter, prefix_forks=True) as second:
            pid = second.now["pid"]  # as the tracer sees it
            wait_until(lambda: any(r["target"]["pid"] == pid for r in recorded()))
            second.do("run 3 1013 11 509 3")
            after = first.do("run 4 1009 7 503 5")
            second.send("quit 0")
            second.proc.wait(SLOW)
        wait_until(lambda: any(r["target"]["pid"] == pid and r["final"] for r in recorded()))
        [child] = Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGINT)
        _, err = tracer.communicate(timeout=SLOW)
        assert tracer.returncode == 0, err
    finals = {r["target"]["pid"]: r for r in recorded() if r["final"]}
    assert {pid: r["end_reason"] for pid, r in finals.items()} == {1: "detached", pid: "exited"}
    assert_exact(finals[1], before, after)
    assert by_caller(finals[pid])["leak_global"] == ("NewGlobalRef", 33, 0)
    table = report(file).stdout
    assert "PID 1 " in table and f"PID {pid} " in table


def start_recording(pid, file):
    tracer = subprocess.Popen([JNITRACE, "record", "-p", str(pid), "-o", file, "-i", "0.02"], stderr=subprocess.PIPE)
    assert tracer.stderr.readline().startswith(b"jnitrace: tracing ")
    return tracer


def test_killed(oracle, tmp_path):
    """At moments of all kinds; JNITRACE_KILLS=100 tries more of them."""
    oracle.do(*WARM_UP, "hold 101")
    chance = random.Random(7)
    for i in range(int(os.environ.get("JNITRACE_KILLS", 3))):
        file = tmp_path / f"{i}.jtr"
        tracer = start_recording(oracle.pid, file)
        oracle.do("hold 11")
        wait_bytes(file, chance.randrange(4000, 6000))  # several moments
        time.sleep(chance.random() / 50)
        tracer.kill()
        tracer.communicate()
        if i % 2:  # in the middle of a write
            os.truncate(file, file.stat().st_size - chance.randrange(60))
        result = report(file, code=5)
        assert result.stderr.count("\n") == 1 and "ends early" in result.stderr
        assert report(file, "--allow-loss").stdout == result.stdout and f"PID {oracle.pid} " in result.stdout
        reports = [json.loads(line) for line in report(file, "--json", code=5).stdout.splitlines()]
        assert reports and not any(r["final"] for r in reports)


def test_full_disk(oracle, tmp_path):
    oracle.do(*WARM_UP)
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12k", "tmpfs", folder], check=True)
    try:
        tracer = start_recording(oracle.pid, folder / "run.jtr")
        oracle.send("sites 41")
        _, err = tracer.communicate(timeout=SLOW)
        assert tracer.returncode == 1
        assert err.startswith(b"jnitrace: write the recording: No space left on device (") and err.count(b"\n") == 1
        assert "ends early" in report(folder / "run.jtr", code=5).stderr
    finally:
        subprocess.run(["umount", folder], check=True)


def test_refusals(tmp_path):
    """One line each."""
    for name, content in (("empty", b""), ("text", b"hello\n"), ("half", b"\x28\xb5\x2f\xfd")):
        (tmp_path / name).write_bytes(content)
        assert_error(run_tool("report", tmp_path / name), 1)
    assert_error(run_tool("report", "/dev/null"), 1)
    assert_error(run_tool("report", tmp_path / "not-there"), 1)
    assert_error(run_tool("report", tmp_path), 1)
    assert_error(run_tool("report"), 2)
    assert_error(run_tool("report", "a", "b"), 2)
    assert_error(run_tool("report", "a", "-p", "1"), 2)
    assert_error(run_tool("record", "-p", "1"), 2)
    assert_error(run_tool("report", "a", "--at", "1", "--from", "2"), 2)


def lines_of(file):
    return subprocess.run(["zstdcat", file], stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()


def test_what_is_not_believed(oracle, tmp_path):
    """A real recording that is of a newer version, damaged, or made to deceive: one line each, of every command that reads it."""
    good = tmp_path / "good.jtr"
    oracle.do(*WARM_UP)
    with Tracer("--record", good, pids=[oracle.pid], interval="0.2") as tracer:
        tracer.wait_tracing()
        oracle.do("hold 101", "sites 11")
        tracer.wait_report(lambda r: acquired(r) >= 112)
        tracer.stop()
    text, bad = lines_of(good), tmp_path / "bad.jtr"
    site = next(i for i, line in enumerate(text) if '"record":"site"' in line)
    stack = next(i for i, line in enumerate(text) if '"record":"stack"' in line)

    def refused(words, advice=""):
        for command in (["report", bad], ["diff", good, bad], ["diff", bad, good], ["report", bad, "--json", "--at", "0.1"]):
            result = run_tool(*command)
            assert_error(result, 1)
            assert str(bad) in result.stderr and words in result.stderr and advice in result.stderr

    def packed(lines):
        bad.write_bytes(subprocess.run(["zstd", "-q", "-c"], input="\n".join(lines).encode() + b"\n", stdout=subprocess.PIPE, check=True).stdout)

    def changed(number, old, new):
        assert old in text[number], text[number]
        packed([*text[:number], text[number].replace(old, new, 1), *text[number + 1:]])

    packed(text)
    assert report(bad).stdout == report(good).stdout
    changed(0, '"version":1', '"version":2')
    refused("a newer version of jnitrace wrote this recording", "read it with that version")
    changed(0, '"record":"recording"', '"record":"recorded"')
    refused("this is no recording")
    changed(site, '"acquired":', '"acquired":-')
    refused(f"damaged: line {site + 1}: no value that acquired can have")
    changed(stack, '"frames":[', '"frames":[99999999,')
    refused(f"damaged: line {stack + 1}: a frame that was never said")
    changed(site, '"site":', '"site":4294967296,"was":')
    refused(f"damaged: line {site + 1}: a row that its report has not")
    packed([*text[:site], text[site][:-5], *text[site + 1:]])
    refused(f"damaged: line {site + 1}: ")
    packed([*text[:site], f'{{"a":{"[" * 3000}', *text[site:]])
    refused(f"damaged: line {site + 1}: ")
    packed([*text[:site], " " * (17 << 20), *text[site:]])
    refused(f"damaged: line {site + 1}: it is too long")


def on_terminal(*args):
    """The tool with a terminal of its own as stderr."""
    master, slave = pty.openpty()
    proc = subprocess.Popen([JNITRACE, *map(str, args)], env=ENV, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=slave,
                            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(2, termios.TIOCSCTTY, 0))
    os.close(slave)
    return proc, master


def read_terminal(master, until=None):
    text = b""
    while until is None or not re.search(until, text):
        try:
            piece = os.read(master, 4096)
        except OSError:  # nobody has it open any more
            piece = b""
        if not piece:
            break
        text += piece
    return text.decode()


def test_long_work_shows_how_far_it_is(oracle, tmp_path):
    """On a terminal, and only there; a signal ends it."""
    small, large = tmp_path / "small.jtr", tmp_path / "large.jtr"
    oracle.do(*WARM_UP)
    with Tracer("--record", small, pids=[oracle.pid], interval="0.2") as tracer:
        tracer.wait_tracing()
        oracle.do("hold 101")
        tracer.wait_report(lambda r: acquired(r) >= 101)
        tracer.stop()
    text = lines_of(small)
    begin = text[:1 + next(i for i, line in enumerate(text) if '"record":"moment"' in line)]

    def make(moments):
        with open(large, "wb") as out, subprocess.Popen(["zstd", "-q", "-c"], stdin=subprocess.PIPE, stdout=out) as zstd:
            zstd.stdin.write("\n".join([*begin, ""]).encode())
            for i in range(moments):
                zstd.stdin.write(b'{"record":"report","process":1,"elapsed_s":%d}\n{"record":"moment","skipped":0}\n' % (100 + i))
            zstd.stdin.close()

    make(2000000)
    proc, terminal = on_terminal("report", large)
    seen = read_terminal(terminal, rb" \d+ %")
    assert re.search(r"^\r\x1b\[Kjnitrace: checking \S*large.jtr: \d+ %$", seen), seen
    proc.send_signal(signal.SIGINT)
    assert proc.wait(SLOW) == -signal.SIGINT
    os.close(terminal)
    # taken away at the end, if the machine was slow enough for it
    make(100000)
    proc, terminal = on_terminal("report", large, "--at", "90000", "--format", "html")
    seen = read_terminal(terminal)
    assert proc.wait(SLOW) == 0
    os.close(terminal)
    assert re.fullmatch(r"((\r\x1b\[Kjnitrace: (checking|reading) \S*large.jtr: \d+ %)+\r\x1b\[K)*", seen), seen
    assert report(large, "--at", "90000").stderr == ""


def test_one_of_before_threads_had_rates(tmp_path):
    """It opens, and a thread's rate is what it says of the whole run."""
    groups = json.loads(report(recorded.before_rates(tmp_path / "old.jtr"), "--json", "-g", "thread").stdout)["groups"]
    assert [(g["thread"], g["outstanding"], g["rate_per_s"], g["verdict"]) for g in groups] == [("holds", 40, 2, "growing"), ("gives back", 0, 0, "growing")]
