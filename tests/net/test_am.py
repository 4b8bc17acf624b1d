# SPDX-License-Identifier: GPL-2.0-only
"""Who counts as authenticated without AUTH: AA by the list, AM by a login over POP3; what the backend is told of it
(XCLIENT LOGIN, in Postfix's own log); and who may not use AUTH (no AS)."""
import contextlib
import os
import poplib
import re
import signal
import smtplib
import socket
import time

import pytest
from mailhost import DOMAIN, PASSWORD, POP3_PROXY, USER
from netns import GATE4, GATE6, GOOD4, MAIL4
from postern_lab import GLOBAL_LIST, Lab, wait_for

AA4, AM4, AM6, NO_AS4 = "192.0.2.67", "192.0.2.68", "2001:db8:1:66::66", "192.0.2.11"
SHARED4, NEITHER4 = "192.0.2.69", "192.0.2.70"
BOB, BOBS_PASSWORD = "bob", "tr0ub4dor"
FAR = "somebody@far.example"
WINDOW_S = 6
LISTS = GLOBAL_LIST + f"""\
{AA4}              PA AA AS AR LL HE
192.0.2.68/31      PA AM AS AR LL HE      # .68 and .69
{AM6}/127          PA AM AS AR LL HE
"""
SERVICES = f"""
service pop3 {{
	type = pop3
	policy = lan
	listen = {{ "0.0.0.0:110", "[::]:110" }}
	backend = {{ "{MAIL4}:{POP3_PROXY}" }}
	client-address = proxy
}}
"""
LAN = """
policy lan {
	lists = { "webadmin.list" }
}
"""


@pytest.fixture(scope="module")
def lab():
    new = Lab("am", gates=2, policy=f"am-window = {WINDOW_S}s\n\tstrike-window = 1h\n\tmax-strikes = 20", top=LAN,
              client_address="xclient", service='aa-login = "trusted"', services=SERVICES)
    new.lists["global.list"] = LISTS
    with new as running:
        users = running.mail.dir / "users"
        users.write_text(users.read_text() + f"{BOB}:{{PLAIN}}{BOBS_PASSWORD}\n")
        yield running


def closed(lab, client):
    """The close line of a session."""
    port = client.sock.getsockname()[1]
    with contextlib.suppress(smtplib.SMTPServerDisconnected):
        client.quit()
    return wait_for("the session has ended",
                    lambda: [e for e in lab.events("close") if f" port={port} " in e])[-1]


def field(line, key):
    found = re.search(rf' {key}="?([^" ]*)', line)
    return found and found[1]


def pop3(lab, source, user=USER, password=PASSWORD):
    """A POP3 session that is logged in, and known as such to the ledger."""
    before = lab.rows("status")["logins_open"]
    client = poplib.POP3.__new__(poplib.POP3)
    with lab.network.inside("clients"):
        client._create_socket = lambda _: socket.create_connection(
            (GATE6 if ":" in source else GATE4, 110), timeout=30, source_address=(source, 0))
        client.__init__(GATE4, 110)
    client.user(user)
    client.pass_(password)
    wait_for("the ledger knows of the login", lambda: lab.rows("status")["logins_open"] == before + 1)
    return client


def hang_up(lab, client):
    before = lab.rows("status")["logins_open"]
    client.quit()
    wait_for("the ledger knows of its end", lambda: lab.rows("status")["logins_open"] == before - 1)


def rcpt(client, to=FAR):
    """The code of RCPT, in a transaction of its own."""
    assert client.docmd("MAIL", "FROM:<a@example.com>")[0] == 250
    code = client.docmd("RCPT", f"TO:<{to}>")[0]
    client.docmd("RSET")
    return code


def told(lab, source):
    """Who Postfix took the clients of this address for, in order: (method, user)."""
    return re.findall(rf"client=[^ ]*\[{re.escape(source)}\][^\n]*sasl_method=([\w-]+), sasl_username=(\S+)",
                      lab.mail.log())


def vouches(lab, source, service="smtp"):
    """What `postern why` says of the clients of this address at a service."""
    return [s for s in lab.rows("why", source)["services"] if s["service"] == service][0]


def deliver(client, to=f"{USER}@{DOMAIN}"):
    client.ehlo_or_helo_if_needed()
    client.sendmail("a@example.com", [to], "Subject: x\r\n\r\nx\r\n")


