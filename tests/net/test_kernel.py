# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel drops, with and without a daemon, and what monitoring sees."""
import pytest
from netns import GOOD4, GOOD6, GUESSER4, LISTED4, LISTED_ALL4
from postern_lab import wait_for


@pytest.mark.parametrize("address", LISTED_ALL4 + ["2001:db8:bad::1"])
def test_a_listed_network_is_dropped_up_to_its_last_address(lab, address):
    assert not lab.reachable(address, timeout=0.6)


def test_counters_say_why(lab):
    def dropped():
        return sum(cpu["value"]["dropped_blacklisted"]
                   for row in lab.dump("counters") for cpu in row.get("values", []))
    before = dropped()
    lab.reachable(LISTED4, timeout=0.5)
    assert dropped() > before


def test_a_tcp_service_is_gated_in_the_kernel_alone(lab):
    with lab.network.inside("gate"):
        import socket
        server = socket.create_server(("0.0.0.0", 8443))
    try:
        lab.connect(GOOD4, 8443).close()
        assert not lab.reachable(LISTED4, 8443, timeout=0.6), "no entry in webadmin: dropped"
    finally:
        server.close()


def test_other_ports_are_none_of_our_business(lab):
    with lab.network.inside("gate"):
        import socket
        server = socket.create_server(("0.0.0.0", 9999))
    try:
        lab.connect(LISTED4, 9999).close()
    finally:
        server.close()


def test_native_mode_is_used_and_said(lab):
    status = lab.rows("status")
    status = status[0] if isinstance(status, list) else status
    assert [(i["name"], i["mode"]) for i in status["interfaces"]] == [("nic", "native")]


def test_services_are_legible_in_a_dump(lab):
    ports = {row["key"]["port"] for row in lab.dump("services")}
    assert ports == {25, 587, 8443}


def test_bans_hold_and_end_while_the_daemon_is_stopped(lab):
    lab.cli("ban", GUESSER4, "--for", "10s")
    lab.cli("ban", "192.0.2.67")
    assert lab.stop() == 0
    assert not lab.reachable(GUESSER4, timeout=0.5)
    wait_for("the kernel ends the ban by itself",
             lambda: refused_not_dropped(lab, GUESSER4), 20)
    assert not lab.reachable("192.0.2.67", timeout=0.5)
    lab.start()
    assert not lab.banned(GUESSER4) and lab.banned("192.0.2.67")
    lab.cli("unban", "--all")


def refused_not_dropped(lab, source):
    """With no daemon a permitted SYN is answered by a reset, a dropped one by nothing."""
    try:
        lab.connect(source, timeout=0.4).close()
    except ConnectionRefusedError:
        return True
    except TimeoutError:
        return False
    return True


def test_generic_mode_drops_as_well(lab):
    lab.write_conf(xdp="generic")
    lab.stop()
    lab.start()
    try:
        status = lab.rows("status")
        status = status[0] if isinstance(status, list) else status
        assert status["interfaces"][0]["mode"] == "generic"
        assert lab.reachable(GOOD4) and lab.reachable(GOOD6)
        assert not lab.reachable(LISTED4, timeout=0.6)
    finally:
        lab.write_conf(xdp="auto")
        lab.stop()
        lab.start()


def test_without_xdp_the_gate_itself_refuses(lab):
    lab.network.run("gate", *lab.posternd("--detach")[4:], check=False)
    lab.stop()
    lab.network.run("gate", *lab.posternd("--detach")[4:])
    lab.write_conf(xdp="off", interfaces='')
    lab.start()
    try:
        with lab.connect(LISTED4) as sock:
            assert sock.recv(512)[:3] in (b"421", b"554")
        lab.cli("ban", GUESSER4, check=False)
        with lab.connect(GUESSER4) as sock:
            assert sock.recv(512)[:3] in (b"421", b"554")
    finally:
        lab.cli("unban", "--all", check=False)
        lab.stop()
        lab.write_conf(xdp="auto", interfaces='"nic"')
        lab.start()


def test_detach_works_with_the_daemon_dead_and_leaves_nothing(lab):
    lab.cli("ban", GUESSER4)
    lab.daemon.kill()
    lab.daemon.wait()
    assert not lab.reachable(GUESSER4, timeout=0.5)
    done = lab.network.run("gate", *lab.posternd("--detach")[4:])
    assert done.returncode == 0 and "posternd runs" not in done.stderr
    assert not (lab.dir / "bpf/postern").exists()
    assert refused_not_dropped(lab, GUESSER4)
    lab.start()
    assert not lab.reachable(GUESSER4, timeout=0.5), "the store still has it"
    lab.cli("unban", "--all")
