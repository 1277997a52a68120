/*
 * bus_watch CLUSTER FOLDER: listens on the bus as an extension does, and
 * prints each message as one line of JSON.  For tests of the reader.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "bus/subscriber.h"

static void
print(const char *type, const struct bus_message *m)
{
	size_t i;

	printf("{\"type\":\"%s\",\"epoch\":\"%s\",\"seq\":%llu,"
	       "\"commit_us\":%llu,\"read_us\":%llu,\"sent_us\":%llu,\"body\":",
	    type, m->epoch, (unsigned long long)m->seq,
	    (unsigned long long)m->stamps.commit_us,
	    (unsigned long long)m->stamps.read_us,
	    (unsigned long long)m->stamps.sent_us);
	/* Newlines in the body stand between its tokens only. */
	for (i = 0; i < m->body_len; i++)
		putchar(m->body[i] == '\n' ? ' ' : m->body[i]);
	printf("}\n");
	fflush(stdout);
}

static void
on_message(void *arg, const struct bus_message *m)
{
	(void)arg;
	print(bus_type_name(m->type), m);
}

static void
on_contact(void *arg, bool heard)
{
	(void)arg;
	printf(
	    "{\"type\":\"contact\",\"heard\":%s}\n", heard ? "true" : "false");
	fflush(stdout);
}

static void
on_wrong_version(void *arg, const struct error *e)
{
	(void)arg;
	fprintf(stderr, "bus_watch: %s\n", e->msg);
}

static void
on_term(uv_signal_t *handle, int number)
{
	(void)number;
	uv_stop(handle->loop);
}

int
main(int argc, char **argv)
{
	static const struct subscriber_handlers handlers = {
		.on_message = on_message,
		.on_contact = on_contact,
		.on_wrong_version = on_wrong_version,
	};
	struct subscriber *s;
	uv_signal_t term;
	struct error e;
	uv_loop_t loop;

	if (argc != 3) {
		fputs("usage: bus_watch CLUSTER FOLDER\n", stderr);
		return 2;
	}
	must(uv_loop_init(&loop) == 0);
	must(uv_signal_init(&loop, &term) == 0);
	must(uv_signal_start(&term, on_term, SIGTERM) == 0);
	s = subscriber_new(&loop, argv[1], argv[2], &handlers, NULL, &e);
	if (s == NULL) {
		fprintf(stderr, "bus_watch: %s\n", e.msg);
		return 1;
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	subscriber_close(s, NULL, NULL);
	uv_close((uv_handle_t *)&term, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&loop) == 0);
	return 0;
}
