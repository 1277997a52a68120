#!/usr/bin/env python3
"""Rolling updates of an application on a real Swarm under load, through real
nginx proxies: no failed request with push, and polling each 3 s beside it.

The loads send POST, which no proxy may repeat: what meets a dying task is
seen.  RATE requests/s each (1000), one-shot and kept alive.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import bulkhead  # noqa: E402
import engine  # noqa: E402
import inside  # noqa: E402
import procs  # noqa: E402
import tap  # noqa: E402

RATE = int(os.environ.get("RATE") or 1000)
LINE = ("%-34s %-5s %-8s %6d asked, %3d failed (%s), %d raced, "
        "p50 %.1f p99 %.1f ms")

why = engine.RealEngine.why_not()
if why:
    tap.skip_all(why)
real = engine.RealEngine()
try:
    real.start()
except engine.CannotRun as reason:
    tap.skip_all(str(reason))
tap.cleanup(real.stop)


class Way:
    """A whole system that learns of tasks in one way, and its proxy."""

    def __init__(self, place, name, port, watch):
        self.name, self.port, self.place = name, port, place
        self.system = bulkhead.System(real.socket, watch=watch)
        tap.cleanup(self.system.stop)
        self.system.cluster("blue", replicas=0)
        self.system.start()
        place.proxy(self.system, "blue", port)

    def wait_served(self, host):
        procs.wait_for(lambda: self.place.status(self.port, host) == 200, 60,
                       "%s through %s" % (host, self.name), 0.05)

    def wait_upstreams(self, host, wanted):
        def right():
            proxies = self.system.proxies("blue")
            return (all(p["applied"] == p["generation"] for p in proxies)
                    and [{u["task"] for u in r["upstreams"]}
                         for r in self.system.routes()
                         if r["host"] == host] == [wanted])
        procs.wait_for(right, 60, "the new tasks, " + self.name, 0.05)


def updated(name, version):
    """The update is over and all of its tasks are new."""
    state = real.get("/services/" + name).get("UpdateStatus", {}).get("State")
    tasks = real.running(name)
    return state == "completed" and all(
        "VERSION=" + version in t["Spec"]["ContainerSpec"].get("Env", [])
        for t in tasks) and tasks


def roll(name, version):
    def change(spec):
        container = spec["TaskTemplate"]["ContainerSpec"]
        container["Env"] = [e for e in container.get("Env", [])
                            if not e.startswith("VERSION=")]
        container["Env"].append("VERSION=" + version)
    real.update_service(name, change)
    return procs.wait_for(lambda: updated(name, version), 180,
                          "update of " + name, 0.2)


def scenario(title, name, replicas, order, parallelism, delay_s, env):
    """One update under load; failures by (way, kind)."""
    host = name + ".example"
    real.create_service(
        name, networks=["front"], replicas=replicas, env=env,
        labels=bulkhead.lb(host), UpdateConfig={
            "Parallelism": parallelism, "Order": order,
            "Delay": int(delay_s * 1e9), "Monitor": 100000000})
    real.wait_running(name, replicas)
    for way in ways:
        way.wait_served(host)
        way.wait_upstreams(host, {t["ID"] for t in real.running(name)})
    loads = [(way, kind, place.load(way.port, host, rate, kept, "POST"))
             for way, rate in ((ways[0], RATE), (ways[1], RATE // 4))
             for kind, kept in (("one-shot", 0), ("kept", 32))]
    tasks = roll(name, "2")
    for way in ways:
        way.wait_upstreams(host, {t["ID"] for t in tasks})
    # The last task that goes is still there until its stop signal.
    procs.wait_for(lambda: not [
        t for t in real.tasks(name) if t["DesiredState"] != "running"
        and t["Status"]["State"] == "running"], 60, "the old tasks' end", 0.1)
    failures = {}
    for way, kind, load in loads:
        f = load.end()
        tap.ok(f["ok"] > 100, "%s %s: hardly an answer: %r" % (
            way.name, kind, f))
        tap.note(LINE % (title, way.name, kind, f["asked"], f["failed"],
                         ", ".join("%s %d" % i for i in sorted(
                             f["statuses"].items())), f["raced"], f["p50_ms"],
                         f["p99_ms"]))
        failures[way.name, kind] = f["failed"]
        if way is ways[0] and f["failed"]:
            tap.note("%r" % f)
    real.remove_service(name)
    tap.equal({k: v for k, v in failures.items() if k[0] == "push" and v}, {},
              "failed with push")


@tap.test
def start_first_with_one_replica():
    scenario("start-first, 1 replica", "one", 1, "start-first", 1, 0, [])


@tap.test
def start_first_with_one_replica_that_lingers():
    scenario("start-first, 1 replica, lingers", "linger", 1, "start-first", 1,
             0, ["LINGER_MS=1500"])


@tap.test
def stop_first_with_four_one_by_one():
    scenario("stop-first, 4, parallelism 1", "four", 4, "stop-first", 1, 0,
             [])


@tap.test
def stop_first_with_four_two_at_a_time_and_a_delay():
    scenario("stop-first, 4, parallelism 2, 1 s", "two", 4, "stop-first", 2,
             1, [])


@tap.test
def stop_first_with_four_that_linger():
    scenario("stop-first, 4, parallelism 2, lingers", "slow", 4, "stop-first",
             2, 0, ["LINGER_MS=1500"])


real.create_network("front")
place = inside.Place(real, "edge", ["front"])
tap.cleanup(place.stop)
ways = [Way(place, "push", 81, real.control), Way(place, "poll", 82, "off")]
procs.wait_for(lambda: ways[0].system.status()["push"], 30, "push")
tap.main()
