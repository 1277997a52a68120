#!/usr/bin/env python3
"""Passed-through beside terminated hosts on one port, through the whole
system: who is told which client, plainly, behind a balancer that adds
X-Forwarded-For, and behind one that speaks the PROXY protocol."""

import base64
import json
import os
import shutil
import signal
import socket
import ssl

import backends
import bulkhead
import certificates
import connection
import engine
import procs
import tap
import witness
from bulkhead import SOON, lb

CLIENT = "127.0.0.9"
BALANCER = "127.0.0.3"
APP = 22443  # of the applications; the simulator's own answers are on 8080
fake = engine.FakeSwarm("--task-delay", "100ms")
system = bulkhead.System(fake.socket)
folder = procs.TempDir("bh-secrets-")
keys = procs.TempDir("bh-pki-")
pki = certificates.Pki(keys.path)
CLUSTERS = {
    "near": "",
    "told": "[nginx]\nreal_ip_from = %s\n" % BALANCER,
    "proxied": "[nginx]\naccept_proxy_protocol = true\nreal_ip_from = %s\n"
               % BALANCER,
}


def ask(cluster, host, tls=True, **request):
    """(status, headers, what the application saw or None)"""
    where = system.clusters[cluster]
    client = connection.Client(
        ("127.0.0.1", where.ssl_port if tls else where.port),
        {"host": host, "tls": tls, **request}, pki)
    return ask_over(client, host, **request)


def ask_over(client, host, **request):
    try:
        client.send({"get": "/", "host": host,
                     "send": request.get("send", {})})
        status, headers, body = client.receive()
    finally:
        client.close()
    heard = None
    if body.startswith(b"{"):
        heard = json.loads(body)
        heard["headers"] = {k.lower(): v for k, v in heard["headers"]}
    return status, headers, heard


def answers(cluster, host, status=200, **request):
    try:
        return ask(cluster, host, **request)[0] == status
    except (OSError, AssertionError):
        return False


def wait_answer(cluster, host, **request):
    """Old workers, for a moment after a reload, accept too."""
    procs.wait_for(lambda: all(answers(cluster, host, **request)
                               for _ in range(8)), SOON,
                   "%s of %s" % (host, cluster), 0.02)


def named(cluster, name):
    return "%s.%s.example" % (name, cluster)


def application(cluster, name, told=False, tls=False, **labels):
    """A service of one task, whose application is ours."""
    host = named(cluster, name)
    wanted = lb(host, APP, service_cluster=cluster, **labels)
    wanted["sim.ports"] = "8080"
    full = "%s-%s" % (cluster, name)
    fake.create_service(full, networks=["front"], labels=wanted)
    fake.wait_running(full, 1)
    at = fake.running(full)[0]["NetworksAttachments"][0]["Addresses"][0]
    found = backends.Backends([backends.Backend(
        name, "1", at.split("/")[0], APP, tls=pki.pair(host) if tls else None,
        proxy_protocol=told)])
    found.__enter__()
    tap.cleanup(found.__exit__)


def header(cluster, client):
    """What the balancer of a cluster says of its client."""
    if cluster == "told":
        return {"from": BALANCER, "send": {"X-Forwarded-For": client}}
    if cluster == "proxied":
        return {"from": BALANCER,
                "proxy": "PROXY TCP4 %s 10.0.0.1 1 443" % client}
    return {"from": client}


def connect(cluster, name):
    """A client that says nothing yet, taken by a worker of now."""
    request = {"host": named(cluster, name), "tls": True,
               **header(cluster, CLIENT)}
    return request, connection.Client(
        ("127.0.0.1", system.clusters[cluster].ssl_port), request, pki,
        secured=False)


def connect_all():
    """"closed" of "told" changes whom it shuts out."""
    return [connect(cluster, name) for cluster in CLUSTERS
            for name in ("watched", "watched", "closed")
            if (cluster, name) != ("told", "closed")]


