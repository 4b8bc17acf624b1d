# SPDX-License-Identifier: GPL-2.0-only
"""After the login: a mailbox of a real Dovecot, used through the gate by real clients."""
import hashlib
import os
import random
import re
import subprocess

from imap_lab import Imap, Raw, b64, closed, field, imap_service
from mailhost import PASSWORD, USER
from netns import GATE4, GOOD4, MAIL4

LAB = {"services": imap_service(), "gates": 1, "policy": "strikes = observe"}

MBSYNC = """
IMAPStore postern
Host 192.0.2.1
Port 143
User anna
Pass "{password}"
SSLType None
AuthMechs LOGIN

MaildirStore here
Path {dir}/
Inbox {dir}/INBOX
SubFolders Verbatim

Channel all
Far :postern:
Near :here:
Patterns {box}
Create Both
Sync All
SyncState *
"""


def message(number, size):
    """A message with long lines, dots, bare 8-bit; always the same for a number."""
    source = random.Random(number)
    head = f"From: <a@example.com>\r\nSubject: {number}\r\nMessage-ID: <{number}@example.com>\r\n\r\n".encode()
    body = b"".join(bytes(source.choices(b" .abcdefghijklmnop{}()\"\\\xe4\xff", k=source.randrange(400))) + b"\r\n"
                    for _ in range(size // 200))
    return head + body


def logged_in(lab, source=GOOD4):
    client = Imap(lab, source)
    client.login(USER, PASSWORD)
    return client


def test_a_big_message_goes_up_and_down_byte_for_byte(lab):
    big = message(1, 30_000_000)
    with logged_in(lab) as client:
        client.create("big")
        assert client.append("big", None, None, big)[0] == "OK"
        client.select("big")
        assert client.fetch("1", "(RFC822.SIZE)")[1][0].endswith(b"RFC822.SIZE %d)" % len(big))
        got = client.fetch("1", "(BODY.PEEK[])")[1][0][1]
        assert hashlib.sha256(got).digest() == hashlib.sha256(big).digest()
        port = client.local_port
    line = closed(lab, port)
    assert int(field(line, "bytes_in")) > len(big) and int(field(line, "bytes_out")) > len(big)
    assert field(line, "auth") == USER


def test_what_is_pipelined_behind_a_login_is_answered_by_the_mailbox(lab):
    literal = message(2, 4000)
    with Raw(lab) as client:
        client.send(f'a LOGIN {USER} "{PASSWORD}"\r\nb CREATE piped\r\nc APPEND piped {{{len(literal)}+}}\r\n'.encode()
                    + literal + b"\r\nd STATUS piped (MESSAGES)\r\ne LOGOUT\r\n")
        lines = client.until("e")
    answers = [line for line in lines if not line.startswith("* ")]
    assert [line[:4] for line in answers] == ["a OK", "b OK", "c OK", "d OK", "e OK"]
    assert any("MESSAGES 1" in line for line in lines)


def test_a_notification_comes_through_while_idle(lab):
    with Raw(lab) as client, logged_in(lab) as other:
        client.ask(f'a AUTHENTICATE PLAIN {b64(chr(0) + USER + chr(0) + PASSWORD)}')
        client.ask("b SELECT INBOX")
        client.send("c IDLE\r\n")
        assert client.line().startswith("+ ")
        other.append("INBOX", None, None, message(3, 400))
        while " EXISTS" not in (line := client.line()):
            assert line.startswith("* "), line
        client.send("DONE\r\n")
        assert client.until("c")[-1].startswith("c OK")


def test_an_idle_session_outlives_the_other_limits(lab):
    """Of all limits on time only imap-idle-timeout holds after a login; nobody waits 30 minutes for it here."""
    lab.write_conf(limits="login-timeout = 3s\n\tcommand-timeout = 3s\n\tsession-time-max = 1m")
    lab.cli("reload")
    try:
        with Raw(lab) as idle, Raw(lab) as silent:
            idle.ask(f'a LOGIN {USER} "{PASSWORD}"')
            assert silent.line().startswith("* BYE") and silent.line() == ""
            assert idle.ask("b NOOP").startswith("OK ")
        assert field(closed(lab, silent.port), "reason") in ("login-timeout", "timeout")
    finally:
        lab.write_conf(limits="")
        lab.cli("reload")


def curl(lab, password, *args):
    command = lab.network.command("clients", "curl", "-sS", "--max-time", "20", "--interface", GOOD4,
                                  "--user", f"{USER}:{password}", *args)
    return subprocess.run(command, capture_output=True, timeout=30, check=False)


def test_curl(lab):
    with logged_in(lab) as client:
        client.create("curl")
        client.append("curl", None, None, message(4, 2000))
    for options in ([], ["--login-options", "AUTH=LOGIN"], ["--login-options", "AUTH=CRAM-MD5"],
                    ["--login-options", "AUTH=*", "--sasl-ir"]):
        done = curl(lab, PASSWORD, f"imap://{GATE4}/curl;UID=1", *options)
        assert done.returncode == 0 and b"Subject: 4" in done.stdout, done.stderr
    assert curl(lab, "wrong", f"imap://{GATE4}/").returncode == 67  # login denied


def maildir(path):
    """Digests of all messages, without the header line in which mbsync puts a number of its own."""
    return sorted(hashlib.sha256(re.sub(rb"X-TUID: .*\n", b"", p.read_bytes())).hexdigest()
                  for sub in ("new", "cur") for p in (path / sub).iterdir())


def test_mbsync_takes_300_messages_there_and_back_byte_for_byte(lab, tmp_path):
    box = f"sync{os.getpid()}"
    here, there = tmp_path / "here", tmp_path / "there"
    for sub in ("new", "cur", "tmp"):
        (here / box / sub).mkdir(parents=True)
    there.mkdir()
    for n in range(300):
        # As mbsync keeps them: lines that end with LF.
        text = message(n, 40000 if n % 50 == 0 else 2000).replace(b"\r\n", b"\n").replace(b"\r", b"")
        (here / box / "new" / f"{n}.test").write_bytes(text)
    wanted = maildir(here / box)
    for place in (here, there):
        (tmp_path / "rc").write_text(MBSYNC.format(dir=place, box=box, password=PASSWORD))
        subprocess.run(lab.network.command("clients", "mbsync", "-c", str(tmp_path / "rc"), "all"), check=True,
                       capture_output=True, timeout=60, env=dict(os.environ, HOME=str(tmp_path)))
    assert len(wanted) == 300 and maildir(there / box) == wanted


def test_a_backend_that_is_down(lab):
    lab.write_conf(services=imap_service(backend=f"{MAIL4}:4"))
    lab.cli("reload")
    try:
        with Raw(lab) as client:
            assert client.ask("a NOOP").startswith("OK ")
            client.send(f'b LOGIN {USER} "{PASSWORD}"\r\n')
            assert client.line().startswith("* BYE [UNAVAILABLE]") and client.line() == ""
        line = closed(lab, client.port)
        assert field(line, "reason") == "backend-unavailable" and field(line, "strikes") == "0"
    finally:
        lab.write_conf(services=imap_service())
        lab.cli("reload")


def test_no_auth_process_behind_the_backend_is_no_strike(lab):
    lab.mail.kill_dovecot()
    with Raw(lab) as client:
        client.send(f"a LOGIN {USER} wrong\r\n")
        assert client.line().startswith("* BYE [UNAVAILABLE]")
    assert field(closed(lab, client.port), "strikes") == "0"
    lab.mail.start_dovecot()
