/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Profiles for pprof, written in pieces. See pprof.h, profile_parts.h. */
#include "export/pprof.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export/marks.h"
#include "export/profile_parts.h"
#include "user/export/profile.pb-c.h"
#include "view/columns.h"
#include "view/text.h"

#define SEVERAL "several targets"

enum { VALUE_OUTSTANDING, VALUE_ACQUIRED, VALUE_BYTES, NR_VALUES };
static const struct {
	const char *type, *unit;
} value_types[NR_VALUES] = {
    [VALUE_OUTSTANDING] = {"outstanding", "count"},
    [VALUE_ACQUIRED] = {"acquired", "count"},
    [VALUE_BYTES] = {"outstanding_bytes", "bytes"},
};
enum { LABEL_FAMILY, LABEL_FUNCTION, LABEL_PID, LABEL_VERDICT, LABEL_CLASS, NR_LABELS };
static const char *const label_keys[NR_LABELS] = {"family", "function", "pid", "verdict", "class"};

struct pprof {
	struct buf head, body; /* of the message so far; mappings of head come first */
	struct texts texts;
	struct numbers mappings;  /* file, build id */
	struct numbers functions; /* name, file */
	struct numbers lines;     /* function, line */
	struct numbers places;    /* mapping, address */
	struct numbers chains;    /* a place or a chain, and a line that follows */
	struct numbers locations; /* chain */
	int64_t program;          /* text; the target's name, as that of the file of managed frames */
	uint64_t program_id;      /* its mapping */
	double start_s, end_s;    /* wall clock */
	bool empty, paired;       /* there was no report; one of whose releases were counted */
};
#define CHAIN_OF_PLACE (1ULL << 32) /* tells a place from a chain */

/* --- packing ------------------------------------------------------------------------------------- */

static void pack(struct buf *out, const Pprof__Profile *piece)
{
	profile_pack(out, &piece->base);
}

static void put_text(struct buf *out, char *text)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;

	piece.n_string_table = 1;
	piece.string_table = &text;
	pack(out, &piece);
}

static int64_t text(struct pprof *p, const char *s)
{
	return texts_add(&p->texts, s);
}

static int64_t report_text(struct pprof *p, const char *s)
{
	return texts_add_kept(&p->texts, s);
}

/* Frees words. */
static void comment(struct pprof *p, struct buf *words)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	int64_t comments[] = {text(p, words->p ?: "")};

	piece.n_comment = 1;
	piece.comment = comments;
	pack(&p->body, &piece);
	p->body.failed |= words->failed;
	buf_free(words);
}

/* --- stacks -------------------------------------------------------------------------------------- */

/* That all is said of a file keeps pprof from looking for it. */
static void pack_mapping(struct buf *out, uint64_t id, int64_t file, int64_t build_id, uint64_t limit)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__Mapping mapping = PPROF__MAPPING__INIT, *mappings[] = {&mapping};

	mapping.id = id;
	mapping.memory_limit = limit;
	mapping.filename = file;
	mapping.build_id = build_id;
	mapping.has_functions = mapping.has_filenames = true;
	mapping.has_line_numbers = mapping.has_inline_frames = true;
	piece.n_mapping = 1;
	piece.mapping = mappings;
	pack(out, &piece);
}

/* Of a frame. Its addresses are those of the file, as if that were mapped at 0. 0: none. */
static uint64_t mapping_of(struct pprof *p, const struct frame *f)
{
	int64_t file = report_text(p, f->path ?: f->module), build_id = report_text(p, f->build_id);
	bool is_new;
	uint64_t id;

	if (frame_is_managed(f))
		return p->program_id;
	if (!f->module)
		return 0;
	id = number_of(&p->mappings, (uint64_t)file, (uint64_t)build_id, &is_new, &p->body);
	if (is_new)
		pack_mapping(&p->body, id, file, build_id, PROFILE_MODULE_LIMIT);
	return id;
}

