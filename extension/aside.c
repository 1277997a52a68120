/* Who is set aside: see aside.h. */
#include "aside.h"

#include <jansson.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"

#define TEXT_MAX (64U * 1024 * 1024)

static void
entry_free(struct aside_entry *x)
{
	if (x == NULL)
		return;
	free(x->service_id);
	free(x->signature);
	free(x->proxy);
	free(x->words);
	label_copy_fini(&x->labels);
	finding_fini(&x->verdict.finding);
	free(x);
}

void
aside_fini(struct aside *a)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(&a->entries, &i)) != NULL;)
		entry_free(e->value);
	map_fini(&a->entries);
	map_fini(&a->verdicts);
}

void
aside_signature(const struct service *s, char ret[SHA256_HEX_SIZE])
{
	STR_AUTO(text, TEXT_MAX);
	size_t i;

	str_addf(&text, "%d %d\n", (int)s->mode, (int)s->endpoint_mode);
	for (i = 0; i < s->labels.len; i++) {
		const struct label *l = &s->labels.at[i];

		str_addf(&text, "%s %zu ", l->key, l->value_len);
		str_addn(&text, l->value, l->value_len);
		str_addc(&text, '\n');
	}
	for (i = 0; i < s->networks.len; i++)
		str_addf(&text, "%s\n", s->networks.at[i]);
	sha256_hex(text.p, text.len, ret);
}

static void
set_finding(struct aside_entry *x)
{
	finding_fini(&x->verdict.finding);
	x->verdict.finding = (struct finding){ .offset = -1 };
	if (x->proxy == NULL)
		(void)finding_set(&x->verdict.finding, REJECT_BAD_OBJECT, NULL,
		    -1, NULL,
		    "working on this service ends the program, a bug of ours: "
		    "it is left out until it changes");
	else
		(void)finding_set(&x->verdict.finding, REJECT_ENGINE_REFUSED,
		    NULL, -1, NULL, "the engine refuses it%s: %s",
		    x->keeps ? " (what was in force before stays)" : "",
		    x->words);
}

static void
add(struct aside *a, const struct service *s, const char *proxy,
    const char *words, const struct label_copy *kept)
{
	struct aside_entry *x = xcalloc(1, sizeof(*x));
	struct service of = { 0 };

	x->service_id = xstrdup(s->id);
	x->signature = xcalloc(1, SHA256_HEX_SIZE);
	aside_signature(s, x->signature);
	x->proxy = proxy == NULL ? NULL : xstrdup(proxy);
	x->words = xstrdup(words);
	if (kept != NULL) {
		x->keeps = true;
		memcpy(&of.labels, &kept->list, sizeof(of.labels));
		label_copy_set(&x->labels, &of);
	}
	set_finding(x);
	(void)map_set(&a->verdicts, s->id, &x->verdict);
	entry_free(map_set(&a->entries, s->id, x));
}

void
aside_refused(struct aside *a, const struct service *s, const char *proxy,
    const char *words, const struct label_copy *kept)
{
	const struct aside_entry *before = map_get(&a->entries, s->id);

	/* What was kept is refused as well, or nothing differs from it. */
	if ((before != NULL && before->keeps) ||
	    (kept != NULL && label_copy_equal(kept, s)))
		kept = NULL;
	add(a, s, proxy, words, kept);
}

void
aside_deadly(struct aside *a, const struct service *s)
{
	add(a, s, NULL, "", NULL);
}

bool
aside_remove(struct aside *a, const char *id)
{
	struct aside_entry *x = map_remove(&a->entries, id);

	(void)map_remove(&a->verdicts, id);
	entry_free(x);
	return x != NULL;
}

