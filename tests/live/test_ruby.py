# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Ruby: a library is called by the gem ffi, in known numbers, from methods, blocks, threads and finalizers (tests/ruby)."""

import glob
import os
import signal
import subprocess

import pytest

from harness import BUILD, ENV, FIXTURES, TOP, Tracer, assert_no_losses, assert_schema, lacking, probes_of, read_line, run_tool

DRIVER = TOP / "tests/ruby/driver.rb"
RULE = ("--pair", "texture=libtexture:texture_new(ret)/texture_free(arg0)+?texture_live(arg0)")
ROOT = os.environ.get("JNITRACE_INTERPRETERS_ROOT", "/var/cache/jnitrace/interpreters") + "/trixie/usr"
LIBRARIES = ROOT + "/lib/x86_64-linux-gnu"
LINES = DRIVER.read_text().splitlines()


def line_of(text, nth=0):
    return [i + 1 for i, line in enumerate(LINES) if text in line][nth]


def of_suite():
    """Ruby 3.3 with its own C library (scripts/interpreters)."""
    gem = LIBRARIES + "/rubygems-integration/3.3.0"
    folders = [ROOT + "/lib/ruby/3.3.0", LIBRARIES + "/ruby/3.3.0", *glob.glob(gem + "/extensions/*/3.3.0/ffi-1*"), *glob.glob(gem + "/gems/ffi-1*/lib")]
    return [ROOT + "/lib64/ld-linux-x86-64.so.2", "--library-path", LIBRARIES, ROOT + "/bin/ruby3.3", "--disable-gems"], ":".join(folders)


RUBIES = {"3.1": (["/usr/bin/ruby3.1"], ""), "3.3": of_suite()}
YJIT = {"3.1": (["/usr/bin/ruby3.1", "--yjit", "--yjit-call-threshold=2"], "")}  # Debian's 3.3 is built without


