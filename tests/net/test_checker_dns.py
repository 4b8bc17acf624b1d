# SPDX-License-Identifier: GPL-2.0-only
"""The PTR check against real servers: valid and invalid names, no name, and a resolver that is dead."""
import pathlib
import re
import socket
import time

import pytest
from dns import Dns
from mailhost import DOMAIN, USER
from netns import GOOD4, GOOD6, MAIL4, sh
from postern_lab import BUILD, Lab, wait_for

RCPT = f"{USER}@{DOMAIN}"
NAMED4, SINGLE_LABEL4, NAMELESS4, DELEGATED4, BROKEN4 = (f"192.0.2.{n}" for n in (10, 66, 67, 68, 69))
UNFLAGGED4 = "192.0.2.12"
MANY4, CHAIN4 = "192.0.2.11", "192.0.2.13"
LAME6, EXPIRED6 = "2001:db8:1:66::66", "2001:db8:1:67::1"
FAULTS = {"6.6.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa": "lame", "7.6.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa": "expired"}
CHECK_TIMEOUT_S = 6

GLOBAL_LIST = f"""\
0.0.0.0/0      PA AS LL PTR
::/0           PA AS LL PTR
{UNFLAGGED4}   PA AS LL
"""

# More than a datagram holds: the answer comes by TCP. One of the names is a host's.
MANY_NAMES = "".join(f"11 PTR name_{n}_{'x' * 40}.example.com.\n" for n in range(60)) + "11 PTR host.example.com.\n"
CHAIN = "13 CNAME c1\n" + "".join(f"c{n} CNAME c{n + 1}\n" for n in range(1, 8)) + "c8 PTR end.example.com.\n"

V4_ZONE = MANY_NAMES + CHAIN + """\
10 PTR client.example.com.
66 PTR localhost.
68 CNAME 68.64/26
68.64/26 PTR behind-a-cname.example.com.
12 PTR localhost.
"""

V6_ZONE = "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0 PTR client6.example.com.\n"


@pytest.fixture(scope="module")
def running():
    lab = Lab("dns", ptr="enforce", dns=f'"{MAIL4}"', policy="strikes = off",
              limits=f"check-timeout = {CHECK_TIMEOUT_S}s")
    lab.lists["global.list"] = GLOBAL_LIST
    with lab, Dns(lab) as dns:
        dns.zones = {"2.0.192.in-addr.arpa": V4_ZONE, "8.b.d.0.1.0.0.2.ip6.arpa": V6_ZONE}
        dns.faults = dict(FAULTS)
        dns.apply()
        yield lab, dns


@pytest.mark.parametrize("source", [NAMED4, GOOD6, DELEGATED4, MANY4, CHAIN4])
def test_a_client_with_a_name_may_deliver(running, source):
    lab, _ = running
    assert lab.rcpt(source)[0] == 250


@pytest.mark.parametrize("source,evidence", [
    (NAMELESS4, "no PTR record"), (SINGLE_LABEL4, "localhost")])
def test_a_client_without_a_valid_name_is_refused_and_told_why(running, source, evidence):
    lab, _ = running
    code, text = lab.rcpt(source)
    assert code == 550 and b"5.7.25" in text
    wait_for("a summary with the evidence",
             lambda: any(f"addr={source}" in line and evidence in line for line in lab.events("close")))


def test_a_client_without_the_flag_is_not_asked_about(running):
    lab, _ = running
    assert lab.rcpt(UNFLAGGED4)[0] == 250


@pytest.mark.parametrize("source", [LAME6, EXPIRED6])
def test_a_zone_that_fails_is_unknown_and_mail_flows(running, source):
    lab, _ = running
    assert lab.rcpt(source)[0] == 250


def test_a_name_server_that_fails_is_unknown_and_mail_flows(running):
    lab, dns = running
    dns.stop()
    try:  # nobody listens: the resolver's host says so at once
        assert lab.rcpt(BROKEN4)[0] == 250
    finally:
        dns.start()
    # UNKNOWN is not kept: with the name server back the address has its answer.
    assert lab.rcpt(BROKEN4)[0] == 550


