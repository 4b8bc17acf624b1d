/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/ctl - the control protocol between postern(8) and the ledger: names and limits.
 *
 * A stream socket, root's and group postern's. Both sides send JSON objects, one a line. A request:
 *
 *     {"v":1, "cmd":"ban", "args":{...}}
 *
 * and its answer, rows first, then exactly one end:
 *
 *     {"row":{...}}
 *     {"done":{"code":0, "message":"..."}}          code: enum ctl_code
 *
 * Several requests may follow each other on one connection, sent without waiting for answers; answers
 * keep the order of the requests. A request that cannot be read (no JSON, another v, unknown cmd, an
 * argument of the wrong type) is answered by done with CTL_USAGE, and the connection goes on.
 *
 *   cmd       args                                              rows / members of done
 *   status    {}                                                done.status = object
 *   ban       addrs[], policy?, for_s? | forever?, reason?,     addr policy result why ends
 *             force?, dry_run?, caller?
 *   unban     addrs[] | all, policy?, dry_run?                  addr policy result ends why
 *   bans      policy?                                           addr policy began ends source why
 *                                                               packets last_seen
 *   why       addr                                              done.why = object
 *   policy    name?                                             done.policies = array; rows: policy
 *                                                               prefix flags file line (with name)
 *   sessions  {}                                                id addr port service user state
 *                                                               started bytes_in bytes_out
 *   reload    force?, caller?, confirm_s?                       done.message: what changed, or the error
 *   confirm   {}                                                done.message
 *   upgrade   force?, caller?                                   done.message
 *   verify    {}                                                where addr policy problem
 *   test      service, addr, helo?, from?, to?, tls?, auth?     step result mode text; done.test = object
 *   events    {}                                                event time ...; ends with the client
 *   greylist-list    addr?                                      origin kind state sender recipient
 *                                                               first last ends successes
 *   greylist-pass    addrs[], for_s? | forever?                 addr result ends
 *   greylist-forget  addrs[] | all                              addr result rows why
 *
 * Members of a row or object that have nothing to say are null or left out; unknown ones are ignored,
 * so both sides may add members. Times are seconds since 1970; ends is null for "forever"; last_seen is
 * null for "never"; addr is text of a prefix; policies and services go by their names; flags of a policy row
 * are one text ("PA AS LL", "-" for none).
 * confirm_s: the configuration before comes back if no confirm is sent within so many seconds.
 * caller is the address the admin is connected from (guards against locking oneself out).
 * result of ban: "banned", "changed" (there was one, with another end or reason), "refused" (why says the reason; ends is
 * left out) or "would-ban"; done.code is CTL_NO if any was refused. Without policy: in every policy that is enabled.
 * result of unban: "unbanned", "would-unban" or "not-found" (ends then left out); done.code is CTL_NO if any was
 * not found. addrs name a range: every ban inside it goes, one row each. source is "strikes", "command"
 * or "kernel" (taken over from the kernel's maps when the store had been lost).
 * greylist-*: addr may be the domain of a sender, whose rows are kept under it, but not for greylist-pass; an address, or
 * a prefix inside a /24 or /64, is that network; for greylist-pass an address alone is. origin is a network or a domain;
 * kind "triplet", "network" (its successes) or "command"; state "waits", "passes" or "counted" (a network that does
 * not pass yet). result of greylist-pass: "passes", "changed"; of greylist-forget: "forgotten", "not-found" (CTL_NO).
 * test: service is a name, or a type; from and to are addresses (absent: the null sender, <>, and postmaster); rows in
 * the order of what happens. done.test is {passes, reply}, and done.code CTL_NO if the client would be refused.
 * verify: where is "store", "kernel", "lists", "services", "limits" or "nftables"; done.code is CTL_NO if there is a row.
 * events: event is "ban", "unban", "expire", "strike", "login", "check", "greylist", "reload" or "process"; other members as in the rows
 * and objects here (addr, policy, ends, why, user, service, kind, message). Of "check" kind is the check, and result
 * "hit", "would-refuse" or "unknown". Of "greylist" result is "defer", "would-defer", "pass" or "unknown"; origin, from, rcpt, wait_s.
 *
 * done.status:
 *   version, hostname (texts), generation, started, bans, bans_max, strikes (clients with strikes), sessions
 *   store      {state "ok" | "read-only" | "set-aside", path, bytes}
 *   greylist   {state "absent" | "ok" | "failing", path, waiting, proven, networks, commands (rows), max, bytes}
 *   interfaces [{name, mode "native" | "generic" | "off", wanted "auto" | "native" | "generic" | "off",
 *               bridge: that it is a port of, between clients and mail host, or null}]
 *   processes  [{role, index, pid, started, restarts}]; pid null: not running; role "gate-leaving": of a program before
 *   policies   [{name, id, enabled, entries, counters {passed, dropped_ban, ...}, checks {ptr_hit, ptr_would, ...}}]
 *              counters as in bpf/abi.h; checks: sessions since the ledger began, by check (only those that found
 *              something) and result: _hit (enforced), _would (observed), _unknown; of dos: seconds in which a client was
 *              over dos-syn-rate
 *   rbls       [{name, zone, ipv4, ipv6, why, since}]  ipv4, ipv6 "untested" | "works" | "suspended", null: not asked;
 *              why: of the suspension; since: when it began, or ended
 *   dns        {asked, cached, shared, failed, cache_entries, cache_bytes, silent}: the checker's questions since it
 *              began: sent, answered from the cache, joined to one under way, without an answer; null: no checker
 *   services   [{name, type, policy, on, listen ["192.0.2.1:25"], ports [25], backend ["127.0.0.1:10025"]}]
 *   certificates [{name, names ["mx.example.org"], key "EC 256", issuer, not_before, not_after, services ["smtp"],
 *                  problem "expired since ..." | null}]
 *   warnings   ["sentence"]
 *
 * done.why, and done.code CTL_NO if some service would not let the address in:
 *   addr       as asked; client: the prefix that its strikes and bans are counted for
 *   protected  text: why it is never banned ("own address", "backend"); null
 *   services   [{service, type, policy, on, ports [25], verdict, entry | null, ban_addr | null,
 *                checks [{check "strikes" | "helo" | "ptr" | "spf" | "greylist", mode "off" | "observe" | "enforce"}]}]
 *              verdict: verdict_name() of policy/verdict, or "unguarded" if the service is not on
 *              entry {prefix, flags [{flag "PA", meaning}], file, line}: the longest of the list, even if a ban decides
 *              ban_addr: the ban that decides; its details are in bans[]
 *              relay, routing (where mail is handed in, and the address may connect): a sentence, who may relay; what the
 *              routing table does, if there is one
 *   bans       [{addr, policy, began, ends, source, why, packets, last_seen, evidence}]: all that contain the address;
 *              evidence: the strikes that made it, as strikes below
 *   strikes    [{time, kind, user, service, policy, reply}], oldest first; strikes_max, strikes_window_s: the limit
 *   next       {policy, mode, bans, for_s}: does the next strike ban, and for how long; left out where none is counted
 *   history    [{addr, policy, began, ends, ended, how "expired" | "unbanned", source, why}]: bans that are over, newest first
 *   findings   [{check, service, policy, result "hit" | "would-refuse" | "unknown", why, time}]: the latest of each check;
 *              "dos": its client begins too many connections, as the kernel counts them
 *   greylist   {network, waiting, proven (triplets), pass_addr, pass_ends (by command), rows [as of greylist-list, the first
 *              ones]}; of what waits among the latest 20000; null: nothing is known of its network
 *   sessions   [as the rows of sessions]: open ones of this client; left out if not known
 *
 * done.policies:
 *   [{name, id, enabled, entries, types_off ["imap"], checks [{check, mode}], services ["smtp"],
 *     strikes {max, window_s, ban_time_s, ban_time_max_s, ban_memory_s, success_credit_s, repeat_credentials}}]
 *   durations in seconds, null for "forever"; repeat_credentials "count" | "ignore"
 */
#ifndef WIRE_CTL_H
#define WIRE_CTL_H

#include <stdbool.h>
#include <stddef.h>

#define CTL_VERSION	   1
#define CTL_SOCKET_NAME	   "control.sock" /* in run-dir */
#define CTL_LINE_MAX_BYTES 262144u	  /* a request or a row, with its newline */
#define CTL_ADDRS_MAX	   1000u /* addresses in one request; more are sent as more requests */
#define CTL_REASON_MAX	   200u /* with the NUL */
#define CTL_CLIENTS_MAX	   32u

/* As the exit status of postern(8). */
enum ctl_code {
	CTL_OK = 0,
	CTL_NO = 1,	     /* refused, not found, would not pass */
	CTL_USAGE = 2,	     /* the request makes no sense */
	CTL_UNREACHABLE = 3, /* the daemon, or a part of it, does not answer */
};

enum ctl_command {
	CTL_STATUS,
	CTL_BAN,
	CTL_UNBAN,
	CTL_BANS,
	CTL_WHY,
	CTL_POLICY,
	CTL_SESSIONS,
	CTL_RELOAD,
	CTL_CONFIRM,
	CTL_UPGRADE,
	CTL_VERIFY,
	CTL_EVENTS,
	CTL_GREYLIST_LIST,
	CTL_GREYLIST_PASS,
	CTL_GREYLIST_FORGET,
	CTL_TEST,
	CTL_COMMAND_COUNT,
};

const char *ctl_command_name(enum ctl_command command);

/* -1 if there is no such command. */
int ctl_command_from_name(const char *name);

/**
 * ctl_line_end - find the end of the first line in what has been received.
 * @bytes, @len: received so far
 * @out_len: bytes of the line without its newline; untouched unless 1 is returned
 *
 * Return: 1, a whole line; 0, not yet; -EMSGSIZE, longer than CTL_LINE_MAX_BYTES.
 */
int ctl_line_end(const char *bytes, size_t len, size_t *out_len);

#endif
