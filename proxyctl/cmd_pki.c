/*
 * proxyctl pki: an authority, a certificate for the control plane and one
 * for the agents.  names.env tells a hash of each, so that a stack file can
 * name every Docker secret by its content: a rotation is a new secret.
 * --renew keeps the authority, so that what was made before is believed
 * beside what is new until everybody has it.
 */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/parse.h"
#include "base/sha256.h"
#include "base/vec.h"
#include "commands.h"
#include "crypto/certificate.h"
#include "crypto/issue.h"

#define DAY_S (24 * 3600)
#define DAYS_MAX 36500
#define HASH_LEN 12
#define ENV_MAX 4096
#define PEM_MAX ((size_t)64 * 1024)
/* Clocks of nodes differ. */
#define EARLIER_S 3600

struct options {
	const char *dir;
	VEC(char *) names;
	uint32_t days;
	bool force;
	bool renew;
};

struct item {
	const char *file;     /* without .pem and .key */
	const char *variable; /* BULKHEAD_..._CERT and _KEY */
	struct issue_request request;
	struct issued *made;
};

/* What deploy/stack.yml calls the supervisor, and a trial on one machine. */
static const char *const default_names[] = { "bulkhead-control", "supervisor",
	"bulkhead_supervisor", "localhost", "127.0.0.1" };

/* One of a kind; a copy. */
static void
add_name(struct options *o, const char *name)
{
	for (size_t i = 0; i < o->names.len; i++) {
		if (strcmp(o->names.at[i], name) == 0)
			return;
	}
	vec_push(&o->names, xstrdup(name));
}

static int
parse_options(int argc, char **argv, struct options *o)
{
	struct error e;

	for (int i = 1; i < argc; i++) {
		const char *a = argv[i];
		bool name = strcmp(a, "--name") == 0;

		if (strcmp(a, "--force") == 0) {
			o->force = true;
		} else if (strcmp(a, "--renew") == 0) {
			o->renew = true;
		} else if (name || strcmp(a, "--days") == 0) {
			if (++i == argc || argv[i][0] == '\0')
				return command_usage(
				    "pki", "%s needs a value", a);
			if (name)
				add_name(o, argv[i]);
			else if (parse_u32(argv[i], strlen(argv[i]), 1,
				     DAYS_MAX, &o->days, &e) != 0)
				return command_usage(
				    "pki", "--days: %s", e.msg);
		} else if (a[0] == '-') {
			return command_usage("pki", "unknown option %s", a);
		} else if (o->dir != NULL) {
			return command_usage("pki", "one folder at a time");
		} else {
			o->dir = a;
		}
	}
	if (o->dir == NULL)
		return command_usage("pki", "a folder is missing");
	if (o->force && o->renew)
		return command_usage("pki",
		    "--force makes a new authority, --renew keeps it: one of "
		    "both");
	return 0;
}

static char *
path_of(const struct options *o, const struct item *x, const char *suffix)
{
	return xasprintf("%s/%s%s", o->dir, x->file, suffix);
}

static int
check_free(const struct options *o, const struct item *items, size_t n,
    struct error *e)
{
	for (size_t i = 0; i < n && !o->force && !o->renew; i++) {
		char *cert _cleanup_free_ = path_of(o, &items[i], ".pem");
		char *key _cleanup_free_ = path_of(o, &items[i], ".key");

		if (access(cert, F_OK) == 0 || access(key, F_OK) == 0)
			return error_set(e, EEXIST,
			    "%s is there already; nothing was written (--renew"
			    " keeps the authority, --force replaces all)",
			    access(cert, F_OK) == 0 ? cert : key);
	}
	return 0;
}

static void
add_hash(struct str *env, const struct item *x, const char *what,
    const char *content)
{
	char hash[SHA256_HEX_SIZE];

	sha256_hex(content, strlen(content), hash);
	str_addf(
	    env, "BULKHEAD_%s_%s=%.*s\n", x->variable, what, HASH_LEN, hash);
}

static int
write_item(const struct options *o, const struct item *x, struct str *env,
    struct error *e)
{
	char *cert _cleanup_free_ = path_of(o, x, ".pem");
	char *key _cleanup_free_ = path_of(o, x, ".key");
	const char *cert_pem = issued_certificate(x->made);
	const char *key_pem = issued_key(x->made);

	add_hash(env, x, "CERT", cert_pem);
	if (x->request.kind != ISSUE_AUTHORITY)
		add_hash(env, x, "KEY", key_pem);
	if (o->renew && x->request.kind == ISSUE_AUTHORITY)
		return 0;
	/* The key first: a certificate without one is of no use. */
	return fs_write(key, key_pem, strlen(key_pem), 0600, e) != 0 ||
		fs_write(cert, cert_pem, strlen(cert_pem), 0644, e) != 0
	    ? -1
	    : 0;
}

