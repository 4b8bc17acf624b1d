# SPDX-License-Identifier: GPL-2.0-only
"""POP3 up to the login, with a real Dovecot: what is offered, every way to log in, what is refused."""
import hashlib
import hmac
import base64
import poplib

import pytest
from mailhost import PASSWORD, USER
from netns import GATE4, GOOD4, GOOD6
from pop3_lab import Pop3, Raw, b64, closed, field, plain, pop3_service
from postern_lab import Lab, wait_for, writable_memory

IDLE4, LATER4 = "192.0.2.71", "192.0.2.73"

LAB = {"services": pop3_service(), "policy": "strikes = observe", "gates": 1,
       "limits": "errors-max = 1000\n\tcommands-max = 1000"}


def test_greeting_and_capabilities_are_our_own(lab):
    with Raw(lab) as client:
        assert client.greeting == "+OK gate.example.net POP3 ready"
        assert client.ask("CAPA").startswith("+OK")
        capa = client.lines()
        assert "USER" in capa and "UIDL" in capa and "TOP" in capa and "RESP-CODES" in capa
        assert "SASL PLAIN LOGIN CRAM-MD5" in capa
        assert not any(line.startswith(("STLS", "XCLIENT", "IMPLEMENTATION")) for line in capa)
        assert client.ask("AUTH").startswith("+OK")
        assert client.lines() == ["PLAIN", "LOGIN", "CRAM-MD5"]


def test_an_idle_client_costs_the_backend_nothing(lab):
    with Raw(lab) as known:  # what is offered is known from now on
        known.ask("CAPA")
        known.lines()
    with Raw(lab, IDLE4) as client:
        client.ask("CAPA")
        client.lines()
        assert client.ask("USER anna") == "+OK"
        assert client.ask("QUIT") == "+OK goodbye"
        assert client.rest() == b""
    assert field(closed(lab, client.port), "reason") == "quit"
    later = Pop3(lab, LATER4)
    later.user(USER)
    assert later.pass_(PASSWORD).startswith(b"+OK")
    later.quit()
    wait_for("Dovecot has logged who came later", lambda: f"rip={LATER4}," in lab.mail.log("dovecot.log"))
    assert f"rip={IDLE4}," not in lab.mail.log("dovecot.log")


@pytest.mark.parametrize("source", [GOOD4, GOOD6])
def test_poplib_logs_in(lab, source):
    client = Pop3(lab, source)
    port = client.local_port
    client.user(USER)
    assert client.pass_(PASSWORD).startswith(b"+OK")
    assert len(client.stat()) == 2
    row, = [r for r in lab.rows("sessions") if r["port"] == port]
    assert row["state"] == "relay" and row["user"] == USER and row["service"] == "pop3"
    assert client.quit().startswith(b"+OK")
    line = closed(lab, port)
    assert field(line, "auth") == USER and field(line, "reason") == "closed"
    assert field(line, "strikes") == "0" and int(field(line, "bytes_out")) > 0
    wait_for("Dovecot says that it sees the client", lambda: f"rip={source}," in lab.mail.log("dovecot.log"))


def test_curl_fetches(lab):
    done = lab.network.run("clients", "curl", "-sS", "--user", f"{USER}:{PASSWORD}",
                           "--interface", GOOD4, f"pop3://{GATE4}/")
    assert done.returncode == 0
    done = lab.network.run("clients", "curl", "-sS", "--user", f"{USER}:wrong", "--interface", GOOD4,
                           f"pop3://{GATE4}/", check=False)
    assert done.returncode == 67, "login denied"


def cram(client, secret):
    challenge = base64.b64decode(client.ask("AUTH CRAM-MD5")[2:])
    return b64(f"{USER} {hmac.new(secret.encode(), challenge, 'md5').hexdigest()}")


def by_cram(client, secret):
    return client.ask(cram(client, secret))


def by_lines(*lines):
    def login(client, secret):
        answer = ""
        for line in lines:
            answer = client.ask(line(secret))
        return answer
    return login


WAYS = {
    "USER and PASS": lambda client, secret: client.login(USER, secret),
    "in lower case": by_lines(lambda _: f"user {USER}", lambda s: f"pass {s}"),
    "PLAIN": by_lines(lambda s: "AUTH PLAIN " + plain(USER, s)),
    "PLAIN in two steps": by_lines(lambda _: "AUTH PLAIN", lambda s: plain(USER, s)),
    "LOGIN": by_lines(lambda _: "AUTH LOGIN", lambda _: b64(USER), b64),
    "CRAM-MD5": by_cram,
}


