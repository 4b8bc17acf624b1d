# SPDX-License-Identifier: GPL-2.0-only
"""Messages at the borders of buffers and segments, and clients that leave in every state."""
import contextlib
import socket
import struct
import time

import pytest
from mailhost import DOMAIN, USER
from netns import GOOD4, MAIL4
from postern_lab import wait_for

LAB = {"gates": 1, "policy": "strikes = observe", "limits": "sessions-per-client-max = 100"}
RCPT = f"{USER}@{DOMAIN}"
KIB = 1024


def begin_data(lab):
    client = lab.smtp(GOOD4)
    client.ehlo()
    client.send(f"MAIL FROM:<a@example.com>\r\nRCPT TO:<{RCPT}>\r\nDATA\r\n")
    assert [client.getreply()[0] for _ in range(3)] == [250, 250, 354]
    return client


def delivered(lab, subject):
    def found():
        return [m for m in lab.mail.messages() if b"Subject: " + subject.encode() + b"\n" in m]
    return wait_for(f"{subject} arrives", found)


@pytest.fixture(autouse=True)
def nothing_is_left_behind(lab):
    yield
    wait_for("no session is left", lambda: not lab.rows("sessions"))
    wait_for("no connection to the backend is left", lambda: not lab.network.run(
        "gate", "ss", "-Htn", "state", "connected", "exclude", "time-wait", f"dst {MAIL4}").stdout)


@pytest.mark.parametrize("size", [base + n for base in (4096, 16 * KIB, 64 * KIB, 128 * KIB)
                                  for n in (-3, -2, -1, 0, 1, 2, 3)])
