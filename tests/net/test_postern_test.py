# SPDX-License-Identifier: GPL-2.0-only
"""`postern test`: it says what a client gets, since it is the same code that says it to clients; and it leaves no trace.

Real name servers behind the checks, a real Postfix behind the gate for the clients it is compared with.
"""
import base64
import concurrent.futures
import json

import pytest
from certs import Authority, certificate
from dns import Dns
from mailhost import DOMAIN, PASSWORD, USER
from netns import GOOD4, GOOD6, MAIL4
from postern_lab import Lab, wait_for

OURS, THEIRS = f"{USER}@{DOMAIN}", "bob@example.com"
NAMED4, NAMELESS4, PLAIN4, AA_AR4, GREY4, DR4, LISTED4, BANNED4 = (
    GOOD4, "192.0.2.66", "192.0.2.67", "192.0.2.71", "192.0.2.70", "192.0.2.72", "203.0.113.5", "192.0.2.73")

GLOBAL_LIST = f"""\
0.0.0.0/0      PA AS AR LL HE PTR SPF
::/0           PA AS AR LL HE PTR SPF
203.0.113.0/24 BL
{PLAIN4}       PA AS LL            # may log in, never relays
{AA_AR4}       PA AA AR
{GREY4}        PA GL
{DR4}          PA DR
"""
TOP = f"""\
local-domains = {{ "{DOMAIN}", "old.example" }}
routes = {{ "@old.example -> @{DOMAIN}" }}
"""
ZONES = {
    "2.0.192.in-addr.arpa": "10 PTR client.example.com.\n",
    "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa": "@ PTR client6.example.com.\n",
    "example": 'fail TXT "v=spf1 -all"\npass TXT "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"\n'
               'soft TXT "v=spf1 ~all"\n',
}
POLICY = "spf = enforce\n\tgreylist-delay = 1h"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("certs"))
    authority.make("mx", ["gate.example.net"])
    lab = Lab("posttest", top=TOP + certificate(authority, "mx"), ptr="enforce", policy=POLICY, dns=f'"{MAIL4}"',
              submission='tls = starttls\n\tcertificates = { "mx" }\n\trequire-tls-for-auth = yes')
    lab.lists["global.list"] = GLOBAL_LIST
    with lab:
        dns = Dns(lab)
        dns.zones = ZONES
        with dns:
            lab.cli("ban", BANNED4, "--for", "1h", "--reason", "of old")
            yield lab


def ask(lab, address, *words, service="smtp"):
    """The answer as JSON, and the exit status."""
    done = lab.cli("test", service, address, *words, "--json", check=False)
    assert done.returncode in (0, 1), done.stderr
    answer = json.loads(done.stdout)
    assert answer["passes"] == (done.returncode == 0)
    return answer


def step(answer, name):
    found = [s for s in answer["steps"] if s["step"] == name]
    assert len(found) == 1, (name, answer["steps"])
    return found[0]


# ---- the same as for clients


def live(lab, address, helo, sender, recipient, login):
    """The first reply that refuses a client of this address, or the one to DATA."""
    client = lab.smtp(address)
    replies = [client.docmd(f"EHLO {helo}")]
    if replies[-1][0] == 250 and login:
        token = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
        replies.append(client.docmd(f"AUTH PLAIN {token}"))
    for command in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA"):
        if 200 <= replies[-1][0] < 300:
            replies.append(client.docmd(command))
    client.close()
    code, text = replies[-1]
    return code, text.decode()


@pytest.mark.parametrize("address,helo,sender,recipient,login", [
    (NAMED4, "x.example", "a@pass.example", OURS, False),
    (GOOD6, "x.example", "a@pass.example", OURS, False),
    (NAMED4, "x", "a@pass.example", OURS, False),
    (NAMED4, "[192.0.2.10]", "a@pass.example", OURS, False),
    (NAMELESS4, "x.example", "a@pass.example", OURS, False),
    (NAMED4, "x.example", "a@fail.example", OURS, False),
    (NAMED4, "x.example", "a@soft.example", OURS, False),
    (NAMED4, "x.example", "a@pass.example", THEIRS, False),
    (NAMED4, "x.example", "a@pass.example", f"bob%example.com@{DOMAIN}", False),
    (NAMED4, "x.example", "a@pass.example", "@example.com:bob@example.com", False),
    (NAMED4, "x.example", OURS, OURS, False),
    (NAMED4, "x.example", "", OURS, False),
    (NAMED4, "x.example", "", "postmaster", False),
    (NAMED4, "x.example", "a b@pass.example", OURS, False),
    (NAMED4, "x.example", "a@pass.example", "nonsense@", False),
    (NAMED4, "x.example", OURS, THEIRS, True),
    (PLAIN4, "x", OURS, THEIRS, True),
    (PLAIN4, "x", "a@fail.example", OURS, False),
    (AA_AR4, "x", OURS, OURS, False),
    (NAMED4, "x.example", "a@pass.example", f"{USER}@old.example", False)])
