#!/usr/bin/env python3
"""What a real Swarm refuses, cannot do or does not say: told in the engine's
own words by status and explain, tried again, and no proxy that runs is harmed.
An image that is missing and a subnet that is used up: system/610_gate_real;
an engine that is too old: system/630_gate_faults."""

import base64
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import balanced  # noqa: E402
import bulkhead  # noqa: E402
import engine  # noqa: E402
import forward  # noqa: E402
import images  # noqa: E402
import nodes  # noqa: E402
import procs  # noqa: E402
import tap  # noqa: E402
from bulkhead import lb  # noqa: E402

HTTP, HEALTH = 8080, 8081
GROUP = "bulkhead-proxy-blue"
SOON = 90.0
# Six times what managers take to find out, and to agree again.
QUORUM = 180.0

why = engine.RealEngine.why_not() or images.why_not()
if why:
    tap.skip_all(why)
swarm = nodes.Swarm(2)
try:
    swarm.start()
except engine.CannotRun as reason:
    tap.skip_all(str(reason))
tap.cleanup(swarm.stop)
real, other = swarm.nodes
docker = forward.Forward(real.socket, real.dir.join("between.sock")).start()
tap.cleanup(docker.stop)
system = bulkhead.System(docker.where, watch=real.control)
tap.cleanup(system.stop)
TOKEN = os.path.join(system.folder, "token")
WHERE = [("%s:%d" % (n.address, HTTP), "%s:%d" % (n.address, HEALTH))
         for n in swarm.nodes]


def wait(predicate, what, deadline=SOON):
    return procs.wait_for(predicate, deadline, what, 0.1)


def configure(port=HTTP, proxy=""):
    system.cluster("blue", 2, driver="swarm", image=IMAGE,
                   publish_mode="host", published_port=port, target_port=80,
                   published_ssl_port=0, target_ssl_port=443,
                   drain_delay="1s", health_listen="0.0.0.0:%d" % HEALTH,
                   text=proxy + """
[cluster]
default = true
network_release_delay = 1s
[control]
listen = %s:7443
url = http://%s:7443
token_file = %s
agent_secrets = agent-token
""" % (swarm.address, swarm.address, TOKEN))
    if system.process:
        system.process.popen.send_signal(1)


def gate(name="blue", where=system):
    return where.status()["reader"]["status"]["gate"][name]


def container():
    return real.get("/services/" + GROUP)["Spec"]["TaskTemplate"][
        "ContainerSpec"]


def networks():
    return len(real.get("/services/" + GROUP)["Spec"]["TaskTemplate"][
        "Networks"])


def tasks():
    return {t["ID"] for t in real.running(GROUP)}


def kept(before):
    """Of those proxies, who still runs on the first node; no leader needed."""
    return before & {c["Labels"].get("com.docker.swarm.task.id")
                     for c in real.get("/containers/json")}


def newest():
    """How many run as the service is now; the gate's word may be older."""
    template = real.get("/services/" + GROUP)["Spec"]["TaskTemplate"]
    return len([t for t in real.running(GROUP) if all(
        t["Spec"].get(k) == template.get(k)
        for k in ("ContainerSpec", "Networks"))])


def settled():
    def well():
        g = gate()
        return (g["state"] == "ok" and g["running"] == 2 and not g["error"]
                and newest() == len(tasks()) == 2 and all(
                    balanced.status(where, host="web.example") == 200 and
                    balanced.status(health, "/healthz") == 200
                    for where, health in WHERE))
    wait(well, "two proxies that are well")
    return tasks()


def told(words, where=system):
    """In the status, as people and programs read it."""
    wait(lambda: words in (gate("blue", where)["error"] or ""),
         "the words: " + words)
    tap.contains(where.ctl("status")[1], words)
    tap.contains(where.ctl("explain", "web.example", check=False)[1], words)


def unharmed(load, before):
    tap.equal(load.failed[:5], [], "failed of %d" % load.asked)
    tap.equal(settled(), before, "proxies")


def make_secret(name, data=b"x"):
    answer = real.api("POST", "/secrets/create", {
        "Name": name, "Data": base64.b64encode(data).decode()})
    tap.equal(answer.status, 201, repr(answer))


def held():
    """The next update stands between us and the engine."""
    docker.set("silent", only="/update")


@tap.step
def two_proxies_serve():
    system.start()
    real.create_network("front")
    # On the node that is not cut off below.
    real.create_service(
        "web", networks=["front"], labels=lb("web.example"),
        TaskTemplate={"Placement": {
            "Constraints": ["node.hostname == " + real.name]}})
    settled()


