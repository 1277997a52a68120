/*
 * Any bytes as one connection to the control API: requests, queries, reports,
 * in two pieces.  Whatever comes is answered as HTTP or not at all, and the
 * next agent has its manifest.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../extension/control.h"
#include "../unit/routes.h"
#include "base/fs.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 16384, TURNS = 12 };

static struct world {
	uv_loop_t loop;
	struct cluster_config *config;
	struct state *state;
	struct proxies proxies;
	struct control *control;
	char folder[40];
	struct sockaddr_un address;
} world;

static void
on_report(void *arg, const struct proxy_news *news)
{
	(void)arg;
	must(news->proxy != NULL && news->proxy->id[0] != '\0');
}

static void
on_check(void *arg, const struct proxy_check *check)
{
	(void)arg;
	must(check->proxy[0] != '\0');
}

/* Each answer in its turn. */
static enum control_claim
on_claim(void *arg, const char *pin, uint64_t generation)
{
	(void)arg;
	(void)generation;
	return pin == NULL ? CONTROL_SAME
			   : (enum control_claim)(strlen(pin) % 4);
}

static int
on_document(void *arg, const char *text, size_t len, struct error *e)
{
	(void)arg;
	if (len > 0 && memchr(text, '{', len) != NULL)
		return 0;
	return error_set(e, EINVAL, "no document");
}

static void
remove_folder(void)
{
	(void)fs_remove_tree(world.folder, NULL);
}

static void
open_world(struct world *w)
{
	static const struct control_handlers handlers = {
		.on_report = on_report,
		.on_check = on_check,
		.on_claim = on_claim,
		.on_document = on_document,
	};
	struct state_change change = { .structure = true };
	struct fixture f = { .config = routes_config("") };
	struct render_options live = { .live = true,
		.secrets_dir = "/run/secrets" };
	char *path;
	struct error e;

	(void)signal(SIGPIPE, SIG_IGN);
	memcpy(w->folder, "/tmp/bulkhead-fuzz-XXXXXX", 26);
	must(mkdtemp(w->folder) != NULL);
	must(atexit(remove_folder) == 0);
	path = xasprintf("%s/control", w->folder);
	must(fs_mkdirs(path, 0700, &e) == 0);
	free(path);
	w->config = f.config;
	w->state = state_new(w->folder, w->config);
	must(state_take(
	    w->state, render(w->config, &f.routing, &live, &e), &change));
	must(uv_loop_init(&w->loop) == 0);
	w->control = control_new(&w->loop, w->config, w->folder, w->state,
	    &w->proxies, &handlers, w, &e);
	must(w->control != NULL);
	w->address.sun_family = AF_UNIX;
	path =
	    xasprintf("%s/control/%s.sock", w->folder, w->config->cluster.name);
	must(strlen(path) < sizeof(w->address.sun_path));
	memcpy(w->address.sun_path, path, strlen(path) + 1);
	free(path);
}

static int
dial(const struct world *w)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	must(fd >= 0);
	must(connect(fd, (const struct sockaddr *)&w->address,
		 sizeof(w->address)) == 0);
	return fd;
}

/* Lets the server work; returns what was answered so far. */
static size_t
turn(struct world *w, int fd, char *answer, size_t max)
{
	size_t len = 0;
	ssize_t n;
	int i;

	for (i = 0; i < TURNS; i++) {
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
		n = read(fd, answer + len, max - 1 - len);
		if (n > 0)
			len += (size_t)n;
	}
	answer[len] = '\0';
	return len;
}

static void
send_all(int fd, const uint8_t *p, size_t len)
{
	/* A peer that has enough closes: that is an answer too. */
	(void)!send(fd, p, len, MSG_NOSIGNAL);
}

static void
expect_service(struct world *w)
{
	static const char request[] = "GET /v1/proxy/config?proxy=t.9 HTTP/1.1"
				      "\r\nHost: x\r\n\r\n";
	char answer[16384] = "";
	int fd = dial(w), i;

	send_all(fd, (const uint8_t *)request, sizeof(request) - 1);
	for (i = 0; i < 100 && answer[0] == '\0'; i++)
		(void)turn(w, fd, answer, sizeof(answer));
	must(strncmp(answer, "HTTP/1.1 200", 12) == 0);
	(void)close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned long runs;
	struct world *w = &world;
	char answer[65536];
	size_t cut, len;
	int fd;

	if (size < 2 || size > INPUT_MAX)
		return 0;
	if (w->control == NULL)
		open_world(w);
	cut = data[0] * (size - 1) / 256;
	fd = dial(w);
	send_all(fd, data + 1, cut);
	(void)turn(w, fd, answer, sizeof(answer));
	send_all(fd, data + 1 + cut, size - 1 - cut);
	len = turn(w, fd, answer, sizeof(answer));
	must(len == 0 || strncmp(answer, "HTTP/1.", 7) == 0 || cut > 0);
	(void)close(fd);
	if (runs++ % 16 == 0)
		expect_service(w);
	proxies_fini(&w->proxies);
	memset(&w->proxies, 0, sizeof(w->proxies));
	return 0;
}
