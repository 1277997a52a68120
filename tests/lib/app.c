/*
 * The application of the test image that runs on a real engine: answers any
 * HTTP request on $PORT (8080) with its hostname and $VERSION, and keeps
 * connections open.  Built statically by engine.py; needs nothing in its
 * image.
 *
 * SIGTERM ends it at once, or after $LINGER_MS in which it serves on.
 * $DIE_AFTER_MS: it never serves and fails after that time.  $SLOW_MS: each
 * answer takes that long.
 */
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 1000

static struct pollfd fds[1 + CONNECTIONS];
static nfds_t n_fds = 1;
static volatile sig_atomic_t ending;
static long linger_ms, slow_ms;

static void
on_term(int number)
{
	(void)number;
	if (linger_ms == 0)
		_exit(0);
	ending = 1;
}

static long
milliseconds(const char *name)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 10) : 0;
}

static void
wait_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* Returns 0 where the connection stays. */
static int
answer(int fd, const char *version)
{
	char request[8192], body[512], head[256], host[128] = "", all[1024];
	int stays, len;
	ssize_t n;

	n = read(fd, request, sizeof(request) - 1);
	if (n <= 0)
		return -1;
	request[n] = '\0';
	stays = strstr(request, " HTTP/1.1\r\n") &&
	    !strcasestr(request, "\r\nconnection: close");
	if (slow_ms)
		wait_ms(slow_ms);
	gethostname(host, sizeof(host) - 1);
	len = snprintf(body, sizeof(body),
	    "{\"task\":\"%s\",\"version\":\"%.64s\"}\n", host, version);
	snprintf(head, sizeof(head),
	    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	    "Content-Length: %d\r\nConnection: %s\r\n\r\n",
	    len, stays ? "keep-alive" : "close");
	len = snprintf(all, sizeof(all), "%s%s", head, body);
	if (write(fd, all, (size_t)len) != len)
		return -1;
	return stays ? 0 : -1;
}

static void
accept_one(void)
{
	int fd = accept(fds[0].fd, NULL, NULL);

	if (fd < 0)
		return;
	if (n_fds == 1 + CONNECTIONS) {
		close(fd);
		return;
	}
	fds[n_fds].fd = fd;
	fds[n_fds].revents = 0;
	fds[n_fds++].events = POLLIN;
}

static void
serve(const char *version)
{
	struct timespec start = { 0, 0 }, now;
	nfds_t i;

	for (;;) {
		if (ending && start.tv_sec == 0)
			clock_gettime(CLOCK_MONOTONIC, &start);
		if (ending) {
			clock_gettime(CLOCK_MONOTONIC, &now);
			if ((now.tv_sec - start.tv_sec) * 1000 +
				(now.tv_nsec - start.tv_nsec) / 1000000 >=
			    linger_ms)
				return;
		}
		if (poll(fds, n_fds, 20) <= 0)
			continue;
		for (i = n_fds; i-- > 1;) {
			if (!fds[i].revents || answer(fds[i].fd, version) == 0)
				continue;
			close(fds[i].fd);
			fds[i] = fds[--n_fds];
		}
		if (fds[0].revents)
			accept_one();
	}
}

int
main(void)
{
	const char *port = getenv("PORT"), *version = getenv("VERSION");
	struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
	struct sigaction action = { .sa_handler = on_term };
	int on = 1;

	linger_ms = milliseconds("LINGER_MS");
	slow_ms = milliseconds("SLOW_MS");
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (getenv("DIE_AFTER_MS")) {
		wait_ms(milliseconds("DIE_AFTER_MS"));
		return 1;
	}
	address.sin6_port =
	    htons((unsigned short)strtoul(port ? port : "8080", NULL, 10));
	fds[0].fd = socket(AF_INET6, SOCK_STREAM, 0);
	fds[0].events = POLLIN;
	setsockopt(fds[0].fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fds[0].fd < 0 ||
	    bind(fds[0].fd, (struct sockaddr *)&address, sizeof(address)) !=
		0 ||
	    listen(fds[0].fd, 512) != 0) {
		perror("listen");
		return 1;
	}
	serve(version ? version : "");
	return 0;
}
