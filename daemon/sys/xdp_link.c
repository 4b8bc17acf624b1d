/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/xdp_link - the program on the interfaces, by pinned links.
 *
 * One link per interface, pinned as link-NAME (a dot in the name becomes a colon). The pin alone holds the
 * link: while it is there the program runs, whoever lives or dies. No descriptor of a link is kept.
 */
#include "sys/xdp.h"

#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "sys/xdp_private.h"

#define LINK_PREFIX "link-"

static void close_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
	*dir = NULL;
}

/* Is the name that of a link's pin? */
static bool pin_is_link(const char *pin)
{
	return strncmp(pin, LINK_PREFIX, strlen(LINK_PREFIX)) == 0 &&
	       strlen(pin) < XDP_PIN_NAME_BYTES;
}

/* Interface that a link is on; 0: it is gone, or this is no XDP link. */
static unsigned int link_ifindex(int fd)
{
	struct bpf_link_info info = {0};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0 || info.type != BPF_LINK_TYPE_XDP)
		return 0;
	return info.xdp.ifindex;
}

/* Our link on an interface, by whatever name it is pinned. The descriptor; -ENOENT; -errno. */
static int link_find(const char *pin_dir, unsigned int ifindex,
		     char out_pin[XDP_PIN_NAME_BYTES])
{
	AUTO(close_dir) DIR *dir = opendir(pin_dir);
	struct dirent *entry;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		AUTO(close_fd) int fd = -1;

		if (!pin_is_link(entry->d_name))
			continue;
		fd = xdp_pin_open(pin_dir, entry->d_name);
		if (fd < 0 || link_ifindex(fd) != ifindex)
			continue;
		(void)snprintf(out_pin, XDP_PIN_NAME_BYTES, "%.*s",
			       (int)XDP_PIN_NAME_BYTES - 1, entry->d_name);
		return TAKE_FD(fd);
	}
	return -ENOENT;
}

static enum xdp_mode link_mode(unsigned int ifindex)
{
	struct bpf_xdp_query_opts opts = {.sz = sizeof(opts)};

	if (bpf_xdp_query((int)ifindex, 0, &opts) < 0)
		return XDP_OFF;
	if (opts.attach_mode == XDP_ATTACHED_DRV)
		return XDP_NATIVE;
	return opts.attach_mode == XDP_ATTACHED_SKB ? XDP_GENERIC : XDP_OFF;
}

static int link_create_mode(const struct xdp *xdp, unsigned int ifindex,
			    enum xdp_mode mode)
{
	const struct bpf_link_create_opts opts = {
		.sz = sizeof(opts),
		.flags = mode == XDP_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE,
	};
	int fd = bpf_link_create(xdp->program_fd, (int)ifindex, BPF_XDP, &opts);

	return fd == -EEXIST ? -EBUSY : fd; /* EEXIST: a program in the other mode */
}

/* The descriptor, owned by the caller; -errno. */
static int link_create(const struct xdp *xdp, unsigned int ifindex, enum xdp_mode wanted,
		       enum xdp_mode *out_got)
{
	enum xdp_mode mode = wanted == XDP_GENERIC ? XDP_GENERIC : XDP_NATIVE;
	int fd = link_create_mode(xdp, ifindex, mode);

	if (fd < 0 && wanted == XDP_AUTO && fd != -EBUSY && fd != -ENODEV &&
	    fd != -EPERM) {
		mode = XDP_GENERIC;
		fd = link_create_mode(xdp, ifindex, mode);
	}
	if (fd >= 0)
		*out_got = mode;
	return fd;
}

/* Puts our program in the place of the one that an earlier start of us attached. */
static int link_renew(struct xdp *xdp, int fd, const char *old_pin, const char *pin)
{
	int err;

	err = bpf_link_update(fd, xdp->program_fd, NULL);
	if (err || strcmp(old_pin, pin) == 0)
		return err;
	return xdp_pin_rename(xdp->pin_dir, old_pin, pin);
}

static int link_attach(struct xdp *xdp, unsigned int ifindex, const char *pin,
		       enum xdp_mode wanted, enum xdp_mode *out_got)
{
	AUTO(close_fd) int fd = -1;
	int err;

	fd = link_create(xdp, ifindex, wanted, out_got);
	if (fd < 0)
		return fd;
	err = xdp_pin_replace(xdp->pin_dir, pin, fd);
	if (err)
		xdp_problem_set("cannot pin %s in %s", pin, xdp->pin_dir);
	return err;
}

/* A link cannot change its mode: off and on again, or back to what was. */
static int link_change_mode(struct xdp *xdp, int fd, const char *pin,
			    enum xdp_mode wanted, enum xdp_mode *out_got)
{
	unsigned int ifindex = link_ifindex(fd);
	enum xdp_mode was = link_mode(ifindex), back;
	int err;

