# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A function of one library that calls one of another to acquire what it gives: who owns it. And calls that fail."""

import shutil
import subprocess

import pytest

from harness import assert_no_losses, direct_caller
from test_pairs import numbers
from test_run import run_report

LOWER = """
#include <stddef.h>

static char places[1 << 16]; /* handles are addresses of these, each given once */
static size_t given;

__attribute__((noinline)) void *low_new(int fails)
{
	return fails ? NULL : &places[given++];
}

__attribute__((noinline)) void low_free(void *what)
{
	__asm__ volatile("" : : "r"(what) : "memory");
}

/* The hook may not come back. */
__attribute__((noinline)) void *low_new_by(void (*hook)(void *), void *arg)
{
	hook(arg);
	return low_new(0);
}
"""
UPPER = """
#include <stddef.h>

void *low_new(int fails);
void low_free(void *what);
void *low_new_by(void (*hook)(void *), void *arg);

static volatile int sink;

__attribute__((noinline)) void *high_new(int fails)
{
	void *got = low_new(fails);

	sink++;
	return got;
}

__attribute__((noinline)) void *high_new_by(void (*hook)(void *), void *arg)
{
	void *got = low_new_by(hook, arg);

	sink++;
	return got;
}

/* What it got from below is there already when it jumps. */
__attribute__((noinline)) void *high_new_then(void (*hook)(void *), void *arg)
{
	void *got = low_new(0);

	hook(arg);
	return got;
}

__attribute__((noinline)) void high_free(void *what)
{
	low_free(what);
	sink++;
}

/* Another one for it; NULL: there is none, and the old one stays. */
__attribute__((noinline)) void *high_change(void *what, int fails)
{
	void *got = low_new(fails);

	if (got && what)
		low_free(what);
	return got;
}
"""
PROGRAM = """
#include <setjmp.h>
#include <stddef.h>

void *low_new(int fails);
void low_free(void *what);
void *high_new(int fails);
void *high_new_by(void (*hook)(void *), void *arg);
void *high_new_then(void (*hook)(void *), void *arg);
void high_free(void *what);
void *high_change(void *what, int fails);

static volatile int sink;
#define DONE sink++ /* so that no call is the last thing done, and the frame is there */

static void jump(void *to)
{
	longjmp(to, 1);
}

static void stay(void *to)
{
	(void)to;
	DONE;
}

static __attribute__((noinline)) void below(int n)
{
	for (int i = 0; i < n; i++) {
		void *kept = low_new(0);

		sink += kept != NULL;
		low_free(low_new(0));
		sink += low_new(1) != NULL;
	}
	DONE;
}

static __attribute__((noinline)) void above(int n)
{
	for (int i = 0; i < n; i++) {
		sink += high_new(0) != NULL;
		high_free(high_new(0));
		low_free(high_new(0)); /* by the other one's */
		sink += high_new(1) != NULL;
	}
	DONE;
}

static __attribute__((noinline)) void changed(int n)
{
	for (int i = 0; i < n; i++) {
		void *what = high_change(NULL, 0);

		what = high_change(what, 0);
		what = high_change(what, 0);
		sink += high_change(what, 1) != NULL; /* stays */
	}
	DONE;
}

/* The inner call does not return, nor does the outer one; then one that does, from the same place. */
static __attribute__((noinline)) void jumped(int n)
{
	jmp_buf here;

	for (volatile int i = 0; i < n; i++) {
		if (!setjmp(here))
			sink += high_new_by(jump, here) != NULL;
		sink += high_new_by(stay, here) != NULL;
		if (!setjmp(here))
			sink += high_new_then(jump, here) != NULL; /* the inner one has given it */
		sink += high_new_then(stay, here) != NULL;
	}
	DONE;
}

int main(void)
{
	below(BELOW);
	above(ABOVE);
	changed(CHANGED);
	jumped(JUMPED);
	return 0;
}
"""
BELOW, ABOVE, CHANGED, JUMPED, SIGNALS = 7, 11, 13, 17, 19
CALLS = {"high_new": 4 * ABOVE, "high_new_by": 2 * JUMPED, "high_new_then": 2 * JUMPED, "high_change": 4 * CHANGED, "high_free": ABOVE,
         "low_new": 3 * BELOW + 4 * ABOVE + 4 * CHANGED + 3 * JUMPED, "low_new_by": 2 * JUMPED, "low_free": BELOW + 2 * ABOVE + 2 * CHANGED}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("across")
    for name, text in (("lower", LOWER), ("upper", UPPER), ("program", PROGRAM)):
        (folder / f"{name}.c").write_text(text)
    gcc = ["gcc", "-g", "-O1", "-fno-optimize-sibling-calls", f"-Wl,-rpath,{folder}", f"-L{folder}"]
    for name, *libraries in (("lower",), ("upper", "-llower")):
        subprocess.run([*gcc, "-shared", "-fPIC", "-o", folder / f"lib{name}.so", folder / f"{name}.c", *libraries], check=True)
    values = [f"-DBELOW={BELOW}", f"-DABOVE={ABOVE}", f"-DCHANGED={CHANGED}", f"-DJUMPED={JUMPED}"]
    subprocess.run([*gcc, *values, "-o", folder / "program", folder / "program.c", "-lupper", "-llower"], check=True)
    return folder / "program"


