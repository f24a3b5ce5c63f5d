/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Answers of agents. See fleet_read.h. */
#include "run/fleet_read.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define MAX_LINE_BYTES (1U << 20)
#define MAX_SITES      20000
#define MAX_PROCESSES  100000

struct process {
	int group; /* FLEET_NONE: it does not tell */
	bool traced;
	size_t source; /* who has traced it: what others say of its sites is the same once more */
};
struct fleet_reader {
	struct fleet *f;
	struct hash by_process, by_site; /* numbers of them, plus 1 */
	struct {
		struct process *v;
		size_t n, cap;
	} processes;
};

int fleet_reader_new(struct fleet *into, struct fleet_reader **out)
{
	*out = calloc(1, sizeof(**out));
	if (*out)
		(*out)->f = into;
	return *out ? 0 : -ENOMEM;
}

void fleet_reader_free(struct fleet_reader *r)
{
	if (!r)
		return;
	hash_free(&r->by_process);
	hash_free(&r->by_site);
	free(r->processes.v);
	free(r);
}

void fleet_free(struct fleet *f)
{
	for (size_t i = 0; i < f->sites.n; i++)
		free(f->sites.v[i]);
	free(f->sites.v);
	free(f->refused.v);
}

/* --- what a line has --- */

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* Not negative; else 0. */
static uint64_t count_of(const json_t *object, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(object, key));

	return n > 0 ? (uint64_t)n : 0;
}

static void copy(char *to, size_t cap, const char *text)
{
	text_clean(to, cap, text ?: "", strnlen(text ?: "", cap - 1));
}

/* "/opt/app/server-1.4.2.jar" is the service "server" in version "1.4.2". */
static void name_of(const json_t *target, char *service, char *version)
{
	const char *main = text_of(target, "main") ?: text_of(target, "comm") ?: "";
	const char *slash = strrchr(main, '/'), *base = slash && slash[1] ? slash + 1 : main;
	size_t n;

	copy(service, FLEET_TEXT, base);
	*version = '\0';
	n = strlen(service);
	if (n > 4 && !strcmp(service + n - 4, ".jar")) {
		service[n - 4] = '\0';
		for (char *dash = strchr(service, '-'); dash; dash = strchr(dash + 1, '-'))
			if (isdigit((unsigned char)dash[1]) && dash > service) {
				snprintf(version, FLEET_TEXT, "%s", dash + 1);
				*dash = '\0';
				break;
			}
	}
}

/* What it is compared by, and within what. value "": it does not tell. service: by its agent's rules, or
 * NULL.
 */
static void place_of(const json_t *target, const char *service_said, enum fleet_by by, char *scope,
		     char *value)
{
	char service[FLEET_TEXT], version[FLEET_TEXT], *tag;

	name_of(target, service, version);
	service_said = service_said ?: text_of(target, "service");
	if (service_said)
		copy(service, FLEET_TEXT, service_said);
	if (text_of(target, "version"))
		copy(version, FLEET_TEXT, text_of(target, "version"));
	*scope = *value = '\0';
	switch (by) {
	case FLEET_BY_SERVICE:
		memcpy(value, service, FLEET_TEXT);
		break;
	case FLEET_BY_VERSION:
		memcpy(scope, service, FLEET_TEXT);
		memcpy(value, version, FLEET_TEXT);
		break;
	case FLEET_BY_IMAGE: /* "registry:5000/app:1.2@sha256:...": with or without each of them */
		copy(value, FLEET_TEXT, text_of(target, "image"));
		memcpy(scope, value, FLEET_TEXT);
		scope[strcspn(scope, "@")] = '\0';
		tag = strrchr(strrchr(scope, '/') ?: scope, ':');
		if (tag)
			*tag = '\0';
		break;
	default:
		copy(value, FLEET_TEXT, text_of(target, "host"));
	}
}

/* --- who --- */

/* FLEET_NONE: unknown, or there is no room for more. */
static int group_of(struct fleet *f, const json_t *target, const char *service)
{
	struct fleet_group g = {0};

	place_of(target, service, f->by, g.scope, g.value);
	if (!*g.value) {
		f->unknown++;
		return FLEET_NONE;
	}
	for (size_t i = 0; i < f->nr_groups; i++)
		if (!strcmp(f->groups[i].scope, g.scope) && !strcmp(f->groups[i].value, g.value))
			return (int)i;
	if (f->nr_groups == FLEET_GROUPS) {
		f->left_out++;
		return FLEET_NONE;
	}
	f->groups[f->nr_groups] = g;
	return (int)f->nr_groups++;
}

/* NULL: it is none, there is no room, or *rc is -ENOMEM. */
static struct process *process_of(struct fleet_reader *r, const json_t *target, const char *service, int *rc)
{
	const char *host = text_of(target, "host") ?: "";
	uint64_t a = fnv64(FNV64_INIT, host, strlen(host)),
		 b = mix64(count_of(target, "pid")) ^ count_of(target, "start_time_ticks");
	uint32_t at = hash_find(&r->by_process, a, b);
	struct process *p;

	if (at)
		return &r->processes.v[at - 1];
	if (!count_of(target, "pid") || r->processes.n == MAX_PROCESSES) {
		r->f->left_out++;
		return NULL;
	}
	p = VEC_ADD(&r->processes);
	if (!p || hash_set(&r->by_process, a, b, (uint32_t)r->processes.n)) {
		*rc = -ENOMEM;
		return NULL;
	}
	*p = (struct process){.group = group_of(r->f, target, service)};
	if (p->group >= 0)
		r->f->groups[p->group].jvms++;
	return p;
}

