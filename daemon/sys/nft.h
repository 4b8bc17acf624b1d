/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/nft - postern's own table in nftables: `inet postern`, and nothing else (libnftnl).
 *
 * It leads the guarded ports of this host to the gates (tproxy) and brings the backend's answers to
 * addresses of clients back to the gates. All of that is made anew in one atomic batch, so no packet
 * sees half of it; rules of others are neither read nor touched. The fence in the same table, which drops addresses, is
 * sys/nft_fence. Called by the keeper.
 */
#ifndef SYS_NFT_H
#define SYS_NFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define NFT_TABLE	   "postern"
#define NFT_INTERFACES_MAX 8u
#define NFT_PORTS_MAX	   64u
#define NFT_READ_TRIES	   8u /* the kernel says when others change what is being read */

/* What becomes of a connection to a guarded port. */
enum nft_way {
	NFT_TO_GATE, /* to the gate; refused while nobody listens there */
	NFT_TO_GATE_OR_PASS, /* the same, but straight to the backend while nobody listens there */
	NFT_REFUSE,	     /* a reset: the sender tries again */
	NFT_PASS,	     /* straight to the backend */
};

struct nft_port {
	uint16_t port;	    /* that clients connect to; host order */
	uint16_t gate_port; /* where the gates listen, on 127.0.0.1 and ::1 */
	uint8_t way;	    /* enum nft_way */
};

struct nft_table {
	char interfaces[NFT_INTERFACES_MAX][16]; /* where clients come in */
	uint32_t marks[NFT_INTERFACES_MAX];	 /* of their packets there; 0: any */
	size_t interface_count;
	struct nft_port ports[NFT_PORTS_MAX]; /* each port once */
	size_t port_count;
	uint32_t gate_mark; /* on what a gate sends to a backend in a client's name */
	/* On what is to be delivered to this host, where it comes in and where it goes out: sys/netlink routes it. */
	uint32_t in_mark, out_mark;
};

/**
 * nft_apply - put the chains and the set in place, instead of older ones of ours.
 *
 * Return: 0; -errno, and nothing has changed (-EOPNOTSUPP or -ENOENT: the kernel lacks nftables or tproxy).
 */
int nft_apply(const struct nft_table *table) MUST_CHECK;

/* Take the whole table away, that of sys/nft_fence with it; that it is not there is fine. Return: 0; -errno. */
int nft_remove(void) MUST_CHECK;

/* Take away what nft_apply() made, and nothing else. Return: 0; -errno. */
int nft_remove_rules(void) MUST_CHECK;

/**
 * nft_rules - how many of the rules that nft_apply() makes are there now: who else changed them?
 * @out_count: 0: they are not there
 *
 * Return: 0; -errno.
 */
int nft_rules(size_t *out_count) MUST_CHECK;

/* How many rules nft_apply() makes of this. */
size_t nft_rules_wanted(const struct nft_table *table);

/**
 * nft_watch_open - a descriptor that becomes readable when somebody changes nftables.
 * @out_fd: owned by the caller
 *
 * Return: 0; -errno.
 */
int nft_watch_open(int *out_fd) MUST_CHECK;

/* What has been seen of changes to our table. */
struct nft_watched {
	bool by_others; /* that are no posternd */
	bool by_detach; /* a posternd --detach, see nft_call_detach() */
	bool is_ours;	/* the change that is being read is one of our table */
};

/* Take what has come. Never waits. @seen: added to. */
void nft_watch_take(int fd, struct nft_watched *seen);

/* From now on this process's changes are told from those of a posternd that guards. */
void nft_call_detach(void);

#endif
