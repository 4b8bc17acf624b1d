# SPDX-License-Identifier: GPL-2.0-only
"""IMAP through the gate, before a real Dovecot."""
import base64
import hmac
import re

import pytest
from imap_lab import Imap, Raw, b64, closed, field, imap_service
from mailhost import DISABLED, DISABLED_PASSWORD, ODD_PASSWORD, ODD_USER, PASSWORD, USER
from netns import GATE4, GATE6, GOOD4, GOOD6
from postern_lab import wait_for, writable_memory

LAB = {"services": imap_service("xclient"), "gates": 1, "policy": "strikes = observe",
       "limits": "errors-max = 50\n\tcommands-max = 200"}
# ---- before a login -------------------------------------------------------------------------------


def test_the_greeting_is_posterns_own(lab):
    with Raw(lab) as client:
        assert re.match(r"\* OK (\[CAPABILITY [^]]*\] )?gate\.example\.net IMAP ready\r\n", client.greeting)
    assert "Dovecot" not in client.greeting


def test_what_is_offered_is_what_the_backend_has_without_what_goes_around_the_gate(lab):
    with Raw(lab) as client:
        client.send("a CAPABILITY\r\n")
        words = client.until("a")[0].split()
    assert words[:2] == ["*", "CAPABILITY"]
    assert {"IMAP4rev1", "SASL-IR", "ID", "LITERAL+", "AUTH=PLAIN", "AUTH=LOGIN", "AUTH=CRAM-MD5"} <= set(words)
    assert not {"LOGIN-REFERRALS", "STARTTLS", "LOGINDISABLED"} & set(words)
    # Now it is known: the next client has it in its greeting, and costs the backend nothing.
    closed(lab, client.port)
    logged = wait_for("Dovecot has logged the end",
                      lambda: lab.mail.log("dovecot.log").count("Disconnected: Connection closed"))
    with Raw(lab) as client:
        assert f"[CAPABILITY {' '.join(words[2:])}]" in client.greeting
        assert client.ask("a NOOP") == "OK NOOP completed"
    closed(lab, client.port)
    assert lab.mail.log("dovecot.log").count("Disconnected: Connection closed") == logged
    assert lab.mail.log("dovecot.log").count("ID sent") == logged


@pytest.mark.parametrize("command, answer", [
    ("a NOOP", "OK "), ("a noop ", "OK "), ("a LOGOUT", "OK "), ("a CAPABILITY", "OK "),
    ("a ID NIL", "OK "), ('a ID ("name" "test" "os" NIL)', "OK "), ("a ID ()", "OK "),
    ("a ID", "BAD "), ("a ID (name test)", "BAD "), ('a ID ("a" "b" "c")', "BAD "),
    ("a NOOP x", "BAD "), ("a SELECT INBOX", "BAD "), ("a UID FETCH 1 ALL", "BAD "), ("a IDLE", "BAD "),
    ("a STARTTLS", "BAD "), ("a XYZZY", "BAD "), ("a ENABLE UTF8=ACCEPT", "BAD "),
    ("a LOGIN", "BAD "), ("a LOGIN anna", "BAD "), ("a LOGIN an(na x", "BAD "), ('a LOGIN anna "x', "BAD "),
    ("a LOGIN anna x y", "BAD "), ("a AUTHENTICATE", "BAD "), ("a AUTHENTICATE FOO", "NO "),
    ("a AUTHENTICATE EXTERNAL =", "NO "), ("a AUTHENTICATE PLAIN !!!!", "BAD "),
])
def test_commands_before_a_login(lab, command, answer):
    with Raw(lab) as client:
        assert client.ask(command).startswith(answer)
    assert field(closed(lab, client.port), "strikes") == "0"


@pytest.mark.parametrize("line", ["\r\n", " NOOP\r\n", "* NOOP\r\n", "a+b NOOP\r\n", "\x00 NOOP\r\n", "x\r\n",
                                  "\xe4 NOOP\r\n", "T" * 65 + " NOOP\r\n"])
def test_what_has_no_tag_gets_an_untagged_answer_and_the_next_command_counts(lab, line):
    with Raw(lab) as client:
        client.send(line + "b NOOP\r\n")
        assert client.line().startswith("* BAD ")
        assert client.line().startswith("b OK ")


