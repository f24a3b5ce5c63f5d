/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where to probe. Every strategy proposes sites for the functions it knows; a proposal is taken when it
 * is safe and cheaper than what is there, so the order of strategies decides only among equals.
 */
#include "sites/sites.h"

#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "arch/insn.h"
#include "model/report.h"
#include "sites/returns.h"
#include "sites/site_locs.h"

#define MAX_SITES_PER_FUNC 16 /* a USDT probe has one note for each way out of a function */
#define MAX_SKIPPED        4
#define MAX_INSN_BYTES     16
#define SYMBOL_BYTES       128
#define MAX_SYMBOLS        4 /* that a function may have */

/* What has been found for one function. */
struct found {
	bool wanted;
	uint64_t entry[FUNC_VARIANTS]; /* link-time addresses, ascending, by the first strategy that knew */
	size_t nr_entries;             /* 0: unknown */
	enum site_strategy entry_by;
	int price_ns; /* of one call at the sites below */
	size_t n;     /* 0: none yet */
	struct probe_site site[MAX_SITES_PER_FUNC];
	bool entry_only; /* likewise, but its returns cannot be probed, and are not needed */
	bool at_entry;   /* of a function probed at both ends: the other end is known too */
	struct probe_site entry_site[FUNC_VARIANTS]; /* of each entry */
	bool replaced;                               /* calls do not come to it */
	const char *why;                             /* the last proposal was refused: why */
	char not_there[256];                         /* why, where its runtime says so */
};
struct resolver {
	const struct site_request *req;
	uint16_t machine;
	int table_rc; /* of the function table: -EAGAIN says that it may come */
	struct found found[NR_ALL_FUNCS];
	struct elf_cfi_table *cfi; /* of the library; NULL: not asked yet, or there is none */
	int cfi_rc;                /* why not */
	struct buf notes;
};

static const struct func_row *row_of(const struct resolver *r, enum func_id func)
{
	return &r->req->catalog->funcs[func];
}

static const struct runtime *runtime_of(const struct resolver *r)
{
	return r->req->file->runtime;
}

static void note(struct resolver *r, const char *fmt, ...) JT_PRINTF(2, 3);

static void note(struct resolver *r, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	buf_printf(&r->notes, "%s\n", line);
}

/*
 * Measured on one machine (docs/measurements.md): ratios travel, so the order is right. For a nop, which is
 * what a USDT probe is, the kernel has not to write to the stack as for a push. But a thread comes there only
 * when it need not wait for a collection, and that is no time that a pin was held: for pins an entry is
 * preferred.
 */
static int price_ns(const struct catalog *catalog, const struct probe_site *s)
{
	int usdt = s->point == POINT_ENTRY && func_is_pin(catalog, s->func) ? 550 : 470;
	int point = s->point == POINT_URETPROBE ? 870 : s->strategy == STRATEGY_USDT ? usdt : 545;

	return point + (s->single_step ? 9000 : 0);
}

static void decode_at(const struct resolver *r, uint64_t vaddr, struct insn *out)
{
	uint8_t code[MAX_INSN_BYTES];

	insn_decode(r->machine, code, elf_read(r->req->file->elf, vaddr, code, sizeof(code)), out);
}

/* Fill in file offset, address and instruction. false: not in the file's code. */
static bool place(const struct resolver *r, uint64_t vaddr, struct probe_site *s, struct insn *insn)
{
	s->vaddr = vaddr;
	if (!elf_is_code(r->req->file->elf, vaddr) ||
	    !elf_vaddr_to_offset(r->req->file->elf, vaddr, &s->offset))
		return false;
	decode_at(r, vaddr, insn);
	s->insn = insn->name;
	s->single_step = insn->cost == INSN_SINGLE_STEP;
	return true;
}

static void accept(struct resolver *r, enum func_id func, const struct probe_site *sites, size_t n)
{
	struct found *f = &r->found[func];
	int price = 0;

	for (size_t i = 0; i < n; i++)
		if (price_ns(r->req->catalog, &sites[i]) > price)
			price = price_ns(r->req->catalog, &sites[i]);
	if (f->n > 0 && f->price_ns <= price)
		return;
	memcpy(f->site, sites, n * sizeof(*sites));
	f->n = n;
	f->price_ns = price;
}

