# SPDX-License-Identifier: GPL-2.0-only
"""POP3 through the gate, with a real Dovecot behind it."""
import poplib

import socket


from mailhost import PASSWORD, POP3, POP3_PROXY, USER
from netns import GATE4, GATE6, GOOD4, MAIL4
from postern_lab import wait_for

SERVICE = """
service pop3 {{
	type = pop3
	policy = global
	listen = {{ "0.0.0.0:110", "[::]:110" }}
	backend = {{ "{backend}" }}
	client-address = {mode}
}}
"""
LAB = {"services": SERVICE.format(backend=f"{MAIL4}:{POP3_PROXY}", mode="proxy")}


def pop3(lab, source=GOOD4, port=110, timeout=20.0):
    with lab.network.inside("clients"):
        client = poplib.POP3.__new__(poplib.POP3)
        client._create_socket = lambda _: socket.create_connection(
            (GATE6 if ":" in source else GATE4, port), timeout=timeout, source_address=(source, 0))
        client.__init__(GATE4, port)
    return client


def test_login_and_list(lab):
    client = pop3(lab)
    assert client.getwelcome() == b"+OK gate.example.net POP3 ready"
    capa = client.capa()
    assert "USER" in capa and "SASL" in capa and "STLS" not in capa
    client.user(USER)
    assert client.pass_(PASSWORD).startswith(b"+OK")
    assert client.stat()[0] >= 0
    client.quit()
