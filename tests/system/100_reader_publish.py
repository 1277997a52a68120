#!/usr/bin/env python3
"""The reader in front of a simulated Swarm: who is told what."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import engine  # noqa: E402
import reader as reader_module  # noqa: E402
import tap  # noqa: E402

LB = "com.docker.lb."

fake = engine.FakeSwarm("--task-delay", "50ms", "--stop-lead", "300ms",
                        "--restart-delay", "200ms", "--nodes", "2")
fake.start()
tap.cleanup(fake.stop)
reader = reader_module.Reader(
    fake.socket, {"blue": "[cluster]\ndefault = true\n", "green": ""})
tap.cleanup(reader.stop)


def labels(host, cluster=None, **more):
    result = {LB + "hosts": host, LB + "port": "8080"}
    if cluster:
        result[LB + "service_cluster"] = cluster
    result.update({LB + k: v for k, v in more.items()})
    return result


def mark_green():
    """A change there that is told for certain; how many came until then."""
    mark_green.number += 1
    host = "marker%d.example" % mark_green.number
    mark = green.mark()
    fake.set_label("marker", LB + "hosts", host)
    green.wait(lambda: green.label("marker", LB + "hosts") == host,
               what="marker")
    return len(green.since(mark))


mark_green.number = 0

for network in ("front", "back", "other"):
    fake.create_network(network)
fake.create_service("web", networks=["front"], replicas=2,
                    labels=labels("web.example"))
fake.create_service("plain", networks=["other"])
fake.create_service("marker", networks=["back"],
                    labels=labels("marker0.example", "green"))
fake.wait_running("web", 2)
fake.wait_running("marker", 1)
blue = reader.watch("blue")
green = reader.watch("green")
reader.start()


@tap.test
def each_cluster_gets_its_own_services_and_nothing_else():
    blue.wait(lambda: len(blue.running("web")) == 2, what="web with 2 tasks")
    green.wait(lambda: green.running("marker"), what="marker")
    tap.equal(blue.names(), ["web"])
    tap.equal(green.names(), ["marker"])
    tap.equal(blue.network_names(), ["front"])
    tap.equal(green.network_names(), ["back"])
    task = blue.running("web")[0]
    tap.ok(task["NetworksAttachments"][0]["Addresses"], "no address")


@tap.test
def a_change_in_one_cluster_sends_the_other_no_message():
    fake.set_label("web", LB + "hosts", "www.example")
    blue.wait(lambda: blue.label("web", LB + "hosts") == "www.example",
              what="new host")
    tap.equal(mark_green(), 1, "messages to green")


@tap.test
def a_change_that_routing_does_not_read_sends_nothing():
    mark = green.mark()
    before = green.messages[-1]["seq"]

    def change(spec):
        spec["Labels"]["owner"] = "somebody"
    fake.update_service("marker", change)
    tap.equal(mark_green(), 1, "messages")
    tap.equal(green.since(mark)[-1]["seq"], before + 1, "seq")


@tap.test
def scaling_is_followed_in_both_directions():
    fake.scale("web", 4)
    blue.wait(lambda: len(blue.running("web")) == 4, what="4 tasks")
    fake.scale("web", 1)
    blue.wait(lambda: len(blue.running("web")) == 1, what="1 task")


@tap.test
def a_task_that_fails_is_taken_out_and_its_successor_put_in():
    old = blue.running("web")[0]["ID"]
    fake.sim("POST", "/tasks/%s/fail" % old)
    blue.wait(lambda: [t["ID"] for t in blue.running("web")] not in ([old], []),
              what="another task")


@tap.test
def a_service_moves_by_its_label():
    fake.set_label("web", LB + "service_cluster", "green")
    green.wait(lambda: "web" in green.names() and green.running("web"),
               what="web")
    blue.wait(lambda: "web" not in blue.names(), what="web gone")
    tap.contains(green.network_names(), "front")
    fake.set_label("web", LB + "service_cluster", None)
    blue.wait(lambda: blue.names() == ["web"], what="web back")
    green.wait(lambda: green.names() == ["marker"], what="web gone")


@tap.test
def a_service_of_no_existing_cluster_goes_to_the_default_one():
    fake.create_service("lost", networks=["front"],
                        labels=labels("lost.example", "nowhere"))
    blue.wait(lambda: "lost" in blue.names(), what="lost")
    tap.equal(green.names(), ["marker"])
    fake.remove_service("lost")
    blue.wait(lambda: "lost" not in blue.names(), what="lost gone")


@tap.test
def a_label_names_a_network_that_the_service_is_not_on():
    fake.set_label("web", LB + "network", "other")
    blue.wait(lambda: blue.network_names() == ["front", "other"],
              what="both networks")
    fake.set_label("web", LB + "network", None)
    blue.wait(lambda: not blue.label("web", LB + "network"), what="no label")


@tap.test
def a_service_that_loses_its_labels_is_removed():
    fake.create_service("brief", networks=["front"],
                        labels=labels("brief.example"))
    blue.wait(lambda: "brief" in blue.names(), what="brief")

    def change(spec):
        spec["Labels"] = {}
    fake.update_service("brief", change)
    blue.wait(lambda: "brief" not in blue.names(), what="brief gone")
    fake.remove_service("brief")


@tap.test
def only_secrets_that_a_label_names_are_told():
    for name in ("cert", "unrelated"):
        answer = fake.api("POST", "/secrets/create", {
            "Name": name, "Data": "c2VjcmV0"})
        tap.equal(answer.status, 201)
    fake.set_label("web", LB + "ssl_cert", "cert")
    blue.wait(lambda: "cert" in blue.secrets, what="cert")
    tap.equal(sorted(blue.secrets), ["cert"])
    tap.equal(sorted(green.secrets), [])
    tap.ok("c2VjcmV0" not in json.dumps(blue.messages), "its data")
    # One that comes later than the label.
    fake.set_label("web", LB + "ssl_key", "key")
    blue.wait(lambda: blue.label("web", LB + "ssl_key") == "key")
    fake.api("POST", "/secrets/create", {"Name": "key", "Data": "c2VjcmV0"})
    blue.wait(lambda: "key" in blue.secrets, what="key")
    fake.set_label("web", LB + "ssl_cert", None)
    fake.set_label("web", LB + "ssl_key", None)
    tap.ok("unrelated" not in json.dumps(blue.messages), "the other one")


@tap.test
def an_odd_object_is_set_aside_and_the_rest_goes_on():
    odd = ('{"ID":"odd0000000000000000000000","Version":{"Index":1},'
           '"CreatedAt":"2026-01-01T00:00:00Z","Spec":{"Name":"odd",'
           '"Labels":{"com.docker.lb.ho\\u0000sts":"x","' + LB + 'hosts":'
           '"odd.example"},"TaskTemplate":{},"Mode":{"Replicated":'
           '{"Replicas":1}}}}')
    fake.sim("POST", "/objects/services", odd)
    blue.wait(lambda: any(b.get("name") == "odd" for b in blue.bad),
              what="bad object")
    fake.set_label("web", LB + "hosts", "still.example")
    blue.wait(lambda: blue.label("web", LB + "hosts") == "still.example",
              what="web changed")
    fake.sim("DELETE", "/objects/services")
    blue.wait(lambda: not blue.bad, what="no bad object")
    tap.equal(green.bad, [])


@tap.test
def status_tells_connection_clusters_and_counts():
    def counted():
        s = reader.status
        return (s and s["ready"] and s["docker"]["connected"]
                and s["clusters"]["blue"]["services"] == 1
                and s["clusters"]["green"]["services"] == 1)
    reader.wait(counted, what="status")
    s = reader.status
    tap.equal(s["docker"]["api_version"], "1.41")
    tap.equal(s["docker"]["error"], None)
    tap.equal(s["push"], False)
    tap.equal(s["services"], 2)
    tap.ok(sum(s["events"].values()) > 0, "no events counted")
    tap.ok(s["clusters"]["blue"]["messages"] > 0, "no messages counted")


@tap.test
def a_snapshot_hides_what_only_its_owner_should_see():
    fake.create_service("secretive", networks=["other"],
                        env=["PASSWORD=hunter2"])
    fake.api("POST", "/configs/create", {
        "Name": "conf", "Data": "aHVudGVyMg=="})
    status, text = reader.query("snapshot", {"full": False})
    tap.equal(status, 200)
    tap.ok("hunter2" not in text and "aHVudGVyMg==" not in text, "not hidden")
    snapshot = json.loads(text)
    tap.equal(snapshot["version"], 1)
    names = [s["Spec"]["Name"] for s in snapshot["services"]]
    tap.equal(sorted(names), ["marker", "plain", "secretive", "web"])
    tap.contains(text, "***")
    for kind in ("tasks", "networks", "nodes", "secrets", "configs"):
        tap.ok(kind in snapshot, kind)
    status, text = reader.query("snapshot", {"full": True})
    tap.equal(status, 200)
    tap.contains(text, "hunter2")
    tap.contains(text, "aHVudGVyMg==")
    fake.remove_service("secretive")


@tap.test
def clusters_come_and_go_with_a_reload():
    reader.cluster("red", "", send=True)
    red = reader.watch("red")
    fake.create_service("crimson", networks=["front"],
                        labels=labels("crimson.example", "red"))
    red.wait(lambda: red.names() == ["crimson"], what="crimson")
    reader.cluster("red", None, send=True)
    # Its service now names no cluster: the default one tells of it.
    blue.wait(lambda: "crimson" in blue.names(), what="crimson in default")
    fake.remove_service("crimson")
    blue.wait(lambda: blue.names() == ["web"], what="crimson gone")


@tap.test
def a_killed_reader_starts_a_new_epoch_and_loses_nothing():
    epoch = blue.messages[-1]["epoch"]
    reader.kill()
    fake.scale("web", 3)
    reader.start()
    blue.wait(lambda: len(blue.running("web")) == 3, what="3 tasks")
    tap.ok(blue.messages[-1]["epoch"] != epoch, "the same epoch")
    green.wait(lambda: green.messages[-1]["epoch"] != epoch, what="epoch")


@tap.test
def it_ends_in_order_when_asked():
    tap.equal(reader.end(), 0)
    tap.ok("ERROR: " not in reader.log(), reader.log()[-3000:])


tap.main()
