# SPDX-License-Identifier: GPL-2.0-only
"""Real DNS servers on the mail host of a lab: what postern's checks ask.

    posternd -> unbound (MAIL4:53, recursive) -> NSD (zones), rbldnsd (lists), or a fault

Zones and lists are plain attributes; apply() puts a change in force, with empty caches. A zone name that stands in
`faults` is broken in that way, whatever its records say:

    dead     nobody listens at its name server: unbound goes on trying for longer than anybody waits
    silent   its name server takes the question and says nothing: likewise
    lame     its name server does not have the zone (REFUSED): unbound says SERVFAIL
    expired  its name server has nothing of it that could be read (SERVFAIL): likewise

What is in no zone does not exist.
"""
import contextlib
import pathlib
import shutil
import signal
import socket
import subprocess

from netns import MAIL4
from postern_lab import wait_for

NSD_PORT, RBL_PORT, DEAD_PORT, SILENT_PORT = 5300, 5301, 5302, 5303
PORTS = {"dead": DEAD_PORT, "silent": SILENT_PORT, "lame": RBL_PORT, "expired": NSD_PORT}

UNBOUND_CONF = """
server:
	interface: {address}
	access-control: 0.0.0.0/0 allow
	directory: "{dir}"
	chroot: ""
	username: ""
	pidfile: ""
	use-syslog: no
	logfile: "{dir}/unbound.log"
	module-config: "iterator"
	do-not-query-localhost: no
	do-ip6: no
	unblock-lan-zones: yes
	insecure-lan-zones: yes
	qname-minimisation: no
	cache-max-ttl: {cache_ttl}
	cache-max-negative-ttl: {cache_ttl}
	infra-host-ttl: 0
	rrset-roundrobin: no
	num-threads: 1
{stubs}
"""

STUB = """\
stub-zone:
	name: "{name}"
	stub-addr: 127.0.0.1@{port}
"""

NSD_CONF = """
server:
	server-count: 1
	ip-address: 127.0.0.1
	port: {port}
	username: ""
	chroot: ""
	zonesdir: "{dir}"
	pidfile: "{dir}/nsd.pid"
	zonelistfile: "{dir}/zone.list"
	xfrdfile: ""
	xfrdir: "{dir}"
	database: ""
	logfile: "{dir}/nsd.log"
	rrl-ratelimit: 0
remote-control:
	control-enable: no
{zones}
"""

NSD_ZONE = """\
zone:
	name: "{name}"
	zonefile: "{file}"
"""

ZONE_HEAD = """\
$TTL {ttl}
@ SOA ns.example.net. root.example.net. 1 3600 600 86400 {ttl}
@ NS ns.example.net.
"""

LIST_HEAD = """\
$SOA {ttl} ns.example.net root.example.net 1 3600 600 86400 {ttl}
$NS {ttl} ns.example.net
$TTL {ttl}
:127.0.0.2:{text}
"""


class DnsList:
    """One list of rbldnsd. An entry is "192.0.2.66", "192.0.2.66 :4:its own text", or IPv6 of the same kind."""

    def __init__(self, entries=(), text="Listed, see https://list.example.net/?ip=$", test_entries=True):
        self.entries = list(entries)
        self.text = text
        self.test_entries = test_entries  # those of RFC 5782, section 5

    def files(self, ttl):
        """dataset type -> contents; an IPv6 entry has more than one colon in its first word."""
        v6 = [e for e in self.entries if e.split(" ")[0].count(":") > 1]
        v4 = [e for e in self.entries if e not in v6]
        if self.test_entries:
            v4.append("127.0.0.2")
            v6.append("::ffff:7f00:2")
        head = LIST_HEAD.format(ttl=ttl, text=self.text)
        return {"ip4trie": head + "\n".join(v4) + "\n", "ip6trie": head + "\n".join(v6) + "\n"}


def wait_tested(lab, seconds=30):
    """Until postern knows of each of its DNS lists whether it works."""
    def tested():
        rows = lab.rows("status")["rbls"]
        return rows and all("untested" not in (r["ipv4"], r["ipv6"]) for r in rows)
    wait_for("all lists are tested", tested, seconds)


