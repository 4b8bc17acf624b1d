# SPDX-License-Identifier: GPL-2.0-only
"""Certificates of the tests: an authority and what it signs, made with the openssl command."""
import pathlib
import ssl

from netns import sh

MX_NAME = "mail.example.net"  # of the certificate mx, in the fixture authority
EXTENSIONS = """
basicConstraints = CA:{ca}
subjectAltName = {names}
"""


def certificate(authority, *names):
    """Sections of postern.conf for certificates of an authority."""
    return "".join(f'certificate {name} {{ chain = "{authority.dir}/{name}.pem" '
                   f'key = "{authority.dir}/{name}.key" }}\n' for name in names)


def trusting(authority):
    """A client's context that trusts this authority alone, and takes no missing goodbye for an end."""
    context = ssl.create_default_context(cafile=str(authority.ca))
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    return context


class Authority:
    """Files below a directory: ca.pem, and NAME.pem with NAME.key for each certificate."""

    def __init__(self, directory, name="test authority"):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.ca = self.dir / "ca.pem"
        sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
           "-keyout", str(self.dir / "ca.key"), "-out", str(self.ca), "-days", "90",
           "-subj", f"/CN={name}")

    def make(self, name, hosts, kind="ec", days=60, start=None, chain=True):
        """A certificate for these hosts; returns the paths of its chain and its key. start, end: as of openssl ca."""
        chain_path, key, request = (self.dir / f"{name}{end}" for end in (".pem", ".key", ".csr"))
        how = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"],
               "rsa1024": ["rsa:1024"]}[kind]
        sh("openssl", "req", "-newkey", *how, "-nodes", "-keyout", str(key), "-out", str(request),
           "-subj", f"/CN={hosts[0]}")
        key.chmod(0o600)
        names = ",".join(f"DNS:{host}" for host in hosts)
        extensions = self.dir / f"{name}.ext"
        extensions.write_text(EXTENSIONS.format(ca="FALSE", names=names))
        self._sign(request, chain_path, extensions, days, start)
        if chain:
            chain_path.write_text(chain_path.read_text() + self.ca.read_text())
        return chain_path, key

    def _sign(self, request, out, extensions, days, start):
        if start is None:
            sh("openssl", "x509", "-req", "-in", str(request), "-CA", str(self.ca), "-CAkey",
               str(self.dir / "ca.key"), "-CAcreateserial", "-out", str(out), "-days", str(days),
               "-extfile", str(extensions))
            return
        # Only `openssl ca` signs for a time that is not now.
        begin, end = start
        (self.dir / "index.txt").write_text("")
        (self.dir / "serial").write_text("01\n")
        conf = self.dir / "ca.conf"
        conf.write_text(f"""
[ca]
default_ca = d
[d]
database = {self.dir}/index.txt
serial = {self.dir}/serial
new_certs_dir = {self.dir}
default_md = sha256
policy = p
[p]
commonName = supplied
""")
        sh("openssl", "ca", "-batch", "-notext", "-config", str(conf), "-in", str(request), "-cert",
           str(self.ca), "-keyfile", str(self.dir / "ca.key"), "-out", str(out), "-extfile",
           str(extensions), "-startdate", begin, "-enddate", end)
