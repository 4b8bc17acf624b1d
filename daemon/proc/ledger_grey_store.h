/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_grey_store - the store of greylisting in the ledger: its health, its ageing, and the
 * prefixes that an admin lets pass.
 *
 * Nothing in here may hold up mail or a ban. Changes are committed in small batches without waiting for
 * the disk; what was proven is on the disk within a second. While the store cannot be written,
 * whoever is not known is let through, and every second one newcomer tries whether it can again.
 */
#ifndef PROC_LEDGER_GREY_STORE_H
#define PROC_LEDGER_GREY_STORE_H

#include "proc/ledger_state.h"
#include "sys/db_grey.h"

#define GREY_DB_PATH	  "grey.db" /* below the state directory */
#define GREY_BATCH	  64u	    /* changes in one commit: half a millisecond */
#define GREY_EXPIRE_STEPS 256u	    /* rows of each kind in one second */
#define GREY_ROOM_STEPS \
	16u /* rows that go for one that comes, if the limit was lowered */
#define GREY_LOG_PAGES	    256u  /* of 4 KiB: written back at a time; some 2 ms */
#define GREY_REOPEN_S	    10	  /* between attempts to open the file */
#define GREY_COMMANDS_MAX   1024u /* prefixes that pass by command */
#define GREY_LOG_PER_MINUTE 6u

enum grey_store_state {
	GREY_STORE_ABSENT, /* not needed so far */
	GREY_STORE_OK,
	GREY_STORE_FAILING, /* it can be read at best */
};

struct grey_store *grey_store_new(void);
void grey_store_free(struct grey_store **store);

/* If there is a file, open it. Never fails: what cannot be opened is tried again. */
void grey_store_start(struct ledger *ledger);

/* The store, made if there is none; NULL: it cannot be used. Valid until grey_store_abort(). */
struct db_grey *grey_store_db(struct ledger *ledger);

/* The store to look into; NULL: there is none, or it cannot be used. Makes no file. */
struct db_grey *grey_store_look(const struct ledger *ledger);

enum grey_store_state grey_store_state(const struct ledger *ledger);
const char *grey_store_state_name(enum grey_store_state state);

/* May something new be written? While the store fails: once a second, as a trial. */
bool grey_store_may_write(struct ledger *ledger);

/* Make room for one row. 0; -errno, for grey_store_abort(). */
int grey_store_make_room(struct ledger *ledger) MUST_CHECK;

/* Commit. @is_proof: it shall be on the disk within a second. 0; -errno, after grey_store_abort(). */
int grey_store_commit(struct ledger *ledger, bool is_proof);

/* The store has failed: say so; what was not committed is gone; a damaged file is set aside. */
void grey_store_abort(struct ledger *ledger, int error);

/* ---- prefixes that pass by command ---- */

/* Does an admin let this address pass? */
bool grey_store_passes(const struct ledger *ledger, const struct addr *addr,
		       struct prefix_set_item *out_pass);

/* Exactly this prefix, ended or not? */
bool grey_store_has_pass(const struct ledger *ledger, const struct prefix *prefix);

/**
 * grey_store_pass - let prefixes pass until a time.
 * @ends_s: wall clock; DB_FOREVER_S
 *
 * On the disk when this returns. Return: 0; -ENOSPC, they would be too many; -errno; then none passes.
 */
int grey_store_pass(struct ledger *ledger, const struct prefix *prefixes, size_t count,
		    int64_t ends_s) MUST_CHECK;

/* A command row has been removed from the store. */
void grey_store_pass_ended(struct ledger *ledger, const struct prefix *prefix);

/* The longest greylist-window, greylist-lifetime of the policies that greylist: what is known is shared by them. */
int64_t grey_window_s(const struct ledger *ledger);
int64_t grey_lifetime_s(const struct ledger *ledger);

/* Once a second, and at the end. */
void grey_store_tick(struct ledger *ledger);

#endif
