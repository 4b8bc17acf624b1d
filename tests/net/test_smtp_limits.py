# SPDX-License-Identifier: GPL-2.0-only
"""Limits, timeouts and the end of the gate, with small values."""
import concurrent.futures
import contextlib
import re
import signal
import smtplib
import socket
import time

import pytest
from mailhost import DOMAIN, USER
from netns import GOOD4, GOOD6, GUESSER6
from postern_lab import Lab, wait_for

RCPT = f"{USER}@{DOMAIN}"
LAB = {"gates": 1, "policy": "strikes = observe", "submission": "sessions-per-client-max = 3",
       "limits": "greeting-timeout = 4s\n\tcommand-timeout = 6s\n\tdata-timeout = 4s\n\tsessions-max = 60\n\t"
                 "sessions-per-client-max = 40\n\terrors-max = 5\n\tcommands-max = 30\n\tline-max = 512"}


def let_pass(seconds):
    """Not a wait for an event: the time itself is what is tested."""
    time.sleep(seconds)


def closed_after(sock, feed=None):
    """Seconds until the gate closes, and the last line it said; feed is sent again and again."""
    begin = time.monotonic()
    seen = b""
    sock.settimeout(0.25)
    while time.monotonic() - begin < 30:
        with contextlib.suppress(TimeoutError):
            chunk = sock.recv(4096)
            if not chunk:
                break
            seen += chunk
        if feed:
            let_pass(0.25)
            with contextlib.suppress(OSError):
                sock.sendall(feed)
    return time.monotonic() - begin, seen.rstrip().split(b"\r\n")[-1]


def begin(lab, source=GOOD4):
    client = lab.smtp(source)
    assert client.ehlo()[0] == 250
    return client


@pytest.fixture(autouse=True)
def nothing_is_left_behind(lab):
    yield
    wait_for("no session is left", lambda: not lab.rows("sessions"))


@pytest.mark.parametrize("feed", [None, b"N", b"NOOP\r\n"])
def test_who_says_no_hello_is_cut_off_in_time(lab, feed):
    with lab.connect(GOOD4) as sock:
        seconds, last = closed_after(sock, feed)
    assert 3.5 < seconds < 20 and last.startswith(b"421")


def test_an_idle_client_is_cut_off_and_a_talking_one_is_not(lab):
    client = begin(lab)
    for _ in range(4):
        let_pass(2)
        assert client.docmd("NOOP")[0] == 250
    seconds, last = closed_after(client.sock)
    assert 5.5 < seconds < 20 and last.startswith(b"421")
    client = begin(lab)
    seconds, last = closed_after(client.sock, b"N")
    assert 5.5 < seconds < 20 and last.startswith(b"421")


def test_a_message_that_stops_is_cut_off_and_a_slow_one_is_not(lab):
    before = len(lab.mail.messages())
    client = begin(lab)
    for command in ("MAIL FROM:<a@example.com>", f"RCPT TO:<{RCPT}>", "DATA"):
        client.docmd(command)
    for _ in range(6):
        let_pass(1)
        client.sock.sendall(b"x")
    seconds, last = closed_after(client.sock)
    assert 3.5 < seconds < 20 and last.startswith(b"421")
    wait_for("the queue is empty", lambda: lab.mail.queue_size() == 0)
    assert len(lab.mail.messages()) == before


@pytest.mark.parametrize("line_max", [512, 2048, 12288])
def test_a_line_may_be_as_long_as_line_max(lab, line_max):
    old = lab.settings["limits"]
    lab.write_conf(limits=old.replace("line-max = 512", f"line-max = {line_max}"))
    lab.cli("reload")
    try:
        client = begin(lab)
        for size in (line_max - 1, line_max):
            client.sock.sendall(b"NOOP " + b"x" * (size - 7) + b"\r\n")
            assert client.getreply()[0] == 250, size
        for size in (line_max + 1, line_max + 2, 5 * line_max):
            client.sock.sendall(b"NOOP " + b"x" * (size - 7) + b"\r\n")
            assert client.getreply()[0] == 500, size
        # Longer than what is passed on: refused here, and no message is under way then.
        filler = " ".join(f"X{n}={'v' * (line_max // 11)}" for n in range(10))
        assert 500 <= client.docmd(f"MAIL FROM:<a@example.com> {filler}")[0] < 600
        assert client.docmd("MAIL FROM:<a@example.com>")[0] == 250
        client.quit()
    finally:
        lab.write_conf(limits=old)
        lab.cli("reload")


def test_errors_and_commands_have_an_end(lab):
    for command, most in (("FROBNICATE", 6), ("NOOP", 31), ("RCPT TO:<nobody@example.org>", 31)):
        client = begin(lab)
        if command.startswith("RCPT"):
            client.docmd("MAIL FROM:<a@example.com>")
        codes = []
        with contextlib.suppress(smtplib.SMTPServerDisconnected):
            for _ in range(100):
                codes.append(client.docmd(command)[0])
        assert codes[-1] == 421 and len(codes) <= most + 1, (command, codes)


@pytest.fixture
def patient(lab):
    """Many clients that say nothing are all there at once, however long it takes to connect them."""
    old = lab.settings["limits"]
    lab.write_conf(limits=old.replace("greeting-timeout = 4s", "greeting-timeout = 2m"))
    lab.cli("reload")
    yield
    lab.write_conf(limits=old)
    lab.cli("reload")


