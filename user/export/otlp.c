/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Profiles for OpenTelemetry, written in pieces. See otlp.h, profile_parts.h. */
#include "export/otlp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export/marks.h"
#include "export/profile_parts.h"
#include "user/export/otlp.pb-c.h"
#include "view/columns.h"
#include "view/text.h"

#define TRACE_ID_BYTES   16
#define SPAN_ID_BYTES    8
#define PROFILE_ID_BYTES 16
#define MAX_ATTRIBUTES   (NR_DROPS + NR_FAMILIES + 1) /* of a profile */
#define BUILD_ID         "process.executable.build_id.gnu"

enum { VALUE_OUTSTANDING, VALUE_ACQUIRED, VALUE_BYTES, NR_VALUES };
static const struct {
	const char *type, *unit;
	bool if_any; /* none of it is not said */
} value_types[NR_VALUES] = {
    [VALUE_OUTSTANDING] = {"jni_outstanding", "count", false},
    [VALUE_ACQUIRED] = {"jni_acquired", "count", false},
    [VALUE_BYTES] = {"jni_outstanding_bytes", "bytes", true},
};
enum { OF_FAMILY, OF_FUNCTION, OF_VERDICT, OF_CLASS, NR_OF_SAMPLE };
static const char *const sample_keys[NR_OF_SAMPLE] = {"jnitrace.family", "jnitrace.function",
						      "jnitrace.verdict", "jnitrace.class"};
/* Names of the semantic conventions. */
static const struct {
	const char *key;
	size_t offset; /* of a text of struct report_target */
} resource_rows[] = {
    {"service.version", offsetof(struct report_target, version)},
    {"host.name", offsetof(struct report_target, host)},
    {"process.runtime.name", offsetof(struct report_target, vm)},
    {"process.runtime.version", offsetof(struct report_target, vm_version)},
    {"container.id", offsetof(struct report_target, container)},
    {"container.image.name", offsetof(struct report_target, image)},
    {"k8s.namespace.name", offsetof(struct report_target, pod_namespace)},
    {"k8s.pod.name", offsetof(struct report_target, pod)},
    {"k8s.pod.uid", offsetof(struct report_target, pod_uid)},
};
#define MAX_RESOURCE (2 + ARRAY_LEN(resource_rows))

struct otlp {
	struct buf dictionary;
	struct buf samples[NR_VALUES]; /* of a profile each */
	struct texts texts;
	struct strset values;      /* of attributes */
	struct numbers mappings;   /* file, build id */
	struct numbers functions;  /* name, file */
	struct numbers lines;      /* function, line */
	struct numbers places;     /* mapping, address */
	struct numbers chains;     /* a place or a chain, and a line that follows */
	struct numbers locations;  /* chain */
	struct numbers paths;      /* a path, and a location that follows */
	struct numbers stacks;     /* path */
	struct numbers attributes; /* key, value */
};
#define CHAIN_OF_PLACE (1ULL << 32) /* tells a place from a chain */
#define KEY_OF_INT     (1ULL << 32) /* tells a number from a text */

/* --- the dictionary --- */

static void pack(struct otlp *p, const Otlp__Dictionary *piece)
{
	profile_pack(&p->dictionary, &piece->base);
}

static void put_text(struct buf *out, char *text)
{
	Otlp__Dictionary piece = OTLP__DICTIONARY__INIT;

	piece.n_string_table = 1;
	piece.string_table = &text;
	profile_pack(out, &piece.base);
}

static int32_t text(struct otlp *p, const char *s)
{
	return (int32_t)texts_add(&p->texts, s);
}

static int32_t report_text(struct otlp *p, const char *s)
{
	return (int32_t)texts_add_kept(&p->texts, s);
}

