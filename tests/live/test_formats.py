# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What other programs make of the formats for them: the same stacks and the same numbers as in the JSON of these calls."""

import collections
import contextlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess

import pytest

from harness import BUILD, ENV, JNITRACE, SLOW, TOP, WARM_UP, Oracle, Tracer, assert_no_losses, jdk
from test_names import Wrapped

READERS = TOP / "build-readers"
# Primes, so that no wrong sum comes out right.
WORK = ("run 3 1009 7 503 5", "sites 23", "nest 17 19 4", "nulls 13", "hold 307", "threads 5 2 0", "run 2 11 101 13 0")
WRAPPED = ("whole 19", "inlined 29", "own 31")


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """The JSON, folded stacks and profile of the same calls: {format: path}."""
    folder = tmp_path_factory.mktemp("formats")
    files = {form: folder / f"out.{form}" for form in ("json", "folded", "pprof", "html")}
    with Oracle(jdk("17")) as oracle, Wrapped(jdk("17")) as wrapped, contextlib.ExitStack() as stack:
        oracle.do(*WARM_UP)
        wrapped.do("whole 1", "inlined 1", "own 1")  # loads the libraries
        tracers = [stack.enter_context(Tracer("--format", form, "-o", file, pids=[oracle.pid, wrapped.pid],
                                              json_out=False, interval="0.2" if form == "html" else "60"))
                   for form, file in files.items()]
        for tracer in tracers:
            tracer.wait_tracing()
        oracle.do(*WORK)
        wrapped.do(*WRAPPED)
        for tracer in tracers:
            tracer.wait_looks()  # all has its name
        for tracer in tracers:
            tracer.proc.send_signal(signal.SIGINT)
            assert tracer._collect() == 0, tracer.stderr
    return files


@pytest.fixture(scope="module")
def finals(seen):
    """The last report of each target."""
    reports = [json.loads(line) for line in seen["json"].read_text().splitlines()]
    finals = [r for r in reports if r["final"]]
    assert len(finals) == 2
    for report in finals:
        assert_no_losses(report)
        assert not report["sites_pending"]
    return finals


@pytest.fixture(scope="module")
def sites(finals):
    return [site for report in finals for site in report["sites"]]


def go_pprof(*args):
    """Go's pprof: it must not look for files of its own, nor say that something is wrong."""
    result = subprocess.run(["go", "tool", "pprof", *map(str, args)], env=dict(ENV, GOTOOLCHAIN="local", HOME="/nonexistent"),
                            capture_output=True, text=True, timeout=SLOW, check=False)
    assert result.returncode == 0, result
    assert not result.stderr, result.stderr
    return result.stdout


def raw_stacks(text):
    """Of `pprof -raw`: {(function called, frames): [outstanding, acquired]}, samples of one stack added up, and the locations."""
    samples, locations = text.split("\nLocations\n")
    places, number = {}, None
    for line in locations.split("\nMappings\n")[0].splitlines():
        found = re.fullmatch(r" *(\d+): 0x[0-9a-f]+ (?:M=\d+ )?(.*)", line)
        number, name = (int(found[1]), found[2]) if found else (number, line.strip())
        found = re.fullmatch(r"(.*) (\S*):(\d+)(?::\d+)? s=0", name)
        places.setdefault(number, []).append((found[1], found[2], int(found[3])))
    stacks, lines = collections.defaultdict(lambda: [0, 0]), iter(samples.split("[dflt]", 1)[1].splitlines()[1:])
    for line, labels in zip(lines, lines):
        outstanding, acquired, _, ids = re.fullmatch(r" *(\d+) +(\d+) +(\d+): ([\d ]+)", line).groups()
        frames = tuple(frame for i in ids.split() for frame in places[int(i)])
        row = stacks[(re.search(r"function:\[(\w+)\]", labels)[1], frames)]
        row[0] += int(outstanding)
        row[1] += int(acquired)
    return stacks, places


def frames_of(site):
    def name(frame):
        return frame["symbol"] or f"{frame['module']}+{frame['offset']}"

    frames = [(name(f), f["file"] or "", f["line"] or 0) for f in site["stack"]]
    return tuple(frames + [("[truncated]", "", 0)] * bool(site["truncated"]))


