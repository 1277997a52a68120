/*
 * History and rollback of the live extension.
 *
 * While pinned, proxies are served what a recording (recording.h) gives over
 * today's model: the routes of then, the addresses of now.  What would be
 * served without the pin is rendered as well, told, and delivered after the
 * release.
 */
#ifndef EXTENSION_LIVE_PIN_H
#define EXTENSION_LIVE_PIN_H

#include "control.h"
#include "history.h"
#include "live_record.h"
#include "pin.h"

#include <uv.h>

struct live;

struct live_pin {
	struct pin reg;
	uint64_t since_s;	/* wall clock, for people */
	struct recording *what; /* pinned: what of; NULL: not known (yet) */
	struct pin wanted; /* a later word, its document on the way; or zero */
	uint64_t wanted_ms;
	struct rendered *pending; /* pinned: what waits for the release */
	struct history history;
	struct str ini; /* the cluster's file as this run read it */
	char *folder;	/* run_dir/state/NAME */
	struct live_record record;
	bool stale; /* what the state has is older than what agents know */
	bool blank; /* the last run left nothing: agents may know more */
	bool heard; /* an agent told what it knows */
};

/* Finds what the last run left. */
void live_pin_load(struct live *l);
void live_pin_open(struct live *l);
void live_pin_close(struct live *l);
void live_pin_free(struct live *l);
int live_pin_store(struct live *l, struct error *e) _warn_unused_;

bool live_pin_is_on(const struct live *l);
/*
 * 'r' is what would be delivered without a pin (taken); what is delivered
 * instead, or NULL: nothing now.
 */
struct rendered *live_pin_render(struct live *l, struct rendered *r);
/* Agents may know of a pin that this extension does not know of. */
bool live_pin_is_unsure(const struct live *l);
/* A later word that was waited for may not come. */
void live_pin_tick(struct live *l);

/* Handlers of control.h. */
enum control_claim
live_pin_claim(void *arg, const char *pin, uint64_t generation);
int live_pin_document(void *arg, const char *text, size_t len, struct error *e);

/* Queries; the HTTP status. */
unsigned live_pin_history(struct live *l, struct str *out);
unsigned live_pin_rollback(struct live *l, const char *args, struct str *out);
bool live_pin_diff(struct live *l, struct str *out);
/* ,"pinned":{...} or null */
void live_pin_status(const struct live *l, struct str *out);
/*
 * The routing that proxies are served, over a view that outlives it; false
 * where nothing is pinned.
 */
struct pinned_routing {
	struct recording_view view;
	struct routing *routing;
	const struct cluster_config *config;
};
bool live_pin_routing(const struct live *l, struct pinned_routing *ret);
void pinned_routing_fini(struct pinned_routing *p);

#endif
