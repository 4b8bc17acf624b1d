# SPDX-License-Identifier: GPL-2.0-only
"""SPF against real servers: results and their replies, explanations, the header, records of strangers, faults.

What each record means is in tests/golden/spf.tsv; here it goes the whole way, from MAIL to the reply to RCPT.
"""
import base64
import os
import re
import signal
import smtplib
import time

import pytest
from dns import Dns
from mailhost import DOMAIN, PASSWORD, USER
from netns import GOOD4, GOOD6, MAIL4
from postern_lab import BUILD, Lab, wait_for

RCPT = f"{USER}@{DOMAIN}"
UNFLAGGED4, OTHER4, AA4 = "192.0.2.12", "192.0.2.66", "192.0.2.67"
CHECK_TIMEOUT_S = 6

GLOBAL_LIST = f"""\
0.0.0.0/0      PA AS LL SPF
::/0           PA AS LL SPF
{UNFLAGGED4}   PA AS LL
{AA4}          PA AA AS LL SPF
"""

POLICY = """strikes = off
	spf = {spf}
	spf-softfail = {softfail}
	spf-permerror = {permerror}
	spf-temperror = {temperror}
	add-headers = {headers}
"""
USUAL = dict(spf="enforce", softfail="accept", permerror="accept", temperror="defer", headers="yes")


def txt(name, text, ttl=""):
    """A TXT record of any bytes, in strings of 255."""
    data = text if isinstance(text, bytes) else text.encode()
    strings = [data[i:i + 255] for i in range(0, len(data), 255)] or [b""]
    quoted = " ".join('"' + "".join(chr(c) if 32 < c < 127 and c not in b'"\\' else f"\\{c:03}" for c in s) + '"'
                      for s in strings)
    return f"{name} {ttl} TXT {quoted}\n"


ZONE = "".join([
    txt("pass", "v=spf1 ip4:192.0.2.10 ip6:2001:db8:1::10 -all"),
    txt("fail", "v=spf1 -all"),
    txt("words", "v=spf1 -all exp=exp.%{d}"),
    txt("exp.words", "%{c} may not send as %{s}; ask %{d}"),
    txt("evil", "v=spf1 -all exp=exp.%{d}"),
    txt("exp.evil", b"see\r\n250 2.1.5 Ok"),
    txt("slow", "v=spf1 -all exp=exp.silent.example"),
    txt("soft", "v=spf1 ip4:192.0.2.10 ~all"),
    txt("neutral", "v=spf1 ?all"),
    "none A 192.0.2.10\n",
    txt("xn--bcher-kva", "v=spf1 exists:%{l}.x.example -all"),
    txt("broken", "v=spf1 ip4:192.0.2.10 nonsense"),
    txt("two", "v=spf1 +all"), txt("two", "v=spf1 -all"),
    txt("deadend", "v=spf1 include:expired.example -all"),
    txt("a", "v=spf1 a mx:mx.%{d} -all"), "a A 192.0.2.10\na AAAA 2001:db8:1::10\nmx.a MX 10 a\n",
    txt("long", "v=spf1 " + " ".join(f"ip4:203.0.113.{n}" for n in range(250)) + " ip4:192.0.2.10 -all"),
    "chain CNAME c1.chain\n" + "".join(f"c{n}.chain CNAME c{n + 1}.chain\n" for n in range(1, 6)),
    txt("c6.chain", "v=spf1 a:alias.chain.example -all"), "alias.chain CNAME a\n",
    "loop CNAME loop\n",
    txt("odd", "v=spf1 a:p%%q%_r%-s.example a:x:y/z.example -all"),
    "p%q\\032r%20s A 192.0.2.10\nx:y/z A 192.0.2.66\n",
    txt("back", "v=spf1 a:back\\slash.example -all"), "back\\\\slash A 192.0.2.10\n",
    # Strangers' records.
    txt("huge", "v=spf1 " + "ip4:203.0.113.1 " * 3500 + "-all"),
    txt("thousands", "v=spf1 " + "".join(f"include:i{n}.example " for n in range(400)) + "-all"),
    txt("thousand2", "v=spf1 " + "".join(f"include:i{n}.example " for n in range(2400)) + "-all"),
    txt("nul", b"v=spf1 -all\x00"),
    txt("control", b"v=spf1 \x07ip4:192.0.2.10 -all"),
    txt("bytes", b"v=spf1 ip4:192.0.2.10 \xff -all"),
    txt("self", "v=spf1 include:self.example -all"),
    txt("r1", "v=spf1 redirect=r2.example"), txt("r2", "v=spf1 redirect=r1.example"),
    txt("bomb", "v=spf1 include:b1.example include:b1.example include:b1.example -all"),
    txt("b1", "v=spf1 include:b2.example include:b2.example include:b2.example -all"),
    txt("b2", "v=spf1 include:bomb.example -all"),
    # What aborts libspf2 without the fix of CVE-2023-42118: macros up to the end of its buffer, then a literal.
    txt("macros", "v=spf1 a:" + "%{d}" * 127 + "x" * 300 + ".example -all"),
    txt("macros2", "v=spf1 exists:" + "%{S}" * 500 + "." + "y" * 200 + ".example -all"),
    txt("macros3", "v=spf1 -all exp=" + "%{d}" * 127 + "x" * 300 + ".example"),
    txt("empty", "v=spf1 exp= -all"),
] + [txt(f"v{n}", "v=spf1 " + "".join(f"a:no{i}.example " for i in range(n)) + "ip4:192.0.2.10 -all") for n in (2, 3)]
  + [txt(f"t{n}", "v=spf1 " + "a:none.example/32 " * n + "ip4:192.0.2.66 -all") for n in (10, 11)])


