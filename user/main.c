/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * jnitrace: who leaks and misuses JNI references in a running JVM.
 *
 * discover JVMs -> resolve probe sites -> attach -> [BPF maps] -> snapshot ->
 * symbolize -> aggregate -> view
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/util.h"
#include "run/commands.h"
#include "run/names.h"
#include "run/opts.h"
#include "run/pair_sets.h"
#include "run/sampling.h"
#include "runtime/runtime.h"

#define STACK_BYTES (8UL << 20) /* as most systems allow */

/* A closed stdin, stdout or stderr must not become one of our own files. Writing to that stdout is an error.
 */
static void open_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", (fd == STDOUT_FILENO ? O_RDONLY : O_RDWR) | O_CLOEXEC) < 0)
			return;
}

static int run(int argc, char **argv)
{
	struct options o = {0};
	struct error err = {0};
	enum exit_code code = EXIT_OK;
	struct catalog *catalog = NULL;
	static struct pairs pairs; /* as long as the process: large, and the catalog points to it */
	int rc;

	rc = catalog_new(&catalog) ?: runtimes_add_rows(catalog);
	if (rc)
		error_set(&err, rc, EXIT_FAILED, "start", NULL, "out of memory");
	rc = rc ?: pairs_take(argc, argv, catalog, &pairs, &err);
	rc = rc ?: opts_parse(argc, argv, catalog, &o, &err);
	if (!rc && pairs.families) {
		o.pairs = &pairs;
		o.families = pairs.families | (o.events_given || o.check ? o.families : 0);
	}
	rc = rc ?: sampling_check(&o, &err);
	rc = rc ?: names_find(&o, &err);
	if (!rc)
		code = commands[o.command].run(&o, &err);
	else if (rc < 0)
		code = err.what[0] ? err.exit_code : EXIT_FAILED;
	opts_free(&o);
	catalog_free(catalog);
	if (rc > 0)
		return rc - 1;
	if (err.what[0])
		error_print(&err);
	return code;
}

struct arguments {
	int argc;
	char **argv;
	int code; /* out */
};

static void run_on_this_stack(struct arguments *a)
{
	a->code = run(a->argc, a->argv);
}

/*
 * libdw and demanglers recurse over what a target's files say, so how much stack there is must not depend on
 * `ulimit -s`: where that is less, they get one of their own. Its guard page makes an overflow a fault.
 */
static int run_on_own_stack(struct arguments *a)
{
	ucontext_t back, own;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (stack == MAP_FAILED || mprotect(stack, page, PROT_NONE) || getcontext(&own))
		return -ENOMEM;
	own.uc_stack = (stack_t){.ss_sp = stack + page, .ss_size = STACK_BYTES - page};
	own.uc_link = &back;
	makecontext(&own, (void (*)(void))run_on_this_stack, 1, a);
	return swapcontext(&back, &own) ? -ENOMEM : 0;
}

int main(int argc, char **argv)
{
	struct arguments a = {argc, argv, EXIT_FAILED};
	struct rlimit limit;

	open_standard_files();
	if (!getrlimit(RLIMIT_STACK, &limit) && limit.rlim_cur < STACK_BYTES) {
		if (run_on_own_stack(&a))
			out_of_memory("start");
	} else {
		run_on_this_stack(&a);
	}
	return a.code;
}
