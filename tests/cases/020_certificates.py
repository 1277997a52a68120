#!/usr/bin/env python3
"""Our word on a certificate is the engine's: one that it refuses, and that we
let pass, would fail the whole configuration."""

import json
import os
import shutil
import subprocess

import cases
import certificates
import procs
import tap
from snapshot import Snapshot

# name of the secret with the certificate, that with the key, both alike
GOOD = ("pem:a.example", "pem:*.a.example", "rsa:2048:a.example",
        "rsa:3072:a.example", "curve:secp384r1:a.example",
        "curve:secp521r1:a.example", "ed25519:a.example", "soon:a.example")
BAD = ("noise", "text:", "cert:a.example", "key:a.example", "cut:a.example",
       "rsa:1024:a.example", "curve:prime192v1:a.example", "sha1:a.example",
       "text:-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
# A server could use them; nobody would believe it.
DATED = ("expired:a.example", "early:a.example")

SERVER = """
events {}
pid nginx.pid;
error_log stderr;
http {
    access_log off;
    server {
        listen unix:sock ssl;
        ssl_certificate %s;
        ssl_certificate_key %s;
    }
}
"""


class Try:
    """One pair of secrets, before us and before the engine."""

    def __init__(self, cert, key):
        self.folder = procs.TempDir("bh-cert-")
        self.names = {"cert": cert, "key": key}
        for name, content in self.names.items():
            with open(self.path(name), "wb") as out:
                out.write(content)

    def path(self, name):
        return os.path.join(self.folder.path, name)

    def ours(self):
        case = {"services": {"web": {"labels": {
            "hosts": "web.example", "ssl_cert": "cert", "ssl_key": "key"}}},
                "secrets": self.names}
        snapshot = Snapshot(case, authority)
        with open(self.path("snapshot.json"), "w") as out:
            json.dump(snapshot.document, out)
        with open(self.path("c.ini"), "w"):
            pass
        done = subprocess.run(
            [procs.binary("proxyctl"), "render", "--cluster",
             self.path("c.ini"), "--snapshot", self.path("snapshot.json"),
             "--secrets", self.folder.path],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
            check=True)
        report = json.loads(done.stdout)
        return [r["code"] for r in report["rejected"]]

    def engine(self):
        with open(self.path("nginx.conf"), "w") as out:
            out.write(SERVER % (self.path("cert"), self.path("key")))
        done = subprocess.run(
            [cases.NGINX, "-t", "-p", self.folder.path, "-c", "nginx.conf"],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
            check=False)
        return done.returncode == 0


def check(what, cert, key, ours, engine):
    pair = Try(cert, key)
    try:
        got = (pair.ours(), pair.engine())
    finally:
        pair.folder.remove()
    if got != (ours, engine):
        raise AssertionError("%s: %r, wanted %r" % (what, got,
                                                    (ours, engine)))


@tap.test
def what_we_take_the_engine_takes():
    for kind in GOOD:
        content = authority.secret(kind)
        check(kind, content, content, [], True)


@tap.test
def what_we_refuse_it_refuses():
    for kind in BAD:
        content = authority.secret(kind)
        check(kind, content, content, ["bad-certificate"], False)


@tap.test
def what_is_out_of_its_dates_only_we_refuse():
    for kind in DATED:
        content = authority.secret(kind)
        check(kind, content, content, ["bad-certificate"], True)


@tap.test
def a_key_that_is_anothers():
    cert = authority.secret("cert:a.example")
    check("other key", cert, authority.secret("key:b.example"),
          ["bad-certificate"], False)
    check("encrypted key", cert, authority.secret("encrypted:a.example"),
          ["bad-certificate"], False)


@tap.test
def a_chain_with_its_key_in_front_and_text_between():
    cert, key = (authority.secret(k) for k in ("cert:a.example",
                                               "key:a.example"))
    ca = authority.secret("ca")
    both = b"subject=a\n" + key + b"the certificate:\n" + cert + ca
    check("chain", both, both, [], True)
    check("wrong order", ca + cert + key, ca + cert + key,
          ["bad-certificate"], False)
    check("damaged issuer", cert + ca[:200] + key, key,
          ["bad-certificate"], False)
    crlf = both.replace(b"\n", b"\r\n")
    check("CR LF", crlf, crlf, [], True)


if not os.access(cases.NGINX, os.X_OK):
    tap.skip_all("no nginx here (make deps installs it)")
base = procs.TempDir("bh-pki-")
tap.cleanup(shutil.rmtree, base.path)
authority = certificates.Pki(base.path)
tap.main()