def test_a_browser_is_sent_away(lab):
    with Raw(lab) as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\na LOGIN anna x\r\n")
        assert client.line().startswith("* BYE ")
        assert client.line() == ""
    assert field(closed(lab, client.port), "reason") == "not-imap"
    assert lab.events("not-imap")


def test_too_many_errors_end_the_session(lab):
    with Raw(lab) as client:
        client.send("a XYZZY\r\n" * 60)
        lines = client.file.read().decode().splitlines()
    assert lines[:51] == ["a BAD unknown command"] * 51 and lines[51].startswith("* BYE ")
    assert field(closed(lab, client.port), "reason") == "errors"


# ---- literals -------------------------------------------------------------------------------------


def test_a_literal_is_prompted_for_by_postern(lab):
    with Raw(lab) as client:
        client.send(f"a LOGIN {{{len(USER)}}}\r\n")
        assert client.line().startswith("+ ")
        client.send(f"{USER} {{{len(PASSWORD)}}}\r\n")
        assert client.line().startswith("+ ")
        client.send(PASSWORD + "\r\n")
        assert client.until("a")[-1].startswith("a OK ")


@pytest.mark.parametrize("sign", ["+", "-"])
def test_a_literal_that_does_not_wait(lab, sign):
    with Raw(lab) as client:
        client.send(f"a LOGIN {{{len(USER)}{sign}}}\r\n{USER} {{{len(PASSWORD)}{sign}}}\r\n{PASSWORD}\r\nb NOOP\r\n")
        assert client.until("a")[-1].startswith("a OK ")
        assert client.until("b")[-1].startswith("b OK ")


def test_a_literal_where_none_is_wanted_is_not_asked_for(lab):
    with Raw(lab) as client:
        assert client.ask("a APPEND INBOX {5}").startswith("BAD ")
        assert client.ask("b XYZZY {5}").startswith("BAD ")
        client.send("c APPEND INBOX {5+}\r\nd x\r\n\r\ne NOOP\r\n")
        assert client.line().startswith("c BAD ")
        assert client.line().startswith("e OK ")


def test_a_literal_has_a_limit(lab):
    with Raw(lab) as client:
        assert client.ask("a LOGIN anna {8193}").startswith("BAD [TOOBIG]")
        assert client.ask("b NOOP").startswith("OK ")
        client.send("c LOGIN anna {8193+}\r\n" + "x" * 8193 + "\r\nd NOOP\r\n")
        assert client.line().startswith("c BAD [TOOBIG]")
        assert client.line().startswith("* BYE ")
        assert client.line() == ""
    assert field(closed(lab, client.port), "reason") == "too-long"


def test_a_line_has_a_limit(lab):
    with Raw(lab) as client:
        client.send("a LOGIN anna " + "x" * 20000 + "\r\n")
        assert client.line().startswith("a BAD [TOOBIG]")
        assert client.line().startswith("* BYE ")


# ---- logins ---------------------------------------------------------------------------------------


def cram(challenge, secret):
    digest = hmac.new(secret.encode(), base64.b64decode(challenge), "md5").hexdigest()
    return b64(f"{USER} {digest}")


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


FORMS = {
    "atoms": lambda s: [f"a LOGIN {USER} {s.replace(' ', '')}"],
    "quoted": lambda s: [f"a LOGIN {quoted(USER)} {quoted(s)}"],
    "literals": lambda s: [f"a LOGIN {{{len(USER)}}}", f"{USER} {{{len(s)}}}", s],
    "one literal": lambda s: [f"a LOGIN {USER} {{{len(s)}}}", s],
    "lower case": lambda s: [f"a login {USER} {quoted(s)}"],
    "spaces": lambda s: [f"a  LOGIN  {USER}  {quoted(s)}  "],
    "plain": lambda s: ["a AUTHENTICATE PLAIN", b64(f"\0{USER}\0{s}")],
    "plain at once": lambda s: [f"a AUTHENTICATE PLAIN {b64(chr(0) + USER + chr(0) + s)}"],
    "plain with an identity": lambda s: ["a AUTHENTICATE PLAIN", b64(f"{USER}\0{USER}\0{s}")],
    "login": lambda s: ["a AUTHENTICATE LOGIN", b64(USER), b64(s)],
    "login, the user at once": lambda s: [f"a AUTHENTICATE LOGIN {b64(USER)}", b64(s)],
    "cram": lambda s: ["a AUTHENTICATE CRAM-MD5", lambda c: cram(c, s)],
}


