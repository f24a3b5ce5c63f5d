/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Processes by name. See names.h. */
#include "run/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc/foreign.h"
#include "proc/proc.h"
#include "run/discover.h"

#define MAX_ARGS_BYTES (1U << 20) /* a long class path; what is behind is not looked at */
#define MAIN_MAX       256
#define LISTED         6 /* processes that an error names */

/* Launcher options whose value is an argument of its own (JDK: launcher/java.c, IsWhiteSpaceOption). */
static const char *const with_value[] = {
    "-cp",
    "-classpath",
    "--class-path",
    "-p",
    "--module-path",
    "--upgrade-module-path",
    "--add-modules",
    "--add-exports",
    "--add-opens",
    "--add-reads",
    "--limit-modules",
    "--patch-module",
    "--source",
    "-d",
    "--enable-native-access",
};

static bool takes_value(const char *arg)
{
	for (size_t i = 0; i < ARRAY_LEN(with_value); i++)
		if (strcmp(with_value[i], arg) == 0)
			return true;
	return false;
}

/* "module/a.b.Main" -> "a.b.Main", "/opt/app.jar" -> "app.jar" */
static const char *base_of(const char *s)
{
	const char *slash = strrchr(s, '/');

	return slash ? slash + 1 : s;
}

void names_main_of(const char *args, size_t n, char *out, size_t cap)
{
	const char *end = args + n, *arg = memchr(args, '\0', n); /* behind the launcher itself */

	*out = '\0';
	if (n == 0 || end[-1] != '\0') /* cut off */
		return;
	for (arg++; arg < end; arg += strlen(arg) + 1) {
		bool file = !strcmp(arg, "-jar"), module = !strcmp(arg, "-m") || !strcmp(arg, "--module");

		if (arg[0] == '-' && !file && !module) {
			if (takes_value(arg))
				arg += strlen(arg) + 1;
			if (arg >= end)
				return;
			continue;
		}
		arg += file || module ? strlen(arg) + 1 : 0;
		if (arg < end)
			text_clean(out, cap, base_of(arg), strlen(base_of(arg)));
		return;
	}
}

static void read_main(pid_t pid, char *out, size_t cap)
{
	char *args = malloc(MAX_ARGS_BYTES);
	ssize_t n = args ? foreign_text(pid, FOREIGN_CMDLINE, args, MAX_ARGS_BYTES) : 0;

	*out = '\0';
	if (n > 0)
		names_main_of(args, (size_t)n, out, cap);
	free(args);
}

static bool is_called(const char *name, const char *comm, const char *main)
{
	const char *dot = strrchr(main, '.');
	size_t n = strlen(main);

	if (!strcmp(name, comm) || !strcmp(name, main))
		return true;
	if (n > 4 && !strcmp(main + n - 4, ".jar"))
		return strlen(name) == n - 4 && !strncmp(name, main, n - 4);
	return dot && !strcmp(name, dot + 1);
}

/* The JVM that this name means. */
static int find_one(const char *name, const struct pid_list *jvms, pid_t *out, struct error *err)
{
	struct buf list = {0};
	char what[160], main[MAIN_MAX];
	size_t n = 0;

	for (size_t i = 0; i < jvms->n; i++) {
		struct proc_id id;

		if (proc_id_read(jvms->v[i], &id))
			continue;
		read_main(id.pid, main, sizeof(main));
		if (!is_called(name, id.comm, main))
			continue;
		*out = id.pid;
		if (n++ < LISTED)
			buf_printf(&list, "%s%d %.32s", n > 1 ? ", " : "", (int)id.pid,
				   *main ? main : id.comm);
	}
	snprintf(what, sizeof(what), "find '%s'", name);
	if (n == 0)
		error_set(err, -ESRCH, EXIT_NO_TARGET, what, "see jps, or pgrep java",
			  "no JVM has this name%s", geteuid() ? " that this user may read" : "");
	else if (n > 1)
		error_set(err, -ESRCH, EXIT_NO_TARGET, what, "give the PID of one, or several PIDs",
			  "%zu JVMs have this name: %s%s", n, list.failed ? "" : list.p,
			  n > LISTED ? ", ..." : "");
	buf_free(&list);
	return n == 1 ? 0 : -ESRCH;
}

static int add_pid(struct options *o, pid_t pid, struct error *err)
{
	for (size_t i = 0; i < o->nr_pids; i++)
		if (o->pids[i] == pid)
			return 0;
	if (o->nr_pids == OPTS_MAX_PIDS)
		return error_set(err, -E2BIG, EXIT_USAGE, "--pid", "-a takes every JVM",
				 "too many processes");
	o->pids[o->nr_pids++] = pid;
	return 0;
}

int names_find(struct options *o, struct error *err)
{
	struct discovery *discovery = NULL;
	struct pid_list jvms = {0};
	pid_t pid = 0;
	bool live = o->nr_names && o->command != CMD_DIFF; /* whose names are in the recordings */
	int rc = live ? discovery_new(runtime_by_name(o->runtime), &discovery) : 0;

	if (discovery)
		rc = discovery_scan(discovery, &jvms);
	if (rc < 0)
		error_set(err, rc, EXIT_FAILED, "look for JVMs", NULL, "%s", strerror(-rc));
	for (size_t i = 0; live && rc == 0 && i < o->nr_names; i++) {
		rc = find_one(o->names[i], &jvms, &pid, err);
		rc = rc ?: add_pid(o, pid, err);
	}
	free(jvms.v);
	discovery_free(discovery);
	return rc;
}
