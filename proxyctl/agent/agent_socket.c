/* The keeper's ear for the supervisor: see agent_socket.h. */
#include "agent_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/json_cut.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "base/version.h"
#include "loop/lines.h"

#define NAME "agent.sock"
#define MAX_PEERS 16

struct peer {
	struct agent_socket *socket;
	struct lines *lines;
};

struct agent_socket {
	uv_loop_t *loop;
	const struct agent_options *options;
	int fd;
	uv_poll_t poll;
	VEC(struct peer *) peers;
	void (*on_drain)(void *arg);
	void *arg;
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void
forget(struct peer *p)
{
	struct agent_socket *s = p->socket;
	size_t i;

	for (i = 0; i < s->peers.len; i++) {
		if (s->peers.at[i] == p) {
			vec_remove(&s->peers, i);
			break;
		}
	}
	lines_close(p->lines, NULL, NULL);
	free(p);
}

static void
on_member(void *arg, const char *key, size_t key_len, const char *value,
    size_t value_len)
{
	bool *drain = arg;

	if (key_len == 4 && memcmp(key, "type", 4) == 0 && value_len == 7 &&
	    memcmp(value, "\"drain\"", 7) == 0)
		*drain = true;
}

static void
on_line(void *arg, char *line, size_t len)
{
	struct peer *p = arg;
	bool drain = false;

	if (json_cut_members(line, len, on_member, &drain, NULL) != 0) {
		forget(p);
		return;
	}
	if (drain)
		p->socket->on_drain(p->socket->arg);
}

static void
on_end(void *arg, const struct error *e)
{
	(void)e;
	forget(arg);
}

static void
greet(struct agent_socket *s, struct peer *p)
{
	STR_AUTO(line, 1024);

	str_addf(&line,
	    "{\"pid\":%d,\"version\":\"" BULKHEAD_VERSION "\",\"id\":",
	    (int)getpid());
	str_add_json(&line, s->options->id, strlen(s->options->id));
	str_add(&line, ",\"cluster\":");
	str_add_json(&line, s->options->cluster, strlen(s->options->cluster));
	str_addc(&line, '}');
	(void)lines_send(p->lines, line.p, line.len);
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct agent_socket *s = container_of(poll, struct agent_socket, poll);
	struct peer *p;
	struct error e;
	int fd;

	(void)events;
	if (s->closing || status < 0)
		return;
	fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (s->peers.len >= MAX_PEERS) {
		(void)close(fd);
		return;
	}
	p = xcalloc(1, sizeof(*p));
	p->socket = s;
	p->lines = lines_new(s->loop, fd, on_line, on_end, p, &e);
	if (p->lines == NULL) {
		log_warn("agent.sock: %s", e.msg);
		free(p);
		return;
	}
	vec_push(&s->peers, p);
	greet(s, p);
}

static int
bind_socket(struct error *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = NAME };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask;
	int rc;

	if (fd < 0)
		return error_errno(e, errno, NAME);
	(void)unlink(NAME);
	mask = umask(0177);
	rc = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	(void)umask(mask);
	if (rc != 0 || listen(fd, MAX_PEERS) != 0) {
		int saved = errno;

		(void)close(fd);
		return error_errno(e, saved, NAME);
	}
	return fd;
}

struct agent_socket *
agent_socket_new(uv_loop_t *loop, const struct agent_options *o,
    void (*on_drain)(void *arg), void *arg, struct error *e)
{
	struct agent_socket *s;
	int fd = bind_socket(e);

	if (fd < 0)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->loop = loop;
	s->options = o;
	s->fd = fd;
	s->on_drain = on_drain;
	s->arg = arg;
	must(uv_poll_init(loop, &s->poll, fd) == 0);
	must(uv_poll_start(&s->poll, UV_READABLE, on_readable) == 0);
	return s;
}

static void
on_poll_closed(uv_handle_t *handle)
{
	struct agent_socket *s =
	    container_of(handle, struct agent_socket, poll);

	(void)close(s->fd);
	if (s->closed != NULL)
		s->closed(s->closed_arg);
	vec_fini(&s->peers);
	free(s);
}

void
agent_socket_close(struct agent_socket *s, void (*closed)(void *arg), void *arg)
{
	if (s->closing)
		return;
	s->closing = true;
	s->closed = closed;
	s->closed_arg = arg;
	while (s->peers.len > 0)
		forget(s->peers.at[s->peers.len - 1]);
	(void)unlink(NAME);
	uv_close((uv_handle_t *)&s->poll, on_poll_closed);
}
