/*
 * bulkhead-extension: one cluster's routing.  Live, a child of the supervisor
 * (live.h); offline, what proxyctl render, validate and explain run.
 */
#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "live.h"
#include "loop/library_memory.h"
#include "offline.h"

#define EXIT_USAGE 64

static const char help[] =
    "usage: bulkhead-extension --cluster FILE --run-dir DIR\n"
    "       bulkhead-extension --offline render|validate|explain OPTIONS\n"
    "\n"
    "Turns the services of one cluster into its proxies' configuration.\n"
    "Live, it is a child of bulkhead-supervisor.  Offline modes are run by\n"
    "proxyctl, whose help explains them.\n"
    "\n"
    "  --cluster FILE      the cluster's INI file\n"
    "  --run-dir DIR       live: the supervisor's folder\n"
    "  --snapshot FILE     what \"proxyctl snapshot\" wrote\n"
    "  --engine ENGINE     nginx or haproxy, instead of the file's word\n"
    "  --out DIR           render: write the files there\n"
    "  --listen ADDR:PORT  where the engine listens (target_port)\n"
    "  --listen-ssl ADDR:PORT  the same for TLS (target_ssl_port)\n"
    "  --secrets DIR       one file per secret (/run/secrets)\n"
    "  --json              validate: the report; explain: one object\n"
    "  --help, --version\n";

static int
wrong_call(const char *what, const char *value)
{
	fprintf(stderr, "bulkhead-extension: %s%s; see --help\n", what, value);
	return EXIT_USAGE;
}

static int
live_main(int argc, char **argv)
{
	struct live_options o = { 0 };
	int i;

	for (i = 1; i < argc; i += 2) {
		const char **value = strcmp(argv[i], "--cluster") == 0
		    ? &o.cluster_file
		    : strcmp(argv[i], "--run-dir") == 0 ? &o.run_dir
							: NULL;

		if (value == NULL)
			return wrong_call("unknown argument ", argv[i]);
		if (i + 1 == argc)
			return wrong_call("a value is missing after ", argv[i]);
		*value = argv[i + 1];
	}
	if (o.cluster_file == NULL || o.run_dir == NULL)
		return wrong_call("--cluster FILE and --run-dir DIR, or "
				  "--offline",
		    "");
	return extension_live(&o);
}

int
main(int argc, char **argv)
{
	library_memory_init();
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(help, stdout);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("bulkhead-extension " BULKHEAD_VERSION);
		return 0;
	}
	if (argc >= 2 && strcmp(argv[1], "--offline") == 0)
		return offline_main(argc - 2, argv + 2);
	return live_main(argc, argv);
}
