#!/usr/bin/env python3
"""Certificates through the whole system: nobody but the agents can read them,
and a bad one costs its own service at most."""

import base64
import hashlib
import os
import re
import shutil
import signal
import socket
import ssl

import backends
import bulkhead
import certificates
import engine
import procs
import tap
import witness
from bulkhead import SOON, lb

fake = engine.FakeSwarm("--task-delay", "100ms")
system = bulkhead.System(fake.socket)
folder = procs.TempDir("bh-secrets-")
keys = procs.TempDir("bh-pki-")
pki = certificates.Pki(keys.path)


def put(name, content):
    """The file of a secret, as an operator replaces it."""
    with open(folder.join(name + ".new"), "wb") as out:
        out.write(content)
    os.rename(folder.join(name + ".new"), folder.join(name))


def secret(name, content=None):
    """A secret that Docker knows, with its file where there is content."""
    answer = fake.api("POST", "/secrets/create", {
        "Name": name, "Labels": {},
        "Data": base64.b64encode(b"not told anyway").decode()})
    if answer.status != 201:
        raise AssertionError("secret %s: %r" % (name, answer))
    if content is not None:
        put(name, content)


def remove_secret(name):
    answer = fake.api("DELETE", "/secrets/" + name)
    if answer.status != 204:
        raise AssertionError("removal of %s: %r" % (name, answer))


def finger(pem):
    """Of the first certificate in a PEM."""
    text = re.search(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE"
                     rb"-----", pem, re.S).group().decode()
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(text)).hexdigest()


