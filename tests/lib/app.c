/*
 * The application of the test image that runs on a real engine: answers any
 * HTTP request on $PORT (8080) with its hostname and $VERSION, one connection
 * at a time.  Built statically by engine.py; needs nothing in its image.
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void
on_term(int number)
{
	(void)number;
	_exit(0);
}

static void
answer(int fd, const char *version)
{
	char request[4096], body[512], head[256], host[128] = "";
	ssize_t n;

	n = read(fd, request, sizeof(request) - 1);
	if (n <= 0)
		return;
	gethostname(host, sizeof(host) - 1);
	snprintf(body, sizeof(body),
	    "{\"task\":\"%s\",\"version\":\"%.64s\"}\n", host, version);
	snprintf(head, sizeof(head),
	    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\nConnection: close\r\n\r\n",
	    strlen(body));
	if (write(fd, head, strlen(head)) < 0 ||
	    write(fd, body, strlen(body)) < 0)
		return;
}

int
main(void)
{
	const char *port = getenv("PORT"), *version = getenv("VERSION");
	const char *delay = getenv("DIE_AFTER_MS");
	struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
	struct sigaction action = { .sa_handler = on_term };
	int fd, peer, on = 1;

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (delay) {
		long ms = strtol(delay, NULL, 10);
		struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

		nanosleep(&t, NULL);
		return 1;
	}
	address.sin6_port =
	    htons((unsigned short)strtoul(port ? port : "8080", NULL, 10));
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(fd, 64) != 0) {
		perror("listen");
		return 1;
	}
	while ((peer = accept(fd, NULL, NULL)) >= 0) {
		answer(peer, version ? version : "");
		close(peer);
	}
	return 1;
}
