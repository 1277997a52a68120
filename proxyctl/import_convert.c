/* Kinds of Interlock's values in our notation: see import_map.h. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "config/value.h"
#include "import_map.h"

/* One value; an array is something else. */
static int
need_scalar(const struct toml_entry *entry, struct error *e)
{
	if (entry->type == TOML_ARRAY)
		return error_set(e, EINVAL, "one value, not a list, expected");
	return 0;
}

int
convert_text(const struct toml_entry *entry, struct str *out, struct error *e)
{
	if (need_scalar(entry, e) != 0)
		return -1;
	if (strchr(entry->text, '\n') != NULL)
		return error_set(e, EINVAL, "a value of several lines");
	str_add(out, entry->text);
	return 0;
}

static int
convert_number(const struct toml_entry *entry, const char *unit,
    struct str *out, struct error *e)
{
	uint32_t n;

	if (need_scalar(entry, e) != 0 ||
	    parse_u32(entry->text, strlen(entry->text), 0, UINT32_MAX, &n, e) !=
		0)
		return -1;
	str_addf(out, "%" PRIu32 "%s", n, unit);
	return 0;
}

int
convert_seconds(
    const struct toml_entry *entry, struct str *out, struct error *e)
{
	if (entry->type == TOML_STRING && entry->text[0] != '\0' &&
	    strspn(entry->text, "0123456789") < strlen(entry->text))
		return convert_duration(entry, out, e);
	if (entry->text[0] == '\0' && entry->type == TOML_STRING)
		return 0;
	return convert_number(entry, "s", out, e);
}

int
convert_milliseconds(
    const struct toml_entry *entry, struct str *out, struct error *e)
{
	if (entry->type == TOML_STRING)
		return convert_seconds(entry, out, e);
	return convert_number(entry, "ms", out, e);
}

int
convert_kilobytes(
    const struct toml_entry *entry, struct str *out, struct error *e)
{
	if (entry->type == TOML_STRING)
		return convert_text(entry, out, e);
	return convert_number(entry, "k", out, e);
}

int
import_parse_go_duration(const char *s, uint64_t *ret_ms, struct error *e)
{
	uint64_t total = 0;

	if (s[0] == '\0')
		return error_set(e, EINVAL, "no duration");
	while (*s != '\0') {
		size_t digits = strspn(s, "0123456789");
		size_t unit = strspn(s + digits, "smhd");
		uint64_t ms;

		/* A bare number only as the whole. */
		if (digits == 0 || (unit == 0 && (total > 0 || s[digits])))
			return error_set(
			    e, EINVAL, "not a duration such as 3s or 1m30s");
		if (parse_duration_ms(
			s, digits + unit, UINT64_C(1) << 40, &ms, e) != 0)
			return -1;
		total += ms;
		s += digits + unit;
	}
	*ret_ms = total;
	return 0;
}

int
convert_duration(
    const struct toml_entry *entry, struct str *out, struct error *e)
{
	uint64_t ms;

	if (need_scalar(entry, e) != 0)
		return -1;
	if (entry->text[0] == '\0')
		return 0;
	if (import_parse_go_duration(entry->text, &ms, e) != 0)
		return -1;
	value_format_duration(out, ms);
	return 0;
}

/* The items that are not empty: generated files say [""]. */
static int
add_items(const struct toml_entry *entry, const char *prefix, struct str *out,
    struct error *e)
{
	if (entry->type != TOML_ARRAY)
		return error_set(e, EINVAL, "a list expected");
	for (size_t i = 0; i < entry->items.len; i++) {
		const char *item = entry->items.at[i];

		if (item[0] == '\0')
			continue;
		if (strpbrk(item, ",\n") != NULL)
			return error_set(e, EINVAL,
			    "an item with a comma or a line's end in it");
		if (prefix != NULL && strncmp(item, "spread:", 7) == 0)
			item += 7;
		str_addf(out, "%s%s%s", out->len > 0 ? ", " : "",
		    prefix != NULL && strncmp(item, prefix, strlen(prefix)) != 0
			? prefix
			: "",
		    item);
	}
	return 0;
}

int
convert_list(const struct toml_entry *entry, struct str *out, struct error *e)
{
	return add_items(entry, NULL, out, e);
}

