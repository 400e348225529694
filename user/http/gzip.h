/* SPDX-License-Identifier: Apache-2.0 */
/* gzip of response bodies. Private to user/http. */
#ifndef REDTAP_GZIP_H
#define REDTAP_GZIP_H

#include "util/buf.h"

/* Does an Accept-Encoding header (NULL: none) want gzip rather than plain? */
bool rt_gzip__accepted(const char *accept_encoding);

/* Replaces the body by its gzip. 0, or -errno with the body as it was. */
int rt_gzip__body(struct rt_buf *body);

#endif /* REDTAP_GZIP_H */
