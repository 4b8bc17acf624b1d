# SPDX-License-Identifier: GPL-2.0-only
"""Relay control: who may send to domains that are not ours, and who may use ours as the sender.

The mail host is a real Postfix; what it says of a recipient it never got to see stands in no log of its.
"""
import json
import re
import subprocess
import time

import pytest
from mailhost import DOMAIN, PASSWORD, USER
from netns import GOOD4, GOOD6
from postern_lab import BUILD, Lab, wait_for

OURS, THEIRS = f"{USER}@{DOMAIN}", "bob@example.com"
SENDER = "a@example.com"
NO_AR4, AA_AR4, AA4 = "192.0.2.70", "192.0.2.71", "192.0.2.72"
DOMAINS = f'local-domains = {{ "{DOMAIN}", ".sub.example.org", "münchen.example" }}'

GLOBAL_LIST = f"""\
0.0.0.0/0      PA AS AR
::/0           PA AS AR
{NO_AR4}       PA AS            # may log in, never relays
{AA_AR4}       PA AA AR         # a printer
{AA4}          PA AA            # a forwarder: may use our sender, relays nothing
"""


@pytest.fixture(scope="module")
def lab():
    lab = Lab("relay", top=DOMAINS, policy="helo = off")
    lab.lists["global.list"] = GLOBAL_LIST
    with lab:
        yield lab


@pytest.fixture
def settings(lab):
    """Puts other settings in force for one test."""
    def put(**changes):
        lab.write_conf(**changes)
        return lab.cli("reload")
    yield put
    lab.write_conf(top=DOMAINS, policy="helo = off")
    lab.cli("reload")


def begin(lab, source=GOOD4, login=False):
    client = lab.smtp(source)
    assert client.ehlo()[0] == 250
    if login:
        assert client.login(USER, PASSWORD)[0] == 235
    return client


def talk(lab, *commands, source=GOOD4, login=False):
    """The reply to the last of these commands, and the summary of the session."""
    client = begin(lab, source, login)
    port = client.sock.getsockname()[1]
    for command in commands[:-1]:
        assert client.docmd(command)[0] == 250, command
    code, text = client.docmd(commands[-1])
    client.quit()
    line = wait_for("the summary", lambda: [e for e in lab.events("close") if f" port={port} " in e])[-1]
    return code, text.decode(), line


def rcpt(lab, recipient, **kw):
    return talk(lab, f"MAIL FROM:<{SENDER}>", f"RCPT TO:{recipient}", **kw)


@pytest.mark.parametrize("source", [GOOD4, GOOD6])
def test_our_domains_are_for_everybody(lab, source):
    assert rcpt(lab, f"<{OURS}>", source=source)[0] == 250
    assert rcpt(lab, f"<{USER}@EXAMPLE.org.>", source=source)[0] == 250


@pytest.mark.parametrize("source", [GOOD4, GOOD6])
def test_others_are_not_and_the_backend_never_hears_of_it(lab, source):
    code, text, line = rcpt(lab, f"<x-{time.monotonic_ns()}@example.com>", source=source)
    assert code == 550 and text.startswith("5.7.1 relaying denied") and "not authenticated" in text
    assert "verdict=refuse-relay" in line and 'from="a@example.com"' in line
    assert re.search(r'rcpt="x-\d+@example\.com"', line)
    assert 'evidence="example.com: not local, not authenticated"' in line
    assert "example.com>: " not in lab.mail.log()


@pytest.mark.parametrize("recipient", [
    "<bob%example.com@example.org>", "<example.com!bob@example.org>", '<"bob@example.com"@example.org>',
    "<@example.org:bob@example.com>", "<@example.com:bob%example.com@example.org>", "bob@example.com",
    "<bob@[192.0.2.200]>", "<bob@192.0.2.200>", "<bob@example.com.>", "<bob%example.com@a.sub.example.org>",
    '<"bob\\@example.com"@example.org>', "<bob@example.org.example.com>"])
