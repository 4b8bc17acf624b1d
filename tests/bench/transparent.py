# SPDX-License-Identifier: GPL-2.0-only
"""make bench, transparent: SMTP through interception, with the client's own address towards the mail host, beside a proxy and none.

Both layouts: a router in front of the mail host, and the mail host on the gate itself. The mail host is smtp-sink on port 25, where
clients are intercepted; postern's proxy on port 2525 has the same sink behind; a second sink on port 2600, which nobody
intercepts, is the direct way (behind the router the gate forwards).
"""
import contextlib

from contend import cpu_ns, everyone, listens, many_clients, median_of, ms, process, smtp_load
from netns import GATE4, MAIL4
from postern_lab import Lab

ROUNDS = 3
SESSIONS, PARALLEL, CLIENTS, MESSAGE_BYTES = 3000, 20, 200, 4096
ALONE = 400  # sessions one after the other
PROXY, DIRECT = 2525, 2600
FIRST_CLIENT = "198.18.0.1"

CONF = """
hostname = "gate.example.net"
interfaces = {{ "nic" }}
gates = 2
state-dir = "{dir}/state"
run-dir = "{dir}/run"
pin-dir = "{dir}/bpf/postern"
log-level = info

policy global {{
	lists = {{ "global.list" }}
	dos = off
}}

service transparent {{
	type = smtp
	policy = global
	intercept = yes
	client-address = transparent
}}

service proxy {{
	type = smtp
	policy = global
	listen = {{ "0.0.0.0:{proxy}" }}
	backend = {{ "{mail}:25" }}
	client-address = none
}}

limits {{
	sessions-max = 20000
	sessions-per-client-max = 10000
}}
"""


class TransparentLab(Lab):
    def write_conf(self, **changes):
        self.settings.update(changes)
        (self.dir / "postern.conf").write_text(CONF.format(dir=self.dir, proxy=PROXY, mail=self.settings["mail"]))
        (self.dir / "global.list").write_text("0.0.0.0/0 PA HE\n")


@contextlib.contextmanager
def contenders(host):
    """(lab, name -> (address, port)), with the mail host on this host of the lab."""
    mail = {"mail": MAIL4, "gate": "127.0.0.1"}[host]
    target = {"mail": MAIL4, "gate": GATE4}[host]
    lab = TransparentLab("bench-t", mail=mail)
    with contextlib.ExitStack() as stack:
        stack.callback(lab.down)
        lab.up(mail=False, daemon=False)
        many_clients(lab)
        lab.network.run("gate", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        for port in (25, DIRECT):
            stack.enter_context(process(
                lab.network.command(host, "smtp-sink", "-u", "nobody", "-c", f"0.0.0.0:{port}", "4000"),
                listens(lab, host, mail, port)))
        lab.start()
        yield lab, {"direct": (target, DIRECT), "proxy": (GATE4, PROXY), "transparent": (target, 25)}


def load(lab, address, port, sessions, parallel):
    return smtp_load(lab, address, port, "-n", sessions, "-p", parallel, "-s", FIRST_CLIENT, "-k", CLIENTS, "-l", MESSAGE_BYTES)


def check_intercepted(lab):
    """That port 25 really leads to the gates, with every session of its own client."""
    found = [line for line in lab.events("close") if "service=transparent" in line]
    if len(found) < SESSIONS * ROUNDS or not any("addr=198.18.0.7 " in line for line in found):
        raise RuntimeError(f"only {len(found)} sessions were intercepted")


def bench_layout(host, words):
    with contenders(host) as (lab, ways):
        pids = everyone(lab)
        seen = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, (address, port) in ways.items():
                before = cpu_ns(pids)
                told = load(lab, address, port, SESSIONS, PARALLEL)
                cpu = (cpu_ns(pids) - before) / 1000 / SESSIONS
                alone = load(lab, address, port, ALONE, 1)
                seen[name].append((told["seconds"], cpu, *told["end"][:2], *alone["end"][:2]))
        check_intercepted(lab)
    result = {name: median_of(rows) for name, rows in seen.items()}
    print(f"\n### SMTP with one message of {MESSAGE_BYTES} bytes, {words} ({SESSIONS} sessions, {PARALLEL} at once; then {ALONE} alone)\n")
    print(f"| way | sessions/s | CPU of postern, us a session | {PARALLEL} at once: session p50, ms | p99 | alone: p50 | p99 | p50 to the proxy's |")
    print("|---|---|---|---|---|---|---|---|")
    peer = result["proxy"][4]
    for name, (seconds, cpu, *waits) in result.items():
        used = f"{cpu:.0f}" if name != "direct" else ""
        print(f"| {name} | {SESSIONS / seconds:.0f} | {used} | " + " | ".join(ms(wait) for wait in waits)
              + f" | {waits[2] / peer:.2f} |")


def bench_transparent():
    bench_layout("mail", "a router in front of the mail host")
    bench_layout("gate", "the mail host on the same host")
