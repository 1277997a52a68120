/*
 * proxyctl's commands: one row each, one function each.  A function gets the
 * arguments behind the global options, argv[0] is its own name, their number
 * was checked against the row; it returns the exit code (interfaces.md 4).
 */
#ifndef PROXYCTL_COMMANDS_H
#define PROXYCTL_COMMANDS_H

#include <stdbool.h>

/* Global options, allowed before and behind the command. */
struct cli {
	const char *socket; /* --socket, $BULKHEAD_SOCKET, or the default */
	bool json;	    /* --json */
};

typedef int command_fn(const struct cli *cli, int argc, char **argv);

struct command {
	const char *name;
	const char *args; /* "[CLUSTER]", for the usage line */
	int min;	  /* arguments behind the name */
	int max;	  /* -1: any; the command parses options of its own */
	const char *help; /* one line */
	const char *more; /* paragraphs of --help, or NULL */
	command_fn *run;
};

#endif