/* The item that is there, its key only where it is to sign. */
static struct issued *
load(const struct options *o, const struct item *x, struct error *e)
{
	bool signs = x->request.kind == ISSUE_AUTHORITY;
	char *cert _cleanup_free_ = path_of(o, x, ".pem");
	char *key _cleanup_free_ = path_of(o, x, ".key");
	STR_AUTO(cert_pem, PEM_MAX);
	STR_AUTO(key_pem, PEM_MAX);
	struct issued *made;

	if (fs_read(cert, &cert_pem, e) != 0 ||
	    (signs && fs_read(key, &key_pem, e) != 0))
		return NULL;
	made = issue_load(cert_pem.p, signs ? key_pem.p : NULL, signs, e);
	if (made == NULL)
		(void)error_wrap(e, "%s", cert);
	return made;
}

/*
 * The authority as it is.  Nothing lasts longer than it, and what agents
 * dialled by goes on being a name of the control plane.
 */
static int
prepare_renewal(
    struct options *o, struct item *items, size_t n, struct error *e)
{
	struct issued *old = NULL;
	char *name;

	items[0].made = load(o, &items[0], e);
	if (items[0].made == NULL)
		return -1;
	items[0].request.until_s = issued_until_s(items[0].made);
	if (items[0].request.until_s <= (int64_t)time(NULL))
		return error_set(e, EINVAL,
		    "the authority has expired: --force makes another");
	for (size_t i = 1; i < n; i++) {
		if (items[i].request.until_s > items[0].request.until_s)
			items[i].request.until_s = items[0].request.until_s;
	}
	old = load(o, &items[1], e);
	if (old == NULL)
		return -1;
	for (size_t i = 0; (name = issued_name(old, i)) != NULL; i++) {
		add_name(o, name);
		free(name);
	}
	issued_free(old);
	return 0;
}

static int
make_all(struct options *o, struct item *items, size_t n, struct error *e)
{
	char *names _cleanup_free_ = xasprintf("%s/names.env", o->dir);
	STR_AUTO(env, ENV_MAX);

	if (o->renew && prepare_renewal(o, items, n, e) != 0)
		return -1;
	items[1].request.names = (const char *const *)o->names.at;
	items[1].request.names_len = o->names.len;
	for (size_t i = o->renew ? 1 : 0; i < n; i++) {
		items[i].made =
		    issue(&items[i].request, i == 0 ? NULL : items[0].made, e);
		if (items[i].made == NULL)
			return -1;
	}
	if (fs_mkdirs(o->dir, 0700, e) != 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (write_item(o, &items[i], &env, e) != 0)
			return -1;
	return fs_write(names, env.p, env.len, 0644, e);
}

static void
tell(const struct cli *cli, const struct options *o, const struct item *items,
    size_t n)
{
	STR_AUTO(out, 65536);

	if (cli->json)
		str_add(&out, "{\"made\":[");
	for (size_t i = 0; i < n; i++) {
		char *cert _cleanup_free_ = path_of(o, &items[i], ".pem");
		char *key _cleanup_free_ = path_of(o, &items[i], ".key");
		char date[16];

		certificate_date(items[i].request.until_s, date);
		if (!cli->json) {
			str_addf(&out, "%s  until %s: %s; its key: %s\n", cert,
			    date, items[i].request.common_name, key);
			continue;
		}
		str_addf(
		    &out, "%s{\"expires\":\"%s\"", i == 0 ? "" : ",", date);
		str_add_member(&out, "name", items[i].request.common_name);
		str_add_member(&out, "cert", cert);
		str_add_member(&out, "key", key);
		str_addc(&out, '}');
	}
	if (cli->json)
		str_add(&out, "]}\n");
	else
		str_addf(&out,
		    "%s/names.env  what a stack file names its secrets by\n"
		    "Keep %s/ca.key off the Swarm: who has it can make "
		    "agents.\n",
		    o->dir, o->dir);
	fputs(out.p, stdout);
}

static int
make(const struct cli *cli, struct options *o)
{
	int64_t now = (int64_t)time(NULL);
	struct issue_request base = { .from_s = now - EARLIER_S,
		.until_s = now + (int64_t)o->days * DAY_S };
	struct item items[] = { { "ca", "CA", base, NULL },
		{ "control", "CONTROL", base, NULL },
		{ "agent", "AGENT", base, NULL } };
	struct error e;
	int code = CTL_OK;

	items[0].request.kind = ISSUE_AUTHORITY;
	items[0].request.common_name = "Bulkhead control plane authority";
	items[1].request.kind = ISSUE_SERVER;
	items[1].request.common_name = "Bulkhead control plane";
	items[2].request.kind = ISSUE_CLIENT;
	items[2].request.common_name = "Bulkhead agent";
	if (check_free(o, items, countof(items), &e) != 0 ||
	    make_all(o, items, countof(items), &e) != 0) {
		fprintf(stderr, "proxyctl pki: %s\n", e.msg);
		code = CTL_NO;
	} else {
		tell(cli, o, items, countof(items));
	}
	for (size_t i = 0; i < countof(items); i++)
		issued_free(items[i].made);
	return code;
}

int
cmd_pki(const struct cli *cli, int argc, char **argv)
{
	struct options o = { .days = 3650 };
	int code = parse_options(argc, argv, &o);

	for (size_t i = 0; code == 0 && i < countof(default_names); i++)
		add_name(&o, default_names[i]);
	if (code == 0)
		code = make(cli, &o);
	for (size_t i = 0; i < o.names.len; i++)
		free(o.names.at[i]);
	vec_fini(&o.names);
	return code;
}
