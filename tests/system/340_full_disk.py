#!/usr/bin/env python3
"""A run directory that is full: what is served stays served, the reason is
told, and everything catches up when there is room again; and a start with one
that is read-only."""

import ctypes
import os
import subprocess

import bulkhead
import engine
import procs
import tap
import witness
from bulkhead import lb

if os.geteuid() != 0:
    tap.skip_all("not root: a small file system cannot be mounted")

libc = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_REMOUNT = 1, 32
SIZE = b"size=24m"

fake = engine.FakeSwarm("--task-delay", "100ms")
system = bulkhead.System(fake.socket)
os.makedirs(system.run_dir)


def mount(flags, data):
    done = libc.mount(b"tmpfs", system.run_dir.encode(), b"tmpfs", flags,
                      data)
    return 0 if done == 0 else ctypes.get_errno()


if mount(0, SIZE) != 0:
    system.temp.remove()
    tap.skip_all("a small file system cannot be mounted here")


def fill():
    """Leaves no byte; the name of the file that takes them."""
    path = os.path.join(system.run_dir, "filler")
    with open(path, "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 65536)
        except OSError:
            pass
        try:
            while True:
                f.write(b"x")
        except OSError:
            pass
    return path


def told(words):
    """Some proxy or some log line tells of it."""
    errors = [p["error"] or "" for p in system.proxies("blue")]
    return words in " ".join(errors) or words in system.process.output()


@tap.test
def a_full_run_directory_changes_nothing_that_is_served():
    with witness.Witness(system.clusters["blue"].where(),
                         host="web.example") as w:
        filler = fill()
        fake.create_service("late", networks=["front"],
                            labels=lb("late.example"))
        procs.wait_for(lambda: told("No space left"), 60,
                       "the full disk to be told")
        w.wait_count(50)
        os.unlink(filler)
        system.wait_served("blue", "late.example", deadline=90)
    w.check()


@tap.test
def a_start_without_a_writable_run_directory_says_so():
    tap.equal(system.process.stop(30), 0)
    procs.wait_for(lambda: not system.agent_pids(), 30, "agents to end")
    error = mount(MS_REMOUNT | MS_RDONLY, SIZE)
    if error:
        tap.skip("cannot be made read-only: " + os.strerror(error))
    done = subprocess.run(
        [procs.binary("bulkhead-supervisor"), "-c", system.config],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    tap.ok(done.returncode in (1, 78), "exit %d" % done.returncode)
    tap.contains(done.stderr, system.run_dir)
    tap.contains(done.stderr, "Read-only file system")


tap.cleanup(lambda: subprocess.run(["umount", "-l", system.run_dir],
                                   check=False))
fake.start()
tap.cleanup(fake.stop)
fake.create_network("front")
system.cluster("blue")
tap.cleanup(system.stop)
fake.create_service("web", networks=["front"], replicas=2,
                    labels=lb("web.example"))
system.start()
system.wait_served("blue", "web.example")
tap.main()
