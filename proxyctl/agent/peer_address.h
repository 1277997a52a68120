/*
 * Where proxies of a group find each other: the words of --peer-listen and
 * --peers.  Pure but for peer_listen_choose(), which looks at this host's
 * addresses.
 */
#ifndef AGENT_PEER_ADDRESS_H
#define AGENT_PEER_ADDRESS_H

#include "base/error.h"
#include "base/inet.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * "ADDR:PORT", or "SUBNET/BITS:PORT": the address of this host that lies in
 * that network, or "control:PORT": the one that the control server is reached
 * from.  IPv6 in brackets.
 */
struct peer_listen {
	bool control;
	bool subnet;
	struct inet inet;
	uint16_t port;
};

int peer_listen_parse(
    const char *text, struct peer_listen *ret, struct error *e) _warn_unused_;
/* "HOST:PORT,HOST:PORT": every item has both. */
int peers_check(const char *text, struct error *e) _warn_unused_;
/*
 * The item at *text, which moves on: its host (without brackets) and port;
 * false at the end.
 */
bool
peers_next(const char **text, char *ret_host, size_t size, char ret_port[8]);

/* "1.2.3.4:80", "[fd00::1]:80" */
void
peer_format(const struct inet *address, uint16_t port, char *ret, size_t size);

/*
 * The address to listen on and the network it lies in (with its prefix).
 * 'from' is this host's address towards the control server; NULL: not known.
 * -1 where there is none (yet).
 */
int peer_listen_choose(const struct peer_listen *l, const struct inet *from,
    struct inet *ret_address, struct inet *ret_network,
    struct error *e) _warn_unused_;

#endif
