#!/usr/bin/env python3
"""A service that crashes on and on, and a flood of rejected services: the other
services' changes are served as soon as before, the other cluster hears
nothing, and no request fails."""

import statistics
import time

import bulkhead
import engine
import procs
import tap
import witness
from bulkhead import lb

SOON = bulkhead.SOON
CRASHING = 10
FLOOD = 300
TRIES = 7

fake = engine.FakeSwarm("--task-delay", "20ms", "--stop-lead", "300ms",
                        "--subnet-size", "20", push=True)
system = bulkhead.System(fake.socket, watch=fake.control)
ALL = [("blue", "web.example", "web"), ("green", "green.example", "green-web")]


def latency():
    """Median time from a change of web until it is served, in seconds."""
    took = []
    for _ in range(TRIES):
        latency.count += 1
        host = "new%d.example" % latency.count
        begun = time.monotonic()
        fake.set_label("web", "com.docker.lb.hosts", "web.example," + host)
        system.wait_served("blue", host)
        took.append(time.monotonic() - begun)
    return statistics.median(took)


latency.count = 0


def figures(name):
    detail = system.detail(name)
    return {k: detail[k] for k in ("bus_messages", "reloads", "generation")}


def mark():
    """Whatever was said to green before has arrived; this is one message."""
    before = figures("green")
    mark.count += 1
    fake.set_label("green-web", "com.docker.lb.max_fails", str(mark.count))
    return procs.wait_for(
        lambda: figures("green")["generation"] > before["generation"]
        and figures("green"), SOON, "the marker")


mark.count = 3


def isolated(begin, meanwhile=lambda: None):
    """What begin() starts changes nothing for the others."""
    calm = latency()
    before = mark()
    with witness.Load(system, ALL) as clients:
        begin()
        busy = latency()
        meanwhile()
        after = mark()
        clients.check()
    tap.note("change of another service served: %.0f ms before, %.0f ms "
             "meanwhile" % (calm * 1e3, busy * 1e3))
    tap.equal({k: after[k] - before[k] for k in after},
              {"bus_messages": 1, "reloads": 1, "generation": 1}, "green")
    tap.ok(busy < max(6 * calm, 1.8), "%.3f s, and %.3f s before" % (
        busy, calm))


@tap.test
def a_service_that_crashes_on_and_on():
    seen = set()

    def begin():
        fake.create_service(
            "crashing", networks=["front"], replicas=CRASHING,
            labels=lb("crashing.example"), env=["DIE_AFTER_MS=50"],
            TaskTemplate={"RestartPolicy": {
                "Condition": "any", "Delay": 10000000}})

    def crashed():
        def often():
            seen.update(t["ID"] for t in fake.tasks("crashing"))
            return len(seen) > 10 * CRASHING
        procs.wait_for(often, SOON, "tasks to fail", 0.02)
    isolated(begin, crashed)
    tap.note("%d tasks seen" % len(seen))
    restarts = system.status()["reader"]["restarts"]
    fake.remove_service("crashing")
    tap.equal(restarts, 0)


@tap.test
def a_flood_of_rejected_services():
    system.wait_served("blue", "crashing.example", want=503)
    procs.wait_for(lambda: "crashing" not in system.services(), SOON)
    routes = system.routes("blue")

    def begin():
        for i in range(FLOOD):
            fake.create_service("bad%d" % i, networks=["front"], replicas=0,
                                labels=lb("x%d.example;" % i))

    def judged():
        def all_rejected():
            found = [s for s in system.services().values()
                     if s["state"] == "rejected"]
            tap.equal(len(found), FLOOD)
            tap.equal({s["code"] for s in found}, {"bad-value"})
            return True
        procs.wait_for(all_rejected, SOON, "all to be rejected", 0.1)
    isolated(begin, judged)

    def others(all_routes):
        return [r for r in all_routes if not r["host"].startswith("new")]
    tap.equal(others(system.routes("blue")), others(routes))


@tap.test
def nothing_was_replaced_on_the_way():
    tap.equal(system.status()["reader"]["restarts"], 0)
    tap.equal([c["restarts"] for c in system.ask("/v1/clusters")["clusters"]],
              [0, 0])
    text = system.process.output()
    tap.ok("Sanitizer" not in text, text[-2000:])


fake.start()
tap.cleanup(fake.stop)
for network in ("front", "back"):
    fake.create_network(network)
system.cluster("blue", text="[cluster]\ndefault = true\n")
system.cluster("green")
tap.cleanup(system.stop)
fake.create_service("web", networks=["front"], replicas=2,
                    labels=lb("web.example"))
fake.create_service("green-web", networks=["back"], labels=lb(
    "green.example", service_cluster="green"))
system.start()
for cluster, name, _ in ALL:
    system.wait_served(cluster, name)
system.wait_tasks("blue", "web.example", 2)
tap.main()
