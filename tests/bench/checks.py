# SPDX-License-Identifier: GPL-2.0-only
"""make bench, checks: what all checks cost an SMTP session, and how long a first contact waits for them.

    clients (198.18.0.0/15) --> gate: postern    -> smtp-sink on the mail host, or smtpd here
                                      postscreen -> smtpd here
                                      both ask unbound on the mail host, in front of NSD and rbldnsd

postern asks for the lists, the name (forward-confirmed), SPF, and the greylist; postscreen for the same lists. Sessions end
with QUIT after RCPT. postscreen hands a client on to the smtpd of its Postfix and knows nothing else; so postern is shown in
front of that same smtpd, too. A warm postscreen asks nothing: it remembers that the client passed. A warm postern
asks every question again of what it remembers of the DNS.
"""
import contextlib
import pathlib
import subprocess
import sys

from contend import cpu_ns, listens, many_clients, median_of, ms, process, smtp_load
from dns import NSD_PORT, RBL_PORT, Dns, DnsList
from netns import GATE4, MAIL4, sh
from postern_lab import Lab, wait_for

HERE = pathlib.Path(__file__).resolve().parent
ROUNDS = 3
WARM_CLIENTS, WARM_SESSIONS, PARALLEL = 400, 3000, 20
FIRST_PARALLEL = 10
FIRST = {"postern": 300, "postscreen": 200, "postscreen-6s": 100}  # first contacts in a round
FAR_MS = 20
RANGE = 8192  # addresses for each purpose
NAMED = 4 * RANGE  # those that have names
RECIPIENT = "b@example.org"
SINK, SMTPD, SMTPD_PROXY, SCREEN, SCREEN_6S = 2600, 2625, 2626, 2627, 2628
OFF, POSTFIX, NEW = 2501, 2502, 2503  # postern's ports beside 25
FAR_NSD, FAR_RBL = 5310, 5311

LISTS = {"zen.example.net": "block weight 3", "spam.example.net": "block weight 1", "bots.example.net": "block weight 1",
         "good.example.net": "allow weight 2"}
CHECKS = """strikes = off  dos = off  rbls = { "zen", "spam", "bots", "good" }  rbl = enforce  rbl-threshold = 2
	helo = enforce  helo-impersonation = enforce  ptr-forward-confirmed = yes  spf = enforce
	greylist = enforce  greylist-delay = 1s  relay = enforce
	"""
NONE = "strikes = off  dos = off  helo = off  early-talkers = off  pipelining = off  relay = off  ptr = off"
FLAGS = "PA AS AR RBL PTR HE SPF GL"
TOP = 'local-domains = { "example.org" }\n' + "\n".join(
    f'rbl {name.split(".")[0]} {{ zone = "{name}" type = {kind.split()[0]} weight = {kind.split()[2]} }}'
    for name, kind in LISTS.items())
SERVICES = """
policy off {{
	lists = {{ "off.list" }}
	{none}
}}
policy new {{
	lists = {{ "global.list" }}
	ptr = enforce
	{checks}
	greylist-spf-bypass = confirmed
}}
"""
SERVICE = """
service {name} {{
	type = smtp
	policy = {policy}
	listen = {{ "0.0.0.0:{port}" }}
	backend = {{ "{backend}" }}
	client-address = {told}
}}
"""

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {dir}/mail.log
maillog_file_prefixes = {dir}
myhostname = mail.example.org
mydestination =
mynetworks = 127.0.0.0/8
inet_protocols = ipv4
virtual_mailbox_domains = example.org
virtual_mailbox_base = {dir}/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_recipient_restrictions = reject_unauth_destination
smtpd_client_connection_count_limit = 0
smtpd_peername_lookup = no
default_process_limit = 200
in_flow_delay = 0
postscreen_pre_queue_limit = 1000
postscreen_client_connection_count_limit = 1000
# A process ends after 100 uses, and what it took is not accounted to it any more.
max_use = 1000000
postscreen_dnsbl_sites = zen.example.net*3, spam.example.net*1, bots.example.net*1, good.example.net*-2
postscreen_dnsbl_threshold = 2
postscreen_dnsbl_action = enforce
postscreen_greet_action = enforce
postscreen_greet_wait = 1s
"""
MASTER_CF = f"""
{SMTPD}      inet  n - n - - smtpd
{SMTPD_PROXY}      inet  n - n - - smtpd
  -o smtpd_upstream_proxy_protocol=haproxy
{SCREEN}      inet  n - n - 1 postscreen
{SCREEN_6S}      inet  n - n - 1 postscreen
  -o postscreen_greet_wait=6s
  -o postscreen_cache_map=btree:$data_directory/six
