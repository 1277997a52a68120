/*
 * Manifests of any bytes.  What is taken names files that stay inside the
 * agent's folder, once each, and its listen options cannot end a directive;
 * taking its text again gives the same.
 */
#include <stdint.h>
#include <string.h>

#include "../../proxyctl/agent/engine_nginx.h"
#include "../../proxyctl/agent/manifest.h"

#define SUM "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_listen(const char *options)
{
	must(options == NULL || strpbrk(options, ";{}\"'\\$#\n") == NULL);
}

static void
check(const struct manifest *m)
{
	size_t i;

	must(m->files.len <= MANIFEST_MAX_FILES);
	for (i = 0; i < m->files.len; i++) {
		const char *path = m->files.at[i]->path;

		must(path[0] != '/' && strstr(path, "..//") == NULL);
		must(strncmp(path, "../", 3) != 0);
		must(strstr(path, "/../") == NULL);
		must(strncmp(path, "agent/", 6) != 0);
		must(m->files.at[i]->size <= MANIFEST_MAX_FILE_SIZE);
		must(i == 0 || strcmp(m->files.at[i - 1]->path, path) < 0);
	}
	check_listen(m->listen_http);
	check_listen(m->listen_https);
}

/* What differs from another one: nothing of it is believed but a hash. */
static void
upon_another(const uint8_t *data, size_t size)
{
	static const char start[] =
	    "{\"version\":1,\"cluster\":\"c\",\"engine\":\"nginx\","
	    "\"generation\":1,\"config\":\"" SUM "\",\"files\":["
	    "{\"path\":\"nginx.conf\",\"sha256\":\"" SUM "\",\"size\":1},"
	    "{\"path\":\"sites/a\",\"sha256\":\"" SUM "\",\"size\":1}],"
	    "\"listen\":{\"http\":\"\",\"https\":null}}";
	struct manifest *base = manifest_decode(start, sizeof(start) - 1, NULL);
	struct manifest *m, *again;

	must(base != NULL);
	m = manifest_decode_upon(base, (const char *)data, size, NULL);
	if (m != NULL) {
		check(m);
		again = manifest_decode(m->text, m->len, NULL);
		must(again != NULL && again->files.len == m->files.len);
		manifest_free(again);
	}
	manifest_free(m);
	manifest_free(base);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct agent_options options = {
		.id = "i", .listen = "127.0.0.1:80", .listen_ssl = "[::1]:443"
	};
	struct manifest *m = manifest_decode((const char *)data, size, NULL);
	struct manifest *again;
	struct fragments *f;

	upon_another(data, size);
	if (m == NULL)
		return 0;
	check(m);
	again = manifest_decode(m->text, m->len, NULL);
	must(again != NULL && again->files.len == m->files.len);
	must(strcmp(again->config, m->config) == 0);
	f = engine_nginx_fragments(&options, m, false);
	fragments_free(f);
	manifest_free(again);
	manifest_free(m);
	return 0;
}
