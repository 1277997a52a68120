#!/usr/bin/env python3
"""[cluster] claim_hold in a running system: whose a host is after its service
went away, across a crash of the extension and while none runs."""

import calendar
import json
import os
import re
import signal
import time

import bulkhead
import engine
import procs
import tap
from bulkhead import lb

fake = engine.FakeSwarm("--task-delay", "100ms")
system = bulkhead.System(fake.socket)


def create(name, host, network="front"):
    return fake.create_service(name, networks=[network], labels=lb(host))


def state_of(name):
    return system.services().get(name)


def wait_state(name, state):
    return procs.wait_for(
        lambda: (lambda s: s if s and s["state"] == state else None)(
            state_of(name)), bulkhead.SOON,
        "%s to be %s" % (name, state))


def explain(what):
    code, out, _ = system.ctl("--json", "explain", what, check=False)
    return code, json.loads(out)


def assert_held(who, host, owner):
    found = wait_state(who, "rejected")
    tap.equal(found["code"], "host-taken")
    code, told = explain(who)
    tap.equal(code, 1)
    tap.equal(told["owner"], owner)
    tap.contains(told["reason"], "%s is held until " % host)
    return told["reason"]


def end_of(reason):
    found = re.search(r"until (\d+-\d+-\d+ \d+:\d+:\d+) UTC", reason)
    return calendar.timegm(time.strptime(found[1], "%Y-%m-%d %H:%M:%S"))


@tap.test
def a_removed_services_host_is_not_another_tenants():
    create("web", "web.example")
    system.wait_served("blue", "web.example")
    fake.remove_service("web")
    system.wait_served("blue", "web.example", want=503)
    code, told = explain("web.example")
    tap.equal(code, 1)
    tap.equal(told["owner"], "web")
    create("thief", "web.example", "back")
    assert_held("thief", "web.example", "web")
    tap.equal(system.get("blue", "web.example").status, 503)


@tap.test
def the_end_is_the_same_after_a_crash_of_the_extension():
    before = assert_held("thief", "web.example", "web")
    pid = system.cluster_status("blue")["pid"]
    os.kill(pid, signal.SIGKILL)
    procs.wait_for(lambda: system.cluster_status("blue")["pid"]
                   not in (0, pid), bulkhead.SOON, "another extension")
    system.wait_ready()
    after = assert_held("thief", "web.example", "web")
    # Rounded to seconds, from two readings of two clocks.
    tap.ok(abs(end_of(before) - end_of(after)) <= 2,
           "%s, then %s" % (before, after))


@tap.test
def a_service_of_the_name_gets_it_back_and_keeps_it():
    create("web", "web.example")
    system.wait_served("blue", "web.example")
    told = procs.wait_for(
        lambda: (lambda r: r if "which is back" in r else None)(
            explain("thief")[1]["reason"]), bulkhead.SOON,
        "thief to be told that web is back")
    tap.contains(told, "web.example belongs to service web")


@tap.test
def nobody_else_answers_for_a_held_host():
    """Neither the default backend nor a wildcard."""
    fake.create_service("catch", networks=["back"],
                        labels={"com.docker.lb.default_backend": "true",
                                "com.docker.lb.port": "8080"})
    create("wild", "*.wild.example", "back")
    create("gone", "gone.example")
    create("tame", "a.wild.example")
    for host in ("gone.example", "a.wild.example", "b.wild.example",
                 "never.example"):
        system.wait_served("blue", host)
    fake.remove_service("gone")
    fake.remove_service("tame")
    system.wait_served("blue", "gone.example", want=503)
    system.wait_served("blue", "a.wild.example", want=503)
    tap.equal(system.get("blue", "b.wild.example").status, 200)
    tap.equal(system.get("blue", "never.example").status, 200)
    create("gone", "gone.example")
    create("tame", "a.wild.example")
    system.wait_served("blue", "gone.example")
    system.wait_served("blue", "a.wild.example")
    for name in ("catch", "wild", "gone", "tame"):
        fake.remove_service(name)
    system.wait_served("blue", "never.example", want=503)


@tap.test
def what_goes_while_nothing_runs_is_missed_at_the_next_start():
    create("shop", "shop.example")
    system.wait_served("blue", "shop.example")
    stored = os.path.join(system.run_dir, "state/blue/holds.json")

    def known():
        with open(stored, encoding="utf-8") as f:
            return "shop.example" in f.read()
    procs.wait_for(known, bulkhead.SOON, "the owner to be on disk")
    tap.equal(system.process.stop(30), 0)
    procs.wait_for(lambda: not system.agent_pids(), 30, "agents to end")
    fake.remove_service("shop")
    create("late", "shop.example", "back")
    system.start()
    assert_held("late", "shop.example", "shop")


@tap.test
def it_is_free_once_the_operator_lowers_the_time():
    system.cluster("blue", text="[cluster]\nclaim_hold = 1s\n")
    system.wait_served("blue", "shop.example")
    tap.equal(wait_state("late", "accepted")["service"], "late")
    tap.equal(state_of("thief")["state"], "rejected")


fake.start()
tap.cleanup(fake.stop)
for network in ("front", "back"):
    fake.create_network(network)
system.cluster("blue", text="[cluster]\nclaim_hold = 30m\n"
               "hosts_allow = *.example, *.wild.example, "
               "a.wild.example\n")
tap.cleanup(system.stop)
system.start()
tap.main()
