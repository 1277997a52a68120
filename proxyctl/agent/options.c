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
#include "peer_address.h"

#define MAX_DELAY_MS (24ULL * 3600 * 1000)
#define NAME_MAX_LEN 128

enum kind { TEXT, NAME, DURATION, FLAG };

struct option_row {
	const char *name;
	enum kind kind;
	size_t offset;
};

#define O(member) offsetof(struct agent_options, member)

/* Told in commands.def, but for the last, which the keeper adds. */
static const struct option_row rows[] = {
	{ "cluster", NAME, O(cluster) },
	{ "id", NAME, O(id) },
	{ "dir", TEXT, O(dir) },
	{ "control", TEXT, O(control) },
	{ "listen", TEXT, O(listen) },
	{ "listen-ssl", TEXT, O(listen_ssl) },
	{ "status-listen", TEXT, O(status_listen) },
	{ "health-listen", TEXT, O(health_listen) },
	{ "engine", TEXT, O(engine) },
	{ "nginx", TEXT, O(nginx) },
	{ "token-file", TEXT, O(token_file) },
	{ "tls-ca", TEXT, O(tls_ca) },
	{ "tls-cert", TEXT, O(tls_cert) },
	{ "tls-key", TEXT, O(tls_key) },
	{ "peer-listen", TEXT, O(peer_listen) },
	{ "peers", TEXT, O(peers) },
	{ "secrets-dir", TEXT, O(secrets_dir) },
	{ "drain-delay", DURATION, O(drain_delay_ms) },
	{ "stop-grace", DURATION, O(stop_grace_ms) },
	{ "user", TEXT, O(user) },
	{ "log-level", TEXT, O(log_level) },
	{ "log-json", FLAG, O(log_json) },
	{ "worker", FLAG, O(worker) },
};

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

/* What peers are given is the cluster's: never to just anybody. */
static int
check_peers(const struct agent_options *o, struct error *e)
{
	bool tls =
	    o->tls_ca != NULL && o->tls_cert != NULL && o->tls_key != NULL;
	struct peer_listen listen;

	if (o->peer_listen == NULL && o->peers == NULL)
		return 0;
	if (o->token_file == NULL && !tls)
		return error_set(e, EINVAL,
		    "--peer-listen and --peers need --token-file, or --tls-ca, "
		    "--tls-cert and --tls-key");
	if (o->peer_listen != NULL &&
	    peer_listen_parse(o->peer_listen, &listen, e) != 0)
		return error_wrap(e, "--peer-listen");
	if (o->peers != NULL && peers_check(o->peers, e) != 0)
		return error_wrap(e, "--peers");
	return 0;
}

/* In a container the host's name is the container's. */
static void
default_id(struct agent_options *o)
{
	if (o->id == NULL &&
	    gethostname(o->hostname, sizeof(o->hostname) - 1) == 0 &&
	    is_name(o->hostname))
		o->id = o->hostname;
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
		return error_set(
		    e, EINVAL, "--dir: %s is not an absolute path", o->dir);
	if (strcmp(o->engine, "nginx") != 0)
		return error_set(
		    e, EINVAL, "--engine: %s is not known (nginx)", o->engine);
	if (o->log_level != NULL && log_level_parse(o->log_level) < 0)
		return error_set(
		    e, EINVAL, "--log-level: one of error, warn, info, debug");
	if (check_peers(o, e) != 0)
		return -1;
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
			return error_set(
			    e, EINVAL, "%s: no such option", argv[optind - 1]);
		if (take(o, &rows[index], optarg, e) != 0)
			return -1;
	}
	if (optind < argc)
		return error_set(
		    e, EINVAL, "%s: not expected here", argv[optind]);
	default_id(o);
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
	errno = 0;
	pw = getpwnam(o->user);
	if (pw == NULL && errno == ENOMEM)
		oom();
	if (pw == NULL)
		return error_set(
		    e, ENOENT, "--user: there is no user %s here", o->user);
	o->uid = pw->pw_uid;
	o->gid = pw->pw_gid;
	if (geteuid() != 0 && geteuid() != o->uid)
		return error_set(
		    e, EPERM, "--user: only root can become %s", o->user);
	return 0;
}
