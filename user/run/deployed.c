/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What was deployed as a process. See deployed.h. */
#include "run/deployed.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "proc/foreign.h"

#define MAX_ENVIRON_BYTES (1U << 20) /* what is behind is not looked at */
#define MAX_VALUE_BYTES   4096       /* of an attribute, before it is decoded */
#define UID_DIGITS        36         /* with its dashes */
#define ATTRIBUTES        "OTEL_RESOURCE_ATTRIBUTES"

#define FIELD(member) offsetof(struct deployed, member), sizeof(((struct deployed *)NULL)->member)

/*
 * Where it is told. An attribute is one of OpenTelemetry's (semantic conventions: service, container, k8s) in
 * OTEL_RESOURCE_ATTRIBUTES, or an annotation of the pod that gives it; else a variable: of OpenTelemetry, the
 * Downward API's example, the agents of Datadog and Elastic, Knative; or a label that Kubernetes recommends.
 */
static const struct row {
	const char *variable, *attribute, *label; /* one of them */
	size_t at, cap;
} rows[] = {
    {"OTEL_SERVICE_NAME", NULL, NULL, FIELD(service)},
    {NULL, "service.name", NULL, FIELD(service)},
    {"DD_SERVICE", NULL, NULL, FIELD(service)},
    {"ELASTIC_APM_SERVICE_NAME", NULL, NULL, FIELD(service)},
    {"K_SERVICE", NULL, NULL, FIELD(service)},
    {NULL, NULL, "app.kubernetes.io/instance", FIELD(service)},
    {NULL, NULL, "app.kubernetes.io/name", FIELD(service)},
    {NULL, "service.version", NULL, FIELD(version)},
    {"DD_VERSION", NULL, NULL, FIELD(version)},
    {"ELASTIC_APM_SERVICE_VERSION", NULL, NULL, FIELD(version)},
    {"K_REVISION", NULL, NULL, FIELD(version)},
    {NULL, NULL, "app.kubernetes.io/version", FIELD(version)},
    {NULL, "container.image.name", NULL, FIELD(image)},
    {"CONTAINER_IMAGE", NULL, NULL, FIELD(image)},
    {NULL, "k8s.pod.name", NULL, FIELD(pod)},
    {"POD_NAME", NULL, NULL, FIELD(pod)},
    {NULL, NULL, "statefulset.kubernetes.io/pod-name", FIELD(pod)},
    {NULL, "k8s.namespace.name", NULL, FIELD(pod_namespace)},
    {"POD_NAMESPACE", NULL, NULL, FIELD(pod_namespace)},
    {NULL, "k8s.pod.uid", NULL, FIELD(pod_uid)},
    {"POD_UID", NULL, NULL, FIELD(pod_uid)},
};
/* Of an image that is told without one; the second is the older name. */
static const char *const tag_attributes[] = {"container.image.tags", "container.image.tag"};
/* Before an attribute's name, where it is a pod's annotation (semantic conventions: k8s attributes). */
#define ANNOTATION "resource.opentelemetry.io/"

struct span {
	const char *p; /* NULL: it is not there */
	size_t n;
};

/* As getenv(3): the first of this name. */
static struct span variable_of(const char *text, size_t n, const char *name)
{
	const char *end = text + n, *next;
	size_t name_n = strlen(name);

	for (const char *v = text; v < end; v = next) {
		size_t bytes = strnlen(v, (size_t)(end - v));

		next = v + bytes + 1;
		if (bytes > name_n && v[name_n] == '=' && !memcmp(v, name, name_n))
			return (struct span){v + name_n + 1, bytes - name_n - 1};
	}
	return (struct span){0};
}

static struct span trimmed(struct span s)
{
	while (s.n && isspace((unsigned char)*s.p))
		s.p++, s.n--;
	while (s.n && isspace((unsigned char)s.p[s.n - 1]))
		s.n--;
	return s;
}

/* Of "name=value,name=value". */
static struct span attribute_of(struct span all, const char *name)
{
	while (all.n) {
		const char *comma = memchr(all.p, ',', all.n);
		size_t bytes = comma ? (size_t)(comma - all.p) : all.n;
		const char *equals = memchr(all.p, '=', bytes);
		struct span key = trimmed((struct span){all.p, equals ? (size_t)(equals - all.p) : 0});

		if (equals && key.n == strlen(name) && !memcmp(key.p, name, key.n))
			return trimmed((struct span){equals + 1, bytes - (size_t)(equals + 1 - all.p)});
		all.p += bytes + (comma != NULL);
		all.n -= bytes + (comma != NULL);
	}
	return (struct span){0};
}

static int digit_of(char c)
{
	return isdigit((unsigned char)c)    ? c - '0'
	       : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
					    : -1;
}

/* As it is; "%2F" is "/"; a Go string's, where "\\xff" is a byte, and other letters that are not shown have
 * "\\". */
enum coding { PLAIN, PERCENT, QUOTED };

