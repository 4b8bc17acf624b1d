# SPDX-License-Identifier: GPL-2.0-only
"""The lab with an XDP program of somebody else on an interface, so that postern's second fence stands there."""
import select
import shutil
import socket
import time

from netns import GATE4, GATE6, sh
from postern_lab import Lab

PASS = """
#include <linux/bpf.h>
__attribute__((section("xdp"), used)) int pass(struct xdp_md *ctx) { return XDP_PASS; }
char _license[] __attribute__((section("license"), used)) = "GPL";
"""


class FenceLab(Lab):
    """A lab whose clients have as many addresses as a test wants."""

    def up(self, mail=True, daemon=True):
        super().up(mail=False, daemon=False)
        gate = self.network.names["gate"]
        sh("ip", "-n", gate, "route", "add", "198.18.0.0/15", "dev", "nic")
        if self.settings["xdp"] == "auto":
            self.occupy("nic")
        self.start()
        return self

    def occupy(self, device):
        source, built = self.dir / "pass.c", self.dir / "pass.o"
        source.write_text(PASS)
        triple = sh("gcc", "-print-multiarch").stdout.strip()
        sh("clang", "-O2", "-target", "bpf", f"-I/usr/include/{triple}", "-c", str(source), "-o", str(built))
        sh("ip", "-n", self.network.names["gate"], "link", "set", "dev", device, "xdpdrv", "obj", str(built),
           "sec", "xdp")

    def sources(self, addresses):
        lines = [f"addr replace {a}/{128 if ':' in a else 32} dev to-gate {'nodad' if ':' in a else ''}\n"
                 for a in addresses]
        sh("ip", "-n", self.network.names["clients"], "-batch", "-", input="".join(lines))

    def answered(self, addresses, port=25, seconds=1.5):
        """Of these sources those whose SYN is answered, asked all at once."""
        self.sources(addresses)
        waiting, got = {}, set()
        with self.network.inside("clients"):
            for address in addresses:
                v6 = ":" in address
                sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET)
                sock.setblocking(False)
                sock.bind((address, 0))
                sock.connect_ex((GATE6 if v6 else GATE4, port))
                waiting[sock] = address
        poll = select.poll()
        by_fd = {sock.fileno(): sock for sock in waiting}
        for fd in by_fd:
            poll.register(fd, select.POLLOUT)
        ends, is_over = time.monotonic() + seconds, False
        while by_fd and not is_over:
            is_over = time.monotonic() >= ends  # and then looks once more
            for fd, _ in poll.poll(0 if is_over else 50):
                got.add(waiting[by_fd.pop(fd)])
                poll.unregister(fd)
        for sock in waiting:
            sock.close()
        return got

    def nft(self, *args, check=True):
        return self.network.run("gate", "nft", *args, check=check).stdout

    def quietly(self, *args):
        """nft under a name that the keeper takes for its own: nothing is repaired."""
        own = self.dir / "posternd"
        if not own.exists():
            own.symlink_to(shutil.which("nft"))
        self.network.run("gate", str(own), *args)

    def fences(self):
        status = self.rows("status")
        status = status[0] if isinstance(status, list) else status
        return {i["name"]: i["mode"] for i in status["interfaces"]}

    def counters(self, policy="global"):
        status = self.rows("status")
        status = status[0] if isinstance(status, list) else status
        return next(p["counters"] for p in status["policies"] if p["name"] == policy)

    def detach(self):
        return self.network.run("gate", *self.posternd("--detach")[4:])
