/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/nft_set - messages about the sets of table inet postern and what is in them. A part of sys/nft, used by
 * sys/nft_fence.
 *
 * Elements are written attribute by attribute: there may be millions of them.
 */
#ifndef SYS_NFT_SET_H
#define SYS_NFT_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "sys/nft_batch.h"

#define NFT_SET_NAME_MAX 64u
#define NFT_KEY_MAX	 16u

enum nft_set_kind {
	NFT_SET_KIND_PORTS,	 /* TCP ports */
	NFT_SET_KIND_ADDRS,	 /* each address by itself, with an end */
	NFT_SET_KIND_SPANS,	 /* from, to */
	NFT_SET_KIND_SPANS_ENDS, /* the same, with an end */
};

struct nft_set_spec {
	char name[NFT_SET_NAME_MAX];
	enum nft_set_kind kind;
	bool is_v6; /* of addresses */
};

struct nft_element {
	uint8_t key[NFT_KEY_MAX]; /* network order */
	uint8_t len;		  /* of the key, in bytes */
	bool is_behind;		  /* the span before this key is over here */
	bool is_open;	  /* the span that begins here goes on to the last address */
	uint64_t left_ms; /* until it ends; 0: never */
};

/* Elements on their way into a batch; no other message may be put meanwhile. */
struct nft_elements {
	struct nft_batch *batch;
	const char *set; /* borrowed */
	bool is_removal;
	char *message, *list; /* NULL: none is begun */
	size_t count;	      /* in the message */
};

/* The set is made if it is missing; one that is removed must be there, and in no rule. */
void nft_set_add(struct nft_batch *batch, const struct nft_set_spec *spec);
void nft_set_remove(struct nft_batch *batch, const struct nft_set_spec *spec);
/* All elements of it. */
void nft_set_flush(struct nft_batch *batch, const char *set);

/* One element more: added (what is there already stays as it is), or removed (it must be there). */
void nft_elements_put(struct nft_elements *elements, const struct nft_element *element);
/* The last of them has been put. */
void nft_elements_end(struct nft_elements *elements);

/* One element of a set. Return: 0; -errno ends the reading. */
typedef int (*nft_element_fn)(void *context, const struct nft_element *element);

/**
 * nft_set_read - all elements, in any order.
 *
 * Return: 0; -ENOENT, no such set; -EINTR, others changed it meanwhile; -errno.
 */
int nft_set_read(const char *set, nft_element_fn on_element, void *context) MUST_CHECK;

#endif
