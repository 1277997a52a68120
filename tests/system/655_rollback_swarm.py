#!/usr/bin/env python3
"""Rollback of a cluster whose proxies Swarm runs, on the simulated one: what
the pinned generation needs is given back to the proxies, though no label names
it any more."""

import os
import shutil

import bulkhead
import engine
import procs
import tap
from bulkhead import lb

NAME = "bulkhead-proxy-blue"
fake = engine.FakeSwarm("--task-delay", "50ms")
kept = []       # the generation that has all
system = bulkhead.System(fake.socket)


def wait(predicate, what, deadline=60):
    return procs.wait_for(predicate, deadline, what, 0.05)


def spec():
    found = [s["Spec"] for s in fake.get("/services")
             if s["Spec"]["Name"] == NAME]
    tap.ok(found, "no proxy service")
    return found[0]


def mounted(kind):
    listed = spec()["TaskTemplate"]["ContainerSpec"].get(kind + "s") or []
    return {item[kind + "Name"] for item in listed} - {"agent-token"}


def networks():
    names = {n["Id"]: n["Name"] for n in fake.get("/networks")}
    return {names[n["Target"]] for n in spec()["TaskTemplate"]["Networks"]}


def gate():
    return system.status()["reader"]["status"]["gate"]["blue"]


def entries():
    return system.ask("/v1/clusters/blue/history")["history"]


def newest_is_in_force():
    """An entry follows a change by a second."""
    newest = entries()[0]
    return system.generation("blue") in (newest["generation"],
                                         newest["last_generation"])


def pinned():
    return system.cluster_status("blue")["pinned"]


def edit(name, **labels):
    """Several labels at once; None takes one away."""
    def change(s):
        for key, value in labels.items():
            s["Labels"].pop("com.docker.lb." + key, None)
            if value is not None:
                s["Labels"]["com.docker.lb." + key] = value
    fake.update_service(name, change)


def make(kind, name):
    answer = fake.api("POST", "/%s/create" % kind, {
        "Name": name, "Labels": {}, "Data": "eA=="})
    tap.equal(answer.status, 201)


@tap.step
def a_generation_with_a_secret_a_config_and_a_network():
    for name in ("net-1", "net-2"):
        fake.create_network(name)
    for name in ("cert-1", "cert-2"):
        make("secrets", name)
    make("configs", "ca-1")
    system.start()
    fake.create_service("web", networks=["net-1", "net-2"], labels=lb(
        "web.example", network="net-1", ssl_cert="cert-1"))
    fake.create_service("api", networks=["net-2"], labels=lb(
        "api.example", ssl_backend="true", ssl_backend_tls_verify="required",
        ssl_backend_ca="ca-1"))
    wait(lambda: mounted("Secret") == {"cert-1"} and
         mounted("Config") == {"ca-1"} and
         networks() == {"control", "net-1", "net-2"}, "what it needs")
    wait(newest_is_in_force, "its entry")
    kept.append(entries()[0]["generation"])


@tap.step
def later_nothing_names_them_any_more():
    edit("web", ssl_cert="cert-2", network="net-2")
    edit("api", ssl_backend=None, ssl_backend_tls_verify=None,
         ssl_backend_ca=None)
    wait(lambda: mounted("Secret") == {"cert-2"} and
         mounted("Config") == set() and
         networks() == {"control", "net-2"}, "their release")
    wait(lambda: entries()[0]["generation"] > kept[0], "the next entry")


def has_what_it_had():
    return (mounted("Secret") == {"cert-1"} and
            mounted("Config") == {"ca-1"} and
            networks() == {"control", "net-1", "net-2"})


@tap.step
def a_rollback_gives_them_back():
    system.ctl("rollback", "blue", kept[0])
    wait(has_what_it_had, "what the pinned generation needs")
    wait(lambda: gate()["state"] == "ok" and not gate()["error"], "the gate")
    route = [r for r in system.routes("blue") if r["host"] == "web.example"]
    tap.equal(route[0]["tls"], "terminate")


@tap.step
def a_supervisor_that_knows_of_them_from_swarm_alone_keeps_them():
    system.process.kill()
    system.process.wait()
    os.unlink(os.path.join(system.run_dir, "gate.id"))
    shutil.rmtree(os.path.join(system.run_dir, "accepted"))
    system.start()
    wait(lambda: pinned() is not None, "the pin")
    wait(lambda: gate()["state"] == "ok" and not gate()["error"], "the gate")
    # A marker: what is asked for after the start has been done.
    system.ctl("scale", "blue", "3")
    wait(lambda: gate()["running"] == 3, "three proxies")
    tap.ok(has_what_it_had(), "%r" % spec())


@tap.step
def released_they_go_again():
    system.ctl("rollback", "blue", "--release")
    wait(lambda: mounted("Secret") == {"cert-2"} and
         mounted("Config") == set() and
         networks() == {"control", "net-2"}, "their release")


@tap.step
def it_ends_in_order():
    tap.equal(system.process.stop(30), 0)


fake.start()
tap.cleanup(fake.stop)
fake.create_network("control")
make("secrets", "agent-token")
PORT = bulkhead.free_ports(1)
TOKEN = system.temp.join("token")
system.write_file(TOKEN, "secret\n")
system.write_file(system.ini_path("blue"), """
[cluster]
network_release_delay = 1s
[proxy]
driver = swarm
replicas = 2
image = bulkhead-proxy:1
published_port = 8080
published_ssl_port = 8443
[control]
listen = 127.0.0.1:%d
url = http://control:9000
token_file = %s
agent_secrets = agent-token
network = control
""" % (PORT, TOKEN))
tap.cleanup(system.stop)
tap.main()
