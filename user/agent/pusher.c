/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Documents for a store. See pusher.h. */
#include "agent/pusher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/client.h"

#define UNFINISHED      ".new"
#define DIGITS          20 /* of a name, before its end */
#define NAME_BYTES      64
#define MAX_URL_BYTES   8192
#define MAX_HEADERS     8            /* of a format, and the key */
#define MAX_BYTES       (64UL << 20) /* of a document */
#define ANSWER_BYTES    (1UL << 20)
#define PATIENCE_S      60
#define FIRST_S         1.0 /* between two attempts; twice as long each time */
#define LONGEST_S       300.0
#define LONGEST_ASKED_S 3600.0 /* by the store */
#define NO_ANSWER       (-1)

/* A document that was denied: tried again by itself, and does not stand in the way of others. */
struct held {
	char name[NAME_BYTES];
	double every_s;
	uint64_t due_ns;
};

struct pusher {
	char *url;
	uint64_t most_bytes;
	const struct pusher_format *format;
	struct client *client;
	int folder; /* locked as long as it is open */
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock; /* of what stands below */
	pthread_cond_t changed;
	bool stopped;
	struct pusher_counts counts;
	char sending[NAME_BYTES]; /* "": none */
	char done[NAME_BYTES];    /* the store has it, or will not have it, but it could not be removed */
	long failing; /* by which status, or NO_ANSWER; 0: not. It was said, as of the next; of the thread
			 alone */
	bool rejecting;
	bool again; /* what is being sent was denied before */
	struct {
		struct held *v;
		size_t n, cap;
	} held;
	unsigned denied;  /* documents, since the store has let in one: of two it is none of theirs */
	uint64_t last_ns; /* of a name: they go up, whatever the clock does */
};

/* --- the folder; with the lock --- */

/* By its name; whose file it is, is_ours() looks. */
static bool is_document(const struct pusher *p, const char *name)
{
	return strspn(name, "0123456789") == DIGITS && !strcmp(name + DIGITS, p->format->suffix);
}

static bool is_ours(const struct pusher *p, const char *name, struct stat *s)
{
	return !fstatat(p->folder, name, s, AT_SYMLINK_NOFOLLOW) && S_ISREG(s->st_mode) &&
	       s->st_uid == geteuid();
}

static struct held *held_of(const struct pusher *p, const char *name)
{
	for (size_t i = 0; i < p->held.n; i++)
		if (!strcmp(p->held.v[i].name, name))
			return &p->held.v[i];
	return NULL;
}

static void forget_held(struct pusher *p, struct held *h)
{
	*h = p->held.v[--p->held.n];
}

static bool is_not_held(const struct pusher *p, const char *name)
{
	return !held_of(p, name);
}

static bool is_due(const struct pusher *p, const char *name)
{
	const struct held *h = held_of(p, name);

	return !h || h->due_ns <= clock_ns(CLOCK_MONOTONIC);
}

static bool is_not_sent(const struct pusher *p, const char *name)
{
	return strcmp(p->sending, name) != 0;
}

