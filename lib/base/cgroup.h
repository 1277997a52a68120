/* How much of the machine this process may use: cgroup v1 and v2. */
#ifndef BASE_CGROUP_H
#define BASE_CGROUP_H

#include <stddef.h>
#include <stdint.h>

/*
 * Processors worth using: the smallest quota from the own group up to the
 * root of what can be seen, rounded up, at most those that the scheduler
 * gives us; at least 1.
 */
uint32_t cgroup_cpus(void);

/*
 * The same from files below 'root' (which has proc/self/cgroup and
 * sys/fs/cgroup); 'online' is what the scheduler gives.  For tests.
 */
uint32_t cgroup_cpus_at(const char *root, uint32_t online);

/*
 * A quota from the text of v2's cpu.max ("150000 100000", "max 100000") or
 * v1's quota and period; 0 where there is none or it makes no sense.
 */
uint32_t cgroup_parse_max(const char *text, size_t len);

#endif
