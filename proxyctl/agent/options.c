/* Command line of keeper and worker: see options.h. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"

#define MAX_DELAY_MS (24ULL * 3600 * 1000)
#define NAME_MAX_LEN 128

enum kind { TEXT, NAME, DURATION, FLAG };

struct option_row {
	const char *name;
	enum kind kind;
	size_t offset;
	const char *value;
	const char *help;
};

#define O(member) offsetof(struct agent_options, member)

static const struct option_row rows[] = {
	{ "cluster", NAME, O(cluster), "NAME", "the service cluster (required)" },
	{ "id", NAME, O(id), "ID", "this proxy's own name (required)" },
	{ "dir", TEXT, O(dir), "DIR", "where it keeps its files (required)" },
	{ "control", TEXT, O(control), "URL",
	    "unix:PATH, http://HOST:PORT or https://HOST:PORT (required)" },
	{ "listen", TEXT, O(listen), "ADDR:PORT", "HTTP (required)" },
	{ "listen-ssl", TEXT, O(listen_ssl), "ADDR:PORT", "HTTPS" },
	{ "status-listen", TEXT, O(status_listen), "ADDR:PORT",
	    "the engine's own counters" },
	{ "health-listen", TEXT, O(health_listen), "ADDR:PORT",
	    "200 while it serves, 503 from the stop signal on" },
	{ "engine", TEXT, O(engine), "NAME", "nginx" },
	{ "nginx", TEXT, O(nginx), "FILE", "the nginx program" },
	{ "token-file", TEXT, O(token_file), "FILE",
	    "token for the control server" },
	{ "tls-ca", TEXT, O(tls_ca), "FILE", "who signed the control server" },
	{ "tls-cert", TEXT, O(tls_cert), "FILE", "our client certificate" },
	{ "tls-key", TEXT, O(tls_key), "FILE", "and its key" },
	{ "secrets-dir", TEXT, O(secrets_dir), "DIR",
	    "certificates and keys (/run/secrets)" },
	{ "drain-delay", DURATION, O(drain_delay_ms), "TIME",
	    "serve on for so long after the stop signal (5s)" },
	{ "stop-grace", DURATION, O(stop_grace_ms), "TIME",
	    "all must be over by then (drain delay + 15s)" },
	{ "user", TEXT, O(user), "NAME",
	    "becomes this user once the sockets are bound" },
	{ "log-level", TEXT, O(log_level), "LEVEL",
	    "error, warn, info or debug" },
	{ "log-json", FLAG, O(log_json), NULL, "one JSON object per log line" },
	{ "help", FLAG, O(help), NULL, "this text" },
	{ "worker", FLAG, O(worker), NULL, NULL },
};

void
agent_options_help(void)
{
	size_t i;

	(void)printf("usage: proxyctl agent --cluster NAME --id ID --dir DIR "
		     "--control URL\n"
		     "                      --listen ADDR:PORT [OPTION...]\n"
		     "Runs an engine and keeps its configuration what the "
		     "cluster's extension says.\n\n");
	for (i = 0; i < countof(rows); i++) {
		if (rows[i].help != NULL)
			(void)printf("  --%s %-*s %s\n", rows[i].name,
			    20 - (int)strlen(rows[i].name),
			    rows[i].value != NULL ? rows[i].value : "",
			    rows[i].help);
	}
}

/* Names appear in configuration text and in URLs: a plain alphabet. */
static bool
is_name(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len <= NAME_MAX_LEN &&
	    strspn(s,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789._-") == len;
}

static int
take(struct agent_options *o, const struct option_row *row, const char *value,
    struct error *e)
{
	char *at = (char *)o + row->offset;

	switch (row->kind) {
	case FLAG:
		*(bool *)(void *)at = true;
		return 0;
	case DURATION:
		if (parse_duration_ms(value, strlen(value), MAX_DELAY_MS,
			(uint64_t *)(void *)at, e) != 0)
			return error_wrap(e, "--%s", row->name);
		return 0;
	case NAME:
		if (!is_name(value))
			return error_set(e, EINVAL,
			    "--%s: only letters, digits, . _ and - (at most "
			    "%d)",
			    row->name, NAME_MAX_LEN);
		break;
	case TEXT:
		if (value[0] == '\0')
			return error_set(e, EINVAL, "--%s: empty", row->name);
		break;
	}
	*(const char **)(void *)at = value;
	return 0;
}

static int
check(struct agent_options *o, struct error *e)
{
	const struct {
		const char *value, *name;
	} required[] = {
		{ o->cluster, "cluster" },
		{ o->id, "id" },
		{ o->dir, "dir" },
		{ o->control, "control" },
		{ o->listen, "listen" },
	};
	size_t i;

	for (i = 0; i < countof(required); i++) {
		if (required[i].value == NULL)
			return error_set(
			    e, EINVAL, "--%s is missing", required[i].name);
	}
	if (o->dir[0] != '/')
		return error_set(e, EINVAL, "--dir: %s is not an absolute path",
		    o->dir);
	if (strcmp(o->engine, "nginx") != 0)
		return error_set(
		    e, EINVAL, "--engine: %s is not known (nginx)", o->engine);
	if (o->log_level != NULL && log_level_parse(o->log_level) < 0)
		return error_set(e, EINVAL,
		    "--log-level: one of error, warn, info, debug");
	if (o->stop_grace_ms == UINT64_MAX)
		o->stop_grace_ms = o->drain_delay_ms + 15000;
	return 0;
}

int
agent_options_parse(
    struct agent_options *o, int argc, char **argv, struct error *e)
{
	struct option longs[countof(rows) + 1];
	size_t i;
	int c, index = 0;

	*o = (struct agent_options){
		.engine = "nginx",
		.secrets_dir = "/run/secrets",
		.drain_delay_ms = 5000,
		.stop_grace_ms = UINT64_MAX,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.argc = argc,
		.argv = argv,
	};
	memset(longs, 0, sizeof(longs));
	for (i = 0; i < countof(rows); i++) {
		longs[i].name = rows[i].name;
		longs[i].has_arg =
		    rows[i].kind == FLAG ? no_argument : required_argument;
	}
	optind = 0;
	opterr = 0;
	for (;;) {
		c = getopt_long(argc, argv, "+:", longs, &index);
		if (c == -1)
			break;
		if (c == ':')
			return error_set(
			    e, EINVAL, "%s needs a value", argv[optind - 1]);
		if (c != 0)
			return error_set(e, EINVAL, "%s: no such option",
			    argv[optind - 1]);
		if (take(o, &rows[index], optarg, e) != 0)
			return -1;
	}
	if (o->help)
		return 0;
	if (optind < argc)
		return error_set(
		    e, EINVAL, "%s: not expected here", argv[optind]);
	return check(o, e);
}

int
agent_options_resolve(struct agent_options *o, struct error *e)
{
	static const char *const places[] = { "/usr/sbin/nginx",
		"/usr/local/sbin/nginx", "/usr/bin/nginx",
		"/usr/local/nginx/sbin/nginx" };
	const struct passwd *pw;
	size_t i;

	for (i = 0; o->nginx == NULL && i < countof(places); i++) {
		if (access(places[i], X_OK) == 0)
			o->nginx = places[i];
	}
	if (o->nginx == NULL)
		return error_set(e, ENOENT,
		    "nginx is not installed (looked in /usr/sbin and the "
		    "like): install it or name it with --nginx");
	if (access(o->nginx, X_OK) != 0)
		return error_errno(e, errno, "--nginx: %s", o->nginx);
	if (o->user == NULL)
		return 0;
	pw = getpwnam(o->user);
	if (pw == NULL)
		return error_set(
		    e, ENOENT, "--user: there is no user %s here", o->user);
	o->uid = pw->pw_uid;
	o->gid = pw->pw_gid;
	if (geteuid() != 0 && geteuid() != o->uid)
		return error_set(e, EPERM,
		    "--user: only root can become %s", o->user);
	return 0;
}