def served(host, index=0, alpn=()):
    """(fingerprint, chosen protocol) of a handshake; None: refused."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    port = system.clusters["blue"].ssl_port + index
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as raw:
            with context.wrap_socket(raw, server_hostname=host) as tls:
                return (hashlib.sha256(tls.getpeercert(True)).hexdigest(),
                        tls.selected_alpn_protocol())
    except (ssl.SSLError, ConnectionError):
        return None


def wait_certificate(host, pem):
    """Both proxies show the certificate."""
    wanted = finger(pem)
    procs.wait_for(lambda: all((served(host, i) or ("",))[0] == wanted
                               for i in range(2)),
                   SOON, "the certificate of " + host, 0.02)


def wait_code(service, code):
    return procs.wait_for(
        lambda: system.services()[service].get("code") == code, SOON,
        "%s to be %s" % (service, code), 0.02)


def remarks(service):
    report = system.ask("/v1/explain?q=" + service)
    return str(report)


def masters():
    return sorted(int(open(os.path.join(system.run_dir, "proxies", d,
                                        "nginx.pid")).read())
                  for d in os.listdir(os.path.join(system.run_dir, "proxies")))


def reloads():
    return system.detail("blue")["reloads"]


def marker(name):
    """A harmless change that comes after everything before it."""
    fake.create_service(name, networks=["front"],
                        labels=lb(name + ".example"))
    system.wait_served("blue", name + ".example")


first = pki.secret("pem:a.example")
second = pki.own("a.example", "-newkey", "rsa:2048")
third = pki.own("a.example", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-384")


@tap.test
def a_certificate_is_served_over_http1_and_http2():
    secret("a-v1", first)
    fake.create_service("a", networks=["front"], replicas=2,
                        labels=lb("a.example", ssl_cert="a-v1"))
    wait_certificate("a.example", first)
    tap.equal(served("a.example", alpn=["h2", "http/1.1"])[1], "h2")
    tap.equal(served("a.example", alpn=["http/1.1"])[1], "http/1.1")
    tap.equal(served("b.example"), None, "an SNI of nobody")
    system.wait_served("blue", "a.example")


@tap.test
def a_new_secret_under_the_label_is_served_without_a_restart_or_a_failure():
    secret("a-v2", second)
    before, count = masters(), reloads()
    watch = witness.Witness(
        "127.0.0.1:%d" % system.clusters["blue"].ssl_port, host="a.example",
        tls=True).start()
    watch.wait_count(20)
    fake.set_label("a", "com.docker.lb.ssl_cert", "a-v2")
    wait_certificate("a.example", second)
    watch.wait_count(50)
    watch.stop().check()
    tap.equal(masters(), before, "nginx")
    tap.equal(reloads() - count, 2, "one reload of each proxy")


@tap.test
def new_content_under_the_same_name_is_served_too():
    before, generation = masters(), system.generation("blue")
    watch = witness.Witness(
        "127.0.0.1:%d" % system.clusters["blue"].ssl_port, host="a.example",
        tls=True).start()
    watch.wait_count(20)
    put("a-v2", third)
    wait_certificate("a.example", third)
    watch.wait_count(50)
    watch.stop().check()
    tap.equal(masters(), before, "nginx")
    tap.equal(system.generation("blue"), generation, "generation")


@tap.test
def bad_content_leaves_the_last_good_one_in_force_and_is_told():
    put("a-v2", b"noise")
    procs.wait_for(lambda: "no PEM certificate" in remarks("a"), SOON,
                   "the remark")
    tap.ok("bad-certificate" in remarks("a"), remarks("a"))
    tap.equal(system.services()["a"]["state"], "accepted")
    marker("after-noise")
    tap.equal(served("a.example")[0], finger(third))


@tap.test
def a_killed_nginx_comes_back_with_it():
    before = masters()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    procs.wait_for(lambda: len(masters()) == 2 and
                   not set(masters()) & set(before), SOON, "new masters")
    wait_certificate("a.example", third)
    put("a-v2", third)
    procs.wait_for(lambda: "no PEM certificate" not in remarks("a"), SOON,
                   "the remark to go")


@tap.test
def a_label_that_names_a_bad_secret_leaves_the_last_good_one_in_force():
    secret("a-bad", pki.secret("cert:a.example"))
    fake.set_label("a", "com.docker.lb.ssl_cert", "a-bad")
    procs.wait_for(lambda: "a-bad" in remarks("a") and
                   "a-v2" in remarks("a"), SOON, "the remark")
    tap.equal(system.services()["a"]["state"], "accepted")
    marker("after-bad")
    wait_certificate("a.example", third)


@tap.test
def it_serves_on_though_nobody_remembers_that_a_label_named_it():
    """A reader that starts anew tells of what labels name now."""
    pid = system.status()["reader"]["pid"]
    with witness.Witness(
            "127.0.0.1:%d" % system.clusters["blue"].ssl_port,
            host="a.example", tls=True) as watch:
        os.kill(pid, signal.SIGKILL)
        procs.wait_for(lambda: system.status()["reader"]["pid"]
                       not in (0, pid), SOON, "another reader")
        marker("after-reader")
        watch.wait_count(50)
    watch.check()
    tap.equal(system.services()["a"]["state"], "accepted")
    wait_certificate("a.example", third)


@tap.test
def a_supervisor_without_its_state_learns_it_of_the_proxies():
    with witness.Witness(
            "127.0.0.1:%d" % system.clusters["blue"].ssl_port,
            host="a.example", tls=True) as watch:
        system.process.kill()
        system.process.wait(30)
        shutil.rmtree(os.path.join(system.run_dir, "state"))
        system.start()
        procs.wait_for(lambda: "a-bad" in remarks("a") and
                       "a-v2" in remarks("a"), SOON, "the remark")
        marker("after-state")
        watch.wait_count(50)
    watch.check()
    wait_certificate("a.example", third)


@tap.test
def once_docker_has_it_no_longer_it_is_out_of_force():
    fake.set_label("a", "com.docker.lb.ssl_cert", "a-v2")
    wait_certificate("a.example", third)
    procs.wait_for(lambda: system.services()["a"].get("code") is None, SOON,
                   "no remark")
    fake.set_label("a", "com.docker.lb.ssl_cert", "a-bad")
    procs.wait_for(lambda: "a-bad" in remarks("a") and
                   "a-v2" in remarks("a"), SOON, "the remark")
    remove_secret("a-v2")
    wait_code("a", "bad-certificate")
    procs.wait_for(lambda: served("a.example") is None, SOON,
                   "no certificate")
    put("a-bad", second)
    wait_certificate("a.example", second)


@tap.test
def a_new_service_with_a_bad_or_missing_secret_waits_and_others_go_on():
    secret("c-cert")
    fake.create_service("c", networks=["front"],
                        labels=lb("c.example", ssl_cert="c-cert"))
    wait_code("c", "no-such-secret")
    marker("beside-c")
    tap.equal(served("c.example"), None)
    put("c-cert", pki.secret("expired:c.example"))
    wait_code("c", "bad-certificate")
    tap.ok("expired" in system.services()["c"]["reason"])
    marker("still-beside-c")
    put("c-cert", pki.secret("pem:c.example"))
    wait_certificate("c.example", pki.secret("pem:c.example"))


@tap.test
def a_restarted_extension_knows_what_was_bad_and_reloads_nothing():
    secret("d-cert")
    fake.create_service("d", networks=["front"],
                        labels=lb("d.example", ssl_cert="d-cert"))
    wait_code("d", "no-such-secret")
    marker("before-restart")
    count, generation = reloads(), system.generation("blue")
    pid = system.cluster_status("blue")["pid"]
    os.kill(pid, signal.SIGKILL)
    procs.wait_for(lambda: system.cluster_status("blue")["pid"]
                   not in (0, None, pid), SOON, "a new extension")
    wait_code("d", "no-such-secret")
    system.wait_applied("blue")
    tap.equal(reloads(), count, "reloads")
    tap.equal(system.generation("blue"), generation, "generation")
    fake.remove_service("d")


@tap.test
def a_secret_that_docker_no_longer_has_is_out_of_force():
    remove_secret("c-cert")
    wait_code("c", "no-such-secret")
    procs.wait_for(lambda: served("c.example") is None and
                   served("c.example", 1) is None, SOON, "no certificate")
    wait_certificate("a.example", second)


@tap.test
def passwords_and_authorities_reach_the_proxies_as_well():
    secret("logins", b"u:{PLAIN}p\n")
    fake.create_service("e", networks=["front"], labels=lb(
        "e.example", basic_auth="logins"))
    system.wait_served("blue", "e.example", want=401)
    basic = {"Authorization": "Basic dTpw"}
    tap.equal(system.get("blue", "e.example", headers=basic).status, 200)
    put("logins", b"u:{PLAIN}q\n")
    procs.wait_for(lambda: all(system.get(
        "blue", "e.example", "/", i, headers=basic).status == 401
        for i in range(2)), SOON, "the new password")


@tap.test
def new_passwords_that_are_not_there_yet_leave_the_ones_before_in_force():
    basic = {"Authorization": "Basic dTpx"}
    secret("logins-v2")
    with witness.Witness(system.clusters["blue"].where(), host="e.example",
                         headers=basic) as watch:
        fake.set_label("e", "com.docker.lb.basic_auth", "logins-v2")
        procs.wait_for(lambda: "the last good one, logins, serves on" in
                       remarks("e"), SOON, "the remark")
        marker("after-logins")
        watch.wait_count(50)
    watch.check()
    put("logins-v2", b"u:{PLAIN}r\n")
    procs.wait_for(lambda: all(system.get(
        "blue", "e.example", "/", i, headers=basic).status == 401
        for i in range(2)), SOON, "the new password")
    # Bad ones let nobody in.
    put("logins", b"u:{PLAIN}q\n")
    secret("logins-v3", b"\0")
    fake.set_label("e", "com.docker.lb.basic_auth", "logins-v3")
    procs.wait_for(lambda: system.get(
        "blue", "e.example", headers={
            "Authorization": "Basic dTpy"}).status in (401, 503), SOON,
        "nobody to be let in")


def config(name, content):
    """A config that Docker knows, where proxies find it."""
    answer = fake.api("POST", "/configs/create", {
        "Name": name, "Labels": {},
        "Data": base64.b64encode(content).decode()})
    if answer.status != 201:
        raise AssertionError("config %s: %r" % (name, answer))
    put(name, content)


@tap.test
def an_application_with_tls_is_verified_against_a_secret_or_a_config():
    secret("ca-secret", pki.secret("ca"))
    config("ca-config", pki.secret("ca"))
    secret("ca-other", pki.own("elsewhere", "-newkey", "rsa:2048"))
    listeners = []
    for name, authority in (("g", "ca-secret"), ("h", "ca-config"),
                            ("i", "ca-other")):
        host = name + ".example"
        labels = lb(host, 22443, ssl_backend="true",
                    ssl_backend_tls_verify="required",
                    ssl_backend_ca=authority)
        # The simulator's own answers stay on another port.
        labels["sim.ports"] = "8080"
        fake.create_service(name, networks=["front"], labels=labels)
        fake.wait_running(name, 1)
        at = fake.running(name)[0]["NetworksAttachments"][0]["Addresses"][0]
        listeners.append(backends.Backend(
            name, "1", at.split("/")[0], 22443, tls=pki.pair(host)))
    with backends.Backends(listeners):
        for host in ("g.example", "h.example"):
            system.wait_served("blue", host)
            tap.equal(system.get("blue", host).json["service"], host[0])
        system.wait_served("blue", "i.example", want=502)
        # An authority that changes is believed without a restart.
        put("ca-other", pki.secret("ca"))
        system.wait_served("blue", "i.example")
    for name in "ghi":
        fake.remove_service(name)


@tap.test
def copies_of_keys_are_for_the_agent_only():
    modes = set()
    for base, _, files in os.walk(os.path.join(system.run_dir, "proxies")):
        if os.path.basename(base) == "secrets":
            modes |= {(f[-4:], oct(os.stat(os.path.join(base, f)).st_mode
                                   & 0o777)) for f in files}
    tap.equal({m for s, m in modes if s in (".pem", ".key")}, {"0o600"})


@tap.test
def ssl_only_sends_to_the_tls_port_of_the_same_proxy():
    fake.create_service("only", networks=["front"], labels=lb(
        "only.example", ssl_cert="a-v1", ssl_only="true"))
    system.wait_served("blue", "only.example", want=308)
    system.wait_applied("blue")
    for index in range(2):
        answer = system.get("blue", "only.example", "/x?y", index)
        tap.equal(answer.headers["location"], "https://only.example:%d/x?y"
                  % (system.clusters["blue"].ssl_port + index))


@tap.test
def workers_may_open_as_many_descriptors_as_is_set():
    def limits():
        """Of the workers; those that leave may be gone when asked."""
        found = set()
        for master in masters():
            with open("/proc/%d/task/%d/children" % (master, master)) as file:
                workers = file.read().split()
            tap.ok(workers, "no workers")
            for worker in workers:
                with open("/proc/%s/limits" % worker) as file:
                    found |= {x.split()[3] for x in file
                              if x.startswith("Max open files")}
        return found
    tap.equal(procs.wait_for(limits, SOON, "the limits"), {"777"})


if not shutil.which("openssl"):
    tap.skip_all("no openssl (make deps installs it)")
fake.start()
tap.cleanup(fake.stop)
tap.cleanup(shutil.rmtree, keys.path)
tap.cleanup(shutil.rmtree, folder.path)
fake.create_network("front")
# The workers of an nginx that root starts are nobody.
os.chmod(system.folder, 0o755)
system.cluster("blue", replicas=2, secrets_dir=folder.path,
               text="[nginx]\nrlimit_nofile = 777\n")
system.start()
tap.cleanup(system.stop)
tap.main()
