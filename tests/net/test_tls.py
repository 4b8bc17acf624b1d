# SPDX-License-Identifier: GPL-2.0-only
"""TLS towards clients: STARTTLS and implicit, what is offered before and after it, and what is refused."""
import ssl

import pytest
from certs import Authority
from mailhost import PASSWORD, USER
from netns import GATE4, GOOD4
from postern_lab import Lab

NAME = "mail.example.net"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("certs"))
    made.make("mx", [NAME])
    made.make("other", ["other.example.net", "*.sub.example.net"])
    return made


def certificate(authority, name):
    return f'certificate {name} {{ chain = "{authority.dir}/{name}.pem" key = "{authority.dir}/{name}.key" }}\n'


SUBMISSIONS = """
service submissions {{
	type = submissions
	policy = global
	listen = {{ "0.0.0.0:465" }}
	backend = {{ "198.51.100.2:2525" }}
	client-address = proxy
	certificates = {{ {certificates} }}
}}
"""


@pytest.fixture(scope="module")
def lab(authority):
    with Lab("tls", top=certificate(authority, "mx") + certificate(authority, "other"),
             service='tls = starttls\n\tcertificates = { "mx", "other" }',
             submission='tls = starttls\n\tcertificates = { "mx" }',
             services=SUBMISSIONS.format(certificates='"mx", "other"')) as running:
        yield running


def trusting(authority):
    return ssl.create_default_context(cafile=str(authority.ca))


def secured(lab, authority, port=25, name=NAME, context=None):
    """An smtplib session after STARTTLS."""
    client = lab.smtp(port=port)
    client._host = name
    client.starttls(context=context or trusting(authority))
    return client


def wrapped(lab, authority, name=NAME, context=None, port=465):
    """A socket with implicit TLS."""
    return (context or trusting(authority)).wrap_socket(lab.connect(GOOD4, port), server_hostname=name)


def test_starttls_is_offered_and_a_message_goes_through_it(lab, authority):
    client = lab.smtp()
    client.ehlo()
    assert client.has_extn("starttls")
    client._host = NAME
    client.starttls(context=trusting(authority))
    assert client.sock.version() == "TLSv1.3"
    client.ehlo()
    assert not client.has_extn("starttls")
    client.sendmail("a@example.com", ["anna@example.org"], "Subject: inside\r\n\r\nTLS\r\n")
    client.quit()
    assert b"Subject: inside" in lab.mail.wait_messages(1)[0]
    line = lab.wait_event("close")[-1]
    assert " tls=TLSv1.3 cipher=TLS_" in line and " msgs=1 " in line


def test_auth_waits_for_tls(lab, authority):
    client = lab.smtp(port=587)
    client.ehlo()
    assert not client.has_extn("auth")
    assert client.docmd("AUTH", "PLAIN AGFubmEAeA==")[0] == 538
    client._host = NAME
    client.starttls(context=trusting(authority))
    client.ehlo()
    assert client.has_extn("auth")
    assert client.login(USER, PASSWORD)[0] == 235
    client.quit()


def test_implicit_tls_greets_inside(lab, authority):
    with wrapped(lab, authority) as sock:
        assert sock.recv(100).startswith(b"220 ")
        sock.sendall(b"QUIT\r\n")
        assert sock.recv(100).startswith(b"221 ")
        assert sock.recv(100) == b""  # close_notify: else an exception


def test_ehlo_is_needed_again_and_starttls_is_refused_inside(lab, authority):
    client = lab.smtp()
    client.ehlo()
    client._host = NAME
    client.starttls(context=trusting(authority))
    assert client.docmd("MAIL", "FROM:<a@example.com>")[0] == 503
    client.ehlo()
    assert client.docmd("STARTTLS")[0] == 503
    client.close()


def test_words_behind_starttls_are_never_heard(lab):
    sock = lab.connect(GOOD4)
    assert sock.recv(200).startswith(b"220 ")
    sock.sendall(b"EHLO client.example.com\r\n")
    sock.recv(2000)
    sock.sendall(b"STARTTLS\r\nMAIL FROM:<a@example.com>\r\n")
    assert sock.recv(100) == b""
    sock.close()
    lab.wait_event("starttls-injection")
    assert lab.wait_event("close")[-1].count("reason=starttls-injection") == 1
