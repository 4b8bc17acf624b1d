/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/nft_rule - the rules of postern's table, expression by expression. A part of sys/nft; used by it and by
 * sys/nft_fence.
 *
 * Each function returns a new rule, or NULL if there was no memory.
 */
#ifndef SYS_NFT_RULE_H
#define SYS_NFT_RULE_H

#include <stdbool.h>
#include <stdint.h>

#define NFT_CHAIN_NAME_MAX 64u

struct nft_port;
struct nftnl_rule;
struct nlmsghdr;

/* tcp dport PORT meta nfproto FAMILY meta mark set MARK tproxy to LOOPBACK:GATE accept */
struct nftnl_rule *nft_rule_tproxy(uint8_t family, const struct nft_port *port,
				   uint32_t mark);

/*
 * tcp dport PORT tcp flags syn / syn,ack reject with tcp reset. Connections that stand are those of gates, or of the mail
 * host from before we came: they go on.
 */
struct nftnl_rule *nft_rule_reset(uint16_t port);

/*
 * meta l4proto PROTOCOL socket transparent 1 meta mark set MARK: what belongs to a gate already stays with it. Of ICMP it
 * is what hosts on the way report of the gate's packets, that they are too long, say.
 */
struct nftnl_rule *nft_rule_sockets(uint8_t protocol, uint32_t mark);

/* ct direction reply ct mark MARK meta mark set MARK */
struct nftnl_rule *nft_rule_answers(uint32_t mark);

/* meta mark FROM ct mark set TO */
struct nftnl_rule *nft_rule_note(uint32_t from, uint32_t to);

/* iifname INTERFACE meta mark MARK tcp dport @SET jump CHAIN; a mark of 0 is not asked for */
struct nftnl_rule *nft_rule_guarded(const char *interface, uint32_t mark, const char *set,
				    uint32_t set_id, const char *chain);

/* Which sources a rule is about. */
struct nft_source {
	const char *set;
	bool is_v6;
	uint8_t bits; /* how many of the address are looked at, whole bytes; 0: all */
};

/* ip saddr @SET counter name COUNTER drop; @source: NULL: all. Not dropped: accepted. */
struct nftnl_rule *nft_rule_source(const struct nft_source *source, const char *counter,
				   bool is_dropped);

/* tcp dport @SET jump CHAIN; @set: NULL: all TCP */
struct nftnl_rule *nft_rule_ports(const char *set, const char *chain);

void nft_rule_place(struct nftnl_rule *rule, const char *table, const char *chain);
void nft_rule_write(struct nftnl_rule *rule, struct nlmsghdr *message);
void nft_rule_free(struct nftnl_rule **rule);

/* The chain of a rule in a dump; false: it is not of this table. */
bool nft_rule_chain(const struct nlmsghdr *message, const char *table,
		    char out_chain[NFT_CHAIN_NAME_MAX]);

#endif
