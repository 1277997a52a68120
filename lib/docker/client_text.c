/* Texts of the Docker client: see client_text.h. */
#include "docker/client_text.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/parse.h"

/* The range of API versions that we know, as minors of version 1. */
#define OLDEST 32
#define NEWEST 47
#define MESSAGE_MAX 300

static int
parse_minor(json_t *version, const char *member, uint32_t *ret, struct error *e)
{
	const char *text = json_string_value(json_object_get(version, member));

	if (text == NULL || strncmp(text, "1.", 2) != 0)
		return error_set(e, EPROTO, "/version: no %s", member);
	return parse_u32(text + 2, strlen(text + 2), 0, 9999, ret, e);
}

int
docker_choose_version(const char *body, size_t len,
    char ret[DOCKER_VERSION_SIZE], struct error *e)
{
	json_auto_t *version = json_loadb(body, len, JSON_ALLOW_NUL, NULL);
	uint32_t newest, oldest;

	if (!json_is_object(version))
		return error_set(e, EPROTO, "/version: not a JSON object");
	if (parse_minor(version, "ApiVersion", &newest, e) != 0)
		return -1;
	if (parse_minor(version, "MinAPIVersion", &oldest, NULL) != 0)
		oldest = 0;
	if (newest < OLDEST)
		return error_set(e, EPROTONOSUPPORT,
		    "the engine speaks API 1.%u at most; 1.%d is needed",
		    newest, OLDEST);
	if (newest > NEWEST)
		newest = NEWEST;
	/* One that dropped all we know: its oldest is nearest to them. */
	if (newest < oldest)
		newest = oldest;
	(void)snprintf(ret, DOCKER_VERSION_SIZE, "1.%u", newest);
	return 0;
}

void
docker_error_message(struct str *out, const char *body, size_t len)
{
	json_auto_t *error = json_loadb(body, len, JSON_ALLOW_NUL, NULL);
	const char *message =
	    json_string_value(json_object_get(error, "message"));

	if (message != NULL) {
		body = message;
		len = strlen(message);
	}
	if (len > MESSAGE_MAX)
		len = MESSAGE_MAX;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)body[i];

		str_addc(out, c < 0x20 || c == 0x7f ? ' ' : (char)c);
	}
}

bool
docker_is_version_error(long status, const char *body, size_t len)
{
	if (status != 400)
		return false;
	return memmem(body, len, "client version", 14) != NULL &&
	    (memmem(body, len, "too new", 7) != NULL ||
		memmem(body, len, "too old", 7) != NULL);
}

void
docker_lines_init(struct docker_lines *l, size_t max)
{
	str_init(&l->rest, max);
}

void
docker_lines_fini(struct docker_lines *l)
{
	str_fini(&l->rest);
}

int
docker_lines_feed(struct docker_lines *l, const char *bytes, size_t len,
    bool (*on_line)(void *arg, const char *line, size_t len), void *arg,
    struct error *e)
{
	const char *end = bytes + len, *newline;

	while ((newline = memchr(bytes, '\n', (size_t)(end - bytes))) != NULL) {
		str_addn(&l->rest, bytes, (size_t)(newline - bytes));
		bytes = newline + 1;
		if (l->rest.overflow)
			break;
		if (l->rest.len > 0 && !on_line(arg, l->rest.p, l->rest.len))
			return error_set(e, ECANCELED, "canceled");
		str_clear(&l->rest);
	}
	if (!l->rest.overflow)
		str_addn(&l->rest, bytes, (size_t)(end - bytes));
	if (l->rest.overflow)
		return error_set(
		    e, EMSGSIZE, "a line of more than %zu bytes", l->rest.max);
	return 0;
}