def check_late(request, client):
    """It speaks after the reload, and is still taken for what it is."""
    client.secure(request, pki)
    status, _, heard = ask_over(client, **request)
    wanted = 403 if request["host"].startswith("closed") else 200
    tap.equal((request["host"], status), (request["host"], wanted))
    if heard:
        tap.equal(heard["headers"]["x-real-ip"], CLIENT, request["host"])


def deploy(cluster):
    application(cluster, "closed", ssl_cert="pem", deny=CLIENT)
    application(cluster, "open", ssl_cert="pem", allow=CLIENT)
    application(cluster, "watched", ssl_cert="pem")


@tap.test
def before_there_is_a_passthrough_terminated_hosts_have_the_port():
    for cluster in CLUSTERS:
        deploy(cluster)
    for cluster in CLUSTERS:
        wait_answer(cluster, named(cluster, "open"),
                    **header(cluster, CLIENT))
        wait_answer(cluster, named(cluster, "closed"), status=403,
                    **header(cluster, CLIENT))
        wait_answer(cluster, named(cluster, "watched"),
                    **header(cluster, CLIENT))


@tap.test
def the_first_passthrough_takes_the_port_over_without_a_failed_request():
    late = connect_all()
    watch = witness.Witness(
        "127.0.0.1:%d" % system.clusters["near"].ssl_port,
        host=named("near", "watched"), tls=True).start()
    watch.wait_count(20)
    for cluster in CLUSTERS:
        application(cluster, "pass", told=True, tls=True,
                    ssl_passthrough="true", proxy_protocol="true")
        application(cluster, "silent", tls=True, ssl_passthrough="true")
    for cluster in CLUSTERS:
        for name in ("pass", "silent"):
            wait_answer(cluster, named(cluster, name),
                        **header(cluster, CLIENT))
    watch.wait_count(50)
    watch.stop().check()
    for request, client in late:
        check_late(request, client)


@tap.test
def each_side_of_the_port_is_told_the_client():
    for cluster in CLUSTERS:
        said = header(cluster, CLIENT)
        status, headers, heard = ask(cluster, named(cluster, "open"), **said)
        tap.equal((cluster, status), (cluster, 200))
        tap.equal(heard["headers"]["x-real-ip"], CLIENT, cluster)
        tap.equal(heard["headers"]["x-forwarded-proto"], "https", cluster)
        tap.ok("x-request-id" in headers, "no info headers")
        status, headers, heard = ask(cluster, named(cluster, "pass"), **said)
        # A balancer that only adds headers cannot reach into a connection
        # that is passed through: it is the client there.
        client = BALANCER if cluster == "told" else CLIENT
        tap.equal(heard["proxied"].split()[:3], ["PROXY", "TCP4", client])
        tap.equal(list(headers), ["content-type", "content-length"])
        _, _, heard = ask(cluster, named(cluster, "silent"), **said)
        tap.equal(heard["proxied"], None)


@tap.test
def lists_of_addresses_judge_the_client_on_both_ports():
    for cluster in CLUSTERS:
        for tls in (True, False):
            for name, client, status in (
                    ("open", CLIENT, 200), ("open", "127.0.0.8", 403),
                    ("closed", CLIENT, 403), ("closed", "127.0.0.8", 200)):
                got = ask(cluster, named(cluster, name), tls=tls,
                          **header(cluster, client))[0]
                tap.equal((cluster, tls, name, client, got),
                          (cluster, tls, name, client, status))


@tap.test
def who_is_no_trusted_balancer_tells_nothing():
    said = {"from": "127.0.0.8", "send": {"X-Forwarded-For": CLIENT}}
    tap.equal(ask("near", "open.near.example", **said)[0], 403)
    tap.equal(ask("told", "open.told.example", **said)[0], 403)
    said["proxy"] = "PROXY TCP4 %s 10.0.0.1 1 443" % CLIENT
    tap.equal(ask("proxied", "open.proxied.example", **said)[0], 403)
    _, _, heard = ask("proxied", "pass.proxied.example", **said)
    tap.equal(heard["proxied"].split()[2], "127.0.0.8")


