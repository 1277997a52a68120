/* The look before inih: see scan.h. */
#include "config/scan.h"

#include "base/map.h"
#include "base/nearest.h"

#include <string.h>

/* What an indented line would continue. */
enum scan_state {
	SCAN_NOTHING,
	SCAN_VALUE,
	SCAN_BAD, /* something that was complained about already */
};

struct scanner {
	const struct config_table *table;
	const char *path;
	struct config_errors *errors;
	struct scan *ret;
	struct map seen; /* "section" and "section\nname"; value = line */
	uint32_t line;
	const char *section; /* of the table; NULL = none or unknown */
	bool any_section;
	enum scan_state state;
	bool carriage_return;
};

#define COMPLAIN(sc, ...)                                                      \
	config_errors_add((sc)->errors, (sc)->path, (sc)->line, __VA_ARGS__)

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Takes blanks off both ends. */
static void
trim(const char **s, size_t *len)
{
	while (*len > 0 && is_blank(**s)) {
		(*s)++;
		(*len)--;
	}
	while (*len > 0 && is_blank((*s)[*len - 1]))
		(*len)--;
}

/* Where " ;" starts a comment; 'len' if nowhere. */
static size_t
find_comment(const char *s, size_t len)
{
	for (size_t i = 1; i < len; i++) {
		if (s[i] == ';' && is_blank(s[i - 1]))
			return i;
	}
	return len;
}

static char *
quoted(const char *s, size_t len)
{
	struct str q;

	str_init(&q, 4096);
	str_add_quoted(&q, s, len, 60);
	return str_take(&q);
}

static const char *
nearest_section(const struct config_table *t, const char *s)
{
	const char *names[16];

	must(t->n_sections <= countof(names));
	for (size_t i = 0; i < t->n_sections; i++)
		names[i] = t->sections[i].name;
	return nearest_name(s, names, t->n_sections);
}

/* The nearest key of the section, or else of the whole table. */
static const struct config_key *
nearest_key(const struct config_table *t, const char *section, const char *s)
{
	const char *names[CONFIG_KEYS_MAX], *found;
	size_t n = 0;

	for (size_t i = 0; i < t->n_keys; i++) {
		if (t->keys[i].type != CONFIG_PAIRS &&
		    strcmp(t->keys[i].section, section) == 0)
			names[n++] = t->keys[i].name;
	}
	found = nearest_name(s, names, n);
	if (found != NULL)
		return config_key_find(t, section, found);
	for (size_t i = 0; i < t->n_keys; i++) {
		if (strcmp(t->keys[i].name, s) == 0)
			return &t->keys[i];
	}
	return NULL;
}

/* The line of an earlier one of that name; 0, and it is noted, if none. */
static uint32_t
note(struct scanner *sc, const char *section, const char *name)
{
	char *k _cleanup_free_ =
	    xasprintf("%s%s%s", section, name == NULL ? "" : "\n", name ?: "");
	uintptr_t old = (uintptr_t)map_get(&sc->seen, k);

	if (old == 0)
		(void)map_set(&sc->seen, k, (void *)(uintptr_t)sc->line);
	return (uint32_t)old;
}

static bool
on_section(struct scanner *sc, const char *s, size_t len)
{
	const char *end = memchr(s, ']', len), *rest, *near;
	size_t rest_len;
	char *name _cleanup_free_ = NULL;
	uint32_t before;

	sc->section = NULL;
	sc->any_section = true;
	sc->state = SCAN_BAD;
	if (end == NULL) {
		COMPLAIN(sc, "a section without its ]");
		return false;
	}
	rest = end + 1;
	rest_len = len - (size_t)(rest - s);
	trim(&rest, &rest_len);
	name = xmemdup0(s + 1, (size_t)(end - s) - 1);
	if (rest_len > 0 && rest[0] != ';' && rest[0] != '#') {
		COMPLAIN(
		    sc, "text behind [%s]: a key stands on its own line", name);
		return false;
	}
	for (size_t i = 0; i < sc->table->n_sections; i++) {
		if (strcmp(sc->table->sections[i].name, name) == 0)
			sc->section = sc->table->sections[i].name;
	}
	if (sc->section == NULL) {
		char *q _cleanup_free_ = quoted(s, (size_t)(end - s) + 1);

		near = nearest_section(sc->table, name);
		if (near != NULL)
			COMPLAIN(
			    sc, "unknown section %s; is it [%s]?", q, near);
		else
			COMPLAIN(sc, "unknown section %s", q);
		return false;
	}
	before = note(sc, sc->section, NULL);
	if (before != 0) {
		COMPLAIN(sc, "[%s] stands a second time, after line %u", name,
		    before);
		/* Its keys are checked all the same. */
	}
	sc->state = SCAN_NOTHING;
	return true;
}

