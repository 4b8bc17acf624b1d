# SPDX-License-Identifier: GPL-2.0-only
"""make bench, flood: packets of banned sources that one core gets rid of, and what a good client still gets done meanwhile.

    clients                                        gate
    +---------------------------+                  +----------------------------+
    | to-gate      198.19.0.0/16|--veth nic -------| XDP of postern             |
    | to-ingress                |--veth ingress----| nftables, ingress hook     |
    | to-input                  |--veth input------| nftables, input hook       |
    | to-filter                 |--veth filter-----| xdp-filter                 |
    | to-none                   |--veth none-------| nothing: SYN cookies       |
    +---------------------------+                  +----------------------------+

What is dropped is sent by XDP, as fast as one CPU can; what a good client meets, evenly by a packet socket.
The same bans are in force on each; SYNs of random banned sources go to port 25, where postern's gates listen. tests/lab/flood is on
the first CPU. What arrives at a veth is the work of a kernel thread of its own (threaded NAPI), pinned to the second, before which every
process has to step back, as before the interrupts of a network card, which wait a little for more packets; so does this thread. A figure
is the packets it took by the time that it ran. The
good client's packets wait in the same queue as the flood.
"""
import array
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import socket
import statistics
import struct
import subprocess
import time

from contend import cpu_ns, listens, median_of, ms, process, smtp_load
from netns import GATE4, GOOD4, MAIL4
from postern_lab import BUILD, Lab, wait_for

ROUNDS = 3
SIZES = (1, 100000, 1000000)
FILTER_MAX = 10000  # the table of xdp-filter is compiled in
FIRST_BAN = "10.0.0.0"
MEASURE_S = 0.7
WARM_UP, WARM_UP_MAX_S = 5, 10  # packets of each source before a figure is taken, if there is time: it is from the middle of a flood
FLOOD_MAX_S = 30  # and nothing goes on for longer, whatever happens
ARRIVING = 10000
RATES = (100000, 200000)  # packets a second while the good client is at work
GOOD_S = 1
PATIENCE_S = 2  # a session that takes longer counts as having taken so long
SINK = 2600
GENERATOR_CPU, RECEIVER_CPU = 0, 1
SIOCETHTOOL, ETHTOOL_STSO, ETHTOOL_SGRO = 0x8946, 0x1f, 0x2c
COALESCE_NS = 50000  # an interrupt of a network card waits for so long for more packets
THREAD_PRIORITY = 50  # that of interrupt threads
WORDS = {"postern": "XDP, postern", "ingress": "nftables, ingress set", "input": "nftables, input set",
         "filter": "xdp-filter", "none": "nothing"}
POLICY = "strikes = off  dos = off  helo = off  early-talkers = off  pipelining = off"


def ban_address(number):
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def addresses(first, last):
    return [ban_address(n) for n in range(first, last)]


class Way:
    """One veth, and what drops there."""

    def __init__(self, lab, name, number):
        self.lab, self.name = lab, name
        self.bans = 0
        if name == "postern":
            self.device, self.peer, self.target, self.client = "nic", "to-gate", GATE4, GOOD4
            return
        self.device, self.peer = name, f"to-{name}"
        self.target, self.client = f"198.19.{number}.1", f"198.19.{number}.2"
        lab.network._link("clients", self.peer, "gate", self.device)
        lab.network._addresses("gate", self.device, [f"{self.target}/24"], [])
        lab.network._addresses("clients", self.peer, [f"{self.client}/24"], [])

    def take_over(self):
        """One kernel thread does all work of this veth; pinned."""
        network = self.lab.network
        self.offload("gate", self.device, ETHTOOL_SGRO, 1)
        with contextlib.suppress(OSError):  # before XDP the kernel has switched it off itself
            self.offload("clients", self.peer, ETHTOOL_STSO, 0)  # or else sockets' packets would pass by the queue
        before = napi_threads(self.device)
        network.run("gate", "sh", "-c", f"cd /sys/class/net/{self.device} && echo {COALESCE_NS} > gro_flush_timeout && "
                    "echo 1 > napi_defer_hard_irqs && echo 1 > threaded")
        self.thread = min(napi_threads(self.device) - before)
        os.sched_setaffinity(self.thread, {RECEIVER_CPU})
        os.sched_setscheduler(self.thread, os.SCHED_FIFO, os.sched_param(THREAD_PRIORITY))
        smtp_load(self.lab, self.target, 25)  # so that addresses are known

    def offload(self, host, device, what, value):
        """What `ethtool -K` does."""
        request = array.array("B", struct.pack("II", what, value))
        with self.lab.network.inside(host), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            fcntl.ioctl(sock, SIOCETHTOOL, struct.pack("16sP8x", device.encode(), request.buffer_info()[0]))

    def packets(self):
        told = json.loads(self.lab.network.run("gate", "ip", "-j", "-s", "link", "show", self.device).stdout)
        return told[0]["stats64"]["rx"]["packets"]

    @contextlib.contextmanager
    def flood(self, rate=0):
        """A flood that has begun to arrive; it ends with the block."""
        before = self.packets()
        generator = subprocess.Popen(
            self.lab.network.command("clients", str(BUILD / "tests/lab/flood"), *([] if rate else ["-x"]), "-c", str(GENERATOR_CPU),
                                     "-s", FIRST_BAN, "-k", str(self.bans or SIZES[-1]), "-d", str(FLOOD_MAX_S), "-r", str(rate),
                                     self.peer, self.target, "25"), stdout=subprocess.DEVNULL)
        if rate:  # in time, as from a network: it sleeps most of the time
            os.sched_setscheduler(generator.pid, os.SCHED_FIFO, os.sched_param(THREAD_PRIORITY - 1))
        try:
            wait_for("the flood arrives", lambda: self.packets() - before > ARRIVING)
            yield
        finally:
            generator.terminate()
            generator.wait(timeout=10)

    def warm_up(self):
        before, deadline = self.packets(), time.monotonic() + WARM_UP_MAX_S
        with self.flood():
            while self.packets() - before < WARM_UP * self.bans and time.monotonic() < deadline:
                time.sleep(0.05)

    def per_cpu_second(self):
        """Packets that the thread of this veth took, by the seconds that it ran."""
        with self.flood():
            cpu, packets = cpu_ns([self.thread]), self.packets()
            time.sleep(MEASURE_S)
            return (self.packets() - packets) / (cpu_ns([self.thread]) - cpu) * 1e9

    def add_bans(self, first, last):
        pass

    def dropped(self):
        """Packets it says it has dropped; None: it does not count."""
        return None


