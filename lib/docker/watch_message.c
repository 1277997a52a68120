/* Messages of SwarmKit's Watch: see watch_message.h. */
#include "docker/watch_message.h"

#include <errno.h>
#include <string.h>

#include "docker/proto.h"

const char *const watch_kind_names[WATCH_KINDS] = {
	[WATCH_NODE] = "node",
	[WATCH_SERVICE] = "service",
	[WATCH_NETWORK] = "network",
	[WATCH_TASK] = "task",
	[WATCH_SECRET] = "secret",
	[WATCH_CONFIG] = "config",
};

/* Fields of message Object. */
static const struct {
	uint32_t field;
	enum watch_kind kind;
} kinds_by_field[] = {
	{ 1, WATCH_NODE },
	{ 2, WATCH_SERVICE },
	{ 3, WATCH_NETWORK },
	{ 4, WATCH_TASK },
	{ 6, WATCH_SECRET },
	{ 9, WATCH_CONFIG },
};

/* An event that is being read. */
struct reading {
	struct watch_event event;
	bool known; /* nothing was seen that makes it one to skip */
};

/* IDs are letters and digits; whatever else there is, is not ours. */
static bool
take_id(const struct proto_field *f, char ret[WATCH_ID_MAX + 1])
{
	if (f->len > WATCH_ID_MAX)
		return false;
	for (size_t i = 0; i < f->len; i++) {
		unsigned char c = f->bytes[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			(c >= 'A' && c <= 'Z')))
			return false;
	}
	memcpy(ret, f->bytes, f->len);
	ret[f->len] = '\0';
	return true;
}

static int
read_id(const struct proto_field *f, char ret[WATCH_ID_MAX + 1],
    struct reading *r, struct error *e)
{
	if (f->type != PROTO_BYTES)
		return error_set(e, EPROTO, "field %u is no text", f->number);
	if (!take_id(f, ret))
		r->known = false;
	return 0;
}

static bool
is_state(uint64_t value)
{
	switch (value) {
	case TASK_NEW:
	case TASK_PENDING:
	case TASK_ASSIGNED:
	case TASK_ACCEPTED:
	case TASK_PREPARING:
	case TASK_READY:
	case TASK_STARTING:
	case TASK_RUNNING:
	case TASK_COMPLETE:
	case TASK_SHUTDOWN:
	case TASK_FAILED:
	case TASK_REJECTED:
	case TASK_REMOVE:
	case TASK_ORPHANED:
		return true;
	default:
		return false;
	}
}

static int
read_state(const struct proto_field *f, enum task_state *ret, struct reading *r,
    struct error *e)
{
	uint64_t value;

	if (proto_number(f, &value, e) != 0)
		return -1;
	if (!is_state(value))
		r->known = false;
	else
		*ret = (enum task_state)value;
	return 0;
}

/* Timestamp {seconds=1, nanos=2}. */
static int
read_timestamp(const struct proto_field *f, uint64_t *ret_us, struct error *e)
{
	struct proto_reader in;
	uint64_t seconds = 0, nanos = 0;
	int rc;

	if (proto_message(f, &in, e) != 0)
		return -1;
	for (;;) {
		struct proto_field part;

		rc = proto_next(&in, &part, e);
		if (rc <= 0)
			break;
		if (part.number == 1)
			rc = proto_number(&part, &seconds, e);
		else if (part.number == 2)
			rc = proto_number(&part, &nanos, e);
		if (rc < 0)
			break;
	}
	if (rc < 0)
		return -1;
	/* Before 1970 or after 9999: no time that we could use. */
	if (seconds > 253402300799U || nanos > 999999999U)
		*ret_us = 0;
	else
		*ret_us = seconds * 1000000 + nanos / 1000;
	return 0;
}

/* Version {index=1}. */
static int
read_version(const struct proto_field *f, uint64_t *ret, struct error *e)
{
	struct proto_reader in;
	struct proto_field part;
	int rc;

	if (proto_message(f, &in, e) != 0)
		return -1;
	while ((rc = proto_next(&in, &part, e)) > 0) {
		if (part.number == 1 && proto_number(&part, ret, e) != 0)
			return -1;
	}
	return rc;
}