int
convert_preferences(
    const struct toml_entry *entry, struct str *out, struct error *e)
{
	return add_items(entry, "spread=", out, e);
}

int
convert_protocols(
    const struct toml_entry *entry, struct str *out, struct error *e)
{
	if (entry->type == TOML_ARRAY)
		return convert_list(entry, out, e);
	for (const char *s = entry->text; *s != '\0';) {
		size_t n = strcspn(s, " ,");

		if (n > 0 && out->len > 0)
			str_add(out, ", ");
		str_addn(out, s, n);
		s += n + (s[n] != '\0');
	}
	return 0;
}

/*
 * The argument of nginx's log_format: pieces in quotes, one behind the other,
 * and perhaps the semicolon.
 */
int
convert_log_format(
    const struct toml_entry *entry, struct str *out, struct error *e)
{
	const char *s = entry->text;

	if (need_scalar(entry, e) != 0)
		return -1;
	if (s[strspn(s, " \t\r\n")] != '\'' && s[strspn(s, " \t\r\n")] != '"')
		return convert_text(entry, out, e);
	for (;;) {
		char quote;

		s += strspn(s, " \t\r\n");
		if (*s == '\0' || strcmp(s, ";") == 0)
			return 0;
		quote = *s++;
		if (quote != '\'' && quote != '"')
			return error_set(e, EINVAL,
			    "text that is not in quotes in a log format");
		for (; *s != quote; s++) {
			if (*s == '\\' && (s[1] == quote || s[1] == '\\'))
				s++;
			if (*s == '\0' || *s == '\n')
				return error_set(e, EINVAL,
				    "a quote in a log format does not end");
			str_addc(out, *s);
		}
		s++;
	}
}

/* A line without its blanks; no blank is left before a semicolon. */
static void
add_line(struct str *out, const char *s, size_t len, bool terminate)
{
	while (len > 0 && strchr(" \t\r", s[len - 1]) != NULL)
		len--;
	while (len > 0 && strchr(" \t", s[0]) != NULL) {
		s++;
		len--;
	}
	if (len == 0 || s[0] == '#')
		return;
	if (out->len > 0)
		str_addc(out, '\n');
	if (terminate && s[len - 1] == ';') {
		for (len--; len > 0 && strchr(" \t", s[len - 1]) != NULL; len--)
			;
		str_addn(out, s, len);
		str_addc(out, ';');
		return;
	}
	str_addn(out, s, len);
}

static void
add_lines(struct str *out, const char *s, bool terminate)
{
	while (*s != '\0') {
		size_t n = strcspn(s, "\n");

		add_line(out, s, n, terminate);
		s += n + (s[n] == '\n');
	}
}

int
convert_lines(const struct toml_entry *entry, struct str *out, struct error *e)
{
	(void)e;
	add_lines(out, entry->text, false);
	for (size_t i = 0; i < entry->items.len; i++)
		add_lines(out, entry->items.at[i], false);
	return 0;
}

int
convert_directives(
    const struct toml_entry *entry, struct str *out, struct error *e)
{
	(void)e;
	add_lines(out, entry->text, true);
	for (size_t i = 0; i < entry->items.len; i++) {
		add_lines(out, entry->items.at[i], true);
		if (out->len > 0 && entry->items.at[i][0] != '\0' &&
		    strchr(";{}", out->p[out->len - 1]) == NULL)
			str_addc(out, ';');
	}
	if (out->len > 0 && strchr(";{}", out->p[out->len - 1]) == NULL)
		str_addc(out, ';');
	return 0;
}

int
convert_verify(const struct toml_entry *entry, struct str *out, struct error *e)
{
	if (strcmp(entry->text, "required") == 0)
		str_add(out, "true");
	else if (strcmp(entry->text, "none") == 0)
		str_add(out, "false");
	else if (entry->text[0] != '\0')
		return error_set(e, EINVAL, "neither required nor none");
	return 0;
}

int
convert_docker_url(
    const struct toml_entry *entry, struct str *out, struct error *e)
{
	if (convert_text(entry, out, e) != 0)
		return -1;
	/* A slash at the end is common in URLs, and not ours. */
	while (out->len > 8 && out->p[out->len - 1] == '/')
		str_trim(out, out->len - 1);
	return 0;
}
