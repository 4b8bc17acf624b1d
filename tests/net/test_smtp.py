# SPDX-License-Identifier: GPL-2.0-only
"""SMTP through the gate to a real Postfix, command by command."""
import smtplib
import subprocess

import pytest
from mailhost import DOMAIN, PASSWORD, USER
from netns import GATE4, GOOD4, GOOD6
from postern_lab import wait_for

RCPT = f"{USER}@{DOMAIN}"
BODY = "Subject: {}\r\n\r\nbody\r\n"


def begin(lab, source=GOOD4, port=25):
    client = lab.smtp(source, port)
    assert client.ehlo()[0] == 250
    return client


def mail_to(client, recipient=RCPT):
    assert client.docmd("MAIL", "FROM:<a@example.com>")[0] == 250
    assert client.docmd("RCPT", f"TO:<{recipient}>")[0] == 250


def postfix_connections(lab):
    return lab.mail.log().count(": connect from ")


@pytest.mark.parametrize("source,port", [(GOOD4, 25), (GOOD6, 25), (GOOD4, 587), (GOOD6, 587)])
def test_a_message_arrives_and_shows_the_client_address(lab, source, port):
    before = len(lab.mail.messages())
    client = lab.smtp(source, port)
    client.sendmail("a@example.com", [RCPT], BODY.format(f"{source} {port}"))
    client.quit()
    message = [m for m in lab.mail.wait_messages(before + 1)
               if f"Subject: {source} {port}".encode() in m][0].decode()
    assert f"[{source}]" in message or f"[IPv6:{source}]" in message


def test_the_banner_is_posterns_own(lab):
    with lab.connect(GOOD4) as sock:
        greeting = sock.recv(512).decode()
    assert greeting.startswith("220 gate.example.net ESMTP")
    assert "backend" not in greeting


def test_capabilities_are_those_that_hold_behind_the_gate(lab):
    client = begin(lab)
    offered = set(client.esmtp_features)
    client.quit()
    assert {"pipelining", "8bitmime", "size", "dsn", "smtputf8", "enhancedstatuscodes",
            "auth"} <= offered
    assert not offered & {"chunking", "starttls", "vrfy", "etrn", "xclient", "xforward"}


@pytest.mark.parametrize("command,code", [
    ("VRFY anna", 252), ("EXPN staff", 502), ("ETRN example.org", 502), ("TURN", 502),
    ("HELP", 502), ("XCLIENT ADDR=127.0.0.1", 502), ("XFORWARD ADDR=127.0.0.1", 502),
    ("BDAT 3 LAST", 502), ("STARTTLS", 502), ("FROBNICATE", 502)])
def test_postern_answers_by_itself(lab, command, code):
    client = begin(lab)
    assert client.docmd(command)[0] == code
    assert client.docmd("NOOP")[0] == 250
    client.quit()
    assert command.split()[0] not in lab.mail.log()


