/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/proc/ledger_lab_double - the keeper and the gate that the test plays. See ledger_lab.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ledger_lab.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/prefix_set.h"
#include "proc/channel.h"

void lab_send(int fd, const struct msg *msg, int passed)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = (void *)msg, .iov_len = msg_size(msg->type)};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	if (passed >= 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		header.msg_control = control.bytes;
		header.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &passed, sizeof(passed));
	}
	while (sendmsg(fd, &header, MSG_NOSIGNAL) < 0) {
		struct pollfd wait = {.fd = fd, .events = POLLOUT};

		if (errno != EAGAIN)
			return; /* it has gone: the test will see */
		(void)poll(&wait, 1, LAB_TIMEOUT_MS);
	}
}

/* ---- the keeper ------------------------------------------------------------------------------------------ */

static struct msg_ban *lab_find(struct lab *lab, const struct prefix *prefix,
				uint8_t policy)
{
	for (size_t i = 0; i < lab->kernel_count; i++) {
		if (lab->kernel[i].policy == policy &&
		    prefix_equal(&lab->kernel[i].prefix, prefix))
			return &lab->kernel[i];
	}
	return NULL;
}

struct msg_ban *lab_kernel_find(struct lab *lab, const char *text, uint8_t policy)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return lab_find(lab, &prefix, policy);
}

void lab_kernel_put(struct lab *lab, const char *text, uint8_t policy, uint64_t ends_ns)
{
	struct msg_ban *ban = &lab->kernel[lab->kernel_count++];

	*ban = (struct msg_ban){.policy = policy, .ends_ns = ends_ns};
	assert_int_equal(prefix_parse(text, &ban->prefix), 0);
}

static int16_t lab_edit(struct lab *lab, const struct msg_ban *edit)
{
	struct msg_ban *found = lab_find(lab, &edit->prefix, edit->policy);

	lab->edits++;
	if (edit->edit == BAN_EDIT_REMOVE) {
		if (!found)
			return -ENOENT;
		*found = lab->kernel[--lab->kernel_count];
		return 0;
	}
	if (lab->refuse)
		return lab->refuse;
	if (!found) {
		assert_true(lab->kernel_count < LAB_KERNEL_MAX);
		found = &lab->kernel[lab->kernel_count++];
	}
	*found = *edit;
	return 0;
}

static void lab_on_edits(struct lab *lab, const struct msg *msg)
{
	struct msg answer = *msg;

	lab->edit_messages++;
	if (lab->is_silent)
		return;
	answer.type = MSG_EDITS_DONE;
	for (uint32_t i = 0; i < answer.bans.count; i++)
		answer.bans.bans[i].error = lab_edit(lab, &msg->bans.bans[i]);
	lab_send(lab->keeper, &answer, -1);
}

static void lab_on_walk(struct lab *lab, const struct msg *msg)
{
	struct msg answer = {.type = MSG_BAN_PAGE, .bans.seq = msg->ban_walk.seq};

	if (msg->ban_walk.restart)
		lab->walk_at = 0;
	while (lab->walk_at < lab->kernel_count && answer.bans.count < MSG_BANS_MAX)
		answer.bans.bans[answer.bans.count++] = lab->kernel[lab->walk_at++];
	answer.bans.last = answer.bans.count == 0;
	lab_send(lab->keeper, &answer, -1);
}

static void lab_on_lookup(struct lab *lab, const struct msg *msg)
{
	struct msg answer = *msg;

	answer.type = MSG_BAN_PAGE;
	answer.bans.last = 1;
	for (uint32_t i = 0; i < answer.bans.count; i++) {
		struct msg_ban *asked = &answer.bans.bans[i];
		const struct msg_ban *found =
			lab_find(lab, &asked->prefix, asked->policy);

		if (found)
			*asked = *found;
		asked->error = found ? 0 : -ENOENT;
	}
	lab_send(lab->keeper, &answer, -1);
}

