/* Grammar of single INI values: see values.h. */
#include "config/values.h"

#include "base/inet.h"
#include "base/mem.h"
#include "base/parse.h"
#include "config/config.h"
#include "model/label.h"

#include <errno.h>
#include <string.h>

#define DIGITS "0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define ALPHA LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ALNUM ALPHA DIGITS

/* True if all bytes are among 'allowed'. */
static bool
only(const char *s, size_t len, const char *allowed)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\0' || strchr(allowed, s[i]) == NULL)
			return false;
	}
	return true;
}

static bool
equals(const char *s, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(s, word, len) == 0;
}

static bool
starts(const char *s, size_t len, const char *word)
{
	return len >= strlen(word) && memcmp(s, word, strlen(word)) == 0;
}

/*
 * 1 to 'max' bytes of letters, digits and 'others', with a letter or digit at
 * the start, and at the end too unless 'open_end'.
 */
static bool
is_name(
    const char *s, size_t len, size_t max, const char *others, bool open_end)
{
	if (len == 0 || len > max || !only(s, 1, ALNUM))
		return false;
	if (!open_end && !only(s + len - 1, 1, ALNUM))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!only(s + i, 1, ALNUM) && !only(s + i, 1, others))
			return false;
	}
	return true;
}

bool
config_is_cluster_name(const char *s, size_t len)
{
	return is_name(s, len, CLUSTER_NAME_MAX, "-", false) &&
	    only(s, len, LOWER DIGITS "-");
}

int
config_check_any(const char *s, size_t len, struct error *e)
{
	(void)s;
	(void)len;
	(void)e;
	return 0;
}

int
config_check_path(const char *s, size_t len, struct error *e)
{
	if (len == 0 || s[0] != '/')
		return error_set(e, EINVAL, "not an absolute path");
	for (size_t i = 0; i < len; i++) {
		if (s[i] == ' ' || s[i] == '\t')
			return error_set(e, EINVAL,
			    "a path with a blank (a comment behind a value"
			    " starts with \" ;\")");
		if ((unsigned char)s[i] < 0x21 || s[i] == 0x7f ||
		    strchr("\"'\\;{}$#`", s[i]) != NULL)
			return error_set(
			    e, EINVAL, "a path with '%c' in it", s[i]);
	}
	return 0;
}

int
config_check_path_or_off(const char *s, size_t len, struct error *e)
{
	if (equals(s, len, "off"))
		return 0;
	if (config_check_path(s, len, NULL) != 0)
		return error_set(e, EINVAL, "neither a path nor off");
	return 0;
}

int
config_check_error_log(const char *s, size_t len, struct error *e)
{
	if (equals(s, len, "stderr"))
		return 0;
	if (config_check_path(s, len, NULL) != 0)
		return error_set(e, EINVAL, "neither a path nor stderr");
	return 0;
}

int
config_check_watch(const char *s, size_t len, struct error *e)
{
	if (equals(s, len, "auto") || equals(s, len, "off"))
		return 0;
	if (config_check_path(s, len, NULL) != 0)
		return error_set(e, EINVAL,
		    "neither auto nor off nor the path of the control"
		    " socket");
	return 0;
}

/* A host to dial or to listen on: an address or a plain name. */
static bool
is_host(const char *s, size_t len)
{
	struct inet a;

	if (len == 0 || len > 253)
		return false;
	if (memchr(s, '/', len) == NULL && inet_parse(s, len, &a, NULL) == 0)
		return true;
	/* What looks like an IPv4 address and is none is no name either. */
	if (only(s, len, DIGITS "."))
		return false;
	return is_name(s, len, 253, ".-_", false);
}

static int
parse_host_port(
    const char *s, size_t len, struct config_listen *ret, struct error *e)
{
	const char *colon = memrchr(s, ':', len), *host = s;
	size_t n;
	uint32_t port;

	if (colon == NULL)
		return error_set(e, EINVAL, "not HOST:PORT");
	n = (size_t)(colon - s);
	if (parse_u32(colon + 1, len - n - 1, 1, 65535, &port, e) != 0)
		return error_wrap(e, "the port");
	if (n >= 2 && s[0] == '[' && s[n - 1] == ']') {
		host++;
		n -= 2;
		if (memchr(host, ':', n) == NULL || !is_host(host, n))
			return error_set(e, EINVAL, "no IPv6 address in []");
	} else if (memchr(s, ':', n) != NULL) {
		return error_set(
		    e, EINVAL, "not HOST:PORT (IPv6 is written [ADDR]:PORT)");
	} else if (n == 0 || (n == 1 && s[0] == '*')) {
		n = 0;
	} else if (!is_host(s, n)) {
		return error_set(
		    e, EINVAL, "before the port is neither address nor name");
	}
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->host, host, n);
	ret->port = (uint16_t)port;
	return 0;
}

