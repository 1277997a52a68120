#!/usr/bin/env python3
"""Blame: what a real nginx refuses is traced to its service and set aside,
the others go live, and what is mended comes back by itself."""

import base64
import os
import shutil
import subprocess

import bulkhead
import engine
import procs
import tap

HOSTS = 8

fake = engine.FakeSwarm("--task-delay", "10ms")
system = None


def start():
    global system
    fake.start()
    fake.create_network("front")
    for name in ("missing", "broken"):
        answer = fake.api("POST", "/secrets/create", {
            "Name": name,
            "Data": base64.b64encode(b"not for us to read").decode()})
        tap.equal(answer.status, 201)
    system = bulkhead.System(fake.socket)
    os.mkdir(os.path.join(system.folder, "secrets"))
    system.cluster("blue", replicas=2, text="[cluster]\ndefault = true\n",
                   secrets_dir=os.path.join(system.folder, "secrets"))
    for i in range(HOSTS):
        publish("web%d" % i, "w%d.example" % i)
    system.start()
    for i in range(HOSTS):
        system.wait_served("blue", "w%d.example" % i)
    system.wait_applied("blue")


def publish(name, host, **labels):
    return fake.create_service(name, networks=["front"],
                               labels=bulkhead.lb(host, **labels))


def refused(name):
    def found():
        service = system.services()[name]
        return service["code"] == "engine-refused" and service
    return procs.wait_for(found, bulkhead.SOON, name + " to be set aside")


def log_count(text):
    with open(system.log, errors="replace") as f:
        return sum(text in line for line in f)


@tap.test
def a_service_that_nginx_refuses_is_set_aside_and_the_others_go_live():
    start()
    publish("bad", "bad.example", ssl_cert="missing")
    publish("after", "after.example")
    system.wait_served("blue", "after.example")
    service = refused("bad")
    tap.contains(service["reason"], "cannot load certificate")
    tap.contains(service["reason"], "missing")
    tap.ok("#" not in service["reason"], "a process number in the reason")
    tap.equal(service["state"], "rejected")
    system.wait_served("blue", "bad.example", want=503)
    system.wait_applied("blue")
    for i in range(HOSTS):
        tap.equal(system.get("blue", "w%d.example" % i).status, 200)


@tap.test
def the_next_change_of_another_service_is_delivered_without_a_new_trial():
    before = log_count("is set aside")
    publish("later", "later.example")
    system.wait_served("blue", "later.example")
    system.wait_applied("blue")
    tap.equal(log_count("is set aside"), before)


@tap.test
def a_service_that_turns_bad_keeps_the_version_before():
    generation = system.generation("blue")
    fake.set_label("web3", "com.docker.lb.ssl_cert", "missing")

    def kept():
        routes = [r for r in system.routes("blue")
                  if r["service"] == "web3"]
        report = system.ask("/v1/explain?q=web3")
        return routes and "engine refuses" in str(report) and report
    procs.wait_for(kept, bulkhead.SOON, "web3 to be kept as it was")
    system.wait_served("blue", "w3.example")
    system.wait_applied("blue")
    tap.ok(system.generation("blue") > generation)
    # With the old labels, and the tasks of now.
    fake.scale("web3", 3)
    system.wait_tasks("blue", "w3.example", 3)


@tap.test
def trying_again_in_vain_changes_nothing():
    system.wait_applied("blue")
    generation = system.generation("blue")
    checks = log_count("is asked whether it still refuses")
    procs.wait_for(lambda: log_count("is asked whether it still refuses") > checks,
                   60, "the next trial")
    fake.set_label("web0", "com.docker.lb.fail_timeout", "11s")
    procs.wait_for(lambda: system.generation("blue") > generation,
                   bulkhead.SOON, "the marker")
    system.wait_applied("blue")
    tap.equal(system.generation("blue"), generation + 1)
    system.wait_served("blue", "w3.example")


@tap.test
def what_is_set_aside_is_still_so_after_a_restart_of_its_extension():
    before = log_count("is set aside")
    pid = system.cluster_status("blue")["pid"]
    os.kill(pid, 9)
    procs.wait_for(
        lambda: system.cluster_status("blue")["pid"] not in (pid, None, 0)
        and system.cluster_status("blue")["state"] == "ready",
        bulkhead.SOON, "the extension to be back")
    refused("bad")
    system.wait_served("blue", "w3.example")
    tap.equal(log_count("is set aside"), before)


@tap.test
def what_is_mended_comes_back():
    fake.set_label("web3", "com.docker.lb.ssl_cert", None)
    fake.set_label("bad", "com.docker.lb.ssl_cert", None)
    system.wait_served("blue", "bad.example")
    system.wait_served("blue", "w3.example")
    services = system.services()
    tap.equal(services["bad"]["state"], "accepted")
    tap.equal(services["web3"]["state"], "accepted")


@tap.test
def several_bad_ones_at_once_are_all_found():
    for i in range(5):
        publish("evil%d" % i, "e%d.example" % i,
                ssl_cert="broken" if i % 2 else "missing")
        publish("good%d" % i, "g%d.example" % i)
    for i in range(5):
        system.wait_served("blue", "g%d.example" % i)
    for i in range(5):
        refused("evil%d" % i)
    system.wait_applied("blue")


@tap.test
def a_secret_that_appears_later_is_found_by_the_next_trial():
    folder = os.path.join(system.folder, "secrets")
    pem = os.path.join(folder, "new.pem")
    if not shutil.which("openssl"):
        tap.skip("no openssl")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", pem + ".key",
         "-out", pem, "-days", "30", "-subj", "/CN=e0.example"],
        check=True, capture_output=True)
    with open(pem + ".key") as key, open(pem, "a") as out:
        out.write(key.read())
    os.rename(pem, os.path.join(folder, "missing"))
    # The delay between trials doubles from 5 s.
    procs.wait_for(
        lambda: system.services()["evil0"]["state"] == "accepted", 150,
        "the service to be tried again")
    system.wait_applied("blue")


@tap.test
def an_operators_own_mistake_blames_no_service():
    system.cluster("green", text="[nginx]\nhttp_options = no_such_thing on;\n")
    green = fake.create_service(
        "calm", networks=["front"],
        labels=bulkhead.lb("calm.example", service_cluster="green"))
    tap.ok(green)
    procs.wait_for(lambda: log_count("even without any service"), 60,
                   "the operator to be told")
    tap.equal(system.services()["calm"]["state"], "accepted")
    system.wait_served("blue", "w0.example")


def end():
    if system is not None:
        if os.environ.get("KEEP_LOG"):
            shutil.copy(system.log, os.environ["KEEP_LOG"])
        system.stop()
    fake.stop()


tap.cleanup(end)
tap.main()
