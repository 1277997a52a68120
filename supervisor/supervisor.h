/*
 * The supervisor: decides which children must run, keeps each alive, answers
 * the operator.  It parses no Docker JSON and renders nothing.
 */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "accepted.h"
#include "cluster.h"
#include "process.h"
#include "removal.h"
#include "retired.h"

#include <sys/types.h>
#include <uv.h>

struct admin;

struct supervisor {
	uv_loop_t *loop;
	struct turns *turns;
	struct accepted *accepted;
	char *run_dir;
	char *bin_dir; /* where our own programs are */
	int lock_fd;
	uid_t uid; /* of the extensions; 0: as we are */
	gid_t gid;
	struct process *reader;
	char *reader_status; /* its last status line, or NULL */
	bool reader_ready;
	bool push;			/* SwarmKit's Watch is in force */
	VEC(struct cluster *) clusters; /* by name */
	struct retired retired;
	struct removals removals;
	struct admin *admin;
	VEC(uv_fs_event_t *) watches;
	uv_timer_t rescan; /* gathers file events, and looks now and then */
	uv_signal_t sigterm, sigint, sighup;
	bool stopping;
	bool finishing;
	int stop_waits;
};

struct supervisor *supervisor_new(
    uv_loop_t *loop, struct accepted *accepted, struct error *e) _warn_unused_;
/*
 * Starts reader, clusters and the admin API.  On failure nothing runs; the
 * loop has to be run empty before supervisor_free().
 */
int supervisor_start(struct supervisor *s, struct error *e) _warn_unused_;
/* Reads the configuration again, now. */
void supervisor_reload(struct supervisor *s);
/* Ordered end; the loop runs empty afterwards. */
void supervisor_stop(struct supervisor *s, const char *why);
void supervisor_free(struct supervisor *s);
/* Ends the loop once everything that was asked to end has ended. */
void supervisor_try_finish(struct supervisor *s);
/* Whether a child's line is {"type":"event",...}. */
bool supervisor_is_event(const char *line);

struct cluster *
supervisor_cluster(const struct supervisor *s, const char *name);
/* Every child is ready and every cluster has its whole state. */
bool supervisor_ready(const struct supervisor *s);
void supervisor_set_log_level(struct supervisor *s, const char *level);

#endif
