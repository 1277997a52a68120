#!/usr/bin/env python3
"""What is told of how long a change took is true: every stage is stamped,
they follow each other and sum up, what a client saw lies within, and who is
held up is the one that the time is counted for."""

import json
import os
import re
import signal
import threading
import time

import bulkhead
import engine
import httpc
import procs
import tap
from bulkhead import lb

STAGES = ["read", "sent", "bus", "rendered", "told", "fetched", "checked",
          "served"]
# Told in tenths of a millisecond.
ROUNDING_MS = 0.1 * len(STAGES) + 1
TOTAL = re.compile(r"generation (\d+) is served by every proxy, (\d+) ms "
                   r"after Docker's change \(ms: (.*)\)$")
HOLD_S = 2.0

fake = engine.FakeSwarm("--task-delay", "50ms", push=True)
system = bulkhead.System(fake.socket, watch=fake.control)


def converged():
    """Generation to (total, stages in order), as proxyctl events tells."""
    found = {}
    for line in system.ctl("--json", "events")[1].splitlines():
        event = json.loads(line)
        match = TOTAL.match(event["text"])
        if event["kind"] == "converged" and match:
            stages = [part.split() for part in match.group(3).split(", ")]
            found[int(match.group(1))] = (
                float(match.group(2)),
                [(name, float(ms)) for name, ms in stages])
    return found


def histogram():
    """(seconds, changes) of bulkhead_convergence_seconds, all paths."""
    text = httpc.request("GET", system.socket, "/metrics").body.decode()

    def total(what):
        return sum(float(value) for value in re.findall(
            r"^bulkhead_convergence_seconds_%s\{cluster=\"blue\",path="
            r"\"\w+\"\} (\S+)$" % what, text, re.MULTILINE))
    return total("sum"), total("count")


def stamps():
    return httpc.get(
        os.path.join(system.run_dir, "control", "blue.sock"),
        "/v1/proxy/config?proxy=test&have=").json["stamps"]


def settled():
    """Both as they are once the last change is told of."""
    system.wait_applied("blue")

    def both():
        seconds, count = histogram()
        events = converged()
        tap.equal(count, len(events))
        tap.ok(system.generation("blue") in events, "the last is not told")
        return seconds, count
    return procs.wait_for(both, bulkhead.SOON, "what is told")


class Change:
    """A change of labels, what a client saw of it, and what was told."""

    number = 0

    def __init__(self, hold=lambda: None):
        Change.number += 1
        host = "change%d.example" % Change.number
        self.histogram = settled()
        known = system.generation("blue")
        hold()
        self.before = time.time()
        fake.set_label("web", "com.docker.lb.hosts", "web.example," + host)
        self.after = time.time()
        self.unserved = self.before

        def served():
            for index in range(2):
                asked = time.time()
                if system.get("blue", host, index=index).status != 200:
                    self.unserved = asked
                    return False
            return True
        procs.wait_for(served, bulkhead.SOON, host, 0.002)

        generation = system.generation("blue")
        tap.equal(generation, known + 1)
        procs.wait_for(lambda: generation in converged(), bulkhead.SOON,
                       "the event")
        self.told = time.time()
        self.total, self.stages = converged()[generation]
        tap.note("%d ms: %s" % (self.total, self.stages))

    def held_up(self, stage):
        """The time in which nothing went on is that stage's."""
        tap.ok(dict(self.stages)[stage] >= HOLD_S * 1e3 / 2,
               "%s: %s" % (stage, self.stages))
        tap.equal([name for name, _ in self.stages], STAGES)


def held(pid):
    """Stops a process, and lets it go on in a while."""
    os.kill(pid, signal.SIGSTOP)
    timer = threading.Timer(HOLD_S, os.kill, (pid, signal.SIGCONT))
    timer.start()


def worker(index):
    for pid in system.agent_pids():
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            words = f.read().split(b"\0")
        if b"--worker" in words and any(
                word.endswith(b"/blue.%d" % index) for word in words):
            return pid
    raise AssertionError("no worker of blue.%d" % index)


