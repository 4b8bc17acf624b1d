/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/proc/test_msg - a correct message passes, and whatever is wrong with it is refused.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proc/msg.h"
#include "wire/spf_record.h"

#define ANY_CHILD ROLE_COUNT

static const struct addr v4 = {.bytes = {192, 0, 2, 1}, .family = ADDR_V4};
static const struct addr v6 = {.bytes = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1},
			       .family = ADDR_V6};

/* Who may send what, as the head of proc/msg.h says it; and whether a descriptor comes with it. */
static const struct {
	uint32_t type;
	int from, to; /* ANY_CHILD: each of the three */
	bool has_fd;
} routes[] = {
	{MSG_CONF, ROLE_KEEPER, ANY_CHILD, true},
	{MSG_LISTENER, ROLE_KEEPER, ROLE_GATE, true},
	{MSG_SHARED, ROLE_KEEPER, ROLE_GATE, true},
	{MSG_SHARED, ROLE_KEEPER, ROLE_LEDGER, true},
	{MSG_PEER, ROLE_KEEPER, ANY_CHILD, true},
	{MSG_START, ROLE_KEEPER, ANY_CHILD, false},
	{MSG_DRAIN, ROLE_KEEPER, ANY_CHILD, false},
	{MSG_STRIKE, ROLE_GATE, ROLE_LEDGER, false},
	{MSG_LOGIN, ROLE_GATE, ROLE_LEDGER, false},
	{MSG_LOGOUT, ROLE_GATE, ROLE_LEDGER, false},
	{MSG_FINDING, ROLE_GATE, ROLE_LEDGER, false},
	{MSG_RECHECK, ROLE_LEDGER, ROLE_GATE, false},
	{MSG_SESSIONS, ROLE_LEDGER, ROLE_GATE, false},
	{MSG_SESSIONS_PAGE, ROLE_GATE, ROLE_LEDGER, false},
	{MSG_TEST, ROLE_LEDGER, ROLE_GATE, false},
	{MSG_TEST_STEP, ROLE_GATE, ROLE_LEDGER, false},
	{MSG_CHECK, ROLE_GATE, ROLE_CHECKER, false},
	{MSG_CHECK_SENDER, ROLE_GATE, ROLE_CHECKER, false},
	{MSG_ANSWER, ROLE_CHECKER, ROLE_GATE, false},
	{MSG_LIST, ROLE_CHECKER, ROLE_LEDGER, false},
	{MSG_DNS, ROLE_CHECKER, ROLE_LEDGER, false},
	{MSG_BAN_EDITS, ROLE_LEDGER, ROLE_KEEPER, false},
	{MSG_EDITS_DONE, ROLE_KEEPER, ROLE_LEDGER, false},
	{MSG_BAN_WALK, ROLE_LEDGER, ROLE_KEEPER, false},
	{MSG_BAN_LOOKUP, ROLE_LEDGER, ROLE_KEEPER, false},
	{MSG_BAN_PAGE, ROLE_KEEPER, ROLE_LEDGER, false},
	{MSG_ORDER, ROLE_LEDGER, ROLE_KEEPER, false},
	{MSG_REPORT, ROLE_KEEPER, ROLE_LEDGER, false},
	{MSG_SOCKET_WANT, ROLE_GATE, ROLE_KEEPER, false},
	{MSG_SOCKET, ROLE_KEEPER, ROLE_GATE, true},
	{MSG_READY, ANY_CHILD, ROLE_KEEPER, false},
	{MSG_TLS, ROLE_KEEPER, ROLE_GATE, true},
	{MSG_TICKETS, ROLE_KEEPER, ROLE_GATE, false},
	{MSG_GREY_ASK, ROLE_GATE, ROLE_LEDGER, false},
	{MSG_GREY_ANSWER, ROLE_LEDGER, ROLE_GATE, false},
	{MSG_SYNS, ROLE_KEEPER, ROLE_GATE, false},
	{MSG_SYNS, ROLE_KEEPER, ROLE_LEDGER, false},
};

#define ROUTES (sizeof(routes) / sizeof(routes[0]))

static const struct msg_grey_answer deferred = {.verdict = GREY_DEFER, .wait_s = 1};

static void good_bans(struct msg_bans *bans)
{
	bans->count = MSG_BANS_MAX;
	for (size_t i = 0; i < MSG_BANS_MAX; i++)
		bans->bans[i].prefix = (struct prefix){v4, 32};
}

