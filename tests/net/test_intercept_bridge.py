# SPDX-License-Identifier: GPL-2.0-only
"""A bridge in front of a mail host on which nothing is changed: not even its gateway. The drawing is in intercept_lab.py."""
import re
import signal
import socket
import struct

import pytest
from intercept_lab import RCPT, ROUTER4, ROUTER6, InterceptLab, finish, is_gate, is_mail_host, ping, tcp_server
from mailhost import USER
from netns import GOOD4, GOOD6, GUESSER4, GUESSER6, LISTED4, MAIL4, MAIL6
from postern_lab import REPAIR_S, wait_for


class BridgeLab(InterceptLab):
    """filtering: whether netfilter looks at bridged packets, too (br_netfilter); then rp_filter is strict as well, with src_valid_mark."""

    def __init__(self, tag, filtering=0, layout="bridge"):
        super().__init__(tag, layout)
        self.filtering = filtering

    def prepare(self):
        for table in ("arptables", "iptables", "ip6tables"):
            path = f"net.bridge.bridge-nf-call-{table}"
            self.network.run("gate", "sysctl", "-qw", f"{path}={self.filtering}", check=bool(self.filtering))
        for interface in ("all", "default", "br0", "outer", "inner"):
            for key in ("rp_filter", "src_valid_mark"):
                self.network.run("gate", "sysctl", "-qw", f"net.ipv4.conf.{interface}.{key}={self.filtering}")


@pytest.fixture(scope="module", params=[0, 1], ids=["plain", "br_netfilter"])
def lab(request):
    with BridgeLab(f"icbr{request.param}", request.param) as running:
        yield running


@pytest.mark.parametrize("source", [GOOD4, GOOD6])
def test_mail_passes_through_a_gate_and_the_mail_host_sees_the_clients_own_address(lab, source):
    assert "gate.example.net ESMTP postern" in lab.banner(source)
    lab.deliver(source)
    assert re.search(rf"smtpd\[\d+\]: connect from unknown\[{re.escape(source)}\]", lab.mail.log())


@pytest.mark.parametrize("source", [GOOD4, GOOD6])
def test_a_mailbox_is_read_and_dovecot_sees_the_clients_own_address(lab, source):
    lab.imap(source).logout()
    wait_for("Dovecot's line", lambda: re.search(
        rf"imap-login: Info: Login: user=<{USER}>.*rip={re.escape(source)},", lab.mail.log("dovecot.log")))


def test_status_names_the_bridge_and_verify_finds_nothing(lab):
    assert [(row["name"], row["bridge"]) for row in lab.rows("status")["interfaces"]] == [("outer", "br0")]
    assert lab.rows("verify") == []


@pytest.mark.parametrize("guesser", [GUESSER4, GUESSER6])
def test_a_guesser_is_banned_and_a_listed_network_never_gets_in(lab, guesser):
    prefix = guesser if guesser == GUESSER4 else "2001:db8:1:66::/64"
    assert lab.guess(guesser, 6)[:5] == [535] * 5
    wait_for("the ban", lambda: lab.banned(prefix))
    for port in (25, 143):
        assert not lab.reachable(guesser, port, timeout=0.5)
    assert not lab.reachable(LISTED4, timeout=0.5)
    assert lab.reachable(GOOD4) and lab.reachable(GOOD6)
    lab.cli("unban", "--all")


@pytest.mark.parametrize("source, target", [(GOOD4, MAIL4), (GOOD6, MAIL6)])
@pytest.mark.parametrize("port", [22, 80])
def test_other_ports_pass_untouched(lab, source, target, port):
    with tcp_server(lab.network, "mail", port) as peers, lab.connect(source, port) as sock:
        assert sock.recv(100) == b"echo\r\n"
        sock.sendall(b"as it was")
        assert sock.recv(100) == b"as it was"
        assert peers == [source]


ETH_P_ALL = 3


