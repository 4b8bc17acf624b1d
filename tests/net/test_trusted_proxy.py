# SPDX-License-Identifier: GPL-2.0-only
"""Clients that come through a load balancer, which says who they are by the PROXY protocol.

    client 203.0.113.77 - load balancer 192.0.2.70 - gate - Postfix
    (no host of its own:  (in trusted-proxies; played by
     a word in a header)   the test, and by a real HAProxy)
"""
import base64
import contextlib
import re
import smtplib
import socket
import struct
import subprocess
import time

import pytest
from certs import MX_NAME as NAME
from mailhost import DOMAIN, PASSWORD, USER
from netns import GATE4, GATE6, GOOD4
from postern_lab import GLOBAL_LIST, WAIT_S, Lab, wait_for

PROXY4, PROXY6 = "192.0.2.70", "2001:db8:1:67::1"
STRANGER4 = "192.0.2.71"
# Documentation addresses that no host of the lab has.
INSIDE4, GUESSER4, INSIDE6 = "198.18.0.77", "198.18.0.66", "2001:db8:77::77"
GREETING_S = 4

SUBMISSIONS = f"""
service submissions {{
	type = submissions
	policy = global
	listen = {{ "0.0.0.0:465" }}
	backend = {{ "198.51.100.2:2525" }}
	client-address = proxy
	accept-proxy = yes
	certificates = {{ "mx" }}
}}

service told {{
	type = smtp
	policy = global
	listen = {{ "0.0.0.0:2526" }}
	backend = {{ "198.51.100.2:2526" }}
	client-address = xclient
	accept-proxy = yes
}}
"""


@pytest.fixture(scope="module")
def lab(authority):
    top = (f'trusted-proxies = {{ "{PROXY4}", "2001:db8:1:67::/64" }}\n'
           f'certificate mx {{ chain = "{authority.dir}/mx.pem" key = "{authority.dir}/mx.key" }}\n')
    new = Lab("proxied", top=top, service="accept-proxy = yes", services=SUBMISSIONS, gates=2,
              limits=f"proxy-header-timeout = {GREETING_S}s\n\tsessions-per-client-max = 4")
    new.lists["global.list"] = GLOBAL_LIST + "198.18.9.0/24  BL\n198.18.8.0/24  PA AA AS\n"
    with new as running:
        yield running


def v1(source, port=4321, dest="192.0.2.1"):
    dest = GATE6 if ":" in source else dest
    return f"PROXY TCP{6 if ':' in source else 4} {source} {dest} {port} 25\r\n".encode()


def v2(source, port=4321, tlv=b"", command=1):
    v6 = ":" in source
    family = socket.AF_INET6 if v6 else socket.AF_INET
    body = (socket.inet_pton(family, source) + socket.inet_pton(family, GATE6 if v6 else GATE4)
            + struct.pack("!HH", port, 25) + tlv)
    return (b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x20 | command, 0x21 if v6 else 0x11])
            + struct.pack("!H", len(body)) + body)


def through(lab, header, port=25, source=PROXY4):
    """An smtplib session behind a header."""
    sock = lab.connect(source, port)
    sock.sendall(header)
    return session(sock)


def session(sock):
    client = smtplib.SMTP(local_hostname="client.example.com")
    client.sock = sock
    client.file = None
    code, text = client.getreply()
    if code != 220:
        client.close()
        raise smtplib.SMTPConnectError(code, text)
    return client


def deliver(client, rcpt=f"{USER}@{DOMAIN}"):
    client.ehlo()
    client.sendmail("a@example.com", [rcpt], "Subject: x\r\n\r\nx\r\n")
    client.quit()


def ended(lab, what):
    """The close lines that hold this text; there has to be one."""
    return wait_for(f"a session with {what} has ended",
                    lambda: [e for e in lab.events("close") if f" {what} " in e])


def said(sock):
    """Everything until the gate closes."""
    sock.settimeout(WAIT_S)
    seen = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := sock.recv(4096):
            seen += chunk
    return seen


@pytest.mark.parametrize("header, addr, port", [
    (v1(INSIDE4, 1001), INSIDE4, 1001), (v2(INSIDE4, 1002), INSIDE4, 1002),
    (v1(INSIDE6, 1003), INSIDE6, 1003), (v2(INSIDE6, 1004), INSIDE6, 1004),
    (v2(INSIDE4, 1005, tlv=b"\x04\0\x05hello"), INSIDE4, 1005),
    (v2("::ffff:198.18.0.78", 1006), "198.18.0.78", 1006),
])
def test_the_client_is_who_the_header_says(lab, header, addr, port):
    deliver(through(lab, header))
    assert f" addr={addr} port={port} " in ended(lab, f"port={port}")[-1]
    wait_for("Postfix knows the client", lambda: f"[{addr}]" in lab.mail.log())


def test_from_a_proxy_that_came_by_ipv6(lab):
    client = through(lab, v1(INSIDE4, 1010), source=PROXY6)
    rows = [row for row in lab.rows("sessions") if row["port"] == 1010]
    assert [row["addr"] for row in rows] == [INSIDE4]
    deliver(client)


