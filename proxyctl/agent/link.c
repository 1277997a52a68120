/* Messages between keeper and worker: see link.h. */
#include "link.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/json_cut.h"
#include "base/mem.h"
#include "base/parse.h"

static const char *const names[] = {
#define X(name, text) text,
	LINK_TYPES(X)
#undef X
};

void
link_encode(const struct link_message *m, struct str *ret)
{
	str_addf(ret, "{\"type\":\"%s\"", names[m->type]);
	switch (m->type) {
	case LINK_NGINX:
		str_addf(ret,
		    ",\"pid\":%d,\"up\":%d,\"fails\":%" PRIu64
		    ",\"reloads\":%" PRIu64,
		    m->pid, m->up, m->fails, m->reloads);
		break;
	case LINK_RELOADED:
		str_addf(ret, ",\"ok\":%d", m->ok);
		break;
	case LINK_SETTINGS:
		str_addf(
		    ret, ",\"drain_delay_ms\":%" PRIu64, m->drain_delay_ms);
		break;
	case LINK_DRAIN:
	case LINK_START:
	case LINK_RELOAD:
	case LINK_BEAT:
	case LINK_TYPE_COUNT:
		break;
	}
	str_addc(ret, '}');
}

struct decoding {
	struct link_message m;
	bool typed;
	bool wrong;
};

static bool
is_key(const char *key, size_t len, const char *name)
{
	return len == strlen(name) && memcmp(key, name, len) == 0;
}

static void
take_type(struct decoding *d, const char *value, size_t len)
{
	size_t i;

	for (i = 0; i < LINK_TYPE_COUNT; i++) {
		if (len == strlen(names[i]) + 2 &&
		    memcmp(value + 1, names[i], len - 2) == 0) {
			d->m.type = (enum link_type)i;
			d->typed = true;
			return;
		}
	}
	d->wrong = true;
}

static void
on_member(void *arg, const char *key, size_t key_len, const char *value,
    size_t value_len)
{
	struct decoding *d = arg;
	uint32_t n;

	if (is_key(key, key_len, "type")) {
		take_type(d, value, value_len);
		return;
	}
	if (parse_u32(value, value_len, 0, UINT32_MAX, &n, NULL) != 0) {
		d->wrong = true;
		return;
	}
	if (is_key(key, key_len, "pid"))
		d->m.pid = (int)n;
	else if (is_key(key, key_len, "up"))
		d->m.up = n != 0;
	else if (is_key(key, key_len, "ok"))
		d->m.ok = n != 0;
	else if (is_key(key, key_len, "fails"))
		d->m.fails = n;
	else if (is_key(key, key_len, "reloads"))
		d->m.reloads = n;
	else if (is_key(key, key_len, "drain_delay_ms"))
		d->m.drain_delay_ms = n;
	else
		d->wrong = true;
}

int
link_decode(
    const char *line, size_t len, struct link_message *ret, struct error *e)
{
	struct decoding d = { .typed = false };

	if (json_cut_members(line, len, on_member, &d, e) != 0)
		return -1;
	if (!d.typed || d.wrong)
		return error_set(e, EPROTO, "not a message of ours");
	*ret = d.m;
	return 0;
}
