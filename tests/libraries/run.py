# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Real libraries, used rightly, traced with all that is checked: each row of rows.py is run and traced for a while, and a
finding that the row does not name, a loss, a crash or a count that does not fit another one fails it.

Usage: run.py BUILD [--seconds N] [--jdk MAJOR] [--only WORD[,WORD]] [--beside N] [--keep FOLDER] [--write]
"""

import argparse
import concurrent.futures
import contextlib
import glob
import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

import jsonschema

sys.path.insert(0, os.path.dirname(__file__))
import rows  # noqa: E402

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
SCHEMA = json.loads((TOP / "docs/jnitrace-1.schema.json").read_text())
DOC = TOP / "docs/libraries.md"
JNI_PATH = "/usr/lib/jni:/usr/lib/x86_64-linux-gnu/jni:/usr/lib/x86_64-linux-gnu"
START_S = 120  # after which a program that is not ready is broken
FEWEST_PER_S = 50  # of JNI calls; else the work is none
LAST_S = 1  # before the end: what is new then may have no names
EXIT_LOSS = 5
FAMILIES_OF_HANDLES = ("global", "weak")


class Failed(Exception):
    """What is wrong, one line."""


def jdk_home(major):
    """This machine's JDK of that number."""
    for release in sorted(glob.glob("/usr/lib/jvm/*/release")):
        if re.search(rf'^JAVA_VERSION="{major}[."]', Path(release).read_text(), re.M):
            return Path(release).parent.resolve()
    sys.exit(f"libraries: no JDK {major} in /usr/lib/jvm")


def package_version(name):
    found = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True, check=False)
    return found.stdout or "?"


def jars_of(row):
    return ":".join(jar if jar.startswith("/") else f"/usr/share/java/{jar}.jar" for jar in row.jars)


