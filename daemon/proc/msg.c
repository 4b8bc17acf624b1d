/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/msg - the table of messages, and what makes each of them acceptable.
 *
 * Pure. One row per type; the row says everything that msg_validate() asks. What lies behind the
 * fixed sizes (does the policy exist? may this address be banned?) is asked by the receiver.
 */
#include "proc/msg.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "wire/spf_record.h"

#define CHECK_TIMEOUT_MAX_MS 600000u /* no connection waits longer for its checks */

enum fd_rule {
	FD_NEVER,
	FD_ALWAYS,
	FD_DEPENDS, /* the row's own function decides */
};

typedef bool (*msg_valid_fn)(const struct msg *msg, bool has_fd);

struct msg_row {
	const char *name;
	size_t size_bytes;
	uint32_t routes; /* bits ROUTE(from, to) */
	enum fd_rule fd;
	msg_valid_fn is_valid; /* NULL: nothing more to ask */
};

#define ROUTE(from, to) (1u << ((unsigned int)(from)*ROLE_COUNT + (unsigned int)(to)))
#define TO_CHILDREN                                                         \
	(ROUTE(ROLE_KEEPER, ROLE_GATE) | ROUTE(ROLE_KEEPER, ROLE_CHECKER) | \
	 ROUTE(ROLE_KEEPER, ROLE_LEDGER))
#define FROM_CHILDREN                                                       \
	(ROUTE(ROLE_GATE, ROLE_KEEPER) | ROUTE(ROLE_CHECKER, ROLE_KEEPER) | \
	 ROUTE(ROLE_LEDGER, ROLE_KEEPER))

static_assert(ROLE_COUNT * ROLE_COUNT <= 32, "ROUTE() has 32 bits");

/* ---- fields -------------------------------------------------------------------------------- */

static bool addr_is_valid(const struct addr *addr)
{
	static const uint8_t zero[12];

	if (addr->family == ADDR_V4)
		return memcmp(addr->bytes + 4, zero, sizeof(zero)) == 0;
	return addr->family == ADDR_V6;
}

static bool prefix_is_valid(const struct prefix *prefix)
{
	struct prefix canonical;

	if (!addr_is_valid(&prefix->addr) ||
	    prefix->len > addr_bits((enum addr_family)prefix->addr.family))
		return false;
	canonical = prefix_make(&prefix->addr, prefix->len);
	return prefix_equal(&canonical, prefix);
}

static bool text_ends(const char *text, size_t cap_bytes)
{
	return memchr(text, '\0', cap_bytes) != NULL;
}