int
config_listen_parse(const char *s, size_t len, bool unix_allowed,
    struct config_listen *ret, struct error *e)
{
	if (!unix_allowed || !starts(s, len, "unix:"))
		return parse_host_port(s, len, ret, e);
	s += strlen("unix:");
	len -= strlen("unix:");
	if (config_check_path(s, len, e) != 0)
		return -1;
	if (len > CONFIG_UNIX_MAX)
		return error_set(e, ENAMETOOLONG,
		    "a socket's path has at most %d bytes", CONFIG_UNIX_MAX);
	memset(ret, 0, sizeof(*ret));
	ret->is_unix = true;
	memcpy(ret->host, s, len);
	return 0;
}

int
config_check_listen(const char *s, size_t len, struct error *e)
{
	struct config_listen l;

	return config_listen_parse(s, len, false, &l, e);
}

int
config_check_listen_unix(const char *s, size_t len, struct error *e)
{
	struct config_listen l;

	return config_listen_parse(s, len, true, &l, e);
}

/* HOST:PORT behind 'scheme'; a host is needed to dial. */
static int
check_dialled(const char *s, size_t len, const char *scheme, struct error *e)
{
	struct config_listen l;

	s += strlen(scheme);
	len -= strlen(scheme);
	if (len > 0 && s[len - 1] == '/')
		return error_set(e, EINVAL, "without the slash at the end");
	if (config_listen_parse(s, len, false, &l, e) != 0)
		return -1;
	if (l.host[0] == '\0')
		return error_set(e, EINVAL, "no host to dial");
	return 0;
}

int
config_check_docker_url(const char *s, size_t len, struct error *e)
{
	static const char *const schemes[] = { "tcp://", "http://",
		"https://" };
	struct config_listen l;

	if (starts(s, len, "unix:///")) {
		char *u _cleanup_free_ =
		    xasprintf("unix:%.*s", (int)len - 7, s + 7);

		return config_listen_parse(u, strlen(u), true, &l, e);
	}
	for (size_t i = 0; i < countof(schemes); i++) {
		if (starts(s, len, schemes[i]))
			return check_dialled(s, len, schemes[i], e);
	}
	return error_set(e, EINVAL,
	    "none of unix:///PATH, tcp://HOST:PORT, http://HOST:PORT,"
	    " https://HOST:PORT");
}

int
config_check_control_url(const char *s, size_t len, struct error *e)
{
	static const char *const schemes[] = { "http://", "https://" };
	struct config_listen l;

	if (starts(s, len, "unix:"))
		return config_listen_parse(s, len, true, &l, e);
	for (size_t i = 0; i < countof(schemes); i++) {
		if (starts(s, len, schemes[i]))
			return check_dialled(s, len, schemes[i], e);
	}
	return error_set(e, EINVAL,
	    "none of http://HOST:PORT, https://HOST:PORT, unix:PATH");
}

int
config_check_api_version(const char *s, size_t len, struct error *e)
{
	uint32_t n;

	if (!starts(s, len, "1.") ||
	    parse_u32(s + 2, len - 2, 24, 999, &n, NULL) != 0)
		return error_set(
		    e, EINVAL, "not a version of the Engine API from 1.24 on");
	return 0;
}

int
config_check_user(const char *s, size_t len, struct error *e)
{
	if (len == 0 || len > 32 || !only(s, 1, ALNUM "_") ||
	    !only(s, len, ALNUM "_-."))
		return error_set(e, EINVAL, "not a user's name or number");
	return 0;
}

int
config_check_address(const char *s, size_t len, struct error *e)
{
	struct inet a;

	if (memchr(s, '/', len) != NULL || inet_parse(s, len, &a, NULL) != 0)
		return error_set(e, EINVAL, "not an IP address");
	return 0;
}

int
config_check_cidr(const char *s, size_t len, struct error *e)
{
	struct inet a;

	if (inet_parse(s, len, &a, e) != 0)
		return -1;
	if (!inet_is_network(&a))
		return error_set(e, EINVAL,
		    "an address with bits behind the prefix, not a network");
	return 0;
}

int
config_check_cluster_name(const char *s, size_t len, struct error *e)
{
	if (!config_is_cluster_name(s, len))
		return error_set(e, EINVAL,
		    "not a cluster's name (1 to 63 of a-z, 0-9 and -, no - at"
		    " an edge)");
	return 0;
}

