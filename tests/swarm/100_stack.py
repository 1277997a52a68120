#!/usr/bin/env python3
"""The whole tour on a real Swarm of one node: deploy/stack.yml, applications
published by labels, two clusters, and nothing left behind.

"make demo-swarm" (--demo) shows the same steps to people.  There is no IPVS
everywhere: proxies publish with mode=host, and of VIPs the address in the
configuration is looked at.
"""

import collections
import functools
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import engine  # noqa: E402
import nodes   # noqa: E402
import procs   # noqa: E402
import stack   # noqa: E402
import tap     # noqa: E402

DEMO = "--demo" in sys.argv
APPLICATION = """
version: "3.8"
services:
  web:
    image: %s
    environment: {VERSION: stacked}
    networks: [inner]
    deploy:
      labels:
        com.docker.lb.hosts: stacked.example
        com.docker.lb.port: "8080"
        com.docker.lb.service_cluster: green
networks:
  inner: {driver: overlay}
"""

why = stack.why_not()
if why:
    tap.skip_all(why)


def say(text):
    if DEMO:
        print("   $ " + text, flush=True)


bulkhead = stack.Stack(nodes.Swarm(1), 1, say)
tap.cleanup(bulkhead.stop)
real = bulkhead.real


def step(function):
    @functools.wraps(function)
    def run():
        if DEMO:
            print("\n== " + function.__name__.replace("_", " "), flush=True)
        function()
    return tap.step(run)


@step
def the_stack_is_up_and_each_cluster_has_its_proxy():
    bulkhead.deploy()
    for cluster in ("blue", "green"):
        bulkhead.wait_applied(cluster)
        bulkhead.wait_status(cluster, "nobody.example", 503)
    tap.contains(bulkhead.proxyctl("status"), "ready")


@step
def an_application_is_published_by_its_labels_to_its_cluster_alone():
    real.create_network("shop-net")
    bulkhead.publish("shop", "shop-net", "one", hosts="shop.example",
                     service_cluster="blue")
    bulkhead.wait_status("blue", "shop.example", 200)
    tap.equal(bulkhead.status("green", "shop.example"), 503)
    tap.contains(bulkhead.proxyctl("explain", "shop.example"), "shop")


@step
def an_application_is_scaled():
    bulkhead.docker("service", "scale", "--detach", "shop=3")
    real.wait_running("shop", 3)
    procs.wait_for(lambda: len(set(bulkhead.answers("blue", "shop.example")))
                   == 3, 60, "answers of 3 tasks", 0.1)


@step
def a_canary_gets_its_share():
    bulkhead.publish("shop-next", "shop-net", "two", hosts="shop.example",
                     service_cluster="blue", weight="20")
    real.set_label("shop", "com.docker.lb.weight", "80")

    def shared():
        seen = collections.Counter(
            a[1] for a in bulkhead.answers("blue", "shop.example", 100))
        return abs(seen["two"] - 20) <= 3 and seen
    procs.wait_for(shared, 60, "20 of 100 requests", 0.1)
    real.remove_service("shop-next")


@step
def the_configuration_of_vip_mode_has_the_virtual_address():
    name = bulkhead.publish("vip", "shop-net", "vip", hosts="vip.example",
                            backend_mode="vip", service_cluster="blue")
    address = procs.wait_for(
        lambda: [v["Addr"].split("/")[0] for v in
                 real.get("/services/" + name)["Endpoint"].get(
                     "VirtualIPs") or []], 20, "a virtual address")[0]
    procs.wait_for(lambda: re.search(
        r"server %s:8080\b" % re.escape(address),
        bulkhead.proxyctl("config", "blue")), 60,
        "the address in the configuration", 0.5)
    real.remove_service("vip")


@step
def the_default_backend_answers_for_unknown_hosts():
    bulkhead.publish("rest", "shop-net", "rest", default_backend="true",
                     service_cluster="blue")
    bulkhead.wait_status("blue", "nobody.example", 200)
    real.remove_service("rest")
    bulkhead.wait_status("blue", "nobody.example", 503)


@step
def a_killed_supervisor_task_moves_no_traffic_and_comes_back():
    old, proxies = bulkhead.container(), bulkhead.wait_applied("blue")
    with bulkhead.asking("blue", "shop.example") as client:
        bulkhead.docker("kill", old)
        procs.wait_for(lambda: bulkhead.container() not in (None, old), 60,
                       "another supervisor", 0.1)
        # Its name is another address now, and agents ask for it anew.
        tap.equal(bulkhead.wait_applied("blue", 30), proxies)
        real.set_label("shop", "com.docker.lb.hosts",
                       "shop.example,later.example")
        bulkhead.wait_status("blue", "later.example", 200)
        client.more(50)
    tap.equal(client.failed[:5], [], "failed of %d" % client.asked)


@step
def a_service_moves_between_clusters():
    bulkhead.docker("service", "update", "--detach", "--label-add",
                    "com.docker.lb.service_cluster=green", "shop")
    bulkhead.wait_status("green", "shop.example", 200)
    bulkhead.wait_status("blue", "shop.example", 503)


@step
def an_applications_stack_goes_with_its_network():
    path = bulkhead.tmp.join("application.yml")
    with open(path, "w", encoding="ascii") as file:
        file.write(APPLICATION % real.image)
    bulkhead.deploy(path, "app")
    bulkhead.wait_status("green", "stacked.example", 200, 90)

    def remove():
        """It fails while a proxy is to be on the network: its words."""
        try:
            bulkhead.docker("stack", "rm", "app", quiet=True)
        except AssertionError as error:
            return str(error)
        return None
    say("docker stack rm app")
    tap.contains(remove(), "is in use by")
    bulkhead.deploy(path, "app")
    bulkhead.wait_status("green", "stacked.example", 200, 90)
    begun = time.monotonic()
    say("docker stack rm app")
    procs.wait_for(lambda: remove() is None, 90,
                   "docker stack rm to succeed", 0.2)
    tap.note("docker stack rm succeeded after %.1f s (network_release_delay "
             "is 10 s)" % (time.monotonic() - begun))
    procs.wait_for(lambda: not [n for n in real.get("/networks")
                                if n["Name"] == "app_inner"], 120,
                   "the last proxy on the network to end", 0.2)
    bulkhead.wait_status("green", "stacked.example", 503)


@step
def removing_the_stack_leaves_nothing_behind():
    real.remove_service("shop")
    bulkhead.docker("stack", "rm", "bulkhead")
    try:
        procs.wait_for(lambda: not bulkhead.left(), 120, "nothing of ours",
                       0.5)
    except procs.Timeout:
        raise AssertionError("left: %r" % bulkhead.left()) from None


try:
    bulkhead.start()
except engine.CannotRun as reason:
    tap.skip_all(str(reason))
tap.main()
