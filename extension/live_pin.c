/* History and rollback: see live_pin.h. */
#include "live_pin.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "live_object.h"

#define WANTED_MS 10000 /* a document is on its way so long at most */
#define REGISTER_MAX 65536

/* ---- disk ---- */

static void
load_register(struct live *l)
{
	struct live_pin *x = &l->pin;
	char *path _cleanup_free_ = xasprintf("%s/pin.json", x->folder);
	char *document _cleanup_free_ =
	    xasprintf("%s/pin-document.json", x->folder);
	STR_AUTO(text, REGISTER_MAX);
	STR_AUTO(what, RECORDING_MAX);
	json_auto_t *j = NULL;
	struct error e;

	if (fs_read(path, &text, NULL) != 0)
		return;
	j = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, NULL);
	if (!pin_decode(json_object_get(j, "pin"), &x->reg))
		return;
	x->since_s = (uint64_t)json_integer_value(json_object_get(j, "since"));
	if (!x->reg.pinned)
		return;
	if (fs_read(document, &what, &e) == 0)
		x->what = recording_decode(
		    what.p, what.len, l->config->cluster.name, &e);
	if (x->what != NULL && strcmp(x->what->sha256, x->reg.document) != 0) {
		recording_free(x->what);
		x->what = NULL;
		(void)error_set(&e, EPROTO, "another document");
	}
	if (x->what == NULL)
		log_error("pinned to generation %" PRIu64 ", but what that was "
			  "is not known here (%s): nothing is delivered until "
			  "a proxy tells it or the pin is released",
		    x->reg.generation, e.msg);
	else
		log_info("pinned to generation %" PRIu64 " until \"proxyctl "
			 "rollback %s --release\"",
		    x->reg.generation, l->config->cluster.name);
}

static int
store_register(const struct live_pin *x, const struct pin *reg,
    const struct recording *what, uint64_t since_s, struct error *e)
{
	char *path _cleanup_free_ = xasprintf("%s/pin.json", x->folder);
	char *document _cleanup_free_ =
	    xasprintf("%s/pin-document.json", x->folder);
	STR_AUTO(text, REGISTER_MAX);

	if (reg->counter == 0)
		return 0;
	if (fs_mkdirs(x->folder, 0750, e) != 0)
		return -1;
	if (reg->pinned && what != NULL &&
	    fs_write(document, what->text, what->len, 0640, e) != 0)
		return -1;
	str_add(&text, "{\"version\":1,\"pin\":");
	pin_encode(reg, &text);
	str_addf(&text, ",\"since\":%" PRIu64 "}\n", since_s);
	return fs_write(path, text.p, text.len, 0640, e);
}

/* What agents are told, and what the manifest's settings are taken from. */
static void
show(struct live *l)
{
	const struct live_pin *x = &l->pin;

	state_set_pin(l->state, &x->reg, x->what == NULL ? NULL : x->what->text,
	    x->what == NULL ? 0 : x->what->len);
	state_use(l->state, x->what == NULL ? l->config : x->what->config);
}

void
live_pin_load(struct live *l)
{
	struct live_pin *x = &l->pin;
	const char *name = l->config->cluster.name;

	x->folder = xasprintf("%s/state/%s", l->options->run_dir, name);
	str_init(&x->ini, CONFIG_FILE_MAX);
	if (fs_read(l->options->cluster_file, &x->ini, NULL) != 0)
		str_clear(&x->ini);
	history_load(&x->history, l->options->run_dir, name);
	load_register(l);
	x->blank = x->reg.counter == 0 && state_generation(l->state) == 0;
	show(l);
}

int
live_pin_store(struct live *l, struct error *e)
{
	return history_store(&l->pin.history, e);
}

/* ---- what is pinned ---- */

bool
live_pin_is_on(const struct live *l)
{
	return l->pin.reg.pinned;
}

