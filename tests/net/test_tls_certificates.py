# SPDX-License-Identifier: GPL-2.0-only
"""Certificate files come and go: what is served, what is said, and that no session ends for it."""
import json
import shutil
import ssl

import pytest
from certs import MX_NAME as NAME, Authority, certificate
from netns import GOOD4
from postern_lab import Lab, wait_for



@pytest.fixture
def authority(tmp_path):
    made = Authority(tmp_path / "certs")
    made.make("mx", [NAME])
    return made


def lab_of(authority, tag, **more):
    return Lab(tag, top=certificate(authority, "mx"), gates=2,
               service='tls = starttls\n\tcertificates = { "mx" }', **more)


def secured(lab, authority):
    client = lab.smtp(GOOD4)
    client._host = NAME
    client.starttls(context=ssl.create_default_context(cafile=str(authority.ca)))
    return client


def serial(client):
    return client.sock.getpeercert()["serialNumber"]


def replace(authority, name, by):
    """As certbot does: each file by a rename."""
    for end in ("pem", "key"):
        shutil.copy(authority.dir / f"{by}.{end}", authority.dir / f"{name}.{end}.new")
        (authority.dir / f"{name}.{end}.new").rename(authority.dir / f"{name}.{end}")


def shown(lab, name="mx"):
    return next(c for c in json.loads(lab.cli("status", "--json").stdout)["certificates"]
                if c["name"] == name)


def test_a_renewed_certificate_is_served_and_no_session_ends(authority):
    with lab_of(authority, "tlsrenew") as lab:
        old = secured(lab, authority)
        first = serial(old)
        authority.make("next", [NAME])
        replace(authority, "mx", "next")
        assert "result=loaded" in lab.wait_event("certificates", seconds=30)[0]
        new = secured(lab, authority)
        assert serial(new) != first
        for client in (old, new):  # and both go on
            client.ehlo()
            client.sendmail("a@example.com", ["anna@example.org"], "Subject: renewed\r\n\r\n.\r\n")
            client.quit()
        lab.mail.wait_messages(2)
        assert not lab.events("child-died")


def test_a_reload_takes_a_renewed_certificate_at_once(authority):
    with lab_of(authority, "tlsreload") as lab:
        old = secured(lab, authority)
        first = serial(old)
        authority.make("next", [NAME])
        replace(authority, "mx", "next")
        lab.cli("reload")
        new = secured(lab, authority)
        assert serial(new) != first
        assert old.ehlo()[0] == 250
        # One more certificate, and another service that shows it.
        authority.make("third", ["third.example.net"])
        lab.write_conf(top=certificate(authority, "mx", "third"),
                       submission='tls = starttls\n\tcertificates = { "third" }')
        lab.cli("reload")
        client = lab.smtp(GOOD4, port=587)
        client._host = "third.example.net"
        client.starttls(context=ssl.create_default_context(cafile=str(authority.ca)))
        assert secured(lab, authority).ehlo()[0] == 250
        assert old.noop()[0] == 250


def test_what_does_not_fit_is_refused_and_the_old_one_stays(authority):
    with lab_of(authority, "tlsbad") as lab:
        first = serial(secured(lab, authority))
        authority.make("wrong", [NAME])
        shutil.copy(authority.dir / "wrong.key", authority.dir / "mx.key")
        done = lab.cli("reload", check=False)
        assert done.returncode == 1
        assert "mx.key' is not the key of the certificate" in done.stdout + done.stderr
        assert "nothing has changed" in done.stdout + done.stderr
        # Nobody reloads, and it is found all the same: said once, and shown for as long as it is so.
        line = lab.wait_event("certificates", seconds=60)
        assert "result=refused" in line[0] and "stay in force" in line[0]
        assert "certificate files have changed" in lab.cli("status").stdout
        assert serial(secured(lab, authority)) == first
        replace(authority, "mx", "wrong")  # the other half comes
        wait_for("it is loaded", lambda: any("result=loaded" in e for e in lab.events("certificates")))
        assert len(lab.events("certificates")) == 2
        assert serial(secured(lab, authority)) != first
        assert "certificate files" not in lab.cli("status").stdout