static void lab_on_order(struct lab *lab, const struct msg *msg)
{
	struct msg answer = {.type = MSG_REPORT,
			     .report = {.seq = msg->order.seq, .last = 1}};

	(void)text_copy(answer.report.text, sizeof(answer.report.text),
			lab->report ? lab->report : "{}");
	lab_send(lab->keeper, &answer, -1);
}

static void lab_on_keeper(struct lab *lab, const struct msg *msg)
{
	if (msg->type == MSG_READY)
		lab->is_ready = true;
	else if (msg->type == MSG_BAN_EDITS)
		lab_on_edits(lab, msg);
	else if (msg->type == MSG_BAN_WALK)
		lab_on_walk(lab, msg);
	else if (msg->type == MSG_BAN_LOOKUP)
		lab_on_lookup(lab, msg);
	else if (msg->type == MSG_ORDER)
		lab_on_order(lab, msg);
	else
		fail_msg("the keeper got %s", msg_name(msg->type));
}

/* ---- the gate ----------------------------------------------------------------------------------------------- */

static void lab_on_gate(struct lab *lab, const struct msg *msg)
{
	struct msg page = {.type = MSG_SESSIONS_PAGE};

	if (msg->type == MSG_RECHECK) {
		lab->rechecks++;
		lab->recheck = msg->recheck;
		return;
	}
	if (msg->type == MSG_GREY_ANSWER) {
		lab->grey_count++;
		lab->grey = msg->grey_answer;
		return;
	}
	assert_int_equal(msg->type, MSG_SESSIONS);
	page.sessions_page.seq = msg->sessions.seq;
	page.sessions_page.count = 1;
	page.sessions_page.last = 1;
	page.sessions_page.sessions[0] = lab->session;
	lab_send(lab->gate, &page, -1);
}

/* Takes one message if there is one. */
static bool lab_receive(struct lab *lab, int fd, enum process_role other,
			void (*take)(struct lab *lab, const struct msg *msg))
{
	struct msg msg;
	ssize_t len = recv(fd, &msg, sizeof(msg), MSG_DONTWAIT);

	if (len < 0 && errno == EAGAIN)
		return false;
	if (len <= 0)
		fail_msg("the ledger has ended");
	assert_int_equal(msg_validate(ROLE_LEDGER, other, &msg, (size_t)len, false), 0);
	take(lab, &msg);
	return true;
}

static void lab_read_admin(struct lab *lab)
{
	ssize_t len = recv(lab->admin, lab->out + lab->out_len,
			   sizeof(lab->out) - lab->out_len, MSG_DONTWAIT);

	if (len > 0)
		lab->out_len += (size_t)len;
}

static void lab_step(struct lab *lab)
{
	struct pollfd fds[] = {
		{.fd = lab->keeper, .events = POLLIN},
		{.fd = lab->gate, .events = POLLIN},
		{.fd = lab->admin, .events = POLLIN},
	};

	(void)poll(fds, 3, 20);
	while (lab_receive(lab, lab->keeper, ROLE_KEEPER, lab_on_keeper))
		;
	while (lab_receive(lab, lab->gate, ROLE_GATE, lab_on_gate))
		;
	if (lab->admin >= 0)
		lab_read_admin(lab);
}

void lab_until(struct lab *lab, lab_condition_fn holds, const void *context)
{
	uint64_t deadline_ns = clock_mono_ns() + LAB_TIMEOUT_MS * NS_PER_MS;

	while (!holds(lab, context)) {
		if (clock_mono_ns() > deadline_ns)
			fail_msg("nothing happened in time");
		lab_step(lab);
	}
}

