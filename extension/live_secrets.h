/*
 * What the live extension knows of secrets, though it can read none: what the
 * agents said last, and what each service was last served with.
 * Kept in run_dir/state/NAME/secrets.json, so that a restart takes nothing
 * out of force and tries nothing again that was found bad.
 */
#ifndef EXTENSION_LIVE_SECRETS_H
#define EXTENSION_LIVE_SECRETS_H

#include "proxies.h"
#include "routing.h"

/* Of each kind; NULL: none. */
struct last_good {
	struct secret_use *of[SECRET_KIND_COUNT];
};

struct live_secrets {
	struct map facts;     /* ID -> struct secret_fact *, owned */
	struct map last_good; /* service's ID -> struct last_good *, owned */
	char *path;
	bool stored;
	struct secret_book book;
};

void live_secrets_init(
    struct live_secrets *s, const char *run_dir, const char *cluster);
void live_secrets_fini(struct live_secrets *s);
/* Takes what the proxies say now; true when routes may have to change. */
bool live_secrets_refresh(
    struct live_secrets *s, const struct proxies *p, uint64_t now_ms);
/*
 * Takes what a proxy that lacks something serves with instead: an extension
 * that lost its state cannot know otherwise.  True when there was news.
 */
bool live_secrets_told(struct live_secrets *s, const struct proxy *p);
/*
 * Remembers what the routes are served with, and forgets what is gone; true if
 * there was anything to forget.
 */
bool live_secrets_learn(struct live_secrets *s, const struct routing *r);
/* Docker has the secret no longer: nothing is served on with it. */
void live_secrets_removed(struct live_secrets *s, const char *name);
int live_secrets_store(struct live_secrets *s, struct error *e) _warn_unused_;
/* The manifest's member "secrets", the caller's. */
void live_secrets_manifest(const struct routing *r, char **ret);

#endif
