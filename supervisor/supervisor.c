/* Which children run, and what happens when files or signals come. */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pwd.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "group.h"
#include "loop/turns.h"

#define EVENT_GATHER_MS 100
#define RESCAN_MS 10000
#define STOP_WAIT_MS 4000

static void on_stop_timer(uv_timer_t *timer);

/* ---- reader ---- */

static void
on_reader_state(void *arg, struct process *p)
{
	struct supervisor *s = arg;

	if (process_child(p)->state != CHILD_READY)
		s->reader_ready = s->push = false;
	supervisor_try_finish(s);
}

static void
on_reader_push(void *arg, struct process *p, const char *line, size_t len)
{
	struct supervisor *s = arg;
	json_auto_t *j = NULL;

	(void)p;
	if (supervisor_is_event(line)) {
		admin_event(s->admin, line, len);
		return;
	}
	j = json_loadb(line, len, 0, NULL);
	s->reader_ready = json_is_true(json_object_get(j, "ready"));
	s->push = json_is_true(json_object_get(j, "push"));
	free(s->reader_status);
	s->reader_status = xmemdup0(line, len);
}

/* Docker configs that hold INIs: read like files, when they are others. */
static void
on_reader_config(void *arg, struct process *p, const char *line, size_t len)
{
	struct supervisor *s = arg;
	bool changed = false;
	struct error e;

	(void)p;
	if (configs_take(&s->accepted->configs, line, len, &changed, &e) != 0)
		log_error("reader: %s", e.msg);
	else if (changed && !s->stopping)
		supervisor_reload(s);
}

static const struct process_handlers reader_handlers = {
	.on_state = on_reader_state,
	.on_push = on_reader_push,
	.on_config = on_reader_config,
};

static struct process *
new_reader(struct supervisor *s)
{
	char *program _cleanup_free_ =
	    xasprintf("%s/bulkhead-supervisor", s->bin_dir);
	char *argv[] = { program, (char[]){ "--role" }, (char[]){ "reader" },
		(char[]){ "--run-dir" }, s->run_dir, NULL };
	struct process_options o = { .name = "reader", .argv = argv };

	return process_new(s->loop, &o, &reader_handlers, s);
}

static void
tell_reader(struct supervisor *s)
{
	static const char line[] = "{\"type\":\"reload\"}";

	process_send(s->reader, line, sizeof(line) - 1);
}

/* ---- configuration ---- */

static void
log_problems(const struct supervisor *s)
{
	size_t i;

	for (i = 0; i < s->accepted->problems.lines.len; i++)
		log_error(
		    "not in force: %s", s->accepted->problems.lines.at[i]);
}

static void
apply_changes(struct supervisor *s, const struct accepted_changes *changes)
{
	const struct accepted_cluster *a;
	struct cluster *c;
	size_t i;

	for (i = 0; i < changes->removed.len; i++)
		cluster_retire(s, changes->removed.at[i]);
	for (i = 0; i < changes->added.len; i++)
		cluster_add(
		    s, accepted_find(s->accepted, changes->added.at[i]));
	for (i = 0; i < changes->changed.len; i++) {
		c = supervisor_cluster(s, changes->changed.at[i]);
		a = accepted_find(s->accepted, changes->changed.at[i]);
		log_info("cluster %s: configuration changed", c->name);
		process_restart(c->process);
		cluster_set_group(s, c, a->config);
	}
	if (changes->daemon_changed) {
		log_info("bulkhead.ini changed: the reader starts anew; "
			 "[supervisor] and [admin] take effect with the next "
			 "start of the supervisor");
		supervisor_set_log_level(s, s->accepted->daemon->log.level);
		process_restart(s->reader);
	} else if (changes->added.len + changes->changed.len +
		changes->removed.len >
	    0) {
		tell_reader(s);
	}
}

static bool
same_lines(const struct config_errors *a, const struct config_errors *b)
{
	size_t i;

	if (a->lines.len != b->lines.len)
		return false;
	for (i = 0; i < a->lines.len; i++) {
		if (strcmp(a->lines.at[i], b->lines.at[i]) != 0)
			return false;
	}
	return true;
}

void
supervisor_reload(struct supervisor *s)
{
	struct accepted_changes changes;
	struct config_errors before = s->accepted->problems;

	memset(&s->accepted->problems, 0, sizeof(s->accepted->problems));
	accepted_scan(s->accepted, &changes);
	if (!same_lines(&before, &s->accepted->problems))
		log_problems(s);
	config_errors_fini(&before);
	apply_changes(s, &changes);
	accepted_changes_fini(&changes);
	removals_go_on(s);
}

static void
on_rescan(uv_timer_t *timer)
{
	struct supervisor *s = container_of(timer, struct supervisor, rescan);

	if (s->stopping)
		return;
	supervisor_reload(s);
	must(uv_timer_start(timer, on_rescan, RESCAN_MS, 0) == 0);
}

