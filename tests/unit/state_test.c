/* The configuration in force, over restarts and on damaged disks. */
#include "../../extension/state.h"
#include "../../proxyctl/agent/manifest.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/log.h"
#include "routes.h"

#define SHA_OF_NONE                                                            \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct disk {
	char folder[40];
	char *kept; /* state/CLUSTER */
	struct cluster_config *config;
	struct state *s;
};

static void
reopen(struct disk *f)
{
	state_free(f->s);
	f->s = state_new(f->folder, f->config);
}

static int
set_up(void **state)
{
	struct disk *f = xcalloc(1, sizeof(*f));
	char *blobs;

	log_set_level(LOG_ERROR);
	memcpy(f->folder, "/tmp/bulkhead-test-XXXXXX", 26);
	must(mkdtemp(f->folder) != NULL);
	f->config = routes_config("");
	f->kept = xasprintf("%s/state/%s", f->folder, f->config->cluster.name);
	blobs = xasprintf("%s/blobs", f->kept);
	must(fs_mkdirs(blobs, 0700, NULL) == 0);
	free(blobs);
	reopen(f);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct disk *f = *state;

	state_free(f->s);
	cluster_config_free(f->config);
	must(fs_remove_tree(f->folder, NULL) == 0);
	free(f->kept);
	free(f);
	return 0;
}

/* One host, rendered and taken. */
static bool
take(struct disk *f, const char *host)
{
	static const struct render_options live = { .live = true,
		.secrets_dir = "/run/secrets" };
	struct state_change change = { .structure = true };
	struct fixture routes = { .config = routes_config("") };
	struct accepted *a = routes_service(&routes, "svc");
	struct rendered *r;
	struct error e;
	bool taken;

	routes_pool(routes_add(&routes, a, host, "/", TLS_NONE), a, 1, 1, 1);
	r = render(routes.config, &routes.routing, &live, &e);
	if (r == NULL)
		fail_msg("%s", e.msg);
	taken = state_take(f->s, r, &change);
	routes_fini(&routes);
	return taken;
}

static void
store(struct disk *f)
{
	struct error e;

	if (state_store(f->s, true, &e) != 0)
		fail_msg("%s", e.msg);
}

/* Calls 'damage' with every file of the state in turn. */
static unsigned
each_file(struct disk *f, void (*damage)(struct disk *f, const char *path))
{
	char *blobs _cleanup_free_ = xasprintf("%s/blobs", f->kept);
	char *manifest _cleanup_free_ = xasprintf("%s/manifest.json", f->kept);
	DIR *d = opendir(blobs);
	struct dirent *entry;
	unsigned n = 1;

	must(d != NULL);
	damage(f, manifest);
	while ((entry = readdir(d)) != NULL) {
		char *path _cleanup_free_ =
		    xasprintf("%s/%s", blobs, entry->d_name);

		if (entry->d_name[0] == '.')
			continue;
		damage(f, path);
		n++;
	}
	(void)closedir(d);
	return n;
}

static void
the_same_bytes_are_no_new_generation(void **state)
{
	struct disk *f = *state;

	assert_int_equal(state_generation(f->s), 0);
	assert_string_equal(state_config(f->s), "");
	assert_true(take(f, "a.example"));
	assert_int_equal(state_generation(f->s), 1);
	assert_false(take(f, "a.example"));
	assert_int_equal(state_generation(f->s), 1);
	assert_true(take(f, "b.example"));
	assert_int_equal(state_generation(f->s), 2);
}

static void
a_restart_serves_what_was_in_force(void **state)
{
	struct disk *f = *state;
	char config[SHA256_HEX_SIZE], *manifest;

	assert_true(take(f, "a.example"));
	store(f);
	memcpy(config, state_config(f->s), sizeof(config));
	/* What led to it is figures only, and forgotten. */
	manifest = xmemdup0(state_manifest(f->s)->p,
	    (size_t)(strstr(state_manifest(f->s)->p, "\"path\":\"structure") -
		state_manifest(f->s)->p));
	reopen(f);
	assert_int_equal(state_generation(f->s), 1);
	assert_string_equal(state_config(f->s), config);
	assert_int_equal(
	    strncmp(state_manifest(f->s)->p, manifest, strlen(manifest)), 0);
	assert_false(take(f, "a.example"));
	free(manifest);
}

static void
what_was_not_stored_is_not_found(void **state)
{
	struct disk *f = *state;

	assert_true(take(f, "a.example"));
	store(f);
	assert_true(take(f, "b.example"));
	reopen(f);
	assert_int_equal(state_generation(f->s), 1);
	assert_true(take(f, "b.example"));
	assert_int_equal(state_generation(f->s), 2);
}

