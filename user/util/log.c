// SPDX-License-Identifier: Apache-2.0
/*
 * Log lines on stderr. Each is one write(2), so lines of different threads
 * never mix and nothing waits for a lock. Bytes that came from outside may be
 * in a message: control characters never reach the terminal, nor can they
 * forge a second line. Keeps errno. Called by every layer that knows the
 * consequence of a failure.
 */
#include "util/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/utf8.h"

/* Longer messages are cut, and end in "..." to say so. */
#define MESSAGE_MAX 4096
#define CUT_MARK    "..."

static const struct {
	const char *name;
	const char *prefix;
} levels[] = {
	[RT_LOG_ERROR] = {"error", "redtap: error: "},
	[RT_LOG_WARN] = {"warning", "redtap: warning: "},
	[RT_LOG_INFO] = {"info", "redtap: "},
	[RT_LOG_DEBUG] = {"debug", "redtap: debug: "},
};

static int log_level = RT_LOG_INFO;
static int log_format = RT_LOG_TEXT;

void rt_log__setup(enum rt_log_level level, enum rt_log_format format)
{
	__atomic_store_n(&log_level, (int)level, __ATOMIC_RELAXED);
	__atomic_store_n(&log_format, (int)format, __ATOMIC_RELAXED);
}

enum rt_log_level rt_log__level(void)
{
	return (enum rt_log_level)__atomic_load_n(&log_level, __ATOMIC_RELAXED);
}

static void put_text(struct rt_buf *line, enum rt_log_level level, char *msg)
{
	rt_utf8_make_plain(msg);
	rt_buf__puts(line, levels[level].prefix);
	rt_buf__puts(line, msg);
	rt_buf__putc(line, '\n');
}

static void put_json(struct rt_buf *line, enum rt_log_level level, const char *msg)
{
	char now[RT_RFC3339_LEN];

	rt_clock__rfc3339(now, rt_clock__wall());
	rt_buf__puts(line, "{\"time\":\"");
	rt_buf__puts(line, now);
	rt_buf__puts(line, "\",\"level\":\"");
	rt_buf__puts(line, levels[level].name);
	rt_buf__puts(line, "\",\"message\":");
	rt_buf__put_json(line, rt_slice_str(msg));
	rt_buf__puts(line, "}\n");
}

void rt_log(enum rt_log_level level, const char *fmt, ...)
{
	struct rt_buf line = RT_BUF_INIT;
	char msg[MESSAGE_MAX];
	int saved = errno;
	size_t len;
	va_list ap;
	int n;

	if (level > rt_log__level())
		return;

	va_start(ap, fmt);
	n = vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	if (n < 0)
		goto out;
	if ((size_t)n >= sizeof(msg))
		memcpy(msg + sizeof(msg) - sizeof(CUT_MARK), CUT_MARK, sizeof(CUT_MARK));
	len = strlen(msg);
	while (len > 0 && msg[len - 1] == '\n')
		msg[--len] = '\0';

	if (__atomic_load_n(&log_format, __ATOMIC_RELAXED) == RT_LOG_JSON)
		put_json(&line, level, msg);
	else
		put_text(&line, level, msg);

	/* Out of memory: the message itself is worth more than its form. */
	if (line.err)
		n = (int)write(STDERR_FILENO, msg, strlen(msg));
	else
		n = (int)write(STDERR_FILENO, line.data, line.len);
	(void)n; /* nowhere to complain to */
out:
	rt_buf__free(&line);
	errno = saved;
}
