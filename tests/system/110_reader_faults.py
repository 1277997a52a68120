#!/usr/bin/env python3
"""The reader when Docker is away, slow, wrong, or says too little."""

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
SERVICES = 8

fake = engine.FakeSwarm("--task-delay", "50ms", "--stop-lead", "300ms")
reader = reader_module.Reader(
    fake.socket, {"blue": ""},
    "poll_interval = 1s\nresync_interval = 1s\n")
tap.cleanup(reader.stop)
tap.cleanup(fake.stop)
blue = reader.watch("blue")


def fault(**how):
    fake.sim("POST", "/faults", how)


def heal():
    fake.sim("DELETE", "/faults")


def requests(path):
    return sum(n for key, n in fake.stats().items()
               if key.endswith(path))


def wait_requests(path, more, what):
    """Until so many further requests were made: the reader has looked."""
    start = requests(path)
    procs.wait_for(lambda: requests(path) >= start + more, 60, what)


def wait_settled():
    """Until the reader looks at tasks at its slow pace, four times over."""
    gaps = []

    def looked(since=[requests("/tasks"), time.monotonic()]):
        seen, then = since
        now = requests("/tasks")
        if now != seen:
            gaps.append(time.monotonic() - then)
            since[:] = [now, time.monotonic()]
        return len(gaps) >= 4 and min(gaps[-4:]) > 0.6
    procs.wait_for(looked, 120, "slow polls")


def all_there():
    return (len(blue.names()) == SERVICES
            and all(blue.running(n) for n in blue.names()))


def change(host):
    fake.set_label("s0", LB + "hosts", host)
    blue.wait(lambda: blue.label("s0", LB + "hosts") == host, what=host)


def untouched_by(path, mode, look, **more):
    """While the fault lasts and the reader looks, nothing is taken away."""
    mark = blue.mark()
    fault(path=path, mode=mode, **more)
    wait_requests(look, 3, "%s of %s" % (mode, path))
    tap.ok(all_there(), "services or tasks were lost")
    for message in blue.since(mark):
        tap.ok(message["type"] != "remove", "a removal")
    heal()
    change("after-%s.example" % mode)
    tap.ok(all_there(), "services or tasks were lost afterwards")


@tap.test
def without_docker_it_is_ready_to_be_asked_and_says_why():
    reader.start(ready=False)
    reader.wait(lambda: reader.status and reader.status["docker"]["error"]
                and not reader.status["docker"]["connected"],
                what="status without Docker")
    reader.ping()
    tap.equal(blue.messages, [])


@tap.test
def a_docker_that_comes_late_is_found():
    fake.start()
    fake.create_network("front")
    for i in range(SERVICES):
        fake.create_service("s%d" % i, networks=["front"], labels={
            LB + "hosts": "s%d.example" % i, LB + "port": "8080"})
    blue.wait(all_there, what="all services")


@tap.test
def errors_take_nothing_away():
    untouched_by("*", "error", "/services", status=500)


@tap.test
def cut_lists_take_nothing_away():
    untouched_by("/services", "cut", "/services")
    untouched_by("/tasks", "cut", "/tasks")


@tap.test
def noise_and_pages_take_nothing_away():
    untouched_by("/services", "noise", "/services")
    untouched_by("/tasks", "html", "/tasks")


@tap.test
def one_empty_list_of_services_takes_nothing_away():
    mark = blue.mark()
    fault(path="/services", mode="empty", count=1)
    wait_requests("/services", 3, "lists of services")
    tap.ok(all_there(), "services were lost")
    for message in blue.since(mark):
        tap.ok(message["type"] != "remove", "a removal")


@tap.test
def one_empty_list_of_tasks_takes_nothing_away():
    wait_settled()
    mark = blue.mark()
    fault(path="/tasks", mode="empty", count=1)
    wait_requests("/tasks", 3, "lists of tasks")
    tap.ok(all_there(), "tasks were lost")
    for message in blue.since(mark):
        for service in message["body"].get("services") or []:
            tap.ok(any(t["ServiceID"] == service["ID"]
                       for t in message["body"]["tasks"]), "no tasks")