def by_place(report):
    return sorted((s["family"], s["function"], direct_caller(s), s["acquired"], s["outstanding"]) for s in report["sites"])


def test_of_one_rule_the_outermost_call_owns(program):
    """Counted once, at the place that called the outermost one; what a jump has left owns nothing that comes later."""
    rule = ("own=libupper:high_new(ret)+high_new_by(ret)+high_new_then(ret)+~high_change(arg0)+liblower!low_new(ret)+liblower!low_new_by(ret)"
            "/high_free(arg0)+liblower!low_free(arg0)")
    result, [report] = run_report("--pair", rule, command=[program])
    assert result.returncode == 0, result
    assert_no_losses(report)
    assert by_place(report) == [
        ("own", "high_change", "changed", CHANGED, 0), ("own", "high_change", "changed", CHANGED, 0), ("own", "high_change", "changed", CHANGED, CHANGED),
        ("own", "high_new", "above", ABOVE, 0), ("own", "high_new", "above", ABOVE, 0), ("own", "high_new", "above", ABOVE, ABOVE),
        ("own", "high_new_by", "jumped", JUMPED, JUMPED), ("own", "high_new_then", "jumped", JUMPED, JUMPED),
        ("own", "low_new", "below", BELOW, 0), ("own", "low_new", "below", BELOW, BELOW), ("own", "low_new", "high_new_then", JUMPED, JUMPED)]
    acquired, released = 2 * BELOW + 3 * ABOVE + 3 * CHANGED + 3 * JUMPED, BELOW + 2 * ABOVE + 2 * CHANGED
    assert numbers(report) == {"own": (acquired, released, acquired - released, 0)} and report["findings"] == []
    assert report["calls"] == CALLS


def test_of_two_rules_each_has_its_own(program):
    """A handle of both is in the books of both: by the one's functions, and by the other's inside."""
    result, [report] = run_report("--pair", "high=libupper:high_new(ret)+high_new_by(ret)+high_new_then(ret)+~high_change(arg0)/high_free(arg0)",
                                  "--pair", "low=liblower:low_new(ret)+low_new_by(ret)/low_free(arg0)", command=[program])
    assert result.returncode == 0, result
    assert_no_losses(report)
    low = (2 * BELOW + 3 * ABOVE + 3 * CHANGED + 3 * JUMPED, BELOW + 2 * ABOVE + 2 * CHANGED)
    high = (3 * ABOVE + 3 * CHANGED + 2 * JUMPED, ABOVE + 2 * CHANGED)
    assert numbers(report) == {name: (n, gone, n - gone, 0) for name, (n, gone) in (("high", high), ("low", low))}
    assert report["findings"] == [] and report["calls"] == CALLS


def test_a_function_of_two_rules_has_sites_of_both(program):
    """One of them releases by another function, too."""
    rule = "=liblower:low_new(ret)+low_new_by(ret)/low_free(arg0)"
    result, [report] = run_report("--pair", "one" + rule, "--pair", f"two{rule}+libupper!high_free(arg0)", command=[program])
    assert result.returncode == 0, result
    acquired, released = 2 * BELOW + 3 * ABOVE + 3 * CHANGED + 3 * JUMPED, BELOW + 2 * ABOVE + 2 * CHANGED
    for family in ("one", "two"):
        assert numbers(report)[family] == (acquired, released, acquired - released, 0)
        sites = [s for s in report["sites"] if s["family"] == family]
        assert (sum(s["acquired"] for s in sites), sum(s["outstanding"] for s in sites)) == (acquired, acquired - released)
    assert len({s["id"] for s in report["sites"]}) == len(report["sites"])


