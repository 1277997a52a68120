/* For the tests of labels: a service from keys and values, and its verdict. */
#ifndef UNIT_LABEL_FIXTURE_H
#define UNIT_LABEL_FIXTURE_H

#include "base/mem.h"
#include "base/str.h"
#include "model/label.h"

#include <string.h>

struct verdict {
	struct service *service;
	int rc;
	struct labels labels;
	struct findings remarks;
	struct finding error;
};

static inline int
fixture_compare(const void *a, const void *b)
{
	return strcmp(
	    ((const struct label *)a)->key, ((const struct label *)b)->key);
}

/* Adds or replaces; a key without dot is one of ours without the prefix. */
static inline void
fixture_label(struct service *s, const char *key, const char *value, size_t len)
{
	char *whole = strchr(key, '.') != NULL
	    ? xstrdup(key)
	    : xasprintf(LABEL_PREFIX "%s", key);
	struct label *l = NULL;
	size_t i;

	for (i = 0; i < s->labels.len; i++) {
		if (strcmp(s->labels.at[i].key, whole) == 0)
			l = &s->labels.at[i];
	}
	if (l == NULL) {
		l = vec_add(&s->labels);
		l->key = whole;
	} else {
		free(whole);
		free(l->value);
	}
	l->value = xmemdup0(value, len);
	l->value_len = len;
	vec_sort(&s->labels, fixture_compare);
}

static inline struct service *
fixture_service(void)
{
	struct service *s = xcalloc(1, sizeof(*s));

	s->id = xstrdup("s1");
	s->name = xstrdup("web");
	return s;
}

/* Takes the service. */
static inline void
fixture_parse(struct verdict *v, struct service *s)
{
	memset(v, 0, sizeof(*v));
	v->service = s;
	v->rc = labels_parse(s, &v->labels, &v->remarks, &v->error);
}

static inline void
verdict_fini(struct verdict *v)
{
	labels_fini(&v->labels);
	findings_fini(&v->remarks);
	if (v->rc != 0)
		finding_fini(&v->error);
	service_free(v->service);
}

/*
 * "KEY=VALUE|KEY=VALUE...", without the prefix where a key has no dot; a
 * value may not hold '|'.
 */
static inline void
fixture_verdict(struct verdict *v, const char *labels)
{
	struct service *s = fixture_service();

	while (*labels != '\0') {
		size_t n = strcspn(labels, "|");
		const char *equals = memchr(labels, '=', n);
		char *key = xmemdup0(labels, (size_t)(equals - labels));

		fixture_label(
		    s, key, equals + 1, n - (size_t)(equals + 1 - labels));
		free(key);
		labels += n + (labels[n] == '|');
	}
	fixture_parse(v, s);
}

/* The verdict as a line: "ok", or "CODE LABEL OFFSET" without the prefix. */
static inline char *
verdict_line(const struct verdict *v)
{
	const char *key = v->error.label;
	size_t n = strlen(LABEL_PREFIX);

	if (v->rc == 0)
		return xstrdup("ok");
	if (strncmp(key, LABEL_PREFIX, n) == 0)
		key += n;
	return xasprintf("%s %s %lld", reject_code_name(v->error.code), key,
	    (long long)v->error.offset);
}

#endif