static void
on_file_event(uv_fs_event_t *handle, const char *name, int events, int status)
{
	struct supervisor *s = handle->data;

	(void)name;
	(void)events;
	(void)status;
	/* Never put off: something else in the folder may change all the time.
	 */
	if (!s->stopping && uv_timer_get_due_in(&s->rescan) > EVENT_GATHER_MS)
		must(uv_timer_start(
			 &s->rescan, on_rescan, EVENT_GATHER_MS, 0) == 0);
}

static void
watch_folder(struct supervisor *s, const char *path)
{
	uv_fs_event_t *w = xcalloc(1, sizeof(*w));
	int rc;

	must(uv_fs_event_init(s->loop, w) == 0);
	w->data = s;
	vec_push(&s->watches, w);
	rc = uv_fs_event_start(w, on_file_event, path, 0);
	if (rc != 0)
		log_warn("%s: changes are not seen at once (%s), only every "
			 "%d s or on SIGHUP",
		    path, uv_strerror(rc), RESCAN_MS / 1000);
}

static void
watch_files(struct supervisor *s)
{
	const char *path = s->accepted->config_path;
	const char *slash = strrchr(path, '/');
	char *folder _cleanup_free_ = slash == NULL
	    ? xstrdup(".")
	    : xmemdup0(path, (size_t)(slash - path) + (slash == path));

	watch_folder(s, folder);
	watch_folder(s, s->accepted->daemon->supervisor.clusters_dir);
	must(uv_timer_start(&s->rescan, on_rescan, RESCAN_MS, 0) == 0);
}

/* ---- start and end ---- */

static int
take_lock(struct supervisor *s, struct error *e)
{
	char *path _cleanup_free_ = xasprintf("%s/supervisor.lock", s->run_dir);

	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return error_errno(e, errno, "%s", path);
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return error_set(e, errno,
		    "%s is held: another supervisor runs with this run_dir",
		    path);
	return 0;
}

static int
find_user(struct supervisor *s, struct error *e)
{
	const char *name = s->accepted->daemon->supervisor.user;
	struct passwd *pw;

	if (name == NULL || geteuid() != 0)
		return 0;
	errno = 0;
	pw = getpwnam(name);
	if (pw == NULL)
		return error_set(e, errno == 0 ? ENOENT : errno,
		    "[supervisor] user: there is no user \"%s\" here", name);
	s->uid = pw->pw_uid;
	s->gid = pw->pw_gid;
	return 0;
}

static char *
own_folder(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	must(n > 0);
	path[n] = '\0';
	slash = strrchr(path, '/');
	must(slash != NULL);
	*slash = '\0';
	return xstrdup(path);
}

struct supervisor *
supervisor_new(uv_loop_t *loop, struct accepted *accepted, struct error *e)
{
	struct supervisor *s = xcalloc(1, sizeof(*s));
	static const char *const folders[] = { "bus", "control", "state",
		"proxies", "log" };
	size_t i;

	s->loop = loop;
	s->accepted = accepted;
	s->lock_fd = -1;
	s->run_dir = xstrdup(accepted->daemon->supervisor.run_dir);
	s->bin_dir = own_folder();
	retired_load(&s->retired, s->run_dir);
	if (take_lock(s, e) != 0 || find_user(s, e) != 0)
		goto fail;
	for (i = 0; i < countof(folders); i++) {
		char *path _cleanup_free_ =
		    xasprintf("%s/%s", s->run_dir, folders[i]);

		if (fs_mkdirs(path, 0755, e) != 0)
			goto fail;
		if (strcmp(folders[i], "control") == 0 && s->uid != 0 &&
		    chown(path, s->uid, getegid()) != 0) {
			(void)error_errno(e, errno, "%s", path);
			goto fail;
		}
	}
	s->admin = admin_new(s);
	return s;
fail:
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	retired_fini(&s->retired);
	free(s->run_dir);
	free(s->bin_dir);
	free(s);
	return NULL;
}

static void
on_signal(uv_signal_t *handle, int signo)
{
	struct supervisor *s = handle->data;

	if (signo == SIGHUP) {
		log_info("SIGHUP: reading the configuration again");
		supervisor_reload(s);
	} else {
		supervisor_stop(s, strsignal(signo));
	}
}

static void
catch_signal(struct supervisor *s, uv_signal_t *handle, int signo)
{
	must(uv_signal_init(s->loop, handle) == 0);
	handle->data = s;
	must(uv_signal_start(handle, on_signal, signo) == 0);
}

