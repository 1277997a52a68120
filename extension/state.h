/*
 * The configuration in force, in memory and on disk: its generation, its
 * manifest, its files by hash.
 *
 * run_dir/state/NAME/ has manifest.json and blobs/SHA256: a restarted
 * extension serves them at once, and gives the same bytes the same
 * generation.
 */
#ifndef EXTENSION_STATE_H
#define EXTENSION_STATE_H

#include "base/error.h"
#include "bus/message.h"
#include "config/config.h"
#include "pin.h"
#include "render.h"

#include <stdbool.h>
#include <stdint.h>

struct state;

struct state_change {
	/* When what led to it was seen; all but the first two by us. */
	struct bus_stamps stamps;
	uint64_t received_us;
	uint64_t rendered_us;
	bool structure; /* more than addresses changed */
};

/* Finds what the last run left; a damaged state is as none. */
struct state *state_new(const char *run_dir, const struct cluster_config *c);
void state_free(struct state *s);

/*
 * Takes 'r' as what should be in force.  True: the bytes differ from before,
 * and the generation has gone up.
 */
bool state_take(
    struct state *s, struct rendered *r, const struct state_change *change);
/*
 * Writes to disk what is not there yet.  Until that succeeds the last state
 * on disk stays whole.  'whole': as one that another version may be the next
 * to read (state_disk.h).
 */
int state_store(struct state *s, bool whole, struct error *e) _warn_unused_;
/* An agent says that generation 'n' is 'config': nothing counts backwards. */
void state_learn(struct state *s, const char *config, uint64_t n);

/* What an agent serves is this: the engine took it. */
void state_confirm(struct state *s, const char *config);
/* The one that should be in force; or NULL. */
const struct rendered *state_newest(const struct state *s);
/* The last one that an engine took, as far as is known; or NULL. */
const struct rendered *state_good(const struct state *s);
/*
 * 'r' (taken; NULL: nothing any more) is to be checked by an agent: its files
 * are there to be fetched.
 */
void state_offer(struct state *s, struct rendered *r);
/* What is offered as a manifest to check, and its name; "" : nothing. */
const struct str *state_offered_manifest(const struct state *s);
const char *state_offered(const struct state *s);

/* What the manifest says of a pin, and the document to fetch (borrowed). */
void state_set_pin(
    struct state *s, const struct pin *pin, const char *document, size_t len);
/* The manifest's settings come from 'c' from now on (borrowed). */
void state_use(struct state *s, const struct cluster_config *c);

uint64_t state_generation(const struct state *s); /* 0: nothing yet */
const char *state_config(const struct state *s);  /* "" : nothing yet */
const struct state_change *state_last_change(const struct state *s);
/* The manifest as agents get it, until the next change; "" : none yet. */
const struct str *state_manifest(struct state *s);
/*
 * The same for an agent that has the files of 'base': what differs.  False
 * where it is not known any more what those were, or was never.
 */
bool state_delta(const struct state *s, const char *base, struct str *out);
/* A file of this or the last configuration by hash; NULL: unknown. */
const char *
state_blob(const struct state *s, const char *sha256, size_t *ret_len);
/* {"generation":N,"config":HASH,"files":[{"path","text"},...]} */
void state_files(const struct state *s, struct str *out);

/*
 * {"generation":N,"against":"served"|"before"|null,"files":[...]}: what the
 * newest configuration changes in the one that proxies serve or, where they
 * serve it already or there are none, in the one before (diff.h).
 */
void state_diff(const struct state *s, struct str *out);
/* The same of 'to' against what is in force, called 'against'. */
void state_diff_with(const struct state *s, const char *against,
    const struct rendered *to, struct str *out);

#endif