/* The oldest that may be; and what is there in all. NULL: any. false: there is none. */
static bool oldest(const struct pusher *p, bool (*may)(const struct pusher *p, const char *name), char *name,
		   uint64_t *n, uint64_t *bytes)
{
	int fd = openat(p->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat s;

	*name = '\0';
	*n = *bytes = 0;
	if (!d && fd >= 0)
		close(fd);
	while (d && (e = readdir(d))) {
		if (!is_document(p, e->d_name) || !is_ours(p, e->d_name, &s))
			continue;
		++*n;
		*bytes += (uint64_t)s.st_size;
		if ((!*name || strcmp(e->d_name, name) < 0) && (!may || may(p, e->d_name)))
			snprintf(name, NAME_BYTES, "%.*s", NAME_BYTES - 1, e->d_name);
	}
	if (d)
		closedir(d);
	return *name;
}

static void look(struct pusher *p)
{
	char name[NAME_BYTES];

	oldest(p, NULL, name, &p->counts.waiting, &p->counts.waiting_bytes);
}

/* 0, or -errno: it is still there. */
static int remove_one(struct pusher *p, const char *name)
{
	int rc = unlinkat(p->folder, name, 0) && errno != ENOENT ? -errno : 0;
	struct held *h = rc ? NULL : held_of(p, name);

	if (h)
		forget_held(p, h);
	fsync(p->folder);
	return rc;
}

/* Room for so many bytes: the oldest goes, but the one that is being sent. 0, or -errno: it cannot go. */
static int make_room(struct pusher *p, uint64_t bytes)
{
	uint64_t dropped = 0, n, there;
	char name[NAME_BYTES];
	int rc = 0;

	while (!rc && oldest(p, is_not_sent, name, &n, &there) && there + bytes > p->most_bytes) {
		rc = remove_one(p, name);
		dropped += !rc && strcmp(name, p->done) != 0;
	}
	p->counts.dropped += dropped;
	if (dropped)
		warn("the spool is full: %llu profiles were dropped (give --spool-limit, or see why they are "
		     "not taken)",
		     (unsigned long long)dropped);
	return rc;
}

/* What was not finished when a process ended is none; names go on from the last. */
static void tidy(struct pusher *p)
{
	int fd = openat(p->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	uint64_t others = 0;

	if (!d && fd >= 0)
		close(fd);
	while (d && (e = readdir(d))) {
		uint64_t ns = strtoull(e->d_name, NULL, 10);

		if (!strcmp(e->d_name, UNFINISHED))
			unlinkat(p->folder, e->d_name, 0);
		else if (!is_document(p, e->d_name))
			others += strspn(e->d_name, "0123456789") == DIGITS;
		else if (ns > p->last_ns)
			p->last_ns = ns;
	}
	if (d)
		closedir(d);
	if (others)
		warn("push: %llu files in the spool are of another format: they wait for an agent that sends "
		     "it",
		     (unsigned long long)others);
}

/* --- a document: a line with the query, then what is sent --- */

static int write_all(int fd, const char *data, size_t n)
{
	while (n) {
		ssize_t written = write(fd, data, n);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		data += written;
		n -= (size_t)written;
	}
	return 0;
}

static int write_new(const struct pusher *p, const char *query, const struct buf *document)
{
	int fd, rc;

	unlinkat(p->folder, UNFINISHED, 0);
	fd = openat(p->folder, UNFINISHED, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	rc = fd < 0 ? -errno : 0;
	rc = rc ?: write_all(fd, query, strlen(query));
	rc = rc ?: write_all(fd, "\n", 1);
	rc = rc ?: write_all(fd, document->p, document->n);
	if (!rc && fsync(fd))
		rc = -errno;
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && rc) /* a half takes no room on a full disk */
		unlinkat(p->folder, UNFINISHED, 0);
	return rc;
}

/* All of it, terminated. 0 or -errno. */
static int read_one(const struct pusher *p, const char *name, struct buf *out)
{
	int fd = openat(p->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int rc = fd < 0 ? -errno : 0;
	char chunk[65536];
	ssize_t n = 1;

	while (!rc && n) {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0)
			rc = -errno;
		else if (out->n + (size_t)n > MAX_BYTES)
			rc = -EFBIG;
		else
			buf_add(out, chunk, (size_t)n);
		rc = rc ?: out->failed ? -ENOMEM : 0;
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

int pusher_add(struct pusher *p, const char *query, const struct buf *document, struct error *err)
{
	uint64_t bytes = strlen(query) + 1 + document->n;
	char name[NAME_BYTES];
	int rc = bytes > p->most_bytes || bytes > MAX_BYTES ? -EFBIG : 0;

	pthread_mutex_lock(&p->lock);
	if (!rc) {
		uint64_t now_ns = clock_ns(CLOCK_REALTIME);

		p->last_ns = now_ns > p->last_ns ? now_ns : p->last_ns + 1;
		snprintf(name, sizeof(name), "%020llu%s", (unsigned long long)p->last_ns, p->format->suffix);
		rc = make_room(p, bytes);
		rc = rc ?: write_new(p, query, document);
	}
	if (!rc && (renameat(p->folder, UNFINISHED, p->folder, name) || fsync(p->folder)))
		rc = -errno;
	look(p);
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return rc ? error_set(err, rc, EXIT_FAILED, "spool a profile", "is there room on its disk?", "%s",
			      strerror(-rc))
		  : 0;
}

/* --- sending --- */

enum outcome { SENT, REFUSED, FAILED, DENIED };

/* RFC 9110: answers to who asks, or to what place, and not to the document. */
static const struct {
	long status;
	const char *advice;
} denials[] = {
    {301, "give the URL that it leads to"},
    {302, "give the URL that it leads to"},
    {307, "give the URL that it leads to"},
    {308, "give the URL that it leads to"},
    {401, "see the token in --push-headers, and the store's"},
    {402, "see what the store's account may do"},
    {403, "see the token in --push-headers, and the store's"},
    {404, "see the path of its URL"},
    {405, "see the path of its URL"},
    {407, "see the proxy's password in its URL"},
    {431, "see --push-headers"},
};

/* NULL: it is none of them. */
static const char *advice_of(long status)
{
	for (size_t i = 0; i < ARRAY_LEN(denials); i++)
		if (denials[i].status == status)
			return denials[i].advice;
	return NULL;
}

/*
 * The store will not have the document whenever it is sent. OTLP has all others but 429 refused, too, lest
 * clients that are set up wrong ask without end. But that is mended in minutes, and what is lost until then
 * is lost for good: it is kept, as for a store that is down, and asked no more often than that.
 */
static bool refuses(long status)
{
	return status >= 400 && status < 500 && status != 408 && status != 421 && status != 425 &&
	       status != 429 && !advice_of(status);
}

/* Once, until it is another reason, or something arrives again. Not the URL: it may hold a password. */
static void say_failure(struct pusher *p, int rc, long status, const struct error *err)
{
	long reason = rc ? NO_ANSWER : status;
	const char *advice = advice_of(reason);

	if (p->failing == reason || rc == -EINTR)
		return;
	p->failing = reason;
	if (rc)
		warn("push: it is tried again: %s", err->why[0] ? err->why : strerror(-rc));
	else
		warn("push: it is tried again: the store answers with status %ld%s%s%s", status,
		     advice ? " (" : "", advice ?: "", advice ? ")" : "");
}

/* What the store has not taken of it, though it says that it has; said once, until it takes all again. */
static bool is_rejected(struct pusher *p, const struct buf *answer)
{
	char why[128] = "";
	uint64_t n = p->format->rejected ? p->format->rejected(answer->p, answer->n, why, sizeof(why)) : 0;

	if (n && !p->rejecting)
		warn("push: the store rejects %llu profiles of a window%s%s", (unsigned long long)n,
		     *why ? ": " : "", why);
	p->rejecting = n;
	return n;
}

static enum outcome outcome_of(struct pusher *p, int rc, const struct client_answer *a,
			       const struct error *err)
{
	if (!rc && a->status >= 200 && a->status < 300) {
		p->failing = 0;
		return is_rejected(p, &a->body) ? REFUSED : SENT;
	}
	if (!rc && refuses(a->status)) {
		warn("push: the store refuses a profile with status %ld", a->status);
		return REFUSED;
	}
	if (rc || !p->again || !advice_of(a->status)) /* else it was said */
		say_failure(p, rc, a->status, err);
	return !rc && advice_of(a->status) ? DENIED : FAILED;
}

/* The key is of what is in it: who gets it twice can tell. */
static enum outcome post(struct pusher *p, const struct buf *text, double *wait_s)
{
	const struct pusher_format *format = p->format;
	const char *join = strchr(p->url, '?') ? "&" : "?", *eol = memchr(text->p, '\n', text->n);
	size_t query = eol ? (size_t)(eol - text->p) : 0, n = eol ? text->n - query - 1 : 0;
	const struct client_part parts[2] = {
	    {"profile", "profile.pprof", eol ? eol + 1 : "", n},
	    {"sample_type_config", "config.json", format->config,
	     format->config ? strlen(format->config) : 0},
	};
	const char *headers[MAX_HEADERS + 1] = {NULL};
	char url[MAX_URL_BYTES], key[64];
	struct client_post post = {
	    .url = url, .headers = headers, .body = eol ? eol + 1 : "", .body_bytes = n};
	struct client_answer answer = {0};
	enum outcome outcome;
	struct error err = {0};
	int rc;

	if (!eol || format->form != (query > 0) || strlen(p->url) + query + 2 > sizeof(url))
		return REFUSED; /* no file of ours */
	snprintf(url, sizeof(url), "%s%s%.*s", p->url, query ? join : "", (int)query, text->p);
	snprintf(key, sizeof(key), "Idempotency-Key: %016llx",
		 (unsigned long long)fnv64(FNV64_INIT, text->p, text->n));
	headers[0] = key;
	for (size_t i = 0; format->headers && format->headers[i] && i + 1 < MAX_HEADERS; i++)
		headers[i + 1] = format->headers[i];
	if (format->form) {
		post.parts = parts;
		post.nr_parts = format->config ? 2 : 1;
	}
	rc = client_post(p->client, &post, &answer, &err);
	*wait_s = answer.retry_s;
	outcome = outcome_of(p, rc, &answer, &err);
	buf_free(&answer.body);
	return outcome;
}

/* So long until the next attempt: about s, or what the store asks for, and never before that. */
static double pause_s(double s, double asked_s)
{
	double chance = (double)(mix64(clock_ns(CLOCK_MONOTONIC)) >> 11) / (double)(1ULL << 53);

	asked_s = asked_s < LONGEST_ASKED_S ? asked_s : LONGEST_ASKED_S;
	s *= 0.75 + chance / 2;
	return s > asked_s ? s : asked_s * (1 + chance / 4);
}

/* With the lock. */
static void wait_for(struct pusher *p, double s)
{
	uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(s * 1e9);
	const struct timespec until = {(time_t)(until_ns / 1000000000), (long)(until_ns % 1000000000)};

	while (!p->stopped && pthread_cond_timedwait(&p->changed, &p->lock, &until) != ETIMEDOUT)
		;
}

/* With the lock, which is open meanwhile. *asked_s: so long the store asks to wait. */
static enum outcome read_and_post(struct pusher *p, double *asked_s)
{
	struct buf text = {0};
	enum outcome outcome;
	int rc;

	p->again = held_of(p, p->sending);
	pthread_mutex_unlock(&p->lock);
	rc = read_one(p, p->sending, &text);
	if (rc && rc != -EFBIG)
		say_failure(p, rc, 0, &(struct error){0});
	outcome = rc == -EFBIG || (!rc && !text.n) ? REFUSED : rc ? FAILED : post(p, &text, asked_s);
	buf_free(&text);
	pthread_mutex_lock(&p->lock);
	p->counts.sent += outcome == SENT;
	p->counts.denied += outcome == DENIED;
	p->counts.refused += outcome == REFUSED;
	return outcome;
}

/* Was it denied for the first time? Then others are tried before it is again. */
static bool hold(struct pusher *p, const char *name, double asked_s)
{
	struct held *h = held_of(p, name), *place = h ?: VEC_ADD(&p->held);
	double every_s;

	if (!place)
		return true;
	every_s = h ? h->every_s * 2 : FIRST_S;
	place->every_s = every_s < LONGEST_S ? every_s : LONGEST_S;
	place->due_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(pause_s(place->every_s, asked_s) * 1e9);
	snprintf(place->name, sizeof(place->name), "%s", name);
	return !h;
}

/* With the lock. It is gone from the folder, or FAILED or DENIED: as long as it cannot be removed, none is
 * sent again. */
static enum outcome send_one(struct pusher *p, double *asked_s)
{
	enum outcome outcome = SENT;
	int rc = 0;

	if (strcmp(p->sending, p->done))
		outcome = read_and_post(p, asked_s);
	if (outcome == DENIED)
		p->denied += hold(p, p->sending, *asked_s);
	else if (outcome != FAILED)
		rc = remove_one(p, p->sending);
	if (rc && strcmp(p->sending, p->done)) {
		memcpy(p->done, p->sending, sizeof(p->done));
		warn("push: what the store has cannot be removed from the spool: %s", strerror(-rc));
	}
	outcome = rc ? FAILED : outcome;
	p->counts.failed += (outcome == FAILED || outcome == DENIED) && !p->stopped;
	p->sending[0] = '\0';
	look(p);
	return outcome;
}

/* With the lock. First what only has to be removed; who was denied waits until no other is left. */
static bool choose(struct pusher *p)
{
	uint64_t n, bytes;
	struct stat s;

	if (*p->done && is_ours(p, p->done, &s)) {
		memcpy(p->sending, p->done, sizeof(p->sending));
		return true;
	}
	return oldest(p, is_not_held, p->sending, &n, &bytes) || oldest(p, is_due, p->sending, &n, &bytes);
}

/* With the lock, while there is none to send: until there is one, or one that was denied is due. */
static void wait_for_one(struct pusher *p)
{
	uint64_t due_ns = UINT64_MAX, soon_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(FIRST_S * 1e9);
	struct timespec until;
	struct stat s;

	for (size_t i = p->held.n; i-- > 0;) /* somebody else may have removed it */
		if (!is_ours(p, p->held.v[i].name, &s))
			forget_held(p, &p->held.v[i]);
		else if (p->held.v[i].due_ns < due_ns)
			due_ns = p->held.v[i].due_ns;
	due_ns = due_ns < soon_ns ? soon_ns : due_ns; /* one may not be read just now */
	until = (struct timespec){(time_t)(due_ns / 1000000000), (long)(due_ns % 1000000000)};
	if (due_ns == UINT64_MAX)
		pthread_cond_wait(&p->changed, &p->lock);
	else
		pthread_cond_timedwait(&p->changed, &p->lock, &until);
}

static void *send_all(void *pusher)
{
	struct pusher *p = pusher;
	double every_s = 0;

	pthread_mutex_lock(&p->lock);
	while (!p->stopped) {
		double asked_s = 0;
		enum outcome outcome;

		if (!choose(p)) {
			wait_for_one(p);
			continue;
		}
		outcome = send_one(p, &asked_s);
		if (outcome == SENT || outcome == REFUSED)
			p->denied = 0;
		if (outcome != FAILED && p->denied < 2) { /* of one alone the next tells whose fault it is */
			every_s = 0;
			continue;
		}
		every_s = every_s > 0 ? every_s * 2 : FIRST_S;
		every_s = every_s < LONGEST_S ? every_s : LONGEST_S;
		wait_for(p, pause_s(every_s, asked_s));
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* --- all --- */

static int open_folder(struct pusher *p, const char *path, struct error *err)
{
	int rc = mkdir(path, 0700) && errno != EEXIST ? -errno : 0;

	p->folder = rc ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!rc && p->folder < 0)
		rc = -errno;
	if (!rc && flock(p->folder, LOCK_EX | LOCK_NB))
		rc = -errno;
	return rc ? error_set(err, rc, EXIT_FAILED, path,
			      rc == -EWOULDBLOCK ? "another agent has it: give --spool" : "give --spool DIR",
			      "%s", strerror(-rc))
		  : 0;
}

static int start(struct pusher *p)
{
	sigset_t all, before;
	int rc;

	/* Signals are for the thread of the loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&p->thread, NULL, send_all, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	p->has_thread = !rc;
	return -rc;
}

int pusher_open(const struct pusher_options *o, struct pusher **out, struct error *err)
{
	const struct client_options client = {
	    .headers = o->headers, .ca = o->ca, .most_bytes = ANSWER_BYTES, .patience_s = PATIENCE_S};
	struct pusher *p = calloc(1, sizeof(*p));
	pthread_condattr_t monotonic;
	int rc;

	if (!p)
		return -ENOMEM;
	p->folder = -1;
	p->most_bytes = o->most_bytes;
	p->format = o->format;
	p->url = strdup(o->url);
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	rc = p->url ? open_folder(p, o->folder, err) : -ENOMEM;
	rc = rc ?: client_new(&client, &p->client);
	if (!rc) {
		tidy(p);
		look(p);
		rc = start(p);
	}
	if (rc)
		pusher_close(p);
	else
		*out = p;
	return rc;
}

void pusher_close(struct pusher *p)
{
	if (!p)
		return;
	if (p->has_thread) {
		pthread_mutex_lock(&p->lock);
		p->stopped = true;
		client_stop(p->client);
		pthread_cond_signal(&p->changed);
		pthread_mutex_unlock(&p->lock);
		pthread_join(p->thread, NULL);
	}
	client_free(p->client);
	if (p->folder >= 0)
		close(p->folder);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p->held.v);
	free(p->url);
	free(p);
}

struct pusher_counts pusher_counts(struct pusher *p)
{
	struct pusher_counts c;

	pthread_mutex_lock(&p->lock);
	c = p->counts;
	pthread_mutex_unlock(&p->lock);
	return c;
}