@tap.step
def a_secret_that_goes_between_plan_and_update_harms_nobody():
    before = settled()
    make_secret("cert-1")
    with balanced.Client(WHERE, "web.example") as load:
        held()
        real.create_service("safe", networks=["front"], replicas=0, labels=lb(
            "safe.example", ssl_cert="cert-1"))
        docker.wait_met(deadline=SOON)
        tap.equal(real.api("DELETE", "/secrets/cert-1").status, 204)
        docker.set("pass")
        wait(lambda: "secret not found: cert-1" in system.process.output(),
             "the engine's words")
        wait(lambda: "cert-1" in system.ctl("explain", "safe",
                                            check=False)[1], "explain")
        load.more(50)
    unharmed(load, before)


@tap.step
def it_is_mounted_when_it_is_made_again():
    make_secret("cert-1")
    wait(lambda: [s for s in container()["Secrets"]
                  if s["SecretName"] == "cert-1"], "the secret")
    real.remove_service("safe")
    wait(lambda: not [s for s in container()["Secrets"]
                      if s["SecretName"] == "cert-1"], "its release")
    settled()


@tap.step
def a_network_that_goes_between_plan_and_update_harms_nobody():
    before = settled()
    network = real.create_network("brief")
    with balanced.Client(WHERE, "web.example") as load:
        held()
        real.create_service("short", networks=["brief"], replicas=0,
                            labels=lb("short.example"))
        docker.wait_met(deadline=SOON)
        real.remove_service("short")
        wait(lambda: real.api("DELETE", "/networks/" + network).status
             in (204, 404), "the network to go")
        docker.set("pass")
        wait(lambda: "network %s not found" % network in
             system.process.output(), "the engine's words")
        load.more(50)
    unharmed(load, before)


@tap.step
def an_update_that_comes_second_is_made_anew():
    before = settled()
    held()
    configure(proxy="update_delay = 1s\n")
    docker.wait_met(deadline=SOON)

    def label(spec):
        spec["Labels"]["mine"] = "yes"
    real.update_service(GROUP, label)
    docker.set("pass")

    def updated():
        spec = real.get("/services/" + GROUP)["Spec"]
        return (spec["UpdateConfig"].get("Delay") == 10 ** 9 and
                spec["Labels"].get("mine") == "yes")
    wait(updated, "both changes")
    tap.equal(settled(), before, "proxies")


@tap.step
def a_host_port_that_is_taken_is_told_and_the_other_proxy_serves_on():
    settled()
    real.create_service("taken", replicas=2, EndpointSpec={"Ports": [{
        "Protocol": "tcp", "TargetPort": 8080, "PublishedPort": 9090,
        "PublishMode": "host"}]})
    real.wait_running("taken", 2)
    with balanced.Client(WHERE, "web.example") as load:
        configure(9090)
        told("no suitable node")
        # What waits for the roll says why.
        real.create_network("waiting")
        real.create_service("waits", networks=["waiting"], replicas=0,
                            labels=lb("waits.example"))
        wait(lambda: "no suitable node" in system.ctl(
            "explain", "waits", check=False)[1], "explain")
        tap.equal(len(tasks()), 1, "proxies that run")
        configure()
        wait(lambda: len(tasks()) == 2, "both proxies")
        load.more(50)
    tap.equal(load.failed[:5], [], "failed of %d" % load.asked)
    real.remove_service("taken")
    wait(lambda: networks() == 2, "the network that waited")
    settled()
    real.remove_service("waits")
    wait(lambda: networks() == 1, "the release of its network")
    settled()


@tap.step
def an_ingress_port_that_is_taken_is_told_and_taken_once_it_is_free():
    before = settled()
    real.create_service("taken", replicas=0, EndpointSpec={"Ports": [{
        "Protocol": "tcp", "TargetPort": 8080, "PublishedPort": 9191,
        "PublishMode": "ingress"}]})
    system.cluster("green", 0, driver="swarm", image=IMAGE,
                   published_port=9191, target_port=80,
                   published_ssl_port=0, target_ssl_port=443, text="""
[cluster]
default = false
[control]
listen = %s:7444
url = http://%s:7444
token_file = %s
agent_secrets = agent-token
""" % (swarm.address, swarm.address, TOKEN))
    system.process.popen.send_signal(1)
    words = "port '9191' is already in use by service 'taken'"
    wait(lambda: words in (gate("green")["error"] or ""), "the words")
    tap.contains(system.ctl("status")[1], words)
    tap.equal(gate("green")["state"], "failed")
    real.remove_service("taken")
    wait(lambda: gate("green")["state"] == "ok", "the service to be made")
    os.unlink(system.ini_path("green"))
    system.process.popen.send_signal(1)
    wait(lambda: system.ctl("cluster", "rm", "green", check=False)[0] == 0,
         "green to be removed")
    tap.equal(settled(), before, "proxies")