def test_a_client_gets_what_the_test_says(lab, address, helo, sender, recipient, login):
    words = ["--helo", helo, "--from", sender or "<>", "--to", recipient] + (["--auth", USER] if login else [])
    answer = ask(lab, address, *words)
    code, text = live(lab, address, helo, sender, recipient, login)
    assert answer["passes"] == (code == 354), (answer, code, text)
    if code == 354:
        return
    assert " ".join(answer["reply"].split()) == f"{code} {text}".replace("\n", f"; {code} ").replace("\\", "\\\\"), answer
    assert answer["steps"][-1]["step"] not in ("data",)


@pytest.mark.parametrize("address,step_name,result,words", [
    (LISTED4, "entry", "blacklisted", "203.0.113.0/24"), (BANNED4, "ban", "banned", f"{BANNED4}, for ")])
def test_who_cannot_connect_gets_nothing(lab, address, step_name, result, words):
    answer = ask(lab, address)
    found = step(answer, step_name)
    assert found["result"] == result and found["text"].startswith(words)
    assert not answer["passes"] and answer["reply"] == "dropped in the kernel, without an answer"
    assert not lab.reachable(address, timeout=0.5)


def test_greylisting_is_asked_and_not_told(lab):
    for _ in range(2):  # the second time as the first: nothing was remembered
        answer = ask(lab, GREY4, "--from", "a@pass.example", "--to", OURS)
        assert not answer["passes"] and answer["reply"].startswith("451 4.7.1 greylisted, try again in 3600 seconds")
        assert step(answer, "greylist")["text"].startswith("new, ")
        assert step(answer, "relay")["result"] == "clean"
    assert live(lab, GREY4, "x.example", "a@pass.example", OURS, False)[0] == 451
    assert step(ask(lab, GREY4, "--from", "a@pass.example", "--to", OURS), "greylist")["text"].startswith("early, ")
    # The null sender is deferred at DATA.
    answer = ask(lab, GREY4, "--to", OURS)
    assert step(answer, "rcpt")["result"] == "250" and step(answer, "data")["result"] == "451"


# ---- what is told


def test_every_step_is_told_with_its_evidence(lab):
    answer = ask(lab, NAMED4, "--helo", "x.example", "--from", "a@pass.example", "--to", f"{USER}+x@old.example")
    assert answer["passes"] and answer["reply"].startswith("354 ")
    told = {s["step"]: (s["result"], s["mode"], s["text"]) for s in answer["steps"]}
    assert told["entry"] == ("permit", "", f"0.0.0.0/0, {lab.dir}/global.list line 1: PA AS AR LL PTR HE SPF")
    assert told["helo"] == ("clean", "enforce", "x.example")
    assert told["ptr"][:2] == ("clean", "enforce") and "client.example.com" in told["ptr"][2]
    assert told["spf"][:2] == ("clean", "enforce") and "pass" in told["spf"][2]
    assert told["relay"] == ("clean", "enforce", "old.example: local")
    assert told["spoof"] == ("clean", "enforce", "pass.example: not local")
    assert told["greylist"][0] == "skipped" and "the entry does not ask for it" in told["greylist"][2]
    assert told["route"][0] == "rewritten" and told["route"][2].startswith(f"to {USER}+x@{DOMAIN}, by postern.conf line ")
    assert told["asked"][2] == f"RCPT TO:<{USER}+x@{DOMAIN}> ORCPT=rfc822;{USER}+2Bx@old.example"
    order = [s["step"] for s in answer["steps"]]
    assert order[0] == "entry" and order.index("ehlo") < order.index("mail") < order.index("rcpt") < order.index("data")


def test_who_has_dr_is_not_rewritten(lab):
    answer = ask(lab, DR4, "--from", "a@pass.example", "--to", f"{USER}@old.example")
    assert answer["passes"] and not [s for s in answer["steps"] if s["step"] == "route"]


def test_observe_is_told_as_would_refuse(lab):
    lab.write_conf(policy=POLICY + "\n\trelay = observe\n\thelo = observe")
    lab.cli("reload")
    try:
        answer = ask(lab, NAMED4, "--helo", "x", "--from", "a@pass.example", "--to", THEIRS)
        assert answer["passes"]
        assert step(answer, "relay")["result"] == step(answer, "helo")["result"] == "would-refuse"
    finally:
        lab.write_conf(policy=POLICY)
        lab.cli("reload")


