// SPDX-License-Identifier: Apache-2.0
/*
 * The page at "/": what this server has to offer, from the table of routes.
 * Called by server.c when no route claims "/".
 */
#include "http/server.h"

#include <microhttpd.h>

static void put_escaped(struct rt_buf *b, const char *s)
{
	for (; *s; s++) {
		switch (*s) {
		case '&':
			rt_buf__puts(b, "&amp;");
			break;
		case '<':
			rt_buf__puts(b, "&lt;");
			break;
		case '>':
			rt_buf__puts(b, "&gt;");
			break;
		case '"':
			rt_buf__puts(b, "&quot;");
			break;
		default:
			rt_buf__putc(b, *s);
		}
	}
}

int rt_http__links_page(const struct rt_http_route *routes, struct rt_http_response *ret)
{
	struct rt_buf *b = &ret->body;
	const struct rt_http_route *route;

	ret->status = MHD_HTTP_OK;
	ret->content_type = "text/html; charset=utf-8";
	rt_buf__puts(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
			"<title>redtap</title>\n</head>\n<body>\n<h1>redtap " REDTAP_VERSION
			"</h1>\n<ul>\n");
	for (route = routes; route->path; route++) {
		if (!route->title)
			continue;
		rt_buf__puts(b, "<li><a href=\"");
		put_escaped(b, route->path);
		rt_buf__puts(b, "\">");
		put_escaped(b, route->path);
		rt_buf__puts(b, "</a>: ");
		put_escaped(b, route->title);
		rt_buf__puts(b, "</li>\n");
	}
	rt_buf__puts(b, "</ul>\n</body>\n</html>\n");
	return b->err;
}
