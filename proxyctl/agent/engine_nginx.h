/*
 * What is nginx's own about running it: command lines, the files that differ
 * between proxies, and its words.  No loop, no state.
 */
#ifndef AGENT_ENGINE_NGINX_H
#define AGENT_ENGINE_NGINX_H

#include "base/error.h"
#include "base/str.h"
#include "base/vec.h"
#include "manifest.h"
#include "options.h"
#include "sockets.h"

#include <stdbool.h>

/* Names in the agent's folder; relative, because paths of sockets are short. */
#define ENGINE_INTERNAL_SOCKET "internal.sock"
#define ENGINE_PID_FILE "nginx.pid"
/*
 * While one of these is there, health checks answer 503: from the stop signal
 * on, and until the first configuration is settled, for workers of the
 * built-in one may accept until then.
 */
#define ENGINE_DRAINING_FILE "draining"
#define ENGINE_STARTING_FILE "starting"
#define ENGINE_PROOF_MAX 128

struct engine_command {
	char *argv[16]; /* owned, NULL at the end */
	char *env[8];	/* owned, NULL at the end */
};

/*
 * nginx in the foreground, with sockets on descriptors 3 and up; its working
 * directory must be the agent's folder.
 */
struct engine_command *
engine_nginx_run_command(const struct agent_options *o, int sockets);
/* "nginx -t" of 'folder', which must be its working directory. */
struct engine_command *engine_nginx_check_command(
    const struct agent_options *o, const char *folder, int sockets);
struct engine_command *
engine_nginx_version_command(const struct agent_options *o);
/* "nginx/1.22.1" from what that command wrote. */
void engine_nginx_version(const char *text, size_t len, struct str *ret);
void engine_command_free(struct engine_command *c);

/* What nginx.pid says, or 0. */
int engine_nginx_pid_file(const char *dir);
/* Removes what a killed master leaves and a new one stumbles over. */
void engine_nginx_clear_stale(const char *dir);

struct fragment {
	char path[64];
	char *text;
	size_t len;
	mode_t mode; /* 0: 0644 */
};

struct fragments {
	VEC(struct fragment) list;
	uint32_t workers; /* worker_processes */
	/* What the internal server answers: configuration and fragments. */
	char proof[ENGINE_PROOF_MAX];
};

/*
 * The files of agent/ for manifest 'm'.  'status' is whether it has a status
 * server.  Addresses that the manifest does not use get a placeholder: nginx
 * must go on holding their sockets.
 */
struct fragments *engine_nginx_fragments(
    const struct agent_options *o, const struct manifest *m, bool status);
void fragments_free(struct fragments *f);

/* Serves 503 until the first configuration is there. */
extern const char engine_nginx_builtin[];

/*
 * Whether such words tell of this host (disk, memory, descriptors) and not of
 * the configuration.
 */
bool engine_nginx_words_are_ours(const char *words);
/* Makes what nginx wrote fit for a report: short, no scratch paths. */
void engine_nginx_words(
    const char *text, size_t len, const char *folder, struct str *ret);

#endif