@pytest.fixture(scope="module")
def running():
    lab = Lab("spf", dns=f'"{MAIL4}"', policy=POLICY.format(**USUAL),
              limits=f"check-timeout = {CHECK_TIMEOUT_S}s")
    lab.lists["global.list"] = GLOBAL_LIST
    with lab, Dns(lab) as dns:
        dns.zones = {"example": ZONE, "10.2.0.192.in-addr.arpa": "@ PTR a.example.\n"}
        dns.faults = {"expired.example": "expired", "lame.example": "lame", "silent.example": "silent"}
        dns.apply()
        yield lab, dns


class Settings:
    """Context: other settings of the policy."""

    def __init__(self, lab, **changes):
        self.lab, self.changes = lab, changes

    def use(self, **settings):
        self.lab.write_conf(policy=POLICY.format(**settings))
        self.lab.cli("reload")

    def __enter__(self):
        self.use(**{**USUAL, **self.changes})

    def __exit__(self, kind, error, trace):
        self.use(**USUAL)


def rcpt(lab, domain, source=GOOD4, local="a"):
    """(code, text) of the reply to RCPT."""
    client = lab.smtp(source)
    try:
        assert client.ehlo()[0] == 250
        sender = f"{local}@{domain}" if domain else ""
        assert client.docmd("MAIL", f"FROM:<{sender}>")[0] == 250
        code, text = client.docmd("RCPT", f"TO:<{RCPT}>")
        return code, text.decode()
    finally:
        client.close()


def close_line(lab, sender, verdict):
    """The summary of a session with this sender and verdict."""
    def find():
        return [line for line in lab.events("close") if f'from="{sender}"' in line and f"verdict={verdict} " in line]
    return wait_for(f"a close line of {sender} with {verdict}", find)[-1]


@pytest.mark.parametrize("domain,source", [
    ("pass.example", GOOD4), ("pass.example", GOOD6), ("PASS.Example", GOOD4), ("soft.example", OTHER4),
    ("neutral.example", GOOD4), ("none.example", GOOD4), ("nowhere.example", GOOD4), ("broken.example", GOOD4),
    ("two.example", GOOD4), ("[192.0.2.10]", GOOD4), ("a.example", GOOD4), ("a.example", GOOD6),
    ("long.example", GOOD4), ("chain.example", GOOD4), ("odd.example", GOOD4), ("odd.example", OTHER4),
    ("back.example", GOOD4), ("v2.example", GOOD4), ("t10.example", OTHER4),
    ("fail.example", UNFLAGGED4), ("fail.example", AA4)])
def test_who_may_send_may(running, domain, source):
    lab, _ = running
    assert rcpt(lab, domain, source)[0] == 250


@pytest.mark.parametrize("domain,source", [
    ("fail.example", GOOD4), ("fail.example", GOOD6), ("pass.example", OTHER4), ("a.example", OTHER4),
    ("long.example", OTHER4), ("chain.example", OTHER4), ("evil.example", GOOD4), ("back.example", OTHER4)])
def test_who_may_not_is_refused(running, domain, source):
    lab, _ = running
    code, text = rcpt(lab, domain, source)
    assert code == 550 and text.startswith("5.7.23 by its SPF record "), text
    assert f"{domain} does not send mail from {source}" in text
    assert "\n" not in text, "the domain has said nothing, or nothing fit to be repeated"
    assert 'evidence="fail: -all of ' in close_line(lab, f"a@{domain}", "refuse-spf")


