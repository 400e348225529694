/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's one log: lines on stderr, as text or as JSON. Library code
 * returns its errno; only the layer that knows the consequence logs, once.
 */
#ifndef REDTAP_LOG_H
#define REDTAP_LOG_H

enum rt_log_level { RT_LOG_ERROR = 0, RT_LOG_WARN = 1, RT_LOG_INFO = 2, RT_LOG_DEBUG = 3 };
enum rt_log_format { RT_LOG_TEXT = 0, RT_LOG_JSON = 1 };

void rt_log__setup(enum rt_log_level level, enum rt_log_format format);
enum rt_log_level rt_log__level(void);

void rt_log(enum rt_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define rt_error(...) rt_log(RT_LOG_ERROR, __VA_ARGS__)
#define rt_warn(...)  rt_log(RT_LOG_WARN, __VA_ARGS__)
#define rt_info(...)  rt_log(RT_LOG_INFO, __VA_ARGS__)
#define rt_debug(...) rt_log(RT_LOG_DEBUG, __VA_ARGS__)

#endif /* REDTAP_LOG_H */
