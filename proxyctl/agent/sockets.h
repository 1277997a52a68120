/*
 * The listening sockets of a proxy.  The keeper binds them, hands them to
 * every nginx it starts (NGINX=fd;fd;), and takes them back from a running
 * one after a restart of its own, so that they outlive each of the parts.
 */
#ifndef AGENT_SOCKETS_H
#define AGENT_SOCKETS_H

#include "base/error.h"
#include "options.h"

#include <stdbool.h>
#include <sys/socket.h>

enum socket_role {
	SOCKET_HTTP,
	SOCKET_HTTPS,
	SOCKET_STATUS,
	SOCKET_HEALTH,
	SOCKET_ROLES
};

struct listening {
	const char *address; /* as given; NULL: not asked for */
	struct sockaddr_storage sa;
	socklen_t sa_len;
	int fd; /* -1: not ours (yet) */
};

struct sockets {
	struct listening at[SOCKET_ROLES];
};

/* Reads the addresses of 'o': "127.0.0.1:80", "[::1]:80", "*:80". */
int sockets_parse(struct sockets *s, const struct agent_options *o,
    struct error *e) _warn_unused_;
/*
 * Takes over what process 'pid' listens on, of what is still missing; the
 * number taken.  -1 where the kernel does not allow it.
 */
int sockets_recover(struct sockets *s, int pid, struct error *e);
/* Binds what is missing.  The message names the address. */
int sockets_bind(struct sockets *s, struct error *e) _warn_unused_;
/* From here on connections queue up: call it when nginx starts. */
int sockets_listen(struct sockets *s, struct error *e) _warn_unused_;
/* True when every address that was asked for has its socket. */
bool sockets_complete(const struct sockets *s);
/* The sockets that a parent left from descriptor 'first' on; their number. */
int sockets_inherited(int first, int ret[SOCKET_ROLES]);
void sockets_close(struct sockets *s);

#endif