@tap.test
def a_balancer_that_tells_no_client_is_the_client():
    said = {"from": BALANCER}
    tap.equal(ask("told", "open.told.example", **said)[0], 403)
    tap.equal(ask("told", "closed.told.example", **said)[0], 200)
    fake.set_label("told-closed", "com.docker.lb.deny", BALANCER)
    wait_answer("told", "closed.told.example", status=403, **said)
    fake.set_label("told-open", "com.docker.lb.allow", BALANCER)
    wait_answer("told", "open.told.example", **said)


@tap.test
def an_sni_of_nobody_is_refused_on_the_shared_port():
    for cluster in CLUSTERS:
        for name in ("nobody.example", ""):
            try:
                ask(cluster, "open.%s.example" % cluster, sni=name,
                    **header(cluster, CLIENT))
            except (ssl.SSLError, ConnectionError, AssertionError):
                continue
            raise AssertionError("%s served SNI %r" % (cluster, name))


@tap.test
def a_passed_through_connection_lives_on_over_reloads():
    host = named("near", "silent")
    client = connection.Client(
        ("127.0.0.1", system.clusters["near"].ssl_port),
        {"host": host, "tls": True}, pki)
    try:
        for number in range(3):
            client.send({"get": "/", "host": host})
            tap.equal(client.receive()[0], 200)
            application("near", "more%d" % number, ssl_cert="pem")
            wait_answer("near", named("near", "more%d" % number))
        client.send({"get": "/", "host": host})
        tap.equal(client.receive()[0], 200)
    finally:
        client.close()


@tap.test
def a_killed_nginx_comes_back_with_both():
    proxies = os.path.join(system.run_dir, "proxies")
    for name in os.listdir(proxies):
        with open(os.path.join(proxies, name, "nginx.pid")) as file:
            os.kill(int(file.read()), signal.SIGKILL)
    for cluster in CLUSTERS:
        for name in ("pass", "silent"):
            wait_answer(cluster, named(cluster, name),
                        **header(cluster, CLIENT))
    wait_answer("proxied", "open.proxied.example", **header("proxied", CLIENT))
    _, _, heard = ask("near", "open.near.example", **header("near", CLIENT))
    tap.equal(heard["headers"]["x-real-ip"], CLIENT)


@tap.test
def the_last_passthrough_gives_the_port_back_without_a_failed_request():
    late = connect_all()
    watch = witness.Witness(
        "127.0.0.1:%d" % system.clusters["near"].ssl_port,
        host=named("near", "watched"), tls=True).start()
    watch.wait_count(20)
    for cluster in CLUSTERS:
        fake.remove_service(cluster + "-pass")
        fake.remove_service(cluster + "-silent")

    def refused(cluster):
        try:
            ask(cluster, named(cluster, "silent"), **header(cluster, CLIENT))
        except (ssl.SSLError, ConnectionError, socket.timeout):
            return True
        return False
    for cluster in CLUSTERS:
        procs.wait_for(lambda c=cluster: all(refused(c) for _ in range(8)),
                       SOON, "the passthrough to be gone", 0.02)
    watch.wait_count(50)
    watch.stop().check()
    for request, client in late:
        check_late(request, client)
    _, _, heard = ask("near", "open.near.example", **header("near", CLIENT))
    tap.equal(heard["headers"]["x-real-ip"], CLIENT)


if not shutil.which("openssl"):
    tap.skip_all("no openssl (make deps installs it)")
fake.start()
tap.cleanup(fake.stop)
tap.cleanup(shutil.rmtree, keys.path)
tap.cleanup(shutil.rmtree, folder.path)
with open(folder.join("pem"), "wb") as out:
    out.write(pki.secret("pem:" + ",".join(
        named(c, "*") for c in CLUSTERS)))
fake.create_network("front")
made = fake.api("POST", "/secrets/create", {
    "Name": "pem", "Labels": {},
    "Data": base64.b64encode(b"not told anyway").decode()})
tap.equal(made.status, 201, "secret")
# The workers of an nginx that root starts are nobody.
os.chmod(system.folder, 0o755)
for one, settings in CLUSTERS.items():
    system.cluster(one, secrets_dir=folder.path, text=settings)
system.start()
tap.cleanup(system.stop)
tap.main()
