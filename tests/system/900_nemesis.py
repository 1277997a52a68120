#!/usr/bin/env python3
"""Half a minute of nemesis; "make nemesis T=600" is the long one."""

import os
import sys

sys.path.insert(0, os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "nemesis"))

import model  # noqa: E402
import nemesis  # noqa: E402
import tap  # noqa: E402

SECONDS = 30

done = None


def service(name, created, hosts, cluster="c0", network="n1", path="/"):
    return {"ID": "id-" + name, "CreatedAt": created, "Spec": {
        "Name": name,
        "Labels": {model.LB + "hosts": hosts, model.LB + "context_root": path,
                   model.LB + "service_cluster": cluster},
        "TaskTemplate": {"Networks": [{"Target": network}]}}}


def task(number, name, state="running", desired="running"):
    return {"ID": number, "ServiceID": "id-" + name, "DesiredState": desired,
            "Status": {"State": state}}


@tap.test
def the_model_knows_who_owns_a_host():
    found = model.compute(
        [service("young", "2026-01-01T00:00:00.2Z", "a.example"),
         service("old", "2026-01-01T00:00:00.1Z", "a.example"),
         service("other", "2026-01-01T00:00:00.3Z", "a.example",
                 network="n2"),
         service("bad", "2026-01-01T00:00:00.4Z", "b.example {"),
         service("away", "2026-01-01T00:00:00.5Z", "a.example", "c1")],
        [task("t1", "old"), task("t2", "young"),
         task("t3", "young", desired="shutdown"),
         task("t4", "away", state="starting")], ["c0", "c1"])
    tap.equal(found["c0"].routes, {
        ("a.example", "/"): {"old": {"t1"}, "young": {"t2"}}})
    tap.equal(found["c0"].rejected, {"other", "bad"})
    tap.equal(found["c1"].routes, {("a.example", "/"): {"away": set()}})


@tap.test
def everything_is_as_the_model_says_after_each_round():
    global done
    seed = int(os.environ.get("SEED") or
               int.from_bytes(os.urandom(3), "big"))
    tap.note("seed %d" % seed)
    done = nemesis.run(SECONDS, seed, os.environ.get("KEEP_LOG"),
                       push=seed % 3 != 0)
    tap.note("%s, %d rounds, %d requests, %d probes, converged after %.1f s "
             "at most" % ("push" if done["push"] else "polling",
                          done["rounds"], done["requests"], done["probes"],
                          done["worst_s"]))
    tap.ok(done["rounds"] > 0 and done["requests"] > 0)


@tap.test
def no_request_failed_to_a_service_that_nobody_touched():
    if done is None:
        tap.skip("the run did not end")
    tap.equal(len(done["failed"]), 0, "failed %r" % done["failed"][:3])


@tap.test
def nobody_was_answered_by_a_service_that_never_had_the_route():
    if done is None:
        tap.skip("the run did not end")
    tap.ok(done["probes"] > 0)
    tap.equal(len(done["misroutes"]), 0, "%r" % done["misroutes"][:3])


tap.main()