@tap.test
def all_stages_are_told_in_order_and_sum_up():
    for _ in range(3):
        change = Change()
        tap.equal([name for name, _ in change.stages], STAGES)
        tap.ok(all(ms >= 0 for _, ms in change.stages), change.stages)
        summed = sum(ms for _, ms in change.stages)
        tap.ok(abs(summed - change.total) <= ROUNDING_MS,
               "%s sum up to %.1f, not %.1f" % (
                   change.stages, summed, change.total))


@tap.test
def what_a_client_saw_lies_within():
    change = Change()
    found = stamps()
    commit = found["commit_us"] / 1e6
    # The Engine's time is the change's own.
    tap.ok(change.before - 0.001 <= commit <= change.after + 0.001,
           "%r is not from %r to %r" % (commit, change.before, change.after))
    end = commit + change.total / 1e3 + 0.001
    tap.ok(change.unserved <= end <= change.told + 0.001,
           "%r is not from %r to %r" % (end, change.unserved, change.told))


@tap.test
def the_stamps_follow_each_other():
    change = Change()
    found = stamps()
    order = ["commit_us", "read_us", "sent_us", "received_us", "rendered_us"]
    values = [found[name] for name in order]
    tap.equal(values, sorted(values), "stamps")
    told = dict(change.stages)
    for name, first, second in zip(STAGES, values, values[1:]):
        tap.ok(abs(told[name] - (second - first) / 1e3) <= 0.11,
               "%s: %.1f told, %d us stamped" % (
                   name, told[name], second - first))


@tap.test
def the_histogram_counts_each_change_once_and_as_long_as_it_took():
    change = Change()

    def counted():
        seconds, count = histogram()
        tap.equal(count, change.histogram[1] + 1)
        return seconds
    seconds = procs.wait_for(counted, bulkhead.SOON, "the histogram")
    took = (seconds - change.histogram[0]) * 1e3
    tap.ok(abs(took - change.total) <= 1,
           "%.1f ms counted, %.1f told" % (took, change.total))


@tap.test
def an_engine_that_answers_late_is_reading():
    fake.sim("POST", "/faults", {"path": "/services*", "mode": "slow",
                                 "delay_ms": int(HOLD_S * 1e3)})
    try:
        # An answer that was under way may show a change earlier.
        for _ in range(6):
            change = Change()
            if dict(change.stages)["read"] >= HOLD_S * 1e3 / 2:
                break
    finally:
        fake.sim("DELETE", "/faults")
    change.held_up("read")


@tap.test
def an_extension_that_is_held_up_is_the_bus():
    change = Change(lambda: held(system.cluster_status("blue")["pid"]))
    change.held_up("bus")


@tap.test
def an_agent_that_is_held_up_is_told_late():
    change = Change(lambda: held(worker(1)))
    change.held_up("told")


@tap.test
def a_change_of_tasks_is_told_in_the_same_way():
    settled()
    before = time.time()
    fake.scale("web", 3)
    system.wait_tasks("blue", "web.example", 3)
    settled()
    after = time.time()
    total, stages = converged()[system.generation("blue")]
    tap.equal([name for name, _ in stages], STAGES)
    tap.ok(0 <= total <= (after - before) * 1e3 + 1, total)


fake.start()
tap.cleanup(fake.stop)
fake.create_network("front")
fake.create_service("web", networks=["front"], replicas=2,
                    labels=lb("web.example"))
system.cluster("blue", replicas=2, text="[cluster]\ndefault = true\n")
tap.cleanup(system.stop)
system.start()
system.wait_tasks("blue", "web.example", 2)
# What is there at the start is no change; this is the first one.
system.wait_applied("blue")
fake.set_label("web", "com.docker.lb.hosts", "web.example,change0.example")
system.wait_served("blue", "change0.example")
tap.main()