/* Is the handle, or what tells whether the call succeeded, the function's result? */
static bool at_return(const struct resolver *r, enum func_id func)
{
	return row_of(r, func)->handle == HANDLE_RETURN || func_at_both_ends(r->req->catalog, func);
}

/* --- pins: Get*(env, object, isCopy) and Release*(env, object, pointer[, mode]) --- */

/* Release*Chars and ReleaseStringCritical have no mode. */
static bool has_mode(const struct func_row *row)
{
	return row->family == FAMILY_ARRAY || strcmp(row->name, "ReleasePrimitiveArrayCritical") == 0;
}

static void pin_locs_at_entry(const struct resolver *r, const struct func_row *row, struct probe_site *s)
{
	uint16_t machine = r->machine;

	if (!func_is_pin(r->req->catalog, s->func))
		return;
	s->object = loc_of_arg(machine, HANDLE_ARG1);
	if (row->operation == OP_ACQUIRE)
		s->extra = loc_of_arg(machine, HANDLE_ARG2);
	else if (has_mode(row))
		s->extra = loc_of_arg(machine, HANDLE_ARG3);
}

/* Of a Release; a Get's note is at its return. */
static bool pin_locs_by_usdt(uint16_t machine, const char *args, const struct func_row *row,
			     struct probe_site *s)
{
	return usdt_operand(machine, args, 1, &s->object) &&
	       (!has_mode(row) || usdt_int_operand(machine, args, 3, &s->extra));
}

/* --- a function's entry, however it was found --- */

static bool is_watch(const struct resolver *r, enum func_id func)
{
	return row_of(r, func)->operation == OP_WATCH;
}

static bool is_pair(const struct resolver *r, enum func_id func)
{
	return func_kind(r->req->catalog, func) == KIND_PAIR;
}

static uint32_t reg_of_arg(uint16_t machine, enum handle_where arg)
{
	struct loc l = {0};

	if (arg >= HANDLE_ARG0)
		l = loc_of_arg(machine, arg);
	return l.kind == LOC_REG ? 1U << l.reg : 0;
}

/* The registers whose contents at the entry the probe needs, beside the stack's. */
static uint32_t needed_regs(const struct resolver *r, enum func_id func)
{
	const struct func_row *row = row_of(r, func);

	if (!is_pair(r, func))
		return regs_of_args(r->machine);
	return reg_of_arg(r->machine, row->handle) | reg_of_arg(r->machine, row->count) |
	       reg_of_arg(r->machine, row->size) | reg_of_arg(r->machine, row->times) |
	       reg_of_arg(r->machine, row->finalizer);
}

/*
 * The cheapest instruction at the entry or past such as leave the needed registers as they are, endbr64 or
 * a test of an argument in the first place: a probe there is single-stepped, one on the push or jump behind
 * it is emulated.
 */
static bool place_near_entry(const struct resolver *r, uint64_t vaddr, uint32_t needed,
			     struct probe_site *out)
{
	enum insn_cost cost = INSN_UNSAFE;

	for (int i = 0; i < MAX_SKIPPED; i++) {
		struct probe_site s = *out;
		struct insn insn;

		if (!place(r, vaddr, &s, &insn))
			break;
		if (insn.cost < cost) {
			*out = s;
			cost = insn.cost;
		}
		if (!insn.skippable || insn.writes & needed || insn.size_bytes == 0)
			break;
		vaddr += insn.size_bytes;
	}
	return cost != INSN_UNSAFE;
}

/* Of a pair, where its handle is and how many there are. Its first argument is no JNIEnv. */
static void pair_locs_at_entry(const struct resolver *r, const struct func_row *row, struct probe_site *s)
{
	enum handle_where extra = row->size != HANDLE_NONE ? row->size : row->count;

	s->env = (struct loc){.kind = LOC_NONE};
	s->handle = s->extra = s->object = s->finalizer = s->env;
	if (row->handle >= HANDLE_ARG0)
		s->handle = loc_of_arg(r->machine, row->handle);
	if (extra >= HANDLE_ARG0)
		s->extra = loc_of_arg(r->machine, extra);
	if (row->times >= HANDLE_ARG0)
		s->object = loc_of_arg(r->machine, row->times);
	if (row->finalizer >= HANDLE_ARG0)
		s->finalizer = loc_of_arg(r->machine, row->finalizer);
}

