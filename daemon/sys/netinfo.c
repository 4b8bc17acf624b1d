/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/netinfo - see netinfo.h.
 */
#include "sys/netinfo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <linux/route.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define LINES_MAX      1000000u /* a full Internet routing table */
#define LINE_MAX_BYTES 512
#define ROUTES4	       "/proc/net/route"
#define ROUTES6	       "/proc/net/ipv6_route"
#define RESOLV_CONF    "/etc/resolv.conf"

static void close_file(FILE **file)
{
	if (*file)
		(void)fclose(*file);
	*file = NULL;
}

int netinfo_addresses(struct addr *out_addrs, size_t max, size_t *out_count)
{
	struct ifaddrs *all;
	size_t count = 0;

	if (getifaddrs(&all))
		return -errno;
	for (const struct ifaddrs *i = all; i && count < max; i = i->ifa_next)
		if (i->ifa_addr &&
		    addr_from_sockaddr(i->ifa_addr, &out_addrs[count], NULL) == 0)
			count++;
	freeifaddrs(all);
	*out_count = count;
	return 0;
}

/* fe80::/10, RFC 4291 2.5.6: every interface with IPv6 has one, and nobody elsewhere can reach it. */
static bool is_of_link(const struct addr *addr)
{
	return addr->family == ADDR_V6 && addr->bytes[0] == 0xfe &&
	       (addr->bytes[1] & 0xc0) == 0x80;
}

int netinfo_has_address(const char *interface, enum addr_family family, bool *out_has)
{
	struct ifaddrs *all;
	struct addr addr;
	bool has = false;

	if (getifaddrs(&all))
		return -errno;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next)
		if (i->ifa_addr && strcmp(i->ifa_name, interface) == 0 &&
		    addr_from_sockaddr(i->ifa_addr, &addr, NULL) == 0 &&
		    addr.family == family && !is_of_link(&addr))
			has = true;
	freeifaddrs(all);
	*out_has = has;
	return 0;
}

/* Iface Destination Gateway Flags RefCnt Use Metric Mask ...: numbers in hexadecimal, host order */
static bool route4_gateway(char *line, struct addr *out_addr)
{
	const char *field[8];
	char *rest = line;
	unsigned long gateway;
	struct addr addr = {.family = ADDR_V4};
	uint32_t bytes;

	for (size_t i = 0; i < 8; i++) {
		field[i] = strsep(&rest, "\t");
		if (!field[i])
			return false;
	}
	if (strtoul(field[1], NULL, 16) != 0 || strtoul(field[7], NULL, 16) != 0 ||
	    !(strtoul(field[3], NULL, 16) & RTF_GATEWAY))
		return false;
	gateway = strtoul(field[2], NULL, 16);
	bytes = (uint32_t)gateway; /* as it lies in memory: already network order */
	memcpy(addr.bytes, &bytes, sizeof(bytes));
	*out_addr = addr;
	return true;
}

static bool hex_to_addr6(const char *hex, struct addr *out_addr)
{
	struct addr addr = {.family = ADDR_V6};

	if (strlen(hex) != 32)
		return false;
	for (size_t i = 0; i < 16; i++) {
		char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		addr.bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	*out_addr = addr;
	return true;
}

/* destination length source length next-hop metric refcount use flags interface, in hexadecimal */
static bool route6_gateway(char *line, struct addr *out_addr)
{
	static const uint8_t zero[16];
	const char *field[10];
	char *rest = line;
	struct addr next;

	for (size_t i = 0; i < 10;) {
		field[i] = strsep(&rest, " \n");
		if (!field[i])
			return false;
		if (field[i][0])
			i++;
	}
	if (strtoul(field[1], NULL, 16) != 0 || !hex_to_addr6(field[4], &next) ||
	    memcmp(next.bytes, zero, sizeof(zero)) == 0)
		return false;
	*out_addr = next;
	return true;
}

struct reader {
	const char *path;
	bool (*parse)(char *line, struct addr *out_addr);
};

static int read_addrs(const struct reader *reader, struct addr *out_addrs, size_t max,
		      size_t *count)
{
	AUTO(close_file) FILE *file = fopen(reader->path, "re");
	char line[LINE_MAX_BYTES];

	if (!file)
		return errno == ENOENT ? 0 : -errno;
	for (size_t i = 0; i < LINES_MAX && *count < max; i++) {
		if (!fgets(line, sizeof(line), file))
			break;
		if (reader->parse(line, &out_addrs[*count]))
			(*count)++;
	}
	return 0;
}

int netinfo_gateways(struct addr *out_addrs, size_t max, size_t *out_count)
{
	static const struct reader readers[] = {{ROUTES4, route4_gateway},
						{ROUTES6, route6_gateway}};
	size_t count = 0;
	int err = 0;

	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]) && !err; i++)
		err = read_addrs(&readers[i], out_addrs, max, &count);
	if (!err)
		*out_count = count;
	return err;
}

static bool resolv_server(char *line, struct addr *out_addr)
{
	static const char keyword[] = "nameserver";
	char *rest = line;
	const char *word = strsep(&rest, " \t\n");

	if (strcmp(word, keyword) != 0)
		return false;
	for (word = ""; rest && word[0] == '\0';)
		word = strsep(&rest, " \t\n");
	return addr_parse(word, out_addr) == 0;
}

int netinfo_name_servers(struct addr *out_addrs, size_t max, size_t *out_count)
{
	static const struct reader reader = {RESOLV_CONF, resolv_server};
	size_t count = 0;
	int err = read_addrs(&reader, out_addrs, max, &count);

	if (!err)
		*out_count = count;
	return err;
}
