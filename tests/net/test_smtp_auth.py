# SPDX-License-Identifier: GPL-2.0-only
"""AUTH through the gate: whatever form of a password logs in when it is right, is counted when it is wrong."""
import base64
import hmac
import re

import pytest
from mailhost import PASSWORD, USER
from netns import GOOD4
from postern_lab import wait_for, writable_memory

LAB = {"policy": "strikes = observe", "gates": 1,
       "limits": "errors-max = 1000\n\tcommands-max = 1000\n\tsessions-per-client-max = 200"}


def b64(text):
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def plain(secret, user=USER):
    return b64(f"\0{user}\0{secret}")


def cram(challenge, secret):
    digest = hmac.new(secret.encode(), base64.b64decode(challenge), "md5").hexdigest()
    return b64(f"{USER} {digest}")


def dialogue(lab, lines):
    """Reply codes to the lines of a login, and the strikes that the session made."""
    client = lab.smtp(GOOD4)
    client.ehlo()
    codes, text = [], b""
    for line in lines:
        if callable(line):
            line = line(text)
        client.sock.sendall(line.encode("latin-1") + b"\r\n")
        code, text = client.getreply()
        codes.append(code)
        if code != 334:
            break
    port = client.sock.getsockname()[1]
    assert client.docmd("NOOP")[0] == 250 if codes[-1] != 334 else True
    if codes[-1] == 334:
        assert client.docmd("*")[0] == 501
    client.quit()
    line = wait_for("the session has ended",
                    lambda: [e for e in lab.events("close") if f" port={port} " in e])[-1]
    return codes, int(re.search(r" strikes=(\d+)", line)[1])


def spaced(text, what=" "):
    return text[:8] + what + text[8:]


FORMS = {
    "plain": lambda s: ["AUTH PLAIN " + plain(s)],
    "plain, in two steps": lambda s: ["AUTH PLAIN", plain(s)],
    "plain, lower case": lambda s: ["auth plain " + plain(s)],
    "plain, an empty response first": lambda s: ["AUTH PLAIN =", plain(s)],
    "plain, an identity": lambda s: ["AUTH PLAIN " + b64(f"{USER}\0{USER}\0{s}")],
    "plain, many spaces": lambda s: ["AUTH  PLAIN   " + plain(s) + "  "],
    "plain, tabs": lambda s: ["AUTH\tPLAIN\t" + plain(s)],
    "plain, a space within": lambda s: ["AUTH PLAIN", spaced(plain(s))],
    "plain, a tab within": lambda s: ["AUTH PLAIN", spaced(plain(s), "\t")],
    "plain, a leading space": lambda s: ["AUTH PLAIN", " " + plain(s)],
    "plain, a trailing space": lambda s: ["AUTH PLAIN", plain(s) + " "],
    "plain, no padding": lambda s: ["AUTH PLAIN " + plain(s).rstrip("=")],
    "plain, no padding, second line": lambda s: ["AUTH PLAIN", plain(s).rstrip("=")],
    "plain, too much padding": lambda s: ["AUTH PLAIN", plain(s) + "===="],
    "plain, bits left over": lambda s: ["AUTH PLAIN", plain(s)[:-2] + "B="],
    "plain, foreign characters": lambda s: ["AUTH PLAIN", spaced(plain(s), "!")],
    "plain, foreign 8-bit characters": lambda s: ["AUTH PLAIN", spaced(plain(s), "\xff")],
    "plain, an initial of foreign characters": lambda s: ["AUTH PLAIN " + spaced(plain(s), "-")],
    "plain, a CR within": lambda s: ["AUTH PLAIN", spaced(plain(s), "\r")],
    "plain, a NUL within": lambda s: ["AUTH PLAIN", spaced(plain(s), "\0")],
    "plain, two pieces": lambda s: ["AUTH PLAIN", b64("\0" + USER) + b64("\0" + s)],
    "plain, a NUL behind": lambda s: ["AUTH PLAIN " + b64(f"\0{USER}\0{s}\0")],
    "plain, more behind a NUL": lambda s: ["AUTH PLAIN " + b64(f"\0{USER}\0{s}\0x")],
    "plain, one NUL": lambda s: ["AUTH PLAIN " + b64(f"{USER}\0{s}")],
    "plain, another word": lambda s: ["AUTH PLAIN " + plain(s) + " x"],
    "login": lambda s: ["AUTH LOGIN", b64(USER), b64(s)],
    "login, the user at once": lambda s: ["AUTH LOGIN " + b64(USER), b64(s)],
    "login, an empty response first": lambda s: ["AUTH LOGIN =", b64(USER), b64(s)],
    "login, an empty user first": lambda s: ["AUTH LOGIN", "", b64(USER), b64(s)],
    "login, a space within": lambda s: ["AUTH LOGIN", b64(USER), spaced(b64(s))],
    "login, all in one": lambda s: ["AUTH LOGIN " + b64(f"{USER}\0{s}"), b64(s)],
    "login, a NUL behind the user": lambda s: ["AUTH LOGIN", b64(USER + "\0"), b64(s)],
    "cram": lambda s: ["AUTH CRAM-MD5", lambda c: cram(c, s)],
    "cram, a response first": lambda s: ["AUTH CRAM-MD5 " + b64("x"), lambda c: cram(c, s)],
    "cram, an empty response first": lambda s: ["AUTH CRAM-MD5 =", lambda c: cram(c, s)],
    "cram, a space within": lambda s: ["AUTH CRAM-MD5", lambda c: spaced(cram(c, s))],
    "cram, upper case": lambda s: ["AUTH CRAM-MD5", lambda c: b64(
        base64.b64decode(cram(c, s)).decode().upper())],
    "not offered": lambda s: ["AUTH SCRAM-SHA-1 " + plain(s)],
}


