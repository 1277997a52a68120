/*
 * Proxies of one group help each other while the control plane is away: each
 * serves what it has in force to the others (peer_server.h), and one that has
 * nothing, or something older, takes it from there.
 *
 * What a peer gives is checked like what the control plane gives: the same
 * credentials, the same decoder, every file by its hash.
 */
#ifndef AGENT_PEERS_H
#define AGENT_PEERS_H

#include "folder.h"
#include "manifest.h"
#include "options.h"

#include <uv.h>

struct peers;

struct peers_handlers {
	/* What is in force here, or NULL. */
	const struct manifest *(*in_force)(void *arg);
	/* A peer's newer one, all its files in our folder; the callee's. */
	void (*found)(void *arg, struct manifest *m);
};

/*
 * Whether 'm' may take the place of 'now' (NULL or built in: nothing) on a
 * peer's word: of the same epoch and newer, or there is nothing.
 */
bool peers_is_newer(const struct manifest *m, const struct manifest *now);

/* NULL without --peers and --peer-listen. */
struct peers *peers_new(uv_loop_t *loop, const struct agent_options *o,
    struct folder *folder, const struct peers_handlers *h, void *arg);
/* Asks all of them, once; nothing where they are being asked.  NULL: none. */
void peers_ask(struct peers *p);
/* The control plane has spoken: what peers say does not matter.  NULL: none. */
void peers_forget(struct peers *p);
/* NULL is allowed. */
void peers_close(struct peers *p, void (*closed)(void *arg), void *arg);

#endif
