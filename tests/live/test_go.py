# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Go: a library is called by cgo, in known numbers, from goroutines, and from what C calls back."""

import re
import subprocess

import pytest

from harness import ENV, Tracer, assert_no_losses, assert_schema, probes_of, read_line
from test_pairs import numbers

LIBRARY = """
#include <stddef.h>

static char places[1 << 16]; /* handles are addresses of these, each given once */
static size_t given;

__attribute__((noinline)) void *desk_take(int fails)
{
	return fails ? NULL : &places[__atomic_fetch_add(&given, 1, __ATOMIC_RELAXED)];
}

__attribute__((noinline)) void desk_leave(void *what)
{
	__asm__ volatile("" : : "r"(what) : "memory");
}

__attribute__((noinline)) void desk_ask(void (*clerk)(void))
{
	clerk();
	__asm__ volatile("");
}
"""
PROGRAM = """
package main

// #cgo LDFLAGS: -ldesk
// void *desk_take(int fails);
// void desk_leave(void *what);
// void desk_ask(void (*clerk)(void));
// void asked(void);
// static void ask(void) { desk_ask(asked); }
import "C"

import (
	"bufio"
	"fmt"
	"os"
	"sync"
)

//export asked
func asked() {
	C.desk_take(0) // kept
}

func work(n int) {
	for i := 0; i < n; i++ {
		C.desk_take(0) // kept
		C.desk_leave(C.desk_take(0))
		C.desk_take(1) // fails
		C.ask()
	}
}

func main() {
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); fmt.Println("done") {
		var n, routines int
		fmt.Sscan(in.Text(), &n, &routines)
		var all sync.WaitGroup
		for i := 0; i < routines; i++ {
			all.Add(1)
			go func() {
				defer all.Done()
				work(n)
			}()
		}
		all.Wait()
	}
}
"""
ROUTINES, TIMES = 7, 211


@pytest.fixture(scope="module")
def clerk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clerk")
    (folder / "desk.c").write_text(LIBRARY)
    (folder / "clerk.go").write_text(PROGRAM)
    subprocess.run(["gcc", "-g", "-O1", "-shared", "-fPIC", "-o", folder / "libdesk.so", folder / "desk.c"], check=True)
    env = dict(ENV, CGO_ENABLED="1", CGO_LDFLAGS=f"-L{folder} -Wl,-rpath,{folder}", GOCACHE=str(folder / "cache"), GO111MODULE="off", GOFLAGS="",
               GOTOOLCHAIN="local", HOME="/nonexistent")
    subprocess.run(["go", "build", "-o", folder / "clerk", folder / "clerk.go"], env=env, cwd=folder, check=True)
    return folder / "clerk"


def test_what_cgo_calls_is_counted(clerk):
    """Go runs C on a stack of the thread's own: named are C's part of the call, and the function of Go that goes there. What is behind has no table."""
    rule = ("--pair", "desk=libdesk:desk_take(ret)/desk_leave(arg0)")
    with subprocess.Popen([clerk], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        assert read_line(process.stdout) == "ready\n"
        with Tracer(*rule, pids=[process.pid]) as tracer:
            tracer.wait_tracing()
            json_probes = probes_of(process.pid, *rule)
            process.stdin.write(f"{TIMES} {ROUTINES}\n".encode())
            assert read_line(process.stdout) == "done\n"
            report = tracer.stop()[process.pid]
        process.stdin.close()
        assert process.wait() == 0
    n = TIMES * ROUTINES
    assert_no_losses(report)
    assert_schema(report, *json_probes)
    assert report["calls"] == {"desk_take": 4 * n, "desk_leave": n}
    assert numbers(report) == {"desk": (3 * n, n, 2 * n, 0)} and report["findings"] == []
    [site] = report["sites"]
    assert (site["acquired"], site["outstanding"], site["truncated"]) == (3 * n, 2 * n, "code without unwind table")
    stub, go = site["stack"]
    assert re.fullmatch("_cgo_[0-9a-f]+_Cfunc_desk_take", stub["symbol"]) and stub["module"] == go["module"] == "clerk", site
    assert go["symbol"].startswith("runtime.asmcgocall"), site