def test_sessions_of_one_client_and_of_all(lab, patient):
    held = [lab.connect(GOOD4) for _ in range(41)]
    greetings = [sock.recv(512)[:3] for sock in held]
    assert greetings.count(b"220") == 40 and greetings[-1] == b"421"
    # A /64 is one client.
    held += [lab.connect(source) for source in (GUESSER6, "2001:db8:1:66::67") for _ in range(10)]
    last = lab.connect(GOOD6)
    assert last.recv(512).startswith(b"421"), "60 sessions in all"
    for sock in held + [last]:
        sock.close()
    wait_for("there is room again", lambda: not lab.rows("sessions"))
    begin(lab).quit()


def test_sessions_of_one_client_at_one_service(lab):
    held = [lab.connect(GOOD4, 587) for _ in range(4)]
    assert [sock.recv(512)[:3] for sock in held] == [b"220"] * 3 + [b"421"]
    assert " limit=sessions-per-client-max-of-service " in lab.wait_event("crowded")[-1]
    held += [lab.connect(GOOD4), lab.connect("192.0.2.67", 587)]
    assert [sock.recv(512)[:3] for sock in held[4:]] == [b"220"] * 2, "another service, another client"
    held[0].close()
    wait_for("there is room again", lambda: len(lab.rows("sessions")) == 4)
    again = lab.connect(GOOD4, 587)
    assert again.recv(512).startswith(b"220")
    for sock in held + [again]:
        sock.close()


def test_a_storm_of_connections_passes(lab):
    def one(n):
        with contextlib.suppress(OSError), lab.connect(GOOD4, timeout=30) as sock:
            if n % 3:
                sock.recv(512)
            if n % 5 == 0:
                sock.sendall(b"EHLO c.example.com\r\nMAIL FROM:<a@example.com>\r\n")
            return True
        return False

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        done = list(pool.map(one, range(2000)))
    assert sum(done) > 1900
    wait_for("no session is left", lambda: not lab.rows("sessions"))
    begin(lab).quit()


def ticks(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def switches(pid):
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", open(f"/proc/{pid}/status").read(), re.M)[1])


def test_an_idle_gate_sleeps(lab):
    pid, = lab.pids("gate")
    wait_for("no session is left", lambda: not lab.rows("sessions"))
    let_pass(0.5)
    before = switches(pid)
    let_pass(2)
    assert switches(pid) - before <= 2
    half = lab.connect(GOOD4)
    half.recv(512)
    half.sendall(b"NOOP\r\n")
    half.shutdown(socket.SHUT_WR)
    begin_ticks = ticks(pid)
    idle = [lab.connect(GOOD4) for _ in range(10)]
    let_pass(1)
    assert ticks(pid) - begin_ticks < 10, "no loop turns for nothing"
    for sock in idle + [half]:
        sock.close()


def test_few_descriptors_make_few_sessions_and_no_trouble():
    """Sessions are cut to what the process may open: accept never fails for want of a descriptor."""
    class Poor(Lab):
        def posternd(self, *args):
            words = super().posternd(*args)
            at = next(n for n, word in enumerate(words) if word.endswith("/posternd"))
            return words[:at] + ["prlimit", "--nofile=200:200"] + words[at:]

    with Poor("poor", gates=1, limits="sessions-per-client-max = 500") as lab:
        pid, = lab.pids("gate")
        held = []
        for _ in range(150):
            held.append(lab.connect(GOOD4))
            if not held[-1].recv(512).startswith(b"220"):
                break
            held[-1].sendall(b"EHLO c.example.com\r\n")
            assert held[-1].recv(512).startswith(b"250"), "there is a descriptor for the backend, too"
        assert 20 < len(held) < 150
        begin_ticks = ticks(pid)
        let_pass(1)
        assert ticks(pid) - begin_ticks < 20, "no busy loop"
        assert not lab.events("accept-failed")
        for sock in held:
            sock.close()
        wait_for("there is room again", lambda: not lab.rows("sessions"))
        begin(lab).quit()


def test_shutdown_lets_a_message_finish_and_nothing_else():
    with Lab("shutdown", gates=2, limits="shutdown-grace = 60s") as lab:
        idle, silent, client = begin(lab), lab.connect(GOOD4), begin(lab, GOOD6)
        silent.recv(512)
        for command in ("MAIL FROM:<a@example.com>", f"RCPT TO:<{RCPT}>", "DATA"):
            client.docmd(command)
        client.sock.sendall(b"Subject: last\r\n\r\n")
        lab.daemon.send_signal(signal.SIGTERM)
        assert idle.getreply()[0] == 421
        assert silent.recv(512).startswith(b"421")
        for source in (GOOD4, GOOD6):
            with pytest.raises(OSError):
                lab.connect(source, timeout=2).recv(512).index(b"220")
        client.sock.sendall(b"x\r\n.\r\n")
        assert client.getreply()[0] == 250
        with contextlib.suppress(smtplib.SMTPServerDisconnected):
            assert client.getreply()[0] == 421
        lab.mail.wait_messages(1)
        begun = time.monotonic()
        assert lab.stop() == 0
        assert time.monotonic() - begun < 40, "nothing to wait for any more"
