#!/usr/bin/env python3
"""The whole system, each of its processes in turn out of memory: while it
starts, while a service comes and goes, and while it stops."""

import os
import random
import re
import shutil
import signal
import threading
import time

import bulkhead
import engine
import procs
import tap
import torture
import witness

ROUNDS = 10 if torture.ALL else 2
STOPS = 8 if torture.ALL else 1
BURST = 40
# Each by the argument that tells it apart, and how the log names it.
ROLES = {"--role": "reader", "--cluster": "extension", "--worker": "worker",
         "agent": "keeper", "-c": "supervisor"}

generator = random.Random(torture.SEED)
fake = engine.FakeSwarm("--task-delay", "10ms")
controls = procs.TempDir("bh-failing-")
failing = {}
system = None
number = 0


def pids(role):
    """Of our processes, those of a role."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/cmdline" % name, "rb") as file:
                words = file.read().split(b"\0")[:-1]
            with open("/proc/%s/maps" % name) as file:
                ours = controls.path in file.read()
        except OSError:
            continue
        if len(words) > 1 and ours and role.encode() in (words[-1], words[1]):
            if role == "agent" and words[-1] == b"--worker":
                continue
            found.append(int(name))
    return found


def master():
    with open(os.path.join(system.run_dir, "proxies", "blue.0",
                           "nginx.pid")) as file:
        return int(file.read())


def start():
    """Everything preloaded, one service served."""
    global system
    for role in ROLES:
        failing[role] = torture.Failing(controls.join(role))
        failing[role].arm(0)
    os.environ.update(torture.preload(), FAILMALLOC_DIR=controls.path)
    try:
        system = bulkhead.System(fake.socket)
        system.cluster("blue", text="[cluster]\ndefault = true\n")
        system.start()
    finally:
        for name in ("LD_PRELOAD", "FAILMALLOC_DIR"):
            del os.environ[name]
    system.wait_served("blue", "calm.example")


def restart():
    """The supervisor as its container's engine would start it."""
    old = system.process
    tap.equal(old.popen.poll(), -signal.SIGABRT)
    env = dict(torture.preload(), FAILMALLOC_DIR=controls.path)
    system.process = procs.Process(old.argv, system.log, env=env)


def publish():
    global number
    number += 1
    host = "s%d.example" % number
    fake.create_service("s%d" % number, networks=["front"],
                        labels=bulkhead.lb(host))
    return host


def converges(host):
    """The new service is served and the one before it is not."""
    def alive():
        if not system.process.alive():
            restart()
        return system.get("blue", host).status == 200
    procs.wait_for(alive, 120, host + " to be served", 0.02)
    system.wait_served("blue", host)
    fake.remove_service(host.split(".")[0])


def logs():
    folder = os.path.join(system.run_dir, "log")
    return [system.log] + [os.path.join(folder, name)
                           for name in sorted(os.listdir(folder))]


class Log:
    """What the system says from here on, its local proxies' agents too."""

    def __init__(self):
        self.at = {path: os.path.getsize(path) for path in logs()}

    def text(self):
        found = ""
        for path in logs():
            with open(path, errors="replace") as file:
                file.seek(self.at.get(path, 0))
                found += file.read()
        return found


def check(what, log, role):
    """Whoever failed to allocate died alone, and in order."""
    text = torture.SANITIZERS_OWN.sub("", log.text())
    caller = failing[role].caller
    faults = r"(SIGBUS|Bus error|signal 7|SIGFPE|Illegal)"
    if "libnng" in caller:
        text = torture.NNGS_OWN.sub("", text)
    else:
        faults += "|Segmentation fault|SIGSEGV|signal 11"
    bad = torture.BROKEN.search(text) or re.search(faults, text)
    if bad:
        raise torture.Wrong("%s (for %s): %s\n%s" % (
            what, caller, bad.group(0),
            text[max(0, bad.start() - 1000):bad.end() + 4000]))


