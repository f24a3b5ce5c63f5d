# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
A signal that is handled on a stack of its own, above the thread's. A handler that calls a function there whose return is probed
makes the kernel forget where the functions below return to, and the process would end by SIGILL.
"""

import contextlib
import subprocess

import pytest

from harness import SLOW, Tracer, assert_no_losses, wait_until
from test_pairs import numbers
from test_run import run_report

LIBRARY = """
#include <stddef.h>

#ifdef GUARDED /* it has to do with exceptions: each ret is probed instead */
void _Unwind_Resume(void *what);
void (*resume)(void *what) = _Unwind_Resume;
#endif
static char places[1 << 16]; /* handles are addresses of these, each given once */
static size_t given;

__attribute__((noinline)) void *low_new(void)
{
	return &places[given++];
}

__attribute__((noinline)) void low_free(void *what)
{
	__asm__ volatile("" : : "r"(what) : "memory");
}

__attribute__((noinline)) void *low_new_by(void (*hook)(void))
{
	hook();
	return &places[given++];
}
"""
PROGRAM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

void *low_new(void);
void low_free(void *what);
void *low_new_by(void (*hook)(void));

static int sink;
static stack_t other = {.ss_size = 1 << 16};
static pthread_t first;

static void handle(int signal)
{
	low_free(low_new());
	sink++;
}

static void interrupt(void)
{
	raise(SIGUSR1);
	sink++;
}

/* Each line is a thing to do. */
static void *obey(void *arg)
{
	char line[64];

	sigaltstack(&other, NULL);
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "call\\n"))
			low_free(low_new());
		else if (!strcmp(line, "signal\\n"))
			low_free(low_new_by(interrupt));
		else if (!strcmp(line, "load\\n"))
			sink += !dlopen("libm.so.6", RTLD_NOW);
		else if (!strcmp(line, "rename\\n"))
			pthread_setname_np(first, "renamed");
		else if (!strcmp(line, "exec\\n"))
			execl("/proc/self/exe", "again", "above", "own", NULL);
		else if (!strcmp(line, "fork\\n")) {
			pid_t child = fork();

			if (!child) {
				low_free(low_new_by(interrupt));
				_exit(0);
			}
			if (waitpid(child, &sink, 0) != child || sink)
				break;
		}
		puts("done");
		fflush(stdout);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	char *memory = mmap(NULL, 1 << 21, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sigaction action = {.sa_handler = handle, .sa_flags = strcmp(argv[2], "own") ? SA_ONSTACK : 0};
	pthread_attr_t attr;
	pthread_t thread;
	int above = !strcmp(argv[1], "above");

	first = pthread_self();
	setvbuf(stdin, NULL, _IONBF, 0); /* the next program wants the rest of it */
	other.ss_sp = above ? memory + (1 << 20) : memory;
	sigaction(strcmp(argv[2], "fault") ? SIGUSR1 : SIGSEGV, &action, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, above ? memory : memory + (1 << 20), 1 << 20);
	pthread_create(&thread, &attr, obey, NULL);
	puts("ready");
	fflush(stdout);
	pthread_join(thread, NULL);
	return 0;
}
"""


def rule(program):
    """Of this very file: other tests may have theirs at the same time."""
    return "--pair", f"low={program.parent}/libonstack.so:low_new(ret)+low_new_by(ret)/low_free(arg0)"


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Two, of which the one has a library that has to do with exceptions."""
    found = {}
    for name, *flags in (("plain",), ("guarded", "-DGUARDED")):
        folder = found[name] = tmp_path_factory.mktemp(name)
        (folder / "onstack.c").write_text(LIBRARY)
        (folder / "program.c").write_text(PROGRAM)
        gcc = ["gcc", "-g", "-O1", "-fno-optimize-sibling-calls", *flags]
        subprocess.run([*gcc, "-shared", "-fPIC", "-o", folder / "libonstack.so", folder / "onstack.c", "-lgcc_s"], check=True)
        subprocess.run([*gcc, "-pthread", f"-Wl,-rpath,{folder}", f"-L{folder}", "-o", folder / "signalled", folder / "program.c", "-lonstack", "-ldl"],
                       check=True)
        found[name] = folder / "signalled"
    return found


@contextlib.contextmanager
def signalled(program, stack="above", handler="usr"):
    with subprocess.Popen([program, stack, handler], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as p:
        assert p.stdout.readline() == "ready\n"
        yield p
        p.stdin.close()
        assert p.wait(SLOW) == 0


def do(process, what):
    process.stdin.write(what + "\n")
    assert process.stdout.readline() == "done\n", f"{what}: it ended with {process.wait(SLOW)}"


def is_left(tracer, pid):
    return any(f"PID {pid}: it handles a signal on a stack above" in line for line in tracer.stderr)


@pytest.mark.parametrize("all_of_them", [False, True])
def test_who_may_be_ended_by_it_is_left_before(programs, all_of_them):
    """And nobody else is: by each one's own probes, though the file is one."""
    with signalled(programs["plain"]) as process, signalled(programs["plain"], "below") as twin:
        which = {"pids": () if all_of_them else (process.pid, twin.pid)}
        with Tracer(*rule(programs["plain"]), "--allow-loss", *["-a"] * all_of_them, **which) as tracer:
            tracer.wait_tracing()
            do(twin, "signal")
            do(process, "call")
            left = tracer.wait_report(lambda r: r["target"]["pid"] == process.pid and r["final"])
            assert is_left(tracer, process.pid) and left["end_reason"] == "signal-stack"
            do(process, "signal")
            do(process, "fork")  # probes are taken from children, too
            do(twin, "signal")
            report = tracer.stop()[twin.pid]
    assert {name: n for name, n in left["drops"].items() if n} == {"signal_stack": 1}
    assert left["calls"]["low_new_by"] == 0
    assert_no_losses(report)
    assert numbers(report) == {"low": (4, 4, 0, 0)} and not is_left(tracer, twin.pid)


@pytest.mark.parametrize("program, stack, handler", [("plain", "above", "own"), ("plain", "above", "fault"), ("guarded", "above", "usr")])
def test_who_cannot_be_is_traced(programs, program, stack, handler):
    """The handler has the thread's own stack; or is there for faults; or no return is probed by the kernel."""
    with signalled(programs[program], stack, handler) as process, Tracer(*rule(programs[program]), pids=[process.pid]) as tracer:
        tracer.wait_tracing()
        do(process, "call")
        if handler != "fault":
            do(process, "signal")
        report = tracer.stop()[process.pid]
    assert_no_losses(report)
    n = 1 if handler == "fault" else 3
    assert numbers(report) == {"low": (n, n, 0, 0)} and report["findings"] == []


def test_a_command_stops_until_it_is_left(programs):
    """
    So that the first call of all may be interrupted; and it is not traced again when it loads a library, whatever it is called by then: the
    next program is. What was asserted is not known then.
    """
    result, reports = run_report(*rule(programs["plain"]), "--assert", "low.outstanding==0", command=[programs["plain"], "above", "usr"], stdin=None,
                                 input="signal\nrename\nload\nsignal\nload\nexec\nsignal\nload\n")
    assert [r["end_reason"] for r in reports] == ["signal-stack", "exited"]
    assert numbers(reports[1]) == {"low": (2, 2, 0, 0)} and reports[1]["target"]["comm"] == "exe"
    assert result.stdout.splitlines().count("done") == 7, result
    assert result.returncode == 6 and "its probes were removed" in result.stderr, result
