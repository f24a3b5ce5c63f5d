/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace probes: the sites that would be probed, how each was found and what it costs. */
#include "view/probes.h"

#include <string.h>

#include "view/cells.h"
#include "view/json_out.h"

#define INDENT 2

static const char *or_unknown(const char *s)
{
	return s && *s ? s : "?";
}

static const char *site_function(const struct probe_sites *sites, const struct probe_site *s)
{
	return func_name(sites->catalog, s->func) ? func_name(sites->catalog, s->func) : "?";
}

static const char *site_strategy(const struct probe_site *s)
{
	return s->strategy < NR_STRATEGIES ? site_strategy_names[s->strategy] : "?";
}

/* The columns. */

static void put_function(struct buf *out, const struct probe_sites *sites, const struct probe_site *s)
{
	buf_printf(out, "%s", site_function(sites, s));
}

static void put_operation(struct buf *out, const struct probe_sites *sites, const struct probe_site *s)
{
	(void)sites;
	buf_printf(out, "%s", probe_site_operation(s));
}

static void put_offset(struct buf *out, const struct probe_sites *sites, const struct probe_site *s)
{
	(void)sites;
	buf_printf(out, "0x%llx", (unsigned long long)s->offset);
}

static void put_strategy(struct buf *out, const struct probe_sites *sites, const struct probe_site *s)
{
	(void)sites;
	buf_printf(out, "%s", site_strategy(s));
}

static void put_instruction(struct buf *out, const struct probe_sites *sites, const struct probe_site *s)
{
	(void)sites;
	buf_printf(out, "%s", or_unknown(s->insn));
}

static void put_cost(struct buf *out, const struct probe_sites *sites, const struct probe_site *s)
{
	(void)sites;
	buf_printf(out, "%s", probe_site_cost(s));
}

static const struct {
	const char *header;
	enum cells_align align;
	void (*format)(struct buf *out, const struct probe_sites *sites, const struct probe_site *s);
} probe_columns[] = {
    {"FUNCTION", CELLS_LEFT, put_function}, {"OPERATION", CELLS_LEFT, put_operation},
    {"OFFSET", CELLS_RIGHT, put_offset},    {"STRATEGY", CELLS_LEFT, put_strategy},
    {"INSN", CELLS_LEFT, put_instruction},  {"COST", CELLS_LEFT, put_cost},
};

/* s NULL: the headers. */
static void make_cell(struct buf *cell, size_t column, const struct probe_sites *sites,
		      const struct probe_site *s)
{
	cell->n = 0;
	if (s)
		probe_columns[column].format(cell, sites, s);
	else
		buf_printf(cell, "%s", probe_columns[column].header);
}

static void put_row(struct buf *out, const int *widths, const struct probe_sites *sites,
		    const struct probe_site *s, bool bold)
{
	struct buf cell = {0};

	buf_printf(out, "%s", bold ? "\033[1m" : "");
	for (size_t i = 0; i < ARRAY_LEN(probe_columns); i++) {
		bool last = i + 1 == ARRAY_LEN(probe_columns);

		make_cell(&cell, i, sites, s);
		if (!cell.failed)
			cells_put(out, cell.p, cell.n, widths[i], probe_columns[i].align, !last);
		if (!last)
			buf_add(out, " ", 1);
	}
	buf_printf(out, "%s\n", bold ? "\033[0m" : "");
	out->failed |= cell.failed;
	buf_free(&cell);
}

static void put_table(struct buf *out, const struct probe_sites *sites, bool color)
{
	int widths[ARRAY_LEN(probe_columns)];
	struct buf cell = {0};

	for (size_t i = 0; i < ARRAY_LEN(probe_columns); i++) {
		make_cell(&cell, i, sites, NULL);
		widths[i] = cell.failed ? 0 : cells_width(cell.p, cell.n);
		for (size_t row = 0; row < sites->n; row++) {
			int w;

			make_cell(&cell, i, sites, &sites->v[row]);
			w = cell.failed ? 0 : cells_width(cell.p, cell.n);
			widths[i] = w > widths[i] ? w : widths[i];
		}
	}
	buf_free(&cell);
	put_row(out, widths, sites, NULL, color);
	for (size_t row = 0; row < sites->n; row++)
		put_row(out, widths, sites, &sites->v[row], false);
}

/* What the probes of one function add to a call: of several returns it takes one. */
static int function_price_ns(const struct probe_sites *sites, enum func_id func)
{
	int entry = 0, way_out = 0;
	bool shared = false;

	for (size_t i = 0; i < sites->n; i++) {
		const struct probe_site *s = &sites->v[i];
		int price = s->func == func ? s->price_ns : 0;

		if (price && s->point == POINT_ENTRY) {
			entry = price;
		} else if (price > way_out) {
			way_out = price;
			shared = s->point == POINT_URETPROBE; /* one trap serves both at the entry */
		}
	}
	return shared ? way_out : entry + way_out;
}

/* "local: 40 functions, 41 probes, about 545 to 870 ns a call" */
static void put_family_price(struct buf *out, const struct probe_sites *sites, enum family_id family)
{
	int least = 0, most = 0;
	size_t probes = 0, functions = 0;

	for (size_t i = 0; i < sites->n; i++)
		probes += func_family(sites->catalog, sites->v[i].func) == family;
	for (uint32_t f = 1; f < sites->catalog->nr_funcs; f++) {
		int price = func_family(sites->catalog, f) == family ? function_price_ns(sites, f) : 0;

		if (!price)
			continue;
		functions++;
		least = !least || price < least ? price : least;
		most = price > most ? price : most;
	}
	if (!functions)
		return;
	buf_printf(out, "%s: %zu function%s, %zu probe%s, about %d", family_name(sites->catalog, family),
		   functions, functions == 1 ? "" : "s", probes, probes == 1 ? "" : "s", least);
	if (most > least)
		buf_printf(out, " to %d", most);
	buf_printf(out, " ns a call\n");
}

