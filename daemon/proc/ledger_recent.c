/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_recent - see ledger_recent.h.
 *
 * A record says how many sessions are open; which ones they are, the table of sessions below
 * knows, so that a login told twice counts once and a gate that dies takes its sessions along.
 */
#include "proc/ledger_recent.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "proc/ledger_gather.h"
#include "proc/ledger_recent_open.h"

#define RECENT_LOG_PER_MINUTE 6u

struct recent {
	struct prefix_set *set; /* in memory; NULL: not given yet */
	void *memory, *old; /* mapped; old: of the ledger before, NULL: there is none */
	size_t memory_bytes, old_bytes;
	struct open_logins *open;
	size_t expire_cursor;
	uint32_t round; /* of the count that is running, or was the last */
	bool is_counting;
	uint64_t counted_mono_ns;
	struct log_limit full;
};

static_assert((unsigned int)AUTH_USER_MAX == MSG_USER_MAX, "a login's user fits");
static_assert((unsigned int)AUTH_SERVICE_MAX == CONF_NAME_MAX, "a service's name fits");

struct recent *recent_new(void)
{
	AUTO(recent_free) struct recent *recent = calloc(1, sizeof(*recent));

	if (!recent)
		return NULL;
	recent->full.per_minute = RECENT_LOG_PER_MINUTE;
	return TAKE_PTR(recent);
}

void recent_free(struct recent **recent)
{
	struct recent *r = *recent;

	if (!r)
		return;
	if (r->memory)
		(void)munmap(r->memory, r->memory_bytes);
	if (r->old)
		(void)munmap(r->old, r->old_bytes);
	open_logins_free(&r->open);
	free(r);
	*recent = NULL;
}

/* ---- records ------------------------------------------------------------------------------------ */

/* As long as it counts at any service. */
static int64_t longest_window_s(const struct ledger *ledger)
{
	const struct conf *conf = ledger_conf(ledger);
	int64_t longest_s = 0;

	for (unsigned int i = 0; i < conf->service_count; i++) {
		const struct conf_service *service = &conf->services[i];
		const int64_t window_s = conf->policies[service->policy].am_window_s;

		if (service_type_is_smtp((enum service_type)service->type) &&
		    window_s > longest_s)
			longest_s = window_s;
	}
	return longest_s;
}

static bool record_get(const struct ledger *ledger, const struct prefix *client,
		       struct auth_recent *out_record)
{
	struct prefix_set_item item;

	return prefix_set_get_value(ledger->recent->set, 0, client, &item, out_record) &&
	       item.ends_ns > ledger->now.boot_ns;
}

static void record_put(struct ledger *ledger, const struct prefix *client,
		       struct auth_recent *record)
{
	struct recent *recent = ledger->recent;
	struct prefix_set_item item = {.prefix = *client};
	char text[PREFIX_TEXT_MAX];
	uint32_t dropped;

	record->seen_ns = record->open ? CLOCK_FOREVER_NS : ledger->now.boot_ns;
	item.ends_ns = auth_recent_until(record, longest_window_s(ledger));
	if (prefix_set_put_value(recent->set, &item, record) >= 0)
		return;
	if (log_limit_take(&recent->full, ledger->now.mono_ns, &dropped))
		log_warn("event=logins-full addr=%s limit=am-clients-max dropped=%u",
			 prefix_format(client, text), dropped);
}

/* One session less. */
static void record_close(struct ledger *ledger, const struct prefix *client)
{
	struct auth_recent record;

	if (!record_get(ledger, client, &record))
		return;
	if (record.open > 0)
		record.open--;
	record_put(ledger, client, &record);
}

/* A login, now or some time ago; its session is open if the table of sessions has room. */
static void record_login(struct ledger *ledger, const struct open_login *login,
			 const struct auth_recent *told)
{
	struct recent *recent = ledger->recent;
	struct auth_recent record = {0};
	uint32_t dropped;

	if (record_get(ledger, &login->client, &record) &&
	    strcmp(record.user, told->user) != 0)
		record.has_many = 1;
	if (open_logins_add(recent->open, login))
		record.open++;
	else if (log_limit_take(&recent->full, ledger->now.mono_ns, &dropped))
		log_warn("event=logins-full limit=sessions-max dropped=%u", dropped);
	if (told->login_at_s >= record.login_at_s) {
		record.login_at_s = told->login_at_s;
		memcpy(record.user, told->user, sizeof(record.user));
		memcpy(record.service, told->service, sizeof(record.service));
	}
	record_put(ledger, &login->client, &record);
}

