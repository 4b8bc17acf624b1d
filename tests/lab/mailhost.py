# SPDX-License-Identifier: GPL-2.0-only
"""A real mail host: Postfix, with SASL and mailboxes through Dovecot, in a namespace.

Ports of Postfix: 25 plain, 2525 expects the PROXY protocol, 2526 takes XCLIENT from the gate; with a
certificate also 2530 with STARTTLS, which has to come before a mail, 2531 with implicit TLS, 2532 and 2533 as these two
behind the PROXY protocol. Ports of Dovecot: POP3 110, which takes XCLIENT from the gate, too, and 1110, which expects the
PROXY protocol; IMAP likewise, 143 with ID, and 1143; with a certificate STARTTLS on all of them, and 995 and 993 with
implicit TLS. Accounts: USER/PASSWORD, ODD_USER/ODD_PASSWORD, and DISABLED, which may not log in with
DISABLED_PASSWORD. Everything lives below one directory and ends with stop().
"""
import base64
import contextlib
import itertools
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import time

from netns import MAIL4, sh

DOMAIN = "example.org"
USER, PASSWORD = "anna", "correct horse"
PLAIN, PROXY, XCLIENT, STARTTLS, IMPLICIT = 25, 2525, 2526, 2530, 2531
POP3, POP3_PROXY = 110, 1110
IMAP, IMAP_PROXY = 143, 1143
ODD_USER, ODD_PASSWORD = 'od d"d\\', 'p"a\\s {5}\xe4 '
DISABLED, DISABLED_PASSWORD = "dora", "closed"
SETTLE_S = 30

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {dir}/mail.log
maillog_file_prefixes = {dir}, /dev/stdout
myhostname = mail.{domain}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = all
inet_protocols = all
smtpd_banner = backend.{domain} ESMTP the banner of the backend
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {dir}/mail
virtual_mailbox_maps = inline:{{ {user}@{domain}=anna/ bulk@{domain}=bulk/ }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_mailbox_limit = 0
message_size_limit = 200000000
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_security_options = noanonymous
smtpd_recipient_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
smtpd_peername_lookup = no
smtpd_authorized_xclient_hosts = 198.51.100.1, [2001:db8:2::1]
default_process_limit = {processes}
in_flow_delay = 0
smtputf8_enable = yes
"""

MAIN_TLS = """
smtpd_tls_chain_files = {key}, {chain}
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
smtpd_tls_session_cache_database =
"""

MASTER_TLS = """
2530      inet  n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
2531      inet  n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
2532      inet  n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_upstream_proxy_protocol=haproxy
2533      inet  n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_upstream_proxy_protocol=haproxy
tlsmgr    unix  - - n 1000? 1 tlsmgr
"""

MASTER_CF = """
25        inet  n - n - - smtpd
2525      inet  n - n - - smtpd
  -o smtpd_upstream_proxy_protocol=haproxy
2526      inet  n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
local     unix  - n n - - local
virtual   unix  - n n - - virtual
smtp      unix  - - n - - smtp
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""

# Without the anvil of its own a guesser waits up to 15 s for each reply, and so would every test.
DOVECOT = """
base_dir = {dir}/dovecot
state_dir = {dir}/dovecot-state
log_path = {dir}/dovecot.log
instance_name = {tag}
auth_failure_delay = 0
mail_location = maildir:{dir}/mail/%n
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
first_valid_gid = 1
passdb {{
  driver = passwd-file
  args = {dir}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={dir}/mail/%n
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""

DOVECOT_CONF = """
protocols = imap pop3
listen = *, ::
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 apop
auth_verbose = yes
auth_username_chars =
auth_username_format = %u
imap_id_log = *
auth_cache_size = 0
mail_max_userip_connections = 0
haproxy_trusted_networks = 198.51.100.1 2001:db8:2::1
login_trusted_networks = 198.51.100.1 2001:db8:2::1
service imap-login {{
  inet_listener imap {{
    port = 143
  }}
  inet_listener imap-proxy {{
    port = 1143
    haproxy = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = 110
  }}
  inet_listener pop3-proxy {{
    port = 1110
    haproxy = yes
  }}
}}
service auth {{
  unix_listener {dir}/queue/private/auth {{
    mode = 0660
    user = postfix
    group = postfix
  }}
}}
"""

DOVECOT_TLS = """
ssl = yes
ssl_cert = <{chain}
ssl_key = <{key}
"""


def write_dovecot_conf(directory, tag, more):
    """dovecot.conf of a Dovecot below this directory, with mailboxes in mail/ and accounts in users; its path."""
    account = pwd.getpwnam("nobody")
    path = pathlib.Path(directory) / "dovecot.conf"
    path.write_text((DOVECOT + more).format(dir=directory, tag=tag, uid=account.pw_uid, gid=account.pw_gid))
    return path


class MailHost:
    """host: the namespace it runs in; address: where it is reached there."""

    def __init__(self, network, directory, tag, processes=100, host="mail", address=MAIL4,
                 tls=None):
        self.network = network
        self.host, self.address = host, address
        self.dir = pathlib.Path(directory)
        self.tag = tag
        self.processes = processes
        self.tls = tls  # paths of a chain and its key
        self._dovecot = None
        self._words = itertools.count()

    def start(self):
        account = pwd.getpwnam("nobody")
        values = dict(dir=self.dir, domain=DOMAIN, user=USER,
                      uid=account.pw_uid, gid=account.pw_gid, processes=self.processes)
        for name in ("queue", "data", "mail", "etc", "dovecot", "dovecot-state"):
            (self.dir / name).mkdir(parents=True, exist_ok=True)
        os.chmod(self.dir, 0o755)
        shutil.chown(self.dir / "data", "postfix")
        shutil.chown(self.dir / "mail", account.pw_uid, account.pw_gid)
        main_tls = MAIN_TLS.format(chain=self.tls[0], key=self.tls[1]) if self.tls else ""
        (self.dir / "etc/main.cf").write_text(MAIN_CF.format(**values) + main_tls)
        (self.dir / "etc/master.cf").write_text(MASTER_CF + (MASTER_TLS if self.tls else ""))
        odd = base64.b64encode(ODD_PASSWORD.encode("latin-1")).decode()
        user = ODD_USER.replace("\\", "\\\\").replace('"', '\\"')  # as Dovecot looks for it
        (self.dir / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n{user}:{{PLAIN.B64}}{odd}\n"
                                        f"{DISABLED}:{{PLAIN}}{DISABLED_PASSWORD}::::::nologin=y\n")
        (self.dir / "users").chmod(0o644)
        dovecot_tls = DOVECOT_TLS.format(chain=self.tls[0], key=self.tls[1]) if self.tls else ""
        write_dovecot_conf(self.dir, self.tag, DOVECOT_CONF + dovecot_tls)
        self._postfix("check")
        self.start_dovecot()
        self._postfix("start")
        self._wait_port(PLAIN)

    def start_dovecot(self):
        self._dovecot = subprocess.Popen(
            self.network.command(self.host, "dovecot", "-F", "-c", str(self.dir / "dovecot.conf")),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not (self.dir / "queue/private/auth").exists():
            if time.monotonic() > deadline or self._dovecot.poll() is not None:
                raise RuntimeError("dovecot did not come up:\n" + self.log("dovecot.log"))
            time.sleep(0.05)

    def stop_dovecot(self):
        if self._dovecot:
            self._dovecot.terminate()
            self._dovecot.wait(timeout=30)
            self._dovecot = None
        (self.dir / "queue/private/auth").unlink(missing_ok=True)

    def kill_dovecot(self):
        """Every process of Dovecot at once: its auth process would outlive its master."""
        deadline = time.monotonic() + 30
        while pids := self._dovecot_pids():  # again, as one may just have been forked
            if time.monotonic() > deadline:
                raise RuntimeError(f"dovecot does not die: {pids}")
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        self.stop_dovecot()

    def _dovecot_pids(self):
        found = []
        for pid in sh("ip", "netns", "pids", self.network.names[self.host]).stdout.split():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # gone, or dead and not yet waited for
                if "dovecot" in os.readlink(f"/proc/{pid}/exe"):
                    found.append(int(pid))
        return found

    def stop(self):
        if (self.dir / "etc/main.cf").exists():
            self._postfix("stop", check=False)
        self.stop_dovecot()

    def stop_postfix(self):
        self._postfix("abort", check=False)

    def start_postfix(self):
        self._postfix("start")
        self._wait_port(PLAIN)

    def configure(self, **settings):
        """Settings of Postfix, in force for what it starts from now on."""
        words = [f"{name}={value}" for name, value in settings.items()]
        sh(*self.network.command(self.host, "postconf", "-c", str(self.dir / "etc"), *words))
        self._postfix("reload")

    def _postfix(self, verb, check=True):
        return sh(*self.network.command(self.host, "postfix", "-c", str(self.dir / "etc"), verb),
                  check=check)

    def _wait_port(self, port):
        deadline = time.monotonic() + 60
        with self.network.inside(self.host):
            while True:
                try:
                    socket.create_connection((self.address, port), timeout=1).close()
                    return
                except OSError:
                    if time.monotonic() > deadline:
                        raise RuntimeError("postfix did not come up:\n" + self.log("mail.log"))
                    time.sleep(0.05)

    def log(self, name="mail.log"):
        path = self.dir / name
        if name == "mail.log":
            self._settle(path)
        return path.read_text(errors="replace") if path.exists() else ""

    def _settle(self, path):
        """Postfix writes its log through postlogd(8), in order: what was said before this word is there with it."""
        word = f"settled-{next(self._words)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            try:
                sock.sendto(f"Jan  1 00:00:00 mail postfix/lab[1]: {word}".encode(),
                            str(self.dir / "queue/public/postlog"))
            except (FileNotFoundError, ConnectionRefusedError):
                return  # it does not run, so it says nothing more
        deadline = time.monotonic() + SETTLE_S
        while not path.exists() or f" {word}\n" not in path.read_text(errors="replace"):
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {SETTLE_S} s: the log of Postfix")
            time.sleep(0.002)

    def messages(self, box="anna"):
        """The delivered messages of a mailbox, as bytes."""
        new = self.dir / "mail" / box / "new"
        return [p.read_bytes() for p in sorted(new.iterdir())] if new.exists() else []

    def queue_size(self):
        """Messages that Postfix has accepted and not yet delivered."""
        return sum(1 for q in ("incoming", "active", "deferred", "maildrop")
                   for p in (self.dir / "queue" / q).rglob("*") if p.is_file())

    def wait_messages(self, count, box="anna", seconds=60):
        deadline = time.monotonic() + seconds
        while len(self.messages(box)) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(self.messages(box))} of {count} messages arrived\n"
                                     + self.log()[-3000:])
            time.sleep(0.05)
        return self.messages(box)