static void locs_near_entry(const struct resolver *r, const struct func_row *row, struct probe_site *s)
{
	bool at_return = row->handle == HANDLE_RETURN; /* which the entry does not know */

	locs_at_entry(r->machine, at_return ? HANDLE_ARG1 : row->handle, s);
	if (is_pair(r, s->func))
		pair_locs_at_entry(r, row, s);
	else
		pin_locs_at_entry(r, row, s);
}

/* The first strategy that knows a function's entries decides. */
static bool take_entries(struct resolver *r, enum func_id func, const uint64_t *vaddr, size_t n,
			 enum site_strategy by)
{
	struct found *f = &r->found[func];

	if (f->nr_entries == 0) {
		memcpy(f->entry, vaddr, n * sizeof(*vaddr));
		f->nr_entries = n;
		f->entry_by = by;
	}
	if (f->nr_entries == n && memcmp(f->entry, vaddr, n * sizeof(*vaddr)) == 0)
		return true;
	note(r, "%s: %s says 0x%llx%s, %s 0x%llx%s; the first is used", row_of(r, func)->name,
	     site_strategy_names[f->entry_by], (unsigned long long)f->entry[0],
	     f->nr_entries > 1 ? " and more" : "", site_strategy_names[by], (unsigned long long)vaddr[0],
	     n > 1 ? " and more" : "");
	return false;
}

/* Both ends of the function, or the one that is needed. */
static void entry_sites(const struct resolver *r, enum func_id func, const struct probe_site *at_entry,
			struct probe_site *entry, struct probe_site *site)
{
	const struct func_row *row = row_of(r, func);

	*entry = *site = *at_entry;
	locs_near_entry(r, row, entry);
	if (at_return(r, func)) {
		site->point = POINT_URETPROBE;
		locs_at_uretprobe(r->machine, HANDLE_RETURN, site);
	} else {
		locs_near_entry(r, row, site);
	}
}

/* May an exception go through this function, which a return probe of the kernel would not let pass? */
static bool wants_returns(const struct resolver *r, enum func_id func)
{
	return runtime_of(r)->guards_exceptions && !row_of(r, func)->nothrow && at_return(r, func) &&
	       returns_may_throw(r->req->file->elf);
}

/* Its entry, and each instruction that returns. */
static void propose_returns(struct resolver *r, enum func_id func, uint64_t vaddr, enum site_strategy by)
{
	struct found *f = &r->found[func];
	struct probe_site s = {.func = func, .strategy = by, .point = POINT_ENTRY}, ret[MAX_SITES_PER_FUNC];
	uint64_t at[MAX_SITES_PER_FUNC];
	bool releases = row_of(r, func)->operation == OP_RELEASE || row_of(r, func)->operation == OP_UNREF;
	int n = returns_find(r->req->file->elf, vaddr, at, MAX_SITES_PER_FUNC, &f->why);
	struct insn insn;
	struct loc result;

	if (n < 0 && (!releases || row_of(r, func)->form != HANDLE_ITSELF || func_may_fail(row_of(r, func))))
		return;
	if (!place_near_entry(r, vaddr, needed_regs(r, func), &s)) {
		f->why = "no instruction at its entry can be probed safely";
		return;
	}
	if (n < 0) { /* what it releases the entry knows; what it calls then counts as if others did */
		locs_near_entry(r, row_of(r, func), &s);
		f->entry_only = true;
		accept(r, func, &s, 1);
		return;
	}
	for (int i = 0; i < n; i++) {
		ret[i] = (struct probe_site){.func = func, .strategy = by, .point = POINT_RETURN};
		if (!place(r, at[i], &ret[i], &insn))
			return;
		/* the stack is as at the entry, the result where a return probe finds it */
		locs_at_uretprobe(r->machine, HANDLE_RETURN, &ret[i]);
		result = ret[i].handle;
		locs_at_entry(r->machine, HANDLE_ARG1, &ret[i]);
		ret[i].handle = result;
		ret[i].env = (struct loc){.kind = LOC_NONE};
	}
	if (func_at_both_ends(r->req->catalog, func) && !f->at_entry) {
		locs_near_entry(r, row_of(r, func), &s);
		f->entry_site[0] = s;
		f->at_entry = true;
	}
	accept(r, func, ret, (size_t)n);
}

