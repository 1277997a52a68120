/* Strict numbers and the like: see parse.h. */
#include "base/parse.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads the digits at the front; their count, or 0 if above 'max'. */
static size_t
read_digits(const char *s, size_t len, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < len && is_digit(s[i]); i++) {
		uint64_t d = (uint64_t)(s[i] - '0');

		if (v > (max - d) / 10)
			return 0;
		v = v * 10 + d;
	}
	*ret = v;
	return i;
}

int
parse_u32(const char *s, size_t len, uint32_t min, uint32_t max, uint32_t *ret,
    struct error *e)
{
	uint64_t v;

	if (len == 0 || read_digits(s, len, UINT32_MAX, &v) != len ||
	    (len > 1 && s[0] == '0') || v < min || v > max)
		return error_set(
		    e, EINVAL, "not a number from %u to %u", min, max);
	*ret = (uint32_t)v;
	return 0;
}

int
parse_duration_ms(
    const char *s, size_t len, uint64_t max_ms, uint64_t *ret, struct error *e)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = { { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 },
		{ "h", 3600000 }, { "d", 86400000 } };
	uint64_t v;
	size_t n = read_digits(s, len, UINT64_MAX / 86400000 / 2, &v), i;

	if (n == 0)
		return error_set(e, EINVAL,
		    "not a duration (a number and ms, s, m, h or d)");
	for (i = 0; i < countof(units); i++) {
		if (strlen(units[i].unit) != len - n ||
		    memcmp(units[i].unit, s + n, len - n) != 0)
			continue;
		if (v * units[i].ms > max_ms)
			return error_set(e, ERANGE,
			    "longer than %llu ms allowed here",
			    (unsigned long long)max_ms);
		*ret = v * units[i].ms;
		return 0;
	}
	return error_set(
	    e, EINVAL, "unknown unit behind the number (ms, s, m, h or d)");
}

int
parse_size(const char *s, size_t len, uint64_t *ret, struct error *e)
{
	uint64_t v, unit = 1;
	size_t n = read_digits(s, len, 1ULL << 53, &v);

	if (n == 0 || len - n > 1)
		return error_set(e, EINVAL,
		    "not a size (a number, then k, m, g or nothing)");
	if (len > n) {
		switch (s[n] | 0x20) {
		case 'k':
			unit = 1ULL << 10;
			break;
		case 'm':
			unit = 1ULL << 20;
			break;
		case 'g':
			unit = 1ULL << 30;
			break;
		default:
			return error_set(e, EINVAL,
			    "unknown unit behind the number (k, m or g)");
		}
	}
	if (v > (1ULL << 53) / unit)
		return error_set(e, ERANGE, "size too large");
	*ret = v * unit;
	return 0;
}

int
parse_bool(const char *s, size_t len, bool *ret, struct error *e)
{
	static const char *const words[][2] = { { "false", "true" },
		{ "no", "yes" }, { "off", "on" }, { "0", "1" } };
	size_t i, v;

	for (i = 0; i < countof(words); i++) {
		for (v = 0; v < 2; v++) {
			if (strlen(words[i][v]) == len &&
			    strncasecmp(words[i][v], s, len) == 0) {
				*ret = v == 1;
				return 0;
			}
		}
	}
	return error_set(e, EINVAL, "not a boolean (true or false)");
}

/* Two or four digits at 's'; -1 if there is anything else. */
static int
fixed_digits(const char *s, size_t n)
{
	int v = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (!is_digit(s[i]))
			return -1;
		v = v * 10 + (s[i] - '0');
	}
	return v;
}

/* Days from 1970-01-01, proleptic Gregorian. */
static int64_t
days_from_civil(int y, int m, int d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* "Z" or "+HH:MM" to seconds east of UTC; false if it is neither. */
static bool
read_zone(const char *s, size_t len, int64_t *ret)
{
	int h, m;

	if (len == 1 && (s[0] == 'Z' || s[0] == 'z')) {
		*ret = 0;
		return true;
	}
	if (len != 6 || (s[0] != '+' && s[0] != '-') || s[3] != ':')
		return false;
	h = fixed_digits(s + 1, 2);
	m = fixed_digits(s + 4, 2);
	if (h < 0 || h > 23 || m < 0 || m > 59)
		return false;
	*ret = (h * 3600 + m * 60) * (s[0] == '-' ? -1 : 1);
	return true;
}

int
parse_rfc3339(const char *s, size_t len, int64_t *ret_ns, struct error *e)
{
	int f[6];
	static const size_t at[6] = { 0, 5, 8, 11, 14, 17 };
	static const int max[6] = { 2200, 12, 31, 23, 59, 60 };
	static const char seps[] = "--T::";
	int64_t ns = 0, scale = 100000000, zone;
	size_t i;

	if (len < 20)
		goto bad;
	for (i = 0; i < 6; i++) {
		f[i] = fixed_digits(s + at[i], i == 0 ? 4 : 2);
		if (f[i] < 0 || f[i] > max[i] ||
		    (i < 5 && s[at[i + 1] - 1] != seps[i]))
			goto bad;
	}
	if (f[0] < 1970 || f[1] < 1 || f[2] < 1)
		goto bad;
	i = 19;
	if (s[i] == '.') {
		for (i++; i < len && is_digit(s[i]); i++, scale /= 10) {
			if (scale == 0)
				goto bad;
			ns += (s[i] - '0') * scale;
		}
		if (s[i - 1] == '.')
			goto bad;
	}
	if (!read_zone(s + i, len - i, &zone))
		goto bad;
	*ret_ns = ((days_from_civil(f[0], f[1], f[2]) * 86400 + f[3] * 3600 +
		       f[4] * 60 + f[5]) -
		      zone) *
		1000000000 +
	    ns;
	return 0;
bad:
	return error_set(e, EINVAL, "not a time as RFC 3339 writes it");
}
