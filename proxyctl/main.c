/*
 * proxyctl: the operator's command.  Takes the global options out of the
 * command line and calls one row of the table (commands.def).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "base/version.h"
#include "commands.h"
#include "loop/library_memory.h"

#define SOCKET "/run/bulkhead/admin.sock"

#define COMMAND(name, args, min, max, help, more)                              \
	{ #name, args, min, max, help, more, cmd_##name },
static const struct command commands[] = {
#include "commands.def"
};
#undef COMMAND

static const struct command *
find(const char *name)
{
	size_t i;

	for (i = 0; i < countof(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static void
print_help(FILE *out)
{
	size_t i;

	fputs("usage: proxyctl [--socket PATH] [--json] COMMAND [ARGUMENTS]\n"
	      "\n"
	      "Asks and directs the Bulkhead on this machine, and tries "
	      "things offline.\n"
	      "\n",
	    out);
	for (i = 0; i < countof(commands); i++)
		fprintf(
		    out, "  %-10s %s\n", commands[i].name, commands[i].help);
	fputs("\n"
	      "  --socket PATH  the admin socket ($BULKHEAD_SOCKET, " SOCKET
	      ")\n"
	      "  --json         for programs\n"
	      "  --version\n"
	      "\n"
	      "\"proxyctl COMMAND --help\" tells more.  Exit codes: 0 ok, 1 no "
	      "or failed,\n"
	      "2 usage, 3 control plane unreachable.\n",
	    out);
}

static void
print_command_help(const struct command *c)
{
	printf("usage: proxyctl %s%s%s\n\n%s\n", c->name,
	    *c->args == '\0' ? "" : " ", c->args, c->help);
	if (c->more != NULL)
		printf("\n%s", c->more);
}

int
command_usage(const char *name, const char *fmt, ...)
{
	const struct command *c = find(name);
	va_list ap;

	fprintf(stderr, "proxyctl %s: ", name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nusage: proxyctl %s %s\n", name,
	    c == NULL ? "" : c->args);
	return CTL_USAGE;
}

static int
unknown_command(const char *name)
{
	const char *names[countof(commands)], *nearest;
	size_t i;

	for (i = 0; i < countof(commands); i++)
		names[i] = commands[i].name;
	nearest = nearest_name(name, names, countof(names));
	fprintf(stderr, "proxyctl: there is no command %s", name);
	if (nearest != NULL)
		fprintf(stderr, "; did you mean %s?\n", nearest);
	else
		fputs("; see proxyctl --help\n", stderr);
	return CTL_USAGE;
}

/*
 * Takes the global options out of argv (up to "--"); the number of arguments
 * that are left, or -1 for a --socket without its path.
 */
static int
take_globals(struct cli *cli, int argc, char **argv)
{
	int i, n = 0;

	for (i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			cli->json = true;
		} else if (strncmp(argv[i], "--socket=", 9) == 0) {
			cli->socket = argv[i] + 9;
		} else if (strcmp(argv[i], "--socket") == 0) {
			if (++i == argc)
				return -1;
			cli->socket = argv[i];
		} else {
			argv[n++] = argv[i];
		}
	}
	while (i < argc)
		argv[n++] = argv[i++];
	argv[n] = NULL;
	return n;
}

int
main(int argc, char **argv)
{
	struct cli cli = { .socket = getenv("BULKHEAD_SOCKET") };
	const struct command *c;

	library_memory_init();
	argc = take_globals(&cli, argc - 1, argv + 1);
	argv++;
	if (argc < 0) {
		fprintf(stderr, "proxyctl: --socket needs a path\n");
		return CTL_USAGE;
	}
	if (cli.socket == NULL || *cli.socket == '\0')
		cli.socket = SOCKET;
	if (argc == 0) {
		print_help(stderr);
		return CTL_USAGE;
	}
	if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "help") == 0) {
		print_help(stdout);
		return CTL_OK;
	}
	if (strcmp(argv[0], "--version") == 0) {
		puts("proxyctl " BULKHEAD_VERSION);
		return CTL_OK;
	}
	c = find(argv[0]);
	if (c == NULL)
		return unknown_command(argv[0]);
	if (argc >= 2 && strcmp(argv[1], "--help") == 0) {
		print_command_help(c);
		return CTL_OK;
	}
	if (argc - 1 < c->min || (c->max >= 0 && argc - 1 > c->max))
		return command_usage(c->name, "%s",
		    argc - 1 < c->min ? "an argument is missing"
				      : "too many arguments");
	return c->run(&cli, argc, argv);
}