def test_a_mistake_in_a_certificate_keeps_posternd_from_starting(authority):
    lab = lab_of(authority, "tlsstart")
    (authority.dir / "mx.key").unlink()
    try:
        lab.up(mail=False, daemon=False)
        done = lab.network.run("gate", *lab.posternd("--check", str(lab.dir / "postern.conf"))[4:], check=False)
        assert done.returncode == 1
        assert f"{authority.dir}/mx.key': there is no such file" in done.stderr
        assert "postern.conf:12:" in done.stderr
        lab.start(wait=False)
        assert lab.daemon.wait(timeout=30) == 1
        assert any("there is no such file" in e for e in lab.events("config"))
        lab.daemon = None
    finally:
        lab.down()


def test_an_expired_certificate_is_served_and_complained_of(authority):
    authority.make("mx", [NAME], start=("20200101000000Z", "20210101000000Z"))
    with lab_of(authority, "tlsexpired") as lab:
        assert any("expired since 2021-01-01" in e for e in lab.events("config"))
        assert shown(lab)["problem"].startswith("expired since 2021-01-01")
        assert "expired since 2021-01-01" in lab.cli("status").stdout
        client = lab.smtp(GOOD4)
        client._host = NAME
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        assert client.starttls(context=context)[0] == 220
        assert client.ehlo()[0] == 250


def test_a_certificate_is_shown(authority):
    with lab_of(authority, "tlsshow") as lab:
        row = shown(lab)
        assert row["names"] == [NAME] and row["services"] == ["smtp"]
        assert row["key"] == "EC 256" and row["problem"] is None
        facts = [line.split("\t") for line in lab.cli("status", "--tsv").stdout.splitlines()]
        assert ["certificate", "mx", "names", NAME] in facts


def memory_holds(pid, needle):
    """Is this anywhere in what the process can read? But not in the shadow of a sanitizer."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            span, rights, *_ = line.split()
            if rights[0] != "r" or "[v" in line:
                continue
            begin, end = (int(x, 16) for x in span.split("-"))
            if end - begin >= 1 << 31:
                continue
            try:
                memory.seek(begin)
                if needle in memory.read(end - begin):
                    return True
            except (OSError, ValueError, OverflowError):
                pass
    return False


def test_the_key_is_in_the_gates_and_in_no_other_process(authority):
    """As PEM, as DER, or as the bare number that it is about."""
    text = (authority.dir / "mx.key").read_text().splitlines()
    der = ssl.PEM_cert_to_DER_cert("-----BEGIN CERTIFICATE-----\n" + "\n".join(text[1:-1])
                                   + "\n-----END CERTIFICATE-----\n")
    at = der.index(b"\x02\x01\x01\x04\x20")  # RFC 5915: version 1, then 32 bytes
    number = der[at + 5:at + 37]
    with lab_of(authority, "tlskey") as lab:
        secured(lab, authority).quit()
        lab.cli("reload")
        for role in ("checker", "ledger"):  # forked again, from a keeper that has read the files twice
            for pid in lab.pids(role):
                sh_kill(lab, role, pid)
        others = [lab.daemon.pid, *lab.pids("checker"), *lab.pids("ledger")]
        for needle in (text[1].encode(), number, number[::-1]):
            for pid in others:
                assert not memory_holds(pid, needle), (pid, others)
        assert any(memory_holds(pid, number[::-1]) or memory_holds(pid, number)
                   for pid in lab.pids("gate"))


def sh_kill(lab, role, pid):
    assert pid > 1
    lab.network.run("gate", "kill", "-9", str(pid))
    wait_for("another one runs", lambda: lab.pids(role) and pid not in lab.pids(role))