SIGNALLED = """
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>

void *low_new(int fails);
void *low_new_by(void (*hook)(void *), void *arg);

static volatile int sink;
static sigjmp_buf here;

static void handle(int signal)
{
	sink += low_new(0) != NULL; /* stays */
	if (signal == SIGUSR2)
		siglongjmp(here, 1);
}

static void interrupt(void *signal)
{
	raise((int)(long)signal);
	sink++;
}

int main(void)
{
	stack_t other = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16}; /* below the thread's */
	struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK};

	sigaltstack(&other, NULL);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	for (volatile int i = 0; i < SIGNALS; i++) {
		sink += low_new_by(interrupt, (void *)SIGUSR1) != NULL; /* stays */
		if (!sigsetjmp(here, 1))
			low_new_by(interrupt, (void *)SIGUSR2);
		sink += low_new(0) != NULL; /* stays */
	}
	return 0;
}
"""


def test_a_signal_that_is_handled_on_another_stack(program):
    """What the handler calls has not ended what it interrupts, and what it has left by a jump is over."""
    folder = program.parent
    (folder / "signalled.c").write_text(SIGNALLED)
    subprocess.run(["gcc", "-g", "-O1", f"-DSIGNALS={SIGNALS}", f"-Wl,-rpath,{folder}", f"-L{folder}", "-o", folder / "signalled", folder / "signalled.c",
                    "-llower"], check=True)
    result, [report] = run_report("--pair", "low=liblower:low_new(ret)+low_new_by(ret)/low_free(arg0)", command=[folder / "signalled"])
    assert result.returncode == 0, result
    assert_no_losses(report)
    assert report["calls"] == {"low_new": 4 * SIGNALS, "low_new_by": 2 * SIGNALS, "low_free": 0}
    assert by_place(report) == [("low", "low_new", "handle", SIGNALS, SIGNALS), ("low", "low_new", "handle", SIGNALS, SIGNALS),
                                ("low", "low_new", "main", SIGNALS, SIGNALS), ("low", "low_new_by", "main", SIGNALS, SIGNALS)]


BUSY = """
#include <stddef.h>

static char places[1 << 16]; /* handles are addresses of these, each given once */
static size_t given;
static volatile int sink;

#define CALL(name) __attribute__((noinline)) int name(void *what, int fails) { sink += what == NULL; return fails ? 5 : 0; }
#define NEW(name)  __attribute__((noinline)) void *name(size_t bytes) { sink += bytes == 0; return &places[given++]; }
NEW(thing_new) CALL(thing_free)
NEW(shared_new) CALL(shared_ref) CALL(shared_unref)
__attribute__((noinline)) void *door_open(void) { sink++; return places; }
CALL(door_close)

int main(void)
{
	for (int i = 0; i < BUSY; i++) {
		void *gone = thing_new(16), *stays = thing_new(100), *shared = shared_new(1), *saturated = shared_new(1);

		thing_free(stays, 1);
		thing_free(gone, 1);
		thing_free(gone, 1);
		thing_free(gone, 0);
		thing_free(&given, 1); /* nobody's, and it stays so */
		thing_free(NULL, 1);
		shared_ref(shared, 0);
		shared_unref(shared, 0);
		shared_unref(shared, 1);
		shared_ref(shared, 1);
		shared_unref(shared, 0);
		shared_ref(saturated, 1);
		shared_ref(saturated, 0);
		shared_unref(saturated, 1);
		shared_unref(saturated, 0); /* stays, by the first one */
		for (int n = 0; n < 3; n++)
			door_open();
		door_close(places, 1);
		door_close(places, 0);
	}
	thing_free(thing_new(1), 0);
	return 0;
}
"""


def test_a_release_that_fails_keeps_the_handle(tmp_path):
    """And its size, and its references. Nor has it released what nobody has given."""
    n = 11
    (tmp_path / "busy.c").write_text(BUSY)
    subprocess.run(["gcc", "-g", "-O1", f"-DBUSY={n}", "-o", tmp_path / "busy", tmp_path / "busy.c"], check=True)
    rules = ("thing=busy:thing_new(ret,size=arg0)/thing_free(arg0,ok0)", "shared=busy:shared_new(ret)/^shared_ref(arg0,ok0)+v:shared_unref(arg0,ok0)",
             "door=busy:door_open(ret,counted)/door_close(arg0,ok0)")
    result, [report] = run_report(*(word for rule in rules for word in ("--pair", rule)), command=[tmp_path / "busy"])
    assert result.returncode == 0, result
    assert_no_losses(report)
    assert numbers(report) == {"thing": (2 * n + 1, n + 1, n, 0), "shared": (2 * n, n, n, 0), "door": (3 * n, n, 2 * n, 0)}
    assert sum(s["outstanding_bytes"] or 0 for s in report["sites"]) == 100 * n and report["findings"] == []
    assert report["calls"]["thing_free"] == 6 * n + 1 and report["calls"]["shared_unref"] == 5 * n


