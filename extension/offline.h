/*
 * The offline product: a configuration file and a snapshot in, files, a
 * report or an explanation out.  Run by proxyctl render, validate, explain.
 */
#ifndef EXTENSION_OFFLINE_H
#define EXTENSION_OFFLINE_H

#include <stdbool.h>

/* Exit codes of the commands (interfaces.md 4). */
enum { OFFLINE_OK = 0, OFFLINE_NO = 1, OFFLINE_USAGE = 2, OFFLINE_UNKNOWN = 4 };

/* "--offline MODE ..." without the first word; the exit code. */
int offline_main(int argc, char **argv);

#endif