/* The first of each table, so that the index 0 stands for none. */
static void put_zeros(struct otlp *p)
{
	uint8_t zeros[TRACE_ID_BYTES] = {0};
	Otlp__Dictionary piece = OTLP__DICTIONARY__INIT;
	Otlp__Mapping mapping = OTLP__MAPPING__INIT, *mappings[] = {&mapping};
	Otlp__Location location = OTLP__LOCATION__INIT, *locations[] = {&location};
	Otlp__Function function = OTLP__FUNCTION__INIT, *functions[] = {&function};
	Otlp__Link link = OTLP__LINK__INIT, *links[] = {&link};
	Otlp__KeyValueAndUnit attribute = OTLP__KEY_VALUE_AND_UNIT__INIT, *attributes[] = {&attribute};
	Otlp__Stack stack = OTLP__STACK__INIT, *stacks[] = {&stack};

	link.trace_id = (ProtobufCBinaryData){TRACE_ID_BYTES, zeros};
	link.span_id = (ProtobufCBinaryData){SPAN_ID_BYTES, zeros};
	piece.n_mapping_table = piece.n_location_table = piece.n_function_table = 1;
	piece.n_link_table = piece.n_attribute_table = piece.n_stack_table = 1;
	piece.mapping_table = mappings;
	piece.location_table = locations;
	piece.function_table = functions;
	piece.link_table = links;
	piece.attribute_table = attributes;
	piece.stack_table = stacks;
	pack(p, &piece);
	text(p, "");
}

static int32_t put_attribute(struct otlp *p, uint64_t key, uint64_t value, Otlp__AnyValue *any)
{
	Otlp__Dictionary piece = OTLP__DICTIONARY__INIT;
	Otlp__KeyValueAndUnit attribute = OTLP__KEY_VALUE_AND_UNIT__INIT, *attributes[] = {&attribute};
	bool is_new;
	uint32_t number = number_of(&p->attributes, key, value, &is_new, &p->dictionary);

	attribute.key_strindex = (int32_t)key;
	attribute.value = any;
	piece.n_attribute_table = 1;
	piece.attribute_table = attributes;
	if (is_new)
		pack(p, &piece);
	return (int32_t)number;
}

static int32_t attribute_of_text(struct otlp *p, const char *key, const char *value)
{
	Otlp__AnyValue any = OTLP__ANY_VALUE__INIT;
	char clean[MARK_MAX_NAME];
	const char *kept = strset_add(&p->values, text_clean(clean, sizeof(clean), value, strlen(value)));

	p->dictionary.failed |= !kept;
	any.value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
	any.string_value = (char *)kept ?: "";
	return put_attribute(p, (uint64_t)text(p, key), (uintptr_t)kept, &any);
}

static int32_t attribute_of_int(struct otlp *p, const char *key, uint64_t value)
{
	Otlp__AnyValue any = OTLP__ANY_VALUE__INIT;

	any.value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
	any.int_value = int64_of(value);
	return put_attribute(p, KEY_OF_INT | (uint64_t)text(p, key), value, &any);
}

/* --- stacks --- */

/* Of a frame. Its addresses are those of the file, as if that were mapped at 0. 0: none. */
static int32_t mapping_of(struct otlp *p, const struct frame *f)
{
	Otlp__Dictionary piece = OTLP__DICTIONARY__INIT;
	Otlp__Mapping mapping = OTLP__MAPPING__INIT, *mappings[] = {&mapping};
	int32_t build_id;
	uint32_t number;
	bool is_new;

	if (frame_is_managed(f) || !f->module)
		return 0;
	build_id = f->build_id ? attribute_of_text(p, BUILD_ID, f->build_id) : 0;
	mapping.filename_strindex = report_text(p, f->path ?: f->module);
	mapping.memory_limit = PROFILE_MODULE_LIMIT;
	mapping.n_attribute_indices = build_id != 0;
	mapping.attribute_indices = &build_id;
	number = number_of(&p->mappings, (uint64_t)mapping.filename_strindex, (uint64_t)build_id, &is_new,
			   &p->dictionary);
	piece.n_mapping_table = 1;
	piece.mapping_table = mappings;
	if (is_new)
		pack(p, &piece);
	return (int32_t)number;
}