class Postern(Way):
    def add_bans(self, first, last):
        self.lab.cli("ban", "-", "--policy", "global", "--for", "7d", input="\n".join(addresses(first, last)) + "\n")

    def dropped(self):
        return sum(cpu["value"]["dropped_ban"] for row in self.lab.dump("counters") for cpu in row["values"])


class Nftables(Way):
    CHAINS = {"ingress": ("netdev", 'type filter hook ingress device "ingress" priority 0;'),
              "input": ("ip", "type filter hook input priority -1;")}

    def run(self, text):
        self.lab.network.run("gate", "nft", "-f", "-", input=text)

    def add_bans(self, first, last):
        family, hook = self.CHAINS[self.name]
        if not self.bans:
            only = 'iifname "input" ' if family == "ip" else ""
            self.run(f"table {family} peer {{ set bans {{ type ipv4_addr; }}\ncounter drops {{ }}\n"
                     f"chain drops {{ {hook} {only}ip saddr @bans counter name drops drop; }}\n}}")
        self.run(f"add element {family} peer bans {{ {', '.join(addresses(first, last))} }}")

    def dropped(self):
        family, _ = self.CHAINS[self.name]
        told = json.loads(self.lab.network.run("gate", "nft", "-j", "list", "counter", family, "peer", "drops").stdout)
        return next(row["counter"]["packets"] for row in told["nftables"] if "counter" in row)


