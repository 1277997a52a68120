/*
 * load: asks an HTTP server at a steady rate and counts what it meets.
 *
 *   load --to ADDRESS:PORT --host NAME [--path /] [--method GET]
 *        [--rate 1000] [--keepalive N] [--expect TEXT] [--seconds N]
 *
 * One request per connection; with --keepalive, N connections in turn.  Ends
 * after N seconds or at SIGTERM and prints one line of JSON.  A connection
 * that the server closed between two requests is opened again and is no
 * failure; one that ends with a request under way and no byte answered is
 * "raced" where it was used before (what a client repeats), else "reset".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define CONNECTIONS 4096
#define ANSWER_MAX 16384
#define TIMEOUT_US (5 * 1000000ull)
#define SLOTS 20000 /* of the latencies, 50 us each */
#define NOTES 20

enum outcome { OK, STATUS, REFUSED, RESET, RACED, TIMEOUT, MISROUTED, KINDS };
static const char *const outcome_names[] = { "ok", "status", "refused", "reset",
	"raced", "timeout", "misrouted" };

struct connection {
	int fd;	   /* -1: none */
	bool busy; /* a request is under way */
	bool used; /* answered one before */
	uint64_t since_us;
	size_t have;
	char answer[ANSWER_MAX];
};

static struct {
	struct sockaddr_in to;
	const char *host, *path, *method, *expect;
	uint64_t rate, keepalive, seconds;
	char request[1024];
	size_t request_len;
	int epoll;
	uint64_t start_us, started, late;
	uint64_t count[KINDS];
	uint64_t statuses[600];
	uint64_t slots[SLOTS + 1];
	uint64_t slowest_us;
	struct {
		uint64_t at_us;
		enum outcome what;
		int detail;
	} notes[NOTES];
	size_t n_notes;
	struct connection *all;
	size_t n_all;
} load;

static void
note(enum outcome what, int detail)
{
	load.count[what]++;
	if (what == OK || load.n_notes == NOTES)
		return;
	load.notes[load.n_notes].at_us = clock_mono_us() - load.start_us;
	load.notes[load.n_notes].what = what;
	load.notes[load.n_notes++].detail = detail;
}

static void
drop(struct connection *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->busy = false;
	c->used = false;
}

static void
end_badly(struct connection *c, enum outcome what, int detail)
{
	if (what == RESET && c->used && c->have == 0)
		what = RACED;
	note(what, detail);
	drop(c);
}

static void
send_request(struct connection *c)
{
	ssize_t n = send(
	    c->fd, load.request, load.request_len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n != (ssize_t)load.request_len)
		end_badly(c, RESET, errno);
}

static int
open_connection(struct connection *c)
{
	struct epoll_event event = { .events = EPOLLOUT, .data.ptr = c };
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		note(REFUSED, errno);
		return -1;
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->used = false;
	if (connect(c->fd, (struct sockaddr *)&load.to, sizeof(load.to)) < 0 &&
	    errno != EINPROGRESS) {
		note(REFUSED, errno);
		drop(c);
		return -1;
	}
	if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &event) < 0) {
		perror("load: epoll");
		exit(1);
	}
	return 0;
}

/* A connection that has nothing to do, or NULL. */
static struct connection *
idle(void)
{
	static size_t next;
	size_t i;

	for (i = 0; i < load.n_all; i++) {
		struct connection *c = &load.all[next++ % load.n_all];

		if (!c->busy)
			return c;
	}
	return NULL;
}

static void
start_request(void)
{
	struct connection *c = idle();

	load.started++;
	if (!c) {
		load.late++;
		return;
	}
	c->since_us = clock_mono_us();
	c->have = 0;
	c->busy = true;
	if (c->fd >= 0)
		send_request(c);
	else if (open_connection(c) < 0)
		c->busy = false;
}

/* Length of the whole answer, or 0 while it cannot be told. */
static size_t
answer_length(const struct connection *c)
{
	const char *body = strstr(c->answer, "\r\n\r\n");
	const char *length = strcasestr(c->answer, "\r\ncontent-length:");

	if (!body || !length || length > body)
		return 0;
	return (size_t)(body + 4 - c->answer) + strtoul(length + 17, NULL, 10);
}