int
supervisor_start(struct supervisor *s, struct error *e)
{
	struct accepted_changes changes;
	size_t i;

	if (admin_start(s->admin, e) != 0) {
		admin_close(s->admin);
		return -1;
	}
	s->turns = turns_new(s->loop);
	must(uv_timer_init(s->loop, &s->rescan) == 0);
	catch_signal(s, &s->sigterm, SIGTERM);
	catch_signal(s, &s->sigint, SIGINT);
	catch_signal(s, &s->sighup, SIGHUP);
	accepted_scan(s->accepted, &changes);
	/* Nobody was there when their files went. */
	for (i = 0; i < changes.removed.len; i++)
		retired_add(&s->retired, changes.removed.at[i], "unknown");
	accepted_changes_fini(&changes);
	log_problems(s);
	s->reader = new_reader(s);
	process_start(s->reader);
	for (i = 0; i < s->accepted->clusters.len; i++)
		cluster_add(s, s->accepted->clusters.at[i]);
	watch_files(s);
	return 0;
}

static void
on_watch_closed(uv_handle_t *handle)
{
	free(handle);
}

static void
close_timer(uv_timer_t *timer)
{
	if (!uv_is_closing((uv_handle_t *)timer))
		uv_close((uv_handle_t *)timer, NULL);
}

/* After the local proxies have drained, or after a while in any case. */
static void
finish(struct supervisor *s)
{
	size_t i;

	if (s->finishing)
		return;
	s->finishing = true;

	close_timer(&s->rescan);
	removals_close(s);
	process_close(s->reader, NULL, NULL);
	for (i = 0; i < s->clusters.len; i++) {
		struct cluster *c = s->clusters.at[i];

		if (c->group != NULL)
			group_close(c->group, NULL, NULL);
		process_close(c->process, cluster_free, c);
	}
	vec_fini(&s->clusters);
	group_let_go(s->loop);
	admin_close(s->admin);
}

static bool
is_down(const struct process *p)
{
	return process_child(p)->state == CHILD_DOWN;
}

/* Ends at once when the children are down and the proxies drained. */
void
supervisor_try_finish(struct supervisor *s)
{
	size_t i;

	if (!s->stopping || s->finishing || s->stop_waits > 0 ||
	    !is_down(s->reader))
		return;
	for (i = 0; i < s->clusters.len; i++) {
		if (!is_down(s->clusters.at[i]->process))
			return;
	}
	must(uv_timer_start(&s->rescan, on_stop_timer, 0, 0) == 0);
}

static void
on_drained(void *arg)
{
	struct supervisor *s = arg;

	s->stop_waits--;
	supervisor_try_finish(s);
}

/* Children had their time too: what still runs is killed with its process. */
static void
on_stop_timer(uv_timer_t *timer)
{
	finish(container_of(timer, struct supervisor, rescan));
}

void
supervisor_stop(struct supervisor *s, const char *why)
{
	size_t i;

	if (s->stopping)
		return;
	s->stopping = true;
	log_info("stopping: %s", why);
	turns_close(s->turns);
	s->turns = NULL;
	uv_close((uv_handle_t *)&s->sigterm, NULL);
	uv_close((uv_handle_t *)&s->sigint, NULL);
	uv_close((uv_handle_t *)&s->sighup, NULL);
	for (i = 0; i < s->watches.len; i++)
		uv_close((uv_handle_t *)s->watches.at[i], on_watch_closed);
	vec_fini(&s->watches);
	process_stop(s->reader);
	s->stop_waits = 1;
	for (i = 0; i < s->clusters.len; i++) {
		struct cluster *c = s->clusters.at[i];
		const struct accepted_cluster *a =
		    accepted_find(s->accepted, c->name);

		process_stop(c->process);
		if (c->group != NULL &&
		    (a == NULL || a->config->proxy.stop_with_supervisor)) {
			s->stop_waits++;
			group_drain(c->group, on_drained, s);
		}
	}
	must(uv_timer_start(&s->rescan, on_stop_timer, STOP_WAIT_MS, 0) == 0);
	on_drained(s);
}

void
supervisor_free(struct supervisor *s)
{
	accepted_free(s->accepted);
	retired_fini(&s->retired);
	(void)close(s->lock_fd);
	free(s->reader_status);
	free(s->run_dir);
	free(s->bin_dir);
	free(s);
}

/* ---- questions ---- */

bool
supervisor_ready(const struct supervisor *s)
{
	size_t i;

	if (!s->reader_ready || s->stopping)
		return false;
	for (i = 0; i < s->clusters.len; i++) {
		const struct cluster *c = s->clusters.at[i];

		if (process_child(c->process)->state != CHILD_READY ||
		    strcmp(c->status.state, "ready") != 0)
			return false;
	}
	return true;
}

void
supervisor_set_log_level(struct supervisor *s, const char *level)
{
	STR_AUTO(line, 128);
	int number = log_level_parse(level);
	size_t i;

	if (number < 0)
		return;
	log_set_level((enum log_level)number);
	str_addf(&line, "{\"type\":\"log\",\"level\":\"%s\"}", level);
	process_send(s->reader, line.p, line.len);
	for (i = 0; i < s->clusters.len; i++)
		process_send(s->clusters.at[i]->process, line.p, line.len);
}
