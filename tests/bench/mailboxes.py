# SPDX-License-Identifier: GPL-2.0-only
"""make bench, mailboxes: logins, downloads and idle sessions in front of one real Dovecot.

The ways to it, plain and TLS, in one run: straight; through HAProxy (TCP mode with splicing forced; TLS ended by it);
through nginx's mail proxy; through postern. The certificate is the same RSA one everywhere.
"""
import contextlib
import http.server
import pathlib
import pwd
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading

from contend import cpu_ns, everyone, listens, median_of, process, pss_mb
from netns import GATE4, MAIL4, sh
from postern_lab import Lab, wait_for

HERE = pathlib.Path(__file__).resolve().parent
ROUNDS = 3
LOGINS, LOGIN_PARALLEL = 1200, 8
FETCHES, FETCH_PARALLEL, MESSAGE_BYTES = 40, 4, 26214400
IDLE_SESSIONS = 1000
PORTS = {"dovecot": (10143, 10993), "haproxy": (20143, 20993), "nginx": (30143, 30993), "postern": (143, 993)}
AUTH_PORT = 30080  # nginx asks an HTTP server for each login

DOVECOT_CONF = """
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/dovecot.log
instance_name = {tag}
protocols = imap
listen = *
ssl = yes
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
disable_plaintext_auth = no
auth_failure_delay = 0
mail_location = maildir:{dir}/mail/%n
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 100000
default_client_limit = 20000
default_process_limit = 5000
default_vsz_limit = 0
passdb {{
  driver = passwd-file
  args = {dir}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={dir}/mail/%n
}}
service imap-login {{
  service_count = 0
  process_min_avail = 2
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {tls}
  }}
}}
service imap {{
  service_count = 1000
  process_min_avail = 8
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""

HAPROXY_CFG = """
global
  nbthread 2
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  option splice-request
  option splice-response
listen plain
  bind 0.0.0.0:{plain}
  server mail {mail}:{backend}
listen tls
  bind 0.0.0.0:{tls} ssl crt {dir}/both.pem
  server mail {mail}:{backend}
"""

NGINX_CONF = """
load_module modules/ngx_mail_module.so;
daemon off;
worker_processes 2;
error_log {dir}/nginx.log;
pid {dir}/nginx.pid;
events {{ worker_connections 4000; }}
mail {{
  auth_http 127.0.0.1:{auth}/;
  imap_capabilities IMAP4rev1;
  server {{ listen {plain}; protocol imap; }}
  server {{ listen {tls} ssl; protocol imap; ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem; }}
}}
"""

POSTERN_TOP = """
certificate bench {{
	chain = "{dir}/cert.pem"
	key = "{dir}/key.pem"
}}

service imap {{
	type = imap
	policy = global
	listen = {{ "0.0.0.0:{plain}" }}
	backend = {{ "{mail}:{backend}" }}
	client-address = none
	sessions-per-client-max = 10000
}}

service imaps {{
	type = imaps
	policy = global
	listen = {{ "0.0.0.0:{tls}" }}
	backend = {{ "{mail}:{backend}" }}
	client-address = none
	sessions-per-client-max = 10000
	certificates = {{ "bench" }}
}}
"""


class NginxAuth(http.server.BaseHTTPRequestHandler):
    """Tells nginx where each user's mailbox is."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Auth-Status", "OK")
        self.send_header("Auth-Server", MAIL4)
        self.send_header("Auth-Port", str(PORTS["dovecot"][0]))
        self.end_headers()

    def log_message(self, *_):
        pass


