/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Documents over HTTP. See http.h. The only file that knows libmicrohttpd, and its GnuTLS. */
#include "agent/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"

#define MAX_DOCUMENTS   16
#define MAX_ORDERS      16
#define MAX_CONNECTIONS 256
#define IDLE_S          3
/* Of a connection: more than any scraper's headers. */
#define CONNECTION_BYTES 16384
#define MAX_FILE_BYTES   65536
#define BEARER           "Bearer "

struct document {
	struct http_document is;
	struct MHD_Response *response; /* NULL: not published yet */
};

/* Which content a file has, as far as can be told without reading it. */
struct stamp {
	dev_t device;
	ino_t inode;
	off_t bytes;
	struct timespec written;
};
#define NR_FILES 4

struct http {
	struct MHD_Daemon *daemon, *old; /* old: listens no more, but may still answer; NULL: there is none */
	uint64_t old_since_ns;
	int old_fd;                   /* on which old has listened: its thread may look at it; -1: none */
	struct stamp files[NR_FILES]; /* that daemon was made of, or could not be */
	pthread_mutex_t lock;         /* of what stands below */
	struct document documents[MAX_DOCUMENTS];
	size_t nr_documents;
	struct http_counts counts;
	const struct http_order *order; /* NULL: none is taken */
	struct http_ordered ordered[MAX_ORDERS];
	size_t nr_ordered;
	int orders_fd;  /* an eventfd, of as many; -1: none is taken */
	char *token;    /* NULL: none is needed */
	bool certified; /* clients must have a certificate */
	/* of the thread that opened it */
	char url[128];
};

/* --- answers --- */

/* Compared in a time that tells nothing of where they differ. */
static bool equal(const char *a, const char *b)
{
	size_t n = strlen(a), k = strlen(b);
	unsigned char differs = n != k;

	for (size_t i = 0; i < k; i++)
		differs |= (unsigned char)(a[i % (n + 1)] ^ b[i]);
	return !differs;
}

/* Signed by one that is trusted, to be a client's. */
static bool has_certificate(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	gnutls_typed_vdata_st of_client = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
					   .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT};
	unsigned int faults = 0;

	return info && info->tls_session &&
	       !gnutls_certificate_verify_peers(info->tls_session, &of_client, 1, &faults) && !faults;
}

/* With the lock. */
static bool may_read(const struct http *h, struct MHD_Connection *c)
{
	const char *said;

	if (h->certified && !has_certificate(c))
		return false;
	if (!h->token)
		return true;
	said = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
	return said && !strncmp(said, BEARER, sizeof(BEARER) - 1) &&
	       equal(said + sizeof(BEARER) - 1, h->token);
}

/* Of those at this path the one that is asked for by name, else the one for all. With the lock. */
static struct MHD_Response *document_at(const struct http *h, const char *path, const char *accept)
{
	struct MHD_Response *found = NULL;

	for (size_t i = 0; i < h->nr_documents; i++) {
		const struct document *d = &h->documents[i];

		if (!d->response || strcmp(d->is.path, path) != 0)
			continue;
		if (d->is.accept && accept && strstr(accept, d->is.accept))
			return d->response;
		if (!d->is.accept)
			found = d->response;
	}
	return found;
}

/* Anything but a document. */
static enum MHD_Result say(struct MHD_Connection *c, unsigned int status)
{
	static const char *const challenge = "Bearer realm=\"jnitrace\"";
	const char *text = status == MHD_HTTP_NOT_FOUND      ? "not found\n"
			   : status == MHD_HTTP_UNAUTHORIZED ? "no or another token or certificate\n"
			   : status == MHD_HTTP_FORBIDDEN
			       ? "not for other sites: ask by address, or as localhost\n"
			   : status == MHD_HTTP_ACCEPTED          ? "ordered\n"
			   : status == MHD_HTTP_BAD_REQUEST       ? "an argument is no number\n"
			   : status == MHD_HTTP_TOO_MANY_REQUESTS ? "too many orders at once\n"
								  : "only GET and HEAD\n";
	struct MHD_Response *r =
	    MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result rc;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
	if (status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_WWW_AUTHENTICATE, challenge);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	rc = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return rc;
}