# ------------------------------------------------------------------ managers

def fresh(socket):
    """A system of its own in front of that engine: what it says."""
    system_2 = bulkhead.System(socket)
    try:
        with open(system.ini_path("blue"), encoding="utf-8") as file:
            system_2.write_file(system_2.ini_path("blue"), file.read().replace(
                swarm.address, "127.0.0.1"))
        system_2.start(wait=False)

        def said():
            # Its admin API is there soon.
            known = system_2.status()["reader"]["status"] or {}
            return known.get("docker", {}).get("error")
        words = wait(said, "what is wrong")
        tap.contains(system_2.ctl("status")[1], words)
        wait(lambda: words in "".join(system_2.ctl(
            "explain", "web.example", check=False)[1:]), "explain")
        return words
    finally:
        system_2.stop()


@tap.step
def an_engine_that_is_a_worker_is_told():
    tap.contains(fresh(other.socket), "This node is not a swarm manager. "
                 "Worker nodes can't be used to view or modify cluster state")


@tap.step
def an_engine_without_a_swarm_is_told():
    alone = engine.RealEngine()
    try:
        alone.start(init=False)
        tap.contains(fresh(alone.socket), 'This node is not a swarm manager. '
                     'Use "docker swarm init" or "docker swarm join"')
    finally:
        alone.stop()


def role(through, node, word):
    """Through the API of one, what another one is."""
    known = through.get("/nodes/" + node.id)
    known["Spec"]["Role"] = word
    return through.api("POST", "/nodes/%s/update" % node.id, known["Spec"],
                       query={"version": known["Version"]["Index"]}).status


def promote(through, node):
    wait(lambda: role(through, node, "manager") == 200, "the promotion")
    wait(lambda: node.get("/nodes/" + node.id)["ManagerStatus"][
        "Reachability"] == "reachable", "a second manager")


@tap.step
def a_manager_that_is_demoted_is_told_and_comes_back():
    """Docker itself cuts overlays for a moment when a node's role changes."""
    before = settled()
    promote(real, other)
    wait(lambda: role(other, real, "worker") == 200, "the demotion")
    told("This node is not a swarm manager")
    tap.equal(gate()["state"], "unknown")
    wait(lambda: all(balanced.status(w, host="web.example") == 200
                     for w, _ in WHERE), "both to serve meanwhile")
    promote(other, real)
    tap.equal(settled(), before, "proxies")
    other.set_label("web", "com.docker.lb.hosts", "web.example,back.example")
    wait(lambda: all(balanced.status(w, host="back.example") == 200
                     for w, _ in WHERE), "a change to be served")


@tap.step
def a_lost_quorum_is_told_and_passes():
    """A leader that is new may take nodes for dead that were silent to it, and
    move their tasks, ours among them: what comes then is Swarm's own."""
    before = settled()
    with balanced.Client(WHERE[:1], "web.example") as load:
        other.cut()
        wait(lambda: "does not have a leader" in (gate()["error"] or ""),
             "the engine's words", QUORUM)
        told("does not have a leader")
        tap.equal(gate()["state"], "unknown")
        load.more(100)
    tap.equal(load.failed[:5], [], "failed of %d" % load.asked)
    tap.equal(len(kept(before)), 1, "proxies of before on this node")
    other.mend()
    wait(lambda: real.api("GET", "/services").status == 200, "a leader",
         QUORUM)
    settled()
    real.set_label("web", "com.docker.lb.hosts", "web.example,again.example")
    wait(lambda: all(balanced.status(w, host="again.example") == 200
                     for w, _ in WHERE), "a change to be served")


IMAGE = images.proxy(real)
real.share_image(other, "bulkhead-proxy:test")
with open(TOKEN, "w", encoding="ascii") as f:
    f.write("secret\n")
os.chmod(TOKEN, 0o600)
make_secret("agent-token", b"secret")
configure()
tap.main()
