/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The reader of recordings: lines of the file, and what each says. See recording.h. */
#include "record/recording.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "record/recording_priv.h"

#define SAME_START_S 0.5 /* targets that are attached within this time began together */

static int too_new(struct recording *r)
{
	return error_set(r->err, -EPROTO, EXIT_FAILED, r->name, "read it with that version",
			 "a newer version of jnitrace wrote this recording");
}

/* What a record says of another, by number: 1 to most. */
static int get_number(struct recording *r, const json_t *line, const char *key, size_t most, size_t *out)
{
	const json_t *v = json_object_get(line, key);
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < 1 || (uint64_t)n > most)
		return recording_damaged(r, "a number of what was never said");
	*out = (size_t)n;
	return 0;
}

/* Where its names are. When no target is forgotten all are in one place, for marks have them, too. */
static struct strset *text_of(struct recording *r, struct subject *s)
{
	return r->keep_ended ? &r->text : &s->saved.text;
}

uint64_t subject_bytes(const struct subject *s)
{
	return s->saved.bytes + s->saved.text.bytes + s->saved.text.cap * sizeof(char *) +
	       s->saved.text.n * 32 + s->marks.cap * sizeof(*s->marks.v) + sizeof(*s);
}

/* --- what is said once --------------------------------------------------------------------------- */

/* Its number must be the next one, so that numbers and places agree. */
static int check_next(struct recording *r, const json_t *line, size_t n)
{
	size_t number;
	int rc = get_number(r, line, "number", n + 1, &number);

	return rc ?: number == n + 1 ? 0 : recording_damaged(r, "said twice");
}

static int read_module(struct recording *r, const json_t *line)
{
	struct frame *m;
	int rc = check_next(r, line, r->modules.n);

	if (rc)
		return rc;
	m = VEC_ADD(&r->modules);
	if (!m)
		return -ENOMEM;
	rc = recording_text(r, &r->text, json_object_get(line, "module"), &m->module);
	rc = rc ?: recording_text(r, &r->text, json_object_get(line, "path"), &m->path);
	rc = rc ?: recording_text(r, &r->text, json_object_get(line, "build_id"), &m->build_id);
	r->once_bytes += sizeof(*m);
	return rc;
}

static int read_frame(struct recording *r, const json_t *line)
{
	struct reading in = {.r = r, .text = &r->text};
	struct frame f = {.later = NULL}, *place;
	int rc = check_next(r, line, r->frames.n);

	rc = rc ?: reading_struct(&in, &frame_fields, line, &f);
	place = rc ? NULL : VEC_ADD(&r->frames);
	if (!rc && !place)
		return -ENOMEM;
	if (place)
		*place = f;
	r->once_bytes += sizeof(f);
	return rc;
}

static int read_stack(struct recording *r, const json_t *line)
{
	const json_t *list = json_object_get(line, "frames"), *v;
	size_t n = json_array_size(list), i;
	struct frames stack, *place;
	int rc = check_next(r, line, r->stacks.n);

	if (rc)
		return rc;
	if (n < 1 || n > MAX_STACK_FRAMES)
		return recording_damaged(r, "a stack without frames, or with too many");
	stack = (struct frames){.v = calloc(n, sizeof(*stack.v)), .n = n};
	place = stack.v ? VEC_ADD(&r->stacks) : NULL;
	if (!place) {
		free(stack.v);
		return -ENOMEM;
	}
	*place = stack;
	r->once_bytes += sizeof(*place) + n * sizeof(*stack.v);
	json_array_foreach(list, i, v)
	{
		json_int_t number = json_integer_value(v);

		if (number < 1 || (uint64_t)number > r->frames.n)
			return recording_damaged(r, "a frame that was never said");
		stack.v[i] = r->frames.v[number - 1];
	}
	return 0;
}

/* --- reports ------------------------------------------------------------------------------------- */

static int new_subject(struct recording *r, struct subject **out)
{
	struct subject *s, **place;

	if (r->live >= JT_MAX_TARGETS)
		return recording_damaged(r, "too many targets at a time");
	s = calloc(1, sizeof(*s));
	place = s ? VEC_ADD(&r->subjects) : NULL;
	if (!place) {
		free(s);
		return -ENOMEM;
	}
	*place = s;
	s->number = ++r->nr_subjects;
	r->live++;
	*out = s;
	return 0;
}

