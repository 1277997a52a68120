/* What proxies were given once: see gate_granted.h. */
#include "gate_granted.h"

#include <string.h>

#define WORDS_MAX ((size_t)128 * 1024)

static bool
is_word(const char *p, size_t len, char kind, const char *name)
{
	return len == strlen(name) + 2 && p[0] == kind && p[1] == ':' &&
	    memcmp(p + 2, name, len - 2) == 0;
}

bool
gate_granted_has(const char *words, char kind, const char *name)
{
	for (const char *p = words; p != NULL && *p != '\0'; p += *p == ' ') {
		size_t len = strcspn(p, " ");

		if (is_word(p, len, kind, name))
			return true;
		p += len;
	}
	return false;
}

static bool
is_agents(const struct cluster_config *c, const char *name)
{
	for (size_t i = 0; i < c->control.agent_secrets.items.len; i++) {
		if (strcmp(c->control.agent_secrets.items.at[i], name) == 0)
			return true;
	}
	return false;
}

/* Whether the word is among what 'w' gives now. */
static bool
is_given(const struct gate_wish *w, const char *p, size_t len)
{
	for (size_t i = 0; i < w->secrets.len; i++) {
		if (is_word(p, len, 's', w->secrets.at[i].name))
			return true;
	}
	for (size_t i = 0; i < w->configs.len; i++) {
		if (is_word(p, len, 'c', w->configs.at[i].name))
			return true;
	}
	return false;
}

static void
add(struct str *out, char kind, const char *name)
{
	str_addf(out, "%s%c:%s", out->len == 0 ? "" : " ", kind, name);
}

static size_t
count(const char *words)
{
	size_t n = 0;

	for (const char *p = words; p != NULL && *p != '\0'; p += *p == ' ') {
		p += strcspn(p, " ");
		n++;
	}
	return n;
}

char *
gate_granted_words(const struct gate_wish *w)
{
	size_t total = count(w->granted) + w->secrets.len + w->configs.len;
	const char *p = w->granted == NULL ? "" : w->granted;
	STR_AUTO(out, WORDS_MAX);

	for (; *p != '\0'; p += *p == ' ') {
		size_t len = strcspn(p, " ");

		if (total > GATE_GRANTED_MAX)
			total--;
		else if (len > 2 && !is_given(w, p, len))
			str_addf(&out, "%s%.*s", out.len == 0 ? "" : " ",
			    (int)len, p);
		p += len;
	}
	for (size_t i = 0; i < w->secrets.len; i++) {
		if (!is_agents(w->config, w->secrets.at[i].name))
			add(&out, 's', w->secrets.at[i].name);
	}
	for (size_t i = 0; i < w->configs.len; i++)
		add(&out, 'c', w->configs.at[i].name);
	return str_take(&out);
}