/* ---- memory -------------------------------------------------------------------------------------- */

static int map(const struct msg_shared *msg, int fd, void **memory, size_t *bytes)
{
	const int access = msg->writable ? PROT_READ | PROT_WRITE : PROT_READ;
	void *mapped = mmap(NULL, msg->size_bytes, access, MAP_SHARED, fd, 0);

	if (mapped == MAP_FAILED)
		return -errno;
	*memory = mapped;
	*bytes = msg->size_bytes;
	return 0;
}

int recent_take_memory(struct ledger *ledger, const struct msg_shared *msg, int fd)
{
	struct recent *recent = ledger->recent;
	size_t capacity;
	int err;

	if (!ledger->has_snapshot || (msg->writable ? recent->memory : recent->old))
		return -EINVAL;
	if (!msg->writable)
		return map(msg, fd, &recent->old, &recent->old_bytes);
	capacity = ledger_conf(ledger)->limits.am_clients_max;
	if (prefix_set_valued_size(capacity, sizeof(struct auth_recent)) >
	    msg->size_bytes)
		return -EINVAL;
	recent->open = open_logins_new(ledger_conf(ledger)->limits.sessions_max);
	if (!recent->open)
		return -ENOMEM;
	err = map(msg, fd, &recent->memory, &recent->memory_bytes);
	if (!err)
		recent->set = prefix_set_valued_init(recent->memory, capacity,
						     sizeof(struct auth_recent));
	return err;
}

/* Nobody is known to have a session now: as if all had ended this moment, until the gates have been asked. */
static void take_over(struct ledger *ledger, const struct prefix_set *old,
		      const struct prefix_set_item *item)
{
	const uint64_t now_ns = ledger->now.boot_ns;
	struct prefix_set_item kept = *item;
	struct auth_recent record;

	if (kept.group != 0 ||
	    !prefix_set_get_value(old, 0, &kept.prefix, &kept, &record) ||
	    kept.ends_ns <= now_ns)
		return;
	record.user[sizeof(record.user) - 1] = '\0';
	record.service[sizeof(record.service) - 1] = '\0';
	record.open = 0;
	if (record.seen_ns > now_ns)
		record.seen_ns = now_ns;
	kept.ends_ns = auth_recent_until(&record, longest_window_s(ledger));
	if (prefix_set_put_value(ledger->recent->set, &kept, &record) < 0)
		return; /* not even then: it has the size of the old one */
}

static void take_over_all(struct ledger *ledger)
{
	struct recent *recent = ledger->recent;
	const struct prefix_set *old = prefix_set_attach(recent->old, recent->old_bytes);
	size_t cursor = 0;

	if (old && prefix_set_value_bytes(old) == sizeof(struct auth_recent)) {
		do {
			struct prefix_set_item items[64];
			size_t count = 0;

			cursor = prefix_set_walk(old, cursor, items, 64, &count);
			for (size_t i = 0; i < count; i++)
				take_over(ledger, old, &items[i]);
		} while (cursor != 0);
	}
	(void)munmap(recent->old, recent->old_bytes);
	recent->old = NULL;
}

bool recent_begin(struct ledger *ledger)
{
	if (!ledger->recent->set)
		return false;
	if (ledger->recent->old)
		take_over_all(ledger);
	return true;
}

/* ---- messages ------------------------------------------------------------------------------------ */

static bool is_mailbox(const struct ledger *ledger, uint8_t service)
{
	const struct conf *conf = ledger_conf(ledger);

	/* A reload may have taken the service away while the message was on its way. */
	return service < conf->service_count &&
	       service_type_is_mailbox((enum service_type)conf->services[service].type);
}

static void told_fill(const struct ledger *ledger, uint8_t service, const char *user,
		      struct auth_recent *out_told)
{
	(void)text_copy(out_told->user, sizeof(out_told->user), user);
	(void)text_copy(out_told->service, sizeof(out_told->service),
			ledger_conf(ledger)->services[service].name);
}

