/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * jnitrace: who leaks and misuses JNI references in a running JVM.
 *
 * discover JVMs -> resolve probe sites -> attach -> [BPF maps] -> snapshot ->
 * symbolize -> aggregate -> view
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/util.h"
#include "run/opts.h"
#include "run/session.h"
#include "run/session_census.h"

static enum exit_code run(const struct options *o, struct error *err)
{
	switch (o->command) {
	case CMD_PROBES:
		return session_probes(o, err);
	case CMD_CENSUS:
		return session_census(o, err);
	default:
		return session_trace(o, err);
	}
}

/* A closed stdin, stdout or stderr must not become one of our own files. */
static void open_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct options o;
	struct error err = {0};
	enum exit_code code = EXIT_USAGE;
	struct catalog *catalog = NULL;
	int rc;

	open_standard_files();
	rc = catalog_new(&catalog);
	if (rc)
		error_set(&err, rc, EXIT_FAILED, "start", NULL, "out of memory");
	rc = rc ?: opts_parse(argc, argv, catalog, &o, &err);
	if (!rc)
		code = run(&o, &err);
	else if (rc == -ENOMEM)
		code = EXIT_FAILED;
	catalog_free(catalog);
	if (rc > 0)
		return rc - 1;
	if (err.what[0])
		error_print(&err);
	return code;
}