def test_odd_routes_never_get_around_it(lab, recipient):
    before = lab.mail.log().count("NOQUEUE")
    code, text, _ = rcpt(lab, recipient)
    assert code == 550 and text.startswith("5.7.1 relaying denied"), text
    assert lab.mail.log().count("NOQUEUE") == before


@pytest.mark.parametrize("recipient,theirs", [
    ("<anna@münchen.example>", False), ("<anna@MÜNCHEN.example>", False),
    ("<anna@xn--mnchen-3ya.example>", False), ("<anna@munchen.example>", True), ("<anna@müncher.example>", True)])
def test_a_domain_is_the_same_as_u_label_and_as_a_label(lab, recipient, theirs):
    client = begin(lab)
    assert client.docmd(f"MAIL FROM:<{SENDER}> SMTPUTF8")[0] == 250
    client.sock.sendall(f"RCPT TO:{recipient}\r\n".encode())
    code, text = client.getreply()
    client.quit()
    assert code >= 400, "the mail host has none of these domains"
    assert (b"relaying denied" in text) == theirs


def test_who_has_logged_in_relays_if_its_entry_has_ar(lab):
    assert rcpt(lab, f"<{THEIRS}>", login=True)[0] == 250
    code, text, line = rcpt(lab, f"<{THEIRS}>", login=True, source=NO_AR4)
    assert code == 550 and "no AR" in text
    assert "verdict=refuse-relay" in line and "no AR" in line


def test_aa_with_ar_relays_as_far_as_postern_is_asked(lab):
    assert "relaying denied" not in rcpt(lab, f"<{THEIRS}>", source=AA_AR4)[1]
    assert "no AR" in rcpt(lab, f"<{THEIRS}>", source=AA4)[1]


def test_postmaster_needs_no_domain(lab):
    assert "relaying denied" not in rcpt(lab, "<postmaster>")[1]