def compile_work(row, home, folder):
    """For the JDK that runs it: some use what the oldest has not."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = [HERE / f"work/{row.work}.java"]
    done = subprocess.run([home / "bin/javac", "-g", "-encoding", "UTF-8", "-cp", f"{HERE}/work:{jars_of(row)}", "-d", folder, *sources], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"javac: {done.stderr[:1500]}")
    with zipfile.ZipFile(folder / "agent.jar", "w") as jar:  # for what is an agent
        jar.writestr("META-INF/MANIFEST.MF", f"Premain-Class: {row.work}\nCan-Retransform-Classes: true\nCan-Redefine-Classes: true\n")


class Program:
    """A row's program, which works until it is told to end, by a line, and then ends as it does without a tracer."""

    def __init__(self, row, home, folder):
        self.dir = tempfile.TemporaryDirectory(prefix="jnitrace-library-")
        env = dict(os.environ, JAVA_HOME=str(home), LD_LIBRARY_PATH=f"{home}/lib/server", LC_ALL="C.UTF-8",
                   CLASSPATH=f"{folder}:{jars_of(row)}", JNI_PATH=JNI_PATH)
        self.log = tempfile.TemporaryFile()
        self.proc = subprocess.Popen(self.argv(row, home, folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                     cwd=self.dir.name, env=env, start_new_session=True)
        self.out = b""
        self.pid = self.proc.pid

    @staticmethod
    def argv(row, home, folder):
        named = {"folder": folder, "here": HERE, "java": home / "bin/java"}
        if row.host:
            return [arg.format(**named) for arg in row.host]
        return [*row.under, str(home / "bin/java"), "-Xmx512m", f"-Djava.library.path={JNI_PATH}", "-Djava.awt.headless=true",
                *(arg.format(**named) for arg in row.jvm), "Work", row.work, str(row.pause_ms)]

    def wait_ready(self):
        end = time.monotonic() + START_S
        while b"ready\n" not in self.out:
            ready, _, _ = select.select([self.proc.stdout], [], [], max(0, end - time.monotonic()))
            chunk = os.read(self.proc.stdout.fileno(), 4096) if ready else b""
            if not chunk:
                raise Failed(f"does not start: {self.says()}")
            self.out += chunk
        other = re.search(rb"^pid (\d+)$", self.out, re.M)  # the JVM is not in the process that was started
        if other:
            self.pid = int(other[1])

    def check_mapped(self, library):
        names = {Path(line.split(None, 5)[5]).name for line in Path(f"/proc/{self.pid}/maps").read_text().splitlines() if line.count("/")}
        if library and not any(re.fullmatch(library, name) for name in names):
            raise Failed(f"{library} is not in it")

    def says(self):
        self.log.seek(0)
        text = (self.out + self.log.read()).decode(errors="replace").strip()
        return " / ".join(text.splitlines()[:14])[:1500] or "nothing"

    def end(self):
        """Ask it to, and wait."""
        Path(self.dir.name, "end").touch()  # for one that cannot read without waiting
        with contextlib.suppress(BrokenPipeError):
            self.proc.stdin.write(b"end\n")
            self.proc.stdin.close()
        try:
            code = self.proc.wait(START_S)
        except subprocess.TimeoutExpired:
            raise Failed("does not end") from None
        if code:
            raise Failed(f"ended with {code}: {self.says()}")

    def close(self):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()
        for stream in (self.proc.stdin, self.proc.stdout, self.log):
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        self.dir.cleanup()


def wait_while(seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end and what():
        time.sleep(0.1)


def trace(tool, program, seconds):
    """(exit code, stderr, its reports): from when the program is ready until it ends."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        argv = [str(tool), "-p", str(program.pid), "-e", "all", "--check", "--json", "-i", "10s"]
        tracer = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

        def running():
            return tracer.poll() is None and program.proc.poll() is None

        try:
            wait_while(START_S, lambda: running() and b"jnitrace: tracing " not in os.pread(err.fileno(), 65536, 0))
            wait_while(seconds, running)
            program.end()
            code = tracer.wait(START_S)
        except subprocess.TimeoutExpired:
            raise Failed("the tracer does not end") from None
        finally:
            if tracer.poll() is None:
                tracer.kill()
                tracer.wait()
        out.seek(0)
        err.seek(0)
        return code, err.read().decode(errors="replace"), [json.loads(line) for line in out.read().splitlines()]


def finding_name(finding):
    """Where the row looks for it: the kind, and the library it was made in."""
    modules = [f["module"] for f in finding["stack"] or finding["acquire_stack"] or [] if f["type"] == "native"]
    return f"{finding['kind']} {modules[0] if modules else '?'}"


def wrong(row, code, said, reports):
    """Whatever is not as it must be, a line each."""
    if not reports or not reports[-1]["final"]:
        yield f"exit {code} without a final report: {said.strip()[-500:]}"
        return
    final = reports[-1]
    # What was seen for the first time just before the end cannot be named.
    alive = ([r for r in reports if r["elapsed_s"] < final["elapsed_s"] - LAST_S] or reports)[-1]
    try:
        jsonschema.validate(final, SCHEMA)
    except jsonschema.ValidationError as e:
        yield f"schema: {e.message[:200]}"
    lost = {name for name, n in final["drops"].items() if n}
    if code and not (code == EXIT_LOSS and lost and lost <= row.lacks.keys()):
        yield f"exit {code}: {said.strip()[-500:]}"
    if final["end_reason"] != "exited":
        yield f"ended: {final['end_reason']}"
    for name in sorted(lost - row.lacks.keys()):
        yield f"drops: {final['drops'][name]} {name}"
    for finding in final["findings"]:
        if finding_name(finding) not in row.known:
            yield f"finding: {finding['severity']} {finding_name(finding)}, {finding['count']} times, in {finding['function']}"
    names = Counter(finding_name(f) for f in final["findings"])
    for name, n in names.items():
        if n > 3 and name not in row.known:
            yield f"{n} findings of one kind in one library: {name}"
    for library in alive["libraries"] or []:
        if library["module"] is None:
            yield f"library without a name, {library['sites']} sites"
    yield from miscounted(reports)
    if alive["stacks"]["no_java"]:
        yield f"no Java: {alive['stacks']['no_java']}"
    for reason, n in alive["stacks"]["reasons"].items():
        if n and reason not in row.lacks:
            yield f"stacks: {n} lack frames: {reason}"
    if final["sites_pending"]:
        yield f"{final['sites_pending']} sites have no names"
    if final["overhead"]["events"] < final["elapsed_s"] * FEWEST_PER_S:
        yield f"only {final['overhead']['events']} events"


def miscounted(reports):
    """Counts that do not fit each other."""
    final = reports[-1]
    for report in reports:
        for name, f in report["families"].items():
            if name == "local" or f["outstanding"] is None:
                continue
            if f["acquired"] - f["released"] != f["outstanding"]:
                yield f"{name}: {f['acquired']} - {f['released']} is not {f['outstanding']}"
            if name in FAMILIES_OF_HANDLES and f["released_untracked"] > (reports[0]["families"][name]["before_attach"] or 0) + \
                    reports[0]["families"][name]["released_untracked"]:
                yield f"{name}: {f['released_untracked']} released that nobody acquired"
    by_family = Counter()
    for site in final["sites"]:
        by_family[site["family"]] += site["acquired"]
    for name, f in final["families"].items():
        if f["acquired"] != by_family[name]:
            yield f"{name}: {f['acquired']} acquired, the sites' sum is {by_family[name]}"
        # What was in the hands of a thread when the probes came.
        if name not in FAMILIES_OF_HANDLES and name != "local" and f["released_untracked"] > 8:
            yield f"{name}: {f['released_untracked']} released that nobody acquired"
    if any(f["doubt"] for f in final["findings"]):
        yield "a finding is in doubt"


def run_row(row, major, home, args):
    """(row, JDK, what is wrong, final report)"""
    program = None
    try:
        folder = args.build / f"libraries/{major}/{row.work}"
        if row.work:
            compile_work(row, home, folder)
        program = Program(row, home, folder)
        program.wait_ready()
        program.check_mapped(row.library)
        code, said, reports = trace(args.build / "jnitrace", program, args.seconds)
        if args.keep:
            args.keep.mkdir(parents=True, exist_ok=True)
            (args.keep / f"{row.name.replace(' ', '-')}-{major}.json").write_text("".join(json.dumps(r) + "\n" for r in reports))
        return row, major, list(dict.fromkeys(wrong(row, code, said, reports))), reports[-1] if reports else None
    except Failed as e:
        return row, major, [str(e)], None
    finally:
        if program:
            program.close()


def cells(row, major, final):
    lacking = final["stacks"]["incomplete"]
    events = final["overhead"]["events"] / final["elapsed_s"] if final["elapsed_s"] else 0
    names = Counter(finding_name(f) for f in final["findings"])
    found = "; ".join(f"{name}{f' at {n} places' if n > 1 else ''}: {row.known.get(name, 'NOT KNOWN')}" for name, n in sorted(names.items()))
    versions = ", ".join(f"{p} {package_version(p)}" for p in row.packages) or f"{final['target']['vm_version']}"
    return (row.name, versions, str(major), f"{events:,.0f}", f"{len(final['sites']):,}",
            f"{lacking:,} of {lacking + final['stacks']['complete']:,}" if lacking else "0", found or "none")


TITLES = ("library", "packages", "JDK", "events/s", "sites", "stacks that lack frames", "findings")


def table(results):
    lines = [TITLES, ("---",) * len(TITLES)]
    lines += [cells(row, major, final) for row, major, _, final in results if final]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def write_doc(text):
    begin, end = "<!-- table: begin -->\n", "<!-- table: end -->\n"
    old = DOC.read_text()
    DOC.write_text(old[:old.index(begin) + len(begin)] + text + old[old.index(end):])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--jdk", type=int, action="append")
    parser.add_argument("--only", default="")
    parser.add_argument("--beside", type=int, default=3, help="how many at once")
    parser.add_argument("--keep", type=Path, help="write the reports into this folder, as soon as they are there")
    parser.add_argument("--write", action="store_true", help="write the table into docs/libraries.md")
    args = parser.parse_args()
    args.build = args.build.resolve()
    todo = [(row, major, jdk_home(major), args) for row in rows.ROWS for major in args.jdk or rows.JDKS
            if major in row.jdks and any(word in row.name.lower() for word in args.only.lower().split(","))]
    results, bad = [], 0
    with concurrent.futures.ThreadPoolExecutor(args.beside) as pool:
        for result in (done.result() for done in concurrent.futures.as_completed([pool.submit(run_row, *one) for one in todo])):
            row, major, faults, final = result
            results.append(result)
            bad += bool(faults)
            rate = f"{final['overhead']['events'] / final['elapsed_s']:,.0f} events/s" if final and final["elapsed_s"] else ""
            print(f"{'not ok' if faults else 'ok'} - {row.name}, JDK {major} {rate}", *(f"\n    {fault}" for fault in faults), flush=True)
    text = table(sorted(results, key=lambda result: (rows.ROWS.index(result[0]), result[1])))
    print("\n" + text + f"\n{len(todo) - bad} of {len(todo)} rows are as they must be")
    if args.write:
        write_doc(text)
    return 1 if bad or not todo else 0


if __name__ == "__main__":
    sys.exit(main())