static void
unknown_key(struct scanner *sc, const char *name)
{
	const struct config_key *near =
	    nearest_key(sc->table, sc->section, name);
	char *q _cleanup_free_ = quoted(name, strlen(name));

	if (near == NULL)
		COMPLAIN(sc, "unknown key %s in [%s]", q, sc->section);
	else if (strcmp(near->section, sc->section) == 0)
		COMPLAIN(sc, "unknown key %s in [%s]; is it %s?", q,
		    sc->section, near->name);
	else
		COMPLAIN(sc, "unknown key %s in [%s]; it belongs to [%s]", q,
		    sc->section, near->section);
}

/* The key that 'name' is here, or NULL with a complaint. */
static const struct config_key *
find_key(struct scanner *sc, const char *name)
{
	const struct config_key *key;
	struct error e;
	uint32_t before;

	if (strlen(name) > CONFIG_NAME_MAX) {
		COMPLAIN(
		    sc, "a key's name has at most %d bytes", CONFIG_NAME_MAX);
		return NULL;
	}
	key = config_key_find(sc->table, sc->section, name);
	if (key == NULL) {
		unknown_key(sc, name);
		return NULL;
	}
	if (key->type == CONFIG_PAIRS &&
	    key->check_name(name, strlen(name), &e) != 0) {
		char *q _cleanup_free_ = quoted(name, strlen(name));

		COMPLAIN(sc, "[%s] %s: %s", sc->section, q, e.msg);
		return NULL;
	}
	before = note(sc, sc->section, name);
	if (before != 0) {
		COMPLAIN(sc, "[%s] %s stands a second time, after line %u",
		    sc->section, name, before);
		return NULL;
	}
	return key;
}

/* True if a value in which ';' has a meaning of its own would be cut. */
static bool
is_cut(struct scanner *sc, const struct config_key *key, const char *value,
    size_t len)
{
	bool text = key->type == CONFIG_RAW ||
	    (key->type == CONFIG_TEXT && strstr(key->name, "log_format"));

	if (!text || find_comment(value, len) == len)
		return false;
	COMPLAIN(sc,
	    "[%s] %s: a blank before ';' would start a comment and cut the"
	    " value; write ';' right behind the text, and comments on lines"
	    " of their own",
	    key->section, key->name);
	return true;
}

static bool
on_key(struct scanner *sc, const char *s, size_t len)
{
	size_t n = 0, value_len;
	const char *value;
	char *name _cleanup_free_ = NULL;
	const struct config_key *key;
	struct scan_entry *entry;

	sc->state = SCAN_BAD;
	if (sc->section == NULL) {
		/* Keys of a section that is unknown were answered with it. */
		if (!sc->any_section)
			COMPLAIN(sc, "a key before the first [section]");
		return false;
	}
	while (n < len && s[n] != '=' && s[n] != ':')
		n++;
	if (n == len) {
		COMPLAIN(sc, "neither KEY = VALUE nor [section] nor comment");
		return false;
	}
	if (n == 0) {
		COMPLAIN(sc, "no key before the '%c'", s[0]);
		return false;
	}
	value = s + n + 1;
	value_len = len - n - 1;
	while (n > 0 && is_blank(s[n - 1]))
		n--;
	name = xmemdup0(s, n);
	key = find_key(sc, name);
	if (key == NULL || is_cut(sc, key, value, value_len))
		return false;
	if (value_len > 0 && value[0] == ';') {
		/* inih takes "=;" for text and "= ;" for a comment. */
		COMPLAIN(sc, "[%s] %s: a value cannot start with ';'",
		    key->section, name);
		return false;
	}
	sc->state = SCAN_VALUE;
	entry = vec_add(&sc->ret->entries);
	entry->key = key;
	entry->name = steal(&name);
	entry->line = sc->line;
	return true;
}

static bool
ends_name(char c)
{
	return c == '=' || c == ':' || c == ' ' || c == '\t' || c == ']';
}

