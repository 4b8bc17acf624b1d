# SPDX-License-Identifier: GPL-2.0-only
"""Greylisting in front of a real Postfix: what is deferred, for how long, and what is remembered of it.

The three networks of the clients are 192.0.2.0/24, 203.0.113.0/24 and several /64 of 2001:db8:1::/48. Each test takes
senders of its own, so that none meets the triplets of another.
"""
import itertools
import json
import os
import re
import signal
import subprocess
import threading
import time

import pytest
from mailhost import DOMAIN, PASSWORD, USER
from netns import GOOD4, GOOD6
from postern_lab import BUILD, Lab, wait_for

RCPT = f"{USER}@{DOMAIN}"
OTHER4, LISTED4 = "192.0.2.67", "203.0.113.5"
NO_GL4, AUTHENTICATED4 = "192.0.2.70", "192.0.2.71"
DELAY_S = 4

GLOBAL_LIST = f"""\
0.0.0.0/0          PA AS LL HE GL
::/0               PA AS LL HE GL
{NO_GL4}           PA AS LL HE
{AUTHENTICATED4}   PA AS LL HE GL AA
"""
POLICY = f"greylist-delay = {DELAY_S}s  greylist-window = 1h  greylist-lifetime = 1d  greylist-auto-pass = 0"
numbers = itertools.count()


@pytest.fixture(scope="module")
def lab():
    lab = Lab("grey", policy=POLICY)
    lab.lists["global.list"] = GLOBAL_LIST
    with lab:
        yield lab


def sender():
    """Letters alone: a number in it would not count."""
    n = next(numbers)
    return f"sender-{chr(97 + n // 26)}{chr(97 + n % 26)}@example.com"


def begin(lab, source, mail_from):
    client = lab.smtp(source)
    assert client.ehlo()[0] == 250
    assert client.docmd("MAIL", f"FROM:<{mail_from}>")[0] == 250
    return client


def rcpt(lab, source, mail_from, recipient=RCPT):
    """The reply to RCPT as (code, text)."""
    client = begin(lab, source, mail_from)
    code, text = client.docmd("RCPT", f"TO:<{recipient}>")
    client.close()
    return code, text.decode()


def wait_s(reply):
    code, text = reply
    assert code == 451, reply
    return int(re.fullmatch(r"4\.7\.1 greylisted, try again in (\d+) seconds", text)[1])


def rcpt_until(lab, source, mail_from, recipient=RCPT, seconds=DELAY_S + 30):
    """Try as a mail server would, until it is accepted."""
    return wait_for(f"{mail_from} passes", lambda: rcpt(lab, source, mail_from, recipient)[0] == 250, seconds)


def test_the_first_attempt_is_told_how_long_to_wait_and_the_retry_passes(lab):
    who, before = sender(), len(lab.mail.messages())
    assert wait_s(rcpt(lab, GOOD4, who)) == DELAY_S
    assert 1 <= wait_s(rcpt(lab, GOOD4, who)) <= DELAY_S
    rcpt_until(lab, GOOD4, who)
    client = begin(lab, GOOD4, who)
    assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
    assert client.data("Subject: greylisted\r\n\r\nbody")[0] == 250
    client.quit()
    lab.mail.wait_messages(before + 1)


def test_the_three_parts_of_a_triplet(lab):
    who = sender()
    rcpt_until(lab, GOOD4, who)
    assert rcpt(lab, OTHER4, who)[0] == 250, "the same /24"
    assert rcpt(lab, GOOD4, who, RCPT.upper())[0] == 250, "case does not count"
    assert rcpt(lab, GOOD4, who, f"bulk@{DOMAIN}")[0] == 451, "another recipient"
    assert rcpt(lab, GOOD4, sender())[0] == 451, "another sender"
    assert rcpt(lab, LISTED4, who)[0] == 451, "another network"
    assert rcpt(lab, GOOD6, who)[0] == 451


def test_a_list_is_one_sender_whatever_its_addresses_carry(lab):
    rcpt_until(lab, GOOD6, "bounce-12345-anna=example.org@lists.example.com")
    assert rcpt(lab, GOOD6, "bounce-777-anna=example.org@lists.example.com")[0] == 250
    rcpt_until(lab, GOOD6, "prvs=0123abcdef=bert@example.com")
    assert rcpt(lab, GOOD6, "prvs=4567fedcba=bert@example.com")[0] == 250


@pytest.mark.parametrize("source", [NO_GL4, AUTHENTICATED4])
def test_who_is_exempt_is_not_asked_about(lab, source):
    assert rcpt(lab, source, sender())[0] == 250


def test_a_client_that_has_logged_in_is_exempt(lab):
    client = lab.smtp(GOOD4)
    client.ehlo()
    assert client.login(USER, PASSWORD)[0] == 235
    assert client.docmd("MAIL", f"FROM:<{sender()}>")[0] == 250
    assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
    client.quit()