bool
live_pin_routing(const struct live *l, struct pinned_routing *ret)
{
	const struct live_pin *x = &l->pin;
	struct routing_options o = { .foreign_is_error = true,
		.secrets = &l->secrets.book,
		.labels_of_past = true };

	if (!x->reg.pinned || x->what == NULL || !l->whole)
		return false;
	live_gate_options(l, &o);
	recording_view_init(&ret->view, x->what, l->model);
	ret->config = x->what->config;
	ret->routing = routing_build(ret->config, &ret->view.model, &o);
	return true;
}

void
pinned_routing_fini(struct pinned_routing *p)
{
	routing_free(p->routing);
	recording_view_fini(&p->view);
}

/* A later word may be on its way: nothing is delivered before it is here. */
static bool
is_waiting(const struct live *l)
{
	const struct live_pin *x = &l->pin;

	return x->wanted.counter > 0 &&
	    clock_mono_ms() - x->wanted_ms < WANTED_MS;
}

bool
live_pin_is_unsure(const struct live *l)
{
	return l->pin.blank && (!l->pin.heard || is_waiting(l));
}

struct rendered *
live_pin_render(struct live *l, struct rendered *r)
{
	struct pinned_routing p;
	struct rendered *out;

	if (is_waiting(l)) {
		rendered_free(r);
		return NULL;
	}
	rendered_free(l->pin.pending);
	l->pin.pending = NULL;
	if (!l->pin.reg.pinned) {
		l->pin.stale = false;
		return r;
	}
	l->pin.pending = r;
	if (!live_pin_routing(l, &p))
		return NULL;
	out = live_render_as(p.config, p.routing);
	live_secrets_learn(&l->secrets, p.routing);
	pinned_routing_fini(&p);
	if (out != NULL)
		l->pin.stale = false;
	return out;
}

void
live_pin_tick(struct live *l)
{
	struct live_pin *x = &l->pin;

	if (x->wanted.counter == 0 || is_waiting(l))
		return;
	log_warn("a proxy knows of a later rollback, but not what to: what "
		 "is known here stays in force");
	memset(&x->wanted, 0, sizeof(x->wanted));
	if (l->whole)
		live_changed(l);
}

/* ---- the register changes ---- */

/* Takes 'what'.  Nothing is delivered here: the caller sees to that. */
static void
set_register(struct live *l, const struct pin *reg, struct recording *what)
{
	struct live_pin *x = &l->pin;
	struct recording *before;

	live_blame_abort(l);
	x->reg = *reg;
	memset(&x->wanted, 0, sizeof(x->wanted));
	before = x->what;
	x->what = what;
	x->since_s = clock_wall_us() / 1000000;
	show(l);
	/* The manifest borrowed from it up to here. */
	recording_free(before);
	live_store_soon(l);
}

/* Every agent learns of it, with or without other bytes. */
static void
deliver_now(struct live *l)
{
	uint64_t before = state_generation(l->state);

	live_changed(l);
	(void)live_routing(l);
	if (state_generation(l->state) == before)
		control_publish(l->control);
}

static void
adopt(struct live *l, const struct pin *reg, struct recording *what)
{
	struct error e;

	if (store_register(&l->pin, reg, what, clock_wall_us() / 1000000, &e) !=
	    0)
		log_error("state: %s", e.msg);
	log_warn("a proxy knows of a later %s than this extension: that is in "
		 "force",
	    reg->pinned ? "rollback" : "release of a rollback");
	live_event(l, "rollback",
	    reg->pinned ? "pinned to generation %" PRIu64 ", as a proxy says"
			: "the pin to generation %" PRIu64
			  " was released, as a proxy says",
	    reg->generation);
	set_register(l, reg, what);
	l->pin.stale = true;
	live_changed(l);
}

/*
 * What the last run left may be older than what an agent has: it waits until
 * we have rendered something ourselves.
 */
static bool
is_older(const struct live *l, uint64_t generation)
{
	return l->pin.stale ||
	    (!l->whole && generation > state_generation(l->state));
}