def test_frames_with_a_vlan_tag_pass_untouched(lab):
    """To a guarded port as well: they are of a network in which the gate has no address. Without the tag one is taken off."""
    def mac(host, dev):
        text = lab.network.run(host, "cat", f"/sys/class/net/{dev}/address").stdout.strip()
        return bytes.fromhex(text.replace(":", ""))

    def syn(source_port, tag):
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, socket.IPPROTO_TCP, 0,
                         socket.inet_aton(GOOD4), socket.inet_aton(MAIL4))
        tcp = struct.pack("!HHIIBBHHH", source_port, 25, 1, 0, 0x50, 2, 1000, 0, 0)
        return mac("mail", "to-gate") + mac("router", "to-mail") + tag + b"\x08\x00" + ip + tcp

    with lab.network.inside("mail"):
        ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        ear.bind(("to-gate", ETH_P_ALL))
    with lab.network.inside("router"):
        mouth = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        mouth.bind(("to-mail", 0))
    with ear, mouth:
        ear.settimeout(30)
        mouth.send(syn(20001, b""))
        mouth.send(syn(20002, b"\x81\x00\x00\x0a"))
        seen = []
        while 20002 not in seen:
            # What is heard has lost its tag.
            frame = ear.recv(2000)
            if frame[12:14] == b"\x08\x00" and frame[23] == socket.IPPROTO_TCP and frame[36:38] == b"\x00\x19":
                seen.append(int.from_bytes(frame[34:36], "big"))
        assert seen == [20002]


def test_neighbours_find_each_other_and_pings_pass(lab):
    mac = lab.network.run("router", "cat", "/sys/class/net/to-mail/address").stdout.strip()
    for router, target, source, family in ((ROUTER4, MAIL4, GOOD4, "-4"), (ROUTER6, MAIL6, GOOD6, "-6")):
        for host, dev in (("router", "to-mail"), ("mail", "to-gate")):
            lab.network.run(host, "ip", family, "neigh", "flush", "dev", dev)
        ping(lab.network, "clients", source, target)
        assert f"lladdr {mac}" in lab.network.run("mail", "ip", family, "neigh", "show", router).stdout


@pytest.mark.parametrize("address, recipient, seen", [(GOOD4, f"b@[{GOOD4}]", MAIL4), (GOOD6, f"b@[IPv6:{GOOD6}]", MAIL6)])
def test_the_mail_hosts_own_mail_goes_out_untouched(lab, address, recipient, seen):
    assert lab.mail_goes_out(address, recipient) == seen
    assert not [line for line in lab.events("close") if f"addr={seen} " in line], "no gate had it"


@pytest.mark.parametrize("source", [GOOD4, GOOD6])
@pytest.mark.parametrize("command", [["flush", "ruleset"], ["delete", "table", "inet", "postern"]], ids=["ruleset", "table"])
def test_a_flush_by_somebody_else_is_repaired_and_the_session_goes_on(lab, command, source):
    client = lab.begin(source)
    lab.nft(*command)
    wait_for("it is back", lambda: in_place(lab), REPAIR_S)
    finish(client)
    assert is_gate(lab.banner(source))
    assert lab.rows("verify") == []


@pytest.mark.parametrize("port", ["outer", "inner"])
def test_a_program_that_somebody_takes_off_a_port_is_put_back(lab, port):
    lab.network.run("gate", "tc", "qdisc", "del", "dev", port, "clsact")
    wait_for("it is back", lambda: in_place(lab), REPAIR_S)
    assert is_gate(lab.banner())
    wait_for("it is said", lambda: "somebody took our program off a port of the bridge" in lab.events("intercept")[-1])


def filters(lab):
    """The ports that have our program."""
    return [dev for dev in ("outer", "inner")
            if "postern_bridge" in lab.network.run("gate", "tc", "filter", "show", "dev", dev, "ingress").stdout]


def in_place(lab):
    return "jump gates" in lab.nft("list", "ruleset") and filters(lab) == ["outer", "inner"]


@pytest.mark.parametrize("port", [25, 143])
@pytest.mark.parametrize("fail_mode", ["closed", "open"])
def test_while_the_keeper_is_dead_fail_mode_decides(lab, fail_mode, port):
    lab.write_conf(fail_mode=fail_mode)
    lab.cli("reload")
    lab.cli("ban", GUESSER4)
    lab.kill_keeper()
    for source in (GOOD4, GOOD6):
        if fail_mode == "closed":
            wait_for("connections are refused", lambda: lab.refused(source, port))
        else:
            wait_for("the mail host answers itself", lambda: is_mail_host(lab.banner(source, port=port)))
    if fail_mode == "open" and port == 25:
        finish(lab.begin())
    assert not lab.reachable(GUESSER4, timeout=0.5), "the kernel drops what it dropped"
    lab.start()
    wait_for("a gate answers", lambda: is_gate(lab.banner(port=port)))
    lab.cli("unban", "--all")


