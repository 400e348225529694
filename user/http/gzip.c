// SPDX-License-Identifier: Apache-2.0
/*
 * Content-Encoding: gzip, by zlib. Called by server.c for bodies that are
 * worth it. The fastest level: expositions are so repetitive that the better
 * ones win little and cost several times the CPU.
 */
#include "http/gzip.h"

#include <errno.h>
#include <zlib.h>

#include "util/qlist.h"

#define CHUNK	    32768
#define GZIP_WINDOW (MAX_WBITS + 16) /* gzip's header and trailer, not zlib's */

bool rt_gzip__accepted(const char *accept_encoding)
{
	struct rt_slice rest = rt_slice_str(accept_encoding);
	s32 gzip = -1, star = -1, identity = -1;
	struct rt_qitem item;

	while (rt_qlist__next(&rest, &item)) {
		if (rt_qitem__name_is(&item, "gzip") || rt_qitem__name_is(&item, "x-gzip"))
			gzip = (s32)item.q;
		else if (rt_qitem__name_is(&item, "identity"))
			identity = (s32)item.q;
		else if (rt_qitem__name_is(&item, "*"))
			star = (s32)item.q;
	}
	if (gzip < 0)
		gzip = star;
	return gzip > 0 && gzip >= identity;
}

int rt_gzip__body(struct rt_buf *body)
{
	struct rt_buf out = {.max = body->max};
	z_stream z = {0};
	u8 chunk[CHUNK];
	int rc;

	if (body->len > UINT32_MAX)
		return -E2BIG;
	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	z.next_in = (u8 *)body->data;
	z.avail_in = (u32)body->len;
	do {
		z.next_out = chunk;
		z.avail_out = sizeof(chunk);
		rc = deflate(&z, Z_FINISH);
		rt_buf__put(&out, chunk, sizeof(chunk) - z.avail_out);
	} while (rc == Z_OK && !out.err);
	deflateEnd(&z);
	if (rc != Z_STREAM_END || out.err) {
		int err = out.err ? out.err : -EIO;

		rt_buf__free(&out);
		return err;
	}
	rt_buf__free(body);
	*body = out;
	return 0;
}