enum control_claim
live_pin_claim(void *arg, const char *pin, uint64_t generation)
{
	struct live *l = arg;
	struct live_pin *x = &l->pin;
	bool held = x->reg.pinned && x->what == NULL;
	struct pin claim = { 0 };
	int order;

	held |= is_older(l, generation);
	if (pin == NULL || (!pin_parse_claim(pin, &claim) && *pin != '0'))
		return held ? CONTROL_HOLD : CONTROL_SAME;
	if (!x->heard && x->blank && l->whole)
		live_changed(l);
	x->heard = true;
	order = pin_compare(&claim, &x->reg);
	if (order < 0)
		return held ? CONTROL_HOLD : CONTROL_TELL;
	if (order == 0 &&
	    (!claim.pinned || x->what != NULL || claim.document[0] == '\0'))
		return held ? CONTROL_HOLD : CONTROL_SAME;
	if (!claim.pinned || claim.document[0] == '\0') {
		adopt(l, &claim, NULL);
		return CONTROL_HOLD;
	}
	if (pin_compare(&claim, &x->wanted) > 0 || !is_waiting(l)) {
		x->wanted = claim;
		x->wanted_ms = clock_mono_ms();
	}
	return CONTROL_WANT;
}

int
live_pin_document(void *arg, const char *text, size_t len, struct error *e)
{
	struct live *l = arg;
	struct pin wanted = l->pin.wanted;
	char sum[SHA256_HEX_SIZE];
	struct recording *what;

	sha256_hex(text, len, sum);
	if (wanted.counter == 0 || strcmp(sum, wanted.document) != 0)
		return error_set(e, ENOENT, "this document is not asked for");
	what = recording_decode(text, len, l->config->cluster.name, e);
	if (what == NULL)
		return -1;
	adopt(l, &wanted, what);
	return 0;
}

static void
count_up(const struct live_pin *x, struct pin *ret)
{
	unsigned char bytes[(PIN_ID_SIZE - 1) / 2];
	size_t i;

	*ret = (struct pin){ .counter = x->reg.counter + 1 };
	must(getrandom(bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes));
	for (i = 0; i < sizeof(bytes); i++)
		(void)snprintf(ret->id + 2 * i, 3, "%02x", bytes[i]);
}

/* ---- queries ---- */

static unsigned
refuse(struct str *out, unsigned status, const char *why)
{
	str_add(out, "{\"error\":");
	str_add_json(out, why, strlen(why));
	str_add(out, "}\n");
	return status;
}

void
live_pin_status(const struct live *l, struct str *out)
{
	const struct live_pin *x = &l->pin;

	if (!x->reg.pinned) {
		str_add(out, ",\"pinned\":null");
		return;
	}
	str_addf(out,
	    ",\"pinned\":{\"generation\":%" PRIu64 ",\"since_s\":%" PRIu64
	    ",\"counter\":%" PRIu64 ",\"known\":%s,\"changes_wait\":%s",
	    x->reg.generation, x->since_s, x->reg.counter,
	    x->what != NULL ? "true" : "false",
	    x->pending != NULL &&
		    strcmp(x->pending->config, state_config(l->state)) != 0
		? "true"
		: "false");
	str_add_member(out, "id", x->reg.id);
	str_addc(out, '}');
}

unsigned
live_pin_history(struct live *l, struct str *out)
{
	struct live_pin *x = &l->pin;

	live_record_now(l);
	history_follow(&x->history, 0, proxies_reloads(&l->proxies));
	str_addf(out, "{\"cluster\":\"%s\",\"generation\":%" PRIu64,
	    l->config->cluster.name, state_generation(l->state));
	live_pin_status(l, out);
	str_add(out, ",\"history\":");
	history_json(&x->history, out);
	str_add(out, "}\n");
	return 200;
}