class Filter(Way):
    """xdp-filter, with a bpffs that ends with it. Its own program takes one address a call: bpftool fills the map."""

    SCRIPT = ("mount -t bpf bpf /sys/fs/bpf && xdp-filter load -m native -f ipv4 filter && echo up && "
              "while read -r file; do bpftool batch file $file >/dev/null && echo done; done; xdp-filter unload filter")

    def take_over(self):
        self.process = subprocess.Popen(self.lab.network.command("gate", "unshare", "-m", "sh", "-c", self.SCRIPT),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer("up")
        super().take_over()

    def answer(self, word):
        if self.process.stdout.readline().strip() != word:
            raise RuntimeError("xdp-filter failed")

    def add_bans(self, first, last):
        batch = self.lab.dir / "batch"
        batch.write_text("".join(
            f"map update pinned /sys/fs/bpf/xdp-filter/filter_ipv4 key {address.replace('.', ' ')} value 1 0 0 0 0 0 0 0\n"
            for address in addresses(first, last)))
        self.process.stdin.write(f"{batch}\n")
        self.process.stdin.flush()
        self.answer("done")

    def end(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)


KINDS = {"postern": Postern, "ingress": Nftables, "input": Nftables, "filter": Filter, "none": Way}


def napi_threads(device):
    found = set()
    for comm in pathlib.Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if comm.read_text().startswith(f"napi/{device}-"):
                found.add(int(comm.parent.name))
    return found


@contextlib.contextmanager
def contenders():
    lab = Lab("bench-f", client_address="none", backend=f'"{MAIL4}:{SINK}"', log_level="info", policy=POLICY,
              limits="sessions-max = 20000  sessions-per-client-max = 10000")
    lab.lists["global.list"] = "0.0.0.0/0 PA\n"
    with contextlib.ExitStack() as stack:
        stack.callback(lab.down)
        lab.up(mail=False)
        stack.enter_context(process(
            lab.network.command("mail", "smtp-sink", "-u", "nobody", "-c", f"{MAIL4}:{SINK}", "4000"),
            listens(lab, "mail", MAIL4, SINK)))
        ways = {name: kind(lab, name, number) for number, (name, kind) in enumerate(KINDS.items())
                if name != "filter" or shutil.which("xdp-filter")}
        for key in ("all", "default", *(way.device for way in ways.values())):
            lab.network.run("gate", "sysctl", "-qw", f"net.ipv4.conf.{key}.rp_filter=0")
        lab.network.run("gate", "ip", "route", "add", "10.0.0.0/8", "via", ways["none"].client)
        for way in ways.values():
            way.take_over()
        if "filter" in ways:
            stack.callback(ways["filter"].end)
        yield ways


def grow(ways, size):
    for name, way in ways.items():
        wanted = min(size, FILTER_MAX) if name == "filter" else size
        if way.bans < wanted:
            way.add_bans(way.bans, wanted)
            way.bans = wanted
    wait_for("postern's kernel has them", lambda: postern_has(ways["postern"].lab, size), 60)


def postern_has(lab, size):
    return json.loads(lab.cli("status", "--json").stdout)["bans"] >= size


def check_drops(way):
    """Nothing but the flood is on this veth, and all of it is dropped."""
    before, packets = way.dropped(), way.packets()
    if before is None:
        return
    with way.flood(100000):
        time.sleep(MEASURE_S)
    dropped, packets = way.dropped() - before, way.packets() - packets
    if dropped < packets * 0.99:
        raise RuntimeError(f"{way.name} dropped {dropped} of {packets}")


def bench_drops(ways):
    figures = {}
    for size in SIZES:
        grow(ways, size)
        for name, way in ways.items():
            if name != "none" and way.bans:
                check_drops(way)
        seen = {name: [] for name in ways if not (name == "filter" and size > 10 * FILTER_MAX)}
        for name in seen:
            ways[name].warm_up()
        for _ in range(ROUNDS):
            for name in seen:
                seen[name].append(ways[name].per_cpu_second())
        figures[size] = {name: statistics.median(values) for name, values in seen.items()}
    print("\n### Packets a second of CPU that are gone at the end, in millions; random banned sources\n")
    print("| way | " + " | ".join(f"{size} ban{'s' * (size > 1)} | postern is" for size in SIZES) + " |")
    print("|---|" + "---|---|" * len(SIZES))
    for name in ways:
        cells = []
        for size in SIZES:
            figure = figures[size].get(name)
            note = f" (at {FILTER_MAX}, its limit)" if name == "filter" and size > 1 else ""
            cells += [f"{figure / 1e6:.2f}{note}", f"{figures[size]['postern'] / figure:.2f} times"] if figure else ["-", ""]
        print(f"| {WORDS[name]} | " + " | ".join(cells) + " |")


def good_client(way):
    """Sessions a second, p50 and p99 of their time, packets a second meanwhile."""
    packets, begun = way.packets(), time.monotonic()
    told = smtp_load(way.lab, way.target, 25, "-n", 100000, "-w", GOOD_S, "-g", PATIENCE_S, "-s", way.client, may_fail=True)
    arrived = (way.packets() - packets) / (time.monotonic() - begun)
    return told["sessions"] / told["seconds"], *told["end"][:2], arrived


def bench_good(ways):
    columns = (0, *RATES)
    print(f"\n### A good client's SMTP sessions, one after the other, with {SIZES[-1]} bans in force and a flood of so many packets a second\n")
    print("| way | " + " | ".join(f"{rate or 'none'}: arrived, k/s | sessions/s | p50, ms | p99" for rate in columns) + " |")
    print("|---|" + "---|---|---|---|" * len(columns))
    seen = {(name, rate): [] for name in ways for rate in columns}
    for _ in range(ROUNDS):
        for (name, rate), rows in seen.items():
            with ways[name].flood(rate) if rate else contextlib.nullcontext():
                rows.append(good_client(ways[name]))
    for name in ways:
        cells = []
        for rate in columns:
            sessions, p50, p99, arrived = median_of(seen[name, rate])
            cells += [f"{arrived / 1000:.0f}", f"{sessions:.0f}", ms(p50), ms(p99)]
        note = f" ({FILTER_MAX} bans)" if name == "filter" else ""
        print(f"| {WORDS[name]}{note} | " + " | ".join(cells) + " |")


def bench_flood():
    with contenders() as ways:
        bench_drops(ways)
        bench_good(ways)