static int32_t function_of(struct otlp *p, int32_t name, int32_t file)
{
	Otlp__Dictionary piece = OTLP__DICTIONARY__INIT;
	Otlp__Function function = OTLP__FUNCTION__INIT, *functions[] = {&function};
	bool is_new;
	uint32_t number = number_of(&p->functions, (uint64_t)name, (uint64_t)file, &is_new, &p->dictionary);

	function.name_strindex = name;
	function.filename_strindex = file;
	piece.n_function_table = 1;
	piece.function_table = functions;
	if (is_new)
		pack(p, &piece);
	return (int32_t)number;
}

static int32_t function_of_frame(struct otlp *p, const struct frame *f)
{
	int32_t file = report_text(p, f->file), function;
	struct buf name = {0};

	if (f->symbol)
		return function_of(p, report_text(p, f->symbol), file);
	frame_name(&name, f);
	function = function_of(p, text(p, name.p ?: ""), file);
	p->dictionary.failed |= name.failed;
	buf_free(&name);
	return function;
}

/* A place with lines, the innermost first. */
static int32_t location_of(struct otlp *p, int32_t mapping, uint64_t address, Otlp__Line *lines, size_t n)
{
	Otlp__Dictionary piece = OTLP__DICTIONARY__INIT;
	Otlp__Location location = OTLP__LOCATION__INIT, *locations[] = {&location};
	Otlp__Line *of[PROFILE_MAX_INLINED + 1];
	uint64_t chain = CHAIN_OF_PLACE;
	uint32_t number;
	bool is_new;

	chain |= number_of(&p->places, (uint64_t)mapping, address, &is_new, &p->dictionary);
	for (size_t i = 0; i < n; i++) {
		number = number_of(&p->lines, (uint64_t)lines[i].function_index, (uint64_t)lines[i].line,
				   &is_new, &p->dictionary);
		chain = number_of(&p->chains, chain, number, &is_new, &p->dictionary);
		of[i] = &lines[i];
	}
	number = number_of(&p->locations, chain, 0, &is_new, &p->dictionary);
	location.mapping_index = mapping;
	location.address = address;
	location.n_lines = n;
	location.lines = of;
	piece.n_location_table = 1;
	piece.location_table = locations;
	if (is_new)
		pack(p, &piece);
	return (int32_t)number;
}

static int32_t location_of_mark(struct otlp *p, const char *mark)
{
	Otlp__Line line = OTLP__LINE__INIT;

	line.function_index = function_of(p, text(p, mark), 0);
	return location_of(p, 0, 0, &line, 1);
}

/* The frame at i, with those that it is inlined in, which are skipped. */
static int32_t location_of_frames(struct otlp *p, const struct frames *frames, size_t *i)
{
	Otlp__Line lines[PROFILE_MAX_INLINED + 1];
	const struct frame *f;
	size_t n = 0;

	do {
		f = &frames->v[(*i)++];
		otlp__line__init(&lines[n]);
		lines[n].function_index = function_of_frame(p, f);
		lines[n++].line = f->line > 0 ? f->line : 0;
	} while (n <= PROFILE_MAX_INLINED && *i < frames->n && frame_is_inlined_in(f, &frames->v[*i]));
	return location_of(p, mapping_of(p, f), frame_is_managed(f) ? 0 : f->offset, lines, n);
}

static int32_t put_stack(struct otlp *p, int32_t *locations, size_t n)
{
	Otlp__Dictionary piece = OTLP__DICTIONARY__INIT;
	Otlp__Stack stack = OTLP__STACK__INIT, *stacks[] = {&stack};
	uint64_t path = 0;
	uint32_t number;
	bool is_new;

	for (size_t i = 0; i < n; i++)
		path = number_of(&p->paths, path, (uint64_t)locations[i], &is_new, &p->dictionary);
	number = number_of(&p->stacks, path, 0, &is_new, &p->dictionary);
	stack.n_location_indices = n;
	stack.location_indices = locations;
	piece.n_stack_table = 1;
	piece.stack_table = stacks;
	if (is_new)
		pack(p, &piece);
	return (int32_t)number;
}