@pytest.fixture(autouse=True)
def nobody_is_left(lab):
    yield
    wait_for("no login counts any more", lambda: lab.rows("status")["logins"] == 0, WINDOW_S + 40)


# ---- AA


def test_aa_is_authenticated_from_the_first_command_on(lab):
    client = lab.smtp(AA4)
    assert client.docmd("EHLO 192.0.2.67")[0] == 250, "HE does not hold for the authenticated"
    assert rcpt(client) == 250, "Postfix relays for who has a LOGIN"
    line = closed(lab, client)
    assert field(line, "auth_by") == "aa" and field(line, "auth") is None
    client = lab.smtp(GOOD4)
    assert client.docmd("EHLO 192.0.2.10")[0] == 550
    client.ehlo()
    assert rcpt(client) == 454
    assert field(closed(lab, client), "auth_by") is None


def test_aa_is_told_to_postfix_as_a_login_and_nobody_else_is(lab):
    client = lab.smtp(AA4)
    deliver(client)
    closed(lab, client)
    assert told(lab, AA4)[-1] == ("XCLIENT", "trusted")
    client = lab.smtp(GOOD4)
    deliver(client)
    closed(lab, client)
    assert told(lab, GOOD4) == []


def test_aa_may_still_log_in_and_is_then_who_he_says(lab):
    client = lab.smtp(AA4)
    client.ehlo()
    assert "auth" in client.esmtp_features
    with pytest.raises(smtplib.SMTPAuthenticationError):
        client.login(USER, "wrong")
    deliver(client)
    assert told(lab, AA4)[-1] == ("XCLIENT", "trusted"), "after a refused login AA counts again"
    client.login(USER, PASSWORD)
    deliver(client)
    assert told(lab, AA4)[-1][1] == USER and told(lab, AA4)[-1][0] != "XCLIENT"
    line = closed(lab, client)
    assert field(line, "auth") == USER and field(line, "auth_by") == "login" and int(field(line, "strikes")) >= 1


# ---- AM


@pytest.mark.parametrize("source, other", [(AM4, NEITHER4), (AM6, NEITHER4), ("2001:db8:1:66::67", NEITHER4)])
def test_a_login_counts_while_it_is_open_and_the_window_after(lab, source, other):
    client, stranger = lab.smtp(source), lab.smtp(other)
    client.ehlo()
    stranger.ehlo()
    assert rcpt(client) == 454 and told(lab, source) == []
    mailbox = pop3(lab, AM6 if ":" in source else source)
    assert rcpt(client) == 250, "a session opened meanwhile counts"
    assert rcpt(stranger) == 454
    deliver(client)
    assert told(lab, source)[-1] == ("XCLIENT", USER)
    row = lab.rows("why", source)
    assert row["login"]["user"] == USER and row["login"]["service"] == "pop3" and row["login"]["open"] == 1
    assert vouches(lab, source)["auth_by"] == "am" and vouches(lab, source)["auth_until"] is None
    assert vouches(lab, source, "pop3")["auth_by"] == "-"
    assert "last login" in lab.cli("why", source, check=False).stdout

    hang_up(lab, mailbox)
    begun = time.monotonic()
    assert rcpt(client) == 250
    assert vouches(lab, source)["auth_until"] is not None
    wait_for("the window ends", lambda: vouches(lab, source)["auth_by"] == "-", WINDOW_S + 30)
    assert time.monotonic() - begun > WINDOW_S - 1
    assert rcpt(client) == 454
    before = len(told(lab, source))
    deliver(client)
    assert len(told(lab, source)) == before, "the backend has been told that it is nobody any more"
    assert field(closed(lab, client), "auth_by") is None
    closed(lab, stranger)


def test_the_close_line_tells_who_logged_in_elsewhere(lab):
    mailbox = pop3(lab, AM4)
    client = lab.smtp(AM4)
    assert client.docmd("EHLO 192.0.2.68")[0] == 250
    deliver(client)
    line = closed(lab, client)
    assert field(line, "auth") == USER and field(line, "auth_by") == "am"
    hang_up(lab, mailbox)


def test_what_was_found_at_mail_holds_for_that_message(lab):
    mailbox = pop3(lab, AM4)
    client = lab.smtp(AM4)
    client.ehlo()
    client.docmd("MAIL", "FROM:<a@example.com>")
    hang_up(lab, mailbox)
    wait_for("the login does not count any more", lambda: not lab.rows("why", AM4)["login"], WINDOW_S + 30)
    assert client.docmd("RCPT", f"TO:<{FAR}>")[0] == 250
    client.docmd("RSET")
    assert rcpt(client) == 454
    closed(lab, client)