smtpd     pass  - - n - - smtpd
dnsblog   unix  - - n - 0 dnsblog
cleanup   unix  n - n - 0 cleanup
rewrite   unix  - - n - - trivial-rewrite
proxymap  unix  - - n - - proxymap
proxywrite unix - - n - 1 proxymap
anvil     unix  - - n - 1 anvil
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
postlog   unix-dgram n - n - 1 postlogd
"""


def service(name, policy, port, backend, told="none"):
    return SERVICE.format(name=name, policy=policy, port=port, backend=backend, told=told)


def make_lab():
    own = f"127.0.0.1:{SMTPD_PROXY}"
    lab = Lab("bench-c", dns=f'"{MAIL4}"', log_level="info", top=TOP, ptr="enforce", client_address="none",
              backend=f'"{MAIL4}:{SINK}"', policy=CHECKS + "greylist-spf-bypass = no",
              services=SERVICES.format(none=NONE, checks=CHECKS) + service("unchecked", "off", OFF, f"{MAIL4}:{SINK}")
              + service("postfix", "global", POSTFIX, own, "proxy") + service("new", "new", NEW, own, "proxy"),
              limits="sessions-max = 20000  sessions-per-client-max = 10000")
    lab.lists = {"global.list": f"0.0.0.0/0 {FLAGS}\n", "off.list": "0.0.0.0/0 PA\n", "webadmin.list": ""}
    return lab


def make_dns(lab):
    """Names of all clients and back; SPF of every sender below senders.example."""
    dns = Dns(lab, ttl=7200, cache_ttl=7200)
    hosts = [(n, f"198.18.{n // 256}.{n % 256}") for n in range(NAMED)]
    dns.zones = {
        "18.198.in-addr.arpa": "".join(f"{n % 256}.{n // 256} PTR h{n}.hosts.example.\n" for n, _ in hosts),
        "hosts.example": "".join(f"h{n} A {address}\n" for n, address in hosts),
        "senders.example": '*.senders.example. TXT "v=spf1 ip4:198.18.0.0/15 -all"\n',
    }
    dns.lists = {name: DnsList([f"203.0.113.{n}" for n in range(256)]) for name in LISTS}
    return dns


class Postfix:
    """postscreen and smtpd on the gate, with a resolv.conf of their own."""

    def __init__(self, lab):
        self.lab, self.dir = lab, lab.dir / "postscreen"

    def __enter__(self):
        for name in ("queue", "data", "etc"):
            (self.dir / name).mkdir(parents=True)
        self.dir.chmod(0o755)
        sh("chown", "postfix", str(self.dir / "data"))
        (self.dir / "etc/main.cf").write_text(MAIN_CF.format(dir=self.dir))
        (self.dir / "etc/master.cf").write_text(MASTER_CF)
        (self.dir / "resolv.conf").write_text(f"nameserver {MAIL4}\n")
        start = f"mount --bind {self.dir}/resolv.conf /etc/resolv.conf && exec postfix -c {self.dir}/etc start"
        self.lab.network.run("gate", "unshare", "-m", "sh", "-c", start)
        wait_for("postscreen listens", listens(self.lab, "gate", GATE4, SCREEN), 20)
        return self

    def __exit__(self, kind, error, trace):
        self.lab.network.run("gate", "postfix", "-c", str(self.dir / "etc"), "stop", check=False)
        if error:
            print((self.dir / "mail.log").read_text(errors="replace")[-3000:], file=sys.stderr)

    def pids(self, *programs):
        found = []
        for pid in sh("ip", "netns", "pids", self.lab.network.names["gate"]).stdout.split():
            with contextlib.suppress(FileNotFoundError):
                if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() in programs:
                    found.append(int(pid))
        return found


@contextlib.contextmanager
def running():
    """(lab, dns, postfix), all of them up and every list tested."""
    lab = make_lab()
    dns = make_dns(lab)
    with contextlib.ExitStack() as stack:
        stack.callback(lab.down)
        lab.up(mail=False, daemon=False)
        many_clients(lab)
        stack.callback(dns.stop)
        dns.start()
        stack.enter_context(process(
            lab.network.command("mail", "smtp-sink", "-u", "nobody", "-c", f"{MAIL4}:{SINK}", "4000"),
            listens(lab, "mail", MAIL4, SINK)))
        postfix = stack.enter_context(Postfix(lab))
        lab.start()
        wait_for("all lists are tested", lambda: all(
            "untested" not in (row["ipv4"], row["ipv6"]) for row in lab.rows("status")["rbls"]), 30)
        yield lab, dns, postfix


def client(offset):
    return f"198.18.{offset // 256}.{offset % 256}"


def load(lab, port, sessions, parallel, offset=0, clients=WARM_CLIENTS, name="warm"):
    return smtp_load(lab, GATE4, port, "-n", sessions, "-p", parallel, "-s", client(offset), "-k", clients,
                     "-e", "h%u.hosts.example", "-f", f"a@s%u.{name}.senders.example", "-t", RECIPIENT)


def warm(lab, ports):
    """Until every client of the load is known everywhere, and its mail taken."""
    for port in ports:
        wait_for(f"port {port} takes mail of all", lambda port=port: load(
            lab, port, WARM_CLIENTS, PARALLEL)["accepted"] == WARM_CLIENTS, 30)


def bench_warm(lab, postfix):
    ways = {"smtp-sink behind postern, no checks": OFF, "smtp-sink behind postern, all checks": 25,
            "smtpd": SMTPD, "smtpd behind postern, all checks": POSTFIX, "smtpd behind postscreen": SCREEN}
    warm(lab, ways.values())
    roles = {"gate": lambda: lab.pids("gate"), "checker": lambda: lab.pids("checker"),
             "ledger": lambda: lab.pids("ledger"), "postscreen": lambda: postfix.pids("postscreen", "dnsblog"), "smtpd": lambda: postfix.pids("smtpd")}
    seen = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, port in ways.items():
            pids = {role: found() for role, found in roles.items()}
            before = [cpu_ns(pids[role]) for role in roles]
            told = load(lab, port, WARM_SESSIONS, PARALLEL)
            assert told["accepted"] == WARM_SESSIONS, told
            cpu = [(cpu_ns(pids[role]) - b) / 1000 / WARM_SESSIONS for role, b in zip(roles, before)]
            seen[name].append((told["seconds"], *cpu, told["end"][0], told["end"][1]))
    result = {name: median_of(rows) for name, rows in seen.items()}
    print(f"\n### SMTP sessions up to RCPT, warm ({WARM_SESSIONS} sessions of {WARM_CLIENTS} clients, {PARALLEL} at once; "
          f"{len(LISTS)} lists, forward-confirmed name, HELO, SPF, greylist, relay)\n")
    print("| way | sessions/s | CPU, us a session: " + " | ".join(roles) + " | session p50, ms | p99 |")
    print("|---|---|" + "---|" * (len(roles) + 2))
    for name, (seconds, *cpu, p50, p99) in result.items():
        print(f"| {name} | {WARM_SESSIONS / seconds:.0f} | " + " | ".join(f"{us:.0f}" for us in cpu)
              + f" | {ms(p50)} | {ms(p99)} |")
    # Columns: seconds, then the roles.
    off, on = (sum(result[f"smtp-sink behind postern, {which}"][1:4]) for which in ("no checks", "all checks"))
    mine, peer = sum(result["smtpd behind postern, all checks"][1:4]), result["smtpd behind postscreen"][4]
    print(f"\nAll checks against none: CPU {on / off:.2f} times. postern against postscreen, which remembers its clients and "
          f"then asks nothing: CPU {mine / peer:.2f} times, sessions/s "
          f"{result['smtpd behind postscreen'][0] / result['smtpd behind postern, all checks'][0]:.2f} times.")


def bench_first(lab, which, first):
    """Clients from number `first` on are new; returns the number of the next new one."""
    ports = {"postern": NEW, "postscreen": SCREEN, "postscreen-6s": SCREEN_6S}
    parallel = {"postern": FIRST_PARALLEL, "postscreen": 50, "postscreen-6s": FIRST["postscreen-6s"]}
    words = {"postern": "postern: lists, name, HELO, SPF, greylist (passed by SPF and name)",
             "postscreen": "postscreen: lists; greet wait 1 s, the least it takes",
             "postscreen-6s": "postscreen: lists; greet wait 6 s, its default"}
    seen = {name: [] for name in ports}
    for _ in range(ROUNDS):
        for name, port in ports.items():
            told = load(lab, port, FIRST[name], parallel[name], offset=first, clients=FIRST[name], name=f"{first}")
            assert told["accepted"] == FIRST[name], (name, told)
            seen[name].append((*told["greeting"][:2], *told["rcpt"][:2]))
            first += FIRST[name]
    print(f"\n### First contact: ms from connect, addresses and domains never seen before, {which}\n")
    print("| way | first contacts | greeting p50 | p99 | reply to RCPT p50 | p99 |\n|---|---|---|---|---|---|")
    for name, rows in seen.items():
        print(f"| {words[name]} | {ROUNDS} x {FIRST[name]} | " + " | ".join(ms(value) for value in median_of(rows)) + " |")
    return first


def bench_checks():
    with running() as (lab, dns, postfix):
        bench_warm(lab, postfix)
        first = bench_first(lab, "near DNS", RANGE)
        with lab.network.inside("mail"):
            far = subprocess.Popen([sys.executable, "-B", str(HERE / "dns_delay.py"), str(FAR_MS),
                                    f"{FAR_NSD}:{NSD_PORT}", f"{FAR_RBL}:{RBL_PORT}"])
        try:
            dns.asked = {NSD_PORT: FAR_NSD, RBL_PORT: FAR_RBL}
            dns.apply()
            bench_first(lab, f"DNS servers {FAR_MS} ms away", first)
        finally:
            far.terminate()
            far.wait(timeout=10)