static void good_syns(struct msg_syns *syns)
{
	syns->count = MSG_SYNS_MAX;
	for (size_t i = 0; i < MSG_SYNS_MAX; i++)
		syns->syns[i].client = prefix_of_client(i % 2 ? &v4 : &v6);
}

static const struct msg_check a_check = {
	.addr = {.bytes = {192, 0, 2, 1}, .family = ADDR_V4},
	.checks = 1u << CHECK_PTR,
	.timeout_ms = 1000,
};

static struct msg good(uint32_t type)
{
	struct msg m = {.type = type};

	switch (type) {
	case MSG_LISTENER:
		m.listener.endpoint = (struct conf_endpoint){v4, 25};
		break;
	case MSG_SHARED:
		m.shared.size_bytes = 4096;
		break;
	case MSG_PEER:
		m.peer.role = ROLE_LEDGER;
		break;
	case MSG_STRIKE:
		m.strike.addr = v6;
		memcpy(m.strike.user, "anna", 5);
		break;
	case MSG_LOGIN:
		m.login.addr = v4;
		break;
	case MSG_FINDING:
		m.finding = (struct msg_finding){
			.addr = v6, .mode = MODE_OBSERVE, .result = CHECK_HIT};
		break;
	case MSG_RECHECK:
		m.recheck.prefix = (struct prefix){v4, 32};
		break;
	case MSG_SESSIONS_PAGE:
		m.sessions_page.count = MSG_SESSIONS_MAX;
		for (size_t i = 0; i < MSG_SESSIONS_MAX; i++)
			m.sessions_page.sessions[i].addr = v6;
		break;
	case MSG_TEST:
		m.test.seq = 1;
		m.test.addr = v4;
		break;
	case MSG_CHECK:
		m.check = a_check;
		break;
	case MSG_CHECK_SENDER:
		m.check_sender.check = a_check;
		break;
	case MSG_GREY_ASK:
		m.grey_ask.addr = v6;
		break;
	case MSG_GREY_ANSWER:
		m.grey_answer = deferred;
		break;
	case MSG_BAN_EDITS:
	case MSG_EDITS_DONE:
	case MSG_BAN_LOOKUP:
	case MSG_BAN_PAGE:
		good_bans(&m.bans);
		break;
	case MSG_SOCKET_WANT:
		m.socket_want.family = ADDR_V6;
		m.socket_want.count = MSG_SOCKETS_MAX;
		break;
	case MSG_SOCKET:
		m.socket.family = ADDR_V4;
		break;
	case MSG_SYNS:
		good_syns(&m.syns);
		break;
	default: /* zeros are good */
		break;
	}
	return m;
}

static bool route_is_named(uint32_t type, int from, int to)
{
	for (size_t i = 0; i < ROUTES; i++) {
		bool is_from = routes[i].from == from ||
			       (routes[i].from == ANY_CHILD && from != ROLE_KEEPER);
		bool is_to = routes[i].to == to ||
			     (routes[i].to == ANY_CHILD && to != ROLE_KEEPER);

		if (routes[i].type == type && is_from && is_to)
			return true;
	}
	return false;
}

static bool fd_of(uint32_t type)
{
	for (size_t i = 0; i < ROUTES; i++)
		if (routes[i].type == type)
			return routes[i].has_fd;
	return false;
}

static void every_type_passes_on_its_routes_and_on_no_other(void **state)
{
	(void)state;
	for (uint32_t type = MSG_CONF; type < MSG_TYPE_END; type++)
		for (int from = 0; from < ROLE_COUNT; from++)
			for (int to = 0; to < ROLE_COUNT; to++) {
				struct msg m = good(type);
				int want = route_is_named(type, from, to) ? 0 : -EPROTO;
				int got = msg_validate((enum process_role)from,
						       (enum process_role)to, &m,
						       msg_size(type), fd_of(type));

				if (got != want)
					fail_msg("%s from %d to %d: %d", msg_name(type),
						 from, to, got);
			}
}

/* The first route of a type. */
static int validate(const struct msg *m, size_t len, bool has_fd)
{
	for (size_t i = 0; i < ROUTES; i++) {
		int from = routes[i].from == ANY_CHILD ? ROLE_GATE : routes[i].from;
		int to = routes[i].to == ANY_CHILD ? ROLE_GATE : routes[i].to;

		if (routes[i].type == m->type)
			return msg_validate((enum process_role)from,
					    (enum process_role)to, m, len, has_fd);
	}
	return -ENOENT;
}