/* vaddr: of the entries of all its variants, in any order; one may be there twice. n: at most FUNC_VARIANTS
 */
static void propose_entries(struct resolver *r, enum func_id func, uint64_t *vaddr, size_t n,
			    enum site_strategy by)
{
	struct found *f = &r->found[func];
	struct probe_site entry[FUNC_VARIANTS], site[FUNC_VARIANTS];

	if (n > 1 && vaddr[0] > vaddr[1]) {
		uint64_t first = vaddr[1];

		vaddr[1] = vaddr[0];
		vaddr[0] = first;
	}
	n -= n > 1 && vaddr[0] == vaddr[1];
	if (!take_entries(r, func, vaddr, n, by))
		return;
	if (wants_returns(r, func)) {
		propose_returns(r, func, vaddr[0], by);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct probe_site s = {.func = func, .strategy = by, .point = POINT_ENTRY};

		if (!place_near_entry(r, vaddr[i], needed_regs(r, func), &s)) {
			f->why = "no instruction at its entry can be probed safely";
			return;
		}
		entry_sites(r, func, &s, &entry[i], &site[i]);
	}
	if (func_at_both_ends(r->req->catalog, func) && !f->at_entry) {
		memcpy(f->entry_site, entry, n * sizeof(*entry));
		f->at_entry = true;
	}
	accept(r, func, site, n);
}

/* --- strategies --- */

static bool has_function(const struct resolver *r, int func)
{
	const char *api = row_of(r, (enum func_id)func)->api;

	return api && !strcmp(api, runtime_of(r)->api);
}

static bool is_wanted(struct resolver *r, enum func_id func, bool by_symbol)
{
	struct found *f = &r->found[func];

	const char *why =
	    runtime_of(r)->symbol_only ? runtime_of(r)->symbol_only(r->req->vm, row_of(r, func)) : NULL;

	if (f->wanted && why && !by_symbol) {
		f->why = why;
		return false;
	}
	return f->wanted;
}

/* Is its argument a number, and no reference? */
static bool takes_capacity(const struct func_row *row)
{
	return row->operation == OP_FRAME_PUSH || row->operation == OP_FRAME_ENSURE;
}

/* One USDT note as a site of its function. NULL, or why it is none. */
static const char *usdt_site(struct resolver *r, const struct elf_usdt *u, const struct func_row *row,
			     struct probe_site *s)
{
	unsigned operand = s->point == POINT_RETURN ? 0 : row->handle - HANDLE_ARG0;
	struct elf_cfi cfi;
	struct insn insn;
	struct loc env;

	if (u->semaphore)
		return "its USDT probe has a semaphore";
	if (!place(r, u->vaddr, s, &insn))
		return "its USDT probe is outside the code";
	/* the one-byte nop alone: anything else is the work of another tool, or a lie */
	if (strcmp(insn.name, "nop") != 0 || insn.cost != INSN_EMULATED)
		return "its USDT probe is not a plain nop";
	if (((s->point == POINT_RETURN || row->handle != HANDLE_NONE) && !takes_capacity(row) &&
	     !usdt_operand(r->machine, u->args, operand, &s->handle)) ||
	    (takes_capacity(row) && !usdt_int_operand(r->machine, u->args, operand, &s->handle)) ||
	    (func_is_pin(r->req->catalog, s->func) && s->point == POINT_ENTRY &&
	     !pin_locs_by_usdt(r->machine, u->args, row, s)))
		return "an operand of its USDT probe is neither a register nor memory";
	if (!r->cfi && !r->cfi_rc)
		r->cfi_rc = elf_cfi_open(r->req->file->elf, &r->cfi);
	if (!r->cfi || elf_cfi_at(r->cfi, u->vaddr, &cfi) < 0 || !locs_by_cfi(r->machine, &cfi, s))
		return "no unwind information at its USDT probe says where the caller is";
	/* else a stack that is walked finds it; but most releases need none */
	if (s->point == POINT_ENTRY && row->table == TABLE_ENV &&
	    usdt_operand(r->machine, u->args, 0, &env) && env.kind == LOC_REG)
		s->env = env;
	return NULL;
}

