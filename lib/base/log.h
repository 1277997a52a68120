/*
 * One line per event on standard error:
 *	2026-01-31T10:00:00.123Z warn bulkhead-extension[blue] bus: no beacon
 * or, with log_set_json(), one JSON object per line.  Libraries log at debug
 * only; the program's callback that gives up logs once and says what next.
 * Never blocks: a line that standard error does not take is dropped and
 * counted, and the count is told with the next line that goes out.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/*
 * Names the lines: 'program' and, where it serves one, 'cluster' (NULL for
 * none).  Both are kept by reference.  Makes standard error non-blocking
 * where it is a pipe.
 */
void log_init(const char *program, const char *cluster);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
void log_set_json(bool json);
/* "error", "warn", "info", "debug"; -1 for anything else. */
int log_level_parse(const char *name);
const char *log_level_name(enum log_level level);

/* errno is kept. */
void log_write(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                                         \
	do {                                                                   \
		if (log_get_level() >= LOG_DEBUG)                              \
			log_write(LOG_DEBUG, __VA_ARGS__);                     \
	} while (0)

/* At most 'burst' lines per 'period_ms'; what was held back is told after. */
struct log_limit {
	uint32_t burst;
	uint32_t period_ms;
	uint64_t since_ms;
	uint32_t said;
	uint32_t held;
};
#define LOG_LIMIT_INIT(n, ms)                                                  \
	{                                                                      \
		.burst = (n), .period_ms = (ms)                                \
	}
void log_limited(struct log_limit *limit, enum log_level level, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

#endif
