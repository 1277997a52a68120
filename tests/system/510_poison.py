#!/usr/bin/env python3
"""A service that ends the extension, or hangs it, twice: found in a child,
set aside, and everybody else lives.  One that ends whoever reads it, the
reader of all clusters before all: the same."""

import os
import shutil
import time

import bulkhead
import engine
import procs
import tap
import witness

SERVICES = 40

fake = engine.FakeSwarm("--task-delay", "10ms")
system = None
bins = procs.TempDir("bh-poison-")


def start():
    """The programs as built, but for those that can be poisoned."""
    global system
    os.mkdir(bins.join("bin"))
    for name in ("proxyctl", "fakeswarm"):
        shutil.copy(procs.binary(name), bins.join("bin", name))
    for name in ("bulkhead-supervisor", "bulkhead-extension"):
        shutil.copy(os.path.join(procs.BUILD, "poison", name),
                    bins.join("bin", name))
    procs.BUILD = bins.path
    fake.start()
    fake.create_network("front")
    system = bulkhead.System(fake.socket)
    system.cluster("blue", text="[cluster]\ndefault = true\n")
    system.cluster("green")
    for i in range(SERVICES):
        publish("web%d" % i, "w%d.example" % i)
    publish("calm", "calm.example", service_cluster="green")
    system.start()
    system.wait_served("blue", "w0.example")
    system.wait_served("green", "calm.example")
    system.wait_applied("blue")


def publish(name, host, **labels):
    return fake.create_service(name, networks=["front"],
                               labels=bulkhead.lb(host, **labels))


def survives(name):
    """'name' is set aside and what came with it is served, in time."""
    pid = system.cluster_status("green")["pid"]
    watch = witness.Witness(system.clusters["blue"].where(),
                            host="w0.example").start()
    began = time.monotonic()
    publish(name, name + ".example")
    publish("with-" + name, "with-" + name + ".example")

    def found():
        return system.services()[name]["code"] == "bad-object"
    procs.wait_for(found, 120, name + " to be set aside", 0.1)
    system.wait_served("blue", "with-" + name + ".example")
    tap.note("%s: others live after %.1f s" % (
        name, time.monotonic() - began))
    tap.ok(time.monotonic() - began < 60, "later than 60 s")
    system.wait_applied("blue")
    tap.equal(watch.stop().failures, [])
    tap.equal(system.cluster_status("green")["pid"], pid)
    tap.equal(system.services()["web7"]["state"], "accepted")


@tap.test
def a_service_that_crashes_the_extension_is_set_aside():
    start()
    survives("poison-crash")


@tap.test
def a_service_that_hangs_the_extension_is_set_aside():
    survives("poison-hang")


@tap.test
def it_stays_so_across_a_restart_and_asking_about_it_is_safe():
    pid = system.cluster_status("blue")["pid"]
    os.kill(pid, 9)
    procs.wait_for(
        lambda: system.cluster_status("blue")["pid"] not in (pid, None, 0)
        and system.cluster_status("blue")["state"] == "ready"
        and system.services()["poison-crash"]["code"] == "bad-object",
        bulkhead.SOON, "the extension to be back")
    pid = system.cluster_status("blue")["pid"]
    code, out, _ = system.ctl("explain", "poison-crash", check=False)
    tap.equal(code, 1)
    tap.contains(out, "bug of ours")
    system.ctl("explain", "poison-crash.example", check=False)
    fake.create_service("marker", networks=["front"],
                        labels=bulkhead.lb("marker.example"))
    system.wait_served("blue", "marker.example")
    tap.equal(system.cluster_status("blue")["pid"], pid)


@tap.test
def a_service_that_ends_the_reader_is_left_out():
    survives("unreadable-crash")


@tap.test
def a_service_that_hangs_the_reader_is_left_out():
    survives("unreadable-hang")


@tap.test
def a_service_that_ends_the_extension_when_it_is_read_is_left_out():
    survives("unreadable-there")


@tap.test
def what_cannot_be_read_stays_out_across_a_restart_of_the_reader():
    pid = system.status()["reader"]["pid"]
    os.kill(pid, 9)
    procs.wait_for(lambda: system.status()["reader"]["pid"]
                   not in (pid, None, 0) and system.status()["ready"],
                   bulkhead.SOON, "the reader to be back")
    pid = system.status()["reader"]["pid"]
    publish("later", "later.example")
    system.wait_served("blue", "later.example")
    procs.wait_for(lambda: system.services()["unreadable-crash"]["code"]
                   == "bad-object", bulkhead.SOON, "it to be told of")
    tap.equal(system.status()["reader"]["pid"], pid)


@tap.test
def once_it_is_gone_nothing_is_left_of_it():
    fake.remove_service("unreadable-crash")
    procs.wait_for(lambda: "unreadable-crash" not in system.services(),
                   bulkhead.SOON, "the record to go", 0.1)


def end():
    if system is not None:
        if os.environ.get("KEEP_LOG"):
            shutil.copy(system.log, os.environ["KEEP_LOG"])
        system.stop()
    fake.stop()
    bins.remove()


tap.cleanup(end)
tap.main()