static void
judge(struct connection *c)
{
	uint64_t took = clock_mono_us() - c->since_us;
	unsigned long status = 0;

	if (c->have > 12 && !memcmp(c->answer, "HTTP/1.", 7))
		status = strtoul(c->answer + 9, NULL, 10);
	if (status < 100 || status > 599) {
		end_badly(c, RESET, 0);
		return;
	}
	load.statuses[status]++;
	load.slots[took / 50 < SLOTS ? took / 50 : SLOTS]++;
	if (took > load.slowest_us)
		load.slowest_us = took;
	if (status != 200)
		note(STATUS, (int)status);
	else if (load.expect && !strstr(c->answer, load.expect))
		note(MISROUTED, 0);
	else
		note(OK, 0);
	c->busy = false;
	c->used = true;
	if (!load.keepalive || strcasestr(c->answer, "\r\nconnection: close"))
		drop(c);
}

static void
on_readable(struct connection *c)
{
	size_t want;
	ssize_t n;

	if (!c->busy) { /* closed between two requests */
		drop(c);
		return;
	}
	n = recv(c->fd, c->answer + c->have, sizeof(c->answer) - 1 - c->have,
	    MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		end_badly(c, RESET, errno);
		return;
	}
	c->have += (size_t)n;
	c->answer[c->have] = '\0';
	want = answer_length(c);
	if (want && (c->have >= want || want >= sizeof(c->answer)))
		judge(c);
	else if (n == 0)
		end_badly(c, RESET, 0);
}

static void
on_event(const struct epoll_event *event)
{
	struct connection *c = event->data.ptr;
	struct epoll_event reading = { .events = EPOLLIN, .data.ptr = c };
	socklen_t len = sizeof(int);
	int error = 0;

	if (c->fd < 0)
		return;
	if (event->events & EPOLLOUT) {
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error) {
			note(REFUSED, error);
			drop(c);
			return;
		}
		epoll_ctl(load.epoll, EPOLL_CTL_MOD, c->fd, &reading);
		send_request(c);
		return;
	}
	on_readable(c);
}

static void
end_late_ones(uint64_t now)
{
	size_t i;

	for (i = 0; i < load.n_all; i++)
		if (load.all[i].busy && now > load.all[i].since_us + TIMEOUT_US)
			end_badly(&load.all[i], TIMEOUT, 0);
}

static double
percentile(double part)
{
	uint64_t total = 0, seen = 0;
	size_t i;

	for (i = 0; i <= SLOTS; i++)
		total += load.slots[i];
	for (i = 0; i <= SLOTS; i++) {
		seen += load.slots[i];
		if (total && (double)seen >= part * (double)total)
			return (double)i * 0.05;
	}
	return 0;
}

static void
print(void)
{
	const char *comma = "";
	size_t i;

	printf("{\"asked\":%llu", (unsigned long long)(load.started));
	for (i = 0; i < KINDS; i++)
		printf(",\"%s\":%llu", outcome_names[i],
		    (unsigned long long)load.count[i]);
	printf(",\"late\":%llu,\"statuses\":{", (unsigned long long)load.late);
	for (i = 0; i < 600; i++)
		if (load.statuses[i]) {
			printf("%s\"%zu\":%llu", comma, i,
			    (unsigned long long)load.statuses[i]);
			comma = ",";
		}
	printf("},\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f",
	    percentile(0.5), percentile(0.99), (double)load.slowest_us / 1000);
	printf(",\"seconds\":%.2f,\"failures\":[",
	    (double)(clock_mono_us() - load.start_us) / 1e6);
	for (i = 0; i < load.n_notes; i++)
		printf("%s{\"at_ms\":%llu,\"what\":\"%s\",\"detail\":%d}",
		    i ? "," : "",
		    (unsigned long long)load.notes[i].at_us / 1000,
		    outcome_names[load.notes[i].what], load.notes[i].detail);
	printf("]}\n");
}

