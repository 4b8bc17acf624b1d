# SPDX-License-Identifier: GPL-2.0-only
"""After the login: bytes both ways, unread and unchanged, with bounded memory, until both sides have ended."""
import contextlib
import itertools
import os
import random
import re
import signal
import socket

import pytest
from mailhost import PASSWORD, USER
from netns import GOOD4, MAIL4
from pop3_lab import STAND_IN_PORT, Pop3, Raw, closed, field, pop3_service, stand_in
from postern_lab import Lab, wait_for

LAB = {"services": pop3_service(), "gates": 1}
BIG_BYTES = 100_000_000


NUMBERS = itertools.count()  # Dovecot remembers what it knows of a name


def deliver(lab, body):
    """A message into the maildir of USER, as a file."""
    new = lab.mail.dir / "mail" / USER / "new"
    if not new.exists():
        client = Pop3(lab)  # Dovecot makes the directories
        client.user(USER)
        client.pass_(PASSWORD)
        client.quit()
    number = next(NUMBERS)
    path = new / f"17000{number:05}.M1P1.host"
    path.write_bytes(b"Subject: %d\n\n" % number + body)
    os.chown(path, new.stat().st_uid, new.stat().st_gid)


def reset(sock):
    """Its end will be one."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def empty(lab):
    for folder in "new", "cur":
        for path in (lab.mail.dir / "mail" / USER / folder).glob("*"):
            path.unlink()


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


def test_a_mailbox_of_hundreds_byte_for_byte(lab):
    random.seed(1)
    sent = []
    for n in range(300):
        lines = [bytes(random.choice(b".ab \xe9\x01") for _ in range(random.randrange(70)))
                 for _ in range(random.randrange(60))]
        sent.append(lines)
        deliver(lab, b"".join(line + b"\n" for line in lines))
    client = Pop3(lab)
    port = client.local_port
    client.user(USER)
    client.pass_(PASSWORD)
    assert client.stat()[0] == 300
    for n, lines in enumerate(sent):
        _, got, _ = client.retr(n + 1)
        assert got == [b"Subject: %d" % n, b"", *lines], n
    for n in range(300):
        client.dele(n + 1)
    client.quit()
    assert field(closed(lab, port), "reason") == "closed"
    client = Pop3(lab)
    client.user(USER)
    client.pass_(PASSWORD)
    assert client.stat()[0] == 0, "DELE and QUIT have reached Dovecot"
    client.quit()


def test_a_message_of_100_mb_and_a_slow_reader(lab):
    line = bytes(range(32, 127)) + b"\n"
    deliver(lab, line * (BIG_BYTES // len(line)))
    pid, = lab.pids("gate")
    with Raw(lab) as client:
        assert client.login(USER, PASSWORD).startswith("+OK")
        before = resident_kib(pid)
        assert client.ask("RETR 1").startswith("+OK")

        def sent():
            row, = [r for r in lab.rows("sessions") if r["port"] == client.port]
            return row["bytes_out"]
        stalled = wait_for("nothing moves any more", lambda: (a := sent()) > 100_000 and a == sent() and a)
        assert stalled < 20_000_000
        assert resident_kib(pid) - before < 2000
        assert lab.smtp().noop()[0] == 250, "nobody else waits"
        got = 0
        while True:
            piece = client.file.readline()
            if piece == b".\r\n":
                break
            got += len(piece)
        assert got > BIG_BYTES
        assert resident_kib(pid) - before < 2000
        assert client.ask("NOOP").startswith("+OK")
    wait_for("no session is left", lambda: not lab.rows("sessions"))
    empty(lab)


def fds(pid):
    return [os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")]


def pipes(pid):
    return [name for name in fds(pid) if name.startswith("pipe:")]


def test_idle_sessions_hold_nothing_and_pipes_are_few(lab):
    line = b"x" * 70 + b"\n"
    deliver(lab, line * 100000)
    pid, = lab.pids("gate")
    before = len(pipes(pid))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Raw(lab)) for _ in range(20)]
        for client in clients:
            assert client.login(USER, PASSWORD).startswith("+OK")
            client.send("RETR 1\r\n")
        for client in clients:
            assert len(client.lines()) > 100000
            assert client.ask("NOOP").startswith("+OK")
        assert len(pipes(pid)) - before <= 2 * 8, "RELAY_PIPES_KEPT"
        sockets = sum(name.startswith("socket:") for name in fds(pid))
    wait_for("no session is left", lambda: not lab.rows("sessions"))
    assert sockets - sum(name.startswith("socket:") for name in fds(pid)) == 40
    empty(lab)


def test_a_client_that_goes_away_amid_a_message(lab):
    line = b"x" * 70 + b"\n"
    deliver(lab, line * 200000)
    pid, = lab.pids("gate")
    before = len(fds(pid))
    for _ in range(10):
        client = Raw(lab)
        assert client.login(USER, PASSWORD).startswith("+OK")
        client.send("RETR 1\r\n")
        client.sock.recv(100)
        reset(client.sock)
        client.close()
        assert field(closed(lab, client.port), "reason") == "client-reset"
    assert len(fds(pid)) <= before + 2 * 8
    empty(lab)


def test_a_gate_that_is_killed_takes_its_sessions_and_nothing_else(lab):
    with Raw(lab) as client:
        assert client.login(USER, PASSWORD).startswith("+OK")
        pid, = lab.pids("gate")
        assert pid > 1
        os.kill(pid, signal.SIGKILL)
        assert client.rest() == b""
    wait_for("another gate serves", lambda: lab.pids("gate") not in ([pid], []) and lab.reachable(GOOD4, 110))
    with Raw(lab) as client:
        assert client.login(USER, PASSWORD).startswith("+OK")


# ---- a backend that does what it is told ----


@pytest.fixture(scope="module")
def scripted():
    with Lab("pop3-script", gates=1, log_level="debug", limits="shutdown-grace = 5s",
             services=pop3_service("none", f"{MAIL4}:{STAND_IN_PORT}")) as lab:
        yield lab


def logged_in(lab):
    client = Raw(lab)
    assert client.login(USER, "pw").startswith("+OK")
    return client


def let_in(peer):
    assert peer.until_pass() == b"PASS pw\r\n"
    peer.say(b"+OK in\r\n")


def test_what_comes_with_the_login_is_passed_on(scripted):
    def script(peer):
        assert peer.until_pass() == b"PASS pw\r\n"
        peer.say(b"+OK in\r\n\0more\xff")
        assert peer.lines.read(9) == b"ahead\0\xff\r\n"
        peer.say(b"bye")
    with stand_in(scripted, script), Raw(scripted) as client:
        client.send(b"USER anna\r\nPASS pw\r\nahead\0\xff\r\n")
        client.sock.shutdown(socket.SHUT_WR)
        assert client.rest() == b"+OK\r\n+OK in\r\n\0more\xffbye"


def test_the_backend_ends_and_the_client_goes_on(scripted):
    """Half-closed by the backend: what the client still says arrives."""
    def script(peer):
        let_in(peer)
        peer.sock.shutdown(socket.SHUT_WR)
        assert peer.lines.read() == b"x" * 3_000_000
    with stand_in(scripted, script), logged_in(scripted) as client:
        assert client.file.read() == b""
        client.send(b"x" * 3_000_000)
        client.sock.shutdown(socket.SHUT_WR)
        assert field(closed(scripted, client.port), "reason") == "closed"
    assert int(field(closed(scripted, client.port), "bytes_in")) > 3_000_000


def test_the_client_ends_and_the_backend_goes_on(scripted):
    def script(peer):
        let_in(peer)
        assert peer.lines.read() == b""
        peer.say(b"y" * 3_000_000)
    with stand_in(scripted, script), logged_in(scripted) as client:
        client.sock.shutdown(socket.SHUT_WR)
        assert client.rest() == b"y" * 3_000_000
    assert field(closed(scripted, client.port), "reason") == "closed"


def test_a_reset_of_the_backend_is_one_for_the_client(scripted):
    def script(peer):
        let_in(peer)
        peer.say(b"half a mess")
        assert peer.lines.readline() == b"NOOP\r\n"
        reset(peer.sock)
    with stand_in(scripted, script), logged_in(scripted) as client:
        client.send("NOOP\r\n")
        with pytest.raises(ConnectionResetError):
            while client.sock.recv(100):
                pass
    assert field(closed(scripted, client.port), "reason") == "backend-reset"


def test_both_ways_at_once(scripted):
    size = 30_000_000
    up, down = random.Random(2).randbytes(size), random.Random(3).randbytes(size)

    def script(peer):
        import threading
        let_in(peer)
        sender = threading.Thread(target=peer.say, args=(down,))
        sender.start()
        assert peer.lines.read(size) == up
        sender.join()
    with stand_in(scripted, script), logged_in(scripted) as client:
        import threading
        sender = threading.Thread(target=client.send, args=(up,))
        sender.start()
        assert client.file.read(size) == down
        sender.join()
        assert client.rest() == b""
    line = closed(scripted, client.port)
    assert int(field(line, "bytes_in")) == size + len(b"USER anna\r\nPASS pw\r\n")


def test_what_a_backend_may_not_say(scripted):
    answers = [b"+ challenge\r\n", b"220 ESMTP\r\n", b"* OK\r\n", b"\r\n", b"+OKAY\r\n", b"+OK " + b"x" * 20000 + b"\r\n"]
    scripts = []
    for answer in answers:
        def script(peer, answer=answer):
            peer.until_pass()
            peer.say(answer)
            peer.lines.read()
        scripts.append(script)
    with stand_in(scripted, *scripts):
        for answer in answers:
            with Raw(scripted) as client:
                got = client.login(USER, "pw")
                assert got == "-ERR [SYS/TEMP] the mail host went away, try again", answer
            line = closed(scripted, client.port)
            assert field(line, "strikes") == "0" and field(line, "reason") == "backend-lost"


def test_a_user_that_the_backend_refuses_is_a_refused_login(scripted):
    def script(peer):
        assert peer.begin().startswith(b"USER nobody")
        peer.say(b"-ERR no such user here\r\n")
        assert peer.lines.readline() == b"USER anna\r\n", "the password was not sent"
        peer.say(b"+OK\r\n")
        assert peer.lines.readline() == b"PASS pw\r\n"
        peer.say(b"-ERR [SYS/TEMP] not now\r\n")
        peer.lines.read()
    with stand_in(scripted, script), Raw(scripted) as client:
        assert client.login("nobody", "pw") == "-ERR no such user here"
        assert client.login(USER, "pw") == "-ERR [SYS/TEMP] not now"
    assert field(closed(scripted, client.port), "strikes") == "1"


def test_utf8_and_lang_bind_the_session_to_its_backend(scripted):
    def script(peer):
        assert peer.begin() == b"UTF8\r\n"
        peer.say(b"+OK utf8\r\n")
        peer.expect(b"LANG\r\n", b"+OK list\r\nen English\r\n.\r\n")
        peer.expect(b"LANG DE", b"-ERR no\r\n")
        peer.expect(b"USER", b"+OK\r\n")
        peer.expect(b"PASS", b"-ERR [AUTH] wrong\r\n")
    with stand_in(scripted, script), Raw(scripted) as client:
        assert client.ask("UTF8") == "+OK utf8"
        assert client.ask("LANG") == "+OK list" and client.lines() == ["en English"]
        assert client.ask("LANG de") == "-ERR no"
        assert client.login("us\xe9r", "pw") == "-ERR [AUTH] wrong"
        assert client.line().startswith("-ERR [SYS/TEMP]"), "no other one would understand it"


def test_an_old_backend_without_capa(scripted):
    scripted.cli("reload")  # forgets what was offered
    with stand_in(scripted, lambda peer: (peer.say(b"+OK old\r\n"), peer.expect(b"CAPA", b"-ERR what\r\n"),
                                          peer.expect(b"USER", b"+OK\r\n"), peer.expect(b"PASS", b"+OK\r\n"))):
        with Raw(scripted) as client:
            assert client.ask("CAPA").startswith("+OK") and client.lines() == ["USER"]
            assert client.login(USER, "pw") == "+OK"
    scripted.cli("reload")


def test_a_shutdown_lets_a_download_finish_and_idle_sessions_go():
    with Lab("pop3-end", gates=1, limits="shutdown-grace = 20s",
             services=pop3_service("none", f"{MAIL4}:{STAND_IN_PORT}")) as lab:
        import threading
        go_on = threading.Event()

        def slow(peer):
            let_in(peer)
            peer.say(b"z" * 1_000_000)
            go_on.wait(30)
            peer.say(b"z" * 1_000_000)

        def idle(peer):
            let_in(peer)
            peer.lines.read()
        with stand_in(lab, idle, slow), logged_in(lab) as sleeper, logged_in(lab) as loader, Raw(lab) as waiting:
            got = len(loader.file.read(1_000_000))
            lab.daemon.terminate()
            assert waiting.line() == "-ERR [SYS/TEMP] shutting down"
            go_on.set()
            got += len(loader.rest())
            assert got == 2_000_000
            loader.close()
            assert sleeper.rest() == b""
            assert lab.daemon.wait(30) == 0
        assert field(closed(lab, sleeper.port), "reason") == "shutdown"
        assert field(closed(lab, loader.port), "reason") == "closed"
