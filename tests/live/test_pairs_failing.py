# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Releases that fail: how old the handle is then, and what other threads do with it before anybody knows."""

import subprocess

import pytest

from harness import assert_no_losses, direct_caller
from test_pairs import numbers
from test_run import run_report

PROGRAM = """
#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

static char places[1 << 16]; /* handles are addresses of these, each given once */
static size_t given;
static volatile int sink;

/* What another thread does with the handle meanwhile. */
typedef void *meanwhile(void *what);

static int under_way(void *what, meanwhile *other, int fails)
{
	pthread_t thread;

	if (other && !pthread_create(&thread, NULL, other, what))
		pthread_join(thread, NULL);
	return fails ? 5 : 0;
}

__attribute__((noinline)) void *door_open(void) { sink++; return &places[16 * given++]; }
__attribute__((noinline)) void door_use(void *what) { sink += what == NULL; }
__attribute__((noinline)) void door_drop(void *what) { sink += what == NULL; }
__attribute__((noinline)) int door_close(void *what, meanwhile *other, int fails)
{
	int rc = under_way(what, other, fails);

	sink++;
	return rc;
}
__attribute__((noinline)) void *door_widen(void *what, int fails) { sink += what == NULL; return fails ? NULL : door_open(); }

static void *uses(void *what) { door_use(what); sink++; return NULL; }
static void *closes(void *what) { door_close(what, NULL, 0); sink++; return NULL; }
static void *fails(void *what) { door_close(what, NULL, 1); sink++; return NULL; }
static void *drops(void *what) { door_drop(what); sink++; return NULL; }

static __attribute__((noinline)) void once(void)
{
	void *what = door_open();

#ifdef AGE
	sleep(2);
	AGE;
#else
	door_close(what, uses, 1);
	door_close(what, fails, 1);
	door_close(what, uses, 0); /* has succeeded, which nobody knew when it was used */
	what = door_open();
	door_close(what, closes, 1); /* as the other one was first */
	what = door_open();
	door_close(what, drops, 1);
	what = door_open();
	door_close(what, fails, 0);
	what = door_open(); /* stays */
	door_close(what, fails, 1);
#ifdef WRONG
	door_use(what);
	door_close(what, NULL, 0);
	door_use(what);
	door_close(what, uses, 0);
	what = door_open(); /* stays */
#endif
#endif
	sink++;
}

int main(void)
{
	for (volatile int i = 0; i < TIMES; i++)
		once();
	return 0;
}
"""
RULE = "door=program:door_open(ret)+~door_widen(arg0)/?door_use(arg0)+door_close(arg0,ok0)+door_drop(arg0)"


def build(folder, *flags):
    (folder / "program.c").write_text(PROGRAM)
    subprocess.run(["gcc", "-g", "-O1", "-pthread", *flags, "-o", folder / "program", folder / "program.c"], check=True)
    return folder / "program"


def line(text):
    return PROGRAM[:PROGRAM.index(text)].count("\n") + 1


def of_line(stack):
    return next(f["line"] for f in stack if f["symbol"] == "once")


@pytest.mark.waits
@pytest.mark.parametrize("call", ["door_close(what, NULL, 1)", "door_widen(what, 1)"])
def test_what_was_not_released_is_as_old_as_it_was(tmp_path, call):
    result, [report] = run_report("--pair", RULE, command=[build(tmp_path, "-DTIMES=1", f"-DAGE={call}")])
    assert result.returncode == 0, result
    assert numbers(report) == {"door": (1, 0, 1, 0)}
    [site] = report["sites"]
    assert 1.9 <= site["oldest_s"] <= report["elapsed_s"]


def test_what_others_do_while_it_may_yet_fail_is_no_mistake(tmp_path):
    n = 7
    result, [report] = run_report("--pair", RULE, command=[build(tmp_path, f"-DTIMES={n}")])
    assert result.returncode == 0, result
    assert_no_losses(report)
    assert report["findings"] == []
    assert numbers(report) == {"door": (5 * n, 4 * n, n, 0)}
    assert report["calls"] == {"door_open": 5 * n, "door_widen": 0, "door_use": 2 * n, "door_close": 11 * n, "door_drop": n}


def test_what_others_do_afterwards_is_told(tmp_path):
    """By where the release was that has succeeded."""
    n = 7
    result, [report] = run_report("--pair", RULE, command=[build(tmp_path, f"-DTIMES={n}", "-DWRONG")])
    assert_no_losses(report)
    assert result.returncode == 0, result
    told = {(f["kind"], direct_caller(f), *(of_line(f[k]) for k in ("acquire_stack", "release_stack"))): f["count"] for f in report["findings"]}
    opened, closed = line("stays */\n\tdoor_close(what, fails, 1)"), line("door_close(what, NULL, 0);\n\tdoor_use")
    assert told == {("stale-use", "once", opened, closed): n, ("double-release", "once", opened, closed): n, ("stale-use", "uses", opened, closed): n}
    assert numbers(report) == {"door": (6 * n, 5 * n, n, n)}
