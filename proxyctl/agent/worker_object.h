/*
 * The worker as its parts see it: worker.c is its life beside the keeper,
 * worker_poll.c what it asks for and what becomes of that.
 */
#ifndef AGENT_WORKER_OBJECT_H
#define AGENT_WORKER_OBJECT_H

#include "apply.h"
#include "base/backoff.h"
#include "base/log.h"
#include "base/sha256.h"
#include "fetch.h"
#include "folder.h"
#include "link.h"
#include "manifest.h"
#include "options.h"
#include "peers.h"
#include "proof.h"
#include "reporter.h"
#include "secrets.h"
#include "sockets.h"
#include "startup.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct worker {
	const struct agent_options *options;
	uv_loop_t loop;
	struct lines *link;
	struct folder folder;
	struct fetch *fetch;
	struct proof *proof;
	struct apply *apply;
	struct reporter *reporter;
	struct secrets *secrets;
	struct peers *peers;		   /* or NULL */
	char peer_config[SHA256_HEX_SIZE]; /* the last that a peer gave */
	struct manifest_pin pin;	   /* the last word on a rollback */
	unsigned silent;		   /* polls in a row that failed */
	int lock_fd;
	int fds[SOCKET_ROLES];
	int fd_count;
	uv_timer_t poll_timer;	/* when to ask next; the lock before */
	uv_timer_t retry_timer; /* when to try again what failed */
	uv_timer_t beat_timer;
	uv_timer_t peers_timer;
	struct backoff poll_backoff, retry_backoff;
	struct manifest *in_force; /* NULL before the start */
	char have[SHA256_HEX_SIZE];
	struct link_message nginx; /* as the keeper told last */
	struct startup startup;
	bool polling; /* the loop of polls runs */
	uint64_t polled_ms, reloaded_ms;
	struct log_limit poll_limit;
	bool closing;
};

/* worker.c */
void worker_tell_keeper(struct worker *w, const struct link_message *m);

/* worker_poll.c */
extern const struct peers_handlers worker_peers_handlers;
/* Said with each poll from now on. */
void worker_learn_pin(struct worker *w, const struct manifest *m);
/* 'm' is in force from here on; takes it. */
void worker_set_in_force(struct worker *w, struct manifest *m);
/* Of struct apply, 'arg' is the worker. */
void worker_on_apply_done(void *arg, const struct apply_result *r);
/* Of struct secrets, 'arg' is the worker. */
void worker_on_secrets(void *arg);
/* Asks the extension, from now on again and again. */
void worker_poll_next(struct worker *w);
/* Asks the others of the group where the extension says nothing. */
void worker_peers_start(struct worker *w);

#endif