/* 0: out of memory. */
static int32_t stack_of(struct otlp *p, const struct report_site *s, enum stacks_shown shown)
{
	int32_t *locations = calloc(s->frames.n + 1, sizeof(*locations)), stack;
	size_t n = 0;

	if (!locations) {
		p->dictionary.failed = true;
		return 0;
	}
	for (size_t i = 0; i < s->frames.n;) {
		if (frame_is_shown(&s->frames.v[i], shown))
			locations[n++] = location_of_frames(p, &s->frames, &i);
		else
			i++;
	}
	if (s->truncated && s->frames.n)
		locations[n++] = location_of_mark(p, MARK_TRUNCATED);
	else if (!n)
		locations[n++] = location_of_mark(p, MARK_NO_STACK);
	stack = put_stack(p, locations, n);
	free(locations);
	return stack;
}

/* --- samples --- */

/* of: attributes; 0: the sample has no such one. */
static void put_sample(struct otlp *p, size_t type, int32_t stack, const int32_t *of, uint64_t n)
{
	Otlp__Profile piece = OTLP__PROFILE__INIT;
	Otlp__Sample sample = OTLP__SAMPLE__INIT, *samples[] = {&sample};
	int32_t attributes[NR_OF_SAMPLE];
	int64_t value = int64_of(n);

	if (!n)
		return;
	for (size_t i = 0; i < NR_OF_SAMPLE; i++)
		if (of[i])
			attributes[sample.n_attribute_indices++] = of[i];
	sample.stack_index = stack;
	sample.attribute_indices = attributes;
	sample.n_values = 1;
	sample.values = &value;
	piece.n_samples = 1;
	piece.samples = samples;
	profile_pack(&p->samples[type], &piece.base);
}

static void put_site(struct otlp *p, const struct report *r, const struct report_site *s,
		     const struct view_opts *o)
{
	const struct catalog *c = r->catalog;
	uint64_t rest = site_outstanding_known(r, s) ? s->outstanding : 0;
	int32_t stack, of[NR_OF_SAMPLE] = {0};

	/* What is in no sample is not in the dictionary. */
	if (!rest && !s->acquired && s->outstanding_bytes <= 0)
		return;
	stack = stack_of(p, s, o->stacks);
	of[OF_FAMILY] = attribute_of_text(p, sample_keys[OF_FAMILY], family_name(c, func_family(c, s->func)));
	of[OF_FUNCTION] = attribute_of_text(p, sample_keys[OF_FUNCTION], func_name(c, s->func));
	if (site_verdict_names[s->verdict.kind])
		of[OF_VERDICT] =
		    attribute_of_text(p, sample_keys[OF_VERDICT], site_verdict_names[s->verdict.kind]);
	for (size_t i = 0; i < s->classes.n && s->classes.known && rest; i++) {
		uint64_t of_class = s->classes.v[i].outstanding;

		of_class = of_class < rest ? of_class : rest;
		if (!of_class || !s->classes.v[i].name)
			continue;
		rest -= of_class;
		of[OF_CLASS] = attribute_of_text(p, sample_keys[OF_CLASS], s->classes.v[i].name);
		put_sample(p, VALUE_OUTSTANDING, stack, of, of_class);
	}
	of[OF_CLASS] = 0;
	put_sample(p, VALUE_OUTSTANDING, stack, of, rest);
	put_sample(p, VALUE_ACQUIRED, stack, of, s->acquired);
	put_sample(p, VALUE_BYTES, stack, of, s->outstanding_bytes > 0 ? (uint64_t)s->outstanding_bytes : 0);
}

/* --- profiles --- */

static int32_t attribute_of_count(struct otlp *p, const char *what, const char *name, uint64_t n)
{
	struct buf key = {0};
	int32_t attribute;

	buf_printf(&key, "jnitrace.%s%s", what, name);
	attribute = attribute_of_int(p, key.p ?: "", n);
	p->dictionary.failed |= key.failed;
	buf_free(&key);
	return attribute;
}

