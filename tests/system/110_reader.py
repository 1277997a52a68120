#!/usr/bin/env python3
"""The reader in the whole system: what reaches a cluster, and what does not;
an engine that lies, stalls, goes away and comes back."""

import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import bulkhead  # noqa: E402
import engine  # noqa: E402
import procs  # noqa: E402
import tap  # noqa: E402

SOON = bulkhead.SOON
fake = engine.FakeSwarm("--stop-lead", "1s", "--task-delay", "100ms")
fake.start()
tap.cleanup(fake.stop)
system = bulkhead.System(fake.socket, daemon="resync_interval = 2s\n")
blue = system.cluster("blue", driver="none", text="[cluster]\ndefault = true\n")
system.cluster("green", driver="none")
system.start()
tap.cleanup(system.stop)
fake.create_network("front")
fake.create_network("back")


def reader():
    return system.status()["reader"]["status"]


def generation(cluster):
    """What is in force now: the extension is asked, not its last status."""
    return system.ask("/v1/clusters/%s/config" % cluster)["generation"]


markers = iter("marker-%d" % n for n in range(1000))


def messages(cluster):
    """Sent to the cluster until now.  Counts come with the reader's status,
    so a message to the other one, and its count, is waited for first."""
    other = "green" if cluster == "blue" else "blue"
    before = reader()["clusters"][other]["messages"]
    marker(other, next(markers))
    procs.wait_for(lambda: reader()["clusters"][other]["messages"]
                   >= before + 2, SOON, "the reader's status", 0.02)
    return reader()["clusters"][cluster]["messages"]


def routes(cluster, host):
    return [r for r in system.routes(cluster) if r["host"] == host]


def wait_rendered(cluster):
    """Changes are gathered: until what is in force is what is known."""
    def same():
        files = system.ask("/v1/clusters/%s/config" % cluster)["files"]
        used = set()
        for f in files:
            used.update(re.findall(
                r"\b127\.(?!0\.0\.)[0-9.]+:[0-9]+", f["text"]))
        known = {u["address"] for r in system.routes(cluster)
                 for u in r["upstreams"]}
        return used == known
    procs.wait_for(same, SOON, cluster + " to render what it knows", 0.02)


def wait_upstreams(cluster, host, number, deadline=SOON):
    def there():
        found = routes(cluster, host)
        return (found[0]["upstreams"] if found else None) is not None and \
            len(found[0]["upstreams"]) == number
    procs.wait_for(there, deadline, "%d upstreams of %s" % (number, host),
                   0.02)
    wait_rendered(cluster)


def marker(cluster, name):
    """A harmless change that arrives after everything before it."""
    fake.create_service(name, networks=["front"], replicas=1,
                        labels=bulkhead.lb(name + ".example",
                                           service_cluster=cluster))
    procs.wait_for(lambda: routes(cluster, name + ".example"), SOON,
                   "marker " + name, 0.02)
    wait_upstreams(cluster, name + ".example", 1)


@tap.test
def a_service_appears_scales_and_goes():
    fake.create_service("web", networks=["front"], replicas=1,
                        labels=bulkhead.lb("web.example"))
    wait_upstreams("blue", "web.example", 1)
    fake.scale("web", 4)
    wait_upstreams("blue", "web.example", 4)
    fake.scale("web", 2)
    wait_upstreams("blue", "web.example", 2)
    fake.remove_service("web")
    procs.wait_for(lambda: not routes("blue", "web.example"), SOON,
                   "web to go", 0.02)


@tap.test
def a_change_reaches_only_the_cluster_it_concerns():
    marker("blue", "first")
    marker("green", "second")
    before = messages("blue")
    for n in (2, 3, 1):
        fake.scale("second", n)
        wait_upstreams("green", "second.example", n)
    tap.equal(messages("blue"), before, "messages to blue")


@tap.test
def labels_that_are_not_ours_send_nothing():
    before_generation = generation("green")
    before = messages("green")
    fake.update_service("second", lambda spec: spec["Labels"].update(
        {"team": "yellow"}))
    marker("blue", "third")
    tap.equal(messages("green"), before, "messages to green")
    tap.equal(generation("green"), before_generation)


