#!/usr/bin/env python3
"""The stack on two real nodes behind a client that honours /healthz: new
certificates, an upgrade to the next version, a forced update and scaling down
lose no request, and a proxy that leaves says so first.  BULKHEAD_OLD=DIR names
a build of an older version to upgrade from ("make test-skew" does)."""

import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import balanced  # noqa: E402
import engine  # noqa: E402
import images  # noqa: E402
import nodes   # noqa: E402
import procs   # noqa: E402
import stack   # noqa: E402
import tap     # noqa: E402

GROUP = "bulkhead-proxy-blue"
NEXT = re.sub(r"\d$", lambda m: str((int(m.group()) + 1) % 10),
              images.VERSION)
DRAIN_S = 5.0   # [proxy] drain_delay
ROLL = 180.0

why = stack.why_not()
if why:
    tap.skip_all(why)
bulkhead = stack.Stack(nodes.Swarm(2), 2)
tap.cleanup(bulkhead.stop)
real = bulkhead.real


def tasks():
    return {t["ID"]: t for t in real.running(GROUP)}


def wait_well():
    """Both proxies have the newest configuration, and say they are well."""
    known = bulkhead.wait_applied("blue", ROLL)
    procs.wait_for(lambda: all(bulkhead.health("blue", i) == 200
                               for i in range(2)), 60, "health", 0.1)
    return known


def wait_replaced(before):
    procs.wait_for(lambda: len(tasks()) == 2 and not before & set(tasks()),
                   ROLL, "new proxies", 0.2)
    wait_well()


def unharmed(client):
    tap.note("%d asked, %d failed; health %s" % (
        client.asked, len(client.failed), " ".join(
            "%s:%s" % (n, got) for _, n, got in client.said)))
    tap.equal(client.failed[:5], [], "failed of %d" % client.asked)


@tap.step
def two_proxies_serve_an_application():
    bulkhead.deploy()
    wait_well()
    real.create_network("shop-net")
    bulkhead.publish("shop", "shop-net", replicas=2, hosts="shop.example",
                     service_cluster="blue")
    bulkhead.wait_status("blue", "shop.example", 200)
    wait_replaced(set()) if len(tasks()) != 2 else wait_well()


@tap.step
def a_forced_update_of_the_group_loses_no_request():
    before = set(tasks())
    with bulkhead.balancer("blue", "shop.example") as client:
        bulkhead.docker("service", "update", "--detach", "--force", GROUP)
        wait_replaced(before)
        client.more(100)
    unharmed(client)


@tap.step
def renewed_certificates_are_taken_up_without_a_gap():
    before, old = set(tasks()), dict(bulkhead.env)
    with bulkhead.balancer("blue", "shop.example") as client:
        bulkhead.certificates("--renew")
        tap.equal(bulkhead.env["BULKHEAD_CA_CERT"], old["BULKHEAD_CA_CERT"])
        bulkhead.deploy()
        wait_replaced(before)
        client.more(100)
    unharmed(client)
    mounted = {s["SecretName"] for t in tasks().values()
               for s in t["Spec"]["ContainerSpec"]["Secrets"]}
    for kind in ("CERT", "KEY"):
        name = "bulkhead-agent-%s-" % kind.lower()
        tap.ok(name + bulkhead.env["BULKHEAD_AGENT_" + kind] in mounted,
               mounted)
        tap.ok(name + old["BULKHEAD_AGENT_" + kind] not in mounted, mounted)


def next_image(make, name):
    """Of the next version, carried to the other node as README says."""
    image = make(real, name, NEXT)
    saved = bulkhead.tmp.join("saved.tar")
    bulkhead.docker("save", "-o", saved, name)
    bulkhead.docker("-H", "unix://" + bulkhead.swarm.node(1).socket, "load",
                    "-i", saved)
    return image


def versions():
    return sorted(p["agent"] for p in bulkhead.proxies("blue"))


@tap.step
def a_new_control_plane_serves_proxies_of_the_version_before():
    proxies, old = set(tasks()), bulkhead.container()
    tap.equal(versions(), [images.VERSION] * 2)
    with bulkhead.balancer("blue", "shop.example") as client:
        bulkhead.env["BULKHEAD_IMAGE"] = next_image(images.control,
                                                    "bulkhead:next")
        bulkhead.deploy()
        procs.wait_for(lambda: bulkhead.container() not in (None, old), 60,
                       "the new supervisor", 0.2)
        wait_well()
        tap.equal(json.loads(bulkhead.proxyctl("--json", "status"))[
            "version"], NEXT)
        real.set_label("shop", "com.docker.lb.hosts",
                       "shop.example,between.example")
        bulkhead.wait_status("blue", "between.example", 200)
        wait_well()
        client.more(100)
    unharmed(client)
    tap.equal(set(tasks()), proxies, "proxies")
    tap.equal(versions(), [images.VERSION] * 2)


@tap.step
def a_new_image_rolls_out_under_load():
    before = set(tasks())
    with bulkhead.balancer("blue", "shop.example") as client:
        bulkhead.env["BULKHEAD_PROXY_IMAGE"] = next_image(
            images.proxy, "bulkhead-proxy:next")
        bulkhead.deploy()
        wait_replaced(before)
        client.more(100)
    unharmed(client)
    tap.equal(versions(), [NEXT] * 2)


@tap.step
def a_proxy_that_leaves_says_so_first_and_serves_on():
    with bulkhead.balancer("blue", "shop.example") as client:
        begun = len(client.said)
        bulkhead.proxyctl("scale", "blue", "1")

        def told():
            return [s for s in client.said[begun:] if s[2] == 503]
        at, where, _ = procs.wait_for(told, 60, "/healthz to say 503",
                                      0.02)[0]
        last = at
        while balanced.status(where, host="shop.example") == 200:
            last = time.monotonic()
        procs.wait_for(lambda: len(tasks()) == 1, 60, "one proxy", 0.1)
        client.more(100)
    unharmed(client)
    tap.note("it served %.1f s after it said 503 (drain_delay is 5 s)"
             % (last - at))
    tap.ok(last - at > DRAIN_S - 1, "served %.1f s on" % (last - at))


@tap.step
def nothing_of_all_that_was_an_alarm():
    """A successor waits for the port of the proxy that drains."""
    tap.equal([line for line in bulkhead.docker(
        "service", "logs", "--raw", "bulkhead_supervisor").splitlines()
        if "no suitable node" in line or "wait for a node" in line], [])


# An older build's stack is what is upgraded, where there is one.
mine = procs.BUILD
procs.BUILD = os.environ.get("BULKHEAD_OLD", mine)
try:
    bulkhead.start()
except engine.CannotRun as reason:
    tap.skip_all(str(reason))
procs.BUILD = mine
tap.main()