/* The target of a line: one that lives, or the next. */
static int get_subject(struct recording *r, const json_t *line, bool may_be_new, struct subject **out)
{
	size_t number;
	int rc = get_number(r, line, "process", r->nr_subjects + may_be_new, &number);

	if (rc)
		return rc;
	if (number > r->nr_subjects)
		return new_subject(r, out);
	for (size_t i = r->subjects.n; i-- > 0;) /* most that live are the last */
		if (r->subjects.v[i]->number == number) {
			*out = r->subjects.v[i];
			return (*out)->ended ? recording_damaged(r, "a target that has ended") : 0;
		}
	return recording_damaged(r, "a target that has ended");
}

/* How long the lists are from now on. */
static int read_lengths(struct reading *in, const json_t *line)
{
	for (int i = 0; i < NR_REPORT_LISTS; i++) {
		const struct report_list_row *row = &report_lists[i];
		const json_t *length = json_object_get(line, row->length);
		int rc = length ? reading_resize(in, &row->list, &in->s->saved.report, length) : 0;

		if (rc)
			return rc;
	}
	return 0;
}

/* Of sites of which no line says more: nothing happened, and their rates say so. */
static int begin_sites(struct subject *s)
{
	struct report *r = &s->saved.report;

	while (s->marks.n < r->sites.n)
		if (!VEC_ADD(&s->marks))
			return -ENOMEM;
	for (size_t i = 0; i < r->sites.n; i++) {
		struct report_site *site = &r->sites.v[i];

		s->marks.v[i] = site->func != FUNC_NONE;
		saved_rates(&s->saved, site, site->acquired, site->outstanding);
	}
	return 0;
}

/*
 * When a target was attached, seconds after the first. All reports of a moment were made at once: how long
 * the others have run tells. The wall clock, which may be set meanwhile, is asked only where there is none.
 */
static double start_of(struct recording *r, const struct report *report)
{
	double start_unix_s = report->time_unix_s - report->elapsed_s, after_s;

	if (!r->begun) {
		r->begun = true;
		r->start_unix_s = start_unix_s;
	}
	after_s = start_unix_s - r->start_unix_s;
	for (size_t i = 0; i < r->subjects.n; i++) {
		const struct subject *s = r->subjects.v[i];

		if (s->reported && &s->saved.report != report) {
			after_s = s->start_s + s->saved.report.elapsed_s - report->elapsed_s;
			break;
		}
	}
	return after_s > SAME_START_S ? after_s : 0;
}

static int read_report(struct recording *r, const json_t *line)
{
	struct reading in = {.r = r};
	struct subject *s;
	uint64_t before;
	bool first;
	int rc = get_subject(r, line, true, &s);

	if (rc)
		return rc;
	if (s->reported)
		return recording_damaged(r, "two reports of a target at a moment");
	first = !s->saved.report.catalog;
	before = first ? 0 : subject_bytes(s);
	in.s = s;
	in.text = text_of(r, s);
	s->saved.report.catalog = r->catalog;
	s->saved.last_s = s->saved.report.elapsed_s;
	s->reported = true;
	s->order = ++r->nr_reports;
	rc = read_lengths(&in, line);
	rc = rc ?: reading_struct(&in, &report_fields, line, &s->saved.report);
	rc = rc ?: begin_sites(s);
	if (first)
		s->start_s = start_of(r, &s->saved.report);
	r->subject_bytes += subject_bytes(s) - before;
	return rc;
}

static bool lacks_name(const struct report_of *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!v[i].name)
			return true;
	return false;
}

/* What views take for granted. */
static int check_site(struct recording *r, const struct report_site *site)
{
	if (site->func == FUNC_NONE || func_is_use(site->func) ||
	    func_family(r->catalog, site->func) >= NR_FAMILIES)
		return recording_damaged(r, "a site of no function");
	for (size_t i = 0; i < site->classes.n; i++)
		if (!site->classes.v[i].name || lacks_name(site->classes.v[i].of.v, site->classes.v[i].of.n))
			return recording_damaged(r, "a class without a name");
	if (!site->pins != !func_is_pin(r->catalog, site->func))
		return recording_damaged(r, "pins of no such function");
	return 0;
}

static int read_site(struct reading *in, const json_t *line, size_t index)
{
	struct report_site *site = &in->s->saved.report.sites.v[index], was = *site, rates;
	int rc = reading_struct(in, &site_fields, line, site);

	if (rc)
		return rc;
	rates = *site;
	saved_rates(&in->s->saved, &rates, was.acquired, was.outstanding);
	if (!json_object_get(line, "rate_per_s"))
		site->rate_per_s = rates.rate_per_s;
	if (!json_object_get(line, "acquired_per_s"))
		site->acquired_per_s = rates.acquired_per_s;
	if (!json_object_get(line, "recent_per_s"))
		site->recent_per_s = rates.recent_per_s;
	in->s->marks.v[index] = true;
	return check_site(in->r, site);
}