def test_proxy_header_from_a_client_is_not_obeyed(lab):
    with lab.connect(GOOD4) as sock:
        sock.recv(512)
        sock.sendall(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 25\r\n")
        assert sock.recv(512)[:1] in (b"5", b"4", b"")


def test_http_on_the_smtp_port_is_cut_off(lab):
    before = postfix_connections(lab)
    with lab.connect(GOOD4) as sock:
        sock.recv(512)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        seen = b""
        while chunk := sock.recv(512):
            seen += chunk
    assert seen.count(b"\r\n") <= 1
    assert postfix_connections(lab) == before


def test_idle_and_silent_clients_cost_the_backend_nothing(lab):
    before = postfix_connections(lab)
    silent = [lab.connect(GOOD4) for _ in range(30)]
    for sock in silent:
        assert sock.recv(512).startswith(b"220")
        sock.sendall(b"NOOP\r\n")
        assert sock.recv(512).startswith(b"250")
    assert postfix_connections(lab) == before
    for sock in silent:
        sock.close()


def test_commands_out_of_order_are_refused(lab):
    client = lab.smtp(GOOD4)
    assert client.docmd("MAIL", "FROM:<a@example.com>")[0] == 503
    client.ehlo()
    assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 503
    assert client.docmd("DATA")[0] == 503
    client.quit()


@pytest.mark.parametrize("name", ["", "bad_name!", "192.0.2.10", "[192.0.2.10]", "nodots"])
def test_a_malformed_helo_name_or_an_address_is_refused(lab, name):
    client = lab.smtp(GOOD4)
    code, _ = client.docmd("EHLO", name)
    assert 500 <= code <= 599
    assert client.docmd("EHLO", "client.example.com")[0] == 250
    client.quit()


def test_pipelined_commands_are_answered_in_order(lab):
    before = len(lab.mail.messages())
    client = begin(lab)
    client.send(f"NOOP\r\nVRFY x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<{RCPT}>\r\n"
                f"RCPT TO:<nobody@{DOMAIN}>\r\nEXPN x\r\nDATA\r\n")
    assert [client.getreply()[0] for _ in range(7)] == [250, 252, 250, 250, 550, 502, 354]
    client.send("Subject: pipelined\r\n\r\nx\r\n.\r\nRSET\r\nQUIT\r\n")
    assert [client.getreply()[0] for _ in range(3)] == [250, 250, 221]
    lab.mail.wait_messages(before + 1)


def test_one_byte_at_a_time_is_the_same_as_whole(lab):
    before = len(lab.mail.messages())
    client = begin(lab)
    text = (f"MAIL FROM:<a@example.com>\r\nRCPT TO:<{RCPT}>\r\nDATA\r\n").encode()
    for n in range(len(text)):
        client.sock.sendall(text[n:n + 1])
    assert [client.getreply()[0] for _ in range(3)] == [250, 250, 354]
    for byte in b"Subject: slow\r\n\r\n..dot\r\n.\r\n":
        client.sock.sendall(bytes([byte]))
    assert client.getreply()[0] == 250
    client.quit()
    message = [m for m in lab.mail.wait_messages(before + 1) if b"Subject: slow" in m][0]
    assert message.rstrip().endswith(b"\n.dot")


def test_a_large_message_arrives_byte_for_byte(lab):
    lines = [f"{n:08d} " + "x" * (n % 900) for n in range(60000)]
    body = "\r\n".join(lines)
    client = begin(lab)
    mail_to(client, f"bulk@{DOMAIN}")
    assert client.data("Subject: large\r\n\r\n" + body)[0] == 250
    client.quit()
    message = lab.mail.wait_messages(1, "bulk")[-1].decode()
    assert message.split("\n\n", 1)[1].rstrip("\n").split("\n") == lines


def test_a_client_that_closes_during_data_leaves_nothing(lab):
    def torn():
        return lab.mail.log().count("lost connection after DATA")
    before, torn_before = len(lab.mail.messages()), torn()
    for ending in (b"Subject: torn\r\n\r\nhalf", b"Subject: torn\r\n\r\nwhole line\r\n.", b""):
        client = begin(lab)
        mail_to(client)
        assert client.docmd("DATA")[0] == 354
        client.sock.sendall(ending)
        client.close()
    wait_for("postfix saw three torn sessions", lambda: torn() == torn_before + 3)
    # What it had begun to write goes after that line, as does the large mail of before after its delivery.
    wait_for("the queue is empty", lambda: lab.mail.queue_size() == 0)
    assert len(lab.mail.messages()) == before


SMUGGLED = b"\r\nMAIL FROM:<evil@example.com>\r\nRCPT TO:<" + RCPT.encode() + \
    b">\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"


@pytest.mark.parametrize("mark", [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r",
    b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\n\n.\n", b"\r\r\n.\r\r\n", b"\n.\r\r\n", b"\r\n.\r\0\n"])
def test_no_second_message_is_smuggled(lab, mark):
    before = len(lab.mail.messages())
    client = begin(lab)
    mail_to(client)
    assert client.docmd("DATA")[0] == 354
    client.sock.sendall(b"Subject: carrier\r\n\r\nfirst" + mark + SMUGGLED[2:])
    assert client.getreply()[0] == 250
    assert client.docmd("NOOP")[0] == 250, "exactly one reply came for one message"
    client.quit()
    messages = lab.mail.wait_messages(before + 1)
    wait_for("the queue is empty", lambda: lab.mail.queue_size() == 0)
    assert len(lab.mail.messages()) == before + 1
    assert not [m for m in messages if b"evil@example.com" in m.split(b"\n\n", 1)[0]]


def test_a_line_that_is_too_long_is_refused_and_the_next_one_is_not(lab):
    client = begin(lab)
    client.sock.sendall(b"NOOP " + b"x" * 20000 + b"\r\n")
    assert client.getreply()[0] == 500
    assert client.docmd("NOOP")[0] == 250
    client.quit()


def test_too_many_errors_end_the_session(lab):
    client = begin(lab)
    codes = []
    try:
        for _ in range(60):
            codes.append(client.docmd("GARBAGE")[0])
    except smtplib.SMTPServerDisconnected:
        pass
    assert 421 in codes and len(codes) < 60


def test_auth_succeeds_and_may_then_relay_to_what_the_backend_permits(lab):
    client = begin(lab)
    assert client.login(USER, PASSWORD)[0] == 235
    assert client.docmd("MAIL", "FROM:<a@example.com>")[0] == 250
    client.quit()
    wait_for("the summary names the user",
             lambda: [line for line in lab.events("close") if f'auth="{USER}"' in line])


def test_auth_is_neither_offered_nor_taken_without_as(lab):
    client = begin(lab, "192.0.2.11")
    assert "auth" not in client.esmtp_features
    assert client.docmd("AUTH", "PLAIN AGFubmEAeA==")[0] in (502, 503)
    client.quit()


def test_every_session_ends_in_exactly_one_summary_line(lab):
    source = "192.0.2.73"  # used by no other test here

    def lines():
        return [line for line in lab.events("close") if f"addr={source} " in line]
    for _ in range(5):
        begin(lab, source).quit()
    lab.connect(source).close()
    wait_for("six lines", lambda: len(lines()) >= 6)
    begin(lab).quit()
    wait_for("a later session's line", lambda: lab.rows("sessions") == [])
    assert len(lines()) == 6


def test_sessions_are_listed(lab):
    client = begin(lab)
    rows = [row for row in lab.rows("sessions") if row["addr"] == GOOD4]
    assert rows and rows[0]["service"] == "smtp"
    client.quit()


def test_swaks_delivers(lab):
    before = len(lab.mail.messages())
    done = subprocess.run(
        lab.network.command("clients", "swaks", "--server", GATE4, "--to", RCPT, "--from",
                            "a@example.com", "--helo", "client.example.com", "--pipeline"),
        capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    lab.mail.wait_messages(before + 1)


def test_parallel_sessions_all_deliver(lab):
    before = len(lab.mail.messages())
    sessions = [begin(lab, source) for source in (GOOD4, GOOD6) for _ in range(20)]
    for client in sessions:
        mail_to(client)
    for client in sessions:
        assert client.docmd("DATA")[0] == 354
    for client in sessions:
        client.send("Subject: parallel\r\n\r\nx\r\n.\r\n")
    for client in sessions:
        assert client.getreply()[0] == 250
        client.quit()
    lab.mail.wait_messages(before + 40, seconds=60)