@pytest.mark.parametrize("way", WAYS)
def test_what_logs_in_when_right_is_counted_when_wrong(lab, way):
    with Raw(lab) as client:
        assert WAYS[way](client, PASSWORD).startswith("+OK")
        assert client.ask("NOOP").startswith("+OK")
    assert field(closed(lab, client.port), "strikes") == "0"
    with Raw(lab) as client:
        assert WAYS[way](client, "wrong " + way) == "-ERR [AUTH] Authentication failed."
        # The backend is still there, and takes the right one.
        assert WAYS[way](client, PASSWORD).startswith("+OK")
        assert client.ask("NOOP").startswith("+OK")
    line = closed(lab, client.port)
    assert field(line, "strikes") == "1" and field(line, "auth") == USER
    strike, = [e for e in lab.events("strike") if field(e, "id") == field(line, "id")]
    assert field(strike, "user") == USER and field(strike, "service") == "pop3"


def test_what_is_no_login_is_no_strike(lab):
    with Raw(lab) as client:
        assert client.ask("AUTH PLAIN") == "+ "
        assert client.ask("*").startswith("-ERR")
        assert client.ask("AUTH PLAIN") == "+ "
        assert client.ask("no base64!").startswith("-ERR")
        assert client.ask("AUTH PLAIN no-base64!").startswith("-ERR")
        assert client.ask("AUTH NONESUCH AAAA") == "-ERR this mechanism is not offered"
        assert client.ask("AUTH LOGIN").startswith("+ ")
        assert client.ask(b64(USER)).startswith("+ ")
        assert client.ask("").startswith("-ERR")
        assert client.ask("PASS x") == "-ERR say USER first"
        assert client.ask("USER anna") == "+OK"
        assert client.ask("PASS ").startswith("-ERR")
        assert client.ask("PASS").startswith("-ERR")
        assert client.ask("PASS a\rb").startswith("-ERR")
        assert client.ask("PASS a\0b").startswith("-ERR")
        assert client.login(USER, PASSWORD).startswith("+OK")
    assert field(closed(lab, client.port), "strikes") == "0"


def test_commands_that_are_not_for_clients(lab):
    with Raw(lab) as client:
        for line in ("XCLIENT ADDR=192.0.2.99", "PROXY TCP4 192.0.2.99 192.0.2.1 1 110", "STLS", "APOP anna x",
                     "STAT", "RETR 1", "DELE 1", "NOOP", "EHLO x", "", "USER", "USER " + "x" * 300):
            assert client.ask(line).startswith("-ERR"), line
        assert client.ask("X" * 5000) == "-ERR line too long"
        assert client.login(USER, PASSWORD).startswith("+OK")
    with Raw(lab) as client:
        assert client.ask("GET / HTTP/1.1") == "-ERR this is no web server"
        assert client.rest() == b""
    lab.wait_event("not-pop")


def test_a_pipeline_is_answered_in_order(lab):
    with Raw(lab) as client:
        client.send(f"CAPA\r\nUSER {USER}\r\nPASS wrong\r\nUSER {USER}\r\nPASS {PASSWORD}\r\nSTAT\r\nNOOP\r\nQUIT\r\n")
        assert client.line().startswith("+OK") and "UIDL" in client.lines()
        assert [client.line()[:4] for _ in range(7)] == ["+OK", "-ERR", "+OK", "+OK ", "+OK ", "+OK", "+OK "]
        assert client.rest() == b""
    assert field(closed(lab, client.port), "strikes") == "1"


def test_byte_by_byte(lab):
    with Raw(lab) as client:
        for byte in f"USER {USER}\r\nPASS {PASSWORD}\r\nNOOP\r\n":
            client.send(byte)
        assert [client.line()[:3] for _ in range(3)] == ["+OK"] * 3


def test_a_client_that_has_no_more_to_say_is_still_answered(lab):
    with Raw(lab) as client:
        client.send(f"USER {USER}\r\nPASS {PASSWORD}\r\nSTAT\r\nQUIT\r\n")
        client.sock.shutdown(1)
        answers = client.rest().decode().splitlines()
        assert len(answers) == 4 and answers[2].startswith("+OK 0")
    assert field(closed(lab, client.port), "reason") == "closed"


def test_no_secret_stays_behind(lab):
    secrets = ["Xyzzy-secret-first", "Xyzzy-secret-other", "Xyzzy-secret-third", "Xyzzy-secret-fourth"]
    with Raw(lab) as client:
        client.ask("PASS " + secrets[0])
        client.login(USER, secrets[0])
        client.ask("AUTH PLAIN " + plain(USER, secrets[1]))
        client.ask("AUTH NONESUCH " + plain(USER, secrets[2]))
        client.ask("AUTH LOGIN")
        client.ask(b64(USER))
        client.ask(b64(secrets[2]))
        whole = f"USER {USER}\r\nPASS {secrets[3]}\r\n"
        for cut in range(0, len(whole), 7):
            client.send(whole[cut:cut + 7])
        assert client.line() == "+OK" and client.line().startswith("-ERR")
        assert client.login(USER, PASSWORD).startswith("+OK")
        pid, = lab.pids("gate")
        held = writable_memory(pid)
        assert USER.encode() in held
        for text in secrets + [PASSWORD]:
            for form in (text, plain(USER, text), b64(text)):
                assert form.encode() not in held, form
                assert form not in lab.log()


