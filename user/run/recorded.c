/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Files of recordings, and moments in them. See recorded.h. */
#include "run/recorded.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/progress.h"

/* Times are shown rounded: in tables a moment is meant that comes so much later than it is asked for; */
#define NEAR_S 0.001
/* but not where one is there at that very time, as JSON has it. */
#define EXACT_S 0.000001

int recorded_open_file(const char *name, struct error *err)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int rc = 0;

	if (fd < 0 || fstat(fd, &st))
		rc = error_set(err, -errno, EXIT_FAILED, name, NULL, "%s", strerror(errno));
	else if (!S_ISREG(st.st_mode))
		rc = error_set(err, -EINVAL, EXIT_FAILED, name, "give the file that jnitrace record wrote",
			       "this is no regular file");
	if (rc && fd >= 0)
		close(fd);
	return rc ?: fd;
}

/* Is it the one that is asked for, or was it before? best_s: when the one until now was. */
static bool is_until(double now, double asked_s, double best_s)
{
	return now <= asked_s + EXACT_S || (now <= asked_s + NEAR_S && best_s < asked_s - EXACT_S);
}

void recorded_note(const struct recording *r, double until_s, double from_s, struct moments *m)
{
	double now = recording_at_s(r);

	if (!m->n++)
		m->first_s = now;
	m->last_s = now;
	m->skipped += recording_skipped(r);
	if (until_s < 0 || is_until(now, until_s, m->at ? m->at_s : -1)) {
		m->at = m->n;
		m->at_s = now;
	}
	if (from_s >= 0 && is_until(now, from_s, m->from ? m->from_s : -1)) {
		m->from = m->n;
		m->from_s = now;
	}
}

int recorded_check(const struct moments *m, const char *name, struct error *err)
{
	if (!m->n)
		return error_set(err, -ENODATA, EXIT_FAILED, name, "record for longer than --interval",
				 "the recording ends before its first report");
	if (!m->at)
		return error_set(err, -ERANGE, EXIT_FAILED, name, "give a later time",
				 "its first report is of %.1f s after attach", m->first_s);
	return 0;
}

int recorded_look(int fd, const char *name, uint64_t limit_bytes, double until_s, double from_s,
		  struct moments *out, struct error *err)
{
	struct recording *r = NULL;
	int rc = recording_open(fd, name, limit_bytes, true, &r, err);
	struct progress progress = progress_begin("checking", name);

	if (rc)
		return rc;
	while ((rc = recording_next(r, err)) > 0) {
		recorded_note(r, until_s, from_s, out);
		progress_tell(&progress, recording_part(r));
	}
	progress_end(&progress);
	out->whole = recording_is_whole(r);
	recording_close(r);
	return rc ?: recorded_check(out, name, err);
}

int recorded_go(struct recording *r, const char *name, size_t moments, struct error *err)
{
	struct progress progress = progress_begin("reading", name);
	int rc = 1;

	for (size_t i = 0; i < moments && rc > 0; i++) {
		rc = recording_next(r, err);
		progress_tell(&progress, (double)i / (double)moments);
	}
	progress_end(&progress);
	return rc < 0 ? rc : rc ? 0 : -EIO; /* it was there a moment ago */
}

bool recorded_tell(const char *name, const struct moments *m)
{
	bool early = !m->whole && m->at == m->n;

	if (m->in_part) {
		warn("%s: it was left before all of it was read: this is how it was after %.1f s", name,
		     m->at_s);
		return false;
	}
	if (m->skipped)
		warn("%s: %llu intervals were not recorded, to save room (nothing is lost from the others)",
		     name, (unsigned long long)m->skipped);
	if (early)
		warn("%s: the recording ends early, after %.1f s: what came behind is not known (the run was "
		     "killed, or had no room to write)",
		     name, m->last_s);
	return early;
}

int recorded_open(struct recorded *r, const char *name, double at_s, uint64_t limit_bytes, struct error *err)
{
	int fd = recorded_open_file(name, err), rc = fd < 0 ? fd : 0, n = 0;

	r->name = name;
	rc = rc ?: recorded_look(fd, name, limit_bytes, at_s, -1, &r->moments, err);
	rc = rc ?: recording_open(fd, name, limit_bytes, true, &r->recording, err);
	rc = rc ?: recorded_go(r->recording, name, r->moments.at, err);
	if (!rc)
		n = recording_last(r->recording, &r->reports);
	if (fd >= 0)
		close(fd);
	r->n = n > 0 ? (size_t)n : 0;
	rc = rc ?: n < 0 ? n : 0;
	return rc ? error_set(err, rc, EXIT_FAILED, name, NULL, "%s", strerror(-rc)) : 0;
}

void recorded_close(struct recorded *r)
{
	recording_close(r->recording);
	*r = (struct recorded){0};
}
