/* The agent's small texts: link messages, fragments, nginx's words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../proxyctl/agent/engine_nginx.h"
#include "../../proxyctl/agent/link.h"
#include "../../proxyctl/agent/sockets.h"

static void
every_message_comes_back_as_it_was(void **state)
{
	const struct link_message all[] = {
		{ .type = LINK_NGINX,
		    .pid = 7,
		    .up = true,
		    .fails = 2,
		    .reloads = 3 },
		{ .type = LINK_RELOADED, .ok = true },
		{ .type = LINK_DRAIN },
		{ .type = LINK_START },
		{ .type = LINK_RELOAD },
		{ .type = LINK_SETTINGS, .drain_delay_ms = 1500 },
		{ .type = LINK_BEAT },
	};

	(void)state;
	assert_int_equal(countof(all), LINK_TYPE_COUNT);
	for (size_t i = 0; i < countof(all); i++) {
		struct link_message got;
		STR_AUTO(line, 1024);

		link_encode(&all[i], &line);
		assert_int_equal(link_decode(line.p, line.len, &got, NULL), 0);
		assert_int_equal(got.type, all[i].type);
		assert_int_equal(got.pid, all[i].pid);
		assert_int_equal(got.up, all[i].up);
		assert_int_equal(got.fails, all[i].fails);
		assert_int_equal(got.reloads, all[i].reloads);
		assert_int_equal(got.ok, all[i].ok);
		assert_int_equal(got.drain_delay_ms, all[i].drain_delay_ms);
	}
}

static void
what_is_no_message_is_refused(void **state)
{
	static const char *const bad[] = { "", "{", "[]", "{}",
		"{\"type\":\"other\"}", "{\"type\":7}", "{\"type\":\"\"}",
		"{\"type\":\"beat\",\"more\":1}",
		"{\"type\":\"nginx\",\"pid\":-1}",
		"{\"type\":\"nginx\",\"pid\":\"1\"}", "{\"pid\":1}" };

	(void)state;
	for (size_t i = 0; i < countof(bad); i++) {
		struct link_message m;

		if (link_decode(bad[i], strlen(bad[i]), &m, NULL) == 0)
			fail_msg("accepted: %s", bad[i]);
	}
}

static const struct fragment *
find(const struct fragments *f, const char *path)
{
	for (size_t i = 0; i < f->list.len; i++) {
		if (strcmp(f->list.at[i].path, path) == 0)
			return &f->list.at[i];
	}
	fail_msg("no %s", path);
	return NULL;
}

static const struct agent_options options = {
	.cluster = "c",
	.id = "c.0",
	.dir = "/d",
	.listen = "127.0.0.1:80",
	.listen_ssl = "[::1]:443",
	.status_listen = "127.0.0.1:81",
};

static void
addresses_that_are_left_alone_get_a_placeholder(void **state)
{
	struct manifest m = { .config = "abc",
		.listen_http = (char *)"default_server",
		.worker_processes = 2 };
	struct fragments *f = engine_nginx_fragments(&options, &m, false);
	const char *http = find(f, "agent/http.conf")->text;

	(void)state;
	assert_non_null(strstr(http, "listen [::1]:443 ssl;"));
	assert_non_null(strstr(http, "ssl_reject_handshake on;"));
	assert_non_null(strstr(http, "listen 127.0.0.1:81;"));
	assert_string_equal(find(f, "agent/default_http.conf")->text,
	    "listen 127.0.0.1:80 default_server;\n");
	assert_non_null(
	    strstr(find(f, "agent/main.conf")->text, "worker_processes 2;\n"));
	fragments_free(f);
	m.listen_https = (char *)"ssl";
	f = engine_nginx_fragments(&options, &m, true);
	http = find(f, "agent/http.conf")->text;
	assert_null(strstr(http, "[::1]:443"));
	assert_null(strstr(http, "127.0.0.1:81"));
	assert_string_equal(find(f, "agent/default_https.conf")->text,
	    "listen [::1]:443 ssl;\n");
	fragments_free(f);
}

static void
the_proof_differs_where_any_fragment_does(void **state)
{
	struct manifest m = { .config = "abc", .listen_http = (char *)"" };
	struct agent_options other = options;
	struct fragments *a = engine_nginx_fragments(&options, &m, false);
	struct fragments *b = engine_nginx_fragments(&options, &m, false);
	struct fragments *c;

	(void)state;
	other.listen = "127.0.0.1:8080";
	c = engine_nginx_fragments(&other, &m, false);
	assert_string_equal(a->proof, b->proof);
	assert_string_not_equal(a->proof, c->proof);
	assert_memory_equal(a->proof, "abc ", 4);
	assert_non_null(strstr(find(a, "agent/http.conf")->text, a->proof));
	fragments_free(a);
	fragments_free(b);
	fragments_free(c);
}

static void
words_lose_the_scratch_folder_and_what_says_nothing(void **state)
{
	static const char text[] =
	    "nginx: [emerg] unknown directive \"x\" in "
	    "/d/tmp/3/sites/a.conf:2\n"
	    "2026/01/01 00:00:00 [notice] 1#1: using inherited sockets\n"
	    "nginx: configuration file /d/tmp/3/nginx.conf test failed\n";
	static const char stamped[] = "2026/11/21 03:02:18 [emerg] "
				      "26749#26749: cannot load certificate\n";
	STR_AUTO(words, 65536);
	STR_AUTO(many, 1 << 20);

	(void)state;
	engine_nginx_words(text, strlen(text), "/d/tmp/3", &words);
	assert_string_equal(
	    words.p, "[emerg] unknown directive \"x\" in sites/a.conf:2");
	str_clear(&words);
	engine_nginx_words(stamped, strlen(stamped), "/d/tmp/3", &words);
	assert_string_equal(words.p, "cannot load certificate");
	for (int i = 0; i < 2000; i++)
		str_add(&many, "nginx: [warn] something\n");
	str_clear(&words);
	engine_nginx_words(many.p, many.len, "/d", &words);
	assert_true(words.len < 8192);
}

static void
words_of_the_host_are_not_the_configurations(void **state)
{
	(void)state;
	assert_true(engine_nginx_words_are_ours(
	    "mkdir() \"temp/proxy\" failed (28: No space left on device)"));
	assert_true(engine_nginx_words_are_ours(
	    "open() \"x\" failed (24: Too many open files)"));
	assert_false(engine_nginx_words_are_ours(
	    "unknown directive \"x\" in sites/a.conf:2"));
	assert_false(engine_nginx_words_are_ours(
	    "cannot load certificate \"x\": No such file or directory"));
}

static void
addresses_are_read_strictly(void **state)
{
	static const char *const bad[] = { "", "80", ":80", "localhost:80",
		"127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "::1:80",
		"[::1]", "[::1:80", "1.2.3:80", "[127.0.0.1]:80",
		"127.0.0.1:80 ", "a.example:80" };
	static const char *const good[] = { "127.0.0.1:80", "0.0.0.0:65535",
		"*:80", "[::]:80", "[fe80::1]:443" };

	(void)state;
	for (size_t i = 0; i < countof(bad); i++) {
		struct agent_options o = { .listen = bad[i] };
		struct sockets s;

		if (sockets_parse(&s, &o, NULL) == 0)
			fail_msg("accepted: %s", bad[i]);
	}
	for (size_t i = 0; i < countof(good); i++) {
		struct agent_options o = { .listen = good[i] };
		struct sockets s;

		if (sockets_parse(&s, &o, NULL) != 0)
			fail_msg("refused: %s", good[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_comes_back_as_it_was),
		cmocka_unit_test(what_is_no_message_is_refused),
		cmocka_unit_test(
		    addresses_that_are_left_alone_get_a_placeholder),
		cmocka_unit_test(the_proof_differs_where_any_fragment_does),
		cmocka_unit_test(
		    words_lose_the_scratch_folder_and_what_says_nothing),
		cmocka_unit_test(words_of_the_host_are_not_the_configurations),
		cmocka_unit_test(addresses_are_read_strictly),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
