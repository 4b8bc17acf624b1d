# SPDX-License-Identifier: GPL-2.0-only
"""In front of a mail host on which nothing is changed: on the same host, and on a router in front of it.

Same host: Postfix listens on *:25 of the gate's namespace. Router: it listens in the mail namespace, whose default
route is the gate; clients connect to its own address. The admin has set rp_filter to strict before posternd starts, and src_valid_mark,
as WireGuard does.
"""
import re
import signal
import socket

import pytest
from intercept_lab import RCPT, InterceptLab, finish, is_gate, is_mail_host
from mailhost import USER
from netns import GATE4, GATE6, GOOD4, GOOD6, GUESSER4, LISTED4, MAIL4, MAIL6
from postern_lab import REPAIR_S, wait_for


class StrictLab(InterceptLab):
    def prepare(self):
        for interface in ("all", "default", "lo", "nic", "inner"):
            for key in ("rp_filter", "src_valid_mark"):
                self.network.run("gate", "sysctl", "-qw", f"net.ipv4.conf.{interface}.{key}=1")


@pytest.fixture(scope="module", params=["same host", "router"])
def lab(request):
    with StrictLab("icpt" + request.param[0], request.param) as running:
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


@pytest.mark.parametrize("source", [GOOD4, GOOD6])
def test_a_mailbox_is_read_and_dovecot_sees_the_clients_own_address(lab, source):
    lab.imap(source).logout()
    wait_for("Dovecot's line", lambda: re.search(
        rf"imap-login: Info: Login: user=<{USER}>.*rip={re.escape(source)},", lab.mail.log("dovecot.log")))


def test_what_does_not_come_in_by_the_interface_is_left_alone(lab):
    """Loopback, and the host's connections to itself or to the mail host behind it."""
    for host in ("127.0.0.1", "::1", GATE4, GATE6) if lab.layout == "same host" else (MAIL4, MAIL6):
        for port in (25, 143):
            with lab.network.inside("gate"), socket.create_connection((host, port), timeout=5) as sock:
                assert is_mail_host(sock.recv(200).decode())


@pytest.mark.parametrize("address, recipient", [(GOOD4, f"b@[{GOOD4}]"), (GOOD6, f"b@[IPv6:{GOOD6}]")])
def test_the_mail_hosts_own_mail_goes_out_untouched(lab, address, recipient):
    seen = {"same host": (GATE4, GATE6), "router": (MAIL4, MAIL6)}[lab.layout][":" in address]
    assert lab.mail_goes_out(address, recipient) == seen
    assert not [line for line in lab.events("close") if f"addr={seen} " in line], "no gate had it"


def test_the_gates_own_port_is_no_way_in(lab):
    with lab.network.inside("gate"), socket.create_connection(("127.0.0.1", 28025), timeout=5) as sock:
        assert sock.recv(200) == b""


BY_HAND = """
flush ruleset
table inet filter {
	chain input {
		type filter hook input priority 0; policy drop;
		iifname "lo" accept
		ct state { established, related } accept
		meta l4proto ipv6-icmp accept
		tcp dport { 25, 143 } accept
	}
	chain forward {
		type filter hook forward priority 0; policy drop;
	}
}
"""


@pytest.mark.parametrize("source", [GOOD4, GOOD6])
def test_a_flush_by_somebody_else_is_repaired_and_hurts_nobody(lab, source):
    """As a firewall does that takes away everything, or a ruleset written by hand that begins with flush ruleset."""
    by_hand = lab.dir / "nftables.conf"
    by_hand.write_text(BY_HAND)
    client = lab.begin(source)
    mailbox = lab.imap(source)
    for command in (["flush", "ruleset"], ["delete", "table", "inet", "postern"],
                    ["flush", "chain", "inet", "postern", "prerouting"], ["-f", str(by_hand)]):
        lab.nft(*command)
        wait_for("the table is back", lambda: "jump gates" in lab.nft("list", "ruleset"), REPAIR_S)
        if command == ["flush", "ruleset"]:
            assert lab.nft("list", "tables").split() == ["table", "inet", "postern"], "what others removed stays removed"
    finish(client)
    assert mailbox.noop()[0] == "OK"
    mailbox.logout()
    assert is_gate(lab.banner(source))
    wait_for("it is said", lambda: any("put back" in line for line in lab.events("intercept")))
    theirs = lab.nft("list", "table", "inet", "filter")
    lab.deliver(source)
    lab.cli("reload")
    assert lab.nft("list", "table", "inet", "filter") == theirs
    lab.nft("delete", "table", "inet", "filter")
    assert lab.rows("verify") == []