static struct addr lab_addr(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

void lab_strike(struct lab *lab, const char *addr, uint8_t service, const char *user)
{
	struct msg msg = {
		.type = MSG_STRIKE,
		.strike = {.addr = lab_addr(addr),
			   .kind = STRIKE_LOGIN,
			   .service = service,
			   .seen_mono_ns = clock_mono_ns(),
			   .reply = "535 5.7.8 no"},
	};

	(void)text_copy(msg.strike.user, sizeof(msg.strike.user), user);
	lab_send(lab->gate, &msg, -1);
}

void lab_strikes(struct lab *lab, const char *addr, uint8_t service, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		lab_strike(lab, addr, service, "bob");
}

void lab_login(struct lab *lab, const char *addr, uint8_t service)
{
	struct msg msg = {
		.type = MSG_LOGIN,
		.login = {.addr = lab_addr(addr), .service = service, .user = "bob"}};

	lab_send(lab->gate, &msg, -1);
}

void lab_login_as(struct lab *lab, const char *addr, uint64_t id, const char *user)
{
	struct msg msg = {
		.type = MSG_LOGIN,
		.login = {.addr = lab_addr(addr), .service = LAB_IMAP, .session_id = id}};

	(void)text_copy(msg.login.user, sizeof(msg.login.user), user);
	lab_send(lab->gate, &msg, -1);
}

void lab_logout(struct lab *lab, uint64_t id)
{
	const struct msg msg = {.type = MSG_LOGOUT, .logout.session_id = id};

	lab_send(lab->gate, &msg, -1);
}

void lab_gate_dies(struct lab *lab)
{
	const struct msg peer = {.type = MSG_PEER, .peer = {.role = ROLE_GATE}};
	int gate[2];

	close_fd(&lab->gate);
	assert_int_equal(channel_pair(gate), 0);
	lab->gate = gate[0];
	lab_send(lab->keeper, &peer, gate[1]);
	close_fd(&gate[1]);
}

bool lab_recent(struct lab *lab, const char *text, struct auth_recent *out_recent)
{
	size_t size = prefix_set_valued_size(LAB_LOGINS_MAX, sizeof(struct auth_recent));
	void *memory = mmap(NULL, size, PROT_READ, MAP_SHARED, lab->logins_fd, 0);
	const struct prefix_set *set = prefix_set_attach(memory, size);
	const struct prefix_set_question question = {
		.addr = lab_addr(text),
		.now_ns = clock_boot_ns(),
	};
	struct prefix_set_item item;
	bool found;

	assert_non_null(set);
	found = prefix_set_find_value(set, &question, &item, out_recent);
	(void)munmap(memory, size);
	return found;
}

void lab_grey_ask(struct lab *lab, const struct lab_mail *mail)
{
	struct msg msg = {
		.type = MSG_GREY_ASK,
		.grey_ask = {.addr = lab_addr(mail->addr), .service = mail->service},
	};
	struct msg_grey_ask *ask = &msg.grey_ask;
	uint8_t sender[GREY_DIGEST_BYTES];

	if (mail->domain)
		(void)text_copy(ask->domain, sizeof(ask->domain), mail->domain);
	(void)text_copy(ask->sender, sizeof(ask->sender), mail->sender);
	(void)text_copy(ask->recipient, sizeof(ask->recipient), mail->recipient);
	grey_sender_digest(mail->sender, strlen(mail->sender), sender);
	grey_digest(sender, mail->recipient, strlen(mail->recipient), ask->digest);
	lab_send(lab->gate, &msg, -1);
}

static bool lab_has_grey(struct lab *lab, const void *context)
{
	return lab->grey_count > *(const size_t *)context;
}

struct msg_grey_answer lab_grey(struct lab *lab, const struct lab_mail *mail)
{
	const size_t before = lab->grey_count;

	lab_grey_ask(lab, mail);
	lab_until(lab, lab_has_grey, &before);
	return lab->grey;
}

bool lab_set_has(struct lab *lab, const char *text, uint8_t policy)
{
	size_t size = prefix_set_size(LAB_BANS_MAX);
	void *memory = mmap(NULL, size, PROT_READ, MAP_SHARED, lab->bans_fd, 0);
	const struct prefix_set *set = prefix_set_attach(memory, size);
	struct addr addr = lab_addr(text);
	struct prefix_set_item item;
	bool found;

	assert_non_null(set);
	found = prefix_set_find(set, policy, &addr, clock_boot_ns(), &item);
	(void)munmap(memory, size);
	return found;
}
