# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Files of a library's name that lack functions, or that are closed and gone while these are looked for."""

import re
import shutil
import subprocess

from harness import Tracer, wait_until
from test_pairs import numbers
from test_run import run_report

LIBRARY = """
#include <stddef.h>

static char places[1 << 16]; /* handles are addresses of these, each given once */
static size_t given;

__attribute__((noinline)) void *thing_new(void) { return &places[given++]; }
#ifdef WHOLE
__attribute__((noinline)) void *thing_copy(void *of) { (void)of; return &places[given++]; }
#endif
__attribute__((noinline)) void thing_free(void *what) { __asm__ volatile("" : : "r"(what) : "memory"); }
"""
# So many functions that to look for one takes longer than the library is open.
MANY = """
	.text
	.altmacro
	.macro one n
	.globl other_\\n
	.type other_\\n, @function
other_\\n:
	ret
	.size other_\\n, 1
	.endm
	.set i, 0
	.rept 60000
	one %i
	.set i, i+1
	.endr
	.section .note.GNU-stack,"",@progbits
"""
PROGRAM = """
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CALL(name) ((void *(*)(void *))dlsym(library, name))

/* Arguments: a library that is opened at once, and others. "pass": each is opened, closed, and renamed to libthing.so in a folder
 * behind it; "stay": these are opened; "call N": each has N things more than it gives back. */
int main(int argc, char **argv)
{
	char line[64], moved[4096];

	dlopen(argv[1], RTLD_NOW);
	puts("ready");
	while (!fflush(stdout) && fgets(line, sizeof(line), stdin)) {
		int n = 0;

		sscanf(line, "call %d", &n);
		for (int i = 2; i < argc; i++) {
			void *library;

			snprintf(moved, sizeof(moved), "%s.moved/libthing.so", argv[i]);
			library = dlopen(*line == 'p' ? argv[i] : moved, RTLD_NOW);
			for (int k = 0; k < n; k++)
				CALL("thing_free")(CALL("thing_new")(CALL("thing_new")(NULL)));
			if (*line != 'p')
				continue;
			usleep(20000);
			dlclose(library);
			rename(argv[i], moved);
		}
		puts("done");
	}
	return 0;
}
"""
OPENED = """
#include <dlfcn.h>
#include <stddef.h>

#define CALL(name) ((void *(*)(void *))dlsym(library, name))

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		void *library = dlopen(argv[i], RTLD_NOW);

		for (int k = 0; k < 7; k++)
			CALL("thing_free")(CALL("thing_new")(CALL("thing_new")(NULL)));
	}
	return 0;
}
"""


def compile_to(target, text, *flags):
    source = target.with_name(target.name + ".c")
    source.write_text(text)
    subprocess.run(["gcc", "-g", "-O1", *flags, "-o", target, source], check=True)
    return target


def folder(path):
    path.mkdir()
    return path


def test_what_a_second_file_lacks_is_named(tmp_path):
    """It may be another version. What it has is traced."""
    libraries = [compile_to(folder(tmp_path / name) / "libthing.so", LIBRARY, "-shared", "-fPIC", *flags)
                 for name, *flags in (("first", "-DWHOLE"), ("second",), ("third", "-DWHOLE"))]
    program = compile_to(tmp_path / "opened", OPENED, "-ldl")
    result, [report] = run_report("--pair", "thing=libthing:thing_new(ret)+thing_copy(ret)/thing_free(arg0)", command=[program, *libraries])
    assert [line for line in result.stderr.splitlines() if "not traced" in line] == [
        f"jnitrace: PID {report['target']['pid']}: {libraries[1]}: not traced in this file: 'thing_copy': not found"]
    assert result.returncode == 0 and {k: n for k, n in report["drops"].items() if n} == {"sites_missing": 1}, result
    assert numbers(report) == {"thing": (42, 21, 21, 0)}


def test_a_file_that_is_gone_is_probed_when_it_is_back(tmp_path):
    """By another name, and the same file; those beside it, too."""
    n, times = 10, 3
    (tmp_path / "many.S").write_text(MANY)
    library = compile_to(tmp_path / "libthing.so", LIBRARY, "-shared", "-fPIC", tmp_path / "many.S")
    program = compile_to(tmp_path / "program", PROGRAM, "-ldl")
    libraries = [folder(tmp_path / str(i)) / "libthing.so" for i in range(n)]
    for to in libraries:
        shutil.copy(library, to)
        folder(to.with_name("libthing.so.moved"))
    with subprocess.Popen([program, library, *libraries], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as target:
        def do(what):
            print(what, file=target.stdin, flush=True)
            assert target.stdout.readline() == "done\n"

        assert target.stdout.readline() == "ready\n"
        with Tracer("--pair", "libthing:thing_new(ret)/thing_free(arg0)", pids=[target.pid]) as tracer:
            tracer.wait_tracing()
            do("pass")
            do("stay")
            wait_until(lambda: sum(int(probes) for line in tracer.stderr for probes in re.findall(r"has loaded libthing: (\d+) probes", line)) == 3 * n)
            do(f"call {times}")
            report = tracer.stop()[target.pid]
        target.stdin.close()
    assert numbers(report) == {"libthing": (2 * n * times, n * times, n * times, 0)}