def test_the_words_of_the_domain_are_marked_as_such(running):
    lab, _ = running
    code, text = rcpt(lab, "words.example", local='"a\\"b%c"')
    first, second = text.split("\n")
    assert code == 550 and first.startswith("5.7.23 by its SPF record words.example does not")
    assert second == ('5.7.23 words.example explains: 192.0.2.10 may not send as a"b%c@words.example; '
                      'ask words.example')


def test_words_that_do_not_come_are_not_waited_for(running):
    lab, _ = running
    began = time.monotonic()
    code, text = rcpt(lab, "slow.example")
    assert code == 550 and "explains" not in text
    assert time.monotonic() - began < CHECK_TIMEOUT_S + 20


def test_a_domain_with_umlauts_is_looked_up_by_its_a_labels(running):
    lab, _ = running
    client = lab.smtp(GOOD4)
    try:
        assert client.ehlo()[0] == 250
        client.send("MAIL FROM:<b\u00fccherwurm@b\u00fccher.example> SMTPUTF8\r\n".encode())
        assert client.getreply()[0] == 250
        code, text = client.docmd("RCPT", f"TO:<{RCPT}>")
        assert code == 550 and b"5.7.23 by its SPF record xn--bcher-kva.example" in text, (code, text)
    finally:
        client.close()


@pytest.mark.parametrize("helo,want", [("pass.example", 250), ("fail.example", 550), ("[192.0.2.10]", 250),
                                       ("single", 250), ("nowhere.example", 250)])
def test_without_a_sender_the_name_in_helo_counts(running, helo, want):
    lab, _ = running
    client = lab.smtp(GOOD4)
    try:
        assert client.ehlo(helo)[0] == 250
        assert client.docmd("MAIL", "FROM:<>")[0] == 250
        assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == want
    finally:
        client.close()


def test_a_client_that_has_logged_in_is_exempt(running):
    lab, _ = running
    client = lab.smtp(GOOD4)
    try:
        client.ehlo()
        token = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
        assert client.docmd("AUTH", f"PLAIN {token}")[0] == 235
        assert client.docmd("MAIL", "FROM:<a@fail.example>")[0] == 250
        assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
    finally:
        client.close()


def test_each_message_and_each_recipient_is_judged(running):
    lab, _ = running
    client = lab.smtp(GOOD4)
    try:
        client.ehlo()
        for domain, want in (("fail.example", 550), ("pass.example", 250), ("words.example", 550)):
            assert client.docmd("MAIL", f"FROM:<a@{domain}>")[0] == 250
            for _ in range(3):
                assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == want
            assert client.docmd("RSET")[0] == 250
    finally:
        client.close()


def test_a_pipelined_message_has_its_replies_in_order(running):
    lab, _ = running
    with lab.connect(GOOD4) as sock:
        sock.sendall(b"EHLO c.example\r\nMAIL FROM:<a@words.example>\r\n" + f"RCPT TO:<{RCPT}>\r\n".encode() * 3 +
                     b"DATA\r\nNOOP\r\nRSET\r\nMAIL FROM:<a@pass.example>\r\n" + f"RCPT TO:<{RCPT}>\r\n".encode() +
                     b"QUIT\r\n")
        replies = sock.makefile("rb").read().decode().splitlines()
    last = [line[:3] for line in replies if line[3:4] == " "]
    assert last == ["220", "250", "250", "550", "550", "550", "554", "250", "250", "250", "250", "221"], replies


# settings

@pytest.mark.parametrize("changes,domain,want", [
    (dict(softfail="reject"), "soft.example", "5.7.23"), (dict(permerror="reject"), "broken.example", "5.7.24"),
    (dict(permerror="reject"), "two.example", "5.7.24"), (dict(permerror="reject"), "v3.example", "5.7.24"),
    (dict(permerror="reject"), "t11.example", "5.7.24")])
def test_what_is_accepted_by_default_may_be_refused(running, changes, domain, want):
    lab, _ = running
    assert rcpt(lab, domain, OTHER4)[0] == 250
    with Settings(lab, **changes):
        code, text = rcpt(lab, domain, OTHER4)
        assert code == 550 and text.startswith(want), text
        assert rcpt(lab, "pass.example")[0] == 250