/* Meta {version=1, created_at=2, updated_at=3}. */
static int
read_meta(const struct proto_field *f, struct reading *r, struct error *e)
{
	struct proto_reader in;
	struct proto_field part;
	int rc;

	if (proto_message(f, &in, e) != 0)
		return -1;
	while ((rc = proto_next(&in, &part, e)) > 0) {
		if (part.number == 1)
			rc = read_version(&part, &r->event.version, e);
		else if (part.number == 3)
			rc = read_timestamp(&part, &r->event.commit_us, e);
		if (rc < 0)
			return -1;
	}
	return rc;
}

/* TaskStatus {timestamp=1, state=2, ...}. */
static int
read_status(const struct proto_field *f, struct reading *r, struct error *e)
{
	struct proto_reader in;
	struct proto_field part;
	int rc;

	if (proto_message(f, &in, e) != 0)
		return -1;
	while ((rc = proto_next(&in, &part, e)) > 0) {
		if (part.number == 1)
			rc = read_timestamp(&part, &r->event.state_us, e);
		else if (part.number == 2)
			rc = read_state(&part, &r->event.state, r, e);
		if (rc < 0)
			return -1;
	}
	return rc;
}

static int
read_task_field(const struct proto_field *f, struct reading *r, struct error *e)
{
	switch (f->number) {
	case 4:
		return read_id(f, r->event.service_id, r, e);
	case 5:
		return proto_number(f, &r->event.slot, e);
	case 6:
		return read_id(f, r->event.node_id, r, e);
	case 9:
		return read_status(f, r, e);
	case 10:
		return read_state(f, &r->event.desired, r, e);
	default:
		return 0;
	}
}

/* Any of the kinds: id=1, meta=2, and what tasks have. */
static int
read_object(const struct proto_field *f, enum watch_kind kind,
    struct reading *r, struct error *e)
{
	struct proto_reader in;
	struct proto_field part;
	int rc;

	if (proto_message(f, &in, e) != 0)
		return -1;
	r->event.kind = kind;
	while ((rc = proto_next(&in, &part, e)) > 0) {
		if (part.number == 1)
			rc = read_id(&part, r->event.id, r, e);
		else if (part.number == 2)
			rc = read_meta(&part, r, e);
		else if (kind == WATCH_TASK)
			rc = read_task_field(&part, r, e);
		if (rc < 0)
			return -1;
	}
	if (rc == 0 && r->event.id[0] == '\0')
		r->known = false;
	return rc;
}

/* The Object of an event: one of the kinds. */
static int
read_choice(const struct proto_field *f, struct reading *r, bool *ret_found,
    struct error *e)
{
	struct proto_reader in;
	struct proto_field part;
	int rc;

	if (proto_message(f, &in, e) != 0)
		return -1;
	while ((rc = proto_next(&in, &part, e)) > 0) {
		for (size_t i = 0; i < countof(kinds_by_field); i++) {
			if (kinds_by_field[i].field != part.number)
				continue;
			/* Of several the last one counts. */
			*ret_found = true;
			if (read_object(&part, kinds_by_field[i].kind, r, e) !=
			    0)
				return -1;
		}
	}
	return rc;
}

/* Event {action=1, object=2, old_object=3}. */
static int
read_event(const struct proto_field *f, struct reading *r, struct error *e)
{
	struct proto_reader in;
	struct proto_field part;
	uint64_t action = 0;
	bool found = false;
	int rc;

	if (proto_message(f, &in, e) != 0)
		return -1;
	while ((rc = proto_next(&in, &part, e)) > 0) {
		if (part.number == 1)
			rc = proto_number(&part, &action, e);
		else if (part.number == 2)
			rc = read_choice(&part, r, &found, e);
		if (rc < 0)
			return -1;
	}
	if (action != WATCH_CREATE && action != WATCH_UPDATE &&
	    action != WATCH_REMOVE)
		r->known = false;
	else
		r->event.action = (enum watch_action)action;
	if (!found)
		r->known = false;
	return rc;
}