static void
expect_none(struct disk *f, const char *path)
{
	struct state *s = state_new(f->folder, f->config);

	if (state_config(s)[0] != '\0' || state_manifest(s)->len > 0)
		fail_msg("taken though damaged: %s", path);
	state_free(s);
}

static void
cut(struct disk *f, const char *path)
{
	STR_AUTO(text, 1 << 20);

	must(fs_read(path, &text, NULL) == 0);
	for (size_t len = 0; len < text.len; len += 1 + text.len / 7) {
		must(fs_write(path, text.p, len, 0600, NULL) == 0);
		expect_none(f, path);
	}
	must(fs_write(path, text.p, text.len, 0600, NULL) == 0);
}

static void
lose(struct disk *f, const char *path)
{
	char *other _cleanup_free_ = xasprintf("%s.lost", path);

	must(rename(path, other) == 0);
	expect_none(f, path);
	must(rename(other, path) == 0);
}

static void
a_state_that_is_not_whole_is_none(void **state)
{
	struct disk *f = *state;

	assert_true(take(f, "a.example"));
	store(f);
	assert_true(each_file(f, cut) > 2);
	(void)each_file(f, lose);
	/* Each was put back: it is whole again. */
	reopen(f);
	assert_int_equal(state_generation(f->s), 1);
}

static void
generations_count_on_over_a_lost_blob(void **state)
{
	struct disk *f = *state;
	char *blobs = xasprintf("%s/blobs", f->kept);

	assert_true(take(f, "a.example"));
	assert_true(take(f, "b.example"));
	store(f);
	must(fs_remove_tree(blobs, NULL) == 0);
	must(fs_mkdirs(blobs, 0700, NULL) == 0);
	free(blobs);
	reopen(f);
	assert_true(take(f, "b.example"));
	assert_int_equal(state_generation(f->s), 3);
	store(f);
	reopen(f);
	assert_int_equal(state_generation(f->s), 3);
}

static void
files_are_found_by_their_hash_the_last_ones_too(void **state)
{
	struct disk *f = *state;
	char sums[2][SHA256_HEX_SIZE];
	const char *text;
	size_t len;

	(void)take(f, "a.example");
	store(f);
	state_confirm(f->s, state_config(f->s));
	memcpy(sums[0], state_good(f->s)->files.at[0]->sha256, sizeof(sums[0]));
	(void)take(f, "b.example");
	text = state_blob(f->s, sums[0], &len);
	assert_non_null(text);
	sha256_hex(text, len, sums[1]);
	assert_string_equal(sums[0], sums[1]);
	memset(sums[1], '0', sizeof(sums[1]) - 1);
	assert_null(state_blob(f->s, sums[1], &len));
	assert_null(state_blob(f->s, "../../etc/passwd", &len));
}

static void
a_disk_that_refuses_keeps_the_last_state_whole(void **state)
{
	struct disk *f = *state;
	char *blobs = xasprintf("%s/blobs", f->kept);
	char *aside = xasprintf("%s/blobs.aside", f->kept);
	struct error e = { 0 };

	(void)take(f, "a.example");
	store(f);
	must(rename(blobs, aside) == 0);
	must(fs_write(blobs, "x", 1, 0600, NULL) == 0);
	(void)take(f, "b.example");
	assert_int_equal(state_store(f->s, true, &e), -1);
	assert_true(e.msg[0] != '\0');
	must(unlink(blobs) == 0 && rename(aside, blobs) == 0);
	{
		struct state *s = state_new(f->folder, f->config);

		assert_int_equal(state_generation(s), 1);
		state_free(s);
	}
	store(f);
	reopen(f);
	assert_int_equal(state_generation(f->s), 2);
	free(blobs);
	free(aside);
}

/* Writes what changed since the whole one was written. */
static void
store_change(struct disk *f)
{
	struct error e;

	if (state_store(f->s, false, &e) != 0)
		fail_msg("%s", e.msg);
}

static bool
is_there(const struct disk *f, const char *name)
{
	char *path _cleanup_free_ = xasprintf("%s/%s", f->kept, name);

	return access(path, F_OK) == 0;
}

