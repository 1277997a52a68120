#!/usr/bin/env python3
"""What happens in one cluster does not reach another; mistakes of one service
do not reach another service."""

import bulkhead
import engine
import procs
import tap
from bulkhead import lb

fake = engine.FakeSwarm("--task-delay", "100ms")
system = bulkhead.System(fake.socket)


def files(name):
    answer = system.ask("/v1/clusters/%s/config" % name)
    return {f["path"]: f["text"] for f in answer["files"]}


def figures(name):
    detail = system.detail(name)
    return {k: detail[k] for k in ("bus_messages", "reloads", "generation")}


@tap.test
def a_change_in_blue_sends_green_no_message_and_reloads_nothing():
    fake.create_service("blue-web", networks=["front"],
                        labels=lb("blue.example"))
    fake.create_service("green-web", networks=["back"], labels=lb(
        "green.example", service_cluster="green"))
    system.wait_served("blue", "blue.example")
    system.wait_served("green", "green.example")
    system.wait_applied("green")
    before = figures("green")
    for replicas in (3, 1, 2):
        fake.scale("blue-web", replicas)
        system.wait_tasks("blue", "blue.example", replicas)
    # The marker: a later, harmless change of green arrives, and between
    # then and now nothing else did.
    messages = before["bus_messages"]
    fake.set_label("green-web", "com.docker.lb.max_fails", "3")
    procs.wait_for(lambda: figures("green")["generation"]
                   == before["generation"] + 1, 30, "the marker")
    system.wait_applied("green")
    procs.wait_for(lambda: figures("green")["reloads"]
                   == before["reloads"] + 2, 30, "one reload of each proxy")
    tap.equal(figures("green")["bus_messages"], messages + 1)


@tap.test
def a_label_that_routes_nothing_changes_nothing():
    before = figures("green")
    fake.set_label("green-web", "org.example.team", "green")
    fake.update_service("green-web", lambda spec: spec["TaskTemplate"][
        "ContainerSpec"].setdefault("Labels", {}).update({"x": "y"}) or spec)
    fake.set_label("green-web", "com.docker.lb.max_fails", "4")
    procs.wait_for(lambda: figures("green")["generation"]
                   > before["generation"], 30, "the marker")


@tap.test
def a_service_moves_by_its_label():
    fake.set_label("green-web", "com.docker.lb.service_cluster", "blue")
    system.wait_served("blue", "green.example")
    system.wait_served("green", "green.example", want=503)
    tap.equal(system.services()["green-web"]["cluster"], "blue")


@tap.test
def rejected_services_leave_every_file_as_it_was():
    system.wait_applied("blue")
    before = files("blue")
    generation = system.generation("blue")
    cases = {
        "bad-hosts": (["front"], lb("x.example; return 302 http://evil/"),
                      "bad-value", "com.docker.lb.hosts", 9, None),
        "bad-port": (["front"], lb("y.example", port="80;"),
                     "bad-value", "com.docker.lb.port", 2, None),
        "thief": (["back"], lb("a.example,blue.example"),
                  "host-taken", "com.docker.lb.hosts", 10, "blue-web"),
        "elsewhere": (["front"], lb("z.example", network="back"),
                      "network-not-attached", "com.docker.lb.network", None,
                      None),
        "nowhere": (["front"], lb("q.example", service_cluster="mauve"),
                    "no-such-cluster", "com.docker.lb.service_cluster",
                    None, None),
    }
    for name, (networks, labels, *_) in cases.items():
        fake.create_service(name, networks=networks, labels=labels)
    for name, (_, _, code, label, offset, owner) in cases.items():
        record = procs.wait_for(lambda n=name: system.services().get(n), 30,
                                name)
        tap.equal(record["state"], "rejected", name)
        tap.equal(record["code"], code, name)
        tap.equal(record.get("label"), label, name)
        if offset is not None:
            tap.equal(record.get("offset"), offset, name)
        if owner is not None:
            tap.equal(record.get("owner"), owner, name)
        tap.ok(len(record["reason"]) > 10, name)
    tap.equal(files("blue"), before)
    tap.equal(system.generation("blue"), generation)


@tap.test
def odd_objects_of_the_engine_are_set_aside():
    before = files("blue")
    fake.sim("POST", "/objects/services",
             '{"ID":"oddone","Version":{"Index":7},"CreatedAt":'
             '"2026-01-01T00:00:00Z","Spec":{"Name":"odd-one",'
             '"Labels":{"com.docker.lb.port":"1","a\\u0000b":"1"}}}')
    fake.sim("POST", "/objects/services",
             '{"ID":"oddtwo","Version":{"Index":7},"CreatedAt":'
             '"2026-01-01T00:00:00Z","Spec":{"Name":"odd-two","Labels":'
             '{"com.docker.lb.hosts":"o.example","com.docker.lb.port":"1"},'
             '"Mode":{"Replicated":{"Replicas":18446744073709551615}}}}')
    record = procs.wait_for(lambda: system.services().get("odd-one"), 90,
                            "odd-one")
    tap.equal((record["state"], record["code"]), ("rejected", "bad-object"))
    fake.create_service("marker", networks=["front"],
                        labels=lb("marker.example"))
    system.wait_served("blue", "marker.example")
    now = files("blue")
    for path, text in before.items():
        if path.startswith("sites/"):
            tap.equal(now[path], text, path)


@tap.test
def explain_tells_why_and_by_whom():
    code, out, _ = system.ctl("explain", "thief", check=False)
    tap.equal(code, 1)
    tap.contains(out, "blue-web")
    code, out, _ = system.ctl("explain", "blue.example/x", check=False)
    tap.equal(code, 0)
    code, out, _ = system.ctl("explain", "never.heard.of", check=False)
    tap.equal(code, 4)


fake.start()
tap.cleanup(fake.stop)
for network in ("front", "back"):
    fake.create_network(network)
system.cluster("blue", text="[cluster]\ndefault = true\n")
system.cluster("green", replicas=2)
tap.cleanup(system.stop)
system.start()
tap.main()
