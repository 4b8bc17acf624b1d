# SPDX-License-Identifier: GPL-2.0-only
"""Clients that do not wait: before the greeting, ahead of replies, in another protocol; and names in HELO."""
import base64
import contextlib
import os
import re
import time

import pytest
from dns import Dns, DnsList, wait_tested
from mailhost import DOMAIN, PASSWORD, USER
from netns import MAIL4, sh
from postern_lab import WAIT_S, Lab, wait_for

RCPT = f"{USER}@{DOMAIN}"
CLEAN4, ZEN4, OTHER4, GOOD4, AA4 = (f"192.0.2.{n}" for n in (66, 67, 68, 69, 70))
WHOLE = f"EHLO c.example.com\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<{RCPT}>\r\nDATA\r\n".encode()

GLOBAL_LIST = f"""\
0.0.0.0/0   PA AS LL HE RBL
::/0        PA AS LL HE RBL
{AA4}       PA AA AR
"""
POLICY = "strikes = off\n\thelo-undotted = { desktop }"


@pytest.fixture(scope="module")
def running():
    lab = Lab("early", dns=f'"{MAIL4}"', policy=POLICY,
              top='rbl zen { zone = "zen.example.net" }\nlocal-domains = { "example.org" }')
    lab.lists["global.list"] = GLOBAL_LIST
    dns = Dns(lab)
    dns.lists["zen.example.net"] = DnsList([ZEN4], text="listed, see there")
    with dns.before_the_daemon():
        yield lab, dns


@pytest.fixture
def change(running):
    """More settings of the policy, for one test."""
    lab, _ = running
    before = dict(lab.settings)

    def write(more):
        lab.write_conf(policy=before["policy"] + "\n\t" + more)
        lab.cli("reload")
    yield write
    lab.write_conf(**before)
    lab.cli("reload")


def read_until(sock, pattern, seconds=WAIT_S):
    """What comes until a line matches, or until the end."""
    sock.settimeout(seconds)
    data = b""
    while not re.search(pattern, data, re.MULTILINE):
        chunk = sock.recv(4096)
        if not chunk:
            break
        data += chunk
    return data


def finding(lab, source, check):
    found = [f for f in lab.rows("why", source)["findings"] if f["check"] == check]
    return found[0] if found else None


def close_line(lab, source, *words):
    wait_for(f"a summary of {source} with {words}", lambda: any(
        f"addr={source} " in line and all(w in line for w in words) for line in lab.events("close")))


# ---- before the greeting

@contextlib.contextmanager
def gates_asleep(lab):
    """What is sent meanwhile is there when the gates accept the connection."""
    pids = [str(pid) for pid in lab.pids("gate")]
    assert pids and all(int(pid) > 1 for pid in pids)
    sh("kill", "-STOP", *pids)
    try:
        yield
    finally:
        sh("kill", "-CONT", *pids)


def speak_first(lab, source, what):
    with gates_asleep(lab):
        sock = lab.connect(source)
        sock.sendall(what)
    return sock


def test_who_speaks_first_is_observed_and_goes_on(running):
    lab, _ = running
    with speak_first(lab, CLEAN4, WHOLE) as sock:
        assert read_until(sock, rb"^354 ").startswith(b"220 ")
    row = wait_for("a finding", lambda: finding(lab, CLEAN4, "early-talkers"))
    assert row["result"] == "would-refuse" and row["why"].startswith("before the greeting: EHLO c.example.com")
    close_line(lab, CLEAN4, "verdict=observe-", "checks=early-talkers:would,pipelining:would")


def test_who_speaks_first_is_refused_without_a_delay(running, change):
    lab, _ = running
    change("early-talkers = enforce")
    with speak_first(lab, OTHER4, b"EHLO c.example.com\r\n") as sock:
        assert read_until(sock, rb"^never").startswith(b"554 5.5.1 ")
    close_line(lab, OTHER4, "verdict=refuse-early-talker", "checks=early-talkers:hit", "reason=early-talker")


