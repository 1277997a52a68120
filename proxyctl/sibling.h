/* Our other programs: beside proxyctl, or where the packages put them. */
#ifndef PROXYCTL_SIBLING_H
#define PROXYCTL_SIBLING_H

/*
 * Becomes 'program' with 'argv' (NULL at the end; argv[0] is filled in).
 * Returns only when that failed: it was told on standard error.
 */
void sibling_exec(const char *program, char **argv);

#endif
