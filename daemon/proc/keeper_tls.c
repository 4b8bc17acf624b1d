/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_tls - certificates and ticket keys: who has them, when they are made anew, when the files changed.
 *
 * The files are looked at every few seconds, as nobody tells us when certbot has been there. New ones that cannot
 * be used change nothing, and are told once, when they have been wrong for two looks: the
 * files of a renewal are not replaced all at one time.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <event2/event.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "proc/keeper_state.h"

/* ---- ticket keys ----------------------------------------------------------------------------- */

static int ticket_key_make(struct tls_ticket_key *key)
{
	return getrandom(key->bytes, sizeof(key->bytes), 0) == sizeof(key->bytes) ? 0
										  : -EIO;
}

static uint64_t rotation_ns(const struct keeper *keeper)
{
	return (uint64_t)keeper_conf(keeper)->limits.tls_ticket_rotation_s * NS_PER_S;
}

/* The oldest goes, a new one comes to the front. */
static void tickets_rotate(struct keeper *keeper)
{
	struct tls_tickets *tickets = keeper->tls.tickets;
	struct tls_ticket_key key;

	keeper->tls.rotate_ns = clock_mono_ns() + rotation_ns(keeper);
	if (ticket_key_make(&key)) {
		log_error("event=error what=ticket-key reason=\"no random bytes\"");
		return;
	}
	memmove(&tickets->keys[1], &tickets->keys[0],
		sizeof(tickets->keys) - sizeof(tickets->keys[0]));
	tickets->keys[0] = key;
	if (tickets->count < TLS_TICKET_KEYS)
		tickets->count++;
	explicit_bzero(&key, sizeof(key));
}

static void tickets_send(const struct keeper *keeper, struct keeper_child *gate)
{
	const struct tls_tickets *tickets = keeper->tls.tickets;
	struct msg msg = {.type = MSG_TICKETS};

	msg.tickets.count = tickets->count;
	memcpy(msg.tickets.keys, tickets->keys, sizeof(msg.tickets.keys));
	child_send(gate, &msg, -1);
	explicit_bzero(&msg, sizeof(msg));
}

/* ---- sending --------------------------------------------------------------------------------- */

static void bundle_send(const struct keeper *keeper, struct keeper_child *gate)
{
	const struct msg msg = {.type = MSG_TLS};

	if (keeper->tls.certificates)
		child_send(gate, &msg, keeper->tls.certificates->bundle_fd);
}

void tls_send(struct keeper *keeper, struct keeper_child *gate)
{
	tickets_send(keeper, gate);
	bundle_send(keeper, gate);
}

static void gates_each(struct keeper *keeper,
		       void (*send)(const struct keeper *, struct keeper_child *))
{
	for (size_t i = 0; i < keeper->child_count; i++) {
		struct keeper_child *child = &keeper->children[i];

		if (child->role == ROLE_GATE && child->channel)
			send(keeper, child);
	}
}

void tls_replace(struct keeper *keeper, struct certificates **certificates)
{
	struct keeper_tls *tls = &keeper->tls;

	certificates_free(&tls->certificates);
	tls->certificates = TAKE_PTR(*certificates);
	tls->problem[0] = '\0';
	tls->is_told = false;
	memset(tls->was_bad, 0, sizeof(tls->was_bad));
	gates_each(keeper, bundle_send);
}

/* ---- looking --------------------------------------------------------------------------------- */

/* The first error of a reading; what is doubtful is told when it is in force. */
static void note_first_error(void *context, const struct certificate_note *note)
{
	char *problem = context;

	if (note->is_error && problem[0] == '\0')
		(void)text_copy(problem, KEEPER_TLS_PROBLEM_MAX, note->text);
}

static void look_failed(struct keeper_tls *tls, const char *problem)
{
	const bool is_same = strcmp(tls->problem, problem) == 0;

	if (is_same && !tls->is_told) {
		tls->is_told = true;
		log_error(
			"event=certificates result=refused reason=\"%s; those read before stay in force\"",
			problem);
	} else if (!is_same) {
		tls->is_told = false;
		(void)text_copy(tls->problem, sizeof(tls->problem), problem);
	}
}

static void look_at_files(struct keeper *keeper)
{
	struct keeper_tls *tls = &keeper->tls;
	AUTO(certificates_free) struct certificates *fresh = NULL;
	char problem[KEEPER_TLS_PROBLEM_MAX] = "";
	int err;

	if (!certificates_have_changed(tls->certificates, keeper_conf(keeper))) {
		tls->problem[0] = '\0';
		tls->is_told = false;
		return;
	}
	err = certificates_read(keeper_conf(keeper), clock_wall_s(), note_first_error,
				problem, &fresh);
	if (err) {
		look_failed(tls, problem[0] ? problem : strerror(-err));
		return;
	}
	tls_replace(keeper, &fresh);
	log_info("event=certificates result=loaded reason=\"the files have changed\"");
}

/* Told when it begins, not with each look. */
static void look_at_time(struct keeper *keeper)
{
	const struct conf *conf = keeper_conf(keeper);
	struct keeper_tls *tls = &keeper->tls;

	for (uint8_t i = 0; i < conf->certificate_count; i++) {
		const struct tls_cert_facts *facts = &tls->certificates->facts[i];
		char memory[64];
		struct buf problem = BUF_OVER(memory);

		certificate_time_problem(facts, clock_wall_s(), &problem);
		if (problem.len > 0 && !tls->was_bad[i])
			log_warn("event=certificate name=%s problem=\"%s\"",
				 conf->certificates[i].name, memory);
		tls->was_bad[i] = problem.len > 0;
	}
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
	struct keeper *keeper = context;

	(void)fd;
	(void)what;
	if (keeper->phase >= PHASE_DRAIN)
		return;
	if (clock_mono_ns() >= keeper->tls.rotate_ns) {
		tickets_rotate(keeper);
		gates_each(keeper, tickets_send);
	}
	if (!keeper->tls.certificates)
		return;
	look_at_files(keeper);
	look_at_time(keeper);
}

/* ---- begin and end --------------------------------------------------------------------------- */

int tls_prepare(struct keeper *keeper)
{
	const size_t size = sizeof(*keeper->tls.tickets);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	keeper->tls.tickets = memory;
	if (madvise(memory, size, MADV_WIPEONFORK) ||
	    madvise(memory, size, MADV_DONTDUMP))
		return -errno;
	keeper->tls.tickets->count = 1;
	return ticket_key_make(&keeper->tls.tickets->keys[0]);
}

int tls_start(struct keeper *keeper)
{
	const struct timeval interval = {.tv_sec = KEEPER_TLS_LOOK_S};

	keeper->tls.rotate_ns = clock_mono_ns() + rotation_ns(keeper);
	keeper->tls.look = event_new(keeper->base, -1, EV_PERSIST, on_look, keeper);
	return keeper->tls.look && event_add(keeper->tls.look, &interval) == 0 ? 0
									       : -ENOMEM;
}

void tls_free(struct keeper *keeper)
{
	struct keeper_tls *tls = &keeper->tls;

	if (tls->look)
		event_free(tls->look);
	certificates_free(&tls->certificates);
	if (tls->tickets) {
		explicit_bzero(tls->tickets, sizeof(*tls->tickets));
		(void)munmap(tls->tickets, sizeof(*tls->tickets));
	}
	*tls = (struct keeper_tls){0};
}