def test_a_temporary_error_defers_or_not(running):
    lab, _ = running
    for domain in ("expired.example", "lame.example", "deadend.example"):
        code, text = rcpt(lab, domain)
        assert code == 451 and text.startswith("4.4.3"), text
        assert "temperror" in close_line(lab, f"a@{domain}", "defer-spf")
    with Settings(lab, temperror="accept"):
        assert rcpt(lab, "expired.example")[0] == 250


def test_observed_it_is_told_and_nothing_else(running):
    lab, _ = running
    with Settings(lab, spf="observe", headers="no"):
        client = lab.smtp(GOOD4)
        client.ehlo()
        client.docmd("MAIL", "FROM:<observed@fail.example>")
        assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
        client.docmd("DATA")
        client.send(b"Subject: observed\r\n\r\n.\r\n")
        assert client.getreply()[0] == 250
        found = wait_for("a finding", lambda: [f for f in lab.rows("why", GOOD4)["findings"]
                                               if f["check"] == "spf" and f["result"] == "would-refuse"])
        client.quit()
        assert "fail: -all of fail.example" in close_line(lab, "observed@fail.example", "observe-spf")
    assert found[0]["why"] == "fail: -all of fail.example"
    assert "spf would have refused it (observe) at smtp: fail: -all of fail.example" in lab.cli("why", GOOD4).stdout
    with Settings(lab, spf="enforce"):
        rcpt(lab, "soft.example", OTHER4)
        rcpt(lab, "words.example", OTHER4)
    found = wait_for("a finding", lambda: [f for f in lab.rows("why", OTHER4)["findings"] if f["check"] == "spf"])
    assert found[0]["result"] == "hit" and found[0]["why"] == "fail: -all of words.example", found
    with Settings(lab, spf="off"):
        assert rcpt(lab, "fail.example")[0] == 250


# the header

def deliver(lab, sender, source=GOOD4, body=b"", helo="h.example"):
    """Deliver a message with a header of its own behind the body's header; what arrived of it."""
    number = b"X-Number: %d\r\n" % time.monotonic_ns()
    client = lab.smtp(source)
    try:
        client.ehlo(helo)
        assert client.docmd("MAIL", f"FROM:<{sender}>")[0] == 250
        assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
        assert client.docmd("DATA")[0] == 354
        client.send((body or b"Subject: spf\r\n\r\nbody\r\n").replace(b"Subject:", number + b"Subject:", 1) + b".\r\n")
        assert client.getreply()[0] == 250
        client.quit()
    except smtplib.SMTPServerDisconnected:
        pytest.fail("the session has ended")
    found = wait_for("the message", lambda: [m for m in lab.mail.messages() if number.strip() in m])
    return found[0].replace(number.replace(b"\r\n", b"\n"), b"", 1)


def header_of(message):
    """(result, pairs) of the Received-SPF header, which stands behind what the backend has put."""
    match = re.search(rb"^Received-SPF: (\w+) \([^)]*\)((?:\n\t[^\n]*)+)$", message, re.MULTILINE)
    assert match, message
    pairs = dict(re.findall(r'([a-z-]+)="((?:[^"\\]|\\.)*)";', match[2].decode()))
    return match[1].decode(), pairs


def test_the_result_stands_in_front_of_the_message(running):
    lab, _ = running
    lines = b"".join(b"line %d\r\n" % n for n in range(5000))
    message = deliver(lab, "a@pass.example", body=b"Received-SPF: fail (forged)\r\nSubject: spf\r\n\r\n..dot\r\n" + lines)
    result, pairs = header_of(message)
    assert result == "pass"
    assert pairs == {"receiver": "gate.example.net", "client-ip": GOOD4, "envelope-from": "a@pass.example",
                     "helo": "h.example", "identity": "mailfrom", "mechanism": "ip4:192.0.2.10"}
    tail = message[message.index(b"Received-SPF: fail (forged)"):]
    assert tail == (b"Received-SPF: fail (forged)\nSubject: spf\n\n.dot\n" + lines.replace(b"\r\n", b"\n"))
    assert message.index(b"Received-SPF: pass") < message.index(b"Received-SPF: fail")


@pytest.mark.parametrize("sender,source,result,more", [
    ("a@none.example", GOOD4, "none", {}),
    ("a@neutral.example", GOOD6, "neutral", {"client-ip": GOOD6, "mechanism": "?all"}),
    ("a@soft.example", OTHER4, "softfail", {"mechanism": "~all"}),
    ("a@broken.example", GOOD4, "permerror", {"problem": "syntax error, or a modifier twice: nonsense (broken.example)"}),
    ("", GOOD4, "none", {"identity": "helo", "envelope-from": ""}),
    ('"q\\"u o"@pass.example', GOOD4, "pass", {"envelope-from": 'q\\"u o@pass.example'})])