/* A number of at most 15 characters, without a sign. */
static bool number_of(const char *text, double *out)
{
	size_t n = strlen(text);
	char *end;

	if (!n || n > 15 || strspn(text, "0123456789.") != n)
		return false;
	*out = strtod(text, &end);
	return !*end;
}

/* With the lock. The status. */
static unsigned int order(struct http *h, struct MHD_Connection *c)
{
	struct http_ordered *o = &h->ordered[h->nr_ordered];
	const uint64_t one = 1;

	if (h->nr_ordered == MAX_ORDERS)
		return MHD_HTTP_TOO_MANY_REQUESTS;
	for (size_t i = 0; i < HTTP_MAX_ARGUMENTS; i++) {
		const char *name = h->order->arguments[i];
		const char *text = name ? MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, name) : NULL;

		o->values[i] = -1;
		if (text && !number_of(text, &o->values[i]))
			return MHD_HTTP_BAD_REQUEST;
		if (!name)
			break;
	}
	if (write(h->orders_fd, &one, sizeof(one)) != sizeof(one))
		return MHD_HTTP_TOO_MANY_REQUESTS;
	h->nr_ordered++;
	return MHD_HTTP_ACCEPTED;
}

/*
 * By an address, or as localhost? Any other name may be one that somebody lets lead here, so that a page of
 * theirs in a browser of this host reads ours.
 */
static bool is_asked_by_address(struct MHD_Connection *c)
{
	const char *said = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
	struct in6_addr address;
	char host[64];
	size_t n;

	if (!said)
		return true; /* no browser */
	said += *said == '[';
	n = strcspn(said, strchr(said, ']') ? "]" : ":");
	if (n >= sizeof(host))
		return false;
	memcpy(host, said, n);
	host[n] = '\0';
	return !strcasecmp(host, "localhost") || inet_pton(AF_INET, host, &address) == 1 ||
	       inet_pton(AF_INET6, host, &address) == 1;
}

/* A browser sends its certificate along with what any site asks of it, but then says where from. */
static bool may_order(const struct http *h, struct MHD_Connection *c)
{
	return h->token || !MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ORIGIN);
}

static unsigned int status_of(struct http *h, struct MHD_Connection *c, const char *path, const char *method,
			      const struct MHD_Response *r)
{
	if (!may_read(h, c))
		return MHD_HTTP_UNAUTHORIZED;
	if (!h->token && !h->certified && !is_asked_by_address(c))
		return MHD_HTTP_FORBIDDEN;
	if (h->order && (h->token || h->certified) && !strcmp(method, MHD_HTTP_METHOD_POST) &&
	    !strcmp(path, h->order->path))
		return may_order(h, c) ? order(h, c) : MHD_HTTP_FORBIDDEN;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return MHD_HTTP_METHOD_NOT_ALLOWED;
	return r ? MHD_HTTP_OK : MHD_HTTP_NOT_FOUND;
}

