#!/usr/bin/env python3
"""proxyctl pki: what it makes, refuses and tells."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import procs  # noqa: E402
import tap    # noqa: E402


def pki(*argv):
    return subprocess.run([procs.binary("proxyctl"), "pki", *argv],
                          capture_output=True, text=True, check=False)


def contents(folder):
    found = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = file.read()
    return found


@tap.test
def it_makes_pairs_that_openssl_trusts_and_keys_for_the_owner_alone():
    with tempfile.TemporaryDirectory(
            prefix="bh-pki-") as folder:
        d = os.path.join(folder, "a", "pki")
        done = pki(d, "--name", "edge.example", "--days", "30")
        tap.equal(done.returncode, 0, done.stderr)
        for name in ("ca", "control", "agent"):
            mode = os.stat(os.path.join(d, name + ".key")).st_mode & 0o777
            tap.equal(mode, 0o600, name)
            tap.ok(os.path.join(d, name + ".pem") in done.stdout, done.stdout)
        tap.equal(os.stat(d).st_mode & 0o777, 0o700, "folder")
        for name, purpose in (("control", "sslserver"),
                              ("agent", "sslclient")):
            seen = subprocess.run(
                ["openssl", "verify", "-x509_strict", "-purpose", purpose,
                 "-CAfile", d + "/ca.pem", d + "/%s.pem" % name],
                capture_output=True, text=True, check=False)
            tap.equal(seen.returncode, 0, seen.stderr)
        for name in ("bulkhead-control", "edge.example"):
            seen = subprocess.run(
                ["openssl", "verify", "-verify_hostname", name, "-CAfile",
                 d + "/ca.pem", d + "/control.pem"],
                capture_output=True, text=True, check=False)
            tap.equal(seen.returncode, 0, seen.stderr)


@tap.test
def it_replaces_nothing_without_force_and_all_with_it():
    with tempfile.TemporaryDirectory(
            prefix="bh-pki-") as folder:
        d = os.path.join(folder, "pki")
        tap.equal(pki(d).returncode, 0)
        before = contents(d)
        os.unlink(d + "/ca.pem")
        os.unlink(d + "/ca.key")
        done = pki(d)
        tap.equal(done.returncode, 1)
        tap.ok("control.pem is there already" in done.stderr, done.stderr)
        tap.ok("ca.pem" not in os.listdir(d), "half of a set was made")
        tap.equal(pki(d, "--force").returncode, 0)
        after = contents(d)
        tap.equal(sorted(after), sorted(before))
        for name, content in after.items():
            tap.ok(content != before[name], name + " is the old one")


@tap.test
def a_renewal_keeps_the_authority_and_the_names():
    with tempfile.TemporaryDirectory(
            prefix="bh-pki-") as folder:
        d = os.path.join(folder, "pki")
        done = pki(d, "--days", "20", "--name", "edge.example", "--name",
                   "10.1.2.3")
        tap.equal(done.returncode, 0, done.stderr)
        before = contents(d)
        for name in ("control", "agent"):
            os.rename(d + "/%s.pem" % name, d + "/old-%s.pem" % name)
        done = pki(d, "--renew")
        tap.equal(done.returncode, 1, "without the old names")
        os.rename(d + "/old-control.pem", d + "/control.pem")
        done = pki(d, "--renew", "--name", "new.example")
        tap.equal(done.returncode, 0, done.stderr)
        after = contents(d)
        changed = {n for n in before if before[n] != after[n]}
        tap.equal(changed, {"control.pem", "control.key", "agent.pem",
                            "agent.key", "names.env"})
        tap.equal(after["names.env"].splitlines()[0],
                  before["names.env"].splitlines()[0])
        for option, name in (("hostname", "edge.example"),
                             ("hostname", "new.example"),
                             ("hostname", "bulkhead-control"),
                             ("ip", "10.1.2.3")):
            seen = subprocess.run(
                ["openssl", "verify", "-verify_" + option, name, "-CAfile",
                 d + "/ca.pem", d + "/control.pem"],
                capture_output=True, text=True, check=False)
            tap.equal(seen.returncode, 0, seen.stderr)
        for name in ("old-agent", "agent"):
            seen = subprocess.run(
                ["openssl", "verify", "-CAfile", d + "/ca.pem",
                 d + "/%s.pem" % name], capture_output=True, text=True,
                check=False)
            tap.equal(seen.returncode, 0, seen.stderr)
        ends = {subprocess.run(
            ["openssl", "x509", "-noout", "-enddate", "-in",
             d + "/%s.pem" % name], capture_output=True, text=True,
            check=True).stdout for name in ("ca", "control", "agent")}
        tap.equal(len(ends), 1, "nothing outlives the authority: %r" % ends)


@tap.test
def a_renewal_without_a_good_authority_changes_nothing():
    with tempfile.TemporaryDirectory(
            prefix="bh-pki-") as folder:
        d = os.path.join(folder, "pki")
        tap.equal(pki(d, "--renew").returncode, 1)
        tap.equal(pki(d).returncode, 0)
        os.replace(d + "/agent.key", d + "/ca.key")
        before = contents(d)
        done = pki(d, "--renew")
        tap.equal(done.returncode, 1)
        tap.contains(done.stderr, "ca.pem: the key is not the certificate's")
        tap.equal(contents(d), before)
        tap.equal(pki(d, "--renew", "--force").returncode, 2)


@tap.test
def the_names_are_hashes_of_the_contents():
    with tempfile.TemporaryDirectory(
            prefix="bh-pki-") as folder:
        d = os.path.join(folder, "pki")
        done = pki("--json", d)
        tap.equal(len(json.loads(done.stdout)["made"]), 3, done.stdout)
        with open(d + "/names.env", encoding="ascii") as file:
            pairs = dict(line.strip().split("=") for line in file)
        tap.equal(len(pairs), 5, pairs)
        for name, file in (("CA_CERT", "ca.pem"), ("AGENT_KEY", "agent.key"),
                           ("CONTROL_CERT", "control.pem")):
            digest = hashlib.sha256(contents(d)[file]).hexdigest()
            tap.equal(pairs["BULKHEAD_" + name], digest[:12], name)


@tap.test
def a_wrong_call_makes_nothing():
    with tempfile.TemporaryDirectory(
            prefix="bh-pki-") as folder:
        d = os.path.join(folder, "pki")
        for argv in ((d, "--days", "0"), (d, "--name"), (d, "--what"),
                     (d, d), ("--force",)):
            tap.equal(pki(*argv).returncode, 2, argv)
        tap.equal(pki("/dev/null/x").returncode, 1)
        tap.ok(not os.path.exists(d), "a folder was made")


tap.main()
