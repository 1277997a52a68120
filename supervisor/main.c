/*
 * bulkhead-supervisor: arguments in, one of its roles out.
 *
 * The supervisor proper, the reader (the same binary with another role), or a
 * check of configuration files.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "accepted.h"
#include "base/log.h"
#include "base/version.h"
#include "config/check.h"
#include "loop/child_abi.h"
#include "loop/library_memory.h"
#include "reader.h"
#include "supervisor.h"

#define DEFAULT_CONFIG "/etc/bulkhead/bulkhead.ini"

static const char usage[] =
    "usage: bulkhead-supervisor [-c FILE] [--check]\n"
    "       bulkhead-supervisor --check-file FILE...\n"
    "       bulkhead-supervisor --snapshot --docker URL [--full]\n"
    "\n"
    "Layer-7 routing for Docker Swarm: one extension process and one group\n"
    "of proxies per service cluster, configured by one INI file each.\n"
    "\n"
    "  -c, --config FILE     bulkhead.ini (" DEFAULT_CONFIG ")\n"
    "      --check           check it and every cluster file, then exit:\n"
    "                        0 all right, 1 not\n"
    "      --check-file      check single files, of either kind; --json: for\n"
    "                        programs\n"
    "      --snapshot        print what the Engine at URL has, for proxyctl\n"
    "                        render; Env, Args and data hidden but for --full\n"
    "      --sample KIND     print a sample file: bulkhead or cluster\n"
    "  -h, --help\n"
    "  -V, --version\n"
    "\n"
    "SIGHUP reads the configuration again (changed files are also seen by\n"
    "themselves); SIGTERM ends in order.  Exit 78: a bad configuration.\n"
    "See bulkhead-supervisor(8) and bulkhead.ini(5).\n";

struct arguments {
	const char *config;
	const char *sample;
	bool check;
	bool check_files;
	bool json;
	bool snapshot;
	bool full;
	const char *docker;
};

enum {
	OPT_CHECK = 256,
	OPT_CHECK_FILE,
	OPT_JSON,
	OPT_SAMPLE,
	OPT_SNAPSHOT,
	OPT_DOCKER,
	OPT_FULL
};

/* -1: go on; otherwise the exit code. */
static int
parse_arguments(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, OPT_CHECK },
		{ "check-file", no_argument, NULL, OPT_CHECK_FILE },
		{ "json", no_argument, NULL, OPT_JSON },
		{ "sample", required_argument, NULL, OPT_SAMPLE },
		{ "snapshot", no_argument, NULL, OPT_SNAPSHOT },
		{ "docker", required_argument, NULL, OPT_DOCKER },
		{ "full", no_argument, NULL, OPT_FULL },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			a->config = optarg;
			break;
		case OPT_CHECK:
			a->check = true;
			break;
		case OPT_CHECK_FILE:
			a->check_files = true;
			break;
		case OPT_JSON:
			a->json = true;
			break;
		case OPT_SAMPLE:
			a->sample = optarg;
			break;
		case OPT_SNAPSHOT:
			a->snapshot = true;
			break;
		case OPT_DOCKER:
			a->docker = optarg;
			break;
		case OPT_FULL:
			a->full = true;
			break;
		case 'h':
			(void)fputs(usage, stdout);
			return 0;
		case 'V':
			(void)printf(
			    "bulkhead-supervisor %s\n", BULKHEAD_VERSION);
			return 0;
		default:
			(void)fputs(
			    "try: bulkhead-supervisor --help\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc && !a->check_files) {
		(void)fprintf(stderr,
		    "bulkhead-supervisor: unexpected \"%s\"; try --help\n",
		    argv[optind]);
		return EXIT_USAGE;
	}
	return -1;
}

/* {"ok":BOOL,"lines":[...]}: what the text form says, line by line. */
static void
print_report_json(bool ok, const char *report)
{
	STR_AUTO(out, CONFIG_FILE_MAX * 8);
	const char *line = report;

	str_addf(&out, "{\"ok\":%s,\"lines\":[", ok ? "true" : "false");
	while (*line != '\0') {
		size_t n = strcspn(line, "\n");

		if (line != report)
			str_addc(&out, ',');
		str_add_json(&out, line, n);
		line += n + (line[n] != '\0');
	}
	str_add(&out, "]}\n");
	(void)fputs(out.p, stdout);
}