static unsigned
count_blobs(const struct disk *f)
{
	char *blobs _cleanup_free_ = xasprintf("%s/blobs", f->kept);
	DIR *d = opendir(blobs);
	struct dirent *entry;
	unsigned n = 0;

	must(d != NULL);
	while ((entry = readdir(d)) != NULL)
		n += entry->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

static void
a_change_is_written_beside_the_whole_and_found(void **state)
{
	struct disk *f = *state;
	char config[SHA256_HEX_SIZE], host[32];
	unsigned n;

	assert_true(take(f, "a.example"));
	store_change(f);
	assert_false(is_there(f, "manifest.delta.json"));
	n = count_blobs(f);
	for (int i = 0; i < 20; i++) {
		(void)snprintf(host, sizeof(host), "h%d.example", i);
		assert_true(take(f, host));
		store_change(f);
		assert_true(is_there(f, "manifest.delta.json"));
		/* Of the whole one, and of the newest: no more. */
		assert_in_range(count_blobs(f), n, 2 * n);
	}
	memcpy(config, state_config(f->s), sizeof(config));
	reopen(f);
	assert_string_equal(state_config(f->s), config);
	assert_int_equal(state_generation(f->s), 21);
	assert_true(take(f, "b.example"));
	store_change(f);
	assert_false(is_there(f, "manifest.delta.json"));
	assert_int_equal(count_blobs(f), n);
	reopen(f);
	assert_int_equal(state_generation(f->s), 22);
}

/* So does a version that knows no such change. */
static void
without_the_change_the_whole_one_is_found(void **state)
{
	static const char *const damages[] = { "", "{", "{\"base\":7}" };
	struct disk *f = *state;
	char *delta _cleanup_free_ =
	    xasprintf("%s/manifest.delta.json", f->kept);
	char config[SHA256_HEX_SIZE];

	for (size_t i = 0; i < countof(damages); i++) {
		(void)take(f, "a.example");
		store(f);
		memcpy(config, state_config(f->s), sizeof(config));
		assert_true(take(f, "b.example"));
		store_change(f);
		must(fs_write(delta, damages[i], strlen(damages[i]), 0600,
			 NULL) == 0);
		reopen(f);
		assert_string_equal(state_config(f->s), config);
	}
}

static void
what_ends_in_order_leaves_a_whole_one(void **state)
{
	struct disk *f = *state;
	char config[SHA256_HEX_SIZE];

	assert_true(take(f, "a.example"));
	store(f);
	assert_true(take(f, "b.example"));
	store_change(f);
	assert_true(is_there(f, "manifest.delta.json"));
	memcpy(config, state_config(f->s), sizeof(config));
	store(f);
	assert_false(is_there(f, "manifest.delta.json"));
	reopen(f);
	assert_string_equal(state_config(f->s), config);
}

/* An agent that had the one is told what makes it the other. */
static void
agents_are_told_what_differs_from_what_they_have(void **state)
{
	static const char *const hosts[] = { "a.example", "b.example",
		"c.example", "a.example", "d.example", "e.example" };
	struct disk *f = *state;
	struct manifest *had[countof(hosts)], *m;
	STR_AUTO(text, 1 << 20);
	struct error e = { .msg = "" };
	size_t i, k;

	for (i = 0; i < countof(hosts); i++) {
		assert_true(take(f, hosts[i]));
		had[i] = manifest_decode(
		    state_manifest(f->s)->p, state_manifest(f->s)->len, &e);
		assert_string_equal(e.msg, "");
		for (k = 0; k <= i; k++) {
			assert_true(state_delta(f->s, had[k]->config, &text));
			assert_int_equal(
			    text.len < state_manifest(f->s)->len || k != i, 1);
			m = manifest_decode_upon(had[k], text.p, text.len, &e);
			assert_string_equal(e.msg, "");
			assert_string_equal(m->config, state_config(f->s));
			assert_int_equal(m->files.len, had[i]->files.len);
			manifest_free(m);
		}
	}
	for (i = 0; i < countof(hosts); i++)
		manifest_free(had[i]);
	assert_false(state_delta(f->s, SHA_OF_NONE, &text));
}

static void
what_agents_had_long_ago_is_forgotten(void **state)
{
	struct disk *f = *state;
	char first[SHA256_HEX_SIZE];
	STR_AUTO(text, 1 << 20);

	assert_false(state_delta(f->s, SHA_OF_NONE, &text));
	(void)take(f, "first.example");
	memcpy(first, state_config(f->s), sizeof(first));
	for (int i = 0; i < 8; i++) {
		char host[32];

		(void)snprintf(host, sizeof(host), "h%d.example", i);
		assert_true(take(f, host));
		assert_true(state_delta(f->s, first, &text));
	}
	(void)take(f, "last.example");
	assert_false(state_delta(f->s, first, &text));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(the_same_bytes_are_no_new_generation),
		T(a_restart_serves_what_was_in_force),
		T(what_was_not_stored_is_not_found),
		T(a_state_that_is_not_whole_is_none),
		T(generations_count_on_over_a_lost_blob),
		T(files_are_found_by_their_hash_the_last_ones_too),
		T(a_disk_that_refuses_keeps_the_last_state_whole),
		T(a_change_is_written_beside_the_whole_and_found),
		T(without_the_change_the_whole_one_is_found),
		T(what_ends_in_order_leaves_a_whole_one),
		T(agents_are_told_what_differs_from_what_they_have),
		T(what_agents_had_long_ago_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