def dialogue(lab, lines, source=GOOD4):
    """The last line of the answer to a login, and the strikes that the session made."""
    with Raw(lab, source) as client:
        answer = ""
        for line in lines:
            if callable(line):
                line = line(answer[2:].strip())
            client.send(line + "\r\n")
            answer = client.line()
            while answer.startswith("* ") and not answer.startswith("* BYE"):
                answer = client.line()
            if not answer.startswith("+"):
                break
    return answer, int(field(closed(lab, client.port), "strikes"))


@pytest.mark.parametrize("form", FORMS)
def test_what_logs_in_when_right_is_counted_when_wrong(lab, form):
    if form != "atoms":
        answer, strikes = dialogue(lab, FORMS[form](PASSWORD))
        assert answer.startswith("a OK ") and strikes == 0
    answer, strikes = dialogue(lab, FORMS[form]("wrong-" + form))
    assert answer.startswith("a NO [AUTHENTICATIONFAILED]") and strikes == 1


def test_odd_bytes_reach_the_backend_as_they_are(lab):
    password = ODD_PASSWORD
    for lines in ([f"a LOGIN {quoted(ODD_USER)} {{{len(password)}}}", password],
                  [f"a LOGIN {{{len(ODD_USER)}}}", f"{ODD_USER} {{{len(password)}}}", password],
                  [f"a LOGIN {quoted(ODD_USER)} {{{len(password)}+}}\r\n{password}"],
                  ["a AUTHENTICATE PLAIN", b64(f"\0{ODD_USER}\0{password}")]):
        answer, strikes = dialogue(lab, lines)
        assert answer.startswith("a OK ") and strikes == 0, lines
    answer, strikes = dialogue(lab, [f"a LOGIN {quoted(ODD_USER)} {{{len(password)}}}", password[:-1] + "x"])
    assert answer.startswith("a NO ") and strikes == 1


def test_a_password_with_line_ends_is_one_password(lab):
    """Dovecot takes none, and says so: but nothing behind the line end is a command to anybody."""
    password = f"x\r\nb LOGIN {USER} \"{PASSWORD}\"\r\n"
    before = lab.mail.log("dovecot.log").count("illegal chars")
    for form in ("literals", "one literal", "plain"):
        answer, strikes = dialogue(lab, FORMS[form](password))
        assert answer.startswith("a NO ") and strikes == 1
    wait_for("Dovecot has seen each whole",
             lambda: lab.mail.log("dovecot.log").count("illegal chars") == before + 3)


def test_what_is_no_refused_credential_is_no_strike(lab):
    for lines, begin in [
            (["a AUTHENTICATE PLAIN", "*"], "a BAD "),
            (["a AUTHENTICATE LOGIN", b64(USER), "*"], "a BAD "),
            (["a AUTHENTICATE PLAIN", "!!!!"], "a BAD "),
            (["a AUTHENTICATE PLAIN =", ], "a NO "),
            (["a AUTHENTICATE PLAIN", b64("\0anna\0")], "a NO "),
            (['a LOGIN anna ""'], "a NO "),
            (['a LOGIN "" x'], "a NO "),
            ([f"a LOGIN {DISABLED} {DISABLED_PASSWORD}"], "a NO [CONTACTADMIN]")]:
        answer, strikes = dialogue(lab, lines)
        assert answer.startswith(begin) and strikes == 0, (lines, answer, strikes)


def test_the_summary_says_who_logged_in_and_who_tried(lab):
    with Raw(lab) as client:
        client.ask('a LOGIN "tr\\"y" wrong')
    line = closed(lab, client.port)
    assert 'auth_tried="tr\\"y"' in line and field(line, "strikes") == "1"
    with Raw(lab) as client:
        client.ask(f'a LOGIN {USER} "{PASSWORD}"')
        client.send("b LOGOUT\r\n")
        client.until("b")
    assert f'auth="{USER}"' in closed(lab, client.port)
    assert "wrong" not in lab.log() and PASSWORD not in lab.log()


