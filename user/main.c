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
#include "run/commands.h"
#include "run/names.h"
#include "run/opts.h"
#include "runtime/runtime.h"

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
	enum exit_code code = EXIT_OK;
	struct catalog *catalog = NULL;
	int rc;

	open_standard_files();
	rc = catalog_new(&catalog) ?: runtimes_add_rows(catalog);
	if (rc)
		error_set(&err, rc, EXIT_FAILED, "start", NULL, "out of memory");
	rc = rc ?: opts_parse(argc, argv, catalog, &o, &err);
	rc = rc ?: names_find(&o, &err);
	if (!rc)
		code = commands[o.command].run(&o, &err);
	else if (rc < 0)
		code = err.what[0] ? err.exit_code : EXIT_FAILED;
	catalog_free(catalog);
	if (rc > 0)
		return rc - 1;
	if (err.what[0])
		error_print(&err);
	return code;
}
