# SPDX-License-Identifier: GPL-2.0-only
"""Network namespaces of a test's own, unconnected to anything else.

The three hosts of every lab and their addresses:

    clients                        gate                          mail
    +--------------------+         +--------------------+        +--------------------+
    | to-gate            |---veth--| nic          inner |--veth--| to-gate            |
    | 192.0.2.10 ...     |         | 192.0.2.1          |        |                    |
    | 203.0.113.5, .255  |         |        198.51.100.1|        | 198.51.100.2       |
    | 2001:db8:1::10 ... |         | 2001:db8:1::1      |        |                    |
    |                    |         |      2001:db8:2::1 |        | 2001:db8:2::2      |
    +--------------------+         +--------------------+        +--------------------+
"""
import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
NETNS_DIR = "/run/netns"
_libc = ctypes.CDLL(None, use_errno=True)

GATE4, GATE6 = "192.0.2.1", "2001:db8:1::1"
MAIL4, MAIL6 = "198.51.100.2", "2001:db8:2::2"
GOOD4, GOOD6 = "192.0.2.10", "2001:db8:1::10"
GUESSER4, GUESSER6 = "192.0.2.66", "2001:db8:1:66::66"
LISTED4 = "203.0.113.5"
CLIENT4 = [f"192.0.2.{n}" for n in (10, 11, 12, 13, 66, 67, 68, 69, 70, 71, 72, 73)]
LISTED_ALL4 = ["203.0.113.0", "203.0.113.5", "203.0.113.255"]
CLIENT6 = ["2001:db8:1::10", "2001:db8:1:66::66", "2001:db8:1:66::67", "2001:db8:1:67::1",
           "2001:db8:bad::1"]


def sh(*args, check=True, **kw):
    """Run a command; its output is part of the error when it fails."""
    done = subprocess.run(args, capture_output=True, text=True, **kw)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(args)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Network:
    """The drawing above. Names derive from the tag, so that leftovers are found and removed."""

    def __init__(self, tag):
        self.names = {host: f"{tag}-{host}" for host in ("clients", "gate", "mail")}

    def up(self):
        self.down()
        for name in self.names.values():
            sh("ip", "netns", "add", name)
            sh("ip", "-n", name, "link", "set", "lo", "up")
        self._link("clients", "to-gate", "gate", "nic")
        self._link("mail", "to-gate", "gate", "inner")
        self._addresses("gate", "nic", [f"{GATE4}/24", "203.0.113.1/24"],
                        [f"{GATE6}/48", "2001:db8:bad:ffff::1/48"])
        self._addresses("gate", "inner", ["198.51.100.1/24"], ["2001:db8:2::1/48"])
        self._addresses("mail", "to-gate", [f"{MAIL4}/24"], [f"{MAIL6}/48"])
        self._addresses("clients", "to-gate",
                        [f"{a}/24" for a in CLIENT4]
                        + [f"{a}/32" for a in LISTED_ALL4],
                        [f"{a}/48" for a in CLIENT6])
        # 203.0.113.0 and .255 are ordinary hosts here: no broadcast address for this network.
        sh("ip", "-n", self.names["gate"], "route", "flush", "203.0.113.0/24", check=False)
        sh("ip", "-n", self.names["gate"], "addr", "del", "203.0.113.1/24", "dev", "nic")
        sh("ip", "-n", self.names["gate"], "route", "replace", "203.0.113.0/24", "dev", "nic")
        for host in ("mail", "clients"):
            via = {"mail": ("198.51.100.1", "2001:db8:2::1"), "clients": (GATE4, GATE6)}[host]
            sh("ip", "-n", self.names[host], "route", "add", "default", "via", via[0])
            sh("ip", "-n", self.names[host], "-6", "route", "add", "default", "via", via[1])

    def _link(self, a, dev_a, b, dev_b):
        sh("ip", "link", "add", dev_a, "netns", self.names[a], "type", "veth",
           "peer", "name", dev_b, "netns", self.names[b])
        for host, dev in ((a, dev_a), (b, dev_b)):
            sh("ip", "-n", self.names[host], "link", "set", dev, "up")

    def _addresses(self, host, dev, v4, v6):
        for address in v4:
            sh("ip", "-n", self.names[host], "addr", "add", address, "dev", dev)
        for address in v6:
            sh("ip", "-n", self.names[host], "addr", "add", address, "dev", dev, "nodad")

    def down(self):
        for name in self.names.values():
            if os.path.exists(f"{NETNS_DIR}/{name}"):
                sh("ip", "netns", "del", name)

    def command(self, host, *args):
        """The argument vector that runs a command on one of the hosts."""
        return ["ip", "netns", "exec", self.names[host], *args]

    def run(self, host, *args, **kw):
        return sh(*self.command(host, *args), **kw)

    @contextlib.contextmanager
    def inside(self, host):
        """Sockets that this thread makes within the block belong to the host."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"{NETNS_DIR}/{self.names[host]}", os.O_RDONLY)
        try:
            _setns(there)
            yield
        finally:
            _setns(home)
            os.close(there)
            os.close(home)
