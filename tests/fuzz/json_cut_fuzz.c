/*
 * Any text into the JSON cutter.  In pieces it must be cut as in one; what
 * jansson takes as a list or an object, the cutter must cut into as many
 * parts as that has, each one a value of its own.
 */
#include <stdint.h>
#include <string.h>

#include <jansson.h>

#include "base/json_cut.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX (1 << 20)

struct seen {
	size_t parts;
	bool skipped;
	struct str text;
};

static void
on_element(void *arg, const char *json, size_t len)
{
	struct seen *seen = arg;

	seen->parts++;
	str_addn(&seen->text, json, len);
	str_addc(&seen->text, '\n');
}

static void
on_skipped(void *arg, const char *json, size_t len)
{
	struct seen *seen = arg;

	seen->skipped = true;
	on_element(arg, json, len);
}

static int
cut(const char *text, size_t len, size_t step, size_t max, struct seen *seen)
{
	struct json_cut *c = json_cut_new(max, on_element, on_skipped, seen);
	struct error e;
	size_t i;
	int rc = 0;

	for (i = 0; i < len && rc == 0; i += step)
		rc = json_cut_feed(
		    c, text + i, len - i < step ? len - i : step, &e);
	if (rc == 0)
		rc = json_cut_end(c, &e);
	json_cut_free(c);
	return rc;
}

static void
on_member(void *arg, const char *key, size_t key_len, const char *value,
    size_t value_len)
{
	struct seen *seen = arg;
	json_t *v = json_loadb(value, value_len,
	    JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);

	(void)key;
	(void)key_len;
	seen->skipped = seen->skipped || v == NULL;
	json_decref(v);
	seen->parts++;
}

/* 'doc' is what jansson makes of the same text, or NULL. */
static void
compare(
    const char *text, size_t len, json_t *doc, int rc, const struct seen *whole)
{
	struct seen members = { 0, false, { 0 } };

	if (json_is_array(doc)) {
		must(rc == 0);
		must(whole->parts == json_array_size(doc));
	}
	rc = json_cut_members(text, len, on_member, &members, NULL);
	if (json_is_object(doc)) {
		must(rc == 0 && !members.skipped);
		must(members.parts == json_object_size(doc));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;
	struct seen whole = { 0, false, { 0 } }, pieces = { 0, false, { 0 } };
	size_t max, step;
	json_t *doc;
	int rc;

	if (size < 2 || size > TEXT_MAX)
		return 0;
	step = 1 + (data[0] & 0x0f);
	max = (data[0] & 0x10) != 0 ? 16 : TEXT_MAX;
	str_init(&whole.text, 4 * TEXT_MAX);
	str_init(&pieces.text, 4 * TEXT_MAX);
	rc = cut(text, size - 1, size, max, &whole);
	must(cut(text, size - 1, step, max, &pieces) == rc);
	must(whole.parts == pieces.parts && whole.skipped == pieces.skipped);
	must(strcmp(whole.text.p, pieces.text.p) == 0);
	doc = json_loadb(text, size - 1,
	    JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL,
	    NULL);
	compare(text, size - 1, doc, rc, &whole);
	json_decref(doc);
	str_fini(&whole.text);
	str_fini(&pieces.text);
	return 0;
}