/* An indented line that somebody meant as a key or section of its own. */
static bool
is_misplaced(struct scanner *sc, const char *s, size_t len)
{
	char *name _cleanup_free_ = NULL;
	size_t n = 0;

	while (n < len && !ends_name(s[n]))
		n++;
	if (s[0] == '[') {
		name = xmemdup0(s + 1, n > 0 ? n - 1 : 0);
		for (size_t i = 0; i < sc->table->n_sections; i++) {
			if (strcmp(sc->table->sections[i].name, name) == 0)
				return true;
		}
		return false;
	}
	name = xmemdup0(s, n);
	while (n < len && is_blank(s[n]))
		n++;
	if (n == len || (s[n] != '=' && s[n] != ':'))
		return false;
	for (size_t i = 0; i < sc->table->n_keys; i++) {
		const struct config_key *k = &sc->table->keys[i];

		if (strcmp(k->section, sc->section) == 0 &&
		    strcmp(k->name, name) == 0)
			return true;
	}
	return false;
}

/* Returns how much of the line is kept; 0 = nothing. */
static size_t
on_continuation(struct scanner *sc, const char *s, size_t len)
{
	struct scan_entry *before, *entry;
	size_t keep;

	if (sc->state != SCAN_VALUE) {
		if (sc->state == SCAN_NOTHING)
			COMPLAIN(sc,
			    "indented, so it would continue a value, and there"
			    " is none before it; a key or section starts in"
			    " the first column");
		sc->state = SCAN_BAD;
		return 0;
	}
	must(sc->ret->entries.len > 0);
	before = &sc->ret->entries.at[sc->ret->entries.len - 1];
	if (before->key->type != CONFIG_RAW && is_misplaced(sc, s, len)) {
		COMPLAIN(sc,
		    "indented, so it continues the value of %s; a key or"
		    " section starts in the first column",
		    before->name);
		return 0;
	}
	if (is_cut(sc, before->key, s, len))
		return 0;
	keep = find_comment(s, len);
	entry = vec_add(&sc->ret->entries);
	before = entry - 1;
	entry->key = before->key;
	entry->name = xstrdup(before->name);
	entry->line = sc->line;
	entry->continued = true;
	return keep;
}

/* True if the line is fit to be looked into. */
static bool
check_bytes(struct scanner *sc, const char *s, size_t len)
{
	if (len > CONFIG_LINE_MAX) {
		COMPLAIN(sc,
		    "a line of %zu bytes, %d are allowed; go on in an indented"
		    " line",
		    len, CONFIG_LINE_MAX);
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			COMPLAIN(sc, "control character 0x%02x in column %zu",
			    c, i + 1);
			return false;
		}
	}
	return true;
}

static void
on_line(struct scanner *sc, const char *s, size_t len)
{
	const char *body = s;
	size_t body_len = len, keep;

	if (len > 0 && s[len - 1] == '\r') {
		if (!sc->carriage_return)
			COMPLAIN(sc, "lines end with CR LF; LF alone is used");
		sc->carriage_return = true;
		body_len = --len;
	}
	if (!check_bytes(sc, s, len)) {
		if (len > 0 && !is_blank(s[0]))
			sc->state = SCAN_BAD;
		if (len > 0 && s[0] == '[') {
			sc->section = NULL;
			sc->any_section = true;
		}
		return;
	}
	trim(&body, &body_len);
	if (body_len == 0 || body[0] == ';' || body[0] == '#')
		return;
	keep = (size_t)(body - s) + body_len;
	if (body != s) {
		size_t n = on_continuation(sc, body, body_len);

		keep = n == 0 ? 0 : (size_t)(body - s) + n;
	} else if (body[0] == '[') {
		keep = on_section(sc, body, body_len) ? keep : 0;
	} else {
		keep = on_key(sc, body, body_len) ? keep : 0;
	}
	str_addn(&sc->ret->text, s, keep);
}

void
scan(const struct config_table *t, const char *path, const char *text,
    size_t len, struct scan *ret, struct config_errors *errors)
{
	struct scanner sc = {
		.table = t,
		.path = path,
		.errors = errors,
		.ret = ret,
		.state = SCAN_NOTHING,
	};
	const char *end = text + len;

	memset(ret, 0, sizeof(*ret));
	str_init(&ret->text, len + 1);
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((nl != NULL ? nl : end) - text);

		sc.line++;
		on_line(&sc, text, n);
		str_addc(&ret->text, '\n');
		text += n + (nl != NULL);
	}
	map_fini(&sc.seen);
}

void
scan_fini(struct scan *s)
{
	for (size_t i = 0; i < s->entries.len; i++)
		free(s->entries.at[i].name);
	vec_fini(&s->entries);
	str_fini(&s->text);
}
