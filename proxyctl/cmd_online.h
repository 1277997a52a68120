/* Commands that ask the running control plane, beyond the table's rows. */
#ifndef PROXYCTL_CMD_ONLINE_H
#define PROXYCTL_CMD_ONLINE_H

#include "commands.h"

/* "explain" without --snapshot; the exit code. */
int explain_online(const struct cli *cli, const char *query);

#endif