@pytest.mark.parametrize("fail_mode", ["closed", "open"])
def test_while_gates_die_again_and_again_fail_mode_decides(lab, fail_mode):
    lab.write_conf(fail_mode=fail_mode)
    lab.cli("reload")
    wait_for("the keeper gives up on them for now", lab.kill_gates)
    for port in (25, 143):
        assert lab.refused(GOOD4, port) if fail_mode == "closed" else is_mail_host(lab.banner(port=port))
    wait_for("they work again", lambda: is_gate(lab.banner()))
    lab.deliver(GOOD4)
    lab.write_conf(fail_mode="closed")
    lab.cli("reload")


def test_a_family_in_which_the_bridge_has_no_address_gets_no_further(lab):
    lab.network.run("gate", "ip", "-6", "addr", "flush", "dev", "br0", "scope", "global")
    wait_for("it is told", lambda: any("IPv6: it has no address" in line for line in lab.events("bridge")))
    wait_for("nobody gets around the gates", lambda: not lab.reachable(GOOD6, timeout=0.5))
    with tcp_server(lab.network, "mail", 80), lab.connect(GOOD6, 80) as sock:
        assert sock.recv(100) == b"echo\r\n"
    assert is_gate(lab.banner(GOOD4))
    lab.network._addresses("gate", "br0", [], ["2001:db8:2::9/48"])
    lab.network.run("gate", "ip", "-6", "route", "replace", "default", "via", ROUTER6)
    wait_for("it works again", lambda: is_gate(lab.banner(GOOD6)))


def test_a_new_port_of_the_bridge_is_guarded_too(lab):
    lab.network.run("gate", "ip", "link", "add", "late", "type", "veth", "peer", "name", "late-peer")
    lab.network.run("gate", "ip", "link", "set", "late", "master", "br0", "up")
    wait_for("it has our program", lambda: "postern_bridge" in lab.network.run(
        "gate", "tc", "filter", "show", "dev", "late", "ingress").stdout)
    lab.network.run("gate", "ip", "link", "del", "late")
    wait_for("it is forgotten", lambda: lab.cli("verify", check=False).returncode == 0)


def test_another_program_takes_over_and_the_session_goes_on(lab):
    client = lab.begin()
    lab.cli("upgrade", check=False)  # test_upgrade asks for its answer, which a busy machine may cut off
    wait_for("the other one has taken over", lambda: len(lab.events("handover")) > 0)
    wait_for("it is in force", lambda: lab.cli("verify", check=False).returncode == 0)
    finish(client)
    assert is_gate(lab.banner(GOOD6))


def test_a_reload_without_interception_takes_it_off_and_one_with_it_puts_it_back(lab):
    conf = lab.dir / "postern.conf"
    text = conf.read_text()
    aside = 'listen = { "127.0.0.1:2525" }\n\tbackend = { "127.0.0.1:25" }'
    conf.write_text(text[:text.index("service smtp")] + f"service smtp {{\n\ttype = smtp\n\tpolicy = global\n\t{aside}\n}}\n")
    lab.cli("reload")
    assert is_mail_host(lab.banner()) and filters(lab) == []
    lab.stop()
    lab.start()  # the program is not even loaded now, and has to be with what the keeper has kept of its rights
    assert is_mail_host(lab.banner())
    conf.write_text(text)
    lab.cli("reload")
    assert is_gate(lab.banner()) and in_place(lab)


def test_stopping_gives_the_port_back_and_breaks_no_session(lab):
    client = lab.begin()
    assert client.docmd("RCPT", f"TO:<{RCPT}>")[0] == 250
    assert client.docmd("DATA")[0] == 354
    lab.daemon.send_signal(signal.SIGTERM)
    wait_for("new connections reach the mail host itself", lambda: is_mail_host(lab.banner()))
    client.send("Subject: x\r\n\r\nx\r\n.\r\n")
    assert client.getreply()[0] == 250
    client.close()
    assert lab.stop() == 0
    assert is_mail_host(lab.banner(GOOD6))
    state = lab.host_state()
    assert {key: state[key] for key in state if key != "links"} == {
        key: lab.before[key] for key in state if key != "links"}, "XDP alone stays"
    lab.start()
    assert is_gate(lab.banner())