static uint64_t function_of(struct pprof *p, int64_t name, int64_t file)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__Function function = PPROF__FUNCTION__INIT, *functions[] = {&function};
	bool is_new;

	function.name = function.system_name = name;
	function.filename = file;
	function.id = number_of(&p->functions, (uint64_t)name, (uint64_t)file, &is_new, &p->body);
	piece.n_function = 1;
	piece.function = functions;
	if (is_new)
		pack(&p->body, &piece);
	return function.id;
}

static uint64_t function_of_frame(struct pprof *p, const struct frame *f)
{
	int64_t file = report_text(p, f->file);
	struct buf name = {0};
	uint64_t id;

	if (f->symbol)
		return function_of(p, report_text(p, f->symbol), file);
	frame_name(&name, f);
	id = function_of(p, text(p, name.p ?: ""), file);
	p->body.failed |= name.failed;
	buf_free(&name);
	return id;
}

/* A place with lines, the innermost first. */
static uint64_t location_of(struct pprof *p, uint64_t mapping, uint64_t address, const Pprof__Line *lines,
			    size_t n)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__Location location = PPROF__LOCATION__INIT, *locations[] = {&location};
	Pprof__Line *of[PROFILE_MAX_INLINED + 1];
	uint64_t chain = CHAIN_OF_PLACE;
	bool is_new;

	chain |= number_of(&p->places, mapping, address, &is_new, &p->body);
	for (size_t i = 0; i < n; i++) {
		uint32_t line =
		    number_of(&p->lines, lines[i].function_id, (uint64_t)lines[i].line, &is_new, &p->body);

		chain = number_of(&p->chains, chain, line, &is_new, &p->body);
		of[i] = (Pprof__Line *)&lines[i];
	}
	location.id = number_of(&p->locations, chain, 0, &is_new, &p->body);
	location.mapping_id = mapping;
	location.address = address;
	location.n_line = n;
	location.line = of;
	piece.n_location = 1;
	piece.location = locations;
	if (is_new)
		pack(&p->body, &piece);
	return location.id;
}

static uint64_t location_of_mark(struct pprof *p, const char *mark)
{
	Pprof__Line line = PPROF__LINE__INIT;

	line.function_id = function_of(p, text(p, mark), 0);
	return location_of(p, 0, 0, &line, 1);
}

/* The frame at i, with those that it is inlined in, which are skipped. */
static uint64_t location_of_frames(struct pprof *p, const struct frames *frames, size_t *i)
{
	Pprof__Line lines[PROFILE_MAX_INLINED + 1];
	const struct frame *f;
	size_t n = 0;

	do {
		f = &frames->v[(*i)++];
		pprof__line__init(&lines[n]);
		lines[n].function_id = function_of_frame(p, f);
		lines[n++].line = f->line > 0 ? f->line : 0;
	} while (n <= PROFILE_MAX_INLINED && *i < frames->n && frame_is_inlined_in(f, &frames->v[*i]));
	return location_of(p, mapping_of(p, f), frame_is_managed(f) ? 0 : f->offset, lines, n);
}

/* Room for frames.n + 1. How many there are. */
static size_t put_stack(struct pprof *p, const struct report_site *s, enum stacks_shown shown, uint64_t *ids)
{
	size_t n = 0;

	for (size_t i = 0; i < s->frames.n;) {
		if (frame_is_shown(&s->frames.v[i], shown))
			ids[n++] = location_of_frames(p, &s->frames, &i);
		else
			i++;
	}
	if (s->truncated && s->frames.n)
		ids[n++] = location_of_mark(p, MARK_TRUNCATED);
	else if (!n)
		ids[n++] = location_of_mark(p, MARK_NO_STACK);
	return n;
}

/* --- samples ------------------------------------------------------------------------------------- */