static void every_type_has_one_size(void **state)
{
	(void)state;
	for (uint32_t type = MSG_CONF; type < MSG_TYPE_END; type++) {
		struct msg m = good(type);

		assert_int_equal(validate(&m, msg_size(type), fd_of(type)), 0);
		assert_int_equal(validate(&m, msg_size(type) - 1, fd_of(type)), -EPROTO);
		assert_int_equal(validate(&m, msg_size(type) + 1, fd_of(type)), -EPROTO);
		assert_int_equal(validate(&m, 0, fd_of(type)), -EPROTO);
	}
}

static void a_descriptor_comes_when_it_should_and_only_then(void **state)
{
	(void)state;
	for (uint32_t type = MSG_CONF; type < MSG_TYPE_END; type++) {
		struct msg m = good(type);

		if (validate(&m, msg_size(type), !fd_of(type)) != -EPROTO)
			fail_msg("%s", msg_name(type));
	}
}

static void types_that_are_none_are_refused(void **state)
{
	static const uint32_t types[] = {0, MSG_TYPE_END, MSG_TYPE_END + 1, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct msg m = {.type = types[i]};

		assert_int_equal(msg_size(types[i]), 0);
		assert_int_equal(msg_validate(ROLE_KEEPER, ROLE_LEDGER, &m, 8, false),
				 -EPROTO);
		assert_int_equal(
			msg_validate(ROLE_KEEPER, ROLE_LEDGER, &m, sizeof(m), false),
			-EPROTO);
	}
}