def dovecot_files(directory, tag):
    account = pwd.getpwnam("nobody")
    new = directory / "mail/anna/new"
    for name in ("mail/anna/new", "mail/anna/cur", "mail/anna/tmp", "run", "state"):
        (directory / name).mkdir(parents=True)
    with open(new / "1.large", "wb") as message:
        message.write(b"Subject: large\r\n\r\n" + (b"x" * 998 + b"\r\n") * (MESSAGE_BYTES // 1000))
    sh("chown", "-R", "nobody", str(directory / "mail"))
    (directory / "users").write_text("anna:{PLAIN}secret\n")
    sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=mail.example.org",
       "-keyout", str(directory / "key.pem"), "-out", str(directory / "cert.pem"))
    (directory / "both.pem").write_text((directory / "cert.pem").read_text() + (directory / "key.pem").read_text())
    (directory / "dovecot.conf").write_text(DOVECOT_CONF.format(
        dir=directory, tag=tag, uid=account.pw_uid, gid=account.pw_gid,
        plain=PORTS["dovecot"][0], tls=PORTS["dovecot"][1]))


def children_of(pid):
    found = sh("pgrep", "-P", str(pid), check=False).stdout.split()
    return [pid] + [int(child) for child in found]


@contextlib.contextmanager
def contenders():
    """(lab, name -> (address, plain port, TLS port, function that lists the proxy's processes))."""
    directory = pathlib.Path("/run/postern-bench-mail")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    directory.chmod(0o755)
    values = dict(dir=directory, mail=MAIL4, backend=PORTS["dovecot"][0], auth=AUTH_PORT)
    top = POSTERN_TOP.format(plain=PORTS["postern"][0], tls=PORTS["postern"][1], **values)
    lab = Lab("bench-i", top=top, log_level="info",
              limits="sessions-max = 20000  sessions-per-client-max = 10000\n\ttls-handshakes-per-client-max = 1000000\n"
                     "\ttls-handshakes-max = 1000000")
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, True)
        stack.callback(lab.down)
        dovecot_files(directory, lab.tag)
        lab.up(mail=False)
        lab.network.run("gate", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        stack.enter_context(process(
            lab.network.command("mail", "dovecot", "-F", "-c", str(directory / "dovecot.conf")),
            listens(lab, "mail", MAIL4, PORTS["dovecot"][0])))
        with lab.network.inside("gate"):
            auth = http.server.ThreadingHTTPServer(("127.0.0.1", AUTH_PORT), NginxAuth)
        stack.callback(auth.shutdown)
        threading.Thread(target=auth.serve_forever, daemon=True).start()
        ways = {"direct": (MAIL4, *PORTS["dovecot"], list)}
        for name, conf, command in (
                ("haproxy", HAPROXY_CFG, ["haproxy", "-db", "-f"]), ("nginx", NGINX_CONF, ["nginx", "-c"])):
            plain, tls = PORTS[name]
            (directory / f"{name}.conf").write_text(conf.format(plain=plain, tls=tls, **values))
            pid = stack.enter_context(process(
                lab.network.command("gate", *command, str(directory / f"{name}.conf")),
                listens(lab, "gate", GATE4, plain)))
            ways[name] = (GATE4, plain, tls, lambda pid=pid: children_of(pid))
        ways["postern"] = (GATE4, *PORTS["postern"], lambda: everyone(lab))
        yield lab, ways


def load(lab, address, port, tls, what, count, parallel):
    """Seconds and bytes of one run of the load."""
    done = subprocess.run(
        lab.network.command("clients", sys.executable, "-B", str(HERE / "imap_load.py"), address, str(port),
                            *(["--tls"] if tls else []), what, str(count), str(parallel)),
        capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{address}:{port}: {done.stdout}{done.stderr}")
    seconds, received = done.stdout.split()
    return float(seconds), int(received)


def rounds(lab, ways, tls, what, count, parallel):
    """name -> median (seconds, CPU seconds of the proxy, bytes), the ways taking turns."""
    seen = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, (address, plain_port, tls_port, pids_of) in ways.items():
            pids = pids_of()
            before = cpu_ns(pids)
            seconds, received = load(lab, address, tls_port if tls else plain_port, tls, what, count, parallel)
            seen[name].append((seconds, (cpu_ns(pids) - before) / 1e9, received))
    return {name: median_of(pairs) for name, pairs in seen.items()}


def ratio(mine, peer):
    return f"{mine / peer:.2f}" if mine else ""


def bench_login():
    with contenders() as (lab, ways):
        for tls in (False, True):
            result = rounds(lab, ways, tls, "login", LOGINS, LOGIN_PARALLEL)
            print(f"\n### IMAP logins, {'TLS' if tls else 'plain'} ({LOGINS} logins, {LOGIN_PARALLEL} at once)\n")
            print("| way | logins/s | CPU of the proxy, us a login | ratio of CPU to HAProxy |\n|---|---|---|---|")
            for name, (seconds, cpu, _) in result.items():
                print(f"| {name} | {LOGINS / seconds:.0f} | {cpu / LOGINS * 1e6:.0f} "
                      f"| {ratio(cpu, result['haproxy'][1])} |")


def bench_mailbox():
    with contenders() as (lab, ways):
        for tls in (False, True):
            result = rounds(lab, ways, tls, "fetch", FETCHES, FETCH_PARALLEL)
            print(f"\n### Download of a mailbox, {'TLS' if tls else 'plain'} ({FETCHES} messages of {MESSAGE_BYTES} "
                  f"bytes, {FETCH_PARALLEL} at once)\n")
            print("| way | MB/s | CPU of the proxy, s/GB | ratio of CPU to HAProxy |\n|---|---|---|---|")
            for name, (seconds, cpu, received) in result.items():
                print(f"| {name} | {received / 1e6 / seconds:.0f} | {cpu / received * 1e9:.2f} "
                      f"| {ratio(cpu, result['haproxy'][1])} |")


def idle_session(lab, address, port, tls):
    """A logged-in connection that will say nothing more."""
    with lab.network.inside("clients"):
        sock = socket.create_connection((address, port), timeout=30)
    if tls:
        sock = tls.wrap_socket(sock)
    sock.recv(4096)
    sock.sendall(b"a LOGIN anna secret\r\n")
    seen = b""
    while not re.search(rb"^a OK", seen, re.M):
        got = sock.recv(4096)
        if not got:
            raise EOFError(seen)
        seen += got
    return sock


def bench_idle():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    print(f"\n### Memory of an idle session after login ({IDLE_SESSIONS} of them)\n")
    print("| way | plain, KB | TLS, KB |\n|---|---|---|")
    with contenders() as (lab, ways):
        del ways["direct"]
        for name, (address, plain_port, tls_port, pids_of) in ways.items():
            figures = []
            for port, tls in ((plain_port, None), (tls_port, context)):
                idle_session(lab, address, port, tls).close()  # whatever is taken once is taken before
                before = pss_mb(pids_of())
                held = [idle_session(lab, address, port, tls) for _ in range(IDLE_SESSIONS)]
                figures.append((pss_mb(pids_of()) - before) * 1024 / IDLE_SESSIONS)
                for sock in held:
                    sock.close()
                wait_for("the sessions end", lambda: sessions_ended(lab, address, port), 30)
            print(f"| {name} | {figures[0]:.2f} | {figures[1]:.2f} |")


def sessions_ended(lab, address, port):
    done = lab.network.run("clients", "ss", "-Htn", "state", "established", f"dst {address}:{port}")
    return not done.stdout.strip()