def test_a_message_that_ends_where_a_buffer_does(lab, size):
    """The whole of it, end mark and next commands included, in one write."""
    head = f"Subject: size {size}\r\n\r\n".encode()
    lines = (b"x" * 62 + b"\r\n") * (size // 64 + 1)
    body = (head + lines)[:size - 5]
    body = body[:-1] + b"y" if body.endswith((b"\r", b"\n")) else body
    message = body + b"\r\n.\r\n"
    assert len(message) == size
    client = begin_data(lab)
    client.sock.sendall(message + b"NOOP\r\nQUIT\r\n")
    assert [client.getreply()[0] for _ in range(3)] == [250, 250, 221]
    client.close()
    got, = delivered(lab, f"size {size}")
    assert got.split(b"\n\n", 1)[1].rstrip(b"\n") == message[len(head):-5].replace(b"\r\n", b"\n").rstrip(b"\n")


@pytest.mark.parametrize("fill", [0, 4095, 65530])
def test_an_end_mark_in_two_segments(lab, fill):
    ending = b"\r\n.\r\nNOOP\r\n"
    client = lab.smtp(GOOD4)
    client.ehlo()
    for cut in range(1, len(ending)):
        client.send(f"MAIL FROM:<a@example.com>\r\nRCPT TO:<{RCPT}>\r\nDATA\r\n")
        assert [client.getreply()[0] for _ in range(3)] == [250, 250, 354]
        client.sock.sendall(b"Subject: cut\r\n\r\n" + b"x" * fill + ending[:cut])
        time.sleep(0.01)  # no condition to wait for: the gate has nothing to say to half an end
        client.sock.sendall(ending[cut:])
        assert [client.getreply()[0] for _ in range(2)] == [250, 250], cut
    client.quit()


@pytest.mark.parametrize("lines,codes", [
    (b"bare\nlf", {550}), (b"bare\rcr", {550}), (b"crlf\r\n..\r\nfine", {250}), (b"x\r\n.\r", {550}),
    (b"x\n.\n", {550}), (b"x\r\n.\n", {550}), (b"\xff\xfe 8-bit", {250})])
def test_reject_refuses_what_normalize_repairs(lab, lines, codes):
    lab.write_conf(service="bare-newline = reject")
    lab.cli("reload")
    try:
        wait_for("the queue is empty", lambda: lab.mail.queue_size() == 0)
        before = len(lab.mail.messages())
        client = begin_data(lab)
        client.sock.sendall(b"Subject: reject\r\n\r\n" + lines + b"\r\n.\r\n")
        assert client.getreply()[0] in codes
        client.close()
        if codes == {250}:
            lab.mail.wait_messages(before + 1)
        wait_for("the queue is empty", lambda: lab.mail.queue_size() == 0)
        assert len(lab.mail.messages()) == before + (codes == {250})
    finally:
        lab.write_conf(service="")
        lab.cli("reload")


def test_half_closed_after_the_end_mark_the_reply_still_comes(lab):
    client = begin_data(lab)
    client.sock.sendall(b"Subject: half-closed\r\n\r\nx\r\n.\r\n")
    client.sock.shutdown(socket.SHUT_WR)
    assert client.getreply()[0] == 250
    assert client.file.read() == b""
    client.close()
    delivered(lab, "half-closed")


def test_a_whole_session_in_one_segment_half_closed(lab):
    with lab.connect(GOOD4) as sock:
        sock.sendall(b"EHLO c.example.com\r\nMAIL FROM:<a@example.com>\r\n"
                     b"RCPT TO:<" + RCPT.encode() + b">\r\nNOOP\r\nRSET\r\nQUIT\r\n")
        sock.shutdown(socket.SHUT_WR)
        seen = sock.makefile("rb").read()
    codes = [line[:3] for line in seen.split(b"\r\n") if line[3:4] == b" "]
    assert codes == [b"220", b"250", b"250", b"250", b"250", b"250", b"221"]


@pytest.mark.parametrize("how", ["close", "reset", "half"])
def test_a_client_that_leaves_in_any_state_leaves_nothing(lab, how):
    wait_for("the queue is empty", lambda: lab.mail.queue_size() == 0)
    before = len(lab.mail.messages())
    talk = [b"", b"NO", b"OP\r\n", b"EHLO c.example.com\r\n", b"AUTH LOGIN\r\n", b"*\r\n", b"MAIL FROM:<a@example.com>\r\n",
            b"RCPT TO:<" + RCPT.encode() + b">\r\n", b"DATA\r\n", b"Subject: left\r\n\r\nx", b"\r\n.", b"\r"]
    for count in range(len(talk)):
        for waits in (True, False):
            with lab.connect(GOOD4) as sock:
                for line in talk[:count + 1]:
                    sock.sendall(line)
                    if waits and line.endswith(b"\n") or not line:
                        sock.recv(4096)
                if how == "reset":
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                elif how == "half":
                    sock.shutdown(socket.SHUT_WR)
                    with contextlib.suppress(OSError):
                        while sock.recv(4096):
                            pass
    wait_for("no session is left", lambda: not lab.rows("sessions"))
    wait_for("the queue is empty", lambda: lab.mail.queue_size() == 0)
    assert len(lab.mail.messages()) == before


def test_a_thousand_recipients_in_one_write(lab):
    client = lab.smtp(GOOD4, timeout=60)
    client.ehlo()
    before = len(lab.mail.messages("bulk"))
    commands = [f"RCPT TO:<bulk@{DOMAIN}>\r\n"] * 990 + ["RCPT TO:<x@far.example>\r\n", "NOOP\r\n"] * 5
    client.sock.sendall(("MAIL FROM:<a@example.com>\r\n" + "".join(commands) + "DATA\r\n").encode())
    codes = [client.getreply()[0] for _ in range(1 + 1000)]
    assert codes == [250] * 991 + [454, 250] * 5 or codes == [250] * 991 + [554, 250] * 5
    assert client.getreply()[0] == 354
    client.send("Subject: many\r\n\r\nx\r\n.\r\n")
    assert client.getreply()[0] == 250
    client.quit()
    lab.mail.wait_messages(before + 1, "bulk")


def test_more_pipelined_commands_than_anybody_reads(lab):
    """The client sends for ever and reads nothing: the gate stops reading, and holds little."""
    pid, = lab.pids("gate")
    with lab.connect(GOOD4) as sock:
        sock.sendall(b"EHLO c.example.com\r\n")
        sock.settimeout(1)
        before = resident(pid)
        with contextlib.suppress(OSError):
            for _ in range(200):
                sock.sendall(b"MAIL FROM:<a@example.com>\r\nRSET\r\n" * 2000)
        assert resident(pid) - before < 1 << 20


def resident(pid):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def test_a_large_message_costs_no_memory(lab):
    pid, = lab.pids("gate")
    client = lab.smtp(GOOD4, timeout=60)
    client.ehlo()
    client.send(f"MAIL FROM:<a@example.com>\r\nRCPT TO:<bulk@{DOMAIN}>\r\nDATA\r\n")
    assert [client.getreply()[0] for _ in range(3)] == [250, 250, 354]
    before = resident(pid)
    chunk = (b"x" * 70 + b"\r\n") * 14000
    for _ in range(60):
        client.sock.sendall(chunk)
        assert resident(pid) - before < 2 << 20
    client.sock.sendall(b".\r\n")
    assert client.getreply()[0] == 250
    client.quit()


@pytest.mark.parametrize("mail,body", [
    ("MAIL FROM:<\u00e4@example.com> SMTPUTF8", "\u00fc"), ("MAIL FROM:<a@example.com> BODY=8BITMIME", "\u00fc\xff"),
    ("MAIL FROM:<a@example.com> RET=HDRS ENVID=abc+2B", "x"), (f"MAIL FROM:<{'l' * 90}@example.com>", "x"),
    ("MAIL FROM:<a..b@example.com>", "x"), ("MAIL FROM:<@r.example:a@example.com>", "x")])
def test_addresses_and_parameters_arrive_as_they_are(lab, mail, body):
    before = set(lab.mail.messages())
    client = lab.smtp(GOOD4)
    client.ehlo()
    client.sock.sendall(f"{mail}\r\nRCPT TO:<{RCPT}> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;{RCPT}\r\nDATA\r\n".encode())
    assert [client.getreply()[0] for _ in range(3)] == [250, 250, 354]
    client.sock.sendall(b"Subject: as it is\r\n\r\n" + body.encode("latin-1") + b"\r\n.\r\n")
    assert client.getreply()[0] == 250
    client.quit()
    new, = wait_for("it arrives", lambda: set(lab.mail.messages()) - before)
    sender = mail.split("<")[1].split(">")[0].split(":")[-1]
    assert f"Return-Path: <{sender}>".encode() in new.replace(b'"', b"")
    assert new.rstrip(b"\n").endswith(body.encode("latin-1"))


def test_a_size_that_the_backend_refuses(lab):
    client = lab.smtp(GOOD4)
    client.ehlo()
    assert client.docmd("MAIL FROM:<a@example.com> SIZE=99999999999")[0] == 552
    assert client.docmd("MAIL FROM:<a@example.com> SIZE=10")[0] == 250
    client.quit()
