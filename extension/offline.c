/* The offline modes, from arguments to exit code: see offline.h. */
#include "offline.h"

#include <getopt.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/inet.h"
#include "base/parse.h"
#include "config/template.h"
#include "docker/decode.h"
#include "explain.h"
#include "offline_folder.h"
#include "offline_secrets.h"
#include "render.h"
#include "routing.h"

#define SNAPSHOT_MAX (2048UL * 1024 * 1024)
#define REPORT_MAX (1024UL * 1024 * 1024)

enum mode { MODE_RENDER, MODE_VALIDATE, MODE_EXPLAIN };
static const char *const mode_names[] = { "render", "validate", "explain" };

struct offline {
	enum mode mode;
	const char *cluster_file;
	const char *snapshot_file;
	const char *engine;
	const char *out;
	const char *listen;
	const char *listen_ssl;
	const char *secrets_dir;
	const char *query;
	bool json;

	struct cluster_config *config;
	struct model *model;
	struct offline_secrets secrets;
	struct routing *routing;
};

static int
usage(const struct offline *o, const char *what, const char *value)
{
	fprintf(stderr, "proxyctl %s: %s%s; see proxyctl %s --help\n",
	    mode_names[o->mode], what, value, mode_names[o->mode]);
	return OFFLINE_USAGE;
}

/* "PORT", "A.B.C.D:PORT" or "[V6]:PORT": what nginx's listen takes. */
static bool
is_listen(const char *text)
{
	const char *colon = strrchr(text, ':');
	const char *port = colon == NULL ? text : colon + 1;
	size_t len = colon == NULL ? 0 : (size_t)(colon - text);
	struct inet address;
	uint32_t number;

	if (parse_u32(port, strlen(port), 1, 65535, &number, NULL) != 0)
		return false;
	if (colon == NULL)
		return true;
	if (len > 2 && text[0] == '[' && text[len - 1] == ']')
		return inet_parse(text + 1, len - 2, &address, NULL) == 0 &&
		    address.v6 && address.bits == 128;
	return inet_parse(text, len, &address, NULL) == 0 && !address.v6 &&
	    address.bits == 32;
}

static int
parse_arguments(struct offline *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "cluster", required_argument, NULL, 'c' },
		{ "snapshot", required_argument, NULL, 's' },
		{ "engine", required_argument, NULL, 'e' },
		{ "out", required_argument, NULL, 'o' },
		{ "listen", required_argument, NULL, 'l' },
		{ "listen-ssl", required_argument, NULL, 'L' },
		{ "secrets", required_argument, NULL, 'S' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->cluster_file = optarg;
			break;
		case 's':
			o->snapshot_file = optarg;
			break;
		case 'e':
			o->engine = optarg;
			break;
		case 'o':
			o->out = optarg;
			break;
		case 'l':
			o->listen = optarg;
			break;
		case 'L':
			o->listen_ssl = optarg;
			break;
		case 'S':
			o->secrets_dir = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		case ':':
			return usage(o, "an argument is missing after ",
			    argv[optind - 1]);
		default:
			return usage(o, "unknown option ", argv[optind - 1]);
		}
	}
	if (o->mode == MODE_EXPLAIN && optind < argc)
		o->query = argv[optind++];
	if (optind < argc)
		return usage(o, "unexpected argument ", argv[optind]);
	return OFFLINE_OK;
}

static int
check_arguments(const struct offline *o)
{
	if (o->cluster_file == NULL)
		return usage(o, "--cluster FILE is missing", "");
	if (o->snapshot_file == NULL)
		return usage(o, "--snapshot FILE is missing", "");
	if (o->mode == MODE_EXPLAIN && (o->query == NULL || *o->query == '\0'))
		return usage(o, "SERVICE or HOST[/PATH] is missing", "");
	if (o->mode == MODE_EXPLAIN && o->out != NULL)
		return usage(o, "--out is for render only", "");
	if (o->out != NULL && *o->out == '\0')
		return usage(o, "--out needs a folder", "");
	if (o->engine != NULL && strcmp(o->engine, "nginx") != 0 &&
	    strcmp(o->engine, "haproxy") != 0)
		return usage(
		    o, "the engines are nginx and haproxy, not ", o->engine);
	if (o->listen != NULL && !is_listen(o->listen))
		return usage(
		    o, "not PORT or ADDRESS:PORT: --listen ", o->listen);
	if (o->listen_ssl != NULL && !is_listen(o->listen_ssl))
		return usage(o, "not PORT or ADDRESS:PORT: --listen-ssl ",
		    o->listen_ssl);
	return OFFLINE_OK;
}