/* "not seen by --check: GetIntField, GetLongField (2): why", a line for each reason. */
static void put_unseen(struct buf *out, const struct probe_sites *sites, int width)
{
	for (size_t i = 0; i < sites->unseen.n; i++) {
		const char *why = sites->unseen.v[i].why;
		struct flow f = {.out = out, .width = width, .indent = INDENT};
		struct buf text = {0};
		size_t n = 0;

		for (size_t k = 0; k < i && why; k++)
			why = strcmp(sites->unseen.v[k].why, why) ? why : NULL; /* has had its line */
		for (size_t k = i; why && k < sites->unseen.n; k++)
			if (!strcmp(sites->unseen.v[k].why, why))
				buf_printf(&text, "%s%s", n++ ? ", " : "not seen by --check: ",
					   func_name(sites->catalog, sites->unseen.v[k].func));
		if (n)
			buf_printf(&text, " (%zu): %s", n, why);
		if (n && !text.failed)
			flow_words(&f, text.p, text.n);
		if (n)
			flow_end(&f);
		out->failed |= text.failed;
		buf_free(&text);
	}
}

/* "not seen by --check: pending-exception: why" */
static void put_blind(struct buf *out, const struct probes_info *p, int width)
{
	for (size_t i = 0; i < p->nr_blind; i++) {
		struct flow f = {.out = out, .width = width, .indent = INDENT};
		struct buf text = {0};

		buf_printf(&text, "not seen by --check: %s: %s", finding_rows[p->blind[i].kind].name,
			   p->blind[i].why);
		if (!text.failed)
			flow_words(&f, text.p, text.n);
		flow_end(&f);
		out->failed |= text.failed;
		buf_free(&text);
	}
}

void view_probes_table(struct buf *out, const struct probes_info *p, const struct view_opts *o)
{
	int width = o->width;
	const struct report_target *t = p->target;
	struct flow f = {.out = out, .width = width, .indent = INDENT};
	struct buf title = {0};

	buf_printf(&title, "jnitrace probes - PID %d %s \xc2\xb7", t->pid, target_name_of(t));
	if (t->user || t->host)
		buf_printf(&title, " %s@%s \xc2\xb7", or_unknown(t->user), or_unknown(t->host));
	if (t->container)
		buf_printf(&title, " container %.12s \xc2\xb7", t->container);
	buf_printf(&title, " %s %s \xc2\xb7 build-id %s", or_unknown(t->vm), or_unknown(t->vm_version),
		   or_unknown(t->build_id));
	if (!title.failed)
		flow_words(&f, title.p, title.n);
	flow_end(&f);
	out->failed |= title.failed;
	buf_free(&title);
	/* A path is shown whole, whatever its length: it is for copying. */
	cells_puts(out, or_unknown(p->library_file), CELLS_UNCUT);
	buf_add(out, "\n", 1);
	put_table(out, p->sites, o->color);
	for (int f = 0; f < NR_FAMILIES; f++)
		put_family_price(out, p->sites, f);
	if (p->sites->missing > 0)
		buf_printf(out, "no probe site for %llu more function%s\n",
			   (unsigned long long)p->sites->missing, p->sites->missing == 1 ? "" : "s");
	put_unseen(out, p->sites, width);
	put_blind(out, p, width);
	buf_add(out, "\n", 1);
}

static void put_record(struct buf *out, const struct probes_info *p, const struct probe_site *s)
{
	struct json_out j = {.out = out};

	json_begin(&j);
	json_target(&j, p->target);
	json_text(&j, "family", family_name(p->sites->catalog, func_family(p->sites->catalog, s->func)));
	json_text(&j, "function", site_function(p->sites, s));
	json_text(&j, "operation", probe_site_operation(s));
	json_text(&j, "file", s->path ?: p->library_file);
	json_hex(&j, "offset", s->offset);
	json_text(&j, "strategy", site_strategy(s));
	json_text(&j, "instruction", s->insn);
	json_text(&j, "cost", probe_site_cost(s));
	json_count(&j, "cost_ns", (uint64_t)s->price_ns);
	json_count(&j, "functions_missing", p->sites->missing);
	json_open(&j, "unseen", '[');
	for (size_t i = 0; i < p->sites->unseen.n; i++) {
		json_open(&j, NULL, '{');
		json_text(&j, "function", func_name(p->sites->catalog, p->sites->unseen.v[i].func));
		json_text(&j, "why", p->sites->unseen.v[i].why);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_open(&j, "unseen_findings", '[');
	for (size_t i = 0; i < p->nr_blind; i++) {
		json_open(&j, NULL, '{');
		json_text(&j, "kind", finding_rows[p->blind[i].kind].name);
		json_text(&j, "why", p->blind[i].why);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	json_end_line(&j);
}

void view_probes_json(struct buf *out, const struct probes_info *p, const struct view_opts *o)
{
	(void)o;
	for (size_t i = 0; i < p->sites->n; i++)
		put_record(out, p, &p->sites->v[i]);
}