def test_xclient_tells_the_same_address(lab):
    client = through(lab, v2(INSIDE6, 1020), port=2526)
    deliver(client)
    assert f"from unknown[{INSIDE6}]:1020" in lab.mail.log() or f"[{INSIDE6}]" in lab.mail.log()


@pytest.mark.parametrize("header", [v1(INSIDE4, 1030), v2(INSIDE4, 1030)])
def test_in_whatever_pieces_it_comes(lab, header):
    for cut in range(1, len(header)):
        sock = lab.connect(PROXY4)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(header[:cut])
        if cut % 7 == 0:
            # The gate has looked at the piece by then, and waits for the next one.
            wait_for("the session is there",
                     lambda: [row for row in lab.rows("sessions") if row["state"] == "proxy"])
        sock.sendall(header[cut:] + b"NOOP\r\nQUIT\r\n")
        lines = said(sock).split(b"\r\n")
        assert [line[:3] for line in lines if line] == [b"220", b"250", b"221"], cut


def test_without_a_header_nothing_is_said(lab):
    begin = time.monotonic()
    with lab.connect(PROXY4) as sock:
        assert said(sock) == b""
    assert GREETING_S - 0.1 < time.monotonic() - begin < GREETING_S + 20
    assert "reason=proxy-header" in ended(lab, f"addr={PROXY4}")[-1]
    assert "in time" in lab.wait_event("proxy-header")[-1]


def test_a_header_that_drips_is_not_waited_for(lab):
    begin = time.monotonic()
    with lab.connect(PROXY4) as sock, contextlib.suppress(OSError):
        sock.settimeout(0.2)
        for byte in v1(INSIDE4):
            sock.sendall(bytes([byte]))
            with contextlib.suppress(TimeoutError):
                if sock.recv(1) == b"":
                    break
    assert time.monotonic() - begin < GREETING_S + 20


@pytest.mark.parametrize("garbage", [
    b"EHLO client.example.com\r\n", b"\x16\x03\x01\x02\0\x01", b"PROXY TCP4 198.18.0.1\r\n", b"PROXY " + b"x" * 200,
    b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c" + b"x" * 12, b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c" + b"\x01" * 12,
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff" + b"x" * 100,
])
def test_what_is_no_header_ends_the_connection_at_once(lab, garbage):
    before = len(lab.events("proxy-header"))
    with lab.connect(PROXY4) as sock:
        sock.sendall(garbage)
        assert said(sock) == b""
    line = lab.wait_event("proxy-header", before + 1)[before]
    assert "in time" not in line, "it was not waited for"


def test_a_stranger_who_sends_one_stays_himself(lab):
    sock = lab.connect(STRANGER4)
    client = session(sock)
    client.sock.sendall(v1(INSIDE4, 1040))
    assert client.getreply()[0] == 502
    port = sock.getsockname()[1]
    client.quit()
    assert f" addr={STRANGER4} port={port} " in ended(lab, f"port={port}")[-1]


def test_a_service_that_accepts_none_takes_it_for_a_command(lab):
    client = lab.smtp(PROXY4, 587)
    client.sock.sendall(v1(INSIDE4, 1050))
    assert client.getreply()[0] == 502
    client.quit()


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN whatever follows\r\n",
                                    b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", v2(INSIDE4, command=0)])
def test_a_proxy_may_speak_for_itself(lab, header):
    client = through(lab, header)
    port = client.sock.getsockname()[1]
    client.quit()
    assert f" addr={PROXY4} port={port} " in ended(lab, f"port={port}")[-1]


def test_the_list_holds_inside(lab):
    with pytest.raises(smtplib.SMTPConnectError) as refused:
        through(lab, v1("198.18.9.9", 1060))
    assert refused.value.smtp_code == 421
    assert "verdict=blacklisted reason=refused" in ended(lab, "port=1060")[-1]
    client = through(lab, v1("198.18.8.8", 1061))
    assert client.docmd("EHLO 198.18.8.8")[0] == 250, "AA of the client's entry, so HE does not hold"
    client.quit()
    assert "auth_by=aa" in ended(lab, "port=1061")[-1]


def guess(client, times):
    """Refused logins, one strike each, until a ban cuts the session off."""
    client.ehlo()
    with contextlib.suppress(smtplib.SMTPException, OSError):
        for n in range(times):
            token = base64.b64encode(f"\0{USER}\0wrong-{time.monotonic_ns()}-{n}".encode()).decode()
            client.docmd("AUTH", f"PLAIN {token}")
    client.close()


def test_strikes_and_bans_are_the_clients(lab):
    bystander = through(lab, v1(INSIDE4, 1070))
    guess(through(lab, v1(GUESSER4, 1071)), 3)
    guess(through(lab, v2(GUESSER4, 1072)), 3)
    wait_for("the client is banned", lambda: lab.banned(GUESSER4))
    assert not lab.banned(PROXY4)
    assert lab.cli("why", GUESSER4, check=False).returncode == 1
    with pytest.raises(smtplib.SMTPConnectError) as refused:
        through(lab, v1(GUESSER4, 1073))
    assert refused.value.smtp_code == 421
    assert "verdict=banned" in ended(lab, "port=1073")[-1]
    deliver(bystander)
    lab.cli("unban", GUESSER4)
    through(lab, v1(GUESSER4, 1074)).quit()


