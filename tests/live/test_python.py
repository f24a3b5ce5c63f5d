# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Python: a library is called by ctypes, in known numbers, from functions, methods, generators and threads (tests/python)."""

import os
import subprocess

import pytest

from harness import ENV, FIXTURES, TOP, Tracer, assert_no_losses, assert_schema, probes_of, read_line

DRIVER = TOP / "tests/python/driver.py"
LINES = DRIVER.read_text().splitlines()
RULE = ("--pair", "texture=libtexture:texture_new(ret)/texture_free(arg0)")
ROOT = os.environ.get("JNITRACE_INTERPRETERS_ROOT", "/var/cache/jnitrace/interpreters") + "/trixie/usr"
PYTHONS = {"3.11": (["/usr/bin/python3.11"], {}),
           "3.13": ([ROOT + "/lib64/ld-linux-x86-64.so.2", "--library-path", ROOT + "/lib/x86_64-linux-gnu", ROOT + "/bin/python3.13"], {"PYTHONHOME": ROOT})}


def at(function, text, nth=0):
    return function, "driver.py", [i + 1 for i, line in enumerate(LINES) if text in line][nth]


def frames(stack):
    return [(f["symbol"], f["file"], f["line"]) for f in stack if f["type"] == "script" and f["file"] == "driver.py"]


@pytest.mark.parametrize("version", PYTHONS)
def test_functions_and_lines(version):
    n = {"leak": 101, "come_and_go": 103, "close_twice": 107, "sort": 109, "generate": 113, "descend": 127, "in_a_thread": 131}
    argv, more = PYTHONS[version]
    env = dict(ENV, JNITRACE_TEXTURES=str(FIXTURES / "libtexture.so"), **more)
    with subprocess.Popen([*argv, "-B", str(DRIVER)], bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env) as python:
        assert read_line(python.stdout) == "ready\n"
        with Tracer(*RULE, pids=[python.pid]) as tracer:
            tracer.wait_tracing()
            for command, count in n.items():
                python.stdin.write(f"{command} {count}\n".encode())
                assert read_line(python.stdout) == "done\n", command
            probes = probes_of(python.pid, *RULE)
            report = tracer.stop()[python.pid]
        python.kill()
    assert_no_losses(report)
    assert_schema(report, *probes)
    assert report["target"]["vm"] == "Python" and report["target"]["vm_version"].startswith(version + ".")
    gone = n["come_and_go"] + n["close_twice"]
    assert tuple(report["families"]["texture"][k] for k in ("acquired", "released", "outstanding")) == (sum(n.values()), gone, sum(n.values()) - gone)
    sites = {}
    for site in report["sites"]:
        assert site["truncated"] is None and "native frames missing" not in str(site["stack"]), site
        sites.setdefault(tuple(frames(site["stack"])), []).append((site["acquired"], site["outstanding"]))
    main = [at("main", "globals()[command]"), at("<module>", "main()", 1)]
    new = "lib.texture_new()"
    generator = "generate.<locals>.handles"
    for own, acquired, outstanding in (
            ([at("leak", new), *main], n["leak"], n["leak"]),
            ([at("come_and_go", new, 1), *main], n["come_and_go"], 0),
            ([at("Texture.__init__", "self.handle = "), at("close_twice", "texture = Texture()"), *main], n["close_twice"], 0),
            ([at("sort.<locals>.<lambda>", "key=lambda"), at("sort", "key=lambda"), *main], n["sort"], n["sort"]),
            ([at(generator, "yield"), at("generate", "list(handles())"), *main], n["generate"], n["generate"]),
            ([at("leak", new), at("descend", "    leak(n)"), *[at("descend", "return descend")] * 30, *main], n["descend"], n["descend"]),
            ([at("leak", new)], n["in_a_thread"], n["in_a_thread"])):
        assert tuple(map(sum, zip(*sites.pop(tuple(own))))) == (acquired, outstanding), (own, sites)
    assert {f["kind"] for f in report["findings"]} == {"double-release"} and sum(f["count"] for f in report["findings"]) == n["close_twice"]
    for finding in report["findings"]:
        assert frames(finding["stack"])[0] == at("Texture.__del__", "texture_free(self.handle)")
        assert frames(finding["release_stack"])[0] == at("close_twice", "texture_free(texture.handle)")