int
config_check_service(const char *s, size_t len, struct error *e)
{
	if (!is_name(s, len, 63, "-_", false))
		return error_set(e, EINVAL,
		    "not a Swarm service's name (1 to 63 of A-Z, a-z, 0-9, -"
		    " and _, no sign at an edge)");
	return 0;
}

int
config_check_network(const char *s, size_t len, struct error *e)
{
	if (!is_name(s, len, 255, "-_.", true))
		return error_set(e, EINVAL,
		    "not a network's name (A-Z, a-z, 0-9, -, _ and ., a letter"
		    " or digit first)");
	return 0;
}

int
config_check_secret(const char *s, size_t len, struct error *e)
{
	if (!is_name(s, len, 64, "-_.", false))
		return error_set(e, EINVAL,
		    "not a secret's name (1 to 64 of A-Z, a-z, 0-9, -, _ and"
		    " ., no sign at an edge)");
	return 0;
}

int
config_check_image(const char *s, size_t len, struct error *e)
{
	if (len == 0 || len > 512 || !only(s, 1, ALNUM) ||
	    !only(s, len, ALNUM "._-/:@"))
		return error_set(e, EINVAL, "not an image's name");
	return 0;
}

int
config_check_allowed_host(const char *s, size_t len, struct error *e)
{
	size_t offset;

	if (len == 1 && s[0] == '*')
		return 0;
	if (starts(s, len, "*.")) {
		s += 2;
		len -= 2;
	}
	return label_check_host(s, len, false, &offset, e);
}

int
config_check_constraint(const char *s, size_t len, struct error *e)
{
	const char *op = memmem(s, len, "==", 2);

	if (op == NULL)
		op = memmem(s, len, "!=", 2);
	if (op == NULL || op == s || op + 2 == s + len || !only(s, 1, ALNUM) ||
	    !only(s, len, ALNUM " ._-/:=!*()?+[]\\^$|"))
		return error_set(
		    e, EINVAL, "not a constraint (KEY == VALUE, KEY != VALUE)");
	return 0;
}

int
config_check_preference(const char *s, size_t len, struct error *e)
{
	if (!starts(s, len, "spread=") || len == strlen("spread=") ||
	    !only(s, len, ALNUM "._-/="))
		return error_set(e, EINVAL,
		    "not a preference (spread=node.labels.KEY is the only"
		    " kind)");
	return 0;
}

int
config_check_cpu(const char *s, size_t len, struct error *e)
{
	const char *dot = memchr(s, '.', len);
	size_t whole = dot == NULL ? len : (size_t)(dot - s);
	uint32_t n;

	if (parse_u32(s, whole, 0, 1024, &n, NULL) != 0)
		return error_set(
		    e, EINVAL, "not a number of CPUs up to 1024, such as 0.5");
	if (dot != NULL &&
	    (whole + 1 == len || len - whole > 10 ||
		!only(dot + 1, len - whole - 1, DIGITS)))
		return error_set(
		    e, EINVAL, "one to nine digits belong behind the point");
	if (only(s, len, "0."))
		return error_set(e, EINVAL, "no CPU at all");
	return 0;
}

int
config_check_ciphers(const char *s, size_t len, struct error *e)
{
	if (len == 0 || !only(s, len, ALNUM ":+!@=_.-"))
		return error_set(e, EINVAL,
		    "not a list of ciphers (names joined by colons)");
	return 0;
}

int
config_check_protocol(const char *s, size_t len, struct error *e)
{
	static const char *const known[] = { "TLSv1", "TLSv1.1", "TLSv1.2",
		"TLSv1.3" };

	for (size_t i = 0; i < countof(known); i++) {
		if (equals(s, len, known[i]))
			return 0;
	}
	if (memchr(s, ' ', len) != NULL)
		return error_set(
		    e, EINVAL, "items are separated by commas, not blanks");
	return error_set(e, EINVAL, "none of TLSv1.2, TLSv1.3, TLSv1, TLSv1.1");
}

int
config_check_words(const char *s, size_t len, struct error *e)
{
	if (!only(s, len, ALNUM "._:/ -"))
		return error_set(e, EINVAL, "not plain words");
	return 0;
}

int
config_check_label_name(const char *s, size_t len, struct error *e)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)s[i] < 0x21 || (unsigned char)s[i] > 0x7e)
			return error_set(e, EINVAL,
			    "a label's name has no blanks and only ASCII");
	}
	return 0;
}

int
config_check_env_name(const char *s, size_t len, struct error *e)
{
	if (len == 0 || only(s, 1, DIGITS) || !only(s, len, ALNUM "_"))
		return error_set(e, EINVAL,
		    "not a variable's name (A-Z, a-z, 0-9 and _, no digit"
		    " first)");
	return 0;
}