/* It was traced, as source says. false: another one said so before. */
static bool trace(struct fleet *f, struct process *p, size_t source)
{
	if (p->traced)
		return p->source == source;
	if (p->group >= 0)
		f->groups[p->group].traced++;
	p->traced = true;
	p->source = source;
	return true;
}

/* --- sites --- */

static uint64_t hash_text(uint64_t h, const char *text)
{
	return fnv64(h, text ?: "", strlen(text ?: "") + 1);
}

/* The innermost frame that is not the VM's. */
static const json_t *caller_of(const json_t *stack)
{
	size_t i;
	json_t *frame;

	json_array_foreach(stack, i, frame)
	{
		const char *type = text_of(frame, "type");

		if (type && strcmp(type, "vm") != 0)
			return frame;
	}
	return json_array_get(stack, 0);
}

static void name_site(struct fleet_site *s, const json_t *site)
{
	const json_t *frame = caller_of(json_object_get(site, "stack"));
	const char *file = text_of(frame, "file"), *slash = file ? strrchr(file, '/') : NULL;
	const char *module = text_of(frame, "module");
	uint64_t line = count_of(frame, "line");
	char place[FLEET_TEXT] = "";

	if (file)
		snprintf(place, sizeof(place), "%.120s:%llu", slash ? slash + 1 : file,
			 (unsigned long long)line);
	else if (module)
		snprintf(place, sizeof(place), "%.120s", module);
	copy(s->name, sizeof(s->name), text_of(frame, "symbol") ?: module ?: "no stack");
	copy(s->place, sizeof(s->place), place);
	copy(s->function, sizeof(s->function), text_of(site, "function"));
	copy(s->family, sizeof(s->family), text_of(site, "family"));
}

/* By the names of function and frames, as jnitrace diff has it: offsets and lines differ from build to build.
 */
static uint64_t key_of(const json_t *site, const char *scope)
{
	uint64_t h = hash_text(hash_text(FNV64_INIT, scope), text_of(site, "function"));
	size_t i;
	json_t *frame;

	json_array_foreach(json_object_get(site, "stack"), i, frame) h =
	    hash_text(h, text_of(frame, "symbol") ?: text_of(frame, "module"));
	return h;
}

/* NULL: there is no room, or *rc is -ENOMEM. */
static struct fleet_site *site_of(struct fleet_reader *r, const json_t *site, const char *scope, int *rc)
{
	uint64_t key = key_of(site, scope);
	uint32_t at = hash_find(&r->by_site, key, 0);
	struct fleet_site *s, **place;

	if (at)
		return r->f->sites.v[at - 1];
	if (r->f->sites.n == MAX_SITES) {
		r->f->left_out++;
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	place = s ? VEC_ADD(&r->f->sites) : NULL;
	if (!place || hash_set(&r->by_site, key, 0, (uint32_t)r->f->sites.n)) {
		if (!place)
			free(s);
		else
			*place = s;
		*rc = -ENOMEM;
		return NULL;
	}
	*place = s;
	s->key = key;
	s->id = strtoull(text_of(site, "id") ?: "0", NULL, 16);
	memcpy(s->scope, scope, sizeof(s->scope));
	name_site(s, site);
	return s;
}

static int add_site(struct fleet_reader *r, const struct process *p, const json_t *site)
{
	const json_t *verdict = json_object_get(site, "verdict");
	const char *kind = text_of(verdict, "kind");
	double per_min = json_number_value(json_object_get(verdict, "growth_per_min"));
	size_t number = (size_t)(p - r->processes.v) + 1;
	struct fleet_count *c;
	struct fleet_site *s;
	int rc = 0;

	if (p->group < 0)
		return 0;
	s = site_of(r, site, r->f->groups[p->group].scope, &rc);
	if (!s)
		return rc;
	c = &s->of[p->group];
	c->jvms += c->last != number; /* lines of a process come one after the other */
	c->last = number;
	c->outstanding = add_capped(c->outstanding, count_of(site, "outstanding"));
	c->acquired = add_capped(c->acquired, count_of(site, "acquired"));
	if (kind && !strcmp(kind, "growing")) {
		c->growing += c->last_growing != number;
		c->last_growing = number;
		c->per_min += per_min;
	}
	return 0;
}

/* --- lines --- */

/* 1: it was understood, 0: not, or -ENOMEM. */
static int take(struct fleet_reader *r, size_t source, const json_t *line)
{
	const json_t *target = json_object_get(line, "target"), *site = json_object_get(line, "site");
	const json_t *window = json_object_get(line, "window");
	struct process *p;
	int rc = 0;

	if (!json_is_object(target) || !(json_is_object(site) || window))
		return 0;
	p = process_of(r, target, text_of(line, "service"), &rc);
	if (!p || !(json_is_object(site) || text_of(window, "report")))
		return rc ?: 1;
	if (trace(r->f, p, source) && json_is_object(site))
		rc = add_site(r, p, site);
	return rc ?: 1;
}

int fleet_read(struct fleet_reader *r, size_t source, const char *text, size_t n)
{
	const char *end = text + n, *next;
	int understood = 0;

	for (const char *line = text; line < end; line = next) {
		const char *eol = memchr(line, '\n', (size_t)(end - line)) ?: end;
		size_t bytes = (size_t)(eol - line);
		json_t *j = NULL;
		int rc = 0;

		next = eol + (eol < end);
		if (!bytes)
			continue;
		if (bytes <= MAX_LINE_BYTES)
			j = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, NULL);
		if (j)
			rc = take(r, source, j);
		json_decref(j);
		if (rc < 0)
			return rc;
		r->f->left_out += !rc;
		understood += rc && understood < INT_MAX;
	}
	return understood;
}