def test_every_result_has_a_header(running, sender, source, result, more):
    lab, _ = running
    got, pairs = header_of(deliver(lab, sender, source))
    assert got == result
    assert {key: pairs.get(key) for key in more} == more


def test_without_add_headers_the_message_is_as_it_came(running):
    lab, _ = running
    with Settings(lab, headers="no"):
        assert b"Received-SPF" not in deliver(lab, "a@pass.example")
    assert b"Received-SPF" not in deliver(lab, "a@pass.example", UNFLAGGED4)


# strangers' records, and faults

HOSTILE = ("huge nul control bytes self r1 bomb thousands thousand2 macros macros2 macros3 empty two loop").split()


def test_records_of_strangers_hurt_nobody(running):
    lab, _ = running
    checker = lab.pids("checker")
    replies = {}
    for _ in range(2):
        for name in HOSTILE:
            replies[name] = rcpt(lab, f"{name}.example", local="x" * 64)
    # Errors of the record are accepted by default, a message that cannot be read is not known.
    assert {code for code, _ in replies.values()} <= {250, 451, 550}, replies
    assert {name for name, (code, _) in replies.items() if code == 550} <= {"macros", "macros2", "macros3"}, replies
    with Settings(lab, permerror="reject"):
        for name in ("nul", "control", "bytes", "self", "r1", "bomb", "huge", "thousands", "empty"):
            code, text = rcpt(lab, f"{name}.example")
            assert code == 550 and "5.7.24" in text, (name, text)
    assert lab.pids("checker") == checker, "the checker is the same process"
    assert rcpt(lab, "pass.example")[0] == 250


def test_a_silent_server_costs_the_deadline_and_defers(running):
    lab, _ = running
    began = time.monotonic()
    code, text = rcpt(lab, "silent.example")
    waited = time.monotonic() - began
    assert code == 451 and text.startswith("4.4.3"), text
    assert CHECK_TIMEOUT_S - 1 < waited < CHECK_TIMEOUT_S + 20


def test_an_answer_about_an_earlier_message_is_not_taken_for_one_about_this(running):
    lab, _ = running
    client = lab.smtp(GOOD4)
    try:
        client.ehlo()
        assert client.docmd("MAIL", "FROM:<a@silent.example>")[0] == 250
        asked = time.monotonic()
        assert client.docmd("RSET")[0] == 250
        assert client.docmd("MAIL", "FROM:<a@pass.example>")[0] == 250
        assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
        assert time.monotonic() - asked < CHECK_TIMEOUT_S - 1
        wait_for("the answer about the first", lambda: time.monotonic() - asked > CHECK_TIMEOUT_S + 1)
        assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
    finally:
        client.close()


def test_without_any_resolver_mail_is_deferred_never_refused(running):
    lab, dns = running
    dns.stop()
    try:
        assert rcpt(lab, "later.example")[0] == 451
    finally:
        dns.start()
    assert rcpt(lab, "fail.example")[0] == 550


def test_a_checker_that_crashes_costs_one_unknown(running):
    lab, _ = running
    (pid,) = lab.pids("checker")
    assert pid > 1
    client = lab.smtp(GOOD4)
    try:
        client.ehlo()
        assert client.docmd("MAIL", "FROM:<a@silent.example>")[0] == 250
        client.putcmd("RCPT", f"TO:<{RCPT}>")
        began = time.monotonic()
        # A sanitizer would report the one signal as a fault of the program.
        os.kill(pid, signal.SIGABRT if b"__asan_init" in (BUILD / "posternd").read_bytes() else signal.SIGSEGV)
        code, text = client.getreply()
        assert code == 451 and text.startswith(b"4.4.3"), text
        assert time.monotonic() - began < CHECK_TIMEOUT_S - 1, "nobody waits for a dead checker"
        wait_for("a new checker", lambda: lab.pids("checker") not in ([], [pid]))
        # The same session goes on.
        assert client.docmd("RSET")[0] == 250
        assert client.docmd("MAIL", "FROM:<a@pass.example>")[0] == 250
        assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
    finally:
        client.close()
    assert rcpt(lab, "fail.example")[0] == 550
    assert len(lab.pids("gate")) == 2