def test_of_several_users_none_is_named(lab):
    mailboxes = [pop3(lab, SHARED4), pop3(lab, SHARED4, BOB, BOBS_PASSWORD)]
    client = lab.smtp(SHARED4)
    deliver(client)
    assert told(lab, SHARED4)[-1] == ("XCLIENT", "trusted")
    closed(lab, client)
    assert lab.rows("why", SHARED4)["login"]["many_users"]
    for mailbox in mailboxes:
        hang_up(lab, mailbox)


def test_a_refused_login_is_none(lab):
    with pytest.raises(poplib.error_proto):
        pop3(lab, AM4, password="wrong")
    assert lab.rows("why", AM4)["login"] is None
    client = lab.smtp(AM4)
    client.ehlo()
    assert rcpt(client) == 454
    closed(lab, client)


def test_smtp_auth_is_no_login_for_am(lab):
    client = lab.smtp(AM4)
    client.ehlo()
    client.login(USER, PASSWORD)
    other = lab.smtp(AM4)
    other.ehlo()
    assert rcpt(client) == 250 and rcpt(other) == 454
    closed(lab, client)
    closed(lab, other)


def test_am_may_log_in_itself(lab):
    mailbox = pop3(lab, AM4, BOB, BOBS_PASSWORD)
    client = lab.smtp(AM4)
    deliver(client)
    assert told(lab, AM4)[-1] == ("XCLIENT", BOB)
    client.login(USER, PASSWORD)
    deliver(client)
    assert told(lab, AM4)[-1][1] == USER
    closed(lab, client)
    hang_up(lab, mailbox)


def test_a_pipelined_session_sees_nothing_of_it(lab):
    """The backend is told between two commands that came in one segment."""
    sock = lab.connect(AM4)
    sock.recv(512)
    sock.sendall(b"EHLO client.example.com\r\n")
    assert b"250 " in sock.recv(4096)
    mailbox = pop3(lab, AM4)
    sock.sendall(f"MAIL FROM:<a@example.com>\r\nRCPT TO:<{FAR}>\r\nRSET\r\nNOOP\r\nMAIL FROM:<b@example.com>\r\n"
                 f"RCPT TO:<{FAR}>\r\nRSET\r\nQUIT\r\n".encode())
    seen = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := sock.recv(4096):
            seen += chunk
    assert [line[:3] for line in seen.split(b"\r\n") if line] == [b"250"] * 7 + [b"221"]
    sock.close()
    hang_up(lab, mailbox)


# ---- processes that die


def test_the_sessions_of_a_gate_that_dies_end_with_it(lab):
    pop3(lab, AM4)
    for pid in lab.pids("gate"):
        assert pid > 1
        os.kill(pid, signal.SIGKILL)
    wait_for("no session is open", lambda: lab.rows("status")["logins_open"] == 0)
    lab.wait_event("child-started")
    wait_for("it counts no longer", lambda: not lab.rows("why", AM4)["login"], WINDOW_S + 30)


def test_a_ledger_that_dies_forgets_nobody(lab):
    mailbox = pop3(lab, AM4)
    client = lab.smtp(AM4)
    client.ehlo()
    pid, = lab.pids("ledger")
    assert pid > 1
    os.kill(pid, signal.SIGKILL)
    assert rcpt(client) == 250, "gates go on with what they know"
    wait_for("another ledger", lambda: lab.pids("ledger") not in ([], [pid]))
    wait_for("it has counted the sessions anew", lambda: lab.rows("status")["logins_open"] == 1)
    assert lab.rows("why", AM4)["login"]["user"] == USER
    assert rcpt(client) == 250
    hang_up(lab, mailbox)
    closed(lab, client)


# ---- AS


def test_without_as_auth_is_neither_offered_nor_accepted_and_trying_is_no_strike(lab):
    client = lab.smtp(NO_AS4)
    client.ehlo()
    assert "auth" not in client.esmtp_features
    for _ in range(6):
        code, text = client.docmd("AUTH PLAIN AGFubmEAd3Jvbmc=")
        assert (code, text) == (503, b"5.5.1 AUTH is not allowed here")
    line = closed(lab, client)
    assert field(line, "strikes") == "0" and field(line, "auth_by") is None
    assert not lab.banned(NO_AS4) and not lab.rows("why", NO_AS4)["strikes"]