def test_a_callout_is_answered_and_a_bounce_waits_at_data(lab):
    before = len(lab.mail.messages())
    callout = begin(lab, GOOD6, "")
    assert callout.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250, "it asks only whether the address exists"
    callout.quit()
    bounce = begin(lab, GOOD6, "")
    assert bounce.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
    code, text = bounce.docmd("DATA")
    assert 1 <= wait_s((code, text.decode())) <= DELAY_S
    assert bounce.docmd("RSET")[0] == 250
    assert bounce.docmd("NOOP")[0] == 250
    bounce.quit()

    def delivered():
        client = begin(lab, GOOD6, "")
        client.docmd("RCPT", f"TO:<{RCPT}>")
        code = client.docmd("DATA")[0]
        if code == 354:
            client.send("Subject: bounce\r\n\r\nx\r\n.\r\n")
            assert client.getreply()[0] == 250
        client.close()
        return code == 354
    wait_for("the bounce passes", delivered, DELAY_S + 30)
    lab.mail.wait_messages(before + 1)


def test_pipelined_recipients_are_answered_in_their_order(lab):
    known, new = f"bulk@{DOMAIN}", RCPT
    who, before = sender(), len(lab.mail.messages("bulk"))
    rcpt_until(lab, GOOD4, who, known)
    client = lab.smtp(GOOD4)
    client.ehlo()
    client.send(f"NOOP\r\nMAIL FROM:<{who}>\r\nRCPT TO:<{known}>\r\nRCPT TO:<{new}>\r\n"
                f"RCPT TO:<nobody@elsewhere.example>\r\nRCPT TO:<{known}>\r\nVRFY x\r\nDATA\r\n")
    assert [client.getreply()[0] for _ in range(8)] == [250, 250, 250, 451, 451, 250, 252, 354]
    client.send("Subject: pipelined\r\n\r\nx\r\n.\r\nQUIT\r\n")
    assert [client.getreply()[0] for _ in range(2)] == [250, 221]
    lab.mail.wait_messages(before + 1, "bulk")


def test_data_behind_deferred_recipients_alone_is_deferred_too(lab):
    client = lab.smtp(GOOD4)
    client.ehlo()
    client.send(f"MAIL FROM:<{sender()}>\r\nRCPT TO:<{RCPT}>\r\nDATA\r\nQUIT\r\n")
    assert [client.getreply()[0] for _ in range(4)] == [250, 451, 451, 221]


def test_many_deferred_recipients_end_no_session(lab):
    client = begin(lab, GOOD4, sender())
    codes = [client.docmd("RCPT", f"TO:<r{n}@{DOMAIN}>")[0] for n in range(60)]
    assert codes == [451] * 60
    assert client.docmd("RSET")[0] == 250
    client.quit()


def test_a_refused_client_leaves_no_trace(lab):
    who = sender()
    client = begin(lab, GOOD4, who)
    assert client.docmd("RCPT", "TO:<broken")[0] == 501
    client.quit()
    assert not [row for row in lab.rows("greylist", "list") if row["sender"] == who]


def test_what_was_passed_stays_passed_when_the_ledger_is_killed(lab):
    who, waiting = sender(), sender()
    rcpt_until(lab, GOOD4, who)
    victims = lab.pids("ledger")
    assert len(victims) == 1 and victims[0] > 1
    os.kill(victims[0], signal.SIGKILL)
    wait_for("a ledger again", lambda: lab.pids("ledger") and lab.pids("ledger") != victims)
    assert rcpt(lab, GOOD4, who)[0] == 250
    assert [row for row in lab.rows("greylist", "list") if row["sender"] == who][0]["state"] == "passes"
    assert rcpt(lab, GOOD4, waiting)[0] == 451, "and it goes on"


