#!/usr/bin/env python3
"""Push on a real Swarm: scales, removals and deaths reach the clusters at
once, with polling as slow as it gets; and a manager that is none any more."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import engine  # noqa: E402
import procs  # noqa: E402
import reader as reader_module  # noqa: E402
import tap  # noqa: E402

LB = "com.docker.lb."
SOON = reader_module.SOON
POLL = 15.0

why = engine.RealEngine.why_not()
if why:
    tap.skip_all(why)
real = engine.RealEngine()
try:
    real.start()
except engine.CannotRun as reason:
    tap.skip_all(str(reason))
tap.cleanup(real.stop)
reader = reader_module.Reader(
    real.socket, {"blue": ""},
    "watch = %s\npoll_interval = 15s\nresync_interval = 60s\n" % real.control)
tap.cleanup(reader.stop)
blue = reader.watch("blue")


def pushed(wanted):
    reader.wait(lambda: reader.status and reader.status["push"] is wanted,
                SOON, "push %s" % wanted)


def wait_running(number, deadline=SOON):
    blue.wait(lambda: len(blue.running("web")) == number, deadline,
              "%d tasks" % number)


def engine_ran(number):
    """When the engine itself had that many."""
    real.wait_running("web", number)
    return time.monotonic()


@tap.test
def push_is_in_force():
    reader.start()
    pushed(True)
    tap.contains(reader.log(), "task changes are pushed")


@tap.test
def scaling_is_seen_in_a_fraction_of_the_polling_interval():
    real.create_network("front")
    real.create_service("web", networks=["front"], replicas=2, labels={
        LB + "hosts": "web.example", LB + "port": "8080"},
        # A task that is to go is looked at while it still runs.
        env=["LINGER_MS=4000"],
        TaskTemplate={"RestartPolicy": {"Delay": 500000000}})
    for number in (2, 4, 1, 3):
        if number != 2:
            real.scale("web", number)
        ran = engine_ran(number)
        wait_running(number, POLL / 4)
        tap.note("%d: %.0f ms after the API" % (
            number, (time.monotonic() - ran) * 1000))
    reader.wait(lambda: reader.status["events"]["watch"] > 20,
                what="more than 20 pushed changes")
    tap.equal(reader.status["events"]["poll"], 0, "polls")


@tap.test
def a_task_that_is_to_go_leaves_long_before_its_stop_signal():
    before = {t["ID"] for t in blue.running("web")}
    real.scale("web", 2)
    wait_running(2, POLL / 4)
    gone = (before - {t["ID"] for t in blue.running("web")}).pop()
    task = real.get("/tasks/" + gone)
    tap.equal(task["Status"]["State"], "running")
    container = task["Status"]["ContainerStatus"]["ContainerID"]
    tap.equal(real.get("/containers/%s/json" % container)["State"]["Status"],
              "running")


@tap.test
def a_task_that_dies_is_gone_without_a_look():
    task = blue.running("web")[0]["ID"]
    container = real.get("/tasks/" + task)["Status"]["ContainerStatus"][
        "ContainerID"]
    mark = blue.mark()
    killed = time.time()
    real.api("POST", "/containers/%s/kill" % container)
    blue.wait(lambda: task not in [t["ID"] for t in blue.running("web")],
              POLL / 4, "the dead task to go")
    tap.note("gone after %.0f ms" % ((time.time() - killed) * 1000))
    tap.ok(blue.since(mark))
    wait_running(2)
    tap.equal(reader.status["events"]["poll"], 0, "polls")


@tap.test
def a_rolling_update_never_shows_a_task_that_is_to_go():
    spec = {"UpdateConfig": {"Order": "start-first", "Parallelism": 1}}

    def change(s):
        s.update(spec)
        s["TaskTemplate"]["ForceUpdate"] = 1
    before = {t["ID"] for t in blue.running("web")}
    real.update_service("web", change)
    seen = set()

    def replaced():
        now = {t["ID"] for t in blue.running("web")}
        seen.add(len(now))
        return len(now) == 2 and not now & before
    blue.wait(replaced, 90, "both tasks to be replaced")
    tap.ok(min(seen) >= 1, "no task was left")
    tap.equal(reader.status["events"]["poll"], 0, "polls")


@tap.test
def a_removed_service_goes():
    real.remove_service("web")
    blue.wait(lambda: "web" not in blue.names(), POLL / 4, "web to go")


@tap.test
def a_manager_that_is_none_any_more_means_polling():
    tap.equal(real.api("POST", "/swarm/leave", query={"force": "1"}).status,
              200)
    pushed(False)
    procs.wait_for(lambda: reader.log().count(
        "task changes are not pushed") == 1, SOON, "one line")
    real.swarm_init()
    pushed(True)
    procs.wait_for(lambda: reader.log().count("task changes are pushed") == 2,
                   SOON, "the other line")
    tap.equal(reader.log().count("task changes are not pushed"), 1)
    tap.equal(reader.end(), 0)


tap.main()