def test_the_others_of_a_message_are_still_taken(lab):
    client = begin(lab)
    client.send(f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{THEIRS}>\r\nRCPT TO:<{OURS}>\r\nRCPT TO:<{THEIRS}>\r\nDATA\r\n")
    assert [client.getreply()[0] for _ in range(5)] == [250, 550, 250, 550, 354]
    client.send("Subject: relay\r\n\r\nx\r\n.\r\n")
    assert client.getreply()[0] == 250
    client.quit()


# ---- the sender


@pytest.mark.parametrize("sender", [f"<{OURS}>", "<@example.com:anna@EXAMPLE.ORG.>", "anna@a.sub.example.org",
                                    '<"anna"@example.org>'])
def test_our_domains_are_no_sender_for_strangers(lab, sender):
    code, text, line = talk(lab, f"MAIL FROM:{sender}")
    assert code == 550 and text.startswith("5.7.1 the sender's domain is local here")
    assert "verdict=refuse-spoof" in line and "local, not authenticated" in line and "from=" in line


def test_who_is_authenticated_may_use_them(lab):
    assert talk(lab, f"MAIL FROM:<{OURS}>", login=True)[0] == 250
    assert talk(lab, f"MAIL FROM:<{OURS}>", source=AA4)[0] == 250


def test_the_null_sender_and_others_are_anybodys(lab):
    assert talk(lab, "MAIL FROM:<>", f"RCPT TO:<{OURS}>")[0] == 250
    assert talk(lab, "MAIL FROM:<anna@example.org.example.com>")[0] == 250


def test_spoofing_may_be_permitted(lab, settings):
    settings(policy="helo = off\n\tpermit-spoofing = yes")
    code, _, line = talk(lab, f"MAIL FROM:<{OURS}>")
    assert code == 250 and "verdict=permit" in line


# ---- observe, off, and what the admin sees


@pytest.mark.parametrize("source,words", [
    (GOOD4, "may relay after a login (AUTH), with AR"), (NO_AR4, "never relays, authenticated or not (no AR)"),
    (AA_AR4, "may relay: counts as authenticated (AA), with AR"), (AA4, "never relays, authenticated or not (no AR)")])
def test_why_says_who_may_relay(lab, source, words):
    page = lab.cli("why", source, check=False).stdout
    assert f"    {words}\n" in page and "relay (enforce), spoof (enforce)" in page
    assert page.count("    checks: ") == 1, "not of what is gated in the kernel alone"
    if source == AA_AR4:
        assert "AR   authenticated users may relay" in page and "AA   the connection counts as" in page


def test_observe_passes_it_on_and_says_what_would_have_been(lab, settings):
    settings(policy="helo = off\n\trelay = observe\n\tpermit-spoofing = observe")
    events = subprocess.Popen(
        lab.network.command("gate", str(BUILD / "postern"), "--socket", str(lab.dir / "run/control.sock"),
                            "events", "--follow", "--json"), stdout=subprocess.PIPE, text=True)
    try:
        wait_for("somebody follows", lambda: lab.log().count("cmd=events") > 0)
        source = "192.0.2.73"
        code, text, line = talk(lab, f"MAIL FROM:<{OURS}>", f"RCPT TO:<{THEIRS}>", source=source)
        assert code == 454 and "Relay access denied" in text, "the word is Postfix's"
        assert "verdict=observe-relay" in line
        rows = [json.loads(events.stdout.readline()) for _ in range(2)]
    finally:
        events.terminate()
        events.wait()
    assert [(r["event"], r["addr"], r["service"], r["kind"], r["result"]) for r in rows] == [
        ("check", source, "smtp", check, "would-refuse") for check in ("spoof", "relay")]
    why = lab.rows("why", source)
    assert {(f["check"], f["result"]) for f in why["findings"]} == {
        ("spoof", "would-refuse"), ("relay", "would-refuse")}
    assert re.search(r"relay would have refused it \(observe\) at smtp: example\.com: not local, not authenticated\n",
                     lab.cli("why", source).stdout)
    policy = [p for p in lab.rows("status")["policies"] if p["name"] == "global"][0]
    assert policy["checks"]["relay_would"] >= 1 and policy["checks"]["relay_hit"] >= 1
    assert re.search(r"global +relay +[1-9]\d* +[1-9]", lab.cli("status").stdout)


def test_off_leaves_it_to_the_backend(lab, settings):
    settings(policy="helo = off\n\trelay = off")
    code, text, line = rcpt(lab, f"<{THEIRS}>")
    assert code == 454 and "Relay access denied" in text and "verdict=permit" in line


def test_without_local_domains_it_is_left_to_the_backend_with_a_warning(lab, settings):
    said = settings(top="").stdout
    assert "local-domains is empty" in said
    assert "relaying is left to the mail host" in lab.cli("why", GOOD4).stdout
    code, text, _ = rcpt(lab, f"<{THEIRS}>")
    assert code == 454 and "Relay access denied" in text
    assert talk(lab, f"MAIL FROM:<{OURS}>")[0] == 250


def test_a_policy_that_is_off_checks_nothing(lab, settings):
    settings(policy="helo = off\n\toff-types = { smtp }")
    assert "Relay access denied" in rcpt(lab, f"<{THEIRS}>")[1]
    assert talk(lab, f"MAIL FROM:<{OURS}>")[0] == 250


def test_a_hundred_thousand_domains(lab, settings):
    (lab.dir / "domains").write_text("".join(f"domain-{n}.example\n" for n in range(100_000)))
    began = time.monotonic()
    settings(top='local-domains-file = "domains"')
    assert time.monotonic() - began < 30
    assert "relaying denied" not in rcpt(lab, "<x@domain-99999.example>")[1]
    assert "relaying denied" in rcpt(lab, "<x@domain-100000.example>")[1]
    assert "relaying denied" in rcpt(lab, f"<{OURS}>")[1]


def test_a_mistake_in_the_domains_changes_nothing(lab, settings):
    (lab.dir / "domains").write_text("example.org\nexample,com\n")
    lab.write_conf(top='local-domains-file = "domains"')
    done = lab.cli("reload", check=False)
    assert done.returncode == 1 and "domains:2:1" in done.stdout + done.stderr
    assert "relaying denied" in rcpt(lab, f"<{THEIRS}>")[1]
