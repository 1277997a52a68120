#!/usr/bin/env python3
"""Clusters whose INI is a Docker config: added, changed, broken, removed."""

import base64
import os

import bulkhead
import engine
import procs
import tap
from bulkhead import lb

fake = engine.FakeSwarm("--task-delay", "100ms")
system = bulkhead.System(fake.socket)
SOON = 30


def put(name, cluster, text):
    """Creates the config; its ID."""
    answer = fake.api("POST", "/configs/create", {
        "Name": name, "Labels": {"bulkhead.cluster": cluster},
        "Data": base64.b64encode(text.encode()).decode()})
    tap.equal(answer.status, 201, repr(answer))
    return answer.json["ID"]


def drop(name):
    found = [c["ID"] for c in fake.get("/configs")
             if c["Spec"]["Name"] == name]
    tap.equal(fake.api("DELETE", "/configs/" + found[0]).status, 204)


def names():
    return [c["name"] for c in system.ask("/v1/clusters")["clusters"]]


def problems():
    return system.status()["problems"]


def wait_problem(words):
    return procs.wait_for(
        lambda: [p for p in problems() if words in p], SOON,
        "a problem that says " + words)[0]


def wait_no_problem():
    procs.wait_for(lambda: not problems(), SOON, "no problem")


def timeouts(cluster):
    return {line.strip() for f in system.ask(
        "/v1/clusters/%s/config" % cluster)["files"]
        for line in f["text"].splitlines() if "proxy_read_timeout" in line}


def wait_timeout(cluster, text):
    procs.wait_for(lambda: any(text in t for t in timeouts(cluster)), SOON,
                   "%s to wait %s" % (cluster, text))


@tap.test
def a_config_starts_a_cluster_that_serves():
    system.cluster("blue")
    system.start()
    green = bulkhead.Cluster("green")
    system.clusters["green"] = green
    put("green-1", "green", green.ini() + "[nginx]\nread_timeout = 31s\n")
    procs.wait_for(lambda: names() == ["blue", "green"], SOON, "green")
    fake.create_service("web", networks=["front"], labels=lb(
        "a.example", service_cluster="green"))
    system.wait_served("green", "a.example")
    wait_timeout("green", "31")
    told = system.cluster_status("green")
    tap.equal(told["file"], "config/green-1")
    tap.equal(told["source"], "config")
    tap.equal(system.cluster_status("blue")["source"], "file")
    wait_no_problem()


@tap.test
def a_newer_config_changes_it_and_no_other():
    pid = system.cluster_status("blue")["pid"]
    put("green-2", "green", system.clusters["green"].ini()
        + "[nginx]\nread_timeout = 32s\n")
    wait_timeout("green", "32")
    tap.equal(system.cluster_status("green")["file"], "config/green-2")
    tap.equal(system.cluster_status("blue")["pid"], pid)


@tap.test
def a_broken_one_is_told_and_changes_nothing():
    put("green-3", "green", system.clusters["green"].ini()
        + "[nginx]\nread_timeuot = 33s\n")
    lines = system.clusters["green"].ini().count("\n")
    wait_problem("green-3:%d: " % (lines + 2))
    tap.ok(system.cluster_status("green")["kept"])
    put("green-4", "green", "[cluster]\nname = red\n")
    wait_problem("green-4: ")
    put("odd-1", "Not a name", "")
    wait_problem("odd-1: ")
    tap.equal(names(), ["blue", "green"])
    wait_timeout("green", "32")


@tap.test
def it_stays_while_everything_restarts():
    system.process.kill()
    system.process.wait(30)
    system.start()
    wait_problem("green-4: ")
    wait_timeout("green", "32")
    system.wait_served("green", "a.example")
    # And where nobody can be asked.
    system.process.kill()
    system.process.wait(30)
    away = fake.socket + ".away"
    os.rename(fake.socket, away)
    system.start(wait=False)
    procs.wait_for(lambda: names() == ["blue", "green"], SOON, "both")
    tap.equal(system.get("green", "a.example").status, 200)
    os.rename(away, fake.socket)
    system.wait_ready()
    wait_problem("green-4: ")
    tap.equal(names(), ["blue", "green"])


@tap.test
def removing_the_newest_brings_the_one_before_back():
    drop("odd-1")
    drop("green-4")
    wait_problem("green-3:")
    drop("green-3")
    wait_no_problem()
    tap.ok(not system.cluster_status("green")["kept"])
    drop("green-2")
    wait_timeout("green", "31")


@tap.test
def a_file_and_a_config_of_one_name_clash():
    green = system.clusters["green"]
    system.write_file(system.ini_path("green"), green.ini()
                      + "[nginx]\nread_timeout = 41s\n")
    told = wait_problem("accepted first")
    tap.ok(told.startswith(system.ini_path("green")), told)
    tap.contains(told, "green-1")
    # The one in force can still be changed.
    put("green-5", "green", green.ini() + "[nginx]\nread_timeout = 35s\n")
    wait_timeout("green", "35")
    put("blue-1", "blue", "[proxy]\ndriver = none\n")
    told = wait_problem("blue-1: ")
    tap.contains(told, system.ini_path("blue"))
    tap.equal(system.cluster_status("blue")["source"], "file")
    drop("blue-1")
    # Without the configs the file takes over, and nothing is retired.
    drop("green-1")
    drop("green-5")
    wait_timeout("green", "41")
    wait_no_problem()
    tap.equal(system.cluster_status("green")["source"], "file")
    put("green-6", "green", green.ini() + "[nginx]\nread_timeout = 36s\n")
    wait_problem("green-6: ")
    os.unlink(system.ini_path("green"))
    wait_timeout("green", "36")
    wait_no_problem()


@tap.test
def a_list_that_fails_or_lacks_it_retires_nothing():
    pid = system.cluster_status("green")["pid"]
    looks = fake.stats().get("GET /configs", 0)
    fake.sim("POST", "/faults", {"path": "/configs", "mode": "error",
                                 "count": 3})
    put("red-1", "red", "[proxy]\ndriver = none\n")
    procs.wait_for(lambda: "red" in names(), SOON, "red")
    tap.ok(fake.stats().get("GET /configs", 0) > looks)
    fake.sim("POST", "/faults", {"path": "/configs", "mode": "empty",
                                 "count": 2})
    put("pink-1", "pink", "[proxy]\ndriver = none\n")
    procs.wait_for(lambda: "pink" in names(), SOON, "pink")
    tap.equal(names(), ["blue", "green", "pink", "red"])
    tap.equal(system.cluster_status("green")["pid"], pid)


@tap.test
def its_removal_retires_the_cluster_and_its_proxies_serve_on():
    drop("green-6")
    procs.wait_for(lambda: "green" not in names(), SOON, "green to be retired")
    system.process.kill()
    system.process.wait(30)
    system.start()
    tap.equal(names(), ["blue", "pink", "red"])
    tap.equal(system.get("green", "a.example").status, 200)


@tap.test
def it_ends_in_order():
    tap.equal(system.process.stop(30), 0)


fake.start()
tap.cleanup(fake.stop)
fake.create_network("front")
tap.cleanup(system.stop)
tap.main()
