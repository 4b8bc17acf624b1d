/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/session_log - see session_log.h.
 */
#include "proc/session_log.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "proc/session.h"
#include "proc/session_auth.h"

#define HELO_SHOWN_MAX 64u /* bytes of the name in the line */

static void put_name(struct buf *out, const char *key, const char *escaped)
{
	if (escaped[0])
		buf_printf(out, " %s=\"%s\"", key, escaped);
}

/* Whose name is it: of who vouches, or of who tried to log in and failed? */
static const char *user_key(const struct session *s)
{
	return s->auth_by == AUTH_BY_LOGIN || !s->has_tried_login ? "auth" : "auth_tried";
}

/* What was found, save what would have been clean: "ptr:hit,rbl:would" and the evidence of what matters most. */
static void put_checks(struct buf *out, const struct session *s)
{
	const struct conf_policy *policy = session_policy(s);
	const char *gap = " checks=";

	for (unsigned int i = 0; i < CHECK_COUNT; i++) {
		const bool is_hit = s->checks.hit & 1u << i;

		if (!is_hit && !(s->checks.unknown & 1u << i))
			continue;
		buf_printf(out, "%s%s:%s", gap, conf_check_name((enum conf_check)i),
			   !is_hit				       ? "unknown"
			   : policy && policy->mode[i] == MODE_OBSERVE ? "would"
								       : "hit");
		gap = ",";
	}
	put_name(out, "evidence", s->checks.evidence);
}

void session_log_close(const struct session *s)
{
	const struct conf_policy *policy = session_policy(s);
	char addr_text[ADDR_TEXT_MAX];
	char line[LOG_LINE_MAX_BYTES];
	struct buf out;

	buf_init(&out, line, sizeof(line));
	buf_printf(&out,
		   "event=%s id=%016" PRIx64 " addr=%s port=%u service=%s policy=%s",
		   s->is_test ? "test" : "close", s->id, addr_format(&s->addr, addr_text),
		   s->port, s->service_name, policy ? policy->name : "-");
	if (s->helo_len) {
		buf_puts(&out, " helo=\"");
		buf_add_escaped(&out, s->helo, s->helo_len, HELO_SHOWN_MAX);
		buf_puts(&out, "\"");
	}
	if (s->tls_version)
		buf_printf(&out, " tls=%s cipher=%s", s->tls_version, s->tls_cipher);
	put_name(&out, "from", s->from);
	put_name(&out, "rcpt", s->rcpt);
	put_name(&out, user_key(s), s->user);
	if (session_is_authenticated(s))
		buf_printf(&out, " auth_by=%s", auth_by_name((enum auth_by)s->auth_by));
	buf_printf(&out,
		   " rcpts=%u accepted=%u msgs=%u bytes_in=%" PRIu64 " bytes_out=%" PRIu64
		   " strikes=%u",
		   s->rcpts, s->accepted, s->messages, s->bytes_in, s->bytes_out,
		   s->strikes);
	if (s->protocol->describe)
		s->protocol->describe(s, &out);
	put_checks(&out, s);
	buf_printf(&out, " verdict=%s reason=%s dur_ms=%" PRIu64, s->verdict,
		   s->reason ? s->reason : "-", s->gate->now_ms - s->began_ms);
	log_info("%s", line);
}

void session_log_crowded(const struct session *s, const char *limit)
{
	char addr_text[ADDR_TEXT_MAX];
	uint32_t dropped;

	if (log_limit_take(&s->gate->log_limits.crowded, s->gate->now_ns, &dropped))
		log_warn("event=crowded addr=%s port=%u service=%s limit=%s dropped=%u",
			 addr_format(&s->addr, addr_text), s->port, s->service_name,
			 limit, dropped);
}

void session_describe(const struct session *s, struct msg_session *out_row)
{
	*out_row = (struct msg_session){
		.id = s->id,
		.addr = s->addr,
		.port = s->port,
		.service = (uint8_t)(s->service < 0 ? 0 : s->service),
		.auth_by = s->auth_by,
		.started_wall_s = s->began_wall_s,
		.bytes_in = s->bytes_in,
		.bytes_out = s->bytes_out,
	};
	(void)text_copy(out_row->state, sizeof(out_row->state),
			s->awaits_proxy
				? "proxy"
				: session_state_name((enum session_state)s->state));
	(void)text_copy(out_row->user, sizeof(out_row->user), s->user);
}

const char *session_state_name(enum session_state state)
{
	static const char *const names[] = {
		[SESSION_TLS] = "tls",		 [SESSION_STARTTLS] = "connect",
		[SESSION_FREE] = "free",	 [SESSION_GREET] = "greeting",
		[SESSION_HELO] = "greeting",	 [SESSION_CONNECT] = "connect",
		[SESSION_BANNER] = "connect",	 [SESSION_XEHLO] = "connect",
		[SESSION_XCLIENT] = "connect",	 [SESSION_PREPARE] = "connect",
		[SESSION_EHLO] = "ehlo",	 [SESSION_COMMAND] = "command",
		[SESSION_AUTH] = "auth",	 [SESSION_DATA] = "data",
		[SESSION_DATA_END] = "data-end", [SESSION_SWALLOW] = "data",
		[SESSION_RELAY] = "relay",	 [SESSION_FLUSH] = "closing",
		[SESSION_LINGER] = "closing",	 [SESSION_ENDED] = "closing",
	};

	_Static_assert(sizeof(names) / sizeof(names[0]) == SESSION_STATE_COUNT,
		       "a name each");
	return names[state];
}
