#!/usr/bin/env python3
"""Clusters in Docker configs of a real private Swarm."""

import base64

import bulkhead
import engine
import procs
import tap

why = engine.RealEngine.why_not()
if why:
    tap.skip_all(why)

real = engine.RealEngine()
try:
    real.start()
except engine.CannotRun as error:
    tap.skip_all(str(error))
tap.cleanup(real.stop)
system = bulkhead.System(real.socket)
tap.cleanup(system.stop)
SOON = 30


def put(name, text):
    answer = real.api("POST", "/configs/create", {
        "Name": name, "Labels": {"bulkhead.cluster": "blue"},
        "Data": base64.b64encode(text.encode()).decode()})
    tap.equal(answer.status, 201, repr(answer))
    return answer.json["ID"]


def blue():
    found = [c for c in system.ask("/v1/clusters")["clusters"]
             if c["name"] == "blue"]
    return found[0] if found else {}


@tap.test
def a_config_is_a_cluster_and_the_newest_counts():
    system.start()
    put("blue-1", "[proxy]\ndriver = none\n")
    procs.wait_for(lambda: blue().get("file") == "config/blue-1", SOON,
                   "the first")
    newest = put("blue-2", "[proxy]\ndriver = none\n[nginx]\nhttp2 = no\n")
    procs.wait_for(lambda: blue().get("file") == "config/blue-2", SOON,
                   "the second")
    put("blue-3", "[proxy]\ndriver = nobody\n")
    procs.wait_for(lambda: blue().get("kept"), SOON, "a word about the third")
    tap.contains(system.status()["problems"][0], "blue-3:2: ")
    tap.equal(real.api("DELETE", "/configs/blue-3").status, 204)
    procs.wait_for(lambda: blue().get("kept") is False, SOON, "its end")
    tap.equal(real.api("DELETE", "/configs/" + newest).status, 204)
    procs.wait_for(lambda: blue().get("file") == "config/blue-1", SOON,
                   "the first again")
    tap.equal(real.api("DELETE", "/configs/blue-1").status, 204)
    procs.wait_for(lambda: not blue(), SOON, "the end of blue")


@tap.test
def it_ends_in_order():
    tap.equal(system.process.stop(30), 0)


tap.main()