TWO = """
#include <stddef.h>

static char places[1 << 16];
static size_t given;

__attribute__((noinline)) int two_new(void **left, void **right, int fails)
{
	if (fails)
		return -1;
	*left = &places[given++];
	*right = &places[given++];
	return 0;
}

__attribute__((noinline)) void two_free(void *what)
{
	__asm__ volatile("" : : "r"(what) : "memory");
}

static int chosen(int fails)
{
	return fails;
}

static int (*choose(void))(int)
{
	return chosen;
}
__attribute__((ifunc("choose"))) int indirect(int fails);

int main(void)
{
	void *left, *right;

	for (int i = indirect(0); i < TWO; i++) {
		two_new(&left, &right, 1);
		two_new(&left, &right, 0);
		two_free(left);
		two_new(&left, &right, 0);
		two_free(right);
		two_new(&left, &right, 0);
		two_free(left);
		two_free(right);
		given--; /* what was a right one is a left one now */
		two_new(&left, &right, 0);
		two_free(left);
		two_free(right);
	}
	two_free(right); /* once more */
	return 0;
}
"""


def test_one_call_gives_two_handles(tmp_path):
    """To one family, or to two which the same function releases: what is the other's is no mistake of either. What is one is told."""
    n = 17
    (tmp_path / "two.c").write_text(TWO)
    subprocess.run(["gcc", "-g", "-O1", f"-DTWO={n}", "-o", tmp_path / "two", tmp_path / "two.c"], check=True)

    def of(*rules):
        return run_report(*(word for rule in rules for word in ("--pair", rule)), command=[tmp_path / "two"])

    for rules, truth in (({"both": "two_new(*arg0)+two_new(*arg1)"}, (8 * n, 6 * n, 2 * n)),
                         ({"left": "two_new(*arg0)", "right": "two_new(*arg1)"}, (4 * n, 3 * n, n))):
        result, [report] = of(*(f"{name}=two:{acquire}/two_free(arg0)" for name, acquire in rules.items()))
        assert result.returncode == 0, result
        assert_no_losses(report)
        assert numbers(report) == {name: (*truth, name != "left") for name in rules}
        assert [(f["kind"], f["count"]) for f in report["findings"]] == [("double-release", 1)]
        assert report["calls"].get("two_new (*arg1)", 5 * n) == report["calls"]["two_new"] == 5 * n
    result, reports = of("both=two:indirect(ret)/two_free(arg0)")
    assert not reports and "'indirect': it only chooses at run time" in result.stderr, result


RELOADED = """
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* ARGUMENT, a library that stays open; ARGUMENT=ARGUMENT: that is renamed to the second one first, and closed after. */
int main(int argc, char **argv)
{
	for (int k = 1; k < argc; k++) {
		char *name = strchr(argv[k], '=');

		if (name) {
			*name++ = 0;
			rename(argv[k], name);
		}
		void *library = dlopen(name ? name : argv[k], RTLD_NOW | RTLD_LOCAL);
		void *(*make)(int) = (void *(*)(int))dlsym(library, "low_new");
		void (*drop)(void *) = (void (*)(void *))dlsym(library, "low_free");

		for (int i = 0; i < RELOADED; i++)
			drop(make(0));
		if (name)
			dlclose(library);
		else
			make(0);
	}
	return 0;
}
"""


def test_all_files_of_one_name(program):
    """One library by two paths; one that is replaced while it is closed, again and again."""
    folder, n, times = program.parent, 7, 3
    (folder / "reloaded.c").write_text(RELOADED)
    subprocess.run(["gcc", "-g", "-O1", f"-DRELOADED={n}", "-o", folder / "reloaded", folder / "reloaded.c", "-ldl"], check=True)
    opened = []
    for name in ("first/libsame.so", "second/libsame.so", *(f"libplugin.{i}" for i in range(times))):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(folder / "liblower.so", folder / name)
        opened.append(f"{folder}/{name}={folder}/libplugin.so" if "plugin" in name else folder / name)
    result, [report] = run_report("--pair", "same=libsame:low_new(ret)/low_free(arg0)", "--pair", f"plugin={folder}/libplugin.so:low_new(ret)/low_free(arg0)",
                                  command=[folder / "reloaded", *opened])
    assert result.returncode == 0, result
    assert_no_losses(report)
    assert numbers(report) == {"same": (2 * (n + 1), 2 * n, 2, 0), "plugin": (times * n, times * n, 0, 0)} and report["findings"] == []