/* All notes of a function's probe are one proposal: leaving one out would lose calls. */
static void propose_usdt(struct resolver *r, const struct elf_usdts *notes, enum func_id func)
{
	const struct func_row *row = row_of(r, func);
	enum site_point point = at_return(r, func) ? POINT_RETURN : POINT_ENTRY;
	struct probe_site sites[MAX_SITES_PER_FUNC];
	char name[sizeof(notes->v->name)];
	size_t n = 0;

	snprintf(name, sizeof(name), "%s__%s", row->name, at_return(r, func) ? "return" : "entry");
	for (size_t i = 0; i < notes->n; i++) {
		if (strcmp(notes->v[i].name, name) != 0)
			continue;
		if (n == MAX_SITES_PER_FUNC) {
			r->found[func].why = "its USDT probe has too many sites";
			return;
		}
		sites[n] = (struct probe_site){.func = func, .point = point, .strategy = STRATEGY_USDT};
		r->found[func].why = usdt_site(r, &notes->v[i], row, &sites[n]);
		if (r->found[func].why)
			return;
		n++;
	}
	if (n > 0)
		accept(r, func, sites, n);
}

static int find_by_usdt(struct resolver *r)
{
	struct elf_usdts notes = {0};
	const char *provider = runtime_of(r)->usdt_provider;
	int rc = provider ? elf_usdt_read(r->req->file->elf, provider, &notes) : -ENOENT;

	if (rc < 0)
		return rc;
	/* Uses are looked at by their argument registers, as they are at the very entry. */
	for (int f = 1; f < NR_FUNCS; f++)
		if (is_wanted(r, (enum func_id)f, false))
			propose_usdt(r, &notes, (enum func_id)f);
	free(notes.v);
	return 0;
}

/* All symbols that are looked for: those of one function behind each other. */
struct symbols {
	struct elf_wanted wanted[NR_ALL_FUNCS * MAX_SYMBOLS];
	enum func_id func[NR_ALL_FUNCS * MAX_SYMBOLS];
	char name[NR_ALL_FUNCS * MAX_SYMBOLS][SYMBOL_BYTES];
	size_t n;
};

static void name_symbols(const struct resolver *r, enum func_id func, struct symbols *s)
{
	for (unsigned nth = 0; nth < MAX_SYMBOLS; nth++) {
		char *name = s->name[s->n];
		size_t len;

		if (!runtime_of(r)->symbol(r->req->vm, row_of(r, func), nth, name, SYMBOL_BYTES))
			return;
		len = strlen(name);
		if (len > 0 && name[len - 1] == '*') {
			name[len - 1] = '\0';
			s->wanted[s->n].is_prefix = true;
		}
		s->wanted[s->n].name = name;
		s->func[s->n++] = func;
	}
}

/* Propose what a symbol table of e, the library or its debug file, knows. */
static int find_by_symbols(struct resolver *r, const struct elf_image *e, enum elf_symtab which,
			   enum site_strategy by)
{
	struct symbols *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	for (int f = 0; f < NR_ALL_FUNCS; f++)
		if (has_function(r, f))
			name_symbols(r, (enum func_id)f, s);
	rc = elf_find_symbols(e, which, s->wanted, s->n);
	for (size_t i = 0, of; i < s->n && rc > 0; i += of) {
		uint64_t vaddr[FUNC_VARIANTS];
		size_t n = 0;

		for (of = 0; i + of < s->n && s->func[i + of] == s->func[i]; of++)
			if (s->wanted[i + of].vaddr && n < FUNC_VARIANTS)
				vaddr[n++] = s->wanted[i + of].vaddr;
		if (n > 0 && is_wanted(r, s->func[i], true))
			propose_entries(r, s->func[i], vaddr, n, by);
	}
	free(s);
	return rc < 0 ? rc : 0;
}