def test_a_silent_name_server_costs_the_deadline_and_then_nothing(running):
    lab, dns = running
    with dns.hole():
        began = time.monotonic()
        assert lab.rcpt("192.0.2.70")[0] == 250
        waited = time.monotonic() - began
        assert CHECK_TIMEOUT_S - 1 < waited < CHECK_TIMEOUT_S + 20
        # A client that has said all it has to say, and closed its side, is answered in the end.
        with lab.connect("192.0.2.71") as sock:
            sock.sendall(f"EHLO c.example.com\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<{RCPT}>\r\n".encode())
            sock.shutdown(socket.SHUT_WR)
            replies = sock.makefile("rb").read().splitlines()
        assert replies[-1].startswith(b"250 2.1.5"), replies
        # After a run of timeouts nobody waits any more.
        for _ in range(5):
            clients = [lab.smtp(f"192.0.2.{n}") for n in (70, 71, 72, 73)]
            for client in clients:
                assert client.ehlo()[0] == 250
                assert client.docmd("MAIL", "FROM:<a@example.com>")[0] == 250
                assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
                client.close()
            if lab.events("dns-silent"):
                break
        assert lab.events("dns-silent")
        began = time.monotonic()
        assert lab.rcpt("192.0.2.71")[0] == 250
        assert time.monotonic() - began < CHECK_TIMEOUT_S - 1


def test_memory_is_taken_when_it_is_needed(running):
    lab, _ = running
    if b"__asan_init" in (BUILD / "posternd").read_bytes():
        pytest.skip("a sanitizer's memory is its own")
    (pid,) = lab.pids("checker")
    (kib,) = re.findall(r"^RssAnon:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert int(kib) < 5000, "of the room for 4096 checks and questions only what was used is there"


def test_the_checker_may_die_and_mail_flows(running):
    lab, _ = running
    before = lab.pids("checker")
    assert len(before) == 1
    sh("kill", "-9", str(before[0]))
    assert lab.rcpt(NAMED4)[0] == 250
    wait_for("a new checker", lambda: lab.pids("checker") not in ([], before))
    wait_for("the new checker refuses", lambda: lab.rcpt(NAMELESS4)[0] == 550)
    assert lab.rcpt(GOOD4)[0] == 250


@pytest.fixture
def change(running):
    """Put settings in force for one test."""
    lab, _ = running
    before = dict(lab.settings)

    def write(**settings):
        lab.write_conf(**settings)
        lab.cli("reload")
    yield write
    write(**before)


def finding(lab, source):
    return [f for f in lab.rows("why", source)["findings"] if f["check"] == "ptr"]


def counts(lab):
    return {name: n for policy in lab.rows("status")["policies"] if policy["name"] == "global"
            for name, n in policy["checks"].items()}


def test_what_only_observes_says_what_it_would_have_done(running, change):
    lab, _ = running
    change(ptr="observe")
    before = counts(lab).get("ptr_would", 0)
    client = lab.smtp(NAMELESS4)
    client.ehlo()
    client.docmd("MAIL", "FROM:<a@example.com>")
    assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
    # Nobody waits for the answer: it is in the line of a session that still is there when it comes.
    wait_for("a count", lambda: counts(lab).get("ptr_would", 0) == before + 1)
    client.quit()
    found = finding(lab, NAMELESS4)
    assert found[0]["result"] == "would-refuse" and found[0]["why"] == "no PTR record"
    assert "ptr would have refused it (observe) at smtp: no PTR record" in lab.cli("why", NAMELESS4).stdout
    wait_for("a summary", lambda: any("checks=ptr:would" in line and "verdict=observe-ptr" in line
                                      for line in lab.events("close")))


def test_what_cannot_be_found_out_defers_only_if_told_so(running, change):
    lab, dns = running
    change(policy="strikes = off\ndns-failure = defer")
    before = counts(lab).get("ptr_unknown", 0)
    dns.stop()
    try:
        code, text = lab.rcpt("192.0.2.72")
    finally:
        dns.start()
    assert code == 451 and b"4.4.3" in text
    assert lab.rcpt(NAMED4)[0] == 250
    assert lab.rcpt(NAMELESS4)[0] == 550
    wait_for("a count", lambda: counts(lab)["ptr_unknown"] == before + 1)
    wait_for("a summary", lambda: any("checks=ptr:unknown" in line and "verdict=defer-ptr" in line
                                      for line in lab.events("close")))


def test_a_name_that_has_to_lead_back(running, change):
    lab, dns = running
    dns.zones["example.com"] = "client A 192.0.2.10\nclient6 AAAA 2001:db8:1::99\n"
    dns.apply()
    change(policy="strikes = off\nptr-forward-confirmed = yes")
    assert lab.rcpt(NAMED4)[0] == 250
    assert lab.rcpt(GOOD6)[0] == 550
    found = wait_for("a finding", lambda: finding(lab, GOOD6))
    assert found[0]["why"] == "its name does not lead back to it: client6.example.com"