@pytest.mark.parametrize("form", FORMS)
def test_what_logs_in_when_right_is_counted_when_wrong(lab, form):
    right, _ = dialogue(lab, FORMS[form](PASSWORD))
    wrong, strikes = dialogue(lab, FORMS[form]("wrong-" + form.replace(" ", "-")))
    assert wrong[-1] != 235
    assert strikes == (1 if right[-1] == 235 else strikes) <= 1, (right, wrong)
    if form in ("plain", "plain, in two steps", "login", "login, the user at once", "cram"):
        assert right[-1] == 235


def test_broken_base64_never_reaches_the_backend(lab):
    before = lab.mail.log().count("authentication failed")
    assert dialogue(lab, ["AUTH PLAIN !!!!"]) == ([501], 0)
    assert dialogue(lab, ["AUTH PLAIN", "!!!!"]) == ([334, 501], 0)
    assert dialogue(lab, ["AUTH LOGIN", b64(USER), "AAA"]) == ([334, 334, 501], 0)
    assert lab.mail.log().count("authentication failed") == before


@pytest.mark.parametrize("size", [2000, 2048, 4096, 9000, 12284, 12288, 20000, 70000])
def test_a_very_long_response(lab, size):
    codes, strikes = dialogue(lab, ["AUTH PLAIN", "A" * (size // 4 * 4)])
    assert codes[0] == 334 and 500 <= codes[1] < 600 and strikes <= 1


def test_a_login_in_one_segment_and_what_follows_it(lab):
    client = lab.smtp(GOOD4)
    client.ehlo()
    client.send(f"AUTH LOGIN\r\n{b64(USER)}\r\n{b64('wrong')}\r\nNOOP\r\nAUTH LOGIN\r\n{b64(USER)}\r\n*\r\n"
                f"AUTH PLAIN {plain(PASSWORD)}\r\nAUTH PLAIN {plain(PASSWORD)}\r\n"
                "MAIL FROM:<a@example.com>\r\nRCPT TO:<x@far.example>\r\nQUIT\r\n")
    assert [client.getreply()[0] for _ in range(12)] == [
        334, 334, 535, 250, 334, 334, 501, 235, 503, 250, 250, 221]
    client.close()


def test_no_login_amid_a_message(lab):
    client = lab.smtp(GOOD4)
    client.ehlo()
    client.docmd("MAIL FROM:<a@example.com>")
    assert client.docmd("AUTH PLAIN " + plain(PASSWORD))[0] == 503
    client.docmd("RSET")
    assert client.docmd("AUTH PLAIN " + plain(PASSWORD))[0] == 235
    client.quit()


def test_no_secret_stays_behind(lab):
    secrets = ["Xyzzy-secret-first", "Xyzzy-secret-other", "Xyzzy-secret-third", "Xyzzy-secret-fourth"]
    client = lab.smtp(GOOD4)
    client.docmd("AUTH PLAIN " + plain(secrets[0]))
    client.ehlo()
    client.docmd("AUTH PLAIN " + plain(secrets[0]))
    client.docmd("AUTH LOGIN")
    client.docmd(b64(USER))
    client.docmd(b64(secrets[1]))
    client.docmd("AUTH NONESUCH " + plain(secrets[2]))
    client.docmd(plain(secrets[2]))
    # In pieces, and behind commands that are answered first.
    whole = f"RSET\r\nMAIL FROM:<a@example.com>\r\nRSET\r\nAUTH PLAIN {plain(secrets[3])}\r\n".encode()
    for cut in range(0, len(whole), 7):
        client.sock.sendall(whole[cut:cut + 7])
        client.sock.setblocking(True)
    assert [client.getreply()[0] for _ in range(4)] == [250, 250, 250, 535]
    client.docmd("AUTH PLAIN " + plain(PASSWORD))
    pid, = lab.pids("gate")
    held = writable_memory(pid)
    assert b"postern" in held and USER.encode() in held
    for text in secrets + [PASSWORD]:
        for form in (text, plain(text), b64(text)):
            assert form.encode() not in held, form
            assert form not in lab.log()
    client.quit()