/* Functions that their runtime finds by itself. */
static void locate(struct resolver *r)
{
	for (int f = 1; f < NR_ALL_FUNCS; f++) {
		struct found *found = &r->found[f];
		uint64_t vaddr = 0;
		int rc;

		if (!found->wanted || !has_function(r, f))
			continue;
		rc = runtime_of(r)->locate(r->req->file, row_of(r, f), &vaddr, found->not_there,
					   sizeof(found->not_there));
		if (!rc)
			propose_entries(r, (enum func_id)f, &vaddr, 1, STRATEGY_SYMTAB);
		else if (found->not_there[0])
			found->why = found->not_there;
	}
}

static int find_by_symtab(struct resolver *r)
{
	int rc, dynamic_rc;

	if (runtime_of(r)->locate)
		locate(r);
	rc = find_by_symbols(r, r->req->file->elf, ELF_SYMTAB, STRATEGY_SYMTAB);
	dynamic_rc = find_by_symbols(r, r->req->file->elf, ELF_DYNSYM, STRATEGY_SYMTAB);

	return rc < 0 ? rc : dynamic_rc;
}

static int find_by_debugfile(struct resolver *r)
{
	struct elf_image *debug;
	int rc = elf_open_debug(r->req->file->elf, r->req->pid, r->req->file->mapping.path, &debug);

	if (rc < 0)
		return rc;
	rc = find_by_symbols(r, debug, ELF_SYMTAB, STRATEGY_DEBUGFILE);
	elf_close(debug);
	return rc;
}

static void propose_table(struct resolver *r, enum func_id func, const struct function_table *t)
{
	uint64_t vaddr[FUNC_VARIANTS];
	size_t n = 0;

	for (; n < FUNC_VARIANTS && t->at[n][func]; n++)
		vaddr[n] = t->at[n][func] - r->req->file->bias;
	propose_entries(r, func, vaddr, n, STRATEGY_FUNCTION_TABLE);
}

static int find_by_function_table(struct resolver *r)
{
	const struct runtime *rt = runtime_of(r);
	struct function_table t;
	struct error err = {0};

	if (!r->req->vm || !rt->function_table)
		return -ENOENT;
	r->table_rc = rt->function_table(r->req->vm, &t, &err);
	if (r->table_rc < 0) {
		if (err.why[0])
			note(r, "function table: %s", err.why);
		return r->table_rc;
	}
	for (int f = 0; f < NR_ALL_FUNCS; f++) {
		enum func_id func = (enum func_id)f;

		if (t.absent[f] && r->found[f].n == 0)
			r->found[f].wanted = false; /* this version has no such function */
		else if (!t.at[0][f] && rt->may_be_replaced && rt->may_be_replaced(row_of(r, func)))
			r->found[f].replaced = true;
		else if (t.at[0][f] && is_wanted(r, func, false))
			propose_table(r, func, &t);
	}
	return 0;
}

/* In order. */
static const struct {
	bool only_if_missing; /* to look there costs */
	int (*find)(struct resolver *r);
} strategies[NR_STRATEGIES] = {
    [STRATEGY_USDT] = {false, find_by_usdt},
    [STRATEGY_SYMTAB] = {false, find_by_symtab},
    [STRATEGY_DEBUGFILE] = {true, find_by_debugfile},
    [STRATEGY_FUNCTION_TABLE] = {false, find_by_function_table},
};

/* --- all together --- */

/* All sites that the function needs are known. */
static bool is_whole(const struct resolver *r, enum func_id func, const struct found *f)
{
	return f->n > 0 && (f->at_entry || f->entry_only || !func_at_both_ends(r->req->catalog, func));
}

/*
 * Of the functions below end: those that are counted are lost when they have no site, uses are just not seen.
 * Of what is watched only findings are made: versions differ in what they have.
 */