static enum MHD_Result answer(void *http, struct MHD_Connection *c, const char *path, const char *method,
			      const char *version, const char *body, size_t *body_bytes, void **state)
{
	static char begun;
	struct http *h = http;
	struct MHD_Response *r;
	enum MHD_Result rc = MHD_NO;
	unsigned int status;

	(void)version, (void)body;
	if (!*state) { /* the headers; a body may follow */
		*state = &begun;
		return MHD_YES;
	}
	if (*body_bytes) { /* is not looked at */
		*body_bytes = 0;
		return MHD_YES;
	}
	pthread_mutex_lock(&h->lock);
	r = document_at(h, path, MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
	status = status_of(h, c, path, method, r);
	if (status == MHD_HTTP_OK)
		rc = MHD_queue_response(c, status, r); /* it stays as long as it takes to send it */
	h->counts.answered += status < MHD_HTTP_BAD_REQUEST;
	h->counts.refused += status >= MHD_HTTP_BAD_REQUEST;
	pthread_mutex_unlock(&h->lock);
	return status == MHD_HTTP_OK ? rc : say(c, status);
}

/* No other site shows a page of ours, and no browser keeps it. */
static bool add_headers(struct MHD_Response *r, const char *type)
{
	const char *const headers[][2] = {
	    {MHD_HTTP_HEADER_CONTENT_TYPE, type},
	    {"X-Content-Type-Options", "nosniff"},
	    {"Content-Security-Policy", "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"},
	    {"Referrer-Policy", "no-referrer"},
	    {MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
	};
	bool ok = true;

	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		ok &= MHD_add_response_header(r, headers[i][0], headers[i][1]) == MHD_YES;
	return ok;
}

/* Takes body over. NULL: no memory. */
static struct MHD_Response *response_of(const char *type, struct buf *body)
{
	struct MHD_Response *r = NULL;

	if (!body->failed)
		r = MHD_create_response_from_buffer(body->n, body->p, MHD_RESPMEM_MUST_FREE);
	if (!r)
		buf_free(body);
	*body = (struct buf){0};
	if (r && !add_headers(r, type)) {
		MHD_destroy_response(r);
		return NULL;
	}
	return r;
}

/* With the lock. Its place; NULL: there is no room. */
static struct document *place_of(struct http *h, const struct http_document *d)
{
	for (size_t i = 0; i < h->nr_documents; i++)
		if (!strcmp(h->documents[i].is.path, d->path) && h->documents[i].is.type == d->type)
			return &h->documents[i];
	return h->nr_documents < MAX_DOCUMENTS ? &h->documents[h->nr_documents++] : NULL;
}

int http_publish(struct http *h, struct http_page *pages, size_t n)
{
	struct MHD_Response *r[MAX_DOCUMENTS] = {NULL}; /* the new ones, then those that they replace */
	int rc = n > MAX_DOCUMENTS ? -ENOMEM : 0;

	for (size_t i = 0; i < n; i++) {
		if (rc)
			buf_free(&pages[i].body);
		else if (!(r[i] = response_of(pages[i].is->type, &pages[i].body)))
			rc = -ENOMEM;
	}
	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < n && !rc; i++) {
		struct document *place = place_of(h, pages[i].is);
		struct MHD_Response *old = place ? place->response : r[i];

		if (place)
			*place = (struct document){.is = *pages[i].is, .response = r[i]};
		else
			rc = -ENOMEM;
		r[i] = old;
	}
	pthread_mutex_unlock(&h->lock);
	for (size_t i = 0; i < n && i < MAX_DOCUMENTS; i++)
		if (r[i])
			MHD_destroy_response(r[i]);
	return rc;
}

int http_take_orders(struct http *h, const struct http_order *o, struct error *err)
{
	int fd;

	if (!h->token && !h->certified)
		return error_set(err, -EINVAL, EXIT_USAGE, "orders", "give --token-file",
				 "without a token anybody could give some");
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
	if (fd < 0)
		return error_set(err, -errno, EXIT_FAILED, "orders", NULL, "%s", strerror(errno));
	pthread_mutex_lock(&h->lock);
	h->orders_fd = fd;
	h->order = o;
	pthread_mutex_unlock(&h->lock);
	return 0;
}

int http_orders_fd(const struct http *h)
{
	return h->orders_fd;
}

bool http_next_order(struct http *h, struct http_ordered *out)
{
	uint64_t one;
	bool any;

	pthread_mutex_lock(&h->lock);
	any = h->nr_ordered && read(h->orders_fd, &one, sizeof(one)) == sizeof(one);
	if (any) {
		*out = h->ordered[0];
		memmove(h->ordered, h->ordered + 1, --h->nr_ordered * sizeof(*h->ordered));
	}
	pthread_mutex_unlock(&h->lock);
	return any;
}

struct http_counts http_counts(struct http *h)
{
	struct http_counts c;

	pthread_mutex_lock(&h->lock);
	c = h->counts;
	pthread_mutex_unlock(&h->lock);
	return c;
}

const char *http_url(const struct http *h)
{
	return h->url;
}

/* --- where it listens --- */

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	char text[64]; /* "[::1]" */
};

