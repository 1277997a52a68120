/* gRPC's frames: see grpc_frames.h. */
#include "docker/grpc_frames.h"

#include <errno.h>

/* What a large message needed is given back after it. */
#define KEEP_MAX ((size_t)256 * 1024)

void
grpc_frames_init(struct grpc_frames *f, size_t max)
{
	f->max = max;
	str_init(&f->part, GRPC_HEAD_SIZE + max);
}

void
grpc_frames_fini(struct grpc_frames *f)
{
	str_fini(&f->part);
}

void
grpc_frames_clear(struct grpc_frames *f)
{
	size_t max = f->max;

	if (f->part.size <= KEEP_MAX) {
		str_clear(&f->part);
		return;
	}
	str_fini(&f->part);
	grpc_frames_init(f, max);
}

bool
grpc_frames_open(const struct grpc_frames *f)
{
	return f->part.len > 0;
}

/* Length of the message behind the head at 'p'. */
static int
read_head(const struct grpc_frames *f, const unsigned char *p, size_t *ret,
    struct error *e)
{
	size_t len =
	    (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];

	if (p[0] != 0)
		return error_set(e, EPROTO, "a frame of unknown kind %u", p[0]);
	if (len > f->max)
		return error_set(
		    e, EFBIG, "a frame of %zu bytes, over %zu", len, f->max);
	*ret = len;
	return 0;
}

/* Moves up to 'want' bytes in all into the part. */
static void
gather(
    struct grpc_frames *f, const unsigned char **p, size_t *left, size_t want)
{
	size_t n = want - f->part.len;

	if (n > *left)
		n = *left;
	str_addn(&f->part, *p, n);
	*p += n;
	*left -= n;
}

/* Goes on with the frame that began before: 1 when it is whole. */
static int
complete(struct grpc_frames *f, const unsigned char **p, size_t *left,
    size_t *ret_len, struct error *e)
{
	if (f->part.len < GRPC_HEAD_SIZE)
		gather(f, p, left, GRPC_HEAD_SIZE);
	if (f->part.len < GRPC_HEAD_SIZE)
		return 0;
	if (read_head(f, (unsigned char *)f->part.p, ret_len, e) != 0)
		return -1;
	gather(f, p, left, GRPC_HEAD_SIZE + *ret_len);
	return f->part.len == GRPC_HEAD_SIZE + *ret_len;
}

int
grpc_frames_feed(struct grpc_frames *f, const void *bytes, size_t left,
    grpc_message_fn *on_message, void *arg, struct error *e)
{
	const unsigned char *p = bytes;
	size_t len;
	bool go_on;

	if (f->part.len > 0) {
		int whole = complete(f, &p, &left, &len, e);

		if (whole <= 0)
			return whole;
		go_on = on_message(
		    arg, (unsigned char *)f->part.p + GRPC_HEAD_SIZE, len);
		grpc_frames_clear(f);
		if (!go_on)
			return 0;
	}
	while (left >= GRPC_HEAD_SIZE) {
		if (read_head(f, p, &len, e) != 0)
			return -1;
		if (left - GRPC_HEAD_SIZE < len)
			break;
		if (!on_message(arg, p + GRPC_HEAD_SIZE, len))
			return 0;
		p += GRPC_HEAD_SIZE + len;
		left -= GRPC_HEAD_SIZE + len;
	}
	str_addn(&f->part, p, left);
	must(!f->part.overflow);
	return 0;
}

void
grpc_frame_add(struct str *out, const void *message, size_t len)
{
	must(len <= UINT32_MAX);
	str_addc(out, '\0');
	for (unsigned shift = 32; shift > 0; shift -= 8)
		str_addc(out, (char)(unsigned char)(len >> (shift - 8)));
	str_addn(out, message, len);
}