static size_t count_missing(const struct resolver *r, int end)
{
	size_t n = 0;

	for (int f = 0; f < end; f++)
		n += r->found[f].wanted && !is_watch(r, f) && !is_whole(r, (enum func_id)f, &r->found[f]);
	return n;
}

/* 0 or -ENOMEM: what would be found instead costs more. */
static int run_strategies(struct resolver *r)
{
	int only = r->req->only_strategy;

	for (int i = 0; i < NR_STRATEGIES; i++) {
		int rc;

		if (only >= 0 ? only != i
			      : strategies[i].only_if_missing && count_missing(r, NR_ALL_FUNCS) == 0)
			continue;
		rc = strategies[i].find(r);
		if (rc == -ENOMEM || r->cfi_rc == -ENOMEM)
			return -ENOMEM;
		if (rc < 0 && rc != -ENOENT && rc != -EAGAIN)
			note(r, "%s: %s", site_strategy_names[i], strerror(-rc));
	}
	return 0;
}

static bool is_same_handle(const struct func_row *a, const struct func_row *b)
{
	return a->family == b->family && a->handle == b->handle && a->form == b->form;
}

/*
 * A linker may give two functions with equal code one address: a call there cannot be told apart, so
 * the later one in the table goes without. A function that is counted and its use are the same one.
 */
static void drop_shared(struct resolver *r)
{
	for (int f = 0; f < NR_ALL_FUNCS; f++) {
		for (int g = 0; g < f && r->found[f].n > 0; g++) {
			if (r->found[g].n == 0 || func_is_use(f) != func_is_use(g) ||
			    r->found[f].site[0].offset != r->found[g].site[0].offset)
				continue;
			if (is_pair(r, f) && is_pair(r, g)) {
				/* in two families; or another name of the same function, in one, or
				 * another handle of the same call */
				if (is_same_handle(row_of(r, f), row_of(r, g)) && !is_watch(r, f) &&
				    !is_watch(r, g))
					r->found[f] = (struct found){.wanted = false};
				continue;
			}
			r->found[f].n = 0;
			r->found[f].why = "it shares its code with another function";
		}
	}
}

/* Where the code at this offset of the file jumps to at once, as an offset; 0: it does not. */
static uint64_t jumps_to(const struct resolver *r, uint64_t offset)
{
	const struct elf_image *e = r->req->file->elf;
	uint64_t vaddr, target;
	struct insn first;
	uint8_t code[5];
	int32_t far;

	if (r->machine != EM_X86_64 || !elf_offset_to_vaddr(e, offset, &vaddr) ||
	    elf_read(e, vaddr, code, sizeof(code)) != sizeof(code))
		return 0;
	memcpy(&far, code + 1, sizeof(far));
	if (code[0] == 0xe9)
		target = vaddr + 5 + (uint64_t)(int64_t)far;
	else if (code[0] == 0xeb)
		target = vaddr + 2 + (uint64_t)(int64_t)(int8_t)code[1];
	else
		return 0;
	/* probes are behind an instruction that only marks the entry */
	insn_decode(r->machine, code, elf_read(e, target, code, sizeof(code)), &first);
	if (first.skippable && !first.writes)
		target += first.size_bytes;
	return elf_vaddr_to_offset(e, target, &offset) ? offset : 0;
}

/*
 * A compiler may make of two functions with equal code one that jumps to the other (gcc's -fipa-icf): its
 * calls come to the other's probes, too, and are counted there once.
 */
static void drop_jumps(struct resolver *r)
{
	for (int f = 0; f < NR_ALL_FUNCS; f++) {
		/* one function of a pair may end in another: that is a call inside, see jt_pair_enter */
		uint64_t to = r->found[f].n && !is_pair(r, f) ? jumps_to(r, r->found[f].site[0].offset) : 0;

		for (int g = 0; to && g < NR_ALL_FUNCS; g++) {
			if (g == f || r->found[g].n == 0 || func_is_use(f) != func_is_use(g) ||
			    r->found[g].site[0].offset != to)
				continue;
			note(r, "%s: jumps to %s, which its calls are counted as", row_of(r, f)->name,
			     row_of(r, g)->name);
			r->found[f].n = 0;
			r->found[f].at_entry = r->found[f].wanted = false;
			for (size_t i = 0; i < r->found[g].n; i++)
				r->found[g].site[i].is_shared = true;
			break;
		}
	}
}