def test_who_speaks_within_the_delay_is_refused(running, change):
    lab, _ = running
    change("early-talkers = enforce\n\tgreet-delay = 30s")
    with lab.connect(OTHER4) as sock:
        wait_for("it waits for its greeting", lambda: any(r["addr"] == OTHER4 for r in lab.rows("sessions")))
        sock.sendall(b"EHLO c.example.com\r\n")
        assert read_until(sock, rb"^never").startswith(b"554 5.5.1 ")


def test_who_waits_is_greeted_late_and_delivers_in_the_same_session(running, change):
    lab, _ = running
    change("early-talkers = enforce\n\tgreet-delay = 2s")
    began = time.monotonic()
    client = lab.smtp(GOOD4)
    assert 1.9 < time.monotonic() - began
    count = len(lab.mail.messages())
    client.ehlo()
    client.sendmail("a@example.com", [RCPT], "Subject: x\r\n\r\nx\r\n")
    client.quit()
    lab.mail.wait_messages(count + 1)
    # Now it is known, and greeted at once. An entry with AA never waits.
    change("early-talkers = enforce\n\tgreet-delay = 30s")
    for source in (GOOD4, AA4):
        began = time.monotonic()
        lab.smtp(source).close()
        assert time.monotonic() - began < 25, source
    # A client that goes while it waits is done with at once.
    sock = lab.connect(CLEAN4)
    sock.close()
    close_line(lab, CLEAN4, "reason=client-closed")


def test_with_off_nobody_looks(running, change):
    lab, _ = running
    change("early-talkers = off\n\tgreet-delay = 1s\n\tpipelining = off")
    with lab.connect("192.0.2.71") as sock:
        sock.sendall(WHOLE)
        assert read_until(sock, rb"^354 ").startswith(b"220 ")
    assert finding(lab, "192.0.2.71", "early-talkers") is None
    assert finding(lab, "192.0.2.71", "pipelining") is None


# ---- another protocol

@pytest.mark.parametrize("begin,protocol", [
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 64, "TLS"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
    (b"\x03\x00\x00\x2f\x2a\xe0", "RDP"),
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP"),
])
def test_another_protocol_ends_at_once(running, begin, protocol):
    lab, _ = running
    with lab.connect("192.0.2.72") as sock:
        assert read_until(sock, rb"^220 ").startswith(b"220 ")
        sock.sendall(begin)
        assert read_until(sock, rb"^never").startswith(b"421 4.7.0 ")
    wait_for("an event", lambda: any(f"protocol={protocol} " in line for line in lab.events("not-smtp")))
    close_line(lab, "192.0.2.72", "reason=not-smtp", "checks=early-talkers:would")


def test_http_is_told_so_whatever_else_is_enforced(running, change):
    """Its lines are not taken for commands that do not wait."""
    lab, _ = running
    change("early-talkers = enforce\n\tpipelining = enforce")
    request = b"POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO c.example.com\r\n"
    with lab.connect("192.0.2.71") as sock:
        read_until(sock, rb"^220 ")
        sock.sendall(request)
        assert read_until(sock, rb"^never").startswith(b"421 4.7.0 this is no web server")
    with speak_first(lab, "192.0.2.71", request) as sock:
        assert read_until(sock, rb"^never").startswith(b"421 4.7.0 this is no web server")
    wait_for("both summaries", lambda: len([line for line in lab.events("close") if "addr=192.0.2.71 " in line and
                                            "verdict=refuse-early-talker reason=not-smtp" in line]) == 2)


# ---- ahead of replies

REST = f"MAIL FROM:<a@example.com>\r\nRCPT TO:<{RCPT}>\r\nDATA\r\n".encode()


def test_commands_ahead_of_ehlos_reply_are_observed(running):
    lab, _ = running
    with lab.connect("192.0.2.73") as sock:
        read_until(sock, rb"^220 ")
        sock.sendall(b"EHLO c.example.com\r\n" + REST)
        assert re.search(rb"^354 ", read_until(sock, rb"^(354|554) "), re.MULTILINE)
    row = wait_for("a finding", lambda: finding(lab, "192.0.2.73", "pipelining"))
    assert row["result"] == "would-refuse"


