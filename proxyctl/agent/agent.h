/*
 * "proxyctl agent": what runs beside an engine.  Fetches its cluster's
 * configuration, checks, applies and reports it, and runs the engine.
 *
 * Two processes of one binary.  The keeper holds the listening sockets, runs
 * nginx and the worker and touches no network; the worker does the rest and
 * may die at any instant.  docs/internals.md, "Agent", has the contract.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

/*
 * argv[0] is "agent".  Returns the exit code: 0 stopped in order, 1 could not
 * start, 2 usage, 78 a setting that no retry can mend.
 */
int agent_main(int argc, char **argv);

#endif
