/*
 * proxyctl's commands: one row of commands.def and one function each.  A
 * function gets the arguments behind the global options, argv[0] is its own
 * name, their number was checked against the row; it returns the exit code.
 */
#ifndef PROXYCTL_COMMANDS_H
#define PROXYCTL_COMMANDS_H

#include <stdbool.h>

/* Exit codes (interfaces.md 4). */
enum {
	CTL_OK = 0,
	CTL_NO = 1,	     /* no, or it failed */
	CTL_USAGE = 2,	     /* called wrongly */
	CTL_UNREACHABLE = 3, /* no control plane there */
	CTL_UNKNOWN = 4,     /* explain: nobody knows it */
};

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

#define COMMAND(name, args, min, max, help, more) command_fn cmd_##name;
#include "commands.def"
#undef COMMAND

/*
 * Tells on standard error what is wrong with the call, with the command's
 * usage; returns CTL_USAGE.
 */
int command_usage(const char *name, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
