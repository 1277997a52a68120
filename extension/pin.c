/* The register of rollbacks: see pin.h. */
#include "pin.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

int
pin_compare(const struct pin *a, const struct pin *b)
{
	if (a->counter != b->counter)
		return a->counter > b->counter ? 1 : -1;
	return strcmp(a->id, b->id);
}

void
pin_encode(const struct pin *p, struct str *out)
{
	str_addf(out, "{\"counter\":%" PRIu64, p->counter);
	str_add_member(out, "id", p->id);
	str_addf(out, ",\"pinned\":%s,\"generation\":%" PRIu64,
	    p->pinned ? "true" : "false", p->generation);
	str_add_member(
	    out, "document", p->document[0] == '\0' ? NULL : p->document);
	str_addf(out, ",\"size\":%" PRIu64 "}", p->size);
}

static bool
id_ok(const char *id)
{
	return strlen(id) == PIN_ID_SIZE - 1 &&
	    strspn(id, "0123456789abcdef") == PIN_ID_SIZE - 1;
}

bool
pin_decode(const json_t *j, struct pin *ret)
{
	const char *id = json_string_value(json_object_get(j, "id"));
	const char *document =
	    json_string_value(json_object_get(j, "document"));
	json_int_t counter = json_integer_value(json_object_get(j, "counter"));
	json_int_t generation =
	    json_integer_value(json_object_get(j, "generation"));
	json_int_t size = json_integer_value(json_object_get(j, "size"));
	struct pin p = { 0 };

	if (id == NULL || !id_ok(id) || counter <= 0 || generation < 0 ||
	    size < 0 || (document != NULL && !sha256_is_hex(document)))
		return false;
	p.counter = (uint64_t)counter;
	memcpy(p.id, id, sizeof(p.id));
	p.pinned = json_is_true(json_object_get(j, "pinned"));
	p.generation = (uint64_t)generation;
	if (document != NULL)
		memcpy(p.document, document, sizeof(p.document));
	p.size = (uint64_t)size;
	*ret = p;
	return true;
}

bool
pin_parse_claim(const char *text, struct pin *ret)
{
	struct pin p = { 0 };
	char state = '\0', id[PIN_ID_SIZE + 1] = "";
	char document[SHA256_HEX_SIZE + 1] = "";
	int n = 0;

	if (sscanf(text, "%19" SCNu64 ".%33[0-9a-f].%c.%19" SCNu64 "%n",
		&p.counter, id, &state, &p.generation, &n) != 4 ||
	    !id_ok(id) || p.counter == 0 || p.counter > INT64_MAX ||
	    p.generation > INT64_MAX || (state != 'p' && state != 'r'))
		return false;
	memcpy(p.id, id, sizeof(p.id));
	p.pinned = state == 'p';
	text += n;
	if (*text != '\0' &&
	    (sscanf(text, ".%65[0-9a-f].%19" SCNu64 "%n", document, &p.size,
		 &n) != 2 ||
		text[n] != '\0' || !sha256_is_hex(document)))
		return false;
	if (document[0] != '\0')
		memcpy(p.document, document, sizeof(p.document));
	*ret = p;
	return true;
}