/* What was lost, and what the numbers do not say. How many. */
static size_t put_unknown(struct otlp *p, const struct report *r, int32_t *attributes)
{
	uint64_t unknown = 0;
	size_t n = 0;

	for (size_t i = 0; i < NR_DROPS; i++)
		if (r->drops[i])
			attributes[n++] = attribute_of_count(p, "drop.", drop_rows[i].name, r->drops[i]);
	for (size_t i = 0; i < NR_FAMILIES; i++)
		if (r->families[i].one_in)
			attributes[n++] = attribute_of_count(p, "sampled.", family_name(r->catalog, i),
							     r->families[i].one_in);
	for (size_t i = 0; i < r->sites.n; i++)
		unknown += !site_outstanding_known(r, &r->sites.v[i]);
	if (unknown)
		attributes[n++] = attribute_of_count(p, "sites_unknown", "", unknown);
	return n;
}

/* Equal for what is written twice, and for nothing else: of a process, a time and a type of value. */
static void profile_id(const struct report *r, size_t type, uint8_t *id)
{
	const uint64_t words[] = {(uint64_t)r->target.pid, r->target.start_time_ticks,
				  (uint64_t)(r->time_unix_s * 1e6), type};
	const char *host = r->target.host ?: "";

	for (size_t i = 0; i < PROFILE_ID_BYTES; i += 8) {
		uint64_t h = fnv64(mix64(FNV64_INIT + i), words, sizeof(words));

		h = mix64(fnv64(h, host, strlen(host))) | 1; /* not zero */
		memcpy(id + i, &h, 8);
	}
}

/* Rounded to milliseconds. */
static uint64_t ms_as_ns(double s)
{
	return (uint64_t)round(fmax(0, s) * 1e3) * 1000000;
}

/* What a profile has besides its samples. */
static void put_profile(struct otlp *p, const struct report *r, size_t type, int32_t *attributes, size_t n)
{
	Otlp__Profile piece = OTLP__PROFILE__INIT;
	Otlp__ValueType sample_type = OTLP__VALUE_TYPE__INIT;
	uint8_t id[PROFILE_ID_BYTES];

	profile_id(r, type, id);
	sample_type.type_strindex = text(p, value_types[type].type);
	sample_type.unit_strindex = text(p, value_types[type].unit);
	piece.sample_type = &sample_type;
	piece.time_unix_nano = ms_as_ns(r->time_unix_s - r->elapsed_s);
	piece.duration_nano = ms_as_ns(r->elapsed_s);
	piece.profile_id = (ProtobufCBinaryData){sizeof(id), id};
	piece.n_attribute_indices = n;
	piece.attribute_indices = attributes;
	profile_pack(&p->samples[type], &piece.base);
}

/* --- the request --- */

struct resource {
	Otlp__KeyValue attribute[MAX_RESOURCE], *of[MAX_RESOURCE];
	Otlp__AnyValue value[MAX_RESOURCE];
	char text[MAX_RESOURCE][MARK_MAX_NAME];
	size_t n;
};

static Otlp__AnyValue *add_attribute(struct otlp *p, struct resource *to, const char *key)
{
	size_t i = to->n++;

	otlp__key_value__init(&to->attribute[i]);
	otlp__any_value__init(&to->value[i]);
	to->attribute[i].key_strindex = text(p, key);
	to->attribute[i].value = &to->value[i];
	to->of[i] = &to->attribute[i];
	return &to->value[i];
}

/* NULL, "": it is not known. */
static void add_text(struct otlp *p, struct resource *to, const char *key, const char *s)
{
	char *clean = to->text[to->n];
	Otlp__AnyValue *value;

	if (!s || !*s)
		return;
	text_clean(clean, sizeof(to->text[0]), s, strlen(s));
	value = add_attribute(p, to, key);
	value->value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
	value->string_value = clean;
}

static void fill_resource(struct otlp *p, struct resource *to, const char *service,
			  const struct report_target *t)
{
	Otlp__AnyValue *pid;

	add_text(p, to, "service.name", service);
	for (size_t i = 0; i < ARRAY_LEN(resource_rows); i++)
		add_text(p, to, resource_rows[i].key,
			 *(const char *const *)((const char *)t + resource_rows[i].offset));
	pid = add_attribute(p, to, "process.pid");
	pid->value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
	pid->int_value = t->pid;
}