static int
check_files(int argc, char **argv, bool json)
{
	STR_AUTO(report, CONFIG_FILE_MAX * 4);
	int rc;

	if (optind == argc) {
		(void)fputs("--check-file: name the files to check\n", stderr);
		return 2;
	}
	rc =
	    config_check_files(argv + optind, (size_t)(argc - optind), &report);
	if (json)
		print_report_json(rc == 0, report.p);
	else
		(void)fputs(report.p, rc == 0 ? stdout : stderr);
	return rc == 0 ? 0 : 1;
}

static int
print_sample(const char *kind)
{
	STR_AUTO(text, CONFIG_FILE_MAX);

	if (strcmp(kind, "bulkhead") == 0) {
		daemon_config_sample(&text);
	} else if (strcmp(kind, "cluster") == 0) {
		cluster_config_sample(&text);
	} else {
		(void)fputs("--sample: bulkhead or cluster\n", stderr);
		return EXIT_USAGE;
	}
	(void)fputs(text.p, stdout);
	return 0;
}

static void
print_lines(const struct config_errors *errors)
{
	size_t i;

	for (i = 0; i < errors->lines.len; i++)
		(void)fprintf(stderr, "%s\n", errors->lines.at[i]);
}

/* Checks all files as the supervisor would read them, writing nothing. */
static int
check(const char *path)
{
	struct config_errors errors = { 0 };
	size_t clusters = 0;
	int rc = accepted_check(path, &clusters, &errors);

	print_lines(&errors);
	config_errors_fini(&errors);
	if (rc == 0)
		(void)printf("%s: good, with %zu cluster%s\n", path, clusters,
		    clusters == 1 ? "" : "s");
	return rc == 0 ? 0 : 1;
}

static int
run(const char *path)
{
	struct config_errors errors = { 0 };
	struct accepted *accepted = accepted_open(path, &errors);
	struct supervisor *s;
	struct error e;
	uv_loop_t loop;
	int rc;

	if (accepted == NULL) {
		print_lines(&errors);
		config_errors_fini(&errors);
		return EXIT_BAD_CONFIG;
	}
	log_set_level(
	    (enum log_level)log_level_parse(accepted->daemon->log.level));
	log_set_json(strcmp(accepted->daemon->log.format, "json") == 0);
	must(uv_loop_init(&loop) == 0);
	s = supervisor_new(&loop, accepted, &e);
	if (s == NULL) {
		log_error("cannot start: %s", e.msg);
		accepted_free(accepted);
		must(uv_loop_close(&loop) == 0);
		return 1;
	}
	rc = supervisor_start(s, &e);
	if (rc != 0)
		log_error("cannot start: %s", e.msg);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	supervisor_free(s);
	must(uv_loop_close(&loop) == 0);
	if (rc == 0)
		log_info("ended");
	return rc == 0 ? 0 : 1;
}

/* "--role reader --run-dir DIR": as the supervisor starts it. */
static int
role(int argc, char **argv)
{
	struct reader_options o = { 0 };

	child_enter();
	if (argc != 5 || strcmp(argv[2], "reader") != 0 ||
	    strcmp(argv[3], "--run-dir") != 0) {
		(void)fputs("bulkhead-supervisor: --role is for its own "
			    "children\n",
		    stderr);
		return EXIT_USAGE;
	}
	o.run_dir = argv[4];
	return reader_main(&o);
}

static int
snapshot(const struct arguments *a)
{
	if (a->docker == NULL) {
		(void)fputs("--snapshot: which Engine? --docker "
			    "unix:///var/run/docker.sock\n",
		    stderr);
		return 2;
	}
	return reader_print_snapshot(a->docker, a->full);
}

int
main(int argc, char **argv)
{
	struct arguments a = { .config = DEFAULT_CONFIG };
	int rc;

	library_memory_init();
	if (argc > 1 && strcmp(argv[1], "--role") == 0)
		return role(argc, argv);
	rc = parse_arguments(argc, argv, &a);
	if (rc >= 0)
		return rc;
	if (a.snapshot)
		return snapshot(&a);
	if (a.sample != NULL)
		return print_sample(a.sample);
	if (a.check_files)
		return check_files(argc, argv, a.json);
	if (a.check)
		return check(a.config);
	log_init("bulkhead-supervisor", NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	return run(a.config);
}