/* One field of a good message made wrong. */
#define FIELD(member) offsetof(struct msg, member), sizeof(((struct msg *)NULL)->member)
static const struct {
	const char *why;
	uint32_t type;
	size_t offset, size;
	int64_t value; /* written little-endian, as this machine has it */
} wrong[] = {
	{"service past the table", MSG_LISTENER, FIELD(listener.service),
	 CONF_SERVICES_MAX},
	{"listener without an address", MSG_LISTENER,
	 FIELD(listener.endpoint.addr.family), 0},
	{"remove is neither 0 nor 1", MSG_LISTENER, FIELD(listener.remove), 2},
	{"remove comes with a descriptor", MSG_LISTENER, FIELD(listener.remove), 1},
	{"empty memory", MSG_SHARED, FIELD(shared.size_bytes), 0},
	{"memory of nothing known", MSG_SHARED, FIELD(shared.what), SHARED_COUNT},
	{"writable is neither 0 nor 1", MSG_SHARED, FIELD(shared.writable), 2},
	{"the keeper is no peer", MSG_PEER, FIELD(peer.role), ROLE_KEEPER},
	{"no such role", MSG_PEER, FIELD(peer.role), ROLE_COUNT},
	{"gate past the table", MSG_PEER, FIELD(peer.index), CONF_GATES_MAX},
	{"time before now", MSG_DRAIN, FIELD(drain.grace_s), -1},
	{"strike of nobody", MSG_STRIKE, FIELD(strike.addr.family), ADDR_NONE},
	{"strike of no family", MSG_STRIKE, FIELD(strike.addr.family), 5},
	{"IPv4 with bytes behind it", MSG_STRIKE, FIELD(strike.addr.family), ADDR_V4},
	{"no such kind", MSG_STRIKE, FIELD(strike.kind), STRIKE_KIND_COUNT},
	{"service past the table", MSG_STRIKE, FIELD(strike.service), CONF_SERVICES_MAX},
	{"newline in a user name", MSG_STRIKE, FIELD(strike.user[0]), '\n'},
	{"DEL in a reply", MSG_STRIKE, FIELD(strike.reply[0]), 0x7f},
	{"high bit in a reply", MSG_STRIKE, FIELD(strike.reply[0]), 0xe4},
	{"service past the table", MSG_LOGIN, FIELD(login.service), CONF_SERVICES_MAX},
	{"login of nobody", MSG_LOGIN, FIELD(login.addr.family), ADDR_NONE},
	{"finding of a check past the table", MSG_FINDING, FIELD(finding.check),
	 CHECK_COUNT},
	{"finding of a check that is off", MSG_FINDING, FIELD(finding.mode), MODE_OFF},
	{"a mode that is none", MSG_FINDING, FIELD(finding.mode), MODE_ENFORCE + 1},
	{"nothing found", MSG_FINDING, FIELD(finding.result), CHECK_CLEAN},
	{"a result that is none", MSG_FINDING, FIELD(finding.result), CHECK_RESULT_COUNT},
	{"a list of no family", MSG_LIST, FIELD(list.family), RBL_FAMILY_COUNT},
	{"a list in no state", MSG_LIST, FIELD(list.health), RBL_HEALTH_COUNT},
	{"silence is neither 0 nor 1", MSG_DNS, FIELD(dns.is_silent), 2},
	{"newline in evidence", MSG_FINDING, FIELD(finding.evidence[0]), '\n'},
	{"bits behind the length", MSG_RECHECK, FIELD(recheck.prefix.len), 31},
	{"length past the family", MSG_RECHECK, FIELD(recheck.prefix.len), 33},
	{"sockets of no family", MSG_SOCKET_WANT, FIELD(socket_want.family), ADDR_NONE},
	{"no sockets at all", MSG_SOCKET_WANT, FIELD(socket_want.count), 0},
	{"too many sockets at once", MSG_SOCKET_WANT, FIELD(socket_want.count),
	 MSG_SOCKETS_MAX + 1},
	{"a report on nobody", MSG_SYNS, FIELD(syns.count), 0},
	{"a report on too many", MSG_SYNS, FIELD(syns.count), MSG_SYNS_MAX + 1},
	{"a client that is more than one, IPv4", MSG_SYNS, FIELD(syns.syns[1].client.len),
	 31},
	{"a client that is more than one, IPv6", MSG_SYNS, FIELD(syns.syns[0].client.len),
	 63},
	{"a client that is less than one, IPv6", MSG_SYNS, FIELD(syns.syns[0].client.len),
	 65},
	{"a client of no family", MSG_SYNS,
	 FIELD(syns.syns[MSG_SYNS_MAX - 1].client.addr.family), 5},
	{"a report on a service past the table", MSG_SYNS,
	 FIELD(syns.syns[MSG_SYNS_MAX - 1].service), CONF_SERVICES_MAX},
	{"a socket of no family", MSG_SOCKET, FIELD(socket.family), 5},
	{"page of too many", MSG_SESSIONS_PAGE, FIELD(sessions_page.count),
	 MSG_SESSIONS_MAX + 1},
	{"gate past the table", MSG_SESSIONS_PAGE, FIELD(sessions_page.gate),
	 CONF_GATES_MAX},
	{"last is neither 0 nor 1", MSG_SESSIONS_PAGE, FIELD(sessions_page.last), 2},
	{"last session of a page", MSG_SESSIONS_PAGE,
	 FIELD(sessions_page.sessions[MSG_SESSIONS_MAX - 1].service), CONF_SERVICES_MAX},
	{"a session is authenticated by nobody known", MSG_SESSIONS_PAGE,
	 FIELD(sessions_page.sessions[0].auth_by), AUTH_BY_COUNT},
	{"a test without a number", MSG_TEST, FIELD(test.seq), 0},
	{"a test of no service", MSG_TEST, FIELD(test.service), CONF_SERVICES_MAX},
	{"a test of nobody", MSG_TEST, FIELD(test.addr.family), ADDR_NONE},
	{"tls is neither 0 nor 1", MSG_TEST, FIELD(test.tls), 2},
	{"newline in a name", MSG_TEST, FIELD(test.helo[0]), '\n'},
	{"carriage return in a sender", MSG_TEST, FIELD(test.from[0]), '\r'},
	{"escape in a recipient", MSG_TEST, FIELD(test.to[0]), 27},
	{"DEL in a user", MSG_TEST, FIELD(test.user[0]), 0x7f},
	{"no such outcome", MSG_TEST_STEP, FIELD(test_step.outcome), TEST_OUTCOME_COUNT},
	{"an outcome before the end", MSG_TEST_STEP, FIELD(test_step.outcome),
	 TEST_PASSES},
	{"an end without an outcome", MSG_TEST_STEP, FIELD(test_step.last), 1},
	{"high bit in a step", MSG_TEST_STEP, FIELD(test_step.text[0]), 0xe4},
	{"escape in a state", MSG_SESSIONS_PAGE,
	 FIELD(sessions_page.sessions[3].state[0]), 27},
	{"nothing asked", MSG_CHECK, FIELD(check.checks), 0},
	{"unknown check asked", MSG_CHECK, FIELD(check.checks), 1 << CHECK_COUNT},
	{"no time", MSG_CHECK, FIELD(check.timeout_ms), 0},
	{"too much time", MSG_CHECK, FIELD(check.timeout_ms), 600001},
	{"check of nobody", MSG_CHECK, FIELD(check.addr.family), ADDR_NONE},
	{"message of nobody", MSG_CHECK_SENDER, FIELD(check_sender.check.addr.family),
	 ADDR_NONE},
	{"message with an unknown check", MSG_CHECK_SENDER,
	 FIELD(check_sender.check.checks), 1 << CHECK_COUNT},
	{"no such result of SPF", MSG_ANSWER, FIELD(answer.spf), SPF_RESULT_COUNT},
	{"line feed in the words", MSG_ANSWER, FIELD(answer.words[0]), '\n'},
	{"no such check", MSG_ANSWER, FIELD(answer.check), CHECK_COUNT},
	{"no such result", MSG_ANSWER, FIELD(answer.result), CHECK_RESULT_COUNT},
	{"tab in the evidence", MSG_ANSWER, FIELD(answer.evidence[0]), '\t'},
	{"too many edits", MSG_BAN_EDITS, FIELD(bans.count), MSG_BANS_MAX + 1},
	{"load is neither 0 nor 1", MSG_BAN_EDITS, FIELD(bans.load), 2},
	{"no such edit", MSG_BAN_EDITS, FIELD(bans.bans[0].edit), BAN_EDIT_COUNT},
	{"policy past the table", MSG_BAN_EDITS,
	 FIELD(bans.bans[MSG_BANS_MAX - 1].policy), CONF_POLICY_IDS},
	{"ban of bits behind the length", MSG_BAN_EDITS, FIELD(bans.bans[7].prefix.len),
	 24},
	{"ban of nobody", MSG_BAN_EDITS, FIELD(bans.bans[7].prefix.addr.family),
	 ADDR_NONE},
	{"too many answers", MSG_EDITS_DONE, FIELD(bans.count), MSG_BANS_MAX + 1},
	{"too many looked up", MSG_BAN_LOOKUP, FIELD(bans.count), UINT32_MAX},
	{"last is neither 0 nor 1", MSG_BAN_PAGE, FIELD(bans.last), 2},
	{"restart is neither 0 nor 1", MSG_BAN_WALK, FIELD(ban_walk.restart), 2},
	{"no such order", MSG_ORDER, FIELD(order.kind), ORDER_COUNT},
	{"force is neither 0 nor 1", MSG_ORDER, FIELD(order.force), 2},
	{"caller of no family", MSG_ORDER, FIELD(order.caller.family), 1},
	{"last is neither 0 nor 1", MSG_REPORT, FIELD(report.last), 2},
	{"too many keys", MSG_TICKETS, FIELD(tickets.count), TLS_TICKET_KEYS + 1},
	{"mail from nowhere", MSG_GREY_ASK, FIELD(grey_ask.addr.family), ADDR_NONE},
	{"service past the table", MSG_GREY_ASK, FIELD(grey_ask.service),
	 CONF_SERVICES_MAX},
	{"newline in a domain", MSG_GREY_ASK, FIELD(grey_ask.domain[0]), '\n'},
	{"escape in a sender", MSG_GREY_ASK, FIELD(grey_ask.sender[0]), 27},
	{"high bit in a recipient", MSG_GREY_ASK, FIELD(grey_ask.recipient[0]), 0xe4},
	{"no such verdict", MSG_GREY_ANSWER, FIELD(grey_answer.verdict),
	 GREY_VERDICT_COUNT},
	{"no such reason", MSG_GREY_ANSWER, FIELD(grey_answer.reason), GREY_REASON_COUNT},
	{"deferred without a wait", MSG_GREY_ANSWER, FIELD(grey_answer.wait_s), 0},
	{"a wait that is too long", MSG_GREY_ANSWER, FIELD(grey_answer.wait_s), 86401},
	{"a wait of who passes", MSG_GREY_ANSWER, FIELD(grey_answer.verdict), GREY_PASS},
};