/* Text that came from a stranger has been escaped by the sender: printable ASCII only. */
static bool text_is_printable(const char *text, size_t cap_bytes)
{
	const char *end = memchr(text, '\0', cap_bytes);

	if (!end)
		return false;
	for (; text < end; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

/* What an admin gives: no line can end in it, nor a terminal be steered by it. */
static bool text_is_line(const char *text, size_t cap_bytes)
{
	const char *end = memchr(text, '\0', cap_bytes);

	if (!end)
		return false;
	for (; text < end; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

/* ---- one function per type that has something to ask ----------------------------------------- */

static bool listener_is_valid(const struct msg *msg, bool has_fd)
{
	const struct msg_listener *m = &msg->listener;

	return m->service < CONF_SERVICES_MAX && m->remove <= 1 &&
	       has_fd == (m->remove == 0) && addr_is_valid(&m->endpoint.addr);
}

static bool shared_is_valid(const struct msg *msg, bool has_fd)
{
	(void)has_fd;
	return msg->shared.size_bytes > 0 && msg->shared.what < SHARED_COUNT &&
	       msg->shared.writable <= 1;
}

static bool peer_is_valid(const struct msg *msg, bool has_fd)
{
	(void)has_fd;
	return msg->peer.role != ROLE_KEEPER && msg->peer.role < ROLE_COUNT &&
	       msg->peer.index < CONF_GATES_MAX;
}

static bool drain_is_valid(const struct msg *msg, bool has_fd)
{
	(void)has_fd;
	return msg->drain.grace_s >= 0 && msg->drain.is_handover <= 1;
}

static bool strike_is_valid(const struct msg *msg, bool has_fd)
{
	const struct msg_strike *m = &msg->strike;

	(void)has_fd;
	return addr_is_valid(&m->addr) && m->kind < STRIKE_KIND_COUNT &&
	       m->service < CONF_SERVICES_MAX &&
	       text_is_printable(m->user, sizeof(m->user)) &&
	       text_is_printable(m->reply, sizeof(m->reply));
}

static bool login_is_valid(const struct msg *msg, bool has_fd)
{
	const struct msg_login *m = &msg->login;

	(void)has_fd;
	return addr_is_valid(&m->addr) && m->service < CONF_SERVICES_MAX &&
	       text_is_printable(m->user, sizeof(m->user));
}

static bool finding_is_valid(const struct msg *msg, bool has_fd)
{
	const struct msg_finding *m = &msg->finding;

	(void)has_fd;
	return addr_is_valid(&m->addr) && m->service < CONF_SERVICES_MAX &&
	       m->check < CHECK_COUNT &&
	       (m->mode == MODE_OBSERVE || m->mode == MODE_ENFORCE) &&
	       (m->result == CHECK_HIT || m->result == CHECK_UNKNOWN) &&
	       text_is_printable(m->evidence, sizeof(m->evidence));
}

static bool recheck_is_valid(const struct msg *msg, bool has_fd)
{
	(void)has_fd;
	return msg->recheck.prefix.addr.family == ADDR_NONE ||
	       prefix_is_valid(&msg->recheck.prefix);
}

static bool session_is_valid(const struct msg_session *session)
{
	return addr_is_valid(&session->addr) && session->service < CONF_SERVICES_MAX &&
	       session->auth_by < AUTH_BY_COUNT &&
	       text_is_printable(session->state, sizeof(session->state)) &&
	       text_is_printable(session->user, sizeof(session->user));
}

static bool sessions_page_is_valid(const struct msg *msg, bool has_fd)
{
	const struct msg_sessions_page *m = &msg->sessions_page;

	(void)has_fd;
	if (m->gate >= CONF_GATES_MAX || m->count > MSG_SESSIONS_MAX || m->last > 1)
		return false;
	for (uint32_t i = 0; i < m->count; i++)
		if (!session_is_valid(&m->sessions[i]))
			return false;
	return true;
}

static bool check_fields_are_valid(const struct msg_check *m)
{
	return m->checks != 0 && m->checks < 1u << CHECK_COUNT && m->timeout_ms > 0 &&
	       m->timeout_ms <= CHECK_TIMEOUT_MAX_MS && m->policy_id < CONF_POLICY_IDS &&
	       addr_is_valid(&m->addr);
}

static bool check_is_valid(const struct msg *msg, bool has_fd)
{
	(void)has_fd;
	return check_fields_are_valid(&msg->check);
}

static bool check_sender_is_valid(const struct msg *msg, bool has_fd)
{
	const struct check_sender *sender = &msg->check_sender.sender;

	(void)has_fd;
	return check_fields_are_valid(&msg->check_sender.check) &&
	       text_ends(sender->local, sizeof(sender->local)) &&
	       text_ends(sender->domain, sizeof(sender->domain)) &&
	       text_ends(sender->helo, sizeof(sender->helo));
}

static bool answer_is_valid(const struct msg *msg, bool has_fd)
{
	const struct msg_answer *m = &msg->answer;

	(void)has_fd;
	return m->check < CHECK_COUNT && m->result < CHECK_RESULT_COUNT &&
	       m->spf < SPF_RESULT_COUNT &&
	       text_is_printable(m->evidence, sizeof(m->evidence)) &&
	       text_is_printable(m->words, sizeof(m->words));
}

static bool list_is_valid(const struct msg *msg, bool has_fd)
{
	const struct msg_list *m = &msg->list;

	(void)has_fd;
	return m->family < RBL_FAMILY_COUNT && m->health < RBL_HEALTH_COUNT &&
	       text_is_printable(m->name, sizeof(m->name)) &&
	       text_is_printable(m->why, sizeof(m->why));
}

static bool dns_is_valid(const struct msg *msg, bool has_fd)
{
	(void)has_fd;
	return msg->dns.is_silent <= 1;
}

static bool bans_is_valid(const struct msg *msg, bool has_fd)
{
	const struct msg_bans *m = &msg->bans;

	(void)has_fd;
	if (m->count > MSG_BANS_MAX || m->load > 1 || m->last > 1)
		return false;
	for (uint32_t i = 0; i < m->count; i++) {
		const struct msg_ban *ban = &m->bans[i];

		if (ban->edit >= BAN_EDIT_COUNT || ban->policy >= CONF_POLICY_IDS ||
		    !prefix_is_valid(&ban->prefix))
			return false;
	}
	return true;
}

static bool ban_walk_is_valid(const struct msg *msg, bool has_fd)
{
	(void)has_fd;
	return msg->ban_walk.restart <= 1;
}

static bool order_is_valid(const struct msg *msg, bool has_fd)
{
	const struct msg_order *m = &msg->order;

	(void)has_fd;
	return m->kind < ORDER_COUNT && m->force <= 1 &&
	       m->confirm_s <= MSG_CONFIRM_MAX_S &&
	       (m->caller.family == ADDR_NONE || addr_is_valid(&m->caller));
}

static bool report_is_valid(const struct msg *msg, bool has_fd)
{
	(void)has_fd;
	return msg->report.last <= 1 &&
	       text_ends(msg->report.text, sizeof(msg->report.text));
}

static bool tickets_is_valid(const struct msg *msg, bool has_fd)
{
	(void)has_fd;
	return msg->tickets.count <= TLS_TICKET_KEYS;
}

static bool syns_is_valid(const struct msg *msg, bool has_fd)
{
	const struct msg_syns *m = &msg->syns;

	(void)has_fd;
	if (m->count == 0 || m->count > MSG_SYNS_MAX)
		return false;
	for (uint32_t i = 0; i < m->count; i++) {
		const struct prefix *client = &m->syns[i].client;
		const struct prefix whole = prefix_of_client(&client->addr);

		if (!prefix_is_valid(client) || !prefix_equal(client, &whole) ||
		    m->syns[i].service >= CONF_SERVICES_MAX)
			return false;
	}
	return true;
}

static bool socket_want_is_valid(const struct msg *msg, bool has_fd)
{
	const struct msg_socket_want *m = &msg->socket_want;

	(void)has_fd;
	return (m->family == ADDR_V4 || m->family == ADDR_V6) && m->count > 0 &&
	       m->count <= MSG_SOCKETS_MAX;
}

static bool socket_is_valid(const struct msg *msg, bool has_fd)
{
	(void)has_fd;
	return msg->socket.family == ADDR_V4 || msg->socket.family == ADDR_V6;
}

static bool test_is_valid(const struct msg *msg, bool has_fd)
{
	const struct msg_test *m = &msg->test;

	(void)has_fd;
	return m->seq != 0 && m->service < CONF_SERVICES_MAX && m->tls <= 1 &&
	       addr_is_valid(&m->addr) && text_is_line(m->helo, sizeof(m->helo)) &&
	       text_is_line(m->from, sizeof(m->from)) &&
	       text_is_line(m->to, sizeof(m->to)) &&
	       text_is_line(m->user, sizeof(m->user));
}

static bool test_step_is_valid(const struct msg *msg, bool has_fd)
{
	const struct msg_test_step *m = &msg->test_step;

	(void)has_fd;
	return m->last <= 1 && m->outcome < TEST_OUTCOME_COUNT &&
	       (m->outcome == TEST_RUNS) == (m->last == 0) &&
	       text_is_printable(m->step, sizeof(m->step)) &&
	       text_is_printable(m->result, sizeof(m->result)) &&
	       text_is_printable(m->mode, sizeof(m->mode)) &&
	       text_is_printable(m->text, sizeof(m->text));
}

static bool grey_ask_is_valid(const struct msg *msg, bool has_fd)
{
	const struct msg_grey_ask *m = &msg->grey_ask;

	(void)has_fd;
	return addr_is_valid(&m->addr) && m->service < CONF_SERVICES_MAX &&
	       m->is_test <= 1 && text_is_printable(m->domain, sizeof(m->domain)) &&
	       text_is_printable(m->sender, sizeof(m->sender)) &&
	       text_is_printable(m->recipient, sizeof(m->recipient));
}

static bool grey_answer_is_valid(const struct msg *msg, bool has_fd)
{
	const struct msg_grey_answer *m = &msg->grey_answer;

	(void)has_fd;
	return m->verdict < GREY_VERDICT_COUNT && m->reason < GREY_REASON_COUNT &&
	       m->wait_s <= CONF_GREY_DELAY_MAX_S &&
	       (m->wait_s > 0) == (m->verdict == GREY_DEFER);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define HEAD_BYTES     offsetof(struct msg, conf)
#define SIZE_OF(field) (HEAD_BYTES + sizeof(((struct msg *)NULL)->field))

#define LEDGER_TO_KEEPER ROUTE(ROLE_LEDGER, ROLE_KEEPER)
#define KEEPER_TO_LEDGER ROUTE(ROLE_KEEPER, ROLE_LEDGER)
#define GATE_TO_LEDGER	 ROUTE(ROLE_GATE, ROLE_LEDGER)
#define LEDGER_TO_GATE	 ROUTE(ROLE_LEDGER, ROLE_GATE)

/* clang-format off */
static const struct msg_row rows[MSG_TYPE_END] = {
	[MSG_CONF] = {"conf", SIZE_OF(conf), TO_CHILDREN, FD_ALWAYS, NULL},
	[MSG_LISTENER] = {"listener", SIZE_OF(listener), ROUTE(ROLE_KEEPER, ROLE_GATE), FD_DEPENDS,
			  listener_is_valid},
	[MSG_SHARED] = {"shared", SIZE_OF(shared), KEEPER_TO_LEDGER | ROUTE(ROLE_KEEPER, ROLE_GATE),
			FD_ALWAYS, shared_is_valid},
	[MSG_PEER] = {"peer", SIZE_OF(peer), TO_CHILDREN, FD_ALWAYS, peer_is_valid},
	[MSG_START] = {"start", HEAD_BYTES, TO_CHILDREN, FD_NEVER, NULL},
	[MSG_DRAIN] = {"drain", SIZE_OF(drain), TO_CHILDREN, FD_NEVER, drain_is_valid},
	[MSG_STRIKE] = {"strike", SIZE_OF(strike), GATE_TO_LEDGER, FD_NEVER, strike_is_valid},
	[MSG_LOGIN] = {"login", SIZE_OF(login), GATE_TO_LEDGER, FD_NEVER, login_is_valid},
	[MSG_LOGOUT] = {"logout", SIZE_OF(logout), GATE_TO_LEDGER, FD_NEVER, NULL},
	[MSG_FINDING] = {"finding", SIZE_OF(finding), GATE_TO_LEDGER, FD_NEVER, finding_is_valid},
	[MSG_RECHECK] = {"recheck", SIZE_OF(recheck), LEDGER_TO_GATE, FD_NEVER, recheck_is_valid},
	[MSG_SESSIONS] = {"sessions", SIZE_OF(sessions), LEDGER_TO_GATE, FD_NEVER, NULL},
	[MSG_SESSIONS_PAGE] = {"sessions-page", SIZE_OF(sessions_page), GATE_TO_LEDGER, FD_NEVER,
			       sessions_page_is_valid},
	[MSG_TEST] = {"test", SIZE_OF(test), LEDGER_TO_GATE, FD_NEVER, test_is_valid},
	[MSG_TEST_STEP] = {"test-step", SIZE_OF(test_step), GATE_TO_LEDGER, FD_NEVER,
			   test_step_is_valid},
	[MSG_CHECK] = {"check", SIZE_OF(check), ROUTE(ROLE_GATE, ROLE_CHECKER), FD_NEVER,
		       check_is_valid},
	[MSG_CHECK_SENDER] = {"check-sender", SIZE_OF(check_sender), ROUTE(ROLE_GATE, ROLE_CHECKER),
			      FD_NEVER, check_sender_is_valid},
	[MSG_ANSWER] = {"answer", SIZE_OF(answer), ROUTE(ROLE_CHECKER, ROLE_GATE), FD_NEVER,
			answer_is_valid},
	[MSG_LIST] = {"list", SIZE_OF(list), ROUTE(ROLE_CHECKER, ROLE_LEDGER), FD_NEVER,
		      list_is_valid},
	[MSG_DNS] = {"dns", SIZE_OF(dns), ROUTE(ROLE_CHECKER, ROLE_LEDGER), FD_NEVER, dns_is_valid},
	[MSG_BAN_EDITS] = {"ban-edits", SIZE_OF(bans), LEDGER_TO_KEEPER, FD_NEVER, bans_is_valid},
	[MSG_EDITS_DONE] = {"edits-done", SIZE_OF(bans), KEEPER_TO_LEDGER, FD_NEVER, bans_is_valid},
	[MSG_BAN_WALK] = {"ban-walk", SIZE_OF(ban_walk), LEDGER_TO_KEEPER, FD_NEVER,
			  ban_walk_is_valid},
	[MSG_BAN_LOOKUP] = {"ban-lookup", SIZE_OF(bans), LEDGER_TO_KEEPER, FD_NEVER, bans_is_valid},
	[MSG_BAN_PAGE] = {"ban-page", SIZE_OF(bans), KEEPER_TO_LEDGER, FD_NEVER, bans_is_valid},
	[MSG_ORDER] = {"order", SIZE_OF(order), LEDGER_TO_KEEPER, FD_NEVER, order_is_valid},
	[MSG_REPORT] = {"report", SIZE_OF(report), KEEPER_TO_LEDGER, FD_NEVER, report_is_valid},
	[MSG_SOCKET_WANT] = {"socket-want", SIZE_OF(socket_want), ROUTE(ROLE_GATE, ROLE_KEEPER),
			     FD_NEVER, socket_want_is_valid},
	[MSG_SOCKET] = {"socket", SIZE_OF(socket), ROUTE(ROLE_KEEPER, ROLE_GATE), FD_ALWAYS,
			socket_is_valid},
	[MSG_GREY_ASK] = {"grey-ask", SIZE_OF(grey_ask), GATE_TO_LEDGER, FD_NEVER, grey_ask_is_valid},
	[MSG_GREY_ANSWER] = {"grey-answer", SIZE_OF(grey_answer), LEDGER_TO_GATE, FD_NEVER,
			     grey_answer_is_valid},
	[MSG_READY] = {"ready", HEAD_BYTES, FROM_CHILDREN, FD_NEVER, NULL},
	[MSG_TLS] = {"tls", HEAD_BYTES, ROUTE(ROLE_KEEPER, ROLE_GATE), FD_ALWAYS, NULL},
	[MSG_TICKETS] = {"tickets", SIZE_OF(tickets), ROUTE(ROLE_KEEPER, ROLE_GATE), FD_NEVER,
			 tickets_is_valid},
	[MSG_SYNS] = {"syns", SIZE_OF(syns), ROUTE(ROLE_KEEPER, ROLE_GATE) | KEEPER_TO_LEDGER,
		      FD_NEVER, syns_is_valid},
};
/* clang-format on */

static const struct msg_row *msg_row_of(uint32_t type)
{
	return type < MSG_TYPE_END && rows[type].name ? &rows[type] : NULL;
}

size_t msg_size(uint32_t type)
{
	const struct msg_row *row = msg_row_of(type);

	return row ? row->size_bytes : 0;
}

const char *msg_name(uint32_t type)
{
	const struct msg_row *row = msg_row_of(type);

	return row ? row->name : "unknown";
}

int msg_validate(enum process_role from, enum process_role to, const struct msg *msg,
		 size_t len, bool has_fd)
{
	const struct msg_row *row;

	if (len < HEAD_BYTES || from >= ROLE_COUNT || to >= ROLE_COUNT)
		return -EPROTO;
	row = msg_row_of(msg->type);
	if (!row || len != row->size_bytes || !(row->routes & ROUTE(from, to)))
		return -EPROTO;
	if (row->fd != FD_DEPENDS && has_fd != (row->fd == FD_ALWAYS))
		return -EPROTO;
	if (row->is_valid && !row->is_valid(msg, has_fd))
		return -EPROTO;
	return 0;
}