def test_authentication_is_told(lab):
    assert step(ask(lab, AA_AR4, "--to", THEIRS), "authenticated")["result"] == "aa"
    answer = ask(lab, NAMED4, "--auth", "carl@example.org", "--to", THEIRS)
    assert step(answer, "authenticated") == {"step": "authenticated", "result": "login", "mode": "",
                                             "text": "carl@example.org"}
    assert answer["passes"]
    assert "503" in ask(lab, DR4, "--auth", USER)["reply"], "no AS: no AUTH"


def test_inside_tls_is_taken_for_granted(lab):
    outside = ask(lab, NAMED4, "--auth", USER, service="submission")
    assert not outside["passes"] and outside["reply"].startswith("5")
    assert "STARTTLS" in step(outside, "ehlo")["text"]
    inside = ask(lab, NAMED4, "--auth", USER, "--tls", service="submission")
    assert inside["passes"] and "STARTTLS" not in step(inside, "ehlo")["text"]
    assert step(ask(lab, NAMED4, "--tls"), "tls")["text"] == "the service has no TLS"


def test_the_page_and_the_columns(lab):
    page = lab.cli("test", "smtp", NAMED4, "--helo", "x", check=False)
    assert page.returncode == 1 and page.stdout.splitlines()[0].split() == ["STEP", "RESULT", "MODE", "WHAT"]
    assert page.stdout.splitlines()[-1].startswith("would not pass: 550 5.7.1 the name in EHLO")
    rows = [line.split("\t") for line in
            lab.cli("test", "smtp", NAMED4, "--helo", "x.example", "--tsv", check=False).stdout.splitlines()]
    assert all(len(row) == 4 for row in rows) and rows[0][:3] == ["entry", "permit", "-"]


def test_internationalised_addresses_are_sent_as_they_are(lab):
    answer = ask(lab, NAMED4, "--from", "a@pass.example", "--to", "ännä@bücher.example")
    assert not answer["passes"] and step(answer, "relay")["text"].startswith("xn--bcher-kva.example: not local")


@pytest.mark.parametrize("words,says", [
    (["nothing", NAMED4], "no service"), (["webadmin", NAMED4], "postern speaks SMTP"),
    (["smtp", NAMED4, "--helo", "a\r\nRSET"], "control character"), (["smtp", NAMED4, "--to", "x" * 400], "longer")])
def test_what_cannot_be_tested_is_told(lab, words, says):
    done = lab.cli("test", *words, check=False)
    assert done.returncode == 2 and says in done.stderr


# ---- no trace


def test_nothing_is_left_of_it(lab):
    def traces():
        why = lab.rows("why", NAMELESS4)
        status = lab.rows("status")
        policy = [p for p in status["policies"] if p["name"] == "global"][0]
        return dict(postfix=lab.mail.log().count("connect from"), close=len(lab.events("close")),
                    strikes=why["strikes"], findings=why["findings"], checks=policy.get("checks"),
                    sessions=lab.rows("sessions"), known=status["strikes"], logins=len(lab.events("login")))
    wait_for("earlier sessions have ended", lambda: not lab.rows("sessions"))
    before = traces()
    for words in (["--helo", "x"], ["--helo", "x.example", "--from", OURS, "--to", THEIRS], ["--auth", USER],
                  ["--helo", "x.example", "--from", "a@fail.example", "--to", OURS]):
        ask(lab, NAMELESS4, *words)
    assert traces() == before
    assert lab.events("test") and not [e for e in lab.events("strike") if NAMELESS4 in e]


def test_a_domain_without_a_record_is_named(lab):
    answer = ask(lab, NAMED4, "--helo", "x.example", "--from", "a@other.example", "--to", OURS)
    assert step(answer, "spf")["text"] == "none: no record of other.example"
    assert step(answer, "helo-impersonation")["result"] == "clean"
    answer = ask(lab, NAMED4, "--helo", "x.example", "--to", OURS)
    assert step(answer, "spf")["text"] == "none: no record of x.example"


def test_a_silent_name_server_makes_it_unknown_within_the_time(lab):
    lab.network.run("mail", "nft", "add table inet hole; add chain inet hole in { type filter hook input priority 0; }; "
                    "add rule inet hole in udp dport 53 drop; add rule inet hole in tcp dport 53 drop")
    lab.write_conf(limits="check-timeout = 2s")
    lab.cli("reload")
    try:
        answer = ask(lab, "192.0.2.200", "--helo", "x.example", "--from", "a@other.example", "--to", OURS)
        assert step(answer, "ptr")["result"] == "unknown"
        assert answer["passes"] or answer["reply"].startswith("4"), "what is not known refuses nobody for good"
        # Many wait at a time: a script may ask about a whole list of addresses.
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for answer in pool.map(lambda _: ask(lab, "192.0.2.200", "--helo", "x.example"), range(16)):
                assert step(answer, "ptr")["result"] == "unknown"
    finally:
        lab.network.run("mail", "nft", "delete table inet hole")
        lab.write_conf(limits="")
        lab.cli("reload")