def test_pprof_reads_each_stack_and_number(seen, sites):
    stacks, places = raw_stacks(go_pprof("-raw", seen["pprof"]))
    want = collections.defaultdict(lambda: [0, 0])
    for site in sites:
        row = want[(site["function"], frames_of(site))]
        row[0] += site["outstanding"]
        row[1] += site["acquired"]
    assert dict(stacks) == dict(want)
    # what was inlined shares its location
    inlined = {f["symbol"] for site in sites for f in site["stack"] if f["inlined"] and f["type"] == "native"}
    assert inlined and inlined <= {name for lines in places.values() for name, _, _ in lines[:-1]}


def test_pprof_knows_the_files(seen, sites):
    mappings = go_pprof("-raw", seen["pprof"]).split("\nMappings\n")[1].splitlines()
    assert re.fullmatch(r"1: 0x0/0x0/0x0 several targets +\[FN\]\[FL\]\[LN\]\[IN\]", mappings[0]), mappings
    files = {(os.path.basename(m.split()[2]), m.split()[3]) for m in mappings[1:]}
    assert files == {(f["module"], f["build_id"]) for site in sites for f in site["stack"] if f["module"]}


def test_pprof_counts_by_class_family_and_pid(seen, finals, sites):
    tags = go_pprof("-tags", seen["pprof"])
    pids = {str(r["target"]["pid"]): sum(site["outstanding"] for site in r["sites"]) for r in finals}
    classes, families = collections.Counter(), collections.Counter()
    for site in sites:
        families[site["family"]] += site["outstanding"]
        for c in site["classes"]:
            classes[c["name"]] += c["outstanding"]
    got = {key: {name: int(float(n)) for n, name in re.findall(r"^ *([\d.]+) +\([^)]*\): (\S+)$", part, re.M)}
           for key, part in re.findall(r"^ *(\w+): Total .*\n((?:.+\n)*)", tags, re.M)}
    assert got["class"] == {name: n for name, n in classes.items() if n}
    assert got["family"] == {name: n for name, n in families.items() if n}
    assert got["pid"] == pids


def test_pprof_shows_the_leak(seen, finals, sites):
    top = go_pprof("-top", seen["pprof"])
    total = sum(site["outstanding"] for site in sites)
    assert "File: several targets\n" in top and "Type: outstanding\n" in top and f" of {total} total" in top
    held = sum(site["outstanding"] for site in sites if site["stack"][0]["symbol"] == "hold_global")
    assert re.search(rf"^ +{held} +\S+ +\S+ +{held} +\S+ +hold_global$", top, re.M), top
    assert re.search(rf"^ +{held} +100% \| +Oracle.hold$", go_pprof("-peek", "^hold_global$", seen["pprof"]), re.M)
    acquired = go_pprof("-top", "-sample_index=acquired", seen["pprof"])
    assert f" of {sum(site['acquired'] for site in sites)} total" in acquired
    comments = go_pprof("-comments", seen["pprof"])
    assert all(f"PID {r['target']['pid']}: {r['target']['main']}, HotSpot " in comments for r in finals)


def test_folded_has_the_same_stacks(seen, sites):
    got, want = collections.Counter(), collections.Counter()
    for line in seen["folded"].read_text().splitlines():
        stack, n = line.rsplit(" ", 1)
        got[stack] += int(n)
    for site in sites:
        if site["outstanding"]:
            want[";".join(name.replace(";", ":") for name, _, _ in reversed(frames_of(site)))] += site["outstanding"]
    assert got == want