static void put_request(struct otlp *p, const char *service, const struct report *r, struct buf *out)
{
	struct resource *attributes = calloc(1, sizeof(*attributes));
	Otlp__Request request = OTLP__REQUEST__INIT;
	Otlp__ResourceProfiles of_target = OTLP__RESOURCE_PROFILES__INIT, *of_targets[] = {&of_target};
	Otlp__Resource resource = OTLP__RESOURCE__INIT;
	Otlp__ScopeProfiles of_scope = OTLP__SCOPE_PROFILES__INIT, *of_scopes[] = {&of_scope};
	Otlp__Scope scope = OTLP__SCOPE__INIT;
	ProtobufCBinaryData profiles[NR_VALUES];

	if (!attributes) {
		out->failed = true;
		return;
	}
	fill_resource(p, attributes, service, &r->target);
	resource.n_attributes = attributes->n;
	resource.attributes = attributes->of;
	scope.name = "jnitrace";
	scope.version = JNITRACE_VERSION;
	of_scope.scope = &scope;
	of_scope.profiles = profiles;
	for (size_t i = 0; i < NR_VALUES; i++)
		if (p->samples[i].n)
			profiles[of_scope.n_profiles++] =
			    (ProtobufCBinaryData){p->samples[i].n, (uint8_t *)p->samples[i].p};
	of_target.resource = &resource;
	of_target.n_scope_profiles = 1;
	of_target.scope_profiles = of_scopes;
	request.n_resource_profiles = 1;
	request.resource_profiles = of_targets;
	request.dictionary = (ProtobufCBinaryData){p->dictionary.n, (uint8_t *)p->dictionary.p};
	profile_pack(out, &request.base);
	free(attributes);
}

static void otlp_free(struct otlp *p)
{
	buf_free(&p->dictionary);
	for (size_t i = 0; i < NR_VALUES; i++)
		buf_free(&p->samples[i]);
	texts_free(&p->texts);
	strset_free(&p->values);
	numbers_free(&p->mappings);
	numbers_free(&p->functions);
	numbers_free(&p->lines);
	numbers_free(&p->places);
	numbers_free(&p->chains);
	numbers_free(&p->locations);
	numbers_free(&p->paths);
	numbers_free(&p->stacks);
	numbers_free(&p->attributes);
}

void otlp_write(struct buf *out, const char *service, const struct report *r, const struct view_opts *o)
{
	struct otlp p = {.texts = {.put = put_text}};
	int32_t attributes[MAX_ATTRIBUTES];
	struct buf request = {0};
	size_t n;

	p.texts.out = &p.dictionary;
	put_zeros(&p);
	n = put_unknown(&p, r, attributes);
	for (size_t i = 0; i < r->sites.n && !p.dictionary.failed; i++)
		put_site(&p, r, &r->sites.v[i], o);
	for (size_t i = 0; i < NR_VALUES; i++) {
		if (p.samples[i].n || !value_types[i].if_any)
			put_profile(&p, r, i, attributes, n);
		out->failed |= p.samples[i].failed;
	}
	out->failed |= p.dictionary.failed;
	if (!out->failed)
		put_request(&p, service, r, &request);
	out->failed |= request.failed;
	if (!out->failed)
		profile_gzip(out, (struct buf *const[]){&request}, 1);
	buf_free(&request);
	otlp_free(&p);
}

/* --- the answer --- */

uint64_t otlp_rejected(const char *answer, size_t n, char *why, size_t cap)
{
	Otlp__Response *r = otlp__response__unpack(NULL, n, (const uint8_t *)answer);
	const Otlp__PartialSuccess *partial = r ? r->partial_success : NULL;
	uint64_t rejected =
	    partial && partial->rejected_profiles > 0 ? (uint64_t)partial->rejected_profiles : 0;
	const char *said = partial ? partial->error_message : "";

	text_clean(why, cap, said, strlen(said));
	if (r)
		otlp__response__free_unpacked(r, NULL);
	return rejected;
}