/* label: texts; 0: the sample has no such label. */
static void put_sample(struct pprof *p, uint64_t *ids, size_t nr_ids, const int64_t *label, int64_t *value)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__Sample sample = PPROF__SAMPLE__INIT, *samples[] = {&sample};
	Pprof__Label labels[NR_LABELS], *of[NR_LABELS];

	if (!value[VALUE_OUTSTANDING] && !value[VALUE_ACQUIRED] && !value[VALUE_BYTES])
		return;
	sample.n_location_id = nr_ids;
	sample.location_id = ids;
	sample.n_value = NR_VALUES;
	sample.value = value;
	sample.label = of;
	for (size_t i = 0; i < NR_LABELS; i++) {
		if (!label[i])
			continue;
		pprof__label__init(&labels[i]);
		labels[i].key = report_text(p, label_keys[i]);
		labels[i].str = label[i];
		of[sample.n_label++] = &labels[i];
	}
	piece.n_sample = 1;
	piece.sample = samples;
	pack(&p->body, &piece);
}

static void put_site(struct pprof *p, const struct report *r, const struct report_site *s,
		     const struct view_opts *o, const char *pid)
{
	uint64_t *ids = calloc(s->frames.n + 1, sizeof(*ids)), rest;
	int64_t label[NR_LABELS] = {0};
	size_t nr_ids;

	if (!ids) {
		p->body.failed = true;
		return;
	}
	nr_ids = put_stack(p, s, o->stacks, ids);
	label[LABEL_FAMILY] = report_text(p, family_name(r->catalog, func_family(r->catalog, s->func)));
	label[LABEL_FUNCTION] = report_text(p, func_name(r->catalog, s->func));
	label[LABEL_PID] = text(p, pid);
	label[LABEL_VERDICT] = report_text(p, site_verdict_names[s->verdict.kind]);
	rest = site_outstanding_known(r, s) ? s->outstanding : 0;
	for (size_t i = 0; i < s->classes.n && s->classes.known; i++) {
		uint64_t of_class = s->classes.v[i].outstanding;
		int64_t value[NR_VALUES] = {0};

		of_class = of_class < rest ? of_class : rest;
		rest -= of_class;
		value[VALUE_OUTSTANDING] = int64_of(of_class);
		label[LABEL_CLASS] = report_text(p, s->classes.v[i].name);
		put_sample(p, ids, nr_ids, label, value);
	}
	label[LABEL_CLASS] = 0;
	put_sample(p, ids, nr_ids, label,
		   (int64_t[NR_VALUES]){int64_of(rest), int64_of(s->acquired),
					s->outstanding_bytes > 0 ? s->outstanding_bytes : 0});
	free(ids);
}

/* --- comments ------------------------------------------------------------------------------------ */

static void comment_target(struct pprof *p, const struct report *r)
{
	const char *end = end_reason_names[r->end_reason];
	struct buf words = {0};

	buf_printf(&words, "PID %d: %s", r->target.pid, target_name_of(&r->target));
	if (r->target.vm)
		buf_printf(&words, ", %s %s", r->target.vm, r->target.vm_version ?: "?");
	if (r->target.host)
		buf_printf(&words, ", on %s", r->target.host);
	buf_printf(&words, ", traced for %.1f s", r->elapsed_s);
	if (end)
		buf_printf(&words, " (%s)", end);
	comment(p, &words);
}

/* What was lost, and what the numbers do not say. */
static void comment_unknown(struct pprof *p, const struct report *r)
{
	size_t unknown = 0;

	for (size_t i = 0; i < NR_DROPS; i++) {
		struct buf words = {0};

		if (!r->drops[i])
			continue;
		buf_printf(&words, "PID %d: drop %s %llu: %s", r->target.pid, drop_rows[i].name,
			   (unsigned long long)r->drops[i], drop_rows[i].meaning);
		comment(p, &words);
	}
	for (size_t i = 0; i < NR_FAMILIES; i++) {
		struct buf words = {0};

		if (!r->families[i].one_in)
			continue;
		buf_printf(&words, "PID %d: %s is sampled, one handle in %llu: its values are estimates",
			   r->target.pid, family_name(r->catalog, i),
			   (unsigned long long)r->families[i].one_in);
		comment(p, &words);
	}
	for (size_t i = 0; i < r->sites.n; i++)
		unknown += !site_outstanding_known(r, &r->sites.v[i]);
	if (unknown) {
		struct buf words = {0};

		buf_printf(&words,
			   "PID %d: of %zu of %zu sites it is not known how much is outstanding (shown as 0)",
			   r->target.pid, unknown, r->sites.n);
		comment(p, &words);
	}
}

