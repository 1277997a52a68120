#!/usr/bin/env python3
"""Task changes by push: what Watch tells is there at once, and whatever
becomes of Watch, no change is lost and it is said once."""

import contextlib
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
# Polling alone would take so long; everything here is much faster.
POLL = 15.0
FRACTION = POLL / 4

fake = engine.FakeSwarm("--task-delay", "100ms", "--stop-lead", "3s",
                        "--restart-delay", "4s", "--no-serve", push=True)
fake.start()
tap.cleanup(fake.stop)
reader = reader_module.Reader(
    fake.socket, {"blue": ""},
    "poll_interval = 15s\nresync_interval = 60s\n")
tap.cleanup(reader.stop)
blue = reader.watch("blue")
fake.create_network("front")


def watch(action):
    fake.sim("POST", "/watch/" + action)


def pushed(wanted, deadline=SOON):
    reader.wait(lambda: reader.status and reader.status["push"] is wanted,
                deadline, "push %s" % wanted)


def said(text):
    return reader.log().count(text)


PUSHED = "task changes are pushed"
POLLED = "task changes are not pushed"


def create(name, replicas=1):
    fake.create_service(name, networks=["front"], replicas=replicas,
                        labels={LB + "hosts": name + ".example",
                                LB + "port": "8080"})
    wait_running(name, replicas)


def wait_running(name, number, deadline=SOON):
    blue.wait(lambda: len(blue.running(name)) == number, deadline,
              "%d tasks of %s" % (number, name))


def polls():
    """Told by a status that is newer than all that was done before: a change
    makes one."""
    before = reader.statuses
    host = "w%d.example" % before
    fake.set_label("web", LB + "hosts", host)
    blue.wait(lambda: blue.label("web", LB + "hosts") == host, what=host)
    before = reader.statuses
    reader.wait(lambda: reader.statuses > before, what="a status")
    return reader.status["events"]["poll"]


def wait_said(pushed_lines, polled_lines):
    """The log has just so many lines of either."""
    procs.wait_for(lambda: (said(PUSHED), said(POLLED)) == (
        pushed_lines, polled_lines), SOON, "%d and %d lines of push" % (
            pushed_lines, polled_lines))


def quiet_requests():
    """How many were made, once none was for a second."""
    state = [-1, 0.0]

    def unchanged():
        now = sum(fake.stats().values())
        if now != state[0]:
            state[:] = [now, time.monotonic()]
        return time.monotonic() - state[1] > 1.0
    procs.wait_for(unchanged, SOON, "no request for a second")
    return state[0]


@contextlib.contextmanager
def no_storm(lists):
    """What is done within asks for at most so many whole lists of services,
    and a few times a second for anything."""
    before, begun = fake.stats(), time.monotonic()
    yield
    asked = {k: n - before.get(k, 0) for k, n in fake.stats().items()}
    passed = time.monotonic() - begun
    tap.note("%.1f s: %s" % (passed, {k: n for k, n in asked.items() if n}))
    tap.ok(asked.get("GET /services", 0) <= lists, asked)
    tap.ok(sum(asked.values()) <= 20 + 20 * passed, asked)


@tap.test
def push_is_in_force_and_said_so():
    reader.start()
    pushed(True)
    create("web")
    wait_said(1, 0)
    tap.contains(reader.log(), fake.control)


@tap.test
def scaling_is_seen_long_before_polling_would():
    polled = polls()
    for number in (4, 1, 3):
        begun = time.monotonic()
        fake.scale("web", number)
        wait_running("web", number)
        took = time.monotonic() - begun
        tap.ok(took < FRACTION, "%d tasks after %.1f s" % (number, took))
    tap.equal(polls(), polled, "polls")


@tap.test
def a_task_that_is_to_go_is_gone_before_its_stop_signal():
    before = {t["ID"] for t in blue.running("web")}
    fake.scale("web", 2)
    wait_running("web", 2)
    gone = before - {t["ID"] for t in blue.running("web")}
    tap.equal(len(gone), 1)
    task = fake.get("/tasks/" + gone.pop())
    tap.equal(task["Status"]["State"], "running")
    tap.equal(task["DesiredState"], "remove")


@tap.test
def no_look_at_the_engine_is_needed_for_a_task_that_goes():
    mark = blue.mark()
    requests = quiet_requests()
    task = blue.running("web")[0]["ID"]
    fake.sim("POST", "/tasks/%s/fail" % task)
    blue.wait(lambda: task not in [t["ID"] for t in blue.running("web")],
              what="the failed task to go")
    tap.equal(sum(fake.stats().values()), requests, "requests")
    first = [m for m in blue.since(mark) if "commit_us" in m][0]
    stamps = [first[k] for k in ("commit_us", "read_us", "sent_us")]
    tap.ok(0 < stamps[0] <= stamps[1] <= stamps[2], stamps)