static int read_element(struct recording *r, const json_t *line, enum report_list which)
{
	const struct report_list_row *row = &report_lists[which];
	const json_t *at = json_object_get(line, row->record);
	json_int_t index = json_integer_value(at);
	struct reading in = {.r = r};
	uint64_t before;
	void *element;
	int rc = get_subject(r, line, false, &in.s);

	if (rc)
		return rc;
	if (!in.s->reported || !json_is_integer(at) || index < 0 ||
	    (uint64_t)index >= list_length(&row->list, &in.s->saved.report))
		return recording_damaged(r, "a row that its report has not");
	in.text = text_of(r, in.s);
	before = subject_bytes(in.s);
	element = list_element(&row->list, &in.s->saved.report, (size_t)index);
	rc = which == LIST_SITES ? read_site(&in, line, (size_t)index)
				 : reading_struct(&in, row->list.of, line, element);
	r->subject_bytes += subject_bytes(in.s) - before;
	if (!rc && which == LIST_BEFORE) {
		const struct report_before *b = element;

		rc = lacks_name(b->of.v, b->of.n) ? recording_damaged(r, "a class without a name") : 0;
	}
	return rc;
}

void subject_free(struct subject *s)
{
	saved_free(&s->saved);
	free(s->marks.v);
	free(s->shown.sites.v);
	free(s);
}

/* A new moment begins: the last one's reports are no news any more. */
static void begin_moment(struct recording *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->subjects.n; i++) {
		struct subject *s = r->subjects.v[i];

		s->reported = false;
		if (s->ended && !r->keep_ended) {
			r->subject_bytes -= subject_bytes(s);
			subject_free(s);
			continue;
		}
		r->subjects.v[kept++] = s;
	}
	r->subjects.n = kept;
}

static int get_skipped(struct recording *r, const json_t *line)
{
	const json_t *v = json_object_get(line, "skipped");

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return recording_damaged(r, "no count of what was left out");
	r->skipped = (uint64_t)json_integer_value(v);
	return 0;
}

static int compare_orders(const void *va, const void *vb)
{
	const struct subject *const *a = va, *const *b = vb;

	return ((*a)->order > (*b)->order) - ((*a)->order < (*b)->order);
}

static int end_moment(struct recording *r, const json_t *line)
{
	size_t n = 0;
	int rc = get_skipped(r, line);

	r->at_s = 0;
	for (size_t i = 0; i < r->subjects.n && !rc; i++) {
		struct subject *s = r->subjects.v[i];
		const struct report *report = &s->saved.report;

		if (!s->reported)
			continue;
		n++;
		r->at_s = fmax(r->at_s, s->start_s + report->elapsed_s);
		for (size_t k = 0; k < report->sites.n && !rc; k++)
			if (!s->marks.v[k])
				rc = recording_damaged(r, "a site that was never said");
		s->ended = report->final;
		r->live -= s->ended;
	}
	if (r->subjects.n > 1)
		qsort(r->subjects.v, r->subjects.n, sizeof(*r->subjects.v), compare_orders);
	return rc ?: n ? 0 : recording_damaged(r, "a moment without a report");
}

/* --- the head ------------------------------------------------------------------------------------ */

static int read_options(struct recording *r, const json_t *line)
{
	json_t *options = json_object_get(line, "options"), *v;
	const char *key;

	if (!json_is_object(options) || json_object_size(options) > RECORDING_MAX_OPTIONS)
		return recording_damaged(r, "no options");
	json_object_foreach (options, key, v) {
		struct recording_option *o = &r->options[r->nr_options++];
		const char *value = json_string_value(v);

		if (!value && !json_is_true(v))
			return recording_damaged(r, "an option that is none");
		o->name = strset_add(&r->text, key);
		o->value = value ? strset_add(&r->text, value) : NULL;
		if (!o->name || (value && !o->value))
			return -ENOMEM;
	}
	return 0;
}

static int add_family(struct recording *r, const json_t *v)
{
	struct family_row row = {.by_default = json_is_true(json_object_get(v, "by_default"))};
	json_int_t kind = json_integer_value(json_object_get(v, "kind"));
	int rc = recording_text(r, &r->text, json_object_get(v, "name"), &row.name);

	if (!rc && (!row.name || kind <= KIND_NONE || kind == KIND_USE || kind > KIND_PAIR))
		return recording_damaged(r, "a family that is none");
	row.kind = (enum family_kind)kind;
	rc = rc ?: catalog_add_family(r->catalog, &row);
	return rc == -ENOMEM || rc >= 0 ? (rc < 0 ? rc : 0) : recording_damaged(r, "a family that is none");
}

