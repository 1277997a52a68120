#!/usr/bin/env python3
"""What programs of others rely on: lists in order, metrics, --json, events
that end, options that render and validate share."""

import json
import os

import bulkhead
import engine
import httpc
import procs
import tap
from bulkhead import lb

fake = engine.FakeSwarm("--task-delay", "100ms")
system = bulkhead.System(fake.socket)
NAMES = ["alpha", "beta", "delta", "gamma"]


@tap.test
def lists_over_all_clusters_are_in_the_order_of_clusters():
    for what in ("routes", "services", "proxies"):
        for _ in range(10):
            clusters = [item["cluster"] for item
                        in system.ask("/v1/" + what)[what]]
            tap.equal(clusters, NAMES, what)


@tap.test
def every_metric_that_is_promised_is_told():
    wanted = ("bulkhead_events_total{source=\"poll\"}",
              "bulkhead_services{cluster=\"beta\",state=\"accepted\"} 1\n",
              "bulkhead_config_generation{cluster=\"beta\"}",
              "bulkhead_reloads_total{cluster=\"beta\"}",
              "bulkhead_apply_seconds_bucket{cluster=\"beta\",path=",
              "bulkhead_convergence_seconds_sum{cluster=\"beta\",path=",
              "bulkhead_bus_messages_total{cluster=\"beta\"}",
              "bulkhead_proxy_applied{cluster=\"beta\",proxy=\"beta.0\"}",
              "bulkhead_child_restarts_total{child=\"reader\"} 0\n",
              "bulkhead_watch_up 0\n",
              "bulkhead_docker_request_seconds_bucket{le=\"0.005\"}",
              "bulkhead_docker_request_seconds_bucket{le=\"+Inf\"}",
              "bulkhead_docker_request_seconds_sum ",
              "bulkhead_docker_request_seconds_count ")

    def told():
        answer = httpc.request("GET", system.socket, "/metrics")
        tap.equal(answer.status, 200)
        text = answer.body.decode()
        for name in wanted:
            tap.ok(name in text, "%s is missing" % name)
        count = [line for line in text.split("\n") if line.startswith(
            "bulkhead_docker_request_seconds_count ")]
        tap.ok(int(count[0].split()[1]) > 0, "no request was counted")
        return True

    # What is served was told to the proxies before it is told to the
    # supervisor.
    procs.wait_for(told, bulkhead.SOON, "every metric")


@tap.test
def events_without_f_tells_what_was_and_ends():
    code, out, _ = system.ctl("--json", "events")
    tap.equal(code, 0)
    told = [json.loads(line) for line in out.splitlines()]
    tap.equal(sorted({e["cluster"] for e in told}), NAMES)
    tap.equal(system.ctl("events", "-x", check=False)[0], 2)


@tap.test
def check_speaks_json():
    path = os.path.join(system.folder, "odd.ini")
    system.write_file(path, "[proxy]\nreplcas = 2\n")
    code, out, err = system.ctl("--json", "check", path, check=False)
    tap.equal((code, err), (1, ""))
    tap.equal(json.loads(out), {"ok": False, "lines": [
        path + ":2: unknown key \"replcas\" in [proxy]; is it replicas?"]})


@tap.test
def validate_takes_the_options_of_render_and_writes_nothing():
    snapshot = os.path.join(system.folder, "swarm.json")
    system.write_file(snapshot, system.ctl("snapshot")[1])
    out = os.path.join(system.folder, "validated")
    system.ctl("validate", "--cluster", system.ini_path("beta"),
               "--snapshot", snapshot, "--out", out,
               "--listen", "127.0.0.1:80")
    tap.ok(not os.path.exists(out), "validate wrote files")


@tap.test
def who_is_unknown_is_not_said_to_be_missing_in_one_cluster_only():
    code, out, _ = system.ctl("explain", "nobody.example", check=False)
    tap.equal(code, 4)
    for name in NAMES:
        tap.ok(name not in out, "%r names cluster %s" % (out, name))


fake.start()
tap.cleanup(fake.stop)
fake.create_network("front")
for name in NAMES:
    fake.create_service(name + "-web", networks=["front"],
                        labels=lb(name + ".example", service_cluster=name))
    if name != "beta":
        system.cluster(name)
tap.cleanup(system.stop)
system.start()
# One that comes later has its place all the same.
system.cluster("beta")
for name in NAMES:
    system.wait_served(name, name + ".example")
    system.wait_applied(name)
tap.main()