/* The letter that begins at *at; *at becomes where it ends. */
static char letter_of(struct span s, size_t *at, enum coding coding)
{
	size_t digits = *at + (coding == QUOTED ? 2 : 1);
	char c = s.p[*at];

	if ((coding != PERCENT || c != '%') && (coding != QUOTED || c != '\\'))
		return c;
	if (digits + 1 < s.n && digit_of(s.p[digits]) >= 0 && digit_of(s.p[digits + 1]) >= 0 &&
	    (coding == PERCENT || s.p[*at + 1] == 'x')) {
		*at = digits + 1;
		return (char)(digit_of(s.p[digits]) * 16 + digit_of(s.p[digits + 1]));
	}
	if (coding == PERCENT || *at + 1 == s.n)
		return c;
	c = s.p[++*at];
	return c == '"' || c == '\\' ? c : '?';
}

/* Cleaned. */
static void take(char *out, size_t cap, struct span s, enum coding coding)
{
	char plain[MAX_VALUE_BYTES];
	size_t n = 0;

	for (size_t i = 0; i < s.n && n < sizeof(plain); i++)
		plain[n++] = letter_of(s, &i, coding);
	text_clean(out, cap, plain, n);
}

/* "shop" of the tag "1.2" is "shop:1.2"; "registry:5000/shop" has none, "shop@sha256:..." needs none. */
static void add_tag(struct deployed *d, struct span tag, enum coding coding)
{
	const char *slash = strrchr(d->image, '/'), *base = slash ? slash + 1 : d->image;
	size_t n = strlen(d->image);

	if (!n || strpbrk(base, ":@") || !tag.n || n + 1 >= sizeof(d->image))
		return;
	d->image[n] = ':';
	take(d->image + n + 1, sizeof(d->image) - n - 1, tag, coding);
}

void deployed_of_environ(const char *text, size_t n, struct deployed *out)
{
	struct span attributes = variable_of(text, n, ATTRIBUTES), tag = {0};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		char *field = (char *)out + r->at;
		struct span s;

		if (*field || r->label)
			continue;
		s = r->variable ? variable_of(text, n, r->variable) : attribute_of(attributes, r->attribute);
		take(field, r->cap, s, r->attribute ? PERCENT : PLAIN);
	}
	for (size_t i = 0; i < ARRAY_LEN(tag_attributes) && !tag.n; i++)
		tag = attribute_of(attributes, tag_attributes[i]);
	add_tag(out, tag, PERCENT);
}

/* Of lines prefix-and-name="value". What is between the quotes. */
static struct span quoted_of(const char *text, size_t n, const char *prefix, const char *name)
{
	const char *end = text + n, *next;
	size_t prefix_n = strlen(prefix), name_n = strlen(name);

	for (const char *line = text; line < end; line = next) {
		const char *eol = memchr(line, '\n', (size_t)(end - line)) ?: end;
		size_t bytes = (size_t)(eol - line), key = prefix_n + name_n;

		next = eol + 1;
		if (bytes >= key + 3 && !memcmp(line, prefix, prefix_n) &&
		    !memcmp(line + prefix_n, name, name_n) && !memcmp(line + key, "=\"", 2) &&
		    line[bytes - 1] == '"')
			return (struct span){line + key + 2, bytes - key - 3};
	}
	return (struct span){0};
}

void deployed_of_podinfo(const char *file, const char *text, size_t n, struct deployed *out)
{
	bool annotations = !strcmp(file, "annotations"), had_image = *out->image;
	struct span tag = {0};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *name = annotations ? rows[i].attribute : rows[i].label;
		char *field = (char *)out + rows[i].at;

		if (name && !*field)
			take(field, rows[i].cap, quoted_of(text, n, annotations ? ANNOTATION : "", name),
			     QUOTED);
	}
	for (size_t i = 0; annotations && !had_image && i < ARRAY_LEN(tag_attributes) && !tag.n; i++)
		tag = quoted_of(text, n, ANNOTATION, tag_attributes[i]);
	add_tag(out, tag, QUOTED);
}

/* "pod2c8ef3ad-....", of systemd's slices with "_" for "-". */
void deployed_of_cgroup(const char *path, struct deployed *out)
{
	for (const char *at = strstr(path, "pod"); at; at = strstr(at, "pod")) {
		size_t n = 0;

		at += strlen("pod");
		for (; n < UID_DIGITS; n++) {
			bool dash = n == 8 || n == 13 || n == 18 || n == 23;

			if (dash ? at[n] != '-' && at[n] != '_' : !isxdigit((unsigned char)at[n]))
				break;
			out->pod_uid[n] = dash ? '-' : at[n];
		}
		out->pod_uid[n] = '\0';
		if (n == UID_DIGITS && !isxdigit((unsigned char)at[n]))
			return;
		out->pod_uid[0] = '\0';
	}
}

void deployed_read(pid_t pid, struct deployed *out)
{
	char *text = malloc(MAX_ENVIRON_BYTES);
	ssize_t n = text ? foreign_text(pid, FOREIGN_ENVIRON, text, MAX_ENVIRON_BYTES) : 0;

	if (n > 0) {
		deployed_of_environ(text, (size_t)n, out);
		explicit_bzero(text, (size_t)n); /* there are secrets in it */
	}
	free(text);
}
