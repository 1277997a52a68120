"""Certificates and keys of tests, made with openssl."""

import os
import subprocess
import time

DATED = """[ca]
default_ca = x
[x]
database = %(base)s.txt
serial = %(base)s.srl
new_certs_dir = %(folder)s
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
"""


def stamp(days):
    return time.strftime("%Y%m%d%H%M%SZ",
                         time.gmtime(time.time() + days * 86400))


class Pki:
    """Certificates made once: a CA, and one certificate per name."""

    def __init__(self, folder):
        self.folder = folder
        self.made = {}
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                     "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                     "-keyout", self.join("ca.key"), "-out",
                     self.join("ca.pem"), "-subj", "/CN=Test CA")

    def join(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *args):
        subprocess.run(("openssl",) + args, check=True,
                       stdin=subprocess.DEVNULL, capture_output=True)

    def pair(self, host):
        """(certificate file, key file) for "NAME[,NAME…]"."""
        if host not in self.made:
            base = self.join(host.replace("*", "any"))
            names = host.split(",")
            with open(base + ".ext", "w") as out:
                out.write("subjectAltName=%s\n" % ",".join(
                    "DNS:" + n for n in names))
            self.openssl("req", "-newkey", "ec", "-pkeyopt",
                         "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                         base + ".key", "-out", base + ".csr", "-subj",
                         "/CN=" + names[0])
            self.openssl("x509", "-req", "-in", base + ".csr", "-CA",
                         self.join("ca.pem"), "-CAkey", self.join("ca.key"),
                         "-CAcreateserial", "-days", "30", "-extfile",
                         base + ".ext", "-out", base + ".pem")
            self.made[host] = (base + ".pem", base + ".key")
        return self.made[host]

    def dated(self, host, start, end):
        """A combined PEM that is valid between two days from now."""
        name = "%s_%d_%d" % (host, start, end)
        if name in self.made:
            return self.made[name]
        base = self.join(name)
        self.pair(host)
        with open(base + ".cnf", "w") as out:
            out.write(DATED % {"base": base, "folder": self.folder})
        for suffix, text in ((".txt", ""), (".srl", "01")):
            with open(base + suffix, "w") as out:
                out.write(text)
        plain = self.join(host.replace("*", "any"))
        self.openssl("ca", "-batch", "-config", base + ".cnf", "-notext",
                     "-in", plain + ".csr", "-extfile", plain + ".ext",
                     "-cert", self.join("ca.pem"), "-keyfile",
                     self.join("ca.key"), "-out", base + ".pem",
                     "-startdate", stamp(start), "-enddate", stamp(end))
        self.made[name] = (self.read(base + ".pem") +
                           self.read(plain + ".key"))
        return self.made[name]

    def own(self, host, *key):
        """A combined PEM signed by itself, with a key of another kind."""
        base = self.join("own_" + host)
        self.openssl("req", "-x509", "-nodes", "-days", "30", *key, "-keyout",
                     base + ".key", "-out", base + ".pem", "-subj",
                     "/CN=" + host, "-addext", "subjectAltName=DNS:" + host)
        return self.read(base + ".pem") + self.read(base + ".key")

    def weakly_signed(self, host):
        """A combined PEM whose signature is SHA-1."""
        self.pair(host)
        base = self.join(host)
        self.openssl("x509", "-req", "-in", base + ".csr", "-CA",
                     self.join("ca.pem"), "-CAkey", self.join("ca.key"),
                     "-CAcreateserial", "-days", "30", "-sha1", "-extfile",
                     base + ".ext", "-out", base + ".sha1")
        return self.read(base + ".sha1") + self.read(base + ".key")

    def encrypted(self, host):
        """The key of HOST, behind a passphrase."""
        _, key = self.pair(host)
        self.openssl("pkcs8", "-topk8", "-in", key, "-out", key + ".enc",
                     "-passout", "pass:secret")
        return self.read(key + ".enc")

    def secret(self, what):
        """
        Bytes of "cert:HOST", "key:HOST", "pem:HOST", "ca", "text:…"; see
        README.md for the odd ones.  None: there is no such file.
        """
        kind, _, host = what.partition(":")
        if kind == "text":
            return host.encode()
        if kind == "missing":
            return None
        if kind == "noise":
            return bytes((i * 7 + i // 3) % 256 for i in range(500 * 1024))
        if kind == "expired":
            return self.dated(host, -20, -10)
        if kind == "early":
            return self.dated(host, 10, 20)
        if kind == "soon":
            return self.dated(host, -10, 3)
        if kind == "rsa":
            bits, _, host = host.partition(":")
            return self.own(host, "-newkey", "rsa:" + bits)
        if kind == "curve":
            curve, _, host = host.partition(":")
            return self.own(host, "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:" + curve)
        if kind == "ed25519":
            return self.own(host, "-newkey", "ed25519")
        if kind == "sha1":
            return self.weakly_signed(host)
        if kind == "encrypted":
            return self.encrypted(host)
        if kind == "cut":
            return self.secret("pem:" + host)[:300]
        if kind == "ca":
            return self.read(self.join("ca.pem"))
        cert, key = self.pair(host)
        if kind == "cert":
            return self.read(cert)
        if kind == "key":
            return self.read(key)
        if kind == "pem":
            return self.read(cert) + self.read(key)
        raise AssertionError("secret of kind %r" % kind)

    @staticmethod
    def read(path):
        with open(path, "rb") as file:
            return file.read()
