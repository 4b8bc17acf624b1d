/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/flags - the fourteen flags of an entry, and their names.
 */
#ifndef POLICY_FLAGS_H
#define POLICY_FLAGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* Bits 0 (PA) and 8 (BL) are known to the kernel program: bpf/abi.h. */
enum entry_flag {
	FLAG_PA = 1 << 0,   /* permit access */
	FLAG_AA = 1 << 1,   /* counts as authenticated */
	FLAG_AS = 1 << 2,   /* may use SMTP AUTH */
	FLAG_AM = 1 << 3,   /* authenticated by a recent POP3 or IMAP login */
	FLAG_AR = 1 << 4,   /* authenticated users may relay */
	FLAG_RBL = 1 << 5,  /* looked up in the DNS blocklists */
	FLAG_BAN = 1 << 6,  /* banned for a detectable denial of service */
	FLAG_LL = 1 << 7,   /* strikes are counted */
	FLAG_BL = 1 << 8,   /* blacklisted */
	FLAG_PTR = 1 << 9,  /* needs a valid PTR record */
	FLAG_HE = 1 << 10,  /* HELO must be well formed and no address */
	FLAG_GL = 1 << 11,  /* greylisted */
	FLAG_SPF = 1 << 12, /* SPF must permit the address */
	FLAG_DR = 1 << 13,  /* no routing-table rewrite */
};

#define FLAG_COUNT     14u
#define FLAGS_ALL      ((1u << FLAG_COUNT) - 1)
#define FLAGS_TEXT_MAX 64u

/* The bit of a name of len bytes ("PA", any case); 0 if there is no such flag. */
uint16_t flag_from_name(const char *name, size_t len);

/* Name of one bit; "-" if it is not one. */
const char *flag_name(uint16_t bit);

/* One line about a bit, for help and `why`; "-" if it is not one. */
const char *flag_meaning(uint16_t bit);

/* "PA AS LL"; "-" for none. Returns out_text. */
const char *flags_format(uint16_t flags, char out_text[FLAGS_TEXT_MAX]);

#endif