static void every_wrong_field_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct msg m = good(wrong[i].type);
		const size_t len = msg_size(wrong[i].type);

		assert_int_equal(validate(&m, len, fd_of(wrong[i].type)), 0);
		memcpy((char *)&m + wrong[i].offset, &wrong[i].value, wrong[i].size);
		if (validate(&m, len, fd_of(wrong[i].type)) != -EPROTO)
			fail_msg("%s: %s", msg_name(wrong[i].type), wrong[i].why);
	}
}

/* Every text: without a NUL anywhere. */
static const struct {
	uint32_t type;
	size_t offset, size;
} texts[] = {
	{MSG_STRIKE, FIELD(strike.user)},
	{MSG_STRIKE, FIELD(strike.reply)},
	{MSG_LOGIN, FIELD(login.user)},
	{MSG_SESSIONS_PAGE, FIELD(sessions_page.sessions[0].state)},
	{MSG_TEST, FIELD(test.helo)},
	{MSG_TEST, FIELD(test.from)},
	{MSG_TEST, FIELD(test.to)},
	{MSG_TEST, FIELD(test.user)},
	{MSG_TEST_STEP, FIELD(test_step.step)},
	{MSG_TEST_STEP, FIELD(test_step.result)},
	{MSG_TEST_STEP, FIELD(test_step.mode)},
	{MSG_TEST_STEP, FIELD(test_step.text)},
	{MSG_SESSIONS_PAGE, FIELD(sessions_page.sessions[MSG_SESSIONS_MAX - 1].user)},
	{MSG_CHECK_SENDER, FIELD(check_sender.sender.local)},
	{MSG_CHECK_SENDER, FIELD(check_sender.sender.domain)},
	{MSG_CHECK_SENDER, FIELD(check_sender.sender.helo)},
	{MSG_ANSWER, FIELD(answer.evidence)},
	{MSG_FINDING, FIELD(finding.evidence)},
	{MSG_ANSWER, FIELD(answer.words)},
	{MSG_LIST, FIELD(list.name)},
	{MSG_LIST, FIELD(list.why)},
	{MSG_REPORT, FIELD(report.text)},
	{MSG_GREY_ASK, FIELD(grey_ask.domain)},
	{MSG_GREY_ASK, FIELD(grey_ask.sender)},
	{MSG_GREY_ASK, FIELD(grey_ask.recipient)},
};

