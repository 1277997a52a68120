#!/usr/bin/env python3
"""A wall clock that jumps by seconds, days and years, both ways: it stamps
logs, and nothing else notices."""

import os
import sys
import time

sys.path.insert(0, os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "nemesis"))

import bulkhead  # noqa: E402
import engine  # noqa: E402
import faults  # noqa: E402
import procs  # noqa: E402
import tap  # noqa: E402
import witness  # noqa: E402
from bulkhead import lb  # noqa: E402

STEPS = [-30, 30, -86400, 86400 * 400, -86400 * 4000, 0]

# Programs with a clock of their own (nemesis/clock.c), which looks for it in
# a folder of this name.
procs.BUILD = os.path.join(procs.BUILD, "stepped")
if not os.path.exists(procs.binary("bulkhead-supervisor")):
    tap.skip_all("no programs whose clock can be set were built")
folder = procs.TempDir("bh-nemesis-")
clock = faults.Clock(folder.path)
fake = engine.FakeSwarm("--task-delay", "20ms", push=True)
system = bulkhead.System(fake.socket, folder=folder.path, watch=fake.control)
system.temp = folder
number = 0


def change():
    global number
    number += 1
    host = "n%d.example" % number
    fake.set_label("web", "com.docker.lb.hosts", "web.example," + host)
    system.wait_served("blue", host)
    system.wait_applied("blue")


def figures():
    detail = system.detail("blue")
    status = system.status()
    return {"generation": detail["generation"],
            "reloads": detail["reloads"], "push": status["push"],
            "reader": status["reader"]["pid"],
            "extension": system.cluster_status("blue")["pid"],
            "agents": sorted(system.agent_pids())}


@tap.test
def it_stands():
    build, procs.BUILD = procs.BUILD, os.path.dirname(procs.BUILD)
    fake.start()
    procs.BUILD = build
    fake.create_network("front")
    system.cluster("blue", replicas=2, text="[cluster]\ndefault = true\n")
    system.start()
    fake.create_service("web", networks=["front"], replicas=2,
                        labels=lb("web.example"))
    system.wait_served("blue", "web.example")
    change()


@tap.test
def steps_start_nothing_end_nothing_and_hold_up_nothing():
    procs.wait_for(lambda: system.status()["push"], bulkhead.SOON, "push")
    before = figures()
    with witness.Load(system, [("blue", "web.example", "web")]) as clients:
        for step in STEPS:
            clock.set(step * 1000000)
            clients.all[0].wait_count(40)
            after = figures()
            changed = {k for k in after if after[k] != before[k]}
            tap.ok(not changed, "%+d s: %r" % (step, changed))
            change()
            before = figures()
        clients.check()


@tap.test
def the_clock_did_jump():
    clock.set(86400 * 4000 * 1000000)
    year = time.gmtime(time.time() + 86400 * 4000).tm_year
    system.ctl("log", "debug")
    change()

    def stamped():
        with open(system.log, encoding="utf-8", errors="replace") as f:
            return any(line.startswith("%d-" % year) and
                       "bulkhead-extension" in line for line in f)
    procs.wait_for(stamped, bulkhead.SOON, "a line of that year")


@tap.test
def it_ends_in_order():
    tap.equal(system.stop(), 0)


try:
    tap.main()
finally:
    system.stop()
    fake.stop()