static unsigned
answer(struct live *l, struct str *out)
{
	str_addf(out, "{\"cluster\":\"%s\",\"generation\":%" PRIu64,
	    l->config->cluster.name, state_generation(l->state));
	live_pin_status(l, out);
	str_add(out, "}\n");
	return 200;
}

static unsigned
release(struct live *l, struct str *out)
{
	struct live_pin *x = &l->pin;
	uint64_t was = x->reg.generation;
	struct pin reg;
	struct error e;

	if (!x->reg.pinned)
		return refuse(out, 409, "nothing is pinned");
	count_up(x, &reg);
	reg.generation = was;
	if (store_register(x, &reg, NULL, clock_wall_us() / 1000000, &e) != 0)
		return refuse(out, 500, e.msg);
	log_info("the pin to generation %" PRIu64 " is released", was);
	live_event(
	    l, "release", "the pin to generation %" PRIu64 " is released", was);
	set_register(l, &reg, NULL);
	deliver_now(l);
	return answer(l, out);
}

static unsigned
pin_to(struct live *l, uint64_t generation, struct str *out)
{
	struct live_pin *x = &l->pin;
	struct recording *what;
	struct pin reg;
	struct error e;

	what = history_recording(
	    &x->history, generation, l->config->cluster.name, &e);
	if (what == NULL)
		return refuse(out, 404, e.msg);
	count_up(x, &reg);
	reg.pinned = true;
	reg.generation = generation;
	memcpy(reg.document, what->sha256, sizeof(reg.document));
	reg.size = what->len;
	if (store_register(x, &reg, what, clock_wall_us() / 1000000, &e) != 0) {
		recording_free(what);
		return refuse(out, 500, e.msg);
	}
	log_info("rolled back to generation %" PRIu64
		 " until \"proxyctl rollback %s --release\"",
	    generation, l->config->cluster.name);
	live_event(
	    l, "rollback", "rolled back to generation %" PRIu64, generation);
	set_register(l, &reg, what);
	x->record.due_reloads = proxies_reloads(&l->proxies);
	deliver_now(l);
	live_record_pinned(l, generation);
	return answer(l, out);
}

unsigned
live_pin_rollback(struct live *l, const char *args, struct str *out)
{
	struct live_pin *x = &l->pin;
	json_auto_t *j = json_loads(args, JSON_REJECT_DUPLICATES, NULL);
	const json_t *to = json_object_get(j, "generation");
	const struct history_entry *entry;

	if (!json_is_object(j) ||
	    (to != NULL && !json_is_null(to) &&
		(!json_is_integer(to) || json_integer_value(to) <= 0)))
		return refuse(out, 400,
		    "{\"generation\":N|null} or {\"release\":true} is wanted");
	if (json_is_true(json_object_get(j, "release")))
		return release(l, out);
	live_record_now(l);
	if (json_is_integer(to))
		entry =
		    history_find(&x->history, (uint64_t)json_integer_value(to));
	else
		entry = history_before(&x->history,
		    x->reg.pinned ? x->reg.generation
				  : state_generation(l->state));
	if (entry == NULL)
		return refuse(out, 404,
		    json_is_integer(to)
			? "that generation is not in the history"
			: "there is no configuration before this one in the "
			  "history");
	return pin_to(l, entry->generation, out);
}

bool
live_pin_diff(struct live *l, struct str *out)
{
	if (!l->pin.reg.pinned || l->pin.pending == NULL)
		return false;
	state_diff_with(l->state, "pinned", l->pin.pending, out);
	return true;
}

/* ---- life ---- */

void
live_pin_open(struct live *l)
{
	live_record_open(l);
}

void
live_pin_close(struct live *l)
{
	live_record_close(l);
}

void
live_pin_free(struct live *l)
{
	struct live_pin *x = &l->pin;

	recording_free(x->what);
	rendered_free(x->pending);
	live_record_free(l);
	history_fini(&x->history);
	str_fini(&x->ini);
	free(x->folder);
}