static int
load_config(struct offline *o)
{
	struct config_errors errors = { 0 };
	size_t i;

	o->config = cluster_config_load(o->cluster_file, &errors);
	if (o->config != NULL &&
	    config_templates_load(o->config, NULL, &errors) != 0) {
		cluster_config_free(o->config);
		o->config = NULL;
	}
	for (i = 0; i < errors.lines.len; i++)
		fprintf(stderr, "%s\n", errors.lines.at[i]);
	config_errors_fini(&errors);
	if (o->config == NULL)
		return -1;
	if (o->engine != NULL)
		o->config->proxy.engine = strcmp(o->engine, "haproxy") == 0
		    ? ENGINE_HAPROXY
		    : ENGINE_NGINX;
	return 0;
}

static int
load_snapshot(struct offline *o)
{
	struct error e;
	STR_AUTO(text, SNAPSHOT_MAX);

	if (fs_read(o->snapshot_file, &text, &e) != 0) {
		fprintf(stderr, "%s\n", e.msg);
		return -1;
	}
	o->model = docker_decode_snapshot(text.p, text.len, &e);
	if (o->model == NULL) {
		fprintf(stderr, "%s: %s\n", o->snapshot_file, e.msg);
		return -1;
	}
	return 0;
}

static int
print(const struct str *text)
{
	if (fwrite(text->p, 1, text->len, stdout) != text->len ||
	    fflush(stdout) != 0) {
		perror("standard output");
		return OFFLINE_NO;
	}
	return OFFLINE_OK;
}

/* How many descriptors nginx may ask for, 0 = any number. */
static uint64_t
nofile_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
	    limit.rlim_max == RLIM_INFINITY)
		return 0;
	return limit.rlim_max;
}

/* Renders into memory; NULL was told. */
static struct rendered *
render_all(const struct offline *o, const char *dir)
{
	char http[16], https[16];
	struct render_options options = {
		.listen = o->listen,
		.listen_ssl = o->listen_ssl,
		.secrets_dir = o->secrets_dir,
		.dir = dir,
		.workers = cgroup_cpus(),
		.nofile_max = nofile_max(),
	};
	struct error e;
	struct rendered *r;

	(void)snprintf(http, sizeof(http), "%u", o->config->proxy.target_port);
	(void)snprintf(
	    https, sizeof(https), "%u", o->config->proxy.target_ssl_port);
	if (options.listen == NULL)
		options.listen = http;
	if (options.listen_ssl == NULL)
		options.listen_ssl = https;
	if (options.secrets_dir == NULL)
		options.secrets_dir = "/run/secrets";
	r = render(o->config, o->routing, &options, &e);
	if (r == NULL)
		fprintf(stderr, "render: %s\n", e.msg);
	return r;
}

static int
do_render(const struct offline *o)
{
	struct rendered *r;
	struct error e;
	char dir[PATH_MAX];
	int rc = OFFLINE_OK;
	STR_AUTO(report, REPORT_MAX);

	routing_report(&report, o->routing);
	if (o->out == NULL) {
		r = render_all(o, NULL);
		if (r == NULL)
			return OFFLINE_NO;
		rendered_free(r);
		return print(&report);
	}
	if (fs_mkdirs(o->out, 0755, &e) != 0) {
		fprintf(stderr, "%s\n", e.msg);
		return OFFLINE_NO;
	}
	if (realpath(o->out, dir) == NULL) {
		perror(o->out);
		return OFFLINE_NO;
	}
	r = render_all(o, dir);
	if (r == NULL)
		return OFFLINE_NO;
	if (offline_folder_write(dir, r, &report, &e) != 0) {
		fprintf(stderr, "%s\n", e.msg);
		rc = OFFLINE_NO;
	}
	rendered_free(r);
	return rc;
}

/* How many routes each accepted service is in, by its ID. */
static void
count_routes(const struct routing *r, struct map *ret)
{
	size_t i, k;

	for (i = 0; i < r->routes.len; i++) {
		const struct route *route = &r->routes.at[i];

		for (k = 0; k < route->members.len; k++) {
			const char *id =
			    route->members.at[k].service->service->id;
			uintptr_t n = (uintptr_t)map_get(ret, id);

			map_set(ret, id, (void *)(n + 1));
		}
	}
}