static int add_func(struct recording *r, const json_t *v)
{
	struct func_row row = {.api = "recorded", .handle = HANDLE_NONE};
	json_int_t operation = json_integer_value(json_object_get(v, "operation"));
	const char *family = NULL;
	int rc = recording_text(r, &r->text, json_object_get(v, "name"), &row.name);

	rc = rc ?: recording_text(r, &r->text, json_object_get(v, "family"), &family);
	if (!rc && (!row.name || !family || operation < OP_ACQUIRE || operation >= NR_OPERATIONS))
		return recording_damaged(r, "a function that is none");
	row.family = rc ? FAMILY_NONE : catalog_find_family(r->catalog, family);
	row.operation = (enum operation)operation;
	rc = rc ?: catalog_add_func(r->catalog, &row);
	return rc == -ENOMEM || rc >= 0 ? (rc < 0 ? rc : 0) : recording_damaged(r, "a function that is none");
}

static int read_catalog(struct recording *r, const json_t *line)
{
	const json_t *families = json_object_get(line, "families"),
		     *functions = json_object_get(line, "functions"), *v;
	int rc = json_is_array(families) && json_is_array(functions)
		     ? 0
		     : recording_damaged(r, "no families, or no functions");
	size_t i;

	json_array_foreach(families, i, v)
	{
		rc = rc ?: add_family(r, v);
	}
	json_array_foreach(functions, i, v)
	{
		rc = rc ?: add_func(r, v);
	}
	for (size_t func = 0; func < NR_ALL_FUNCS && !rc; func++) {
		char room[FUNC_WORD_MAX];
		const char *word = func_word(r->catalog, func, room);

		rc = word ? hash_set(&r->funcs, fnv64(FNV64_INIT, word, strlen(word)), 0, (uint32_t)func) : 0;
	}
	return rc;
}

static int read_head(struct recording *r)
{
	const json_t *version;
	json_t *line = NULL;
	int rc = lines_next(r->lines, &line, r->err);
	const char *record = json_string_value(json_object_get(line, "record"));

	if (rc == 0)
		rc = error_set(r->err, -EBADMSG, EXIT_FAILED, r->name, "record again",
			       "the recording is empty");
	else if (rc > 0 && (!record || strcmp(record, "recording")))
		rc = error_set(r->err, -EBADMSG, EXIT_FAILED, r->name, "jnitrace record makes one",
			       "this is no recording");
	rc = rc < 0 ? rc : 0;
	version = json_object_get(line, "version");
	if (!rc && json_integer_value(version) > RECORDING_VERSION)
		rc = too_new(r);
	if (!rc && json_integer_value(version) != RECORDING_VERSION)
		rc = recording_damaged(r, "no version");
	if (!rc && json_is_string(json_object_get(line, "jnitrace")))
		rc = recording_text(r, &r->text, json_object_get(line, "jnitrace"), &r->made_by);
	rc = rc ?: read_options(r, line);
	rc = rc ?: read_catalog(r, line);
	json_decref(line);
	return rc;
}

/* --- moments ------------------------------------------------------------------------------------- */

static int read_end(struct recording *r, const json_t *line)
{
	int rc = get_skipped(r, line);

	r->whole = true;
	return rc;
}

static int read_site_line(struct recording *r, const json_t *line)
{
	return read_element(r, line, LIST_SITES);
}

static int read_finding_line(struct recording *r, const json_t *line)
{
	return read_element(r, line, LIST_FINDINGS);
}

static int read_before_line(struct recording *r, const json_t *line)
{
	return read_element(r, line, LIST_BEFORE);
}

static const struct {
	const char *name;
	int (*read)(struct recording *r, const json_t *line);
	bool ends; /* the moment, or all */
	bool once; /* what it says is known from then on, whatever moment is gone to */
} records[] = {
    {"site", read_site_line, false, false},
    {"finding", read_finding_line, false, false},
    {"before", read_before_line, false, false},
    {"report", read_report, false, false},
    {"frame", read_frame, false, true},
    {"stack", read_stack, false, true},
    {"module", read_module, false, true},
    {"moment", end_moment, true, false},
    {"end", read_end, true, false},
};

/* 1: it ends the moment, or all. */
static int read_record(struct recording *r, const json_t *line)
{
	const char *name = json_string_value(json_object_get(line, "record"));
	bool is_known = lines_number(r->lines) <= r->known_line;
	int rc;

	for (size_t i = 0; name && i < ARRAY_LEN(records); i++) {
		if (strcmp(records[i].name, name))
			continue;
		rc = records[i].once && is_known ? 0 : records[i].read(r, line);
		if (rc == -ENOMEM || (!rc && recording_used(r, NULL) > r->limit_bytes))
			rc = recording_full(r);
		return rc ?: records[i].ends;
	}
	return recording_damaged(r, "a record of no known kind");
}

