#!/usr/bin/env python3
"""Three real nodes: a proxy group on two of them, an application on the
third, and what happens to nodes.  The control plane runs beside the nodes, so
that it can be killed alone."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import base64  # noqa: E402

import balanced  # noqa: E402
import bulkhead  # noqa: E402
import engine  # noqa: E402
import images  # noqa: E402
import nodes  # noqa: E402
import procs  # noqa: E402
import tap  # noqa: E402

HTTP, HEALTH = 8080, 8081
GROUP = "bulkhead-proxy-blue"
# Six times what Swarm takes to find a node dead: 3 heartbeats of 5 s.
NODE = 120.0

why = engine.RealEngine.why_not() or images.why_not()
if why:
    tap.skip_all(why)
swarm = nodes.Swarm(3)
try:
    swarm.start()
except engine.CannotRun as reason:
    tap.skip_all(str(reason))
tap.cleanup(swarm.stop)
manager = swarm.manager
system = bulkhead.System(manager.socket, watch=manager.control)
tap.cleanup(system.stop)


def client_of(addresses, host="web.example"):
    """It honours /healthz."""
    tap.ok(started, "nothing serves")
    return balanced.Client([("%s:%d" % (a, HTTP), "%s:%d" % (a, HEALTH))
                            for a in addresses], host)


def status(address, host, target="/", port=HTTP):
    """0: no answer."""
    return balanced.status("%s:%d" % (address, port), target, host)


def proxies():
    """Addresses of the nodes on which a proxy of the group runs."""
    where = {n.id: n.address for n in swarm.nodes}
    return sorted(where[t["NodeID"]] for t in manager.running(GROUP))


def wait_proxies(wanted, deadline=60):
    """These run, have the newest configuration, and say they are well."""
    def well():
        known = [p for p in system.proxies("blue") if p["alive"]]
        return (proxies() == sorted(wanted) and len(known) == len(wanted) and
                all(p["applied"] == p["generation"] > 0 for p in known) and
                all(status(a, None, "/healthz", HEALTH) == 200
                    for a in wanted))
    procs.wait_for(well, deadline, "proxies on %s" % wanted, 0.1)


def reloads():
    """By proxy, of those that are alive; they are at rest."""
    return {p["id"]: p["reloads"] for p in system.detail("blue")["proxies"]
            if p["alive"]}


def wait_served(host, want=200, deadline=60):
    procs.wait_for(lambda: all(status(a, host) == want for a in proxies()
                               for _ in range(4)), deadline,
                   "%d from %s on every proxy" % (want, host), 0.1)


def upstream_tasks(host):
    return {u["task"] for r in system.routes() if r["host"] == host
            for u in r["upstreams"]}


def wait_upstreams(name, number, deadline=60):
    def right():
        running = {t["ID"] for t in manager.running(name)}
        return (len(running) == number and
                upstream_tasks(name + ".example") == running)
    procs.wait_for(right, deadline, "%d upstreams of %s" % (number, name),
                   0.1)


def publish(name, replicas=2, networks=("front",), **more):
    manager.create_service(name, networks=networks, replicas=replicas,
                           labels=bulkhead.lb(name + ".example"), **more)
    manager.wait_running(name, replicas)


started = []


def service():
    return manager.get("/services/" + GROUP)


@tap.test
def a_group_on_two_labelled_nodes_serves_an_application_on_the_third():
    system.start()
    manager.create_network("front")
    publish("web", 2, TaskTemplate={"Placement": {
        "Preferences": [], "Constraints": ["node.labels.proxy != yes"]}})
    wait_proxies([n.address for n in swarm.nodes[:2]])
    wait_served("web.example")
    wait_upstreams("web", 2)
    tap.equal({t["NodeID"] for t in manager.running("web")},
              {swarm.node(2).id})
    started.append(True)


@tap.test
def scaling_by_the_command_and_by_hand_sticks():
    system.ctl("scale", "blue", "1")
    procs.wait_for(lambda: len(proxies()) == 1, 60, "one proxy", 0.1)
    wait_proxies(proxies())
    manager.scale(GROUP, 2)
    wait_proxies([n.address for n in swarm.nodes[:2]])
    wait_served("web.example")
    tap.equal(service()["Spec"]["Mode"]["Replicated"]["Replicas"], 2)


@tap.test
def a_burst_of_ten_networks_is_one_roll_and_no_request_fails():
    addresses = [n.address for n in swarm.nodes[:2]]
    before = {t["ID"] for t in manager.tasks(GROUP)}
    with client_of(addresses) as client:
        for i in range(10):
            manager.create_network("burst%d" % i)
            manager.create_service("burst-%d" % i, networks=["burst%d" % i],
                                   replicas=1, labels=bulkhead.lb(
                                       "burst%d.example" % i))
        for i in range(10):
            wait_served("burst%d.example" % i, deadline=240)
        wait_proxies(addresses, 120)
        client.more(50)
    tap.note("%d asked, by %r" % (client.asked, client.by))
    tap.equal(client.failed[:5], [], "failed of %d" % client.asked)
    made = {t["ID"] for t in manager.tasks(GROUP)} - before
    tap.equal(len(made), 2, "new proxies: a roll replaces each once")


@tap.test
def networks_are_given_back_so_that_they_can_be_removed():
    addresses = [n.address for n in swarm.nodes[:2]]
    with client_of(addresses) as client:
        for i in range(10):
            manager.remove_service("burst-%d" % i)
        for i in range(10):
            procs.wait_for(lambda i=i: manager.api(
                "DELETE", "/networks/burst%d" % i).status in (204, 404), 240,
                "network burst%d to be free" % i, 0.5)
        wait_proxies(addresses, 120)
    tap.equal(client.failed[:5], [], "failed of %d" % client.asked)


@tap.test
def a_killed_control_plane_moves_no_traffic():
    addresses = [n.address for n in swarm.nodes[:2]]
    before = reloads()
    with client_of(addresses) as client:
        system.process.kill()
        system.process.wait()
        client.more(100)
        system.start()
        wait_proxies(addresses)
        client.more(50)
    tap.equal(client.failed[:5], [], "failed of %d" % client.asked)
    tap.equal(reloads(), before, "reloads by proxy")


@tap.test
def a_drained_node_loses_no_request():
    addresses = [n.address for n in swarm.nodes[:2]]
    with client_of(addresses) as client:
        swarm.availability(1, "drain")
        procs.wait_for(lambda: proxies() == [swarm.node(0).address], 60,
                       "the proxy to leave", 0.1)
        client.more(50)
        swarm.availability(1, "active")
        wait_proxies(addresses, 120)
        client.more(50)
    tap.equal(client.failed[:5], [], "failed of %d" % client.asked)


@tap.test
def a_proxy_node_that_is_cut_off_serves_on_and_comes_back():
    """What is published elsewhere reaches it when it is back."""
    addresses = [n.address for n in swarm.nodes[:2]]
    swarm.node(1).cut()
    publish("later", 1, TaskTemplate={"Placement": {
        "Constraints": ["node.labels.proxy != yes"]}})
    procs.wait_for(lambda: status(swarm.node(0).address, "later.example")
                   == 200, 60, "the other proxy to serve it", 0.1)
    swarm.node(1).mend()
    procs.wait_for(lambda: status(swarm.node(1).address, "web.example")
                   == 200, NODE, "the node to be back", 0.2)
    wait_proxies(addresses, NODE)
    wait_served("later.example", deadline=NODE)
    manager.remove_service("later")


@tap.test
def tasks_of_a_node_that_dies_leave_and_come_back_elsewhere():
    def change(spec):
        spec["TaskTemplate"]["Placement"] = {}
    manager.update_service("web", change)
    wait_upstreams("web", 2, NODE)
    lost = {t["ID"] for t in manager.running("web")
            if t["NodeID"] == swarm.node(2).id}
    if not lost:        # Swarm moved both while it rolled
        manager.scale("web", 4)
        wait_upstreams("web", 4, NODE)
        lost = {t["ID"] for t in manager.running("web")
                if t["NodeID"] == swarm.node(2).id}
    tap.ok(lost, "a task on the node that dies")
    before = {t["ID"] for t in manager.running("web")}
    number, names = len(before), {n.id: n.name for n in swarm.nodes}
    begun = time.monotonic()
    swarm.node(2).crash()
    procs.wait_for(lambda: not lost & upstream_tasks("web.example"), NODE,
                   "the lost tasks to leave", 0.2)
    tap.note("gone from the routes %.1f s after the node's death"
             % (time.monotonic() - begun))

    def elsewhere():
        running = {t["ID"] for t in manager.running("web")
                   if t["NodeID"] != swarm.node(2).id}
        return (len(running) == number and
                upstream_tasks("web.example") == running)
    procs.wait_for(elsewhere, NODE, "their successors", 0.2)
    procs.wait_for(lambda: all(
        p["applied"] == p["generation"] for p in system.proxies("blue")
        if p["alive"]), 60, "the proxies to apply", 0.1)
    for task in manager.running("web"):
        tap.note("%s on %s: %s, %s" % (
            task["ID"], names[task["NodeID"]],
            "new" if task["ID"] not in before else "of before",
            [a["Addresses"] for a in task["NetworksAttachments"]]))
    # Docker tells its nodes of the successors' addresses by gossip, and of
    # nobody else is there a task left.
    begun = time.monotonic()
    wait_served("web.example")
    tap.note("reached %.1f s after they ran" % (time.monotonic() - begun))
    with client_of(proxies()) as client:
        client.more(100)
    tap.equal(client.failed[:5], [], "failed of %d" % client.asked)


@tap.test
def everything_of_ours_is_labelled():
    tap.ok(any(k.startswith("com.docker.bulkhead") or "bulkhead" in k
               for k in service()["Spec"]["Labels"]),
           json.dumps(service()["Spec"]["Labels"]))


for index in (0, 1):
    swarm.label_node(index, proxy="yes")
image = images.proxy(manager)
for node in swarm.nodes[1:]:
    manager.share_image(node, "bulkhead-proxy:test")
token = os.path.join(system.folder, "token")
with open(token, "w", encoding="ascii") as f:
    f.write("three-nodes-token\n")
os.chmod(token, 0o600)
answer = manager.api("POST", "/secrets/create", {
    "Name": "agent-token",
    "Data": base64.b64encode(b"three-nodes-token\n").decode()})
tap.ok(answer.status == 201, "%r" % answer)
system.cluster("blue", 2, driver="swarm", image=image, publish_mode="host",
               published_port=HTTP, target_port=80,
               published_ssl_port=8443, target_ssl_port=443,
               constraints="node.labels.proxy == yes", drain_delay="2s",
               health_listen="0.0.0.0:%d" % HEALTH, text="""
[cluster]
network_release_delay = 2s
[control]
listen = %s:7443
url = http://%s:7443
token_file = %s
agent_secrets = agent-token
""" % (swarm.address, swarm.address, token))
tap.main()
