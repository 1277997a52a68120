/* Log lines: see log.h. */
#include "base/log.h"

#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_LEN 8192

static struct {
	const char *program;
	const char *cluster;
	enum log_level level;
	bool json;
	unsigned long dropped;
} state = { .program = "bulkhead", .level = LOG_INFO };

static const char *const names[] = { "error", "warn", "info", "debug" };

void
log_init(const char *program, const char *cluster)
{
	struct stat st;
	int flags;

	state.program = program;
	state.cluster = cluster;
	if (fstat(STDERR_FILENO, &st) == 0 && S_ISFIFO(st.st_mode)) {
		flags = fcntl(STDERR_FILENO, F_GETFL);
		if (flags >= 0)
			(void)fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
	}
}

void
log_set_level(enum log_level level)
{
	state.level = level;
}

enum log_level
log_get_level(void)
{
	return state.level;
}

void
log_set_json(bool json)
{
	state.json = json;
}

int
log_level_parse(const char *name)
{
	size_t i;

	for (i = 0; i < countof(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return (int)i;
	}
	return -1;
}

const char *
log_level_name(enum log_level level)
{
	return names[level];
}

static void
add_time(struct str *s)
{
	struct timespec now;
	struct tm tm;
	char buf[32];

	if (clock_gettime(CLOCK_REALTIME, &now) != 0 ||
	    gmtime_r(&now.tv_sec, &tm) == NULL)
		return;
	if (strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return;
	str_addf(s, "%s.%03ldZ", buf, now.tv_nsec / 1000000);
}

static void
add_text_line(struct str *s, enum log_level level, const char *msg)
{
	add_time(s);
	str_addf(s, " %s %s", names[level], state.program);
	if (state.cluster != NULL)
		str_addf(s, "[%s]", state.cluster);
	str_addf(s, " %s\n", msg);
}

static void
add_json_line(struct str *s, enum log_level level, const char *msg)
{
	str_add(s, "{\"time\":\"");
	add_time(s);
	str_addf(s, "\",\"level\":\"%s\",\"program\":\"%s\"", names[level],
	    state.program);
	if (state.cluster != NULL)
		str_addf(s, ",\"cluster\":\"%s\"", state.cluster);
	str_add(s, ",\"message\":");
	str_add_json(s, msg, strlen(msg));
	str_add(s, "}\n");
}

static void
put_line(enum log_level level, const char *msg)
{
	STR_AUTO(line, LINE_MAX_LEN * 4);

	(state.json ? add_json_line : add_text_line)(&line, level, msg);
	if (write(STDERR_FILENO, line.p, line.len) != (ssize_t)line.len)
		state.dropped++;
}

static void __attribute__((format(printf, 2, 0)))
write_line(enum log_level level, const char *fmt, va_list ap)
{
	STR_AUTO(msg, LINE_MAX_LEN);
	int saved = errno;
	unsigned long dropped = state.dropped;
	size_t i;

	str_addv(&msg, fmt, ap);
	if (msg.overflow)
		str_add(&msg, "(a line too long to log)");
	for (i = 0; i < msg.len; i++) {
		if ((unsigned char)msg.p[i] < 0x20)
			msg.p[i] = ' ';
	}
	if (dropped > 0) {
		char note[64];

		(void)snprintf(
		    note, sizeof(note), "log: %lu lines dropped", dropped);
		state.dropped = 0;
		put_line(LOG_WARN, note);
	}
	put_line(level, msg.p);
	errno = saved;
}

void
log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > state.level)
		return;
	va_start(ap, fmt);
	write_line(level, fmt, ap);
	va_end(ap);
}

void
log_limited(struct log_limit *limit, enum log_level level, const char *fmt, ...)
{
	uint64_t now = clock_mono_ms();
	va_list ap;

	if (level > state.level)
		return;
	if (limit->since_ms == 0 || now - limit->since_ms >= limit->period_ms) {
		if (limit->held > 0)
			log_write(level, "log: %u more lines like the next",
			    limit->held);
		limit->since_ms = now;
		limit->said = limit->held = 0;
	}
	if (limit->said >= limit->burst) {
		limit->held++;
		return;
	}
	limit->said++;
	va_start(ap, fmt);
	write_line(level, fmt, ap);
	va_end(ap);
}