def test_too_many_errors_and_too_many_commands():
    with Lab("pop3-e", services=pop3_service(), limits="errors-max = 3\n\tcommands-max = 6") as lab:
        with Raw(lab) as client:
            client.send("NOOP\r\n" * 5)
            assert client.rest().splitlines()[-1] == b"-ERR [SYS/PERM] too many errors"
        assert field(closed(lab, client.port), "reason") == "errors"
        with Raw(lab) as client:
            client.send("USER a\r\n" * 7)
            assert client.rest().splitlines()[6] == b"-ERR [SYS/PERM] too many commands"
        assert field(closed(lab, client.port), "reason") == "commands"


@pytest.mark.parametrize("mode", ["none", "xclient"])
def test_client_addresses(mode):
    with Lab("pop3-" + mode[:2], services=pop3_service(mode)) as lab:
        for source in GOOD4, GOOD6:
            with Raw(lab, source) as client:
                assert client.login(USER, PASSWORD).startswith("+OK")
                assert client.ask("QUIT").startswith("+OK")
                assert client.rest() == b""
        log = wait_for("Dovecot has said who came",
                       lambda: (t := lab.mail.log("dovecot.log")).count("Login: ") == 2 and t)
        for source in GOOD4, GOOD6:
            assert (f"rip={source}," in log) == (mode == "xclient")
        assert ("session=<postern-" in log) == (mode == "xclient")


def test_apop_where_it_is_wanted():
    with Lab("pop3-apop", services=pop3_service(more="apop = yes")) as lab:
        with Raw(lab) as client:
            stamp = client.greeting[client.greeting.index("<"):]
            for secret, code in ("wrong", "-ERR"), (PASSWORD, "+OK"):
                digest = hashlib.md5((stamp + secret).encode()).hexdigest()
                assert client.ask(f"APOP {USER} {digest}").startswith(code)
            assert client.ask("STAT").startswith("+OK")
        assert field(closed(lab, client.port), "strikes") == "1"
        client = Pop3(lab)
        assert client.apop(USER, PASSWORD).startswith(b"+OK")
        client.quit()
        lab.mail.kill_dovecot()
        with Raw(lab) as client:
            assert client.greeting == "-ERR [SYS/TEMP] mail host not available"
            assert client.rest() == b""


def test_backend_down_and_up_again():
    with Lab("pop3-down", gates=1, services=pop3_service()) as lab:
        lab.mail.kill_dovecot()
        with Raw(lab) as client:
            client.ask("USER anna")
            assert client.ask("PASS Xyzzy-in-vain").startswith("-ERR [SYS/TEMP]")
            assert client.rest() == b""
        pid, = lab.pids("gate")
        assert b"Xyzzy-in-vain" not in writable_memory(pid), "it waited for a backend that did not come"
        with Raw(lab) as client:
            assert client.greeting.startswith("+OK")
            assert client.ask("USER anna") == "+OK"
            assert client.ask("PASS " + PASSWORD) == "-ERR [SYS/TEMP] mail host not available"
            assert client.rest() == b""
        line = closed(lab, client.port)
        assert field(line, "reason") == "backend-unavailable" and field(line, "strikes") == "0"
        lab.mail.start_dovecot()
        with pytest.raises(poplib.error_proto):
            Pop3(lab).apop(USER, PASSWORD)
        with Raw(lab) as client:
            assert client.login(USER, "wrong").startswith("-ERR [AUTH]")
            lab.mail.kill_dovecot()
            lab.mail.start_dovecot()
            assert client.login(USER, PASSWORD).startswith("+OK"), "the next login connects anew"


def test_timeouts():
    limits = "login-timeout = 3s\n\tcommand-timeout = 2s\n\tcommands-max = 1000000"
    with Lab("pop3-time", services=pop3_service(), limits=limits) as lab:
        with Raw(lab) as silent, Raw(lab) as chatty:
            last = wait_for("talk alone is no login",
                            lambda: (a := chatty.ask("USER anna")).startswith("-ERR") and a)
            assert last == "-ERR [SYS/TEMP] timeout, closing" == silent.line()
        assert field(closed(lab, silent.port), "reason") == "timeout"
        assert field(closed(lab, chatty.port), "reason") == "login-timeout"