/* WatchMessage {events=1 repeated, version=2}. */
static int
read_message(const void *bytes, size_t len, watch_event_fn *on_event, void *arg,
    struct watch_message *ret, struct error *e)
{
	struct watch_message m = { 0 };
	uint64_t own = 0, objects = 0;
	struct proto_reader in;
	struct proto_field part;
	int rc;

	proto_init(&in, bytes, len);
	while ((rc = proto_next(&in, &part, e)) > 0) {
		struct reading r = { .known = true };

		if (part.number == 2 && read_version(&part, &own, e) != 0)
			return error_wrap(e, "message's version");
		if (part.number != 1)
			continue;
		if (read_event(&part, &r, e) != 0)
			return error_wrap(e, "event %zu", m.events + m.skipped);
		/* A removal tells the version of the last change before it. */
		if (r.event.version > objects)
			objects = r.event.version;
		if (!r.known) {
			m.skipped++;
			continue;
		}
		m.events++;
		if (on_event != NULL)
			on_event(arg, &r.event);
	}
	m.version = own != 0 ? own : objects;
	*ret = m;
	return rc;
}

int
watch_message_decode(const void *bytes, size_t len, watch_event_fn *on_event,
    void *arg, struct watch_message *ret, struct error *e)
{
	struct watch_message m;

	/* Once to see that all of it is sound, once for the events. */
	if (read_message(bytes, len, NULL, NULL, &m, e) != 0)
		return -1;
	if (on_event != NULL && m.events > 0)
		must(read_message(bytes, len, on_event, arg, &m, NULL) == 0);
	*ret = m;
	return 0;
}

/* WatchRequest {entries=1 {kind=1, action=2}, resume_from=2 {index=1}}. */
void
watch_request_encode(struct str *out, unsigned kinds, uint64_t resume_from)
{
	STR_AUTO(part, 256);

	for (unsigned kind = 0; kind < WATCH_KINDS; kind++) {
		if ((kinds & 1U << kind) == 0)
			continue;
		str_clear(&part);
		proto_add_text(&part, 1, watch_kind_names[kind]);
		proto_add_number(
		    &part, 2, WATCH_CREATE | WATCH_UPDATE | WATCH_REMOVE);
		proto_add_bytes(out, 1, part.p, part.len);
	}
	if (resume_from == 0)
		return;
	str_clear(&part);
	proto_add_number(&part, 1, resume_from);
	proto_add_bytes(out, 2, part.p, part.len);
}

static int
read_entry(const struct proto_field *f, unsigned *kinds, struct error *e)
{
	struct proto_reader in;
	struct proto_field part;
	int rc;

	if (proto_message(f, &in, e) != 0)
		return -1;
	while ((rc = proto_next(&in, &part, e)) > 0) {
		if (part.number != 1)
			continue;
		for (unsigned kind = 0; kind < WATCH_KINDS; kind++) {
			const char *name = watch_kind_names[kind];

			if (part.len == strlen(name) &&
			    memcmp(part.bytes, name, part.len) == 0)
				*kinds |= 1U << kind;
		}
	}
	return rc;
}

int
watch_request_decode(const void *bytes, size_t len, unsigned *ret_kinds,
    bool *ret_resume, uint64_t *ret_from, struct error *e)
{
	unsigned kinds = 0;
	bool resume = false;
	uint64_t from = 0;
	struct proto_reader in;
	struct proto_field part;
	int rc;

	proto_init(&in, bytes, len);
	while ((rc = proto_next(&in, &part, e)) > 0) {
		if (part.number == 1) {
			rc = read_entry(&part, &kinds, e);
		} else if (part.number == 2) {
			resume = true;
			rc = read_version(&part, &from, e);
		}
		if (rc < 0)
			return -1;
	}
	if (rc < 0)
		return -1;
	*ret_kinds = kinds;
	*ret_resume = resume;
	*ret_from = from;
	return 0;
}
