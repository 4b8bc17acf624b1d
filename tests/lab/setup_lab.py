# SPDX-License-Identifier: GPL-2.0-only
"""A mail host that runs with TLS on the gate's own host, and in front of it what postern-setup writes.

Only the directories of the daemon are the lab's own.
"""
import shutil
import ssl

from mailhost import DOMAIN, MailHost
from netns import GATE4
from postern_lab import BUILD, REPO, Lab

SETUP = REPO / "scripts/postern-setup"
NAME = f"mail.{DOMAIN}"
PRINTER4, ROUTER4 = "192.0.2.12", "192.0.2.10"
MAIN_CF = {"smtpd_tls_security_level": "may", "smtpd_tls_auth_only": "yes",
           "mynetworks": f"127.0.0.0/8 [::1]/128 {PRINTER4}/32 10.0.0.0/8",
           "smtpd_recipient_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
           "virtual_alias_domains": "hash:{dir}/mailhost/aliases", "relay_domains": "relayed.example",
           "relay_transport": "discard"}
MASTER_CF = "587 inet n - n - - smtpd\n  -o smtpd_tls_security_level=encrypt\n"
DIRECTORIES = 'state-dir = "{dir}/state"\nrun-dir = "{dir}/run"\npin-dir = "{dir}/bpf/postern"\nlog-level = debug\n' \
    'dns = {{ "127.0.0.1" }}\n' \
    'limits {{ tls-handshakes-per-client-max = 10000 }}\n'
# Nobody answers at that name server, and that is soon known; the clients do in seconds what others do in hours.


class SetupLab(Lab):
    def __init__(self, tag, authority):
        super().__init__(tag)
        self.tls = authority.dir / "mx.pem", authority.dir / "mx.key"
        self.context = ssl.create_default_context(cafile=str(authority.ca))

    def up(self, mail=True, daemon=True):
        super().up(mail=False, daemon=False)
        self.network.run("gate", "ip", "route", "add", "default", "via", ROUTER4, "dev", "nic")
        self.mail = MailHost(self.network, self.dir / "mailhost", self.tag, host="gate", address=GATE4, tls=self.tls)
        self.mail.start()
        self.configure(MAIN_CF)
        for source in (REPO / "daemon/etc").glob("*"):
            shutil.copy(source, self.dir)
        self.setup("--write")
        conf = self.dir / "postern.conf"
        conf.write_text(DIRECTORIES.format(dir=self.dir) + conf.read_text())
        self.start()
        return self

    def configure(self, settings):
        etc = self.mail.dir / "etc"
        (self.mail.dir / "aliases").write_text("alias.example anything\ninfo@alias.example anna\n")
        self.network.run("gate", "postmap", "-c", str(etc), f"hash:{self.mail.dir}/aliases")
        with open(etc / "master.cf", "a") as master:
            master.write(MASTER_CF)
        self.mail.configure(**{name: value.format(dir=self.dir) for name, value in settings.items()})
        self.network.run("gate", "timeout", "60", "sh", "-c", "until ss -Hltn | grep -q ':587 '; do sleep 0.05; done")

    def write_conf(self, **changes):
        pass

    def setup(self, *args, check=True):
        return self.network.run("gate", str(SETUP), "--conf-dir", str(self.dir), "--posternd", str(BUILD / "posternd"),
                                "--postfix", str(self.mail.dir / "etc"),
                                "--dovecot", str(self.mail.dir / "dovecot.conf"), *args, check=check)

    def secured(self, source, port=25):
        """An SMTP session inside TLS; the certificate is the mail host's."""
        client = self.smtp(source, port)
        client._host = NAME
        client.starttls(context=self.context)
        return client