static int add_site(struct probe_sites *out, const struct probe_site *site)
{
	struct probe_site *s = VEC_ADD(out);

	if (!s)
		return -ENOMEM;
	*s = *site;
	s->price_ns = price_ns(out->catalog, site);
	return 0;
}

static int add_unseen(struct probe_sites *out, enum func_id func, const char *why)
{
	struct probe_unseen *u = VEC_ADD(&out->unseen);

	if (!u)
		return -ENOMEM;
	*u = (struct probe_unseen){func, why};
	return 0;
}

static const char *why_not(const struct resolver *r, enum func_id func, const struct found *f)
{
	if (f->replaced)
		return "calls come to code that the VM has generated instead";
	if (is_whole(r, func, f))
		return NULL;
	return f->why ? f->why : f->n ? "its entry was not found" : "not found in the library";
}

static int collect(struct resolver *r, struct probe_sites *out)
{
	for (int f = 0; f < NR_ALL_FUNCS; f++) {
		const struct found *found = &r->found[f];
		const char *why = why_not(r, (enum func_id)f, found);

		if (!found->wanted)
			continue;
		if (why) {
			note(r, "%s: %s", row_of(r, f)->name, why);
			if (func_is_use(f) && add_unseen(out, (enum func_id)f, why) < 0)
				return -ENOMEM;
			continue;
		}
		for (size_t i = 0; found->at_entry && i < found->nr_entries; i++)
			if (add_site(out, &found->entry_site[i]) < 0)
				return -ENOMEM;
		for (size_t i = 0; i < found->n; i++)
			if (add_site(out, &found->site[i]) < 0)
				return -ENOMEM;
	}
	return 0;
}

/* By its family; or as detaching a thread exits the monitors that it holds. */
static bool is_asked_for(const struct site_request *req, int func)
{
	return req->families >> req->catalog->funcs[func].family & 1 ||
	       (func == FUNC_DetachCurrentThread && req->families >> FAMILY_MONITOR & 1);
}

int sites_resolve(const struct site_request *req, struct probe_sites *out, struct error *err)
{
	struct resolver *r = calloc(1, sizeof(*r));
	char what[64];
	int rc;

	*out = (struct probe_sites){.catalog = req->catalog};
	if (!r)
		return -ENOMEM;
	r->req = req;
	r->machine = elf_machine(req->file->elf);
	for (int f = 0; f < NR_ALL_FUNCS; f++)
		r->found[f].wanted =
		    is_asked_for(req, f) && has_function(r, f) &&
		    !(req->no_releases && (row_of(r, f)->operation == OP_RELEASE || is_watch(r, f)));
	rc = run_strategies(r);
	drop_shared(r);
	drop_jumps(r);
	if (runtime_of(r)->handle_kinds)
		runtime_of(r)->handle_kinds(req->vm, &out->handle_kinds);
	rc = rc ?: collect(r, out);
	out->missing = count_missing(r, NR_FUNCS);
	out->notes = r->notes;
	if (rc == 0 && out->missing > 0 && r->table_rc == -EAGAIN)
		rc = -EAGAIN;
	elf_cfi_close(r->cfi);
	free(r);
	if (rc == 0 && out->n == 0) {
		const char *why = out->notes.n ? out->notes.p : "no JNI function was found in its library";

		snprintf(what, sizeof(what), "no probe sites in process %d", (int)req->pid);
		rc = error_set(err, -ENOENT, EXIT_FAILED, what, NULL, "%.*s", (int)strcspn(why, "\n"), why);
	}
	if (rc < 0)
		sites_free(out);
	return rc;
}

void sites_free(struct probe_sites *s)
{
	free(s->v);
	free(s->unseen.v);
	buf_free(&s->notes);
	*s = (struct probe_sites){0};
}