@tap.test
def a_replaced_task_is_not_told_to_go_before_the_other_is_there():
    """start-first: Watch tells of the old one's end while the answer with
    the new one's address is on its way."""
    create("solo")
    web = {s["Spec"]["Name"]: s["ID"] for s in blue.services.values()}["solo"]
    fake.sim("POST", "/faults", {"path": "/tasks", "mode": "slow",
                                 "delay_ms": 150})
    for round_ in range(3):
        mark = blue.mark()
        old = {t["ID"] for t in blue.running("solo")}

        def change(spec):
            spec["TaskTemplate"]["ContainerSpec"]["Env"] = ["R=%d" % round_]
            spec["UpdateConfig"] = {"Order": "start-first", "Parallelism": 1}
        fake.update_service("solo", change)
        blue.wait(lambda: len(blue.running("solo")) == 1 and not
                  old & {t["ID"] for t in blue.running("solo")},
                  what="the new task")
        for message in blue.since(mark):
            body = message.get("body") or {}
            if any(s["ID"] == web for s in body.get("services", [])):
                tap.ok([t for t in body.get("tasks", [])
                        if t["ServiceID"] == web], "a moment without a task")
    fake.sim("DELETE", "/faults")
    # With nothing on its way the last one goes at once.
    mark = time.monotonic()
    fake.scale("solo", 0)
    wait_running("solo", 0)
    tap.ok(time.monotonic() - mark < FRACTION, "late")
    fake.remove_service("solo")
    blue.wait(lambda: "solo" not in blue.names(), what="its removal")


@tap.test
def a_stream_that_is_cut_goes_on_where_it_was():
    was_pushed, was_polled = said(PUSHED), said(POLLED)
    with no_storm(3):
        for number in (4, 2, 5):
            watch("cut")
            fake.scale("web", number)
            wait_running("web", number, FRACTION * 6)
            pushed(True)
        procs.wait_for(lambda: said(PUSHED) - 1 == said(POLLED) > was_polled,
                       SOON, "push to be said again")
        tap.ok(said(PUSHED) <= was_pushed + 3)


@tap.test
def a_compacted_log_loses_nothing():
    with no_storm(3):
        watch("away")
        watch("cut")
        pushed(False)
        fake.scale("web", 3)
        watch("compact")
        watch("normal")
        pushed(True)
        wait_running("web", 3)


@tap.test
def polling_takes_over_while_the_socket_is_away():
    was_pushed, was_polled = said(PUSHED), said(POLLED)
    with no_storm(3):
        watch("away")
        watch("cut")
        pushed(False)
        fake.scale("web", 5)
        wait_running("web", 5)
        fake.scale("web", 1)
        wait_running("web", 1)
        watch("normal")
        pushed(True)
        wait_said(was_pushed + 1, was_polled + 1)


@tap.test
def doubled_and_disordered_messages_do_no_harm():
    with no_storm(2):
        for action in ("duplicate", "disorder"):
            watch(action)
            for number in (4, 2, 6, 1):
                fake.scale("web", number)
                wait_running("web", number)
            create(action)
            fake.remove_service(action)
            blue.wait(lambda a=action: a not in blue.names(), what="removal")
            watch("normal")
        tap.equal(reader.status["push"], True)


def scale_until(predicate, what):
    """Changes until it is so; the last one's number."""
    numbers = []

    def changed():
        if not predicate():
            numbers.append(2 + len(numbers) % 3)
            fake.scale("web", numbers[-1])
        return predicate()
    procs.wait_for(changed, SOON * 2, what, 0.5)
    return numbers[-1]


@tap.test
def a_silent_stream_is_noticed_and_speaks_again():
    was_pushed, was_polled = said(PUSHED), said(POLLED)
    with no_storm(12):
        watch("silent")
        begun = time.monotonic()
        number = scale_until(lambda: reader.status["push"] is False,
                             "fallback")
        tap.note("noticed after %.1f s" % (time.monotonic() - begun))
        wait_running("web", number)
        tap.contains(reader.log(), "Watch said nothing of a change of service")
        number = scale_until(lambda: said("opening it again"), "a new stream")
        wait_running("web", number)
        tap.equal(said(POLLED), was_polled + 1)
        watch("normal")
        fake.scale("web", 1)
        pushed(True)
        wait_running("web", 1)
        wait_said(was_pushed + 1, was_polled + 1)


@tap.test
def a_server_that_is_not_swarmkit_means_polling():
    for action, word in (("refuse", "status 12"), ("hang", "start message")):
        watch(action)
        watch("cut")
        pushed(False)
        before = fake.sim("GET", "/watch").json["requests"]
        fake.scale("web", 4)
        wait_running("web", 4)
        procs.wait_for(lambda b=before: fake.sim("GET", "/watch").json[
            "requests"] > b, SOON, "another try", 0.05)
        watch("normal")
        pushed(True, SOON * 2)
        fake.scale("web", 1)
        wait_running("web", 1)


@tap.test
def garbage_ends_the_stream_and_loses_nothing():
    with no_storm(6):
        for junk in ("\x00\x00\x00\x00\x05hello", "\x00\x7f\x7f\x7f\x7f",
                     "junk!"):
            fake.raw("POST", "/_sim/watch/emit", junk)
            fake.scale("web", 3)
            wait_running("web", 3)
            fake.scale("web", 1)
            wait_running("web", 1)
            pushed(True)


@tap.test
def nothing_leaks_and_it_ends_in_order():
    descriptors = len(os.listdir("/proc/%d/fd" % reader.process.pid))
    for _ in range(20):
        before = fake.sim("GET", "/watch").json["requests"]
        watch("cut")
        procs.wait_for(lambda b=before: (fake.sim("GET", "/watch").json[
            "requests"] > b and fake.sim("GET", "/watch").json["clients"]),
            SOON, "a new stream")
    create("last")
    pushed(True)
    procs.wait_for(lambda: len(os.listdir(
        "/proc/%d/fd" % reader.process.pid)) <= descriptors + 2, SOON,
        "descriptors not to grow")
    tap.equal(reader.end(), 0)
    for word in (" error bulkhead", "ERROR: ", "runtime error"):
        tap.ok(word not in reader.log(), reader.log()[-2000:])


tap.main()
