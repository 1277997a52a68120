/* Reports as JSON: see report.h. */
#include "report.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/version.h"
#include "secrets.h"

/* A report that is longer tells of no more. */
#define SERVING_UNTIL (6U * 1024 * 1024)

static const char *const outcomes[] = {
	[APPLY_APPLIED] = "applied",
	[APPLY_REFUSED] = "refused",
	[APPLY_FAILED] = "failed",
	[APPLY_LACKING] = "lacking",
	[APPLY_ACCEPTED] = "accepted",
};

void
report_encode_check(const struct agent_options *o, const struct apply_result *r,
    struct str *ret)
{
	str_add(ret, "{\"version\":1");
	str_add_member(ret, "cluster", o->cluster);
	str_add_member(ret, "proxy", o->id);
	str_add_member(ret, "config", r->manifest->config);
	str_add_member(ret, "state", outcomes[r->outcome]);
	str_add_member(ret, "error", r->words[0] == '\0' ? NULL : r->words);
	str_addc(ret, '}');
}

/* Of one secret of a manifest: an item for each service that it serves. */
static void
add_users(json_t *secret, struct str *ret, const char **before)
{
	json_t *services = json_object_get(secret, "services");
	json_t *service;
	size_t i;

	if (!json_is_true(json_object_get(secret, "used")))
		return;
	json_array_foreach(services, i, service)
	{
		json_auto_t *item = json_pack("{s:O,s:O,s:O,s:O*}", "service",
		    service, "kind", json_object_get(secret, "kind"), "name",
		    json_object_get(secret, "name"), "key",
		    json_object_get(secret, "key"));
		char *text =
		    item == NULL ? NULL : json_dumps(item, JSON_COMPACT);

		if (text != NULL && ret->len < SERVING_UNTIL) {
			str_add(ret, *before);
			str_add(ret, text);
			*before = ",";
		}
		free(text);
	}
}

/*
 * An extension that lost its state does not know what can serve on for what is
 * lacking; the manifest in force does.
 */
static void
add_serving(const struct manifest *m, struct str *ret)
{
	json_auto_t *root = json_loadb(m->text, m->len, 0, NULL);
	const char *before = "";
	json_t *secret;
	size_t i;

	str_add(ret, ",\"serving\":[");
	json_array_foreach(json_object_get(root, "secrets"), i, secret)
	    add_users(secret, ret, &before);
	str_addc(ret, ']');
}

void
report_encode(const struct report *r, struct str *ret)
{
	bool ours = r->in_force != NULL && !r->in_force->builtin;

	str_add(ret, "{\"version\":1");
	str_add_member(ret, "cluster", r->options->cluster);
	str_add_member(ret, "proxy", r->options->id);
	str_add_member(ret, "agent", BULKHEAD_VERSION);
	str_add_member(ret, "engine", r->engine);
	str_addf(ret, ",\"alive\":%s,\"draining\":%s",
	    r->alive ? "true" : "false", r->draining ? "true" : "false");
	str_add_member(ret, "state", outcomes[r->outcome]);
	str_addf(ret, ",\"pinned\":%s",
	    ours && r->in_force->pin.pinned ? "true" : "false");
	str_addf(ret, ",\"generation\":%" PRIu64, r->generation);
	str_add_member(ret, "config", r->config);
	str_addf(
	    ret, ",\"applied\":%" PRIu64, ours ? r->in_force->generation : 0);
	str_add_member(ret, "applied_config", ours ? r->in_force->config : "");
	str_add(ret, ",\"error\":");
	if (r->words.len > 0)
		str_add_json(ret, r->words.p, r->words.len);
	else
		str_add(ret, "null");
	str_add_member(ret, "path", "structure");
	if (r->secrets != NULL)
		secrets_report(r->secrets, ret);
	if (ours && r->outcome == APPLY_LACKING)
		add_serving(r->in_force, ret);
	str_addf(ret,
	    ",\"reloads\":%" PRIu64 ",\"timing\":{\"fetched_us\":%" PRIu64
	    ",\"checked_us\":%" PRIu64 ",\"live_us\":%" PRIu64
	    ",\"settled_us\":%" PRIu64 "}}",
	    r->reloads, r->timing.fetched_us, r->timing.checked_us,
	    r->timing.live_us, r->timing.settled_us);
}
