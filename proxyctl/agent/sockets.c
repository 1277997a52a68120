/* Listening sockets, bound or taken back: see sockets.h. */
#include "sockets.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/parse.h"

/* What nginx assumes of inherited sockets (NGX_LISTEN_BACKLOG). */
#define BACKLOG 511

static int
parse_host(struct listening *l, const char *host, uint16_t port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)&l->sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&l->sa;
	size_t len = strlen(host);
	char inner[INET6_ADDRSTRLEN];

	if (strcmp(host, "*") == 0)
		host = "0.0.0.0";
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		l->sa_len = sizeof(*in);
		return 0;
	}
	if (len < 3 || host[0] != '[' || host[len - 1] != ']' ||
	    len - 2 >= sizeof(inner))
		return -1;
	memcpy(inner, host + 1, len - 2);
	inner[len - 2] = '\0';
	if (inet_pton(AF_INET6, inner, &in6->sin6_addr) != 1)
		return -1;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	l->sa_len = sizeof(*in6);
	return 0;
}

static int
parse_one(struct listening *l, const char *option, const char *address,
    struct error *e)
{
	const char *colon;
	char *host _cleanup_free_ = NULL;
	uint32_t port;

	*l = (struct listening){ .address = address, .fd = -1 };
	if (address == NULL)
		return 0;
	colon = strrchr(address, ':');
	if (colon == NULL)
		return error_set(e, EINVAL,
		    "--%s: %s: write ADDRESS:PORT, such as 127.0.0.1:80",
		    option, address);
	if (parse_u32(colon + 1, strlen(colon + 1), 1, 65535, &port, e) != 0)
		return error_wrap(e, "--%s: %s: port", option, address);
	host = xmemdup0(address, (size_t)(colon - address));
	if (parse_host(l, host, (uint16_t)port) != 0)
		return error_set(e, EINVAL,
		    "--%s: %s: the address must be an IPv4 address, an IPv6 "
		    "address in brackets, or *",
		    option, address);
	return 0;
}

int
sockets_parse(struct sockets *s, const struct agent_options *o, struct error *e)
{
	size_t i, j;

	if (parse_one(&s->at[SOCKET_HTTP], "listen", o->listen, e) != 0 ||
	    parse_one(&s->at[SOCKET_HTTPS], "listen-ssl", o->listen_ssl, e) !=
		0 ||
	    parse_one(&s->at[SOCKET_STATUS], "status-listen", o->status_listen,
		e) != 0 ||
	    parse_one(&s->at[SOCKET_HEALTH], "health-listen", o->health_listen,
		e) != 0)
		return -1;
	for (i = 0; i < SOCKET_ROLES; i++) {
		for (j = 0; j < i; j++) {
			if (s->at[i].address != NULL &&
			    s->at[j].address != NULL &&
			    s->at[i].sa_len == s->at[j].sa_len &&
			    memcmp(&s->at[i].sa, &s->at[j].sa,
				s->at[i].sa_len) == 0)
				return error_set(e, EINVAL,
				    "%s is asked for twice", s->at[i].address);
		}
	}
	return 0;
}

/* The one of ours that 'fd' is, or NULL. */
static struct listening *
match(struct sockets *s, int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa), size = sizeof(int);
	int listens = 0;
	size_t i;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 ||
	    listens == 0)
		return NULL;
	memset(&sa, 0, sizeof(sa));
	if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
		return NULL;
	for (i = 0; i < SOCKET_ROLES; i++) {
		struct listening *l = &s->at[i];

		if (l->address != NULL && l->fd < 0 && l->sa_len == len &&
		    memcmp(&l->sa, &sa, len) == 0)
			return l;
	}
	return NULL;
}

int
sockets_recover(struct sockets *s, int pid, struct error *e)
{
	char path[64];
	const struct dirent *entry;
	struct listening *l;
	int pidfd _cleanup_close_ = pidfd_open(pid, 0);
	int fd, got = 0;
	uint32_t number;
	DIR *dir;

	if (pidfd < 0)
		return error_errno(e, errno, "process %d", pid);
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (dir == NULL)
		return error_errno(e, errno, "%s", path);
	while ((entry = readdir(dir)) != NULL) {
		if (parse_u32(entry->d_name, strlen(entry->d_name), 0,
			INT32_MAX, &number, NULL) != 0)
			continue;
		fd = pidfd_getfd(pidfd, (int)number, 0);
		if (fd < 0 && errno == EPERM) {
			(void)closedir(dir);
			return error_errno(
			    e, EPERM, "descriptors of process %d", pid);
		}
		l = fd < 0 ? NULL : match(s, fd);
		if (l != NULL) {
			l->fd = fd; /* close-on-exec by pidfd_getfd() */
			got++;
		} else if (fd >= 0) {
			(void)close(fd);
		}
	}
	(void)closedir(dir);
	return got;
}

static int
bind_one(struct listening *l, struct error *e)
{
	int on = 1;
	int fd = socket(
	    l->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return error_errno(e, errno, "socket for %s", l->address);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (l->sa.ss_family == AF_INET6)
		(void)setsockopt(
		    fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&l->sa, l->sa_len) != 0) {
		int saved = errno;

		(void)close(fd);
		if (saved == EADDRINUSE)
			return error_set(e, saved,
			    "cannot listen on %s: another program uses this "
			    "port (see: ss -ltnp)",
			    l->address);
		if (saved == EACCES)
			return error_set(e, saved,
			    "cannot listen on %s: a port below 1024 needs "
			    "root or CAP_NET_BIND_SERVICE",
			    l->address);
		return error_errno(e, saved, "cannot listen on %s", l->address);
	}
	l->fd = fd;
	return 0;
}

int
sockets_bind(struct sockets *s, struct error *e)
{
	size_t i;

	for (i = 0; i < SOCKET_ROLES; i++) {
		if (s->at[i].address != NULL && s->at[i].fd < 0 &&
		    bind_one(&s->at[i], e) != 0)
			return -1;
	}
	return 0;
}

int
sockets_listen(struct sockets *s, struct error *e)
{
	size_t i;

	for (i = 0; i < SOCKET_ROLES; i++) {
		if (s->at[i].fd >= 0 && listen(s->at[i].fd, BACKLOG) != 0)
			return error_errno(
			    e, errno, "cannot listen on %s", s->at[i].address);
	}
	return 0;
}

bool
sockets_complete(const struct sockets *s)
{
	size_t i;

	for (i = 0; i < SOCKET_ROLES; i++) {
		if (s->at[i].address != NULL && s->at[i].fd < 0)
			return false;
	}
	return true;
}

void
sockets_close(struct sockets *s)
{
	size_t i;

	for (i = 0; i < SOCKET_ROLES; i++) {
		if (s->at[i].fd >= 0)
			(void)close(s->at[i].fd);
		s->at[i].fd = -1;
	}
}

int
sockets_inherited(int first, int ret[SOCKET_ROLES])
{
	int n, listens;
	socklen_t size;

	for (n = 0; n < SOCKET_ROLES; n++) {
		size = sizeof(listens);
		if (getsockopt(first + n, SOL_SOCKET, SO_ACCEPTCONN, &listens,
			&size) != 0)
			break;
		(void)fcntl(first + n, F_SETFD, FD_CLOEXEC);
		ret[n] = first + n;
	}
	return n;
}