def test_detach_leaves_the_host_as_it_was_with_what_others_have_there(lab):
    lab.stop()
    lab.detach()
    assert lab.host_state() == lab.before
    lab.nft("add", "table", "bridge", "theirs")
    lab.nft("add", "chain", "bridge", "theirs", "pre", "{ type filter hook prerouting priority -300; }")
    lab.nft("add", "table", "inet", "firewall")
    lab.nft("add", "chain", "inet", "firewall", "input", "{ type filter hook input priority 0; }")
    lab.network.run("gate", "tc", "qdisc", "add", "dev", "inner", "clsact")
    lab.network.run("gate", "tc", "filter", "add", "dev", "inner", "egress", "prio", "7", "protocol", "ip", "u32",
                    "match", "u32", "0", "0", "flowid", "1:1")
    theirs = lab.host_state()
    u32 = lab.network.run("gate", "tc", "filter", "show", "dev", "inner", "egress").stdout
    lab.start()
    assert is_gate(lab.banner()) and is_gate(lab.banner(GOOD6))
    lab.kill_keeper()
    assert filters(lab) == ["outer", "inner"]
    lab.detach()
    assert lab.host_state() == theirs
    assert lab.network.run("gate", "tc", "filter", "show", "dev", "inner", "egress").stdout == u32
    assert is_mail_host(lab.banner()) and is_mail_host(lab.banner(GOOD6))
    lab.nft("flush", "ruleset")
    lab.network.run("gate", "tc", "qdisc", "del", "dev", "inner", "clsact")
    lab.start()
    assert is_gate(lab.banner())


def test_a_bridge_without_an_address_is_told_what_it_needs(lab):
    lab.stop()
    lab.network.run("gate", "ip", "addr", "flush", "dev", "br0", "scope", "global")
    lab.start(wait=False)
    assert lab.daemon.wait(timeout=30) == 1
    assert "br0 is a bridge without an address: give it one of the mail host's network" in lab.log()
    lab.daemon = None
    assert is_mail_host(lab.banner())
    lab.network._addresses("gate", "br0", ["198.51.100.9/24"], ["2001:db8:2::9/48"])
    lab.network.run("gate", "ip", "route", "replace", "default", "via", ROUTER4)
    lab.network.run("gate", "ip", "-6", "route", "replace", "default", "via", ROUTER6)
    lab.start()
    assert is_gate(lab.banner())


@pytest.mark.parametrize("filtering", [0, 1], ids=["plain", "br_netfilter"])
@pytest.mark.parametrize("interface", ["outer", "br0"])
def test_the_mail_host_may_be_the_bridge_itself(interface, filtering):
    """With machines behind it that are not postern's: where the bridge is named nothing of theirs is taken off."""
    own = BridgeLab(f"icbo{interface[0]}{filtering}", filtering, "bridged host")
    own.settings["interface"] = interface
    with own:
        for source in (GOOD4, GOOD6):
            assert is_gate(own.banner(source))
            own.deliver(source)
            assert re.search(rf"smtpd\[\d+\]: connect from unknown\[{re.escape(source)}\]", own.mail.log())
        with tcp_server(own.network, "mail", 25, banner=b"220 backend of another\r\n") as peers:
            there = [is_mail_host(own.connect(source, host=host).recv(100).decode())
                     for source, host in ((GOOD4, MAIL4), (GOOD6, MAIL6))]
        assert there == [interface == "br0"] * 2
        assert peers[:2] == ([GOOD4, GOOD6] if interface == "br0" else [])
        assert own.rows("verify") == []
        own.stop()
        own.detach()
        assert own.host_state() == own.before


def test_where_there_is_no_xdp_nftables_drops_what_was_taken_off_the_bridge():
    fenced = BridgeLab("icbf")
    fenced.settings["xdp"] = "off"
    with fenced:
        assert is_gate(fenced.banner(GOOD4)) and is_gate(fenced.banner(GOOD6))
        for guesser in (GUESSER4, GUESSER6):
            assert is_gate(fenced.banner(guesser))
            fenced.cli("ban", guesser)
            assert not fenced.reachable(guesser, timeout=0.5)
        assert not fenced.reachable(LISTED4, timeout=0.5)
        fenced.deliver(GOOD4)
        assert fenced.rows("verify") == []