def test_a_second_login_after_a_refused_one_and_commands_between(lab):
    with Raw(lab) as client:
        client.send(f"a LOGIN {USER} wrong\r\nb NOOP\r\nc CAPABILITY\r\nd LOGIN {USER} \"{PASSWORD}\"\r\ne NOOP\r\n"
                    "f SELECT INBOX\r\n")
        assert client.until("a")[-1].startswith("a NO ")
        assert client.until("b")[-1].startswith("b OK NOOP completed\r")
        assert client.until("c")[-1].startswith("c OK ")
        assert client.until("d")[-1].startswith("d OK ")
        assert client.until("e")[-1].startswith("e OK ")
        assert client.until("f")[-1].startswith("f OK [READ-WRITE]")


def test_dovecot_learns_the_clients_address(lab):
    def logins():
        return [line for line in lab.mail.log("dovecot.log").splitlines() if "Login: user=<anna>" in line]

    for source in (GOOD4, GOOD6):
        for mode in ("xclient", "proxy"):
            lab.write_conf(services=imap_service(mode))
            lab.cli("reload")
            before = len(logins())
            with Imap(lab, source) as client:
                port = client.local_port
                client.login(USER, PASSWORD)
            line = wait_for("Dovecot logs the login", lambda: logins()[before:])[0]
            assert f"rip={source}," in line, (mode, line)
            assert f"lip={GATE6 if ':' in source else GATE4}," in line, (mode, line)
            closed(lab, port)
    lab.write_conf(services=imap_service("xclient"))
    lab.cli("reload")


def test_no_client_says_who_it_is(lab):
    with Raw(lab) as client:
        client.ask('a ID ("x-originating-ip" "192.0.2.99" "name" "Tester" "X-Session-Id" "mine")')
        client.ask(f'b LOGIN {USER} "{PASSWORD}"')
        client.ask('c LOGOUT')
    log = wait_for("Dovecot logs the ID", lambda: [
        line for line in lab.mail.log("dovecot.log").splitlines() if "name=Tester" in line])[-1]
    assert f"x-originating-ip={GOOD4}," in log and f"x-originating-port={client.port}," in log
    assert "192.0.2.99" not in lab.mail.log("dovecot.log")
    assert "session=<mine>" not in lab.mail.log("dovecot.log")
    assert f"session=<{field(closed(lab, client.port), 'id')}>" in lab.mail.log("dovecot.log")


def test_no_secret_stays_behind(lab):
    secrets = [f"Xyzzy-imap-{what}" for what in ("login", "quoted", "literal", "plain", "syntax", "nonsense", "piece")]
    with Raw(lab) as client:
        client.ask(f"a LOGIN {'u' * 500} {secrets[0]}")  # where nothing that comes later overwrites it
        client.ask(f"b LOGIN {USER} \"{secrets[1]}\"")
        client.send(f"c LOGIN {USER} {{{len(secrets[2])}}}\r\n")
        client.line()
        client.send(secrets[2] + "\r\n")
        client.until("c")
        client.ask(f"d AUTHENTICATE PLAIN {b64(chr(0) + USER + chr(0) + secrets[3])}")
        client.ask(f"e LOGIN {USER} {secrets[4]} {secrets[4]}")
        client.ask(f"f AUTHENTICATE NONESUCH {b64(secrets[5])}")
        whole = f"g NOOP\r\nh LOGIN {USER} {secrets[6]}\r\n"
        for cut in range(0, len(whole), 7):
            client.send(whole[cut:cut + 7])
        client.until("h")
        # In the last moment, ahead of a backend that is not there.
        lab.mail.kill_dovecot()
        with Raw(lab) as late:
            secrets.append("Xyzzy-imap-too-late")
            late.send(f"a LOGIN {USER} {secrets[-1]}\r\n")
            assert late.line().startswith("* BYE")
        lab.mail.start_dovecot()
        pid, = lab.pids("gate")
        held = writable_memory(pid)
    assert b"postern" in held and USER.encode() in held
    for text in secrets:
        for form in (text, b64(text), b64(f"\0{USER}\0{text}")):
            assert form.encode() not in held, form
            assert form not in lab.log()
