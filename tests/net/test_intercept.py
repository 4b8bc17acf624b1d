# SPDX-License-Identifier: GPL-2.0-only
"""In front of a mail host on which nothing is changed: on the same host, and on a router in front of it.

Same host: Postfix listens on *:25 of the gate's namespace. Router: it listens in the mail namespace, whose default
route is the gate; clients connect to its own address.
"""
import re
import signal
import socket

import pytest
from intercept_lab import RCPT, InterceptLab
from netns import GATE4, GOOD4, GOOD6, GUESSER4, LISTED4, MAIL4, sh
from postern_lab import wait_for


@pytest.fixture(scope="module", params=["same host", "router"])
def lab(request):
    with InterceptLab("icpt" + request.param[0], request.param) as running:
        yield running


@pytest.mark.parametrize("source", [GOOD4, GOOD6])
def test_mail_passes_through_a_gate_and_the_mail_host_sees_the_clients_own_address(lab, source):
    assert "gate.example.net ESMTP postern" in lab.banner(source)
    lab.deliver(source)
    assert re.search(rf"smtpd\[\d+\]: connect from unknown\[{re.escape(source)}\]", lab.mail.log())


def test_a_guesser_is_banned_and_a_listed_network_never_gets_in(lab):
    assert lab.guess(GUESSER4, 6)[:5] == [535] * 5
    wait_for("the ban", lambda: lab.banned(GUESSER4))
    assert not lab.reachable(GUESSER4, timeout=0.5)
    assert not lab.reachable(LISTED4, timeout=0.5)
    assert lab.reachable(GOOD4)
    lab.cli("unban", "--all")


def test_what_does_not_come_in_by_the_interface_is_left_alone(lab):
    """Loopback, and the host's own outgoing mail."""
    if lab.layout == "router":
        with lab.network.inside("gate"), socket.create_connection((MAIL4, 25), timeout=5) as sock:
            assert "backend" in sock.recv(200).decode()
        return
    for host in ("127.0.0.1", GATE4):
        with lab.network.inside("gate"), socket.create_connection((host, 25), timeout=5) as sock:
            assert "backend" in sock.recv(200).decode()


def test_the_gates_own_port_is_no_way_in(lab):
    with lab.network.inside("gate"), socket.create_connection(("127.0.0.1", 28025), timeout=5) as sock:
        assert sock.recv(200) == b""


def test_a_flush_by_somebody_else_is_repaired_and_hurts_nobody(lab):
    lab.nft("add", "table", "inet", "firewall")
    lab.nft("add", "chain", "inet", "firewall", "input", "{ type filter hook input priority 0; }")
    theirs = lab.nft("list", "table", "inet", "firewall")
    client = lab.smtp()
    client.ehlo()
    assert client.docmd("MAIL", "FROM:<a@example.com>")[0] == 250
    for command in (["flush", "ruleset"], ["delete", "table", "inet", "postern"],
                    ["flush", "chain", "inet", "postern", "prerouting"]):
        lab.nft(*command)
        wait_for("the table is back", lambda: "jump gates" in lab.nft("list", "ruleset"), 1)
        if command == ["flush", "ruleset"]:
            assert "firewall" not in lab.nft("list", "ruleset"), "what others removed stays removed"
    assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
    assert client.data("Subject: x\r\n\r\nx")[0] == 250
    client.quit()
    assert "postern" in lab.banner()
    assert any("put back" in line for line in lab.events("intercept"))
    lab.nft("add", "table", "inet", "firewall")
    lab.nft("add", "chain", "inet", "firewall", "input", "{ type filter hook input priority 0; }")
    lab.cli("reload")
    assert lab.nft("list", "table", "inet", "firewall") == theirs
    lab.nft("delete", "table", "inet", "firewall")


@pytest.mark.parametrize("fail_mode", ["closed", "open"])
def test_while_the_keeper_is_dead_fail_mode_decides(lab, fail_mode):
    lab.write_conf(fail_mode=fail_mode)
    lab.cli("reload")
    lab.cli("ban", GUESSER4)
    lab.kill_keeper()
    if fail_mode == "closed":
        wait_for("connections are refused", lambda: lab.banner() is None)
    else:
        wait_for("the mail host answers itself", lambda: "backend" in (lab.banner() or ""))
    assert not lab.reachable(GUESSER4, timeout=0.5), "the kernel drops what it dropped"
    lab.start()
    wait_for("a gate answers", lambda: "postern" in (lab.banner() or ""))
    lab.cli("unban", "--all")


@pytest.mark.parametrize("fail_mode", ["closed", "open"])
def test_while_gates_die_again_and_again_fail_mode_decides(lab, fail_mode):
    lab.write_conf(fail_mode=fail_mode)
    lab.cli("reload")
    wait_for("the keeper gives up on them for now", lab.kill_gates, 30)
    answer = lab.banner()
    assert answer is None if fail_mode == "closed" else "backend" in answer
    wait_for("they work again", lambda: "postern" in (lab.banner() or ""), 30)
    lab.deliver(GOOD4)


def test_stopping_gives_the_port_back_and_breaks_no_session(lab):
    client = lab.smtp()
    client.ehlo()
    client.docmd("MAIL", "FROM:<a@example.com>")
    client.docmd("RCPT", f"TO:<{RCPT}>")
    assert client.docmd("DATA")[0] == 354
    lab.daemon.send_signal(signal.SIGTERM)
    wait_for("new connections reach the mail host itself", lambda: "backend" in (lab.banner() or ""))
    client.send("Subject: x\r\n\r\nx\r\n.\r\n")
    assert client.getreply()[0] == 250
    client.close()
    assert lab.stop() == 0
    left = lab.nft("list", "ruleset")
    assert "postern" not in left
    for family in ("-4", "-6"):
        rules = sh("ip", "-n", lab.network.names["gate"], family, "rule", "show").stdout
        assert "0x706f" not in rules
        assert not sh("ip", "-n", lab.network.names["gate"], family, "route", "show", "table", "112",
                      check=False).stdout
    lab.start()
    assert "postern" in lab.banner()


def test_detach_takes_off_what_a_killed_keeper_left(lab):
    lab.kill_keeper()
    assert "postern" in lab.nft("list", "ruleset")
    lab.detach()
    assert lab.nft("list", "ruleset") == ""
    wait_for("the mail host answers itself", lambda: "backend" in (lab.banner() or ""))
    lab.start()
    assert "postern" in lab.banner()