class Dns:
    def __init__(self, lab, ttl=1, cache_ttl=1):
        self.lab = lab
        self.dir = pathlib.Path(lab.dir) / "dns"
        self.ttl = ttl  # of every record without one of its own
        self.cache_ttl = cache_ttl  # how long unbound keeps it, at most
        self.zones = {}  # name -> records, as in a zone file; "@" is the zone
        self.lists = {}  # name -> DnsList
        self.faults = {}  # name of a zone or list -> fault
        self.asked = {NSD_PORT: NSD_PORT, RBL_PORT: RBL_PORT}  # where unbound finds them, if something stands before
        self.processes = []
        self.silence = []

    # life

    @contextlib.contextmanager
    def before_the_daemon(self):
        """The whole lab, in which the name servers answer before posternd begins to ask."""
        try:
            self.lab.up(daemon=False)
            self.start()
            self.lab.start()
            yield self
        except BaseException:
            self.lab.report()
            raise
        finally:
            self.stop()
            self.lab.down()

    def start(self):
        self.dir.mkdir(exist_ok=True)
        try:
            self.open_silence()
            self.start_nsd()
            self.start_rbldnsd()
            self.start_unbound()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self):
        while self.processes:
            process = self.processes.pop()
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)
        while self.silence:
            self.silence.pop().close()

    def apply(self):
        self.stop()
        self.start()

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, error, trace):
        self.stop()

    # servers

    def spawn(self, name, port, *args):
        with open(self.dir / f"{name}.out", "ab") as out:
            process = subprocess.Popen(self.lab.network.command("mail", *map(str, args)), cwd=self.dir,
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.processes.append(process)

        def listens():
            if process.poll() is not None:
                raise AssertionError(f"{name} ended with {process.returncode}\n{self.log(name)}")
            return f":{port} " in self.lab.network.run("mail", "ss", "-Hlnu").stdout
        wait_for(f"{name} listens", listens)

    def log(self, name):
        return "".join(p.read_text(errors="replace") for p in sorted(self.dir.glob(f"{name}.[lo]*")))

    def open_silence(self):
        with self.lab.network.inside("mail"):
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                sock = socket.socket(socket.AF_INET, kind)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind(("127.0.0.1", SILENT_PORT))
                if kind == socket.SOCK_STREAM:
                    sock.listen()
                self.silence.append(sock)

    def start_nsd(self):
        # The root, so that whatever is in no other zone does not exist.
        zones = {".": "", **self.zones, **{name: "" for name, fault in self.faults.items() if fault == "expired"}}
        config = ""
        for number, (name, text) in enumerate(zones.items()):
            file = self.dir / f"zone{number}"
            file.unlink(missing_ok=True)
            if self.faults.get(name) != "expired":
                file.write_text(ZONE_HEAD.format(ttl=self.ttl) + text)
            config += NSD_ZONE.format(name=name, file=file)
        (self.dir / "nsd.conf").write_text(NSD_CONF.format(port=NSD_PORT, dir=self.dir, zones=config))
        self.spawn("nsd", NSD_PORT, "nsd", "-d", "-c", self.dir / "nsd.conf")

    def start_rbldnsd(self):
        specs = []
        # It refuses what it does not have, which is what a lame server does; so it runs without lists, too.
        lists = {"none.example.net": DnsList(), **{n: entries for n, entries in self.lists.items() if n not in self.faults}}
        for number, (name, dns_list) in enumerate(lists.items()):
            for kind, text in dns_list.files(self.ttl).items():
                file = self.dir / f"list{number}.{kind}"
                file.write_text(text)
                specs.append(f"{name}:{kind}:{file}")
        self.spawn("rbldnsd", RBL_PORT, "rbldnsd", "-n", "-u", "nobody", "-b", f"127.0.0.1/{RBL_PORT}", *specs)

    def start_unbound(self):
        ports = {".": self.asked[NSD_PORT]}
        ports.update({name: self.asked[NSD_PORT] for name in self.zones})
        ports.update({name: self.asked[RBL_PORT] for name in self.lists})
        ports.update({name: PORTS[fault] for name, fault in self.faults.items()})
        stubs = "".join(STUB.format(name=name, port=port) for name, port in ports.items())
        (self.dir / "unbound.conf").write_text(UNBOUND_CONF.format(
            address=MAIL4, dir=self.dir, cache_ttl=self.cache_ttl, stubs=stubs))
        # A copy: where AppArmor is on, its profile for the real one's path forbids our directory.
        program = self.dir / "unbound"
        if not program.exists():
            shutil.copy("/usr/sbin/unbound", program)
        self.spawn("unbound", 53, program, "-d", "-p", "-c", self.dir / "unbound.conf")

    # what tests need besides

    def hole(self):
        """Context: questions to the resolver vanish, as if its host had gone."""
        return Hole(self.lab)

    def dig(self, name, kind="A"):
        """(response code, number of answers), as the resolver says to the gate's host; TimeoutError."""
        header = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
        numbers = {"A": 1, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
        question = b"".join(bytes([len(p)]) + p.encode() for p in name.rstrip(".").split(".")) + b"\0"
        with self.lab.network.inside("gate"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(30)
            sock.sendto(header + question + bytes([0, numbers[kind], 0, 1]), (MAIL4, 53))
            reply = sock.recv(65535)
        return reply[3] & 15, int.from_bytes(reply[6:8], "big")


class Hole:
    RULES = ("add table inet hole; add chain inet hole in { type filter hook input priority 0; }; "
             "add rule inet hole in ip daddr " + MAIL4 + " udp dport 53 drop; "
             "add rule inet hole in ip daddr " + MAIL4 + " tcp dport 53 drop")

    def __init__(self, lab):
        self.lab = lab

    def __enter__(self):
        self.lab.network.run("mail", "nft", self.RULES)
        return self

    def __exit__(self, kind, error, trace):
        self.lab.network.run("mail", "nft", "delete table inet hole")
