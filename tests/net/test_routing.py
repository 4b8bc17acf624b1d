# SPDX-License-Identifier: GPL-2.0-only
"""The routing table: recipients are delivered under another address, and the client never hears of that one.

Behind the gate is a real Postfix with the mailboxes anna@ and bulk@example.org.
"""
import re
import time

import pytest
from mailhost import DOMAIN, USER
from netns import GOOD4
from postern_lab import Lab, wait_for

ANNA, BULK = f"{USER}@{DOMAIN}", f"bulk@{DOMAIN}"
SENDER = "a@example.com"
DR4 = "192.0.2.70"
TOP = f"""\
local-domains = {{ "{DOMAIN}", "old.example", "many.example" }}
routes = {{ "Old.Name@{DOMAIN} -> {ANNA}", "@old.example -> @{DOMAIN}" }}
routes-file = "routes"
"""
ROUTES = f"""\
# what has moved
gone@old.example         -> secret-name@{DOMAIN}
full@{DOMAIN}            -> nowhere@example.net
"quoted name"@{DOMAIN}   -> "new name"@{DOMAIN}
staff@{DOMAIN}           -> {BULK}
@many.example            -> @{DOMAIN}
"""
GLOBAL_LIST = f"""\
0.0.0.0/0      PA AS LL
::/0           PA AS LL
{DR4}          PA AS LL DR
"""


@pytest.fixture(scope="module")
def lab():
    lab = Lab("routing", top=TOP, policy="permit-spoofing = yes\n\tstrikes = observe", limits="errors-max = 1000")
    lab.lists["global.list"] = GLOBAL_LIST
    lab.lists["routes"] = ROUTES
    with lab:
        yield lab


def begin(lab, source=GOOD4, sender=SENDER, params=""):
    client = lab.smtp(source)
    assert client.ehlo()[0] == 250
    assert client.docmd(f"MAIL FROM:<{sender}>{params}")[0] == 250
    return client


def rcpt(lab, recipient, **kw):
    client = begin(lab, **kw)
    code, text = client.docmd(f"RCPT TO:<{recipient}>")
    client.quit()
    return code, text.decode()


def deliver(lab, recipient, box, sender=SENDER, params="", mail_params=""):
    """Sends one message; the one that arrived."""
    mark = f"mark-{time.monotonic_ns()}"
    client = begin(lab, sender=sender, params=mail_params)
    assert client.docmd(f"RCPT TO:<{recipient}>{params}")[0] == 250
    assert client.data(f"Subject: {mark}\r\n\r\nx\r\n")[0] == 250
    client.quit()
    return wait_for(f"{mark} in {box}",
                    lambda: [m for m in lab.mail.messages(box) if f"Subject: {mark}".encode() in m], 30)[0].decode()


@pytest.mark.parametrize("recipient,box", [
    (f"old.name@{DOMAIN}", USER), (f"OLD.NAME@{DOMAIN.upper()}.", USER), (f'"old.name"@{DOMAIN}', USER),
    (f"staff@{DOMAIN}", "bulk"), (f"{USER}@old.example", USER), (f"bulk@many.example", "bulk")])
def test_mail_arrives_where_the_table_leads(lab, recipient, box):
    deliver(lab, recipient, box)


def test_an_address_that_is_not_in_the_table_is_left_alone(lab):
    assert "X-Original-To: " + ANNA in deliver(lab, ANNA, USER)
    code, text = rcpt(lab, f"nobody@{DOMAIN}")
    assert code == 550 and f"<nobody@{DOMAIN}>" in text


@pytest.mark.parametrize("said,words", [
    ("gone@old.example", "<gone@old.example>: Recipient address rejected: User unknown"),
    (f"Old.Name+Shop@{DOMAIN}", f"<Old.Name+Shop@{DOMAIN}>: Recipient address rejected"),
    ("Whoever+x@old.example", "<Whoever+x@old.example>: Recipient address rejected"),
    (f'"quoted name"@{DOMAIN}', f'<"quoted name"@{DOMAIN}>: Recipient address rejected')])
def test_a_refusal_names_the_address_that_was_said(lab, said, words):
    code, text = rcpt(lab, said)
    assert code == 550 and words in text
    assert "secret" not in text and "new name" not in text


def test_the_backend_is_asked_for_the_other_one(lab):
    rcpt(lab, "gone@old.example")
    rcpt(lab, f"old.name+Tag@{DOMAIN}")
    wait_for("Postfix says whom it refused", lambda: f"<secret-name@{DOMAIN}>" in lab.mail.log()
             and f"<{USER}+Tag@{DOMAIN}>" in lab.mail.log())


def test_a_refusal_that_names_it_otherwise_keeps_its_code_alone(lab):
    code, text = rcpt(lab, f"full@{DOMAIN}")
    assert code == 454 and "nowhere" not in text and "example.net" not in text
    assert f"<full@{DOMAIN}>" in text or text == "4.7.1 the mail host cannot take this recipient now"