def test_commands_ahead_of_ehlos_reply_are_refused(running, change):
    lab, _ = running
    change("pipelining = enforce")
    before = lab.mail.log().count("connect from")
    with lab.connect(OTHER4) as sock:
        read_until(sock, rb"^220 ")
        sock.sendall(b"EHLO c.example.com\r\n" + REST)
        assert read_until(sock, rb"^never").startswith(b"554 5.5.0 ")
    assert lab.mail.log().count("connect from") == before  # the backend was not even called
    close_line(lab, OTHER4, "verdict=refuse-pipelining", "reason=pipelining")


def postfix_pids(lab):
    pids = sh("ip", "netns", "pids", lab.network.names["mail"]).stdout.split()
    return [pid for pid in pids if int(pid) > 1 and "/postfix/" in os.path.realpath(f"/proc/{pid}/exe")]


def test_commands_while_the_backend_answers_ehlo_are_refused(running, change):
    lab, _ = running
    change("pipelining = enforce")
    pids = postfix_pids(lab)
    sh("kill", "-STOP", *pids)
    try:
        with lab.connect(OTHER4) as sock:
            read_until(sock, rb"^220 ")
            sock.sendall(b"EHLO c.example.com\r\n")
            wait_for("it waits for the backend", lambda: any(
                row["addr"] == OTHER4 and row["state"] == "connect" for row in lab.rows("sessions")))
            sock.sendall(REST)
            sh("kill", "-CONT", *pids)
            assert b"554 5.5.0 " in read_until(sock, rb"^(354|554) ")
    finally:
        sh("kill", "-CONT", *pids, check=False)
    close_line(lab, OTHER4, "verdict=refuse-pipelining", "reason=pipelining")


def test_pipelining_where_it_is_offered_is_welcome(running, change):
    lab, _ = running
    change("pipelining = enforce\n\tearly-talkers = enforce")
    with lab.connect(GOOD4) as sock:
        read_until(sock, rb"^220 ")
        sock.sendall(b"EHLO c.example.com\r\n")
        assert b"PIPELINING" in read_until(sock, rb"^250 ")
        sock.sendall(REST)
        assert re.search(rb"^354 ", read_until(sock, rb"^(354|554) "), re.MULTILINE)


def test_helo_offers_no_pipelining(running, change):
    lab, _ = running
    change("pipelining = enforce")
    with lab.connect(OTHER4) as sock:
        read_until(sock, rb"^220 ")
        sock.sendall(b"HELO c.example.com\r\n")
        read_until(sock, rb"^250 ")
        sock.sendall(b"MAIL FROM:<a@example.com>\r\n")
        read_until(sock, rb"^250 ")
        sock.sendall(f"RCPT TO:<{RCPT}>\r\nDATA\r\n".encode())
        assert b"554 5.5.0 " in read_until(sock, rb"^(354|554) ")


# ---- lists in the place of the greeting

LISTS = 'rbls = { "zen" }\n\trbl-at = connect'


def test_a_listed_client_is_not_greeted(running, change):
    lab, _ = running
    change(LISTS)
    wait_tested(lab)
    with lab.connect(ZEN4) as sock:
        assert read_until(sock, rb"^never") == f"554 5.7.1 {ZEN4} is listed by zen: listed, see there\r\n".encode()
    close_line(lab, ZEN4, "verdict=refuse-rbl", "checks=rbl:hit", "reason=listed")
    lab.smtp(GOOD4).close()
    lab.smtp(AA4).close()


def test_a_list_that_is_silent_costs_its_time_and_then_nothing(running, change):
    lab, dns = running
    change(LISTS + "\n\tdns-failure = defer")
    wait_tested(lab)  # or else it is not asked
    dns.faults["zen.example.net"] = "silent"
    dns.apply()
    try:
        began = time.monotonic()
        with lab.connect("192.0.2.73") as sock:
            assert read_until(sock, rb"^(220|421) ").startswith(b"421 4.4.3 ")
        assert 2 < time.monotonic() - began < 20
        change(LISTS)
        with lab.connect("192.0.2.72") as sock:
            assert read_until(sock, rb"^(220|421) ").startswith(b"220 ")
    finally:
        dns.faults.clear()
        dns.apply()


