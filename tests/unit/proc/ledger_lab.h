/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/proc/ledger_lab - a whole ledger in a process of its own, between a keeper, a gate and
 * an admin that the test plays.
 *
 * The keeper is a double at the level of messages: a plain array of bans stands for the kernel. The
 * ledger stands in a directory of its own below /tmp and can be killed and started again in it.
 */
#ifndef TESTS_LEDGER_LAB_H
#define TESTS_LEDGER_LAB_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "policy/auth.h"
#include "proc/msg.h"
#include "proc/snapshot.h"

#define LAB_KERNEL_MAX 4096u
#define LAB_BANS_MAX   2048u /* capacity of the shared set */
#define LAB_LOGINS_MAX 16u   /* of that of the recent logins */
#define LAB_TIMEOUT_MS 60000 /* the ledger waits for a disk that others may use */
#define LAB_GLOBAL     3     /* kernel ids of the policies */
#define LAB_LAN	       7
#define LAB_SMTP       0 /* services: global */
#define LAB_SUBMISSION 1 /* global */
#define LAB_IMAP       2 /* lan */

struct lab {
	char dir[64];
	pid_t pid;		 /* 0: not running */
	int keeper, gate, admin; /* our ends; -1 */
	int bans_fd;
	int logins_fd; /* stays when the ledger goes: the next one takes it over */
	struct conf conf;
	struct protected_set protected_set;
	struct snapshot snapshot;

	struct msg_ban kernel[LAB_KERNEL_MAX];
	size_t kernel_count, walk_at;
	unsigned int edits, edit_messages; /* of this ledger */
	int16_t refuse;			   /* error for every SET */
	const char *report;		   /* answer to the next ORDER */
	bool is_silent;			   /* the keeper answers no edits */

	struct msg_session session; /* the one that the gate tells of */
	bool is_ready;
	size_t rechecks;
	struct msg_recheck recheck;  /* the last one */
	size_t grey_count;	     /* answers about recipients */
	struct msg_grey_answer grey; /* the last one */
	char out[1u << 20];	     /* from the control socket, not yet taken */
	size_t out_len;
};

/* A lab with the usual configuration: policies global and lan; see lab_conf() in the .c. */
void lab_open(struct lab *lab);
void lab_close(struct lab *lab);

/* For cmocka, as set-up and tear-down: *state is the lab; with its ledger running, or not yet. */
int lab_set_up(void **state);
int lab_set_up_started(void **state);
int lab_tear_down(void **state);

/* A test of its own in a file whose lab is called `lab`. */
#define LAB_TEST(test, set_up) \
	cmocka_unit_test_prestate_setup_teardown(test, set_up, lab_tear_down, &lab)

void lab_start(struct lab *lab); /* until READY */
/* Start and expect the end instead. Returns the exit status. */
int lab_start_fails(struct lab *lab);
void lab_kill(struct lab *lab);	 /* -9 */
void lab_drain(struct lab *lab); /* in order; expects exit 0 */

/* No file of the ledger can be written any more, as on a full disk; or again. */
void lab_limit_files(struct lab *lab, bool is_full);

/* Send the configuration again. */
void lab_reload(struct lab *lab);

/* One message, with a descriptor (or -1). */
void lab_send(int fd, const struct msg *msg, int passed);

/* Play keeper and gate until the condition holds; the test fails at the deadline. */
typedef bool (*lab_condition_fn)(struct lab *lab, const void *context);
void lab_until(struct lab *lab, lab_condition_fn holds, const void *context);

/* Play until the ledger has taken everything sent before. */
void lab_settle(struct lab *lab);

void lab_strike(struct lab *lab, const char *addr, uint8_t service, const char *user);
void lab_strikes(struct lab *lab, const char *addr, uint8_t service, unsigned int count);
void lab_login(struct lab *lab, const char *addr, uint8_t service);

/* A login of a session that stays open, and its end. */
void lab_login_as(struct lab *lab, const char *addr, uint64_t id, const char *user);
void lab_logout(struct lab *lab, uint64_t id);

/* The gate dies, and another comes in its place. */
void lab_gate_dies(struct lab *lab);

/* What a gate sees of the recent logins; false: nothing. */
bool lab_recent(struct lab *lab, const char *addr, struct auth_recent *out_recent);

/* Ask about a recipient, and wait for the answer. @domain: for which SPF permits the client; NULL */
struct lab_mail {
	const char *addr, *domain, *sender, *recipient;
	uint8_t service;
};
struct msg_grey_answer lab_grey(struct lab *lab, const struct lab_mail *mail);

/* Only ask. */
void lab_grey_ask(struct lab *lab, const struct lab_mail *mail);

/* The ban of this prefix in the "kernel"; NULL. */
struct msg_ban *lab_kernel_find(struct lab *lab, const char *prefix, uint8_t policy);
void lab_kernel_put(struct lab *lab, const char *prefix, uint8_t policy,
		    uint64_t ends_ns);

/* What a gate sees in the shared set. */
bool lab_set_has(struct lab *lab, const char *addr, uint8_t policy);

/**
 * lab_ask - one request on the control socket.
 * @request: the line, or cmd and args in one: "ban {\"addrs\":[\"192.0.2.1\"]}"
 * Returns {"rows":[...], "done":{...}}; owned by the caller.
 */
json_t *lab_ask(struct lab *lab, const char *request);

/* Only send the request; what comes is in out. */
void lab_tell(struct lab *lab, const char *request);

/* Play until this text has come on the control socket. */
void lab_until_told(struct lab *lab, const char *text);

/* lab_ask(), and its done.code. */
int lab_code(struct lab *lab, const char *request);

/* The text of a member of a row. */
const char *lab_text(const json_t *answer, size_t row, const char *member);

#endif