def test_a_ban_ends_the_clients_session_and_no_other(lab):
    mine, other = through(lab, v1("198.18.0.91", 1075)), through(lab, v1("198.18.0.92", 1076))
    lab.cli("ban", "198.18.0.91", "--reason", "by hand")
    assert said(mine.sock) in (b"", b"421 4.7.0 your address has been banned\r\n")
    assert "reason=banned" in ended(lab, "port=1075")[-1]
    deliver(other)
    lab.cli("unban", "198.18.0.91")


def test_a_trusted_proxy_is_never_banned(lab):
    for addr in (PROXY4, PROXY6, "192.0.2.64/28", "2001:db8:1:66::/63"):
        done = lab.cli("ban", addr, check=False)
        assert done.returncode == 1 and "trusted proxy" in done.stdout + done.stderr
    # Nor are its own mistakes counted.
    guess(through(lab, b"PROXY UNKNOWN\r\n"), 6)
    assert not lab.bans() and not lab.rows("why", PROXY4)["strikes"]
    assert lab.rows("why", PROXY4)["protected"] == "trusted proxy"


def test_sessions_are_counted_for_the_client_at_all_gates_together(lab):
    """Those of a load balancer are spread over the gates."""
    held = [through(lab, v1(f"198.18.1.{n}", 1100 + n)) for n in range(8)]
    mine = [through(lab, v1("198.18.2.1", 1200 + n)) for n in range(4)]
    with pytest.raises(smtplib.SMTPConnectError) as refused:
        through(lab, v1("198.18.2.1", 1204))
    assert refused.value.smtp_code == 421
    assert "reason=crowded" in ended(lab, "port=1204")[-1]
    gates = {row["id"][:2] for row in lab.rows("sessions")}
    assert gates == {"00", "01"}
    for client in held + mine:
        client.quit()


def test_the_header_comes_ahead_of_implicit_tls(lab, authority):
    import ssl
    context = ssl.create_default_context(cafile=str(authority.ca))
    for header, port in ((v1(INSIDE4, 1300), 1300), (v2(INSIDE6, 1301), 1301)):
        sock = lab.connect(PROXY4, 465)
        sock.sendall(header)
        client = session(context.wrap_socket(sock, server_hostname=NAME))
        client.ehlo()
        client.login(USER, PASSWORD)
        deliver(client)
        line = ended(lab, f"port={port}")[-1]
        assert " tls=TLSv1.3 " in line and f' auth="{USER}"' in line
    # In one segment with the first bytes of the handshake.
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=NAME)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    sock = lab.connect(PROXY4, 465)
    sock.sendall(v2(INSIDE4, 1302) + outgoing.read())
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            incoming.write(sock.recv(16384))
    sock.sendall(outgoing.read())
    assert b"" == sock.recv(0)
    sock.close()
    assert " tls=TLSv1.3 " in ended(lab, "port=1302")[-1]
    # Refused inside: no plain words where TLS is awaited.
    sock = lab.connect(PROXY4, 465)
    sock.sendall(v1("198.18.9.9", 1303))
    assert said(sock) == b""


HAPROXY = """
global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen one
    bind {proxy}:2601
    server gate {gate}:25 source {proxy} send-proxy
listen two
    bind {proxy}:2602
    server gate {gate}:25 source {proxy} send-proxy-v2 check check-send-proxy inter 200ms
listen secured
    bind {proxy}:2603
    server gate {gate}:465 source {proxy} send-proxy-v2
"""


def test_behind_a_real_haproxy(lab, authority, tmp_path):
    import ssl
    conf = tmp_path / "haproxy.cfg"
    conf.write_text(HAPROXY.format(proxy=PROXY4, gate=GATE4))
    balancer = subprocess.Popen(lab.network.command("clients", "haproxy", "-f", str(conf)),
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for port in (2601, 2602, 2603):
            def connected():
                with contextlib.suppress(ConnectionRefusedError):
                    return lab.connect(GOOD4, port, host=PROXY4)
            sock = wait_for("HAProxy listens", connected)
            if port == 2603:
                context = ssl.create_default_context(cafile=str(authority.ca))
                sock = context.wrap_socket(sock, server_hostname=NAME)
            own = sock.getsockname()[1]
            deliver(session(sock))
            assert f" addr={GOOD4} port={own} " in ended(lab, f"port={own}")[-1]
        # Its own health checks, with LOCAL.
        wait_for("a health check was taken for one",
                 lambda: [e for e in lab.events("close") if f" addr={PROXY4} " in e and "proxy-header" not in e])
    finally:
        balancer.terminate()
        balancer.wait(timeout=30)


def test_the_admin_is_told_that_the_kernel_does_not_see_the_client(lab):
    done = lab.network.run("gate", *lab.posternd()[4:], "--check", check=False)
    assert re.search(r"service smtp: accept-proxy: .*gates alone", done.stderr)