int recording_next(struct recording *r, struct error *err)
{
	json_t *line;
	int rc;

	r->err = err;
	begin_moment(r);
	do {
		line = NULL;
		rc = lines_next(r->lines, &line, err);
		if (rc > 0 && r->whole)
			rc = recording_damaged(r, "more behind its end");
		else if (rc > 0)
			rc = read_record(r, line);
		else if (rc == 0)
			rc = 2; /* the file ends */
		json_decref(line);
		if (lines_number(r->lines) > r->known_line)
			r->known_line = lines_number(r->lines);
		if (rc == 1 && r->whole)
			rc = 0; /* is it the last? */
	} while (rc == 0);
	r->err = NULL;
	return rc == 2 ? 0 : rc;
}

int recording_open(int fd, const char *name, uint64_t limit_bytes, bool keep_ended, struct recording **out,
		   struct error *err)
{
	struct recording *r = calloc(1, sizeof(*r));
	int rc = r ? 0 : -ENOMEM;
	struct stat st;

	if (r) {
		snprintf(r->name, sizeof(r->name), "%s", name);
		r->err = err;
		r->limit_bytes = limit_bytes;
		r->keep_ended = keep_ended;
		r->file_bytes = fstat(fd, &st) ? 0 : (double)st.st_size;
		rc = catalog_new(&r->catalog);
		rc = rc ?: lines_open(fd, r->name, &r->lines);
		rc = rc ?: read_head(r);
		r->err = NULL;
	}
	if (rc) {
		error_set(err, rc, EXIT_FAILED, name, NULL, "%s", strerror(-rc));
		recording_close(r);
		r = NULL;
	}
	*out = r;
	return rc;
}

void recording_close(struct recording *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->subjects.n; i++)
		subject_free(r->subjects.v[i]);
	for (size_t i = 0; i < r->stacks.n; i++)
		free(r->stacks.v[i].v);
	free(r->subjects.v);
	free(r->stacks.v);
	free(r->frames.v);
	free(r->modules.v);
	free(r->shown.v);
	hash_free(&r->funcs);
	strset_free(&r->text);
	lines_close(r->lines);
	catalog_free(r->catalog);
	free(r);
}

/* --- what was read ------------------------------------------------------------------------------- */

const struct catalog *recording_catalog(const struct recording *r)
{
	return r->catalog;
}

size_t recording_options(const struct recording *r, const struct recording_option **out)
{
	*out = r->options;
	return r->nr_options;
}

const char *recording_made_by(const struct recording *r)
{
	return r->made_by;
}

bool recording_is_whole(const struct recording *r)
{
	return r->whole;
}

double recording_at_s(const struct recording *r)
{
	return r->at_s;
}

uint64_t recording_skipped(const struct recording *r)
{
	return r->skipped;
}

double recording_part(const struct recording *r)
{
	return r->file_bytes > 0 ? fmin((double)lines_bytes(r->lines) / r->file_bytes, 1) : 0;
}

/* What the next lines are read into keeps its order: others sort a copy. */
int subject_show(struct subject *s)
{
	const struct report *from = &s->saved.report;
	struct report_site *sites = NULL;

	if (from->sites.n) {
		sites = reallocarray(s->shown.sites.v, from->sites.n, sizeof(*sites));
		if (!sites)
			return -ENOMEM;
		memcpy(sites, from->sites.v, from->sites.n * sizeof(*sites));
	} else {
		free(s->shown.sites.v);
	}
	s->shown = *from;
	s->shown.sites.v = sites;
	s->shown.sites.cap = from->sites.n;
	return 0;
}

static int show_all(struct recording *r, bool last, struct report ***out)
{
	r->shown.n = 0;
	for (size_t i = 0; i < r->subjects.n; i++) {
		struct subject *s = r->subjects.v[i];
		struct report **place;

		if (!last && !s->reported)
			continue;
		place = subject_show(s) ? NULL : VEC_ADD(&r->shown);
		if (!place)
			return -ENOMEM;
		*place = &s->shown;
	}
	*out = r->shown.v;
	return (int)r->shown.n;
}

int recording_reports(struct recording *r, struct report ***out)
{
	return show_all(r, false, out);
}

int recording_last(struct recording *r, struct report ***out)
{
	return show_all(r, true, out);
}