@tap.test
def one_empty_list_of_networks_takes_nothing_away():
    fault(path="/networks", mode="empty", count=1)
    wait_requests("/networks", 3, "lists of networks")
    tap.equal(blue.network_names(), ["front"])


@tap.test
def three_equal_empty_lists_over_five_seconds_are_believed():
    start = time.monotonic()
    fault(path="/services", mode="empty")
    blue.wait(lambda: not blue.names(), deadline=60, what="no services")
    tap.ok(time.monotonic() - start >= 5, "believed too early")
    heal()
    blue.wait(all_there, deadline=60, what="all services again")


@tap.test
def removals_that_events_told_need_no_second_look():
    for i in range(2, SERVICES):
        fake.remove_service("s%d" % i)
    start = time.monotonic()
    blue.wait(lambda: blue.names() == ["s0", "s1"], what="two left")
    tap.note("removed after %.0f ms" % ((time.monotonic() - start) * 1e3))
    for i in range(2, SERVICES):
        fake.create_service("s%d" % i, networks=["front"], labels={
            LB + "hosts": "s%d.example" % i, LB + "port": "8080"})
    blue.wait(all_there, what="all services")


@tap.test
def single_looks_do_not_wait_for_a_slow_whole_list():
    slow = 9.0
    fault(path="/services", mode="slow", delay_ms=int(slow * 1000))
    wait_requests("/services", 1, "a slow list")
    before, mark = requests("/services"), blue.mark()
    for number in range(3):
        begun = time.monotonic()
        change("beside-%d.example" % number)
        took = time.monotonic() - begun
        tap.ok(took < slow / 4, "changed after %.1f s" % took)
        begun = time.monotonic()
        fake.create_service("quick%d" % number, networks=["front"], labels={
            LB + "hosts": "quick%d.example" % number, LB + "port": "8080"})
        blue.wait(lambda n=number: blue.running("quick%d" % n),
                  what="a new one that runs")
        took = time.monotonic() - begun
        tap.ok(took < slow / 2, "a new one after %.1f s" % took)
    tap.equal(requests("/services"), before, "other whole lists")
    heal()
    # The slow list, and one after it.
    wait_requests("/services", 2, "later lists")
    for message in blue.since(mark):
        tap.ok(message["type"] != "remove", "a removal")
    for number in range(3):
        fake.remove_service("quick%d" % number)
    blue.wait(all_there, what="only the first ones")


@tap.test
def lost_events_are_made_up_for_by_lists():
    fake.sim("POST", "/events/pause")
    change("paused.example")
    fake.sim("POST", "/events/resume")
    change("resumed.example")


@tap.test
def a_cut_event_stream_is_opened_again():
    before = requests("/events")
    fake.sim("POST", "/events/cut")
    change("cut.example")
    procs.wait_for(lambda: requests("/events") > before, 60, "new stream")
    change("again.example")


@tap.test
def a_docker_that_never_answers_stops_nothing_else():
    fault(path="*", mode="hang")
    for _ in range(20):
        reader.ping(5)
    tap.ok(all_there(), "services were lost")
    heal()
    change("unhung.example")


@tap.test
def garbage_in_the_event_stream_changes_nothing():
    for text in ('{"Type":"service","Action":"remove","Actor":{"ID":"x"}}',
                 '{"Type":7}', '{}', '[]', '"text"',
                 '{"Type":"service","Action":"update","Actor":null}'):
        fake.sim("POST", "/events/emit", text)
    change("garbage.example")
    tap.ok(all_there(), "services were lost")


@tap.test
def an_engine_that_is_gone_for_a_while_is_told_and_found_again():
    count = fake.process.pid
    os.kill(count, 19)
    try:
        reader.ping()
        tap.ok(all_there(), "services were lost")
    finally:
        os.kill(count, 18)
    change("continued.example")
    reader.wait(lambda: reader.status["docker"]["connected"],
                what="connected")


@tap.test
def a_parent_that_is_gone_ends_it():
    reader.link.shutdown(2)
    tap.equal(reader.process.wait(20), 0)
    tap.ok("ERROR: " not in reader.log(), reader.log()[-3000:])


tap.main()
