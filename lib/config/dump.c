/* The key table as INI text: effective values, and sample files. */
#include "config/keys.h"
#include "config/scan.h"
#include "config/value.h"

#include <string.h>

/*
 * The longest start of 's' that fits a continuation line, up to a blank where
 * the next line may start.  A line that starts with # or ; is a comment, and
 * two blanks would become one.
 */
static size_t
break_at(const char *s, size_t len)
{
	size_t best = 0;

	if (len <= CONFIG_LINE_MAX - 1)
		return len;
	for (size_t i = 1; i < CONFIG_LINE_MAX && i + 1 < len; i++) {
		if (s[i] == ' ' && s[i - 1] != ' ' && s[i - 1] != '\t' &&
		    strchr(" \t#;", s[i + 1]) == NULL)
			best = i;
	}
	/* No such place: what was read from a file always has one. */
	return best == 0 ? len : best;
}

static void
add_wrapped(struct str *out, const char *s)
{
	while (*s != '\0') {
		size_t n = break_at(s, strlen(s));

		str_addc(out, '\t');
		str_addn(out, s, n);
		str_addc(out, '\n');
		s += n + (s[n] == ' ');
	}
}

static void
add_raw(struct str *out, const char *name, const char *s)
{
	/* A # at the start would be a comment on a line of its own. */
	str_addf(out, s[0] == '#' ? "%s=" : "%s =\n\t", name);
	for (; *s != '\0'; s++) {
		str_addc(out, *s);
		if (*s == '\n')
			str_addc(out, '\t');
	}
	str_addc(out, '\n');
}

static void
add_list(struct str *out, const char *name, const struct config_list *l)
{
	str_addf(out, "%s =", name);
	for (size_t i = 0; i < l->items.len; i++)
		str_addf(out, "\n\t%s", l->items.at[i]);
	str_addc(out, '\n');
}

/* "key = value", over several lines where one is too short. */
static void
add_text(struct str *out, const char *name, const char *s)
{
	size_t len = strlen(s), first;

	if (strlen(name) + 3 + len <= CONFIG_LINE_MAX) {
		str_addf(out, "%s =%s%s\n", name, len > 0 ? " " : "", s);
		return;
	}
	if (s[0] != '#') {
		str_addf(out, "%s =\n", name);
		add_wrapped(out, s);
		return;
	}
	/* Only its own line keeps the # from being a comment. */
	first = CONFIG_LINE_MAX - strlen(name) - 1;
	if (len <= first) {
		str_addf(out, "%s=%s\n", name, s);
		return;
	}
	while (first > 1 &&
	    (s[first] != ' ' || strchr(" \t", s[first - 1]) != NULL ||
		strchr(" \t#;", s[first + 1]) != NULL))
		first--;
	str_addf(out, "%s=%.*s\n", name, (int)first, s);
	add_wrapped(out, s + first + 1);
}

static void
dump_pairs(const struct config_pairs *p, struct str *out)
{
	for (size_t i = 0; i < p->pairs.len; i++)
		add_text(out, p->pairs.at[i].key, p->pairs.at[i].value);
}

static void
dump_key(const struct config_key *k, const void *base, struct str *out)
{
	STR_AUTO(v, CONFIG_FILE_MAX);

	if (k->type == CONFIG_PAIRS) {
		dump_pairs(value_pairs(k, base), out);
		return;
	}
	if (!value_format(k, base, &v)) {
		str_addf(out, "# %s is not set\n", k->name);
		return;
	}
	if (k->type == CONFIG_RAW)
		add_raw(out, k->name, v.p);
	else if (k->type == CONFIG_LIST &&
	    strlen(k->name) + 3 + v.len > CONFIG_LINE_MAX)
		add_list(out, k->name,
		    (const void *)((const char *)base + k->offset));
	else
		add_text(out, k->name, v.p);
}

/* Of 'key_line', where it is not NULL, only the rows that are not 0. */
static void
dump(const struct config_table *t, const void *base, const uint32_t *key_line,
    struct str *out)
{
	const char *section = "";

	for (size_t i = 0; i < t->n_keys; i++) {
		const struct config_key *k = &t->keys[i];

		if (key_line != NULL && key_line[i] == 0)
			continue;
		if (strcmp(section, k->section) != 0)
			str_addf(out, "%s[%s]\n",
			    section[0] != '\0' ? "\n" : "", k->section);
		section = k->section;
		dump_key(k, base, out);
	}
}

void
daemon_config_dump(const struct daemon_config *c, struct str *out)
{
	dump(&config_daemon_table, c, NULL, out);
}

void
cluster_config_dump(const struct cluster_config *c, struct str *out)
{
	dump(&config_cluster_table, c, NULL, out);
}

void
config_dump_set(const struct config_table *t, const void *base,
    const uint32_t *key_line, struct str *out)
{
	dump(t, base, key_line, out);
}

/* 'text' as comment lines of at most 78 columns. */
static void
add_comment(struct str *out, const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (column == 0 || column + 1 + n > 78) {
			str_add(out, column == 0 ? "#" : "\n#");
			column = 1;
		}
		str_addc(out, ' ');
		str_addn(out, text, n);
		column += 1 + n;
		text += n + (text[n] == ' ');
	}
	str_addc(out, '\n');
}

static void
sample_key(const struct config_key *k, struct str *out)
{
	add_comment(out, k->help);
	if (k->type == CONFIG_PAIRS)
		return;
	if (k->shown != NULL)
		str_addf(out, "# default: %s\n#%s =\n", k->shown, k->name);
	else
		str_addf(out, "#%s =%s%s\n", k->name, k->def ? " " : "",
		    k->def ?: "");
}

static void
sample(const struct config_table *t, struct str *out)
{
	const char *section = "";
	size_t s = 0;

	str_addf(out, "# %s: %s\n", t->file, t->help);
	str_add(out,
	    "# Every key is here with its default; see bulkhead.ini(5).\n");
	for (size_t i = 0; i < t->n_keys; i++) {
		const struct config_key *k = &t->keys[i];

		if (strcmp(section, k->section) != 0) {
			must(strcmp(t->sections[s].name, k->section) == 0);
			str_addf(out, "\n[%s]\n", k->section);
			add_comment(out, t->sections[s++].help);
		}
		section = k->section;
		str_addc(out, '\n');
		sample_key(k, out);
	}
}

void
daemon_config_sample(struct str *out)
{
	sample(&config_daemon_table, out);
}

void
cluster_config_sample(struct str *out)
{
	sample(&config_cluster_table, out);
}