@tap.test
def a_service_moves_with_its_label():
    fake.update_service("second", lambda spec: spec["Labels"].update(
        {"com.docker.lb.service_cluster": "blue"}))
    wait_upstreams("blue", "second.example", 1)
    procs.wait_for(lambda: not routes("green", "second.example"), SOON,
                   "second to leave green", 0.02)
    fake.update_service("second", lambda spec: spec["Labels"].update(
        {"com.docker.lb.service_cluster": "nowhere"}))

    def judged():
        return system.services().get("second", {}).get("code")
    procs.wait_for(lambda: judged() == "no-such-cluster", SOON,
                   "no-such-cluster", 0.02)
    fake.update_service("second", lambda spec: spec["Labels"].update(
        {"com.docker.lb.service_cluster": "green"}))
    wait_upstreams("green", "second.example", 1)


@tap.test
def a_network_made_later_wakes_only_who_names_it():
    fake.create_service("late", networks=["front"], replicas=1,
                        labels=bulkhead.lb("late.example",
                                           network="tomorrow"))
    procs.wait_for(lambda: system.services().get("late", {}).get("code")
                   == "no-such-network", SOON, "no-such-network", 0.02)
    before = messages("green")
    fake.create_network("unrelated")
    fake.create_network("tomorrow")
    procs.wait_for(lambda: system.services()["late"]["code"]
                   == "network-not-attached", SOON,
                   "network-not-attached", 0.02)
    tap.equal(messages("green"), before, "messages to green")
    fake.remove_service("late")


@tap.test
def a_failed_task_is_replaced_though_no_event_tells():
    fake.scale("first", 2)
    wait_upstreams("blue", "first.example", 2)
    task = routes("blue", "first.example")[0]["upstreams"][0]["task"]
    fake.sim("POST", "/tasks/%s/fail" % task)

    def gone():
        return task not in [u["task"] for u in
                            routes("blue", "first.example")[0]["upstreams"]]
    procs.wait_for(gone, SOON, "the failed task to go", 0.02)
    wait_upstreams("blue", "first.example", 2)


@tap.test
def a_snapshot_is_the_engine_s_and_hides_what_is_secret():
    snapshot = system.ask("/v1/snapshot")
    tap.equal(snapshot["version"], 1)
    names = [s["Spec"]["Name"] for s in snapshot["services"]]
    tap.ok("first" in names, names)
    tap.ok(snapshot["tasks"] and snapshot["nodes"], "tasks and nodes")
    for service in snapshot["services"]:
        for value in service["Spec"]["TaskTemplate"]["ContainerSpec"].get(
                "Env") or []:
            tap.equal(value, "***")
    done = subprocess.run(
        [procs.binary("bulkhead-supervisor"), "--snapshot", "--docker",
         "unix://" + fake.socket], capture_output=True, text=True,
        timeout=30)
    tap.equal(done.returncode, 0, done.stderr)
    again = json.loads(done.stdout)
    tap.equal(sorted(s["ID"] for s in again["services"]),
              sorted(s["ID"] for s in snapshot["services"]))


@tap.test
def a_killed_reader_is_back_and_nothing_changes():
    before_generation = generation("blue")
    pid = system.status()["reader"]["pid"]
    os.kill(pid, 9)
    procs.wait_for(lambda: system.status()["reader"]["pid"] not in (0, pid)
                   and system.status()["ready"], SOON, "the reader", 0.02)
    marker("green", "after-reader")
    tap.equal(generation("blue"), before_generation)


@tap.test
def an_engine_that_goes_away_loses_no_route_and_is_found_again():
    before_generation = generation("blue")
    fake.process.kill(19)  # SIGSTOP: accepts and never answers
    procs.wait_for(lambda: not reader()["docker"]["connected"], SOON,
                   "the reader to miss the engine", 0.05)
    tap.ok(routes("blue", "first.example"), "the route stays")
    fake.process.kill(18)
    procs.wait_for(lambda: reader()["docker"]["connected"], SOON,
                   "the engine again", 0.05)
    marker("green", "after-engine")
    tap.equal(generation("blue"), before_generation)


@tap.test
def a_cluster_that_is_added_gets_what_is_its_own():
    fake.create_service("mine", networks=["front"], replicas=1,
                        labels=bulkhead.lb("mine.example",
                                           service_cluster="red"))
    procs.wait_for(lambda: system.services().get("mine", {}).get("code")
                   == "no-such-cluster", SOON, "no-such-cluster", 0.02)
    system.cluster("red", driver="none")
    procs.wait_for(lambda: "red" in reader()["clusters"], SOON, "red", 0.02)
    procs.wait_for(lambda: any(
        c["name"] == "red" and c["state"] == "ready"
        for c in system.ask("/v1/clusters")["clusters"]), SOON,
        "red to be ready", 0.02)
    wait_upstreams("red", "mine.example", 1)
    tap.equal(system.services()["mine"]["cluster"], "red")


tap.main()