# ---- names in HELO

def hello(lab, name, source=GOOD4):
    client = lab.smtp(source)
    try:
        return client.docmd("EHLO", name)[0]
    finally:
        client.close()


@pytest.mark.parametrize("name,code", [
    ("mail.example.com", 250), ("desktop", 250), ("DESKTOP", 250), ("laptop", 550), ("[192.0.2.69]", 550),
    ("192.0.2.69", 550)])
def test_names_are_those_of_hosts(running, name, code):
    lab, _ = running
    assert hello(lab, name) == code


def test_literals_may_be_allowed(running, change):
    lab, _ = running
    change("helo-literals = allow")
    assert hello(lab, "[192.0.2.69]") == 250
    assert hello(lab, "[IPv6:2001:db8::1]") == 250
    assert hello(lab, "[192.0.2.256]") == 501
    assert hello(lab, "192.0.2.69") == 550


@pytest.mark.parametrize("name,ours", [
    ("gate.example.net", True), ("GATE.example.NET.", True), ("example.org", True), ("mail.example.org", False),
    ("xgate.example.net", False)])
def test_our_own_names_are_nobody_elses(running, change, name, ours):
    lab, _ = running
    assert hello(lab, name) == 250  # observed
    if ours:
        assert wait_for("a finding", lambda: finding(lab, GOOD4, "helo-impersonation"))["result"] == "would-refuse"
    change("helo-impersonation = enforce")
    assert hello(lab, name) == (550 if ours else 250)
    assert hello(lab, name, AA4) == 250


def handed_in(lab, name, logs_in):
    """(reply to EHLO, reply to RCPT) of a mail program on the submission port."""
    client = lab.smtp(GOOD4, port=587)
    try:
        client.send(b"EHLO " + name + b"\r\n")
        hello_code = client.getreply()[0]
        if logs_in:
            token = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
            assert client.docmd("AUTH", f"PLAIN {token}")[0] == 235
        assert client.docmd("MAIL", "FROM:<a@example.com>")[0] == 250
        return hello_code, client.docmd("RCPT", f"TO:<{RCPT}>")
    finally:
        client.close()


@pytest.mark.parametrize("name", [
    b"[192.168.1.5]", b"DESKTOP-1", "J\u00fcrgens PC".encode(), b"gate.example.net"])
def test_a_mail_program_logs_in_whatever_it_calls_itself(running, change, name):
    lab, _ = running
    change("helo-impersonation = enforce")
    assert handed_in(lab, name, True) == (250, (250, b"2.1.5 Ok"))
    code, (rcpt_code, text) = handed_in(lab, name, False)
    assert (code, rcpt_code) == (250, 550) and b"5.7.1 the name in EHLO" in text, text
    verdict = "refuse-impersonation" if name == b"gate.example.net" else "refuse-helo"
    wait_for("the refusal's line", lambda: any("service=submission" in line and f"verdict={verdict} " in line
                                               for line in lab.events("close")))


@pytest.mark.parametrize("name,code", [
    ("J\u00fcrgens-PC".encode(), 250), (b"JUMPIN' JUPITER", 250), (b"a..b", 250), (b"%", 250), (b"a\tb", 501), (b"a\x1b[2J", 501),
    (b"a" * 256, 501)])
def test_who_need_not_have_a_good_name_may_have_any(running, change, name, code):
    lab, _ = running
    client = lab.smtp(AA4)
    try:
        client.send(b"EHLO " + name + b"\r\n")
        assert client.getreply()[0] == code
    finally:
        client.close()
    client = lab.smtp(GOOD4)
    try:
        client.send(b"EHLO " + name + b"\r\n")
        assert client.getreply()[0] == 501
    finally:
        client.close()


def test_a_name_that_no_host_can_have_is_refused_and_told(running):
    lab, _ = running
    assert hello(lab, "a..b", "192.0.2.73") == 501
    close_line(lab, "192.0.2.73", 'helo="a..b"', "checks=helo:hit", "verdict=refuse-helo")
    assert wait_for("a finding", lambda: finding(lab, "192.0.2.73", "helo"))["why"].endswith("a..b")
