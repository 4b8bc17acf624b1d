/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/db_private - what the files of the store of bans and strikes share.
 */
#ifndef SYS_DB_PRIVATE_H
#define SYS_DB_PRIVATE_H

#include "sys/db.h"
#include "sys/db_conn.h"

enum db_stmt_id {
	STMT_POLICY_ADD,
	STMT_BAN_PUT,
	STMT_BAN_GET,
	STMT_BAN_TO_HISTORY,
	STMT_BAN_DELETE,
	STMT_BANS_ALL,
	STMT_BANS_INSIDE,
	STMT_BANS_ENDED_TO_HISTORY,
	STMT_BANS_ENDED_DELETE,
	STMT_HISTORY_READ,
	STMT_HISTORY_PRUNE_EVIDENCE,
	STMT_HISTORY_PRUNE,
	STMT_REPEATS,
	STMT_STRIKE_ADD,
	STMT_STRIKES_OF,
	STMT_STRIKES_ALL,
	STMT_STRIKES_FORGET,
	STMT_STRIKES_PRUNE,
	STMT_EVIDENCE_KEEP,
	STMT_EVIDENCE_READ,
	STMT_COUNT,
};

struct db {
	struct db_conn conn;
	char names[DB_POLICIES_MAX][DB_NAME_MAX]; /* key - 1 -> name */
	uint32_t name_count;
	uint64_t strikes, history; /* rows */
};

#endif