static void
run(int stop)
{
	struct epoll_event events[256];
	uint64_t now, due, checked = 0;
	int i, n, all_done = 0;
	size_t k;

	load.start_us = clock_mono_us();
	for (;;) {
		n = epoll_wait(load.epoll, events, 256, 1);
		for (i = 0; i < n; i++) {
			if (!events[i].data.ptr)
				all_done = 1;
			else
				on_event(&events[i]);
		}
		now = clock_mono_us();
		if (all_done ||
		    (load.seconds &&
			now - load.start_us > load.seconds * 1000000))
			break;
		due = (now - load.start_us) * load.rate / 1000000;
		while (load.started < due)
			start_request();
		if (now - checked > 100000) {
			end_late_ones(now);
			checked = now;
		}
	}
	/* What is under way may end. */
	for (now = clock_mono_us(); clock_mono_us() - now < TIMEOUT_US;) {
		for (k = 0; k < load.n_all && !load.all[k].busy; k++)
			;
		if (k == load.n_all)
			break;
		n = epoll_wait(load.epoll, events, 256, 10);
		for (i = 0; i < n; i++)
			if (events[i].data.ptr)
				on_event(&events[i]);
	}
	end_late_ones(clock_mono_us() + 2 * TIMEOUT_US);
	close(stop);
}

static int
number(const char *text, uint64_t *ret)
{
	char *end;

	*ret = strtoull(text, &end, 10);
	return *text && !*end ? 0 : -1;
}

static int
parse_options(int argc, char **argv)
{
	static const struct option options[] = { { "to", 1, NULL, 't' },
		{ "host", 1, NULL, 'h' }, { "path", 1, NULL, 'p' },
		{ "method", 1, NULL, 'm' }, { "rate", 1, NULL, 'r' },
		{ "keepalive", 1, NULL, 'k' }, { "expect", 1, NULL, 'e' },
		{ "seconds", 1, NULL, 's' }, { NULL, 0, NULL, 0 } };
	char address[64] = "", *colon;
	int option, bad = 0;

	load.host = "localhost";
	load.path = "/";
	load.method = "GET";
	load.rate = 1000;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 't':
			snprintf(address, sizeof(address), "%s", optarg);
			break;
		case 'h':
			load.host = optarg;
			break;
		case 'p':
			load.path = optarg;
			break;
		case 'm':
			load.method = optarg;
			break;
		case 'e':
			load.expect = optarg;
			break;
		case 'r':
			bad |= number(optarg, &load.rate);
			break;
		case 'k':
			bad |= number(optarg, &load.keepalive);
			break;
		case 's':
			bad |= number(optarg, &load.seconds);
			break;
		default:
			return -1;
		}
	colon = strrchr(address, ':');
	if (bad || !colon || optind != argc)
		return -1;
	*colon = '\0';
	load.to.sin_family = AF_INET;
	load.to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	return inet_pton(AF_INET, address, &load.to.sin_addr) == 1 ? 0 : -1;
}

int
main(int argc, char **argv)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
	sigset_t signals;
	size_t i;
	int stop;

	if (parse_options(argc, argv) < 0) {
		fprintf(stderr,
		    "load: --to ADDRESS:PORT --host NAME [--path /] "
		    "[--method GET] "
		    "[--rate N] [--keepalive N] [--expect TEXT] "
		    "[--seconds N]\n");
		return 2;
	}
	load.request_len = (size_t)snprintf(load.request, sizeof(load.request),
	    "%s %s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n", load.method, load.path,
	    load.host,
	    strcmp(load.method, "GET") ? "Content-Length: 0\r\n" : "",
	    load.keepalive ? "" : "Connection: close\r\n");
	if (load.request_len >= sizeof(load.request))
		return 2;
	load.n_all = load.keepalive ? load.keepalive : CONNECTIONS;
	load.all = xcalloc(load.n_all, sizeof(*load.all));
	for (i = 0; i < load.n_all; i++)
		load.all[i].fd = -1;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	stop = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (stop < 0 || load.epoll < 0 ||
	    epoll_ctl(load.epoll, EPOLL_CTL_ADD, stop, &event) < 0) {
		perror("load");
		return 1;
	}
	run(stop);
	print();
	for (i = 0; i < load.n_all; i++)
		drop(&load.all[i]);
	free(load.all);
	return 0;
}
