/* The agent's command line, shared by keeper and worker. */
#ifndef AGENT_OPTIONS_H
#define AGENT_OPTIONS_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Strings are borrowed from argv. */
struct agent_options {
	char hostname[256];
	const char *cluster;
	const char *id;	 /* not given: the host's name */
	const char *dir; /* absolute; the working directory of all parts */
	const char *control;
	const char *engine;
	const char *nginx; /* path of the program */
	const char *listen;
	const char *listen_ssl;
	const char *status_listen;
	const char *health_listen;
	const char *token_file;
	const char *tls_ca, *tls_cert, *tls_key;
	const char *peer_listen; /* see peer_address.h; or NULL */
	const char *peers;	 /* "HOST:PORT,..."; or NULL */
	const char *secrets_dir;
	const char *user;
	const char *log_level;
	uint64_t drain_delay_ms;
	uint64_t stop_grace_ms; /* from the signal to the end */
	bool log_json;
	bool worker;
	uid_t uid; /* of 'user'; (uid_t)-1 without it */
	gid_t gid;
	int argc; /* as given, for the worker */
	char **argv;
};

/* -1 with 'e' on a wrong command line. */
int agent_options_parse(struct agent_options *o, int argc, char **argv,
    struct error *e) _warn_unused_;
/* Looks up what the machine must have: user, program.  Keeper only. */
int
agent_options_resolve(struct agent_options *o, struct error *e) _warn_unused_;

#endif