def test_a_firewall_of_iptables_stays_as_it_is_and_mail_gets_through(lab):
    """Rules as ufw makes them: a few ports are allowed, what is invalid is dropped, and so is the rest."""
    for iptables, icmp in (("iptables-nft", "icmp"), ("ip6tables-nft", "ipv6-icmp")):
        for rule in (["-P", "INPUT", "DROP"], ["-P", "FORWARD", "DROP"], ["-A", "INPUT", "-i", "lo", "-j", "ACCEPT"],
                     ["-A", "INPUT", "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT"],
                     ["-A", "INPUT", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP"],
                     ["-A", "INPUT", "-p", icmp, "-j", "ACCEPT"],
                     ["-A", "INPUT", "-p", "tcp", "-m", "multiport", "--dports", "25,143", "-j", "ACCEPT"]):
            lab.network.run("gate", iptables, *rule)

    def rules():  # without the counters of the chains
        return [re.sub(r"\[\d+:\d+\]", "", lab.network.run("gate", save).stdout.split("\n", 1)[1].split("# Completed")[0])
                for save in ("iptables-nft-save", "ip6tables-nft-save")]

    before = rules()
    for source in (GOOD4, GOOD6):
        lab.deliver(source)
        lab.imap(source).logout()
    assert not lab.reachable(GOOD4, 587, timeout=0.5), "the firewall works"
    lab.stop()
    lab.start()
    lab.deliver(GOOD4)
    after = rules()
    for family in ("ip", "ip6"):
        lab.nft("delete", "table", family, "filter")
    assert after == before


@pytest.mark.parametrize("fail_mode", ["closed", "open"])
def test_while_the_keeper_is_dead_fail_mode_decides(lab, fail_mode):
    lab.write_conf(fail_mode=fail_mode)
    lab.cli("reload")
    lab.cli("ban", GUESSER4)
    lab.kill_keeper()
    for source, port in ((GOOD4, 25), (GOOD4, 143), (GOOD6, 25), (GOOD6, 143)):
        if fail_mode == "closed":
            wait_for("connections are refused", lambda: lab.refused(source, port))
        else:
            wait_for("the mail host answers itself", lambda: is_mail_host(lab.banner(source, port=port)))
    assert not lab.reachable(GUESSER4, timeout=0.5), "the kernel drops what it dropped"
    lab.start()
    wait_for("a gate answers", lambda: is_gate(lab.banner()))
    lab.cli("unban", "--all")


@pytest.mark.parametrize("fail_mode", ["closed", "open"])
def test_while_gates_die_again_and_again_fail_mode_decides(lab, fail_mode):
    lab.write_conf(fail_mode=fail_mode)
    lab.cli("reload")
    for _ in range(2):
        wait_for("the keeper gives up on them for now", lab.kill_gates)
        for port in (25, 143):
            assert lab.refused(GOOD4, port) if fail_mode == "closed" else is_mail_host(lab.banner(port=port))
        wait_for("they work again", lambda: is_gate(lab.banner()))
    lab.deliver(GOOD6)
    lab.imap(GOOD4).logout()


def test_stopping_gives_the_port_back_and_breaks_no_session(lab):
    client = lab.smtp()
    client.ehlo()
    client.docmd("MAIL", "FROM:<a@example.com>")
    client.docmd("RCPT", f"TO:<{RCPT}>")
    assert client.docmd("DATA")[0] == 354
    lab.daemon.send_signal(signal.SIGTERM)
    wait_for("new connections reach the mail host itself", lambda: is_mail_host(lab.banner()))
    client.send("Subject: x\r\n\r\nx\r\n.\r\n")
    assert client.getreply()[0] == 250
    client.close()
    assert lab.stop() == 0
    state = lab.host_state()
    assert {key: state[key] for key in state if key != "links"} == {
        key: lab.before[key] for key in state if key != "links"}, "XDP alone stays"
    lab.start()
    assert "postern" in lab.banner()


def test_detach_takes_off_what_a_killed_keeper_left(lab):
    lab.kill_keeper()
    assert "postern" in lab.nft("list", "ruleset")
    lab.detach()
    assert lab.host_state() == lab.before
    wait_for("the mail host answers itself", lambda: is_mail_host(lab.banner()))
    lab.start()
    assert is_gate(lab.banner())


@pytest.mark.parametrize("lab", ["same host"], indirect=True)
@pytest.mark.parametrize("source", [GOOD4, GOOD6])
def test_a_session_that_stood_before_postern_came_goes_on(lab, source):
    if lab.daemon:
        lab.stop()
    client = lab.smtp(source)
    assert client.ehlo()[0] == 250
    lab.start()
    assert "postern" in lab.banner()
    client.sendmail("a@example.com", [RCPT], "Subject: older than postern\r\n\r\nx\r\n")
    client.quit()