def node(program, *args):
    """What a program of tests/page says as JSON."""
    shutil.copy(TOP / "tests/page" / program, READERS)
    result = subprocess.run(["node", READERS / program, *args], capture_output=True, text=True, timeout=2 * SLOW, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_speedscope_reads_the_same_stacks(seen, sites, tmp_path):
    """Its importer of folded stacks, and that of profiles, to which what was inlined is no frame."""
    read = node("speedscope.mjs", tmp_path, seen["folded"], seen["pprof"])
    folded, pprof = read[str(seen["folded"])], read[str(seen["pprof"])]
    want = collections.Counter()
    for site in sites:
        want[";".join(name.replace(";", ":") for name, _, _ in reversed(frames_of(site)))] += site["outstanding"]
    assert folded == {stack: n for stack, n in want.items() if n}
    assert sum(pprof.values()) == sum(want.values())


def in_browser(page, folder, search):
    """What a person finds in a page (tests/page/page.mjs). It loads nothing, and nothing in it fails."""
    seen = node("page.mjs", page, folder, search)
    assert set(seen["requests"]) == {page.resolve().as_uri()} and not seen["errors"], seen
    assert (folder / "page.pdf").read_bytes().startswith(b"%PDF")
    assert seen["too_wide"] == 0
    assert (seen["theme"], seen["dark_by_system"]) == ("light", "dark")
    return seen


def number(text):
    return int(text.replace(",", ""))


def test_page_shows_what_the_json_has(seen, finals, tmp_path):
    page = in_browser(seen["html"], tmp_path, "^hold_global$")
    # the first of both
    report = next(r for r in finals if page["title"].startswith(f"{r['target']['main']} ({r['target']['pid']})"))
    other = next(r for r in finals if r is not report)
    sites = report["sites"]
    outstanding = sum(site["outstanding"] for site in sites)
    assert page["targets"] == [f"{r['target']['main']} · PID {r['target']['pid']}" for r in (report, other)]
    assert page["next"].startswith(f"{other['target']['main']} ({other['target']['pid']})")
    for family, counts in report["families"].items():
        assert any(n.startswith(f"{family}{counts['outstanding']:,}outstanding of {counts['acquired']:,}") for n in page["numbers"])
    assert page["frames"][0] == f"all: {outstanding:,} outstanding (100.0 %)"
    assert len(page["by_acquired"]) == min(50, len(sites))
    acquired = [number(row[5]) for row in page["by_acquired"]]
    assert acquired == sorted((site["acquired"] for site in sites), reverse=True)[:50]
    names = [row[0].lower() for row in page["by_name"]]
    assert names[0] == min(names, key=lambda n: n.lstrip("▸_[")) or names[0] <= names[-1]
    # what is found, and where the arrow keys lead
    held = sum(site["outstanding"] for site in sites if site["stack"] and site["stack"][0]["symbol"] == "hold_global")
    assert (number(page["found"]), page["focused"]) == (held, "search")
    assert [row[0].split()[0] for row in page["sites_found"]] == ["▸hold_global"] or page["sites_found"]
    assert page["walked"].startswith("start_thread") and page["tip"].startswith("start_thread")
    assert page["zoomed"].startswith("all › ")
    # by class: all of them
    by_class = collections.Counter()
    for site in sites:
        for c in site["classes"]:
            by_class[c["name"]] += c["outstanding"]
    shown = {label.split(": ")[0]: number(label.split(": ")[1].split()[0]) for label in page["classes"]}
    assert shown.pop("?", 0) == outstanding - sum(by_class.values())
    assert shown.items() <= by_class.items() and sum(shown.values()) > 0.9 * sum(by_class.values())
    assert page["chart"] == 1 and len(page["family_lines"]) == len(report["families"])


def test_page_of_hostile_names(tmp_path):
    """Names that would be markup, of a report made by hand, whose numbers grow."""
    page = tmp_path / "page.html"
    subprocess.run([BUILD / "tests/golden/test_html"], env=dict(os.environ, JNITRACE_PAGE=str(page)), cwd=TOP, check=True,
                   capture_output=True)
    seen = in_browser(page, tmp_path, "hacked")
    assert (seen["hacked"], seen["scripts"], seen["images"]) == (None, 2, 0)
    assert seen["title"].startswith("</script><script>globalThis.hacked = 1</script>")
    [leak] = [line for line in seen["lines"] if "hacked" in line]
    assert leak.endswith(" 10 +60 per minute (±3): 3,610 in an hour, 86,410 in a day")
    assert any(label.startswith("</script><script>") for label in seen["classes"])
    assert number(seen["found"]) == 10 and len(seen["sites_found"]) == 1


def test_a_profile_is_not_written_to_a_terminal(oracle):
    master, slave = pty.openpty()
    with open(slave, "w") as terminal, open(master, "rb", 0):
        result = subprocess.run([JNITRACE, "-p", str(oracle.pid), "--format", "pprof"], env=ENV, stdin=subprocess.DEVNULL,
                                stdout=terminal, stderr=subprocess.PIPE, text=True, timeout=SLOW, check=False)
    assert result.returncode == 2
    assert result.stderr == "jnitrace: write the output: pprof is no text, and this is a terminal (name a file: -o FILE)\n"