def one(role, how, first, last):
    what = "%s, %s, allocations %d-%d" % (ROLES[role], how, first, last)
    log = Log()
    before = pids(role)
    failing[role].arm(first, last)
    if how == "start":
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        if role == "-c":
            system.process.popen.wait()
            old = system.process
            system.process = procs.Process(
                old.argv, system.log,
                env=dict(torture.preload(), FAILMALLOC_DIR=controls.path))
    try:
        converges(publish())
    except (AssertionError, OSError) as error:
        raise torture.Wrong("%s (%d failed, for %s): %s\n%s" % (
            what, failing[role].failed, failing[role].caller, error,
            log.text()[-6000:])) from None
    failed = failing[role].failed
    failing[role].disarm()
    check(what, log, role)
    return failed > 0, "out of memory" in log.text()


def measure(role, how):
    """How many allocations it takes."""
    failing[role].arm(0)
    if how == "start":
        for pid in pids(role):
            os.kill(pid, signal.SIGKILL)
    converges(publish())
    return max(failing[role].count, 10)


def tortured(how, roles):
    counts = {}
    for role in roles:
        counts[role] = measure(role, how)
    tap.note("%s: allocations %s" % (how, {
        ROLES[r]: n for r, n in counts.items()}))
    nginx = master()
    met = died = 0
    watch = witness.Witness(system.clusters["blue"].where(),
                            host="calm.example").start()
    for turn in range(ROUNDS):
        if torture.ALL:
            # Whoever was ready for 5 s is started again at once.
            threading.Event().wait(5.5)
        for role in roles:
            first = generator.randint(1, counts[role])
            last = first + (BURST if turn % 2 else 0)
            began = time.monotonic()
            hit, said = one(role, how, first, last)
            met += hit
            died += said
            tap.note("%s %s %d-%d: %s%s %.1f s" % (
                ROLES[role], how, first, last, "met" if hit else "unmet",
                ", died" if said else "", time.monotonic() - began))
    watch.stop()
    tap.equal(watch.failures, [])
    tap.equal(master(), nginx, "nginx's master")
    tap.ok(met > 0 and died > 0, "%d met, %d died" % (met, died))


@tap.test
def whoever_is_out_of_memory_at_an_event_dies_alone_and_comes_back():
    fake.start()
    fake.create_network("front")
    fake.create_service("calm", networks=["front"],
                        labels=bulkhead.lb("calm.example"))
    start()
    tortured("event", ["--role", "--cluster", "--worker", "agent"])


@tap.test
def whoever_is_out_of_memory_when_it_starts_comes_back():
    tortured("start", ["--role", "--cluster", "--worker", "agent"])


@tap.test
def a_supervisor_out_of_memory_leaves_the_proxies_alone():
    count = measure("-c", "event")
    nginx = master()
    watch = witness.Witness(system.clusters["blue"].where(),
                            host="calm.example").start()
    for _ in range(ROUNDS):
        one("-c", "event", generator.randint(1, count), torture.EVER)
    watch.stop()
    tap.equal(watch.failures, [])
    tap.equal(master(), nginx, "nginx's master")


@tap.test
def a_stop_ends_everything_whoever_is_out_of_memory():
    for turn in range(STOPS):
        log = Log()
        for role in ROLES:
            first = generator.randint(1, 60)
            failing[role].arm(first, first + (BURST if turn % 2 else 0))
        system.process.kill(signal.SIGTERM)
        status = system.process.wait(30)
        tap.ok(status in (0, -signal.SIGABRT), "ended with %s" % status)
        for role in ROLES:
            check("stop", log, role)
            failing[role].arm(0)
        for role in ("--role", "--cluster"):
            procs.wait_for(lambda r=role: not pids(r), 12,
                           "no " + ROLES[role] + " left over")
        system.process = procs.Process(
            system.process.argv, system.log,
            env=dict(torture.preload(), FAILMALLOC_DIR=controls.path))
        system.wait_ready()
        converges(publish())
        system.wait_served("blue", "calm.example")


def end():
    if system is not None:
        if os.environ.get("KEEP_LOG"):
            shutil.copy(system.log, os.environ["KEEP_LOG"])
        system.stop()
    fake.stop()
    controls.remove()


tap.cleanup(end)
tap.main()
