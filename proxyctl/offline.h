/* The commands that bulkhead-extension does: render, validate, explain. */
#ifndef PROXYCTL_OFFLINE_H
#define PROXYCTL_OFFLINE_H

#include "commands.h"

/* Runs "bulkhead-extension --offline NAME ..."; returns only on failure. */
int offline_exec(const struct cli *cli, int argc, char **argv);

#endif