def test_without_a_ledger_mail_flows(lab):
    who = sender()
    client = begin(lab, GOOD4, who)
    pid = lab.pids("ledger")[0]
    assert pid > 1
    os.kill(pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
        assert time.monotonic() - begun > 4, "greylist-timeout"
        assert len(lab.events("greylist-silent")) == 1
        begun = time.monotonic()
        assert client.docmd("RCPT", f"TO:<bulk@{DOMAIN}>")[0] == 250
        assert time.monotonic() - begun < 4, "a silent ledger is not waited for again and again"
        assert len(lab.events("greylist-silent")) == 1
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for("the ledger answers, too late",
             lambda: [line for line in lab.events("greylist") if who in line and "verdict=defer" in line])
    assert lab.rows("sessions"), "asked behind the answer, so the gate has read it"
    client.quit()
    line = wait_for("the close line", lambda: [line for line in lab.events("close") if who in line])[0]
    assert "accepted=2" in line and "greylist:unknown" in line and "defer" not in line, line
    wait_for("the ledger is asked again", lambda: rcpt(lab, GOOD4, sender())[0] == 451)


def test_a_reload_changes_the_delay_and_drops_nothing(lab):
    who, client = sender(), begin(lab, GOOD4, sender())
    assert wait_s(rcpt(lab, GOOD4, who)) == DELAY_S
    lab.write_conf(policy=POLICY.replace(f"greylist-delay = {DELAY_S}s", "greylist-delay = 100s"))
    lab.cli("reload")
    try:
        assert 90 < wait_s(rcpt(lab, GOOD4, who)) <= 100
        assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 451, "an open session goes by the new one"
    finally:
        lab.write_conf(policy=POLICY)
        lab.cli("reload")
    client.quit()
    rcpt_until(lab, GOOD4, who)


def test_observe_lets_through_and_tells(lab):
    who = sender()
    lab.write_conf(policy=POLICY + "  greylist = observe")
    lab.cli("reload")
    try:
        client = begin(lab, GOOD4, who)
        assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
        wait_for("the log of the ledger", lambda: [line for line in lab.events("greylist")
                                                   if who in line and "verdict=would-defer" in line])
        assert lab.rows("sessions"), "asked behind the answer, so the gate has read it"
        client.quit()
        wait_for("the summary", lambda: [line for line in lab.events("close") if who in line
                                         and "verdict=observe-greylist" in line and "greylist:would" in line])
    finally:
        lab.write_conf(policy=POLICY)
        lab.cli("reload")


def test_a_network_passes_when_its_senders_came_back(lab):
    lab.write_conf(policy=POLICY.replace("auto-pass = 0", "auto-pass = 1"))
    lab.cli("reload")
    try:
        source = "2001:db8:1:66::66"
        rcpt_until(lab, source, sender())
        assert rcpt(lab, source, sender())[0] == 250
        assert rcpt(lab, "2001:db8:1:67::1", sender())[0] == 451, "another /64"
    finally:
        lab.write_conf(policy=POLICY)
        lab.cli("reload")


def test_the_admin_sees_lets_pass_and_forgets(lab):
    who, network = sender(), "203.0.113.0/24"
    lab.cli("greylist", "forget", "--all")
    assert rcpt(lab, LISTED4, who)[0] == 451
    row = lab.rows("greylist", "list", LISTED4)[0]
    assert row["ends"] <= time.time() + 3600, "the window of a policy that greylists nobody does not count"
    assert (row["origin"], row["sender"], row["recipient"], row["state"]) == (network, who, RCPT, "waits")
    assert who in lab.cli("why", LISTED4, check=False).stdout
    assert lab.cli("greylist", "list", "--tsv").stdout.split("\t")[:3] == [network, "triplet", "waits"]
    assert lab.cli("greylist", "pass", LISTED4, "--for", "1h").stdout.count(network) == 1
    assert rcpt(lab, LISTED4, sender())[0] == 250
    assert "passes by command" in lab.cli("why", LISTED4, check=False).stdout
    assert lab.cli("greylist", "forget", LISTED4).returncode == 0
    assert rcpt(lab, LISTED4, sender())[0] == 451
    assert lab.cli("greylist", "forget", "198.51.100.1", check=False).returncode == 1
    status = json.loads(lab.cli("status", "--json").stdout)
    assert status["greylist"]["state"] == "ok" and status["greylist"]["waiting"] >= 1


def test_decisions_are_told_as_they_are_made(lab):
    who = sender()
    follower = subprocess.Popen(
        lab.network.command("gate", str(BUILD / "postern"), "--socket", str(lab.dir / "run/control.sock"),
                            "events", "--follow", "--json"), stdout=subprocess.PIPE, text=True)
    try:
        wait_for("somebody follows", lambda: "cmd=events" in lab.log())
        wait_for("it is told", lambda: rcpt(lab, GOOD4, who)[0] == 451)
        for line in follower.stdout:
            event = json.loads(line)
            if event["event"] == "greylist" and event["from"] == who:
                break
        assert event["result"] == "defer" and event["why"] == "new" and event["wait_s"] == DELAY_S
    finally:
        follower.terminate()
        follower.wait(timeout=30)


def test_a_hundred_sessions_at_once(lab):
    senders = [f"crowd-{chr(97 + n // 26)}{chr(97 + n % 26)}@example.com" for n in range(100)]
    codes = {}

    def deliver(who, subject):
        client = lab.smtp(GOOD4 if who < senders[50] else GOOD6, timeout=60)
        client.ehlo()
        client.docmd("MAIL", f"FROM:<{who}>")
        code = client.docmd("RCPT", f"TO:<{RCPT}>")[0]
        if code == 250:
            code = client.data(f"Subject: {subject}\r\n\r\nx")[0]
        codes[who] = code
        client.close()

    def all_at_once(subject):
        threads = [threading.Thread(target=deliver, args=(who, subject)) for who in senders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return set(codes.values())
    before = len(lab.mail.messages())
    assert all_at_once("first") == {451}
    wait_for("all of them pass", lambda: all_at_once("second") == {250})
    assert len(lab.mail.wait_messages(before + 100, seconds=60)) >= before + 100
