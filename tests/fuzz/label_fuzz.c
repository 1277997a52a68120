/*
 * Labels "KEY=VALUE|KEY=VALUE..." of any bytes (the prefix left out where a
 * key has no dot).  Whatever is accepted consists of bytes that no engine's
 * configuration gives a meaning, and says the same when it is written and
 * read again; whatever is refused is refused at a place inside the value.
 */
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "model/label.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 20000

static int
compare(const void *a, const void *b)
{
	return strcmp(
	    ((const struct label *)a)->key, ((const struct label *)b)->key);
}

static void
add_label(struct service *s, const char *p, size_t len)
{
	const char *equals = memchr(p, '=', len);
	char *key;
	struct label *l;

	if (equals == NULL || memchr(p, '\0', (size_t)(equals - p)) != NULL)
		return;
	key = xmemdup0(p, (size_t)(equals - p));
	l = vec_add(&s->labels);
	l->key = strchr(key, '.') != NULL ? xstrdup(key)
					  : xasprintf(LABEL_PREFIX "%s", key);
	l->value_len = len - (size_t)(equals + 1 - p);
	l->value = xmemdup0(equals + 1, l->value_len);
	free(key);
}

static struct service *
service_of(const char *p, size_t len)
{
	struct service *s = xcalloc(1, sizeof(*s));
	size_t i;

	s->id = xstrdup("s");
	s->name = xstrdup("s");
	while (len > 0) {
		const char *bar = memchr(p, '|', len);
		size_t n = bar == NULL ? len : (size_t)(bar - p);

		add_label(s, p, n);
		n += bar != NULL;
		p += n;
		len -= n;
	}
	vec_sort(&s->labels, compare);
	for (i = 1; i < s->labels.len;) {
		if (compare(&s->labels.at[i - 1], &s->labels.at[i]) != 0) {
			i++;
			continue;
		}
		free(s->labels.at[i].key);
		free(s->labels.at[i].value);
		vec_remove(&s->labels, i);
	}
	return s;
}

static void
check_text(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.~/:%*";

	must(s == NULL || s[strspn(s, allowed)] == '\0');
}

/* Writes a list of items as a value, and checks them. */
#define WRITE_ITEMS(out, name, list)                                           \
	do {                                                                   \
		size_t i_;                                                     \
                                                                               \
		str_add(out, name "=");                                        \
		for (i_ = 0; i_ < (list).len; i_++) {                          \
			check_text((list).at[i_].text);                        \
			must((list).at[i_].key != NULL);                       \
			str_addf(out, "%s,", (list).at[i_].text);              \
		}                                                              \
		str_addc(out, '|');                                            \
	} while (0)

static void
write_text(struct str *out, const char *key, const char *text)
{
	check_text(text);
	if (text != NULL)
		str_addf(out, "%s=%s|", key, text);
}

static void
write_redirects(struct str *out, const struct labels *l)
{
	size_t i;

	str_add(out, "redirects=");
	for (i = 0; i < l->redirects.len; i++) {
		const struct redirect *r = &l->redirects.at[i];

		check_text(r->source);
		check_text(r->source_path);
		check_text(r->target);
		must(r->on_plain || r->on_tls);
		str_addf(out, "%s://%s%s,%s://%s;",
		    r->on_plain ? "http" : "https", r->source, r->source_path,
		    r->target_https ? "https" : "http", r->target);
	}
	str_addc(out, '|');
}

/* The labels as they were understood. */
static void
write_labels(struct str *out, const struct labels *l)
{
	WRITE_ITEMS(out, "hosts", l->hosts);
	str_addf(out, "port=%u|", l->port);
	write_text(out, "network", l->network);
	WRITE_ITEMS(out, "context_root", l->context_roots);
	write_text(out, "ssl_cert", l->ssl_cert);
	write_text(out, "ssl_key", l->ssl_key);
	str_addf(out, "ssl_passthrough=%d|ssl_backend=%d|grpc=%d|",
	    l->ssl_passthrough, l->ssl_backend, l->grpc);
	write_text(out, "ssl_backend_ca", l->ssl_backend_ca);
	write_text(out, "ssl_backend_name", l->ssl_backend_name);
	WRITE_ITEMS(out, "websocket_endpoints", l->websocket_endpoints);
	write_text(out, "sticky_session_cookie", l->sticky_session_cookie);
	write_redirects(out, l);
	str_addf(out, "default_backend=%d|", l->default_backend);
	write_text(out, "service_cluster", l->service_cluster);
	if (label_given(l, LABEL_WEIGHT))
		str_addf(out, "weight=%u|", l->weight);
	str_addf(out, "fail_timeout=%llums|max_fails=%u|",
	    (unsigned long long)l->fail_timeout_ms, l->max_fails);
	WRITE_ITEMS(out, "allow", l->allow);
	WRITE_ITEMS(out, "deny", l->deny);
	write_text(out, "basic_auth", l->basic_auth);
}

/* What was accepted, as text; NULL where it was refused for good reason. */
static char *
try(const char *p, size_t len)
{
	STR_AUTO(out, 64 * INPUT_MAX);
	struct service *s = service_of(p, len);
	struct findings remarks = { { NULL, 0, 0 } };
	struct labels labels;
	struct finding error;
	const struct label *l;
	int rc = labels_parse(s, &labels, &remarks, &error);

	if (rc == 0) {
		must(labels.port > 0 && labels.context_roots.len > 0);
		write_labels(&out, &labels);
	} else {
		l = service_label(s, error.label);
		must(error.reason[0] != '\0');
		must(error.offset < 0 ||
		    (l != NULL && (size_t)error.offset < l->value_len));
		finding_fini(&error);
	}
	labels_fini(&labels);
	findings_fini(&remarks);
	service_free(s);
	return rc == 0 ? str_take(&out) : NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *first, *second;

	if (size > INPUT_MAX)
		return 0;
	first = try((const char *)data, size);
	if (first == NULL)
		return 0;
	second = try(first, strlen(first));
	must(second != NULL);
	must(strcmp(first, second) == 0);
	free(first);
	free(second);
	return 0;
}
