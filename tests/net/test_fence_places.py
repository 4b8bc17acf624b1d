# SPDX-License-Identifier: GPL-2.0-only
"""Where the second fence stands, and where it does not; and that it drops what XDP drops."""
import ipaddress
import json
import os
import random
import shutil
import signal
import socket
import sys

import pytest
from fence_lab import FenceLab
from netns import GATE4, GATE6, GOOD4, GUESSER4, sh
from postern_lab import GLOBAL_LIST, wait_for


def random_worlds(seed, rounds):
    """(entries of a list, bans, addresses at their edges)"""
    rng = random.Random(seed)
    bases = [ipaddress.ip_network("198.18.96.0/19"), ipaddress.ip_network("2001:db8:1:8000::/50")]
    for _ in range(rounds):
        entries, bans = {}, set()
        for base in bases:
            longest = 32 if base.version == 4 else 128
            for _ in range(24):
                length = rng.choice([base.prefixlen, 22, 24, 26, 31, 32] if base.version == 4
                                    else [base.prefixlen, 56, 60, 64, 72, 128])
                # Few bits vary, so that they nest.
                host = sum(rng.getrandbits(1) << bit
                           for bit in rng.sample(range(longest - base.prefixlen), 4))
                net = ipaddress.ip_network((int(base.network_address) + host, longest)).supernet(new_prefix=length)
                if rng.random() < 0.6 or length == base.prefixlen:
                    entries[str(net)] = rng.choice(["PA LL HE", "PA LL HE", "BL", "LL"])
                else:
                    bans.add(str(net))
        probes = set()
        for prefix in list(entries) + list(bans):
            net = ipaddress.ip_network(prefix)
            for number in (int(net[0]) - 1, int(net[0]), int(net[-1]), int(net[-1]) + 1):
                probes.add(str(ipaddress.ip_address(number)))
        yield entries, bans, sorted(probes)


def test_it_drops_what_xdp_drops():
    """Random lists and bans, the same clients: first through nftables, then through XDP."""
    seed = int(os.environ.get("SEED", "20261125"))
    print(f"SEED={seed}")
    with FenceLab("twin", xdp="auto") as lab:
        for entries, bans, probes in random_worlds(seed, 5):
            lab.lists["global.list"] = GLOBAL_LIST + "".join(f"{p} {f}\n" for p, f in entries.items())
            lab.write_conf()
            lab.cli("reload")
            lab.cli("ban", "-", "--policy", "global", input="\n".join(bans) + "\n")
            assert lab.fences() == {"nic": "nftables"}
            by_nftables = lab.answered(probes)
            sh("ip", "-n", lab.network.names["gate"], "link", "set", "dev", "nic", "xdpdrv", "off")
            wait_for("XDP takes over", lambda: lab.fences() == {"nic": "native"})
            assert lab.nft("list", "ruleset") == "", "no double cost"
            by_xdp = lab.answered(probes)
            assert by_nftables == by_xdp, f"nftables alone {by_nftables - by_xdp}, XDP alone {by_xdp - by_nftables}"
            assert 10 < len(by_xdp) < len(probes) - 10
            assert lab.cli("verify").returncode == 0
            lab.cli("unban", "--all")
            lab.stop()
            lab.detach()
            lab.occupy("nic")
            lab.start()


def test_one_interface_with_xdp_and_one_without():
    with FenceLab("mixed", xdp="auto", interfaces='"nic", "inner"') as lab:
        assert lab.fences() == {"nic": "nftables", "inner": "native"}
        lab.cli("ban", GUESSER4)
        sh("ip", "-n", lab.network.names["mail"], "addr", "add", "198.51.100.77/24", "dev", "to-gate")
        lab.cli("ban", "198.51.100.77")
        assert lab.answered([GUESSER4, GOOD4]) == {GOOD4}
        with lab.network.inside("mail"):
            with pytest.raises(TimeoutError):
                socket.create_connection(("198.51.100.1", 25), timeout=0.7, source_address=("198.51.100.77", 0))
            socket.create_connection(("198.51.100.1", 25), timeout=5).close()
        assert lab.cli("verify").returncode == 0
        assert "inner" not in lab.nft("list", "ruleset")


def test_an_interface_that_goes_and_comes_back():
    with FenceLab("goes", xdp="off") as lab:
        lab.cli("ban", GUESSER4)
        sh("ip", "-n", lab.network.names["gate"], "link", "del", "nic")
        wait_for("it is gone", lambda: lab.fences() == {"nic": "off"})
        assert lab.cli("ban", "192.0.2.67").returncode == 0
        lab.network._link("clients", "to-gate", "gate", "nic")
        lab.network._addresses("gate", "nic", [f"{GATE4}/24"], [f"{GATE6}/48"])
        lab.network._addresses("clients", "to-gate", [f"{a}/24" for a in (GOOD4, GUESSER4, "192.0.2.67")], [])
        wait_for("it is guarded again", lambda: lab.fences() == {"nic": "nftables"})
        assert lab.answered([GUESSER4, "192.0.2.67", GOOD4]) == {GOOD4}
        assert lab.cli("verify").returncode == 0


# What a container or a locked-down kernel does: bpf(2) is refused. Then the rest of the arguments is executed.
WITHOUT_BPF = """
import ctypes, os, sys
lib = ctypes.CDLL("libseccomp.so.2")
lib.seccomp_init.restype = ctypes.c_void_p
ALLOW, EPERM = 0x7fff0000, 0x00050001
filter = ctypes.c_void_p(lib.seccomp_init(ctypes.c_uint32(ALLOW)))
assert lib.seccomp_rule_add(filter, ctypes.c_uint32(EPERM), lib.seccomp_syscall_resolve_name(b"bpf"), 0) == 0
assert lib.seccomp_load(filter) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


class NoBpfLab(FenceLab):
    def occupy(self, device):
        pass

    def posternd(self, *args):
        command = super().posternd(*args)
        at = next(i for i, word in enumerate(command) if word.endswith("/posternd"))
        return command if args else command[:at] + [sys.executable, "-c", WITHOUT_BPF] + command[at:]


def test_a_kernel_that_forbids_bpf():
    with NoBpfLab("nobpf", xdp="auto") as lab:
        assert lab.fences() == {"nic": "nftables"}
        assert "nftables drops instead" in lab.events("kernel-off")[0]
        lab.cli("ban", GUESSER4)
        assert lab.answered([GUESSER4, GOOD4]) == {GOOD4}
        assert lab.cli("verify").returncode == 0


def test_a_program_of_xdp_tools_is_in_the_way():
    """Debian's xdp-filter, loaded in the place of a program of the test's own."""
    if not shutil.which("xdp-filter"):
        pytest.skip("xdp-filter is not installed (package xdp-tools)")
    with FenceLab("filter", xdp="off") as lab:
        lab.stop()
        lab.network.run("gate", "xdp-filter", "load", "-m", "native", "nic")
        lab.write_conf(xdp="auto")
        lab.start()
        assert lab.fences() == {"nic": "nftables"}
        lab.cli("ban", GUESSER4)
        assert lab.answered([GUESSER4, GOOD4]) == {GOOD4}
        lab.daemon.send_signal(signal.SIGHUP)
        assert lab.answered([GUESSER4, GOOD4]) == {GOOD4}
        assert json.loads(lab.network.run("gate", "ip", "-j", "link", "show", "nic").stdout)[0]["xdp"], "its program stays"