/* "ADDRESS:PORT", numbers alone: which address a name has may change. 0 or -EINVAL. */
static int address_of(const char *listen, struct address *out)
{
	const char *colon = strrchr(listen, ':');
	char host[64], *end;
	size_t n = colon ? (size_t)(colon - listen) : 0;
	unsigned long port;

	*out = (struct address){0};
	if (!n || n >= sizeof(host) - 1 || !colon[1] || colon[1] < '0' || colon[1] > '9')
		return -EINVAL;
	port = strtoul(colon + 1, &end, 10);
	if (*end || port > UINT16_MAX)
		return -EINVAL;
	memcpy(out->text, listen, n);
	memcpy(host, listen, n);
	host[n] = '\0';
	if (host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		out->v6.sin6_family = AF_INET6;
		out->v6.sin6_port = htons((uint16_t)port);
		return inet_pton(AF_INET6, host + 1, &out->v6.sin6_addr) == 1 ? 0 : -EINVAL;
	}
	out->v4.sin_family = AF_INET;
	out->v4.sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, host, &out->v4.sin_addr) == 1 ? 0 : -EINVAL;
}

static bool is_loopback(const struct address *a)
{
	if (a->any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
	return ntohl(a->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* All of a small file, terminated. 0, or -errno with err. */
static int read_file(const char *path, struct buf *out, struct error *err)
{
	char chunk[4096];
	FILE *f = fopen(path, "re");
	int rc = f ? 0 : -errno;
	size_t n;

	while (!rc && (n = fread(chunk, 1, sizeof(chunk), f)) > 0) {
		buf_add(out, chunk, n);
		if (out->failed || out->n > MAX_FILE_BYTES)
			rc = out->failed ? -ENOMEM : -EFBIG;
	}
	if (!rc && ferror(f))
		rc = -EIO;
	if (f)
		fclose(f);
	buf_add(out, "", 1);
	if (!rc && out->failed)
		rc = -ENOMEM;
	return rc ? error_set(err, rc, EXIT_FAILED, path, "name a file that can be read", "%s", strerror(-rc))
		  : 0;
}

static int read_token(const char *path, char **out, struct error *err)
{
	struct buf text = {0};
	int rc = read_file(path, &text, err);

	if (!rc) {
		text.p[strcspn(text.p, "\r\n")] = '\0';
		if (!*text.p)
			rc = error_set(err, -EINVAL, EXIT_USAGE, path, "write the token on its first line",
				       "no token");
	}
	if (!rc) {
		*out = strdup(text.p);
		rc = *out ? 0 : -ENOMEM;
	}
	buf_free(&text);
	return rc;
}

static int check(const struct http_options *o, const struct address *a, struct error *err)
{
	if (!o->tls_cert != !o->tls_key)
		return error_set(err, -EINVAL, EXIT_USAGE, "TLS", "give --tls-cert and --tls-key",
				 "a certificate and its key belong together");
	if (o->tls_cert && MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
		return error_set(err, -EOPNOTSUPP, EXIT_FAILED, "TLS", NULL,
				 "this libmicrohttpd was built without it");
	if (o->client_ca && !o->tls_cert)
		return error_set(err, -EINVAL, EXIT_USAGE, "--tls-client-ca", "give --tls-cert and --tls-key",
				 "without TLS no client has a certificate");
	if (!is_loopback(a) && (!o->tls_cert || (!o->token_file && !o->client_ca)))
		return error_set(err, -EINVAL, EXIT_USAGE, "--listen",
				 "give --tls-cert, --tls-key and --token-file, or a loopback address",
				 "%s can be reached from outside", a->text);
	return 0;
}

/* --- what it is made of --- */

/* The contents of the files; without one its text is empty. */
struct material {
	struct buf cert, key, client_ca;
	char *token;
};

static void material_free(struct material *m)
{
	buf_free(&m->cert);
	buf_free(&m->key);
	buf_free(&m->client_ca);
	if (m->token)
		explicit_bzero(m->token, strlen(m->token));
	free(m->token);
}

static int read_pem(const char *path, struct buf *out, struct error *err)
{
	return path ? read_file(path, out, err) : 0;
}

/* GnuTLS itself says whether they can be used: libmicrohttpd does not say why they cannot. */
static int check_pem(const struct http_options *o, const struct material *m, struct error *err)
{
	gnutls_datum_t cert = {(unsigned char *)m->cert.p, o->tls_cert ? (unsigned int)m->cert.n - 1 : 0};
	gnutls_datum_t key = {(unsigned char *)m->key.p, o->tls_key ? (unsigned int)m->key.n - 1 : 0};
	gnutls_datum_t ca = {(unsigned char *)m->client_ca.p,
			     o->client_ca ? (unsigned int)m->client_ca.n - 1 : 0};
	gnutls_certificate_credentials_t c;
	const char *of = o->tls_cert;
	int bad;

	if (!o->tls_cert)
		return 0;
	if (gnutls_certificate_allocate_credentials(&c))
		return -ENOMEM;
	bad = gnutls_certificate_set_x509_key_mem(c, &cert, &key, GNUTLS_X509_FMT_PEM);
	if (bad >= 0 && o->client_ca) {
		of = o->client_ca;
		bad = gnutls_certificate_set_x509_trust_mem(c, &ca, GNUTLS_X509_FMT_PEM);
		bad = bad ?: GNUTLS_E_NO_CERTIFICATE_FOUND; /* how many there are */
	}
	gnutls_certificate_free_credentials(c);
	return bad < 0 ? error_set(err, -EINVAL, EXIT_USAGE, of, "give a certificate and its key, both PEM",
				   "%s", gnutls_strerror(bad))
		       : 0;
}

static int read_material(const struct http_options *o, struct material *out, struct error *err)
{
	int rc = read_pem(o->tls_cert, &out->cert, err);

	rc = rc ?: read_pem(o->tls_key, &out->key, err);
	rc = rc ?: read_pem(o->client_ca, &out->client_ca, err);
	if (!rc && o->token_file)
		rc = read_token(o->token_file, &out->token, err);
	return rc ?: check_pem(o, out, err);
}

static void look_at_files(const struct http_options *o, struct stamp out[NR_FILES])
{
	const char *const paths[NR_FILES] = {o->tls_cert, o->tls_key, o->client_ca, o->token_file};
	struct stat st;

	memset(out, 0, NR_FILES * sizeof(*out)); /* the padding, too */
	for (int i = 0; i < NR_FILES; i++) {
		if (!paths[i] || stat(paths[i], &st))
			continue;
		out[i].device = st.st_dev;
		out[i].inode = st.st_ino;
		out[i].bytes = st.st_size;
		out[i].written = st.st_mtim;
	}
}

/* listen_fd: to be taken over; negative: a new one at the address. */
static int start(struct http *h, const struct http_options *o, const struct material *m,
		 const struct address *a, int listen_fd, struct MHD_Daemon **out, struct error *err)
{
	unsigned int flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | (o->tls_cert ? MHD_USE_TLS : 0) |
			     (a->any.sa_family == AF_INET6 ? MHD_USE_IPv6 : 0);
	struct MHD_OptionItem more[5] = {{MHD_OPTION_END, 0, NULL}}, *next = more;
	sigset_t all, before;
	int rc = 0;

	if (listen_fd >= 0)
		*next++ = (struct MHD_OptionItem){MHD_OPTION_LISTEN_SOCKET, listen_fd, NULL};
	if (o->tls_cert) {
		*next++ = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, m->cert.p};
		*next++ = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, m->key.p};
	}
	if (o->client_ca)
		*next++ = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, m->client_ca.p};
	*next = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
	/* Signals are for the thread of the loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errno = 0;
	*out = MHD_start_daemon(flags, 0, NULL, NULL, answer, h, MHD_OPTION_SOCK_ADDR, &a->any,
				MHD_OPTION_CONNECTION_LIMIT, MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
				IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
				MHD_OPTION_ARRAY, more, MHD_OPTION_END);
	if (!*out) {
		rc = errno ? -errno : -EINVAL;
		error_set(err, rc, EXIT_FAILED, "--listen", "is another agent running? give --listen",
			  "%s: %s", o->listen, strerror(-rc));
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

/* Who has asked until now is answered by the daemon that was. */
static void take_over(struct http *h, const struct http_options *o, struct material *m,
		      const struct address *a, struct MHD_Daemon *daemon)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
	unsigned int port = info ? info->port : 0;
	char *token;

	pthread_mutex_lock(&h->lock);
	token = h->token;
	h->token = m->token;
	h->certified = o->client_ca != NULL;
	pthread_mutex_unlock(&h->lock);
	m->token = token;
	h->daemon = daemon;
	snprintf(h->url, sizeof(h->url), "http%s://%s:%u", o->tls_cert ? "s" : "", a->text, port);
}

static int address_and_files(const struct http_options *o, struct address *a, struct material *m,
			     struct error *err)
{
	if (address_of(o->listen, a))
		return error_set(err, -EINVAL, EXIT_USAGE, "--listen", "as in 127.0.0.1:9469 or [::1]:9469",
				 "'%.64s' is no address and port", o->listen);
	return check(o, a, err) ?: read_material(o, m, err);
}

int http_check(const struct http_options *o, struct error *err)
{
	struct material m = {0};
	struct address a;
	int rc = address_and_files(o, &a, &m, err);

	material_free(&m);
	return rc;
}

int http_open(const struct http_options *o, struct http **out, struct error *err)
{
	struct http *h = calloc(1, sizeof(*h));
	struct material m = {0};
	struct MHD_Daemon *daemon = NULL;
	struct address a;
	int rc = h ? 0 : -ENOMEM;

	if (h) {
		h->orders_fd = -1;
		h->old_fd = -1;
		pthread_mutex_init(&h->lock, NULL);
		look_at_files(o, h->files);
	}
	rc = rc ?: address_and_files(o, &a, &m, err);
	rc = rc ?: start(h, o, &m, &a, -1, &daemon, err);
	if (rc) {
		http_close(h);
	} else {
		take_over(h, o, &m, &a, daemon);
		*out = h;
	}
	material_free(&m);
	return rc;
}

/* --- other files --- */

/* An idle connection is closed by itself after a while; what takes longer is cut off. */
static void give_up_old(struct http *h, bool now)
{
	const union MHD_DaemonInfo *info =
	    h->old ? MHD_get_daemon_info(h->old, MHD_DAEMON_INFO_CURRENT_CONNECTIONS) : NULL;
	bool late = clock_ns(CLOCK_MONOTONIC) - h->old_since_ns > 2 * IDLE_S * 1000000000ULL;

	if (!h->old || (!now && !late && info && info->num_connections))
		return;
	MHD_stop_daemon(h->old);
	h->old = NULL;
	if (h->old_fd >= 0)
		close(h->old_fd);
	h->old_fd = -1;
}

/* Both have the socket for a moment, so that there is none without anybody who listens. */
static int replace(struct http *h, const struct http_options *o, struct material *m, const struct address *a,
		   struct error *err)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_LISTEN_FD);
	struct MHD_Daemon *daemon = NULL;
	int fd = info ? fcntl(info->listen_fd, F_DUPFD_CLOEXEC, 0) : -1, rc = fd < 0 ? -EMFILE : 0;

	if (rc)
		return error_set(err, rc, EXIT_FAILED, "take over the socket", NULL, "%s", strerror(-rc));
	rc = start(h, o, m, a, fd, &daemon, err);
	if (rc)
		return rc; /* whether libmicrohttpd has closed it depends on what has failed: it is left open
			    */
	give_up_old(h, true);
	h->old_fd = MHD_quiesce_daemon(h->daemon);
	h->old = h->daemon;
	h->old_since_ns = clock_ns(CLOCK_MONOTONIC);
	take_over(h, o, m, a, daemon);
	return 0;
}

int http_renew(struct http *h, const struct http_options *o, bool force, struct error *err)
{
	struct stamp files[NR_FILES];
	struct material m = {0};
	struct address a;
	int rc;

	give_up_old(h, false);
	look_at_files(o, files);
	if (!force && !memcmp(files, h->files, sizeof(files)))
		return 0;
	memcpy(h->files, files, sizeof(files));
	rc = address_and_files(o, &a, &m, err);
	rc = rc ?: replace(h, o, &m, &a, err);
	material_free(&m);
	return rc ?: 1;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	give_up_old(h, true);
	if (h->daemon)
		MHD_stop_daemon(h->daemon);
	for (size_t i = 0; i < h->nr_documents; i++)
		if (h->documents[i].response)
			MHD_destroy_response(h->documents[i].response);
	if (h->orders_fd >= 0)
		close(h->orders_fd);
	pthread_mutex_destroy(&h->lock);
	if (h->token)
		explicit_bzero(h->token, strlen(h->token));
	free(h->token);
	free(h);
}
