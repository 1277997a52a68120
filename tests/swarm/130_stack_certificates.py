#!/usr/bin/env python3
"""A certificate in a Docker secret on two real proxies, behind a client that
honours /healthz: it is rotated by a new secret under the same label, rolled
back when nothing names the old one any more, kept so by a supervisor that
starts on another manager with nothing, and released; no request fails, and what
need not be replaced stays.  Secrets are granted to the service by name, and
the grant is taken back at last."""

import base64
import hashlib
import http.client
import json
import os
import shutil
import socket
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import certificates  # noqa: E402
import engine  # noqa: E402
import httpc   # noqa: E402
import nodes   # noqa: E402
import procs   # noqa: E402
import stack   # noqa: E402
import tap     # noqa: E402

HOST = "secure.example"
GROUP = "bulkhead-proxy-blue"
GRANT = "com.docker.lb.allow"
ROLL = 180.0

why = stack.why_not()
if why:
    tap.skip_all(why)
bulkhead = stack.Stack(nodes.Swarm(2), 2)
tap.cleanup(bulkhead.stop)
real = bulkhead.real
prints = {}     # of each secret's certificate
first = []      # the newest generation with the first certificate
seen = set()    # certificates that the client was shown


def https(where):
    """(status, fingerprint of the certificate); (0, None): no answer."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    address, port = where.rsplit(":", 1)
    try:
        with socket.create_connection((address, int(port)), 5) as raw, \
                context.wrap_socket(raw, server_hostname=HOST) as tls:
            shown = hashlib.sha256(tls.getpeercert(True)).hexdigest()
            connection = http.client.HTTPConnection(HOST)
            connection.sock = tls
            return httpc.exchange(connection, "GET", "/", headers={
                "Host": HOST}).status, shown
    except (OSError, http.client.HTTPException):
        return 0, None


def ask(where):
    status, shown = https(where)
    if status:
        seen.add(shown)
    return status


def client():
    seen.clear()
    return bulkhead.balancer("blue", HOST, port=443, rate=100, ask=ask)


def secret(name):
    """A secret with a certificate of its own and the key."""
    os.mkdir(bulkhead.tmp.join(name))
    pki = certificates.Pki(bulkhead.tmp.join(name))
    cert, key = pki.pair(HOST)
    pem = pki.read(cert) + pki.read(key)
    answer = real.api("POST", "/secrets/create", {
        "Name": name, "Data": base64.b64encode(pem).decode(),
        "Labels": {GRANT: "secure"}})
    tap.equal(answer.status, 201, repr(answer))
    prints[name] = hashlib.sha256(ssl.PEM_cert_to_DER_cert(
        pki.read(cert).decode())).hexdigest()


def mounted():
    container = real.get("/services/" + GROUP)["Spec"]["TaskTemplate"][
        "ContainerSpec"]
    return {s["SecretName"] for s in container["Secrets"]
            if s["SecretName"].startswith("site-")}


def tasks(service=GROUP):
    return {t["ID"] for t in real.running(service)}


def made(service=GROUP):
    return {t["ID"] for t in real.tasks(service)}


def wait_shown(name, alone=True):
    """Both proxies show the secret's certificate, and have what they need;
    'alone': the other one is let go of."""
    def shown():
        gate = json.loads(bulkhead.proxyctl("--json", "clusters", quiet=True))
        state = [c["proxy_service"] for c in gate["clusters"]
                 if c["name"] == "blue"][0]
        return state["state"] == "ok" and state["error"] is None and all(
            https(bulkhead.where(i, 443)) == (200, prints[name])
            for i in range(2)) and (mounted() == {name} or not alone)
    procs.wait_for(shown, ROLL, "%s on both" % name, 0.3)
    bulkhead.wait_applied("blue", ROLL)


def unharmed(load, *names):
    tap.note("%d asked, %d failed" % (load.asked, len(load.failed)))
    tap.equal(load.failed[:5], [], "failed of %d" % load.asked)
    tap.equal(seen, {prints[name] for name in names}, "certificates")


def others():
    """What has nothing to do with it."""
    return {s: tasks(s) for s in ("bulkhead-proxy-green", "secure")}


def generations():
    return [e["generation"] for e in json.loads(bulkhead.proxyctl(
        "--json", "history", "blue", quiet=True))["history"]]


def pinned():
    known = json.loads(bulkhead.proxyctl("--json", "status", quiet=True))
    return [c["pinned"] for c in known["clusters"] if c["name"] == "blue"][0]


def strict():
    """The stack file, beside the INI of a blue that grants by name."""
    folder = bulkhead.tmp.join("deploy")
    shutil.copytree(stack.DEPLOY, folder)
    ini = os.path.join(folder, "clusters.d", "blue.ini")
    with open(ini, encoding="ascii") as file:
        text = file.read()
    with open(ini, "w", encoding="ascii") as file:
        file.write(text.replace("[cluster]\n",
                                "[cluster]\nsecrets = granted\n", 1))
    return os.path.join(folder, "stack.yml")


@tap.step
def a_certificate_is_served_from_a_secret():
    bulkhead.deploy(strict())
    for cluster in ("blue", "green"):
        bulkhead.wait_applied(cluster)
    secret("site-1")
    real.create_network("shop-net")
    bulkhead.publish("secure", "shop-net", replicas=2, hosts=HOST,
                     ssl_cert="site-1", service_cluster="blue")
    wait_shown("site-1")
    procs.wait_for(generations, 60, "an entry of the history", 0.2)


@tap.step
def a_new_secret_under_the_same_label_is_taken_up_without_a_gap():
    before, rest = made(), others()
    first.append(generations()[0])
    with client() as load:
        secret("site-2")
        real.set_label("secure", "com.docker.lb.ssl_cert", "site-2")
        wait_shown("site-2")
        load.more(50)
    unharmed(load, "site-1", "site-2")
    tap.equal(others(), rest, "other services' tasks")
    # One roll to mount the new one, one to let go of the old one.
    tap.ok(len(made() - before) in (2, 4), "%d new proxies" % len(
        made() - before))
    procs.wait_for(lambda: generations()[0] > first[0], 60, "its entry", 0.2)


@tap.step
def a_rollback_gets_back_the_secret_that_nothing_names_any_more():
    rest = others()
    with client() as load:
        bulkhead.proxyctl("rollback", "blue", str(first[0]))
        procs.wait_for(pinned, 60, "the pin", 0.2)
        wait_shown("site-1")
        load.more(50)
    unharmed(load, "site-1", "site-2")
    tap.equal(others(), rest, "other services' tasks")
    rows = [line.split() for line in bulkhead.proxyctl(
        "status").splitlines()]
    head = [r for r in rows if r[:1] == ["CLUSTER"]][0]
    row = [r for r in rows if r[:1] == ["blue"]][0]
    tap.equal(row[head.index("PINNED")], str(first[0]))
    tap.equal(json.loads(bulkhead.proxyctl("--json", "explain", HOST))[
        "pinned"], first[0])


def wait_supervisor(old):
    procs.wait_for(lambda: bulkhead.container() not in (None, old), 90,
                   "another supervisor", 0.2)
    bulkhead.wait_applied("blue")


@tap.step
def it_is_kept_across_a_restart_of_the_supervisor():
    proxies, generation, old = made(), pinned(), bulkhead.container()
    with client() as load:
        bulkhead.docker("kill", old)
        wait_supervisor(old)
        procs.wait_for(lambda: pinned() == generation, 60, "the pin", 0.2)
        wait_shown("site-1")
        load.more(50)
    unharmed(load, "site-1")
    tap.equal(made(), proxies, "proxies")


@tap.step
def it_is_kept_by_a_supervisor_that_starts_on_another_manager():
    """Where its volume is an empty one."""
    there = bulkhead.swarm.node(1)
    real.share_image(there, "bulkhead:test")
    bulkhead.swarm.promote(1)
    procs.wait_for(lambda: there.raw("GET", engine.API + "/services").status
                   == 200, 60, "another manager", 0.2)
    wait_shown("site-1")
    proxies, generation = made(), pinned()

    def elsewhere(spec):
        spec["TaskTemplate"]["Placement"]["Constraints"] = [
            "node.id == " + there.id]
    with client() as load:
        real.update_service("bulkhead_supervisor", elsewhere)
        bulkhead.home = there
        wait_supervisor(None)
        procs.wait_for(lambda: pinned() == generation, 60, "the pin", 0.2)
        wait_shown("site-1")
        load.more(50)
    unharmed(load, "site-1")
    tap.equal(made(), proxies, "proxies")
    tap.equal([t["NodeID"] for t in real.running("bulkhead_supervisor")],
              [there.id])


@tap.step
def released_it_goes_on_with_the_new_one():
    with client() as load:
        bulkhead.proxyctl("rollback", "blue", "--release")
        wait_shown("site-2", alone=False)
        load.more(50)
    unharmed(load, "site-1", "site-2")
    tap.equal(pinned(), None)


@tap.step
def a_certificate_that_is_granted_no_longer_goes():
    known = real.get("/secrets/site-2")
    answer = real.api("POST", "/secrets/%s/update" % known["ID"],
                      dict(known["Spec"], Labels={}),
                      query={"version": known["Version"]["Index"]})
    tap.equal(answer.status, 200, repr(answer))
    procs.wait_for(lambda: [s["code"] for s in json.loads(bulkhead.proxyctl(
        "--json", "services", quiet=True))["services"]
        if s["service"] == "secure"] == ["secret-not-granted"], 60,
        "the verdict", 0.2)
    procs.wait_for(lambda: not mounted(), ROLL, "its release", 0.3)
    bulkhead.wait_applied("blue", ROLL)
    tap.equal([https(bulkhead.where(i, 443)) for i in range(2)],
              [(0, None)] * 2)


try:
    bulkhead.start()
except engine.CannotRun as reason:
    tap.skip_all(str(reason))
tap.main()
