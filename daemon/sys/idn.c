/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/idn - see idn.h.
 */
#include "sys/idn.h"

#include <errno.h>
#include <string.h>

#include <idn2.h>

#include "base/buf.h"

static void ascii_free(uint8_t **name)
{
	idn2_free(*name);
	*name = NULL;
}

int idn_to_ascii(const char *name, size_t len, char out_name[IDN_NAME_MAX])
{
	AUTO(ascii_free) uint8_t *ascii = NULL;
	char copy[IDN_NAME_MAX];
	int result;

	if (len >= sizeof(copy) || memchr(name, '\0', len))
		return -EINVAL;
	memcpy(copy, name, len);
	copy[len] = '\0';
	result = idn2_lookup_u8((const uint8_t *)copy, &ascii,
				IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (result == IDN2_MALLOC)
		return -ENOMEM;
	if (result != IDN2_OK || strlen((const char *)ascii) >= IDN_NAME_MAX)
		return -EINVAL;
	(void)text_copy(out_name, IDN_NAME_MAX, (const char *)ascii);
	return 0;
}