	err = bpf_link_detach(fd);
	if (err)
		return err;
	err = link_attach(xdp, ifindex, pin, wanted, out_got);
	if (err && link_attach(xdp, ifindex, pin, was, &back) < 0)
		xdp_problem_set("the former program could not be attached again");
	return err;
}

int xdp_attach(struct xdp *xdp, const char *ifname, enum xdp_mode wanted,
	       enum xdp_mode *out_got)
{
	char old_pin[XDP_PIN_NAME_BYTES], pin[XDP_PIN_NAME_BYTES];
	unsigned int ifindex = if_nametoindex(ifname);
	AUTO(close_fd) int fd = -1;
	enum xdp_mode got = XDP_OFF;
	int err;

	xdp_problem_set(NULL);
	if (wanted == XDP_OFF)
		return -EINVAL;
	if (ifindex == 0)
		return -ENODEV;
	(void)xdp_pin_name(LINK_PREFIX, ifname, "", pin);
	fd = link_find(xdp->pin_dir, ifindex, old_pin);
	if (fd < 0 && fd != -ENOENT)
		return fd;
	if (fd < 0) {
		err = link_attach(xdp, ifindex, pin, wanted, &got);
	} else {
		err = link_renew(xdp, fd, old_pin, pin);
		got = link_mode(ifindex);
		if (!err && wanted != XDP_AUTO && got != wanted)
			err = link_change_mode(xdp, fd, pin, wanted, &got);
	}
	if (!err)
		*out_got = got;
	return err;
}

enum xdp_link_state xdp_link_state(const char *pin_dir, const char *ifname)
{
	const unsigned int ifindex = if_nametoindex(ifname);
	char pin[XDP_PIN_NAME_BYTES];
	AUTO(close_fd) int fd = -1;

	if (ifindex != 0) {
		fd = link_find(pin_dir, ifindex, pin);
		if (fd >= 0)
			return XDP_LINK_ON;
	}
	fd = xdp_pin_open(pin_dir, xdp_pin_name(LINK_PREFIX, ifname, "", pin));
	return fd < 0 ? XDP_LINK_NONE : XDP_LINK_LOST;
}

/* Off at once, not when the kernel gets round to freeing the link. */
static int link_take_off(const char *pin_dir, const char *pin)
{
	AUTO(close_fd) int fd = xdp_pin_open(pin_dir, pin);
	int err = fd < 0 ? fd : 0;

	if (!err && link_ifindex(fd) != 0)
		err = bpf_link_detach(fd);
	if (err)
		return err;
	return xdp_pin_remove(pin_dir, pin);
}

int xdp_detach_interface(struct xdp *xdp, const char *ifname)
{
	char pin[XDP_PIN_NAME_BYTES];

	xdp_problem_set(NULL);
	return link_take_off(xdp->pin_dir, xdp_pin_name(LINK_PREFIX, ifname, "", pin));
}

size_t xdp_interfaces(const char *pin_dir, char (*out_names)[16], size_t max)
{
	AUTO(close_dir) DIR *dir = opendir(pin_dir);
	struct dirent *entry;
	size_t count = 0;

	while (dir && count < max && (entry = readdir(dir))) {
		const char *name = entry->d_name + strlen(LINK_PREFIX);
		size_t len;

		if (!pin_is_link(entry->d_name))
			continue;
		len = strlen(name);
		if (len >= sizeof(out_names[0]))
			continue;
		memcpy(out_names[count], name, len + 1);
		for (size_t i = 0; i < len; i++) {
			if (out_names[count][i] == ':')
				out_names[count][i] = '.';
		}
		count++;
	}
	return count;
}

/* One pass over the directory; goes on after a failure and returns the first. */
static int detach_pass(DIR *dir, const char *pin_dir, bool links)
{
	struct dirent *entry;
	int first_err = 0;

	rewinddir(dir);
	while ((entry = readdir(dir))) {
		int err = 0;

		if (links && pin_is_link(entry->d_name))
			err = link_take_off(pin_dir, entry->d_name);
		else if (!links && xdp_pin_is_ours(entry->d_name))
			err = xdp_pin_remove(pin_dir, entry->d_name);
		if (err && !first_err) {
			xdp_problem_set("cannot remove %s/%s", pin_dir, entry->d_name);
			first_err = err;
		}
	}
	return first_err;
}

int xdp_detach_all(const char *pin_dir)
{
	AUTO(close_dir) DIR *dir = NULL;
	int err;

	xdp_problem_set(NULL);
	err = xdp_pin_dir_check(pin_dir);
	if (err)
		return err == -ENOENT ? 0 : err;
	dir = opendir(pin_dir);
	if (!dir)
		return -errno;
	err = detach_pass(dir, pin_dir, true);
	if (!err)
		err = detach_pass(dir, pin_dir, false);
	if (err)
		return err;
	return rmdir(pin_dir) < 0 ? -errno : 0;
}
