/*
 * bulkhead-extension: one cluster's routing.  Live, a child of the supervisor
 * (live.h); offline, what proxyctl render, validate and explain run.
 */
#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "offline.h"

#define EXIT_USAGE 64

static const char help[] =
    "usage: bulkhead-extension --offline render|validate|explain OPTIONS\n"
    "\n"
    "Turns the services of one cluster into its proxies' configuration.\n"
    "Offline modes are run by proxyctl, whose help explains them.\n"
    "\n"
    "  --cluster FILE      the cluster's INI file\n"
    "  --snapshot FILE     what \"proxyctl snapshot\" wrote\n"
    "  --engine ENGINE     nginx or haproxy, instead of the file's word\n"
    "  --out DIR           render: write the files there\n"
    "  --listen ADDR:PORT  where the engine listens (target_port)\n"
    "  --listen-ssl ADDR:PORT  the same for TLS (target_ssl_port)\n"
    "  --secrets DIR       one file per secret (/run/secrets)\n"
    "  --json              validate: the report; explain: one object\n"
    "  --help, --version\n";

int
main(int argc, char **argv)
{
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
	fprintf(stderr,
	    "bulkhead-extension: what to do? see bulkhead-extension "
	    "--help\n");
	return EXIT_USAGE;
}