static void
line_accepted(
    struct str *out, const struct map *counts, const struct accepted *a)
{
	size_t i, routes = (uintptr_t)map_get(counts, a->service->id);

	str_addf(out, "accepted  %s  %zu route%s, %zu address%s\n",
	    a->service->name, routes, routes == 1 ? "" : "s", a->upstreams.len,
	    a->upstreams.len == 1 ? "" : "es");
	for (i = 0; i < a->remarks.list.len; i++) {
		const struct finding *f = &a->remarks.list.at[i];

		str_addf(out, "          remark %s", reject_code_name(f->code));
		if (f->label != NULL) {
			str_addc(out, ' ');
			str_add_shown(out, f->label);
		}
		str_addf(out, ": %s\n", f->reason);
	}
}

static void
line_rejected(struct str *out, const struct rejected *r)
{
	const struct finding *f = &r->finding;

	str_addf(
	    out, "rejected  %s  %s", r->service, reject_code_name(f->code));
	if (f->label != NULL) {
		str_add(out, "  ");
		str_add_shown(out, f->label);
	}
	if (f->offset >= 0)
		str_addf(out, " at byte %lld", (long long)f->offset);
	str_addf(out, ": %s\n", f->reason);
}

static int
do_validate(const struct offline *o)
{
	struct rendered *r = render_all(o, NULL);
	struct map counts = { 0 };
	size_t i;
	STR_AUTO(out, REPORT_MAX);

	if (r == NULL)
		return OFFLINE_NO;
	rendered_free(r);
	if (o->json) {
		routing_report(&out, o->routing);
	} else {
		count_routes(o->routing, &counts);
		for (i = 0; i < o->routing->accepted.len; i++)
			line_accepted(
			    &out, &counts, o->routing->accepted.at[i]);
		for (i = 0; i < o->routing->rejected.len; i++)
			line_rejected(&out, &o->routing->rejected.at[i]);
		map_fini(&counts);
	}
	if (print(&out) != OFFLINE_OK)
		return OFFLINE_NO;
	return o->routing->rejected.len == 0 ? OFFLINE_OK : OFFLINE_NO;
}

static int
do_explain(const struct offline *o)
{
	enum explain_result result;
	STR_AUTO(out, REPORT_MAX);

	result =
	    explain(&out, o->config, o->model, o->routing, o->query, o->json);
	if (print(&out) != OFFLINE_OK)
		return OFFLINE_NO;
	return (int)result;
}

/* Contents count where the operator says where they are. */
static struct routing *
build(struct offline *o)
{
	struct routing_options options = { 0 };

	offline_secrets_init(
	    &o->secrets, o->secrets_dir, (int64_t)(clock_wall_us() / 1000000));
	if (o->secrets_dir != NULL)
		options.secrets = &o->secrets.book;
	return routing_build(o->config, o->model, &options);
}

static int
run(struct offline *o)
{
	bool loaded = load_config(o) == 0;

	/* Both are read, so that one run tells all that is wrong. */
	loaded = load_snapshot(o) == 0 && loaded;
	if (!loaded)
		return OFFLINE_NO;
	o->routing = build(o);
	switch (o->mode) {
	case MODE_RENDER:
		return do_render(o);
	case MODE_VALIDATE:
		return do_validate(o);
	case MODE_EXPLAIN:
		return do_explain(o);
	}
	return OFFLINE_NO;
}

int
offline_main(int argc, char **argv)
{
	struct offline o = { 0 };
	size_t i;
	int rc;

	for (i = 0; argc > 0 && i < countof(mode_names); i++) {
		if (strcmp(argv[0], mode_names[i]) == 0)
			break;
	}
	if (argc == 0 || i == countof(mode_names)) {
		fprintf(stderr,
		    "bulkhead-extension: --offline is one of render, "
		    "validate, explain\n");
		return OFFLINE_USAGE;
	}
	o.mode = (enum mode)i;
	rc = parse_arguments(&o, argc, argv);
	if (rc == OFFLINE_OK)
		rc = check_arguments(&o);
	if (rc == OFFLINE_OK)
		rc = run(&o);
	routing_free(o.routing);
	offline_secrets_fini(&o.secrets);
	model_free(o.model);
	cluster_config_free(o.config);
	return rc;
}
