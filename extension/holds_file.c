/* Holds on disk (holds.h): what a restart must not forget. */
#include "holds.h"

#include <jansson.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

#define TEXT_MAX (64U * 1024 * 1024)

static const char *const states[] = {
	[HOLD_OWNED] = "owned",
	[HOLD_HELD] = "held",
	[HOLD_KEPT] = "kept",
};

/* The monotonic clock means something within one boot only; "": unknown. */
static void
read_boot(struct str *ret)
{
	if (fs_read("/proc/sys/kernel/random/boot_id", ret, NULL) != 0)
		str_clear(ret);
	while (ret->len > 0 && ret->p[ret->len - 1] == '\n')
		str_trim(ret, ret->len - 1);
}

static json_t *
encode_one(const char *host, const struct hold *x, uint64_t mono_ms)
{
	uint64_t left = x->state == HOLD_HELD && x->until_ms > mono_ms
	    ? x->until_ms - mono_ms
	    : 0;
	json_t *o = json_pack("{s:s,s:s,s:s,s:s?,s:I,s:[]}", "host", host,
	    "name", x->name, "state", states[x->state], "network",
	    x->network_id, "left_ms", (json_int_t)left, "others");
	size_t i;

	for (i = 0; o != NULL && i < x->others.list.len; i++) {
		if (json_array_append_new(json_object_get(o, "others"),
			json_string(x->others.list.at[i])) != 0)
			oom();
	}
	return o;
}

int
holds_store(
    const struct holds *h, const char *path, uint64_t mono_ms, struct error *e)
{
	json_auto_t *all = NULL;
	char *text _cleanup_free_ = NULL;
	STR_AUTO(boot, 256);
	struct map_entry *entry;
	size_t i;

	read_boot(&boot);
	all = json_pack("{s:s,s:I,s:[]}", "boot", boot.p, "stored_ms",
	    (json_int_t)mono_ms, "hosts");
	for (i = 0; (entry = map_next(&h->hosts, &i)) != NULL;) {
		json_t *o = encode_one(entry->key, entry->value, mono_ms);

		/* Hosts and names are plain text, or they had no route. */
		if (o != NULL &&
		    json_array_append_new(json_object_get(all, "hosts"), o) !=
			0)
			oom();
	}
	text = json_dumps(all, JSON_COMPACT);
	if (text == NULL)
		oom();
	return fs_write(path, text, strlen(text), 0640, e);
}

static void
load_one(struct holds *h, const json_t *o, uint64_t away_ms,
    const struct holds_time *now)
{
	const char *host = json_string_value(json_object_get(o, "host"));
	const char *name = json_string_value(json_object_get(o, "name"));
	const char *state = json_string_value(json_object_get(o, "state"));
	const char *network = json_string_value(json_object_get(o, "network"));
	json_int_t left = json_integer_value(json_object_get(o, "left_ms"));
	const json_t *other;
	struct hold *x;
	size_t i, s;

	for (s = 0; state != NULL && s < countof(states); s++) {
		if (strcmp(states[s], state) == 0)
			break;
	}
	if (host == NULL || name == NULL || state == NULL ||
	    s == countof(states) || left < 0 ||
	    map_get(&h->hosts, host) != NULL)
		return;
	x = xcalloc(1, sizeof(*x));
	x->state = (enum hold_state)s;
	x->name = xstrdup(name);
	x->network_id = network == NULL ? NULL : xstrdup(network);
	json_array_foreach(json_object_get(o, "others"), i, other)
	{
		if (json_is_string(other))
			vec_push(
			    &x->others.list, xstrdup(json_string_value(other)));
	}
	hold_until(x, (uint64_t)left > away_ms ? (uint64_t)left - away_ms : 0,
	    h->hold_ms, now);
	(void)map_set(&h->hosts, host, x);
}

void
holds_load(struct holds *h, const char *path, const struct holds_time *now)
{
	STR_AUTO(text, TEXT_MAX);
	STR_AUTO(boot, 256);
	json_auto_t *all = NULL;
	const char *then;
	const json_t *o;
	uint64_t stored, away = 0;
	size_t i;

	if (fs_read(path, &text, NULL) != 0)
		return;
	all = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(all))
		log_warn("state: %s is damaged: no host is held", path);
	read_boot(&boot);
	then = json_string_value(json_object_get(all, "boot"));
	stored =
	    (uint64_t)json_integer_value(json_object_get(all, "stored_ms"));
	if (then != NULL && boot.len > 0 && strcmp(then, boot.p) == 0 &&
	    now->mono_ms > stored)
		away = now->mono_ms - stored;
	json_array_foreach(json_object_get(all, "hosts"), i, o)
	    load_one(h, o, away, now);
}