def test_why_says_whose_recipients_are_rewritten(lab):
    assert "the routing table rewrites its recipients\n" in lab.cli("why", GOOD4).stdout
    page = lab.cli("why", DR4).stdout
    assert "the routing table rewrites no recipient of it (DR)\n" in page
    assert "DR   the routing table rewrites no recipient\n" in page


def test_an_entry_with_dr_is_left_alone(lab):
    code, text = rcpt(lab, f"old.name@{DOMAIN}", source=DR4)
    assert code == 550 and f"<old.name@{DOMAIN}>" in text
    wait_for("Postfix was asked for it", lambda: f"<old.name@{DOMAIN}>" in lab.mail.log())


def test_strikes_and_the_summary_name_the_address_that_was_said(lab):
    source = "192.0.2.71"
    rcpt(lab, "gone@old.example", source=source)
    strike = wait_for("the strike", lambda: [e for e in lab.events("strike") if f"addr={source} " in e])[-1]
    assert 'user="gone@old.example"' in strike
    line = wait_for("the summary", lambda: [e for e in lab.events("close") if f"addr={source} " in e])[-1]
    assert 'rcpt="gone@old.example"' in line


def test_many_at_once_are_answered_in_order(lab):
    names = [f"u{n}" if n % 8 == 7 else USER if n % 2 else "bulk" for n in range(90)]  # Postfix bears 20 errors
    client = begin(lab)
    client.send("".join(f"RCPT TO:<{name}@many.example>\r\n" for name in names) + "RSET\r\n")
    for name in names:
        code, text = client.getreply()
        if name.startswith("u"):
            assert code == 550 and f"<{name}@many.example>" in text.decode(), text
        else:
            assert code == 250
    assert client.getreply()[0] == 250
    client.quit()


def original_recipient(lab, recipient, params=""):
    """From the success notification that Postfix sends to the sender."""
    before = len(lab.mail.messages("bulk"))
    deliver(lab, recipient, USER, sender=BULK, params=f" NOTIFY=SUCCESS{params}")
    for message in lab.mail.wait_messages(before + 1, "bulk"):
        found = re.findall(rb"^Original-Recipient: (.*?)\r?$", message, re.MULTILINE)
        if found and message not in seen_notifications:
            seen_notifications.append(message)
            return found[0].decode()
    raise AssertionError("no notification with an original recipient")


seen_notifications = []


def test_the_original_recipient_is_in_a_notification(lab):
    assert original_recipient(lab, f"old.name@{DOMAIN}") == f"rfc822;old.name@{DOMAIN}"


def test_the_one_that_the_client_gives_stays(lab):
    assert original_recipient(lab, f"old.name@{DOMAIN}", " ORCPT=rfc822;first@example.com") == \
        "rfc822;first@example.com"


# ---- what must not be in the table


@pytest.mark.parametrize("line,words", [
    (f"a@{DOMAIN} -> b@{DOMAIN}\nb@{DOMAIN} -> a@{DOMAIN}", "a loop"),
    (f"a@{DOMAIN} -> b@{DOMAIN}\nb@{DOMAIN} -> c@{DOMAIN}", "a chain"),
    (f"a@{DOMAIN} -> x@old.example", "a chain"),
    (f"a@{DOMAIN} -> a@{DOMAIN}", "a loop"),
    (f"staff@{DOMAIN} -> x@{DOMAIN}", "already"),
    ("a -> b", "no address")])
def test_a_mistake_changes_nothing_and_is_named(lab, line, words):
    lab.lists["routes"] = ROUTES + line + "\n"
    lab.write_conf()
    try:
        done = lab.cli("reload", check=False)
        assert done.returncode == 1
        assert f"routes:{ROUTES.count(chr(10)) + 1}" in done.stderr + done.stdout and words in done.stderr + done.stdout
        assert rcpt(lab, f"old.name@{DOMAIN}")[0] == 250
    finally:
        lab.lists["routes"] = ROUTES
        lab.write_conf()


def test_routes_max_is_a_limit(lab):
    lab.write_conf(limits="errors-max = 1000\n\troutes-max = 6")
    try:
        done = lab.cli("reload", check=False)
        assert done.returncode == 1 and "routes-max" in done.stderr + done.stdout
    finally:
        lab.write_conf(limits="errors-max = 1000")


def test_a_reload_puts_new_routes_in_force(lab):
    lab.lists["routes"] = ROUTES + f"fresh@{DOMAIN} -> {ANNA}\n"
    lab.write_conf()
    try:
        client = begin(lab)  # a session that is open sees them as well
        assert client.docmd(f"RCPT TO:<fresh@{DOMAIN}>")[0] == 550
        lab.cli("reload")
        assert client.docmd(f"RCPT TO:<fresh@{DOMAIN}>")[0] == 250
        client.quit()
    finally:
        lab.lists["routes"] = ROUTES
        lab.write_conf()
        lab.cli("reload")