size_t
aside_refresh(struct aside *a, const struct model *m)
{
	char signature[SHA256_HEX_SIZE];
	struct map_entry *e;
	size_t i, out = 0;

	for (i = 0; (e = map_next(&a->entries, &i)) != NULL;) {
		struct aside_entry *x = e->value;
		const struct service *s = map_get(&m->services, x->service_id);

		if (s != NULL)
			aside_signature(s, signature);
		if (s == NULL || strcmp(signature, x->signature) != 0) {
			(void)map_remove(&a->verdicts, x->service_id);
			(void)map_remove(&a->entries, x->service_id);
			entry_free(x);
			out++;
			continue;
		}
		x->verdict.instead = NULL;
		if (!x->keeps)
			continue;
		x->instead = *s;
		memcpy(&x->instead.labels, &x->labels.list,
		    sizeof(x->instead.labels));
		x->verdict.instead = &x->instead;
	}
	return out;
}

/* ---- on disk ---- */

static json_t *
encode_labels(const struct label_copy *c)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < c->list.len; i++) {
		const struct label *l = &c->list.at[i];
		/* What was served passed the grammar: it is plain text. */
		json_t *pair = json_pack("[s,s]", l->key, l->value);

		if (pair != NULL && json_array_append_new(list, pair) != 0)
			oom();
	}
	return list;
}

static json_t *
encode(const struct aside *a)
{
	json_t *list = json_array();
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(&a->entries, &i)) != NULL;) {
		const struct aside_entry *x = e->value;
		json_t *o = json_pack("{s:s,s:s,s:s?,s:s}", "service_id",
		    x->service_id, "signature", x->signature, "proxy", x->proxy,
		    "words", x->words);

		/* NULL: words that are no UTF-8.  They are asked for again. */
		if (o == NULL)
			continue;
		if (x->keeps &&
		    json_object_set_new(
			o, "labels", encode_labels(&x->labels)) != 0)
			oom();
		if (json_array_append_new(list, o) != 0)
			oom();
	}
	return list;
}

int
aside_store(const struct aside *a, const char *path, struct error *e)
{
	json_auto_t *list = encode(a);
	char *text _cleanup_free_ = json_dumps(list, JSON_COMPACT);

	if (text == NULL)
		oom();
	return fs_write(path, text, strlen(text), 0640, e);
}

static void
decode_labels(const json_t *list, struct aside_entry *x)
{
	const json_t *pair;
	size_t i;

	x->keeps = json_is_array(list);
	json_array_foreach(list, i, pair)
	{
		const char *key = json_string_value(json_array_get(pair, 0));
		const char *value = json_string_value(json_array_get(pair, 1));
		struct label *l;

		if (key == NULL || value == NULL) {
			x->keeps = false;
			return;
		}
		l = vec_add(&x->labels.list);
		l->key = xstrdup(key);
		l->value = xstrdup(value);
		l->value_len = strlen(value);
	}
}

static void
decode(struct aside *a, const json_t *o)
{
	const char *id = json_string_value(json_object_get(o, "service_id"));
	const char *sum = json_string_value(json_object_get(o, "signature"));
	const char *proxy = json_string_value(json_object_get(o, "proxy"));
	const char *words = json_string_value(json_object_get(o, "words"));
	struct aside_entry *x;

	if (id == NULL || sum == NULL || words == NULL ||
	    map_get(&a->entries, id) != NULL)
		return;
	x = xcalloc(1, sizeof(*x));
	x->service_id = xstrdup(id);
	x->signature = xstrdup(sum);
	x->proxy = proxy == NULL ? NULL : xstrdup(proxy);
	x->words = xstrdup(words);
	decode_labels(json_object_get(o, "labels"), x);
	set_finding(x);
	(void)map_set(&a->verdicts, id, &x->verdict);
	(void)map_set(&a->entries, id, x);
}

void
aside_load(struct aside *a, const char *path)
{
	STR_AUTO(text, TEXT_MAX);
	json_auto_t *list = NULL;
	const json_t *o;
	size_t i;

	if (fs_read(path, &text, NULL) != 0)
		return;
	list = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_array(list))
		log_warn("state: %s is damaged: nobody is set aside", path);
	json_array_foreach(list, i, o) decode(a, o);
}
