/* Protocol buffers on the wire: see proto.h. */
#include "docker/proto.h"

#include <errno.h>
#include <string.h>

#define FIELD_MAX ((1U << 29) - 1)

void
proto_init(struct proto_reader *r, const void *bytes, size_t len)
{
	r->p = bytes;
	r->left = len;
}

static int
take_varint(struct proto_reader *r, uint64_t *ret, struct error *e)
{
	uint64_t value = 0;

	for (size_t i = 0; i < 10; i++) {
		uint64_t byte;

		if (i == r->left)
			return error_set(e, EPROTO, "a number is cut");
		byte = r->p[i];
		/* The tenth byte has room for one bit. */
		if (i == 9 && byte > 1)
			break;
		value |= (byte & 0x7f) << (7 * i);
		if (byte < 0x80) {
			r->p += i + 1;
			r->left -= i + 1;
			*ret = value;
			return 0;
		}
	}
	return error_set(e, EPROTO, "a number has more than 64 bits");
}

static int
take_fixed(struct proto_reader *r, size_t size, uint64_t *ret, struct error *e)
{
	uint64_t value = 0;

	if (r->left < size)
		return error_set(e, EPROTO, "a number is cut");
	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)r->p[i] << (8 * i);
	r->p += size;
	r->left -= size;
	*ret = value;
	return 0;
}

static int
take_bytes(struct proto_reader *r, struct proto_field *f, struct error *e)
{
	uint64_t len;

	if (take_varint(r, &len, e) != 0)
		return -1;
	if (len > r->left)
		return error_set(e, EPROTO,
		    "field %u claims %llu bytes, %zu are left", f->number,
		    (unsigned long long)len, r->left);
	f->bytes = r->p;
	f->len = (size_t)len;
	r->p += f->len;
	r->left -= f->len;
	return 0;
}

int
proto_next(struct proto_reader *r, struct proto_field *ret, struct error *e)
{
	struct proto_field f = { 0 };
	uint64_t tag;
	int rc;

	if (r->left == 0)
		return 0;
	if (take_varint(r, &tag, e) != 0)
		return -1;
	if (tag >> 3 == 0 || tag >> 3 > FIELD_MAX)
		return error_set(e, EPROTO, "no such field: %llu",
		    (unsigned long long)(tag >> 3));
	f.number = (uint32_t)(tag >> 3);
	switch (tag & 7) {
	case PROTO_VARINT:
		f.type = PROTO_VARINT;
		rc = take_varint(r, &f.value, e);
		break;
	case PROTO_FIXED64:
		f.type = PROTO_FIXED64;
		rc = take_fixed(r, 8, &f.value, e);
		break;
	case PROTO_BYTES:
		f.type = PROTO_BYTES;
		rc = take_bytes(r, &f, e);
		break;
	case PROTO_FIXED32:
		f.type = PROTO_FIXED32;
		rc = take_fixed(r, 4, &f.value, e);
		break;
	default:
		return error_set(
		    e, EPROTO, "field %u has no known type", f.number);
	}
	if (rc != 0)
		return -1;
	*ret = f;
	return 1;
}

int
proto_number(const struct proto_field *f, uint64_t *ret, struct error *e)
{
	if (f->type != PROTO_VARINT)
		return error_set(e, EPROTO, "field %u is no number", f->number);
	*ret = f->value;
	return 0;
}

int
proto_message(
    const struct proto_field *f, struct proto_reader *ret, struct error *e)
{
	if (f->type != PROTO_BYTES)
		return error_set(
		    e, EPROTO, "field %u is no message", f->number);
	proto_init(ret, f->bytes, f->len);
	return 0;
}

static void
add_varint(struct str *out, uint64_t value)
{
	while (value >= 0x80) {
		str_addc(out, (char)(unsigned char)(value | 0x80));
		value >>= 7;
	}
	str_addc(out, (char)value);
}

void
proto_add_number(struct str *out, uint32_t field, uint64_t value)
{
	add_varint(out, (uint64_t)field << 3 | PROTO_VARINT);
	add_varint(out, value);
}

void
proto_add_bytes(struct str *out, uint32_t field, const void *bytes, size_t len)
{
	add_varint(out, (uint64_t)field << 3 | PROTO_BYTES);
	add_varint(out, len);
	str_addn(out, bytes, len);
}

void
proto_add_text(struct str *out, uint32_t field, const char *text)
{
	proto_add_bytes(out, field, text, strlen(text));
}