/* --- the profile --------------------------------------------------------------------------------- */

void pprof_begin(void **state, struct buf *out)
{
	struct pprof *p = calloc(1, sizeof(*p));
	struct buf words = {0};
	bool is_new;

	*state = p;
	if (!p) {
		out->failed = true;
		return;
	}
	p->empty = true;
	p->texts.put = put_text;
	p->texts.out = &p->body;
	text(p, "");
	/* no file has the empty text for its name */
	p->program_id = number_of(&p->mappings, 0, 0, &is_new, &p->body);
	buf_printf(&words, "jnitrace %s", JNITRACE_VERSION);
	comment(p, &words);
}

static void note_target(struct pprof *p, const struct report *r)
{
	double end_s = r->time_unix_s, start_s = end_s - r->elapsed_s;
	int64_t name = text(p, target_name_of(&r->target));

	p->program = p->empty || p->program == name ? name : text(p, SEVERAL);
	p->start_s = p->empty ? start_s : fmin(p->start_s, start_s);
	p->end_s = p->empty ? end_s : fmax(p->end_s, end_s);
	p->empty = false;
	p->paired |= !r->count_only;
}

void pprof_reports(void *state, struct buf *out, const struct report *const *reports, size_t n,
		   const struct view_opts *o)
{
	struct pprof *p = state;

	for (size_t i = 0; i < n && p && !p->body.failed; i++) {
		const struct report *r = reports[i];
		char pid[16];

		snprintf(pid, sizeof(pid), "%d", r->target.pid);
		note_target(p, r);
		comment_target(p, r);
		comment_unknown(p, r);
		for (size_t k = 0; k < r->sites.n; k++)
			put_site(p, r, &r->sites.v[k], o, pid);
	}
	if (p)
		texts_forget(&p->texts);
	out->failed |= !p || p->body.failed;
}

/* Rounded to milliseconds. */
static int64_t ms_as_ns(double s)
{
	return (int64_t)round(s * 1e3) * 1000000;
}

/* What is said once. */
static void put_head(struct pprof *p, enum pprof_value value)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__ValueType types[NR_VALUES], *of[NR_VALUES];

	for (size_t i = 0; i < NR_VALUES; i++) {
		pprof__value_type__init(&types[i]);
		types[i].type = text(p, value_types[i].type);
		types[i].unit = text(p, value_types[i].unit);
		of[i] = &types[i];
	}
	piece.n_sample_type = NR_VALUES;
	piece.sample_type = of;
	piece.default_sample_type =
	    types[value == PPROF_OUTSTANDING ? VALUE_OUTSTANDING : VALUE_ACQUIRED].type;
	piece.time_nanos = ms_as_ns(p->start_s);
	piece.duration_nanos = ms_as_ns(p->end_s - p->start_s);
	pack(&p->head, &piece);
	pack_mapping(&p->head, p->program_id, p->program, 0, 0);
}

void pprof_end(void *state, struct buf *out)
{
	const struct pprof *p = state;

	pprof_end_as(state, out, !p || p->paired || p->empty ? PPROF_OUTSTANDING : PPROF_ACQUIRED);
}

void pprof_end_as(void *state, struct buf *out, enum pprof_value value)
{
	struct pprof *p = state;

	if (!p)
		return;
	put_head(p, value);
	out->failed |= p->head.failed || p->body.failed;
	if (!out->failed)
		profile_gzip(out, (struct buf *const[]){&p->head, &p->body}, 2);
	buf_free(&p->head);
	buf_free(&p->body);
	numbers_free(&p->mappings);
	numbers_free(&p->functions);
	numbers_free(&p->lines);
	numbers_free(&p->places);
	numbers_free(&p->chains);
	numbers_free(&p->locations);
	texts_free(&p->texts);
	free(p);
}
