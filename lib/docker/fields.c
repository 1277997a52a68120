/* Fields of Engine objects: see fields.h. */
#include "docker/fields.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "base/inet.h"
#include "base/mem.h"
#include "docker/decode_guard.h"

#define ID_MAX 64
#define NAME_MAX_LEN 255
#define VALUES_MAX 50000 /* of one object, whatever holds them */

/* No more than there can be in an honest object: each costs memory. */
static bool
has_few_values(const char *json, size_t len)
{
	size_t i, values = 0;
	bool in_text = false;

	for (i = 0; i < len && values <= VALUES_MAX; i++) {
		if (in_text && json[i] == '\\')
			i++;
		else if (json[i] == '"')
			in_text = !in_text;
		else if (!in_text &&
		    (json[i] == ',' || json[i] == '[' || json[i] == '{'))
			values++;
	}
	return values <= VALUES_MAX;
}

json_t *
fields_load(const char *json, size_t len, struct error *e)
{
	json_error_t je;
	json_t *doc;
	char *near;

	if (decode_guard_enter(json, len, e) != 0)
		return NULL;
	if (!has_few_values(json, len)) {
		(void)error_set(e, EPROTO, "more than %d values", VALUES_MAX);
		return NULL;
	}
	doc = json_loadb(json, len,
	    JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL,
	    &je);
	if (doc == NULL) {
		near = strstr(je.text, " near ");
		if (near != NULL)
			*near = '\0';
		(void)error_set(e, EPROTO, "not JSON we take: %s", je.text);
		return NULL;
	}
	if (json_is_object(doc))
		return doc;
	json_decref(doc);
	(void)error_set(e, EPROTO, "not an object");
	return NULL;
}

void
fields_done(json_t **doc)
{
	json_decref(*doc);
	decode_guard_leave();
}

bool
fields_is_id(const char *s, size_t len)
{
	size_t i;

	if (len == 0 || len > ID_MAX)
		return false;
	for (i = 0; i < len; i++) {
		if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '_')
			return false;
	}
	return true;
}

bool
fields_is_name(const char *s, size_t len)
{
	size_t i;

	if (len == 0 || len > NAME_MAX_LEN)
		return false;
	for (i = 0; i < len; i++) {
		if (s[i] < 0x21 || s[i] > 0x7e || strchr("\"'\\`", s[i]))
			return false;
	}
	return true;
}

char *
fields_id(const struct json_read *at, const char *key)
{
	const char *s = json_read_text(at, key);

	if (s == NULL)
		json_read_fail(at, key, "missing");
	else if (!fields_is_id(s, strlen(s)))
		json_read_fail(at, key, "not an ID");
	else
		return xstrdup(s);
	return NULL;
}

char *
fields_id_or_none(const struct json_read *at, const char *key)
{
	const char *s = json_read_text(at, key);

	return s == NULL || *s == '\0' ? xstrdup("") : fields_id(at, key);
}

char *
fields_name(const struct json_read *at, const char *key)
{
	const char *s = json_read_text(at, key);

	if (s == NULL)
		json_read_fail(at, key, "missing");
	else if (!fields_is_name(s, strlen(s)))
		json_read_fail(at, key,
		    "not a name of 1 to %d printable characters", NAME_MAX_LEN);
	else
		return xstrdup(s);
	return NULL;
}

uint64_t
fields_version(const struct json_read *root)
{
	struct json_read version = json_read_object(root, "Version");

	return json_read_uint(&version, "Index", FIELDS_NUMBER_MAX, 0);
}

char *
fields_address(const struct json_read *at, const char *key, const char *s)
{
	char text[INET_TEXT_SIZE];
	struct inet a;
	struct error e;

	if (inet_parse(s, strlen(s), &a, &e) != 0)
		json_read_fail(at, key, "%s", e.msg);
	else if (inet_is_special(&a))
		json_read_fail(
		    at, key, "an address that nothing in a Swarm can have");
	else {
		inet_format_address(&a, text);
		return xstrdup(text);
	}
	return NULL;
}