void recent_on_login(struct ledger *ledger, unsigned int gate,
		     const struct msg_login *msg)
{
	const struct open_login login = {
		.id = msg->session_id,
		.client = prefix_of_client(&msg->addr),
		.round = ledger->recent->round,
	};
	struct auth_recent told = {.login_at_s = ledger->now.wall_s};

	if (!is_mailbox(ledger, msg->service) ||
	    msg_session_gate(msg->session_id) != gate ||
	    open_logins_find(ledger->recent->open, msg->session_id))
		return;
	told_fill(ledger, msg->service, msg->user, &told);
	record_login(ledger, &login, &told);
}

void recent_on_logout(struct ledger *ledger, unsigned int gate,
		      const struct msg_logout *msg)
{
	struct open_login *login =
		open_logins_find(ledger->recent->open, msg->session_id);

	if (!login || msg_session_gate(msg->session_id) != gate)
		return;
	record_close(ledger, &login->client);
	open_logins_remove(ledger->recent->open, login);
}

struct ending {
	struct ledger *ledger;
	unsigned int gate; /* whose sessions end */
};

static bool ends_with_gate(void *context, const struct open_login *login)
{
	const struct ending *ending = context;

	if (msg_session_gate(login->id) != ending->gate)
		return false;
	record_close(ending->ledger, &login->client);
	return true;
}

void recent_on_gate_gone(struct ledger *ledger, unsigned int gate)
{
	struct ending ending = {ledger, gate};

	if (ledger->recent->open)
		open_logins_sweep(ledger->recent->open, ends_with_gate, &ending);
}

/* ---- counting what is open ------------------------------------------------------------------------ */

static bool ends_unseen(void *context, const struct open_login *login)
{
	struct ledger *ledger = context;

	if (login->round == ledger->recent->round)
		return false;
	record_close(ledger, &login->client);
	return true;
}

static void on_session(void *context, const struct msg_session *session,
		       unsigned int missing)
{
	struct ledger *ledger = context;
	struct recent *recent = ledger->recent;
	struct auth_recent told = {0};
	struct open_login login;
	struct open_login *known;

	if (!session) {
		recent->is_counting = false;
		/* Of a gate that does not answer nothing is known; when it dies its sessions end. */
		if (!missing)
			open_logins_sweep(recent->open, ends_unseen, ledger);
		return;
	}
	if (session->auth_by != AUTH_BY_LOGIN || !is_mailbox(ledger, session->service))
		return;
	known = open_logins_find(recent->open, session->id);
	if (known) {
		known->round = recent->round;
		return;
	}
	login = (struct open_login){
		.id = session->id,
		.client = prefix_of_client(&session->addr),
		.round = recent->round,
	};
	told.login_at_s = session->started_wall_s;
	told_fill(ledger, session->service, session->user, &told);
	record_login(ledger, &login, &told);
}

void recent_count(struct ledger *ledger)
{
	struct recent *recent = ledger->recent;

	if (recent->is_counting)
		return;
	recent->round++;
	recent->counted_mono_ns = ledger->now.mono_ns;
	recent->is_counting = true;
	if (gather_begin(ledger, on_session, ledger))
		recent->is_counting = false; /* too many ask at once: later */
}

void recent_tick(struct ledger *ledger)
{
	struct recent *recent = ledger->recent;

	for (unsigned int step = 0; step < RECENT_EXPIRE_STEPS; step++) {
		struct prefix_set_item items[64];
		size_t count = 0;

		recent->expire_cursor = prefix_set_walk(
			recent->set, recent->expire_cursor, items, 64, &count);
		for (size_t i = 0; i < count; i++)
			if (items[i].ends_ns <= ledger->now.boot_ns)
				(void)prefix_set_remove(recent->set, 0, &items[i].prefix);
		if (recent->expire_cursor == 0)
			break;
	}
	if (open_logins_count(recent->open) > 0 &&
	    ledger->now.mono_ns - recent->counted_mono_ns >=
		    RECENT_COUNT_EVERY_S * NS_PER_S)
		recent_count(ledger);
}

/* ---- for who asks ---------------------------------------------------------------------------------- */

bool recent_find(struct ledger *ledger, const struct addr *addr,
		 struct auth_recent *out_recent)
{
	const struct prefix client = prefix_of_client(addr);

	return record_get(ledger, &client, out_recent);
}

size_t recent_clients(const struct ledger *ledger)
{
	return prefix_set_count(ledger->recent->set);
}

size_t recent_open(const struct ledger *ledger)
{
	return open_logins_count(ledger->recent->open);
}
