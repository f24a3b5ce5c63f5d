/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace probes. See cmd_probes.h. */
#include "run/cmd_probes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "run/privileges.h"
#include "run/targets.h"
#include "screen/output.h"
#include "view/probes.h"

static int show(const struct options *o, struct output *out, struct target *t, struct error *err)
{
	struct buf b = {0};
	struct view_opts v;
	struct probes_info info = target_probes(t);

	if (target_state(t) != TARGET_FOUND && !target_asked_for(t))
		return 0;
	if (target_lacks_libraries(t, err))
		return -ENXIO;
	if (target_state(t) != TARGET_FOUND)
		return error_set(err, -EAGAIN, EXIT_NO_TARGET, "list probes", "try again in a moment",
				 "PID %d has not loaded its VM yet", target_id(t)->pid);
	output_view_opts(out, &o->view, true, &v);
	o->view.format->probes(&b, &info, &v);
	return output_write(out, &b, true, err);
}

static int find_and_show(const struct options *o, struct output *out, struct target *t, struct error *err)
{
	struct error why = {0};
	int rc = target_find(t, &why);

	if (!rc)
		return show(o, out, t, err);
	if (!target_asked_for(t))
		return 0; /* what -a found and cannot be traced */
	*err = why;
	return rc;
}

enum exit_code cmd_probes(const struct options *o, struct error *err)
{
	struct target_list targets = {0};
	struct pid_list found = {0};
	struct output out = {0};
	int rc = privileges_keep(PRIVILEGES_READ, o->view.output, err);

	rc = rc ?: output_open(&out, &o->view, false, false, -1, err);
	rc = rc ?: targets_open(&targets, o, -1, err);
	if (!rc && o->all)
		rc = discovery_scan(targets.discovery, &found);
	for (size_t i = 0; !rc && i < found.n; i++)
		targets_add(&targets, found.v[i], false, NULL, NULL); /* may be gone again */
	for (size_t i = 0; !rc && i < targets.n; i++)
		rc = find_and_show(o, &out, targets.v[i], err);
	rc = rc ?: output_end(&out, err);
	free(found.v);
	targets_free(&targets);
	output_close(&out);
	if (rc && !err->what[0])
		error_set(err, rc, EXIT_FAILED, "list probes", NULL, "%s", strerror(-rc));
	return rc ? err->exit_code : EXIT_OK;
}