class Ruby:
    def __init__(self, version, rubies=RUBIES):
        argv, folders = rubies[version]
        env = dict(ENV, JNITRACE_TEXTURES=str(FIXTURES / "libtexture.so"))
        env.update({"RUBYLIB": folders} if folders else {})
        self.proc = subprocess.Popen([*argv, str(DRIVER)], bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        self.pid = self.proc.pid

    def __enter__(self):
        assert read_line(self.proc.stdout) == "ready\n"
        return self

    def __exit__(self, *_):
        self.proc.kill()
        self.proc.wait()
        self.proc.stdin.close()
        self.proc.stdout.close()

    def do(self, *commands):
        for command, n in commands:
            self.proc.stdin.write(f"{command} {n}\n".encode())
            assert read_line(self.proc.stdout) == "done\n", command


def frames(stack):
    """The functions of the program itself, innermost first, without what Ruby is written in itself."""
    return [(f["symbol"], f["file"], f["line"]) for f in stack if f["type"] == "script" and f["file"] not in (None, "<internal:numeric>")]


def called(*own):
    """The stack of a command: its own frames, and what called it."""
    send = line_of("send(command, n.to_i)")
    return [*own, ("block in <main>", "driver.rb", send), ("<main>", "driver.rb", line_of("$stdin.each_line"))]


def at(symbol, text, nth=0):
    return symbol, "driver.rb", line_of(text, nth)


@pytest.mark.parametrize("version", RUBIES)
def test_methods_lines_and_finalizers(version):
    """
    What is freed by hand and again by its finalizer is told with both stacks; the innocent, which are freed once or by their
    finalizer alone, are silent.
    """
    kept = {"leak": 101, "descend": 37, "by_define_method": 41, "in_a_thread": 43, "in_a_fiber": 47, "far": 53}
    twice, once, forgotten = 61, 67, 71
    with Ruby(version) as ruby, Tracer(*RULE, pids=[ruby.pid]) as tracer:
        tracer.wait_tracing()
        ruby.do(*kept.items(), ("compact", 0), ("leak", kept["leak"]))
        ruby.do(("come_and_go", once), ("forget", forgotten), ("close_twice", twice), ("collect", once + forgotten + 2 * twice))
        probes = probes_of(ruby.pid, *RULE)
        report = tracer.stop()[ruby.pid]
    assert_no_losses(report)
    assert_schema(report, *probes)
    assert report["target"]["vm"] == "Ruby" and report["target"]["vm_version"].startswith(version + ".")
    assert report["stacks"]["no_java"] is None
    left = sum(kept.values()) + kept["leak"]
    assert tuple(report["families"]["texture"][k] for k in ("acquired", "released", "outstanding")) == (
        left + once + forgotten + twice, once + forgotten + twice, left)
    assert report["calls"]["texture_free"] == once + forgotten + 2 * twice
    assert_sites(report, kept, once)
    assert {f["kind"] for f in report["findings"]} == {"double-release"}
    assert sum(f["count"] for f in report["findings"]) == twice
    for finding in report["findings"]:
        again = [f["symbol"] for f in finding["stack"] if f["type"] == "script"]
        assert again[:3] == ["release", "release", "call"] and "[finalizer]" in again, again
        assert frames(finding["release_stack"]) == [("close", "texture.rb", 21), at("block (2 levels) in close_twice", "new).close"),
                                                    at("block in close_twice", "new).close")]
        assert frames(finding["acquire_stack"]) == frames(finding["release_stack"])[1:]


def test_code_that_yjit_has_compiled():
    """It has Ruby's frames, of which each call has its own, whole; the native ones end where it was called, and a gap says so."""
    n = {"leak": 101, "descend": 37, "in_a_thread": 43, "come_and_go": 59, "far": 53}
    with Ruby("3.1", YJIT) as ruby, Tracer(*RULE, pids=[ruby.pid]) as tracer:
        tracer.wait_tracing()
        ruby.do(*n.items())
        tracer.wait_report(lambda r: sum(s["acquired"] for s in r["sites"]) == sum(n.values()) and not r["sites_pending"])
        report = tracer.stop()[ruby.pid]
    assert_no_losses(report)
    new, sums = "Lib.texture_new", {}
    for site in report["sites"]:
        gaps = [f["symbol"] for f in site["stack"] if "missing" in (f["symbol"] or "")]
        assert site["truncated"] is None and gaps in ([], ["[native frames missing: Java or generated code follows]"]), site
        sums[tuple(frames(site["stack"]))] = sums.get(tuple(frames(site["stack"])), 0) + site["acquired"]
    assert sums == {tuple(own): count for own, count in (
        (called(at("block in leak", new), at("leak", "n.times do")), n["leak"]),
        (called(at("block in descend", "n.times { Lib"), at("descend", "n.times { Lib"), *[at("descend", "return descend")] * 40), n["descend"]),
        ([at("block in leak", new), at("leak", "n.times do"), at("block in in_a_thread", "Thread.new { leak")], n["in_a_thread"]),
        (called(at("block in come_and_go", "new).free"), at("come_and_go", "new).free")), n["come_and_go"]),
        (called(("block in far", "far.rb", 403), ("far", "far.rb", 403)), n["far"]))}
    compiled = report["stacks"]["incomplete"]
    assert lacking(report) == {"not_code": compiled} and compiled > sum(n.values()) / 2


def assert_sites(report, kept, once):
    """Each by its own frames: of methods and blocks, of a function made of a block, on the stacks of a thread and of a fiber."""
    sites, new, made = {}, "Lib.texture_new", ":by_define_method)"
    for site in report["sites"]:
        assert site["truncated"] is None or "in_a_fiber" in str(site["stack"]), site
        sites.setdefault(tuple(frames(site["stack"])), []).append((site["acquired"], site["outstanding"]))
    for own, acquired, outstanding in (
            (called(at("block in leak", new), at("leak", "n.times do")), 2 * kept["leak"], 2 * kept["leak"]),
            (called(at("block in come_and_go", "new).free"), at("come_and_go", "new).free")), once, 0),
            (called(at("block in descend", "n.times { Lib"), at("descend", "n.times { Lib"), *[at("descend", "return descend")] * 40), kept["descend"], kept["descend"]),
            (called(at("block (2 levels) in <main>", made), at("block in <main>", made)), kept["by_define_method"], kept["by_define_method"]),
            ([at("block in leak", new), at("leak", "n.times do"), at("block in in_a_thread", "Thread.new { leak")], kept["in_a_thread"], kept["in_a_thread"]),
            ([at("block (2 levels) in in_a_fiber", "Fiber.new"), at("block in in_a_fiber", "Fiber.new")], kept["in_a_fiber"], kept["in_a_fiber"]),
            (called(("block in far", "far.rb", 403), ("far", "far.rb", 403)), kept["far"], kept["far"])):
        assert tuple(map(sum, zip(*sites.pop(tuple(own))))) == (acquired, outstanding), (own, sites)


def test_code_that_is_gone_has_no_other_name():
    """Other code lies in its place soon: what was thrown away before it was looked at is told, and has not that one's name."""
    with Ruby("3.1") as ruby, Tracer(*RULE, pids=[ruby.pid]) as tracer:
        tracer.wait_tracing()
        ruby.do(("throw_away", 509), ("leak", 89))
        tracer.proc.send_signal(signal.SIGINT)
        report = tracer.end(tracer.proc.wait())[ruby.pid]
    unnamed = sum(s["acquired"] for s in report["sites"] if "[Ruby frame]" in str(s["stack"]))
    assert bool(unnamed) == bool(report["drops"]["java_unnamed"])
    assert sum(s["acquired"] for s in report["sites"]) == 509 + 89
    for site in report["sites"]:
        symbol, file, line = next((f["symbol"], f["file"], f["line"]) for f in site["stack"] if f["type"] == "script")
        assert symbol == "[Ruby frame]" or (symbol, file, line) == at("block in leak", "Lib.texture_new") or \
            (symbol, file) == ("thrown", "thrown.rb") and 2 <= line <= 8, site


FIDDLE = """
require 'fiddle'
make = Fiddle::Function.new(Fiddle.dlopen(ENV['JNITRACE_TEXTURES'])['texture_new'], [], Fiddle::TYPE_VOIDP)
$stdout.sync = true
puts 'ready'
gets
73.times { make.call }
puts 'done'
gets
"""


def test_another_version_is_refused_and_counted(tmp_path):
    """Its frames are not shown, with the reason; the counts stay."""
    library = glob.glob("/usr/lib/x86_64-linux-gnu/libruby-3.1.so.3.1")[0]
    data = open(library, "rb").read()
    assert data.count(b"\0003.1.2\0") == 1
    (tmp_path / "libruby-3.1.so.3.1").write_bytes(data.replace(b"\0003.1.2\0", b"\0003.0.9\0"))
    env = dict(ENV, JNITRACE_TEXTURES=str(FIXTURES / "libtexture.so"), LD_LIBRARY_PATH=str(tmp_path))
    with subprocess.Popen(["ruby3.1", "--disable-gems", "-e", FIDDLE], bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env) as ruby:
        assert read_line(ruby.stdout) == "ready\n"
        with Tracer(*RULE, pids=[ruby.pid]) as tracer:
            tracer.wait_tracing()
            ruby.stdin.write(b"\n")
            assert read_line(ruby.stdout) == "done\n"
            table = run_tool("-p", ruby.pid, *RULE, "-d", "0.1").stdout
            report = tracer.stop()[ruby.pid]
        ruby.kill()
    assert_no_losses(report)
    assert report["families"]["texture"]["outstanding"] == 73
    assert report["stacks"]["no_java"] == "Ruby 3.0.9 is not known to this version (3.1 and 3.3 are)"
    assert "Ruby frames are not shown: Ruby 3.0.9" in " ".join(table.split())
    assert report["stacks"]["reasons"]["script_off"] == 73
    assert not any(f["type"] == "script" for s in report["sites"] for f in s["stack"])
