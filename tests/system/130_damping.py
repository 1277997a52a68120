#!/usr/bin/env python3
"""A service that crashes on and on is told of less often; nobody else feels
it, and what is removed goes at once."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import bulkhead  # noqa: E402
import engine  # noqa: E402
import httpc  # noqa: E402
import procs  # noqa: E402
import tap  # noqa: E402
from bulkhead import lb  # noqa: E402

# Six times what a change may take (design: 300 ms).
FIGURE = 1.8
SOON = bulkhead.SOON
BURST, PER_S = 20, 2

fake = engine.FakeSwarm("--no-serve", "--task-delay", "0ms",
                        "--restart-delay", "10ms", push=True)
fake.start()
tap.cleanup(fake.stop)
system = bulkhead.System(fake.socket, watch=fake.control)
tap.cleanup(system.stop)
fake.create_network("own")
for name, replicas in (("crashing", 20), ("beside", 2), ("leaving", 2)):
    fake.create_service(name, networks=["own"], replicas=replicas,
                        labels=lb(name + ".example", service_cluster="web"))
    fake.wait_running(name, replicas)
system.cluster("web", replicas=0)
system.start()
control = os.path.join(system.run_dir, "control", "web.sock")


def rendered():
    """Everything that the cluster's proxies are told, as one text."""
    manifest = httpc.get(control, "/v1/proxy/config?proxy=t&have=").json
    return "".join(
        httpc.get(control, "/v1/blob/" + f["sha256"]).body.decode(
            "utf-8", "replace") for f in manifest["files"])


def wait_rendered(host, there=True, deadline=FIGURE):
    procs.wait_for(lambda: (host in rendered()) is there, deadline,
                   "%s %s" % (host, "there" if there else "gone"), 0.02)


def reader():
    return system.status()["reader"]["status"]


def told():
    return reader()["events"]["watch"]


def messages():
    return reader()["clusters"]["web"]["messages"]


def more_told(number):
    since = told()
    procs.wait_for(lambda: told() >= since + number, 300,
                   "%d more changes" % number, 0.05)


@tap.test
def a_service_that_crashes_on_and_on_is_told_of_twice_a_second():
    wait_rendered("crashing.example", deadline=SOON)
    fake.sim("POST", "/churn/1000/crashing")
    more_told(1000)
    begun, before, events = time.monotonic(), messages(), told()
    more_told(15000)
    most = BURST + PER_S * (time.monotonic() - begun + 1)
    sent = messages() - before
    tap.note("%d changes, %d messages" % (told() - events, sent))
    tap.ok(1 <= sent <= most, "%d messages, at most %d" % (sent, most))


@tap.test
def what_another_service_changes_meanwhile_is_there_within_its_figure():
    for n in range(5):
        fake.set_label("beside", "com.docker.lb.hosts", "b%d.example" % n)
        wait_rendered("b%d.example" % n)


@tap.test
def another_service_that_is_removed_meanwhile_is_gone_within_its_figure():
    fake.remove_service("leaving")
    wait_rendered("leaving.example", there=False)


@tap.test
def the_one_that_crashes_is_gone_as_fast_when_it_is_removed():
    since = told()
    procs.wait_for(lambda: told() > since, SOON, "it to crash still", 0.02)
    fake.remove_service("crashing")
    wait_rendered("crashing.example", there=False)
    tap.ok("b4.example" in rendered(), "the other one stays")


@tap.test
def nothing_was_restarted_for_it():
    tap.equal(system.status()["reader"]["restarts"], 0)
    tap.equal([c["restarts"] for c in system.ask("/v1/clusters")["clusters"]],
              [0])


tap.main()
