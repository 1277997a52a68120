/* Listening sockets: see listen_socket.h. */
#include "loop/listen_socket.h"

#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

static int
fail(int fd, const char *address, struct error *e)
{
	int saved = errno;

	if (fd >= 0)
		(void)close(fd);
	return error_errno(e, saved, "listen on %s", address);
}

static int
listen_unix(const char *path, mode_t mode, int backlog, struct error *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct stat st;
	int fd;

	if (strlen(path) >= sizeof(a.sun_path))
		return error_set(e, ENAMETOOLONG,
		    "listen on unix:%s: longer than %zu bytes", path,
		    sizeof(a.sun_path) - 1);
	memcpy(a.sun_path, path, strlen(path));
	/* Only ever a socket: never somebody's file. */
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		return fail(fd, path, e);
	if (chmod(path, mode) != 0 || listen(fd, backlog) != 0) {
		fail(fd, path, e);
		(void)unlink(path);
		return -1;
	}
	return fd;
}

static int
listen_address(
    const struct addrinfo *a, const char *address, int backlog, struct error *e)
{
	int one = 1;
	int fd = socket(a->ai_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(fd, a->ai_addr, a->ai_addrlen) != 0 ||
	    listen(fd, backlog) != 0)
		return fail(fd, address, e);
	return fd;
}

static int
listen_tcp(const char *address, int backlog, struct error *e)
{
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *found = NULL;
	char *copy _cleanup_free_ = xstrdup(address);
	char *colon = strrchr(copy, ':');
	const char *host = copy;
	int rc, fd;

	if (colon == NULL || colon == copy || colon[1] == '\0')
		return error_set(e, EINVAL,
		    "listen on %s: neither HOST:PORT nor unix:PATH", address);
	*colon = '\0';
	if (host[0] == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		host++;
	}
	/* A name server is never asked: it would hold up the loop. */
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	hints.ai_flags |= AI_NUMERICHOST;
	rc = getaddrinfo(host, colon + 1, &hints, &found);
	if (rc != 0)
		return error_set(
		    e, EINVAL, "listen on %s: %s", address, gai_strerror(rc));
	fd = listen_address(found, address, backlog, e);
	freeaddrinfo(found);
	return fd;
}

int
listen_socket(const char *address, mode_t mode, int backlog, bool *ret_local,
    struct error *e)
{
	bool local = strncmp(address, "unix:", 5) == 0;
	int fd = local ? listen_unix(address + 5, mode, backlog, e)
		       : listen_tcp(address, backlog, e);

	if (fd >= 0)
		*ret_local = local;
	return fd;
}