static void every_text_must_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct msg m = good(texts[i].type);
		char *text = (char *)&m + texts[i].offset;

		memset(text, 'x', texts[i].size);
		if (validate(&m, msg_size(m.type), false) != -EPROTO)
			fail_msg("%s: text %zu has no end", msg_name(m.type), i);
		text[texts[i].size - 1] = '\0';
		if (validate(&m, msg_size(m.type), false) != 0)
			fail_msg("%s: text %zu ends at its last byte", msg_name(m.type),
				 i);
	}
}

static void what_lies_behind_the_count_is_not_looked_at(void **state)
{
	struct msg m = good(MSG_BAN_EDITS);

	(void)state;
	m.bans.count = 1;
	m.bans.bans[1].edit = 77;
	assert_int_equal(validate(&m, msg_size(m.type), false), 0);
}

static void removing_a_listener_takes_no_descriptor(void **state)
{
	struct msg m = good(MSG_LISTENER);

	(void)state;
	m.listener.remove = 1;
	assert_int_equal(validate(&m, msg_size(m.type), false), 0);
}

static void a_recheck_of_all_has_no_prefix(void **state)
{
	struct msg m = {.type = MSG_RECHECK};

	(void)state;
	assert_int_equal(validate(&m, msg_size(m.type), false), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_passes_on_its_routes_and_on_no_other),
		cmocka_unit_test(every_type_has_one_size),
		cmocka_unit_test(a_descriptor_comes_when_it_should_and_only_then),
		cmocka_unit_test(types_that_are_none_are_refused),
		cmocka_unit_test(every_wrong_field_is_refused),
		cmocka_unit_test(every_text_must_end),
		cmocka_unit_test(what_lies_behind_the_count_is_not_looked_at),
		cmocka_unit_test(removing_a_listener_takes_no_descriptor),
		cmocka_unit_test(a_recheck_of_all_has_no_prefix),
	};

	return cmocka_run_group_tests_name("proc/msg", tests, NULL, NULL);
}
