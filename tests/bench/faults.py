"""make bench: what faults cost.  One line each, in one run."""

import json
import os
import shutil
import signal
import statistics
import subprocess
import threading
import time

import bulkhead
import engine
import httpc
import procs
import witness
from bulkhead import lb

ROUNDS = 5
FLOOD = 10000
ARRIVING_PER_S = 200
BLAME = 1000
# An nginx that refuses one host, without a word on where it stands, and
# counts how often it is asked.
TASTE = """#!/bin/sh
case " $* " in *" -t "*)
    echo >> %(folder)s/checks
    if grep -qs 'server_name.*refuse-mute' sites/*.conf; then
        echo "nginx: [emerg] something I dislike" >&2
        exit 1
    fi;;
esac
exec %(nginx)s "$@"
"""
PROXYCTL = """#!/bin/sh
[ "$1" = agent ] && exec %(real)s "$@" --nginx %(folder)s/nginx
exec %(real)s "$@"
"""


def calm(system, cluster):
    """Waits until a change is the first one after quiet (and is not
    gathered with the one before)."""
    where = os.path.join(system.run_dir, "control", cluster + ".sock")

    def quiet():
        stamps = httpc.get(
            where, "/v1/proxy/config?proxy=bench&have=").json["stamps"]
        return time.time() - stamps["rendered_us"] / 1e6 > 0.25
    procs.wait_for(quiet, 60, "quiet in " + cluster, 0.02)


def age(pid):
    """Seconds since it was started."""
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        ticks = int(f.read().rsplit(")", 1)[1].split()[19])
    return (time.clock_gettime(time.CLOCK_BOOTTIME) -
            ticks / os.sysconf("SC_CLK_TCK"))


class Scene:
    """A simulated Swarm, one cluster of two proxies, one service."""

    def __init__(self, *options, push=False, daemon="", replicas=2):
        self.fake = engine.FakeSwarm("--task-delay", "0ms", *options,
                                     push=push)
        self.system = bulkhead.System(
            self.fake.socket, daemon,
            watch=self.fake.control if push else "off")
        self.replicas, self.number = replicas, 0

    def __enter__(self):
        self.fake.start()
        self.fake.create_network("front")
        self.system.cluster("blue", replicas=self.replicas,
                            text="[cluster]\ndefault = true\n")
        self.system.start()
        self.fake.create_service("web", networks=["front"], replicas=2,
                                 labels=lb("web.example"))
        self.system.wait_served("blue", "web.example", deadline=120)
        return self

    def __exit__(self, *_):
        self.system.stop()
        self.fake.stop()

    def change(self, deadline=120.0):
        """Milliseconds from a change of labels until all proxies serve."""
        self.number += 1
        host = "h%d.example" % self.number
        start = time.monotonic()
        self.fake.set_label("web", "com.docker.lb.hosts",
                            "web.example," + host)
        return self.served(host, start, deadline)

    def served(self, host, start, deadline=120.0):
        for index in range(self.replicas):
            procs.wait_for(lambda i=index: self.system.get(
                "blue", host, "/", i).status == 200, deadline, host, 0.002)
        return (time.monotonic() - start) * 1000

    def settle(self):
        self.system.wait_ready()
        self.system.wait_applied("blue")
        calm(self.system, "blue")


def silent(line):
    """Nobody pushes: events held back, Watch open and silent."""
    daemon = "resync_interval = 10s\n"
    with Scene(push=True, daemon=daemon) as s:
        with_push = []
        for _ in range(ROUNDS):
            s.settle()
            with_push.append(s.change())
        s.fake.sim("POST", "/events/pause")
        s.fake.sim("POST", "/watch/silent")
        took = [s.change() for _ in range(ROUNDS)]
        line("every push channel silent", resync_s=10,
             pushed_ms=statistics.median(with_push),
             silent_p50_s=statistics.median(took) / 1e3,
             silent_max_s=max(took) / 1e3)


def pids_of(system, kind):
    """Processes of a kind that belong to this system's first proxy."""
    found = []
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                words = f.read().decode("latin-1").split("\0")
            folder = os.readlink("/proc/%s/cwd" % pid)
        except OSError:
            continue
        mine = folder.startswith(system.folder) and \
            folder.endswith("blue.0")
        if kind == "nginx master" and mine and \
                words[0].startswith("nginx: master"):
            found.append(int(pid))
        elif kind == "nginx worker" and mine and \
                words[0] == "nginx: worker process":
            found.append(int(pid))
        elif kind in ("keeper", "worker") and "agent" in words and \
                "blue.0" in words and any(system.folder in w for w in words):
            if ("--worker" in words) == (kind == "worker"):
                found.append(int(pid))
    return found


def victim(system, kind):
    if kind == "reader":
        return system.status()["reader"]["pid"]
    if kind == "extension":
        return system.cluster_status("blue")["pid"]
    if kind == "supervisor":
        return system.process.pid
    return pids_of(system, kind)[0]


def recovery(line):
    """A kill, and a change at the same moment: when it is served."""
    parts = [(k, signal.SIGKILL, ROUNDS) for k in (
        "reader", "extension", "supervisor", "worker", "keeper",
        "nginx master", "nginx worker")]
    parts += [("extension", signal.SIGSTOP, 3), ("reader", signal.SIGSTOP, 3)]
    with Scene() as s:
        calm = []
        for _ in range(ROUNDS):
            s.settle()
            calm.append(s.change())
        line("recovery: nothing killed", ms_p50=statistics.median(calm))
        for kind, number, rounds in parts:
            load = [witness.Witness(
                s.system.clusters["blue"].where(i), host="web.example",
                rate=100, expect=lambda body:
                json.loads(body)["service"] == "web").start()
                for i in range(s.replicas)]
            took = [strike(s, kind, number) for _ in range(rounds)]
            for w in load:
                w.stop()
            word = "kill" if number == signal.SIGKILL else "stop"
            line("recovery: %s %s" % (word, kind),
                 ms_p50=statistics.median(took), ms_max=max(took),
                 requests=sum(w.count for w in load),
                 failed=sum(len(w.failures) for w in load))


def strike(s, kind, number):
    s.settle()
    # What ends later than this starts again at once.
    least = 5.5 if kind in ("reader", "extension") else 1
    procs.wait_for(lambda: age(victim(s.system, kind)) > least, 60, kind)
    os.kill(victim(s.system, kind), number)
    if kind == "supervisor":
        s.system.process.wait(10)
        s.system.start(wait=False)
    return s.change()


def locks(line):
    del line
    subprocess.run([os.path.join(procs.BUILD, "bench", "locks")], check=True)


def flood(line):
    """A good service's change beside 10,000 that are rejected."""
    folder, parts = procs.TempDir("bh-bench-"), {}
    path = folder.join("flood.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"networks": [{"Name": "front", "Driver": "overlay"}],
                   "services": [{
                       "Name": "bad%d" % i,
                       "Labels": lb("x%d.example;" % i),
                       "TaskTemplate": {
                           "ContainerSpec": {"Image": "sim:1"}},
                       "Mode": {"Replicated": {"Replicas": 0}}}
                       for i in range(FLOOD)]}, f)
    try:
        with Scene() as s:
            calm = repeat_change(s, {})
        fake_only = Scene("--script", path)
        fake_only.fake.create_network = lambda name: None
        with fake_only as s:
            busy = repeat_change(s, parts)
        arriving(line)
    finally:
        folder.remove()
    line("beside %d rejected services" % FLOOD,
         alone_ms=statistics.median(calm), beside_ms=statistics.median(busy),
         ratio=statistics.median(busy) / statistics.median(calm),
         **{k: statistics.median(v) for k, v in parts.items()})


def arriving(line):
    """The same while more and more of them are created.  Past the first 254
    their addresses are none of the network's: odd objects, too."""
    made, end = [], threading.Event()

    def create(s):
        while not end.wait(1 / ARRIVING_PER_S):
            s.fake.create_service("bad%d" % len(made), networks=["front"],
                                  replicas=0,
                                  labels=lb("x%d.example;" % len(made)))
            made.append(1)
    with Scene(push=True) as s:
        calm = [s.change() for _ in range(3 * ROUNDS)]
        maker = threading.Thread(target=create, args=(s,))
        maker.start()
        try:
            procs.wait_for(lambda: len(made) > 1000, 120, "the flood")
            busy = [s.change() for _ in range(3 * ROUNDS)]
        finally:
            end.set()
            maker.join()
        restarts = s.system.cluster_status("blue")["restarts"]
    line("while they arrive", created=len(made),
         alone_ms=statistics.median(calm), beside_ms=statistics.median(busy),
         worst_ms=max(busy), restarts=restarts,
         ratio=statistics.median(busy) / statistics.median(calm))


def repeat_change(s, parts):
    """Milliseconds of changes; those of their parts go to 'parts'."""
    took = []
    for _ in range(3 * ROUNDS):
        s.settle()
        start = time.time()
        took.append(s.change())
        end = time.time()
        stamps = httpc.get(
            os.path.join(s.system.run_dir, "control", "blue.sock"),
            "/v1/proxy/config?proxy=bench&have=").json["stamps"]
        times = [start * 1e3, stamps["sent_us"] / 1e3,
                 stamps["received_us"] / 1e3, stamps["rendered_us"] / 1e3,
                 end * 1e3]
        for i, name in enumerate(("reader", "bus", "extension", "agent")):
            parts.setdefault(name, []).append(times[i + 1] - times[i])
    return took


def write_program(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o755)


def blame(line):
    """One of 1,001 is refused: it comes to a cluster that stands, and it is
    there from the start, when all are under suspicion."""
    bins, build = procs.TempDir("bh-bench-"), procs.BUILD
    os.mkdir(bins.join("bin"))
    for name in ("bulkhead-supervisor", "bulkhead-extension", "fakeswarm"):
        shutil.copy(procs.binary(name), bins.join("bin", name))
    words = {"folder": bins.path, "real": procs.binary("proxyctl"),
             "nginx": shutil.which("nginx", path="/usr/sbin:/usr/bin")}
    write_program(bins.join("nginx"), TASTE % words)
    write_program(bins.join("bin", "proxyctl"), PROXYCTL % words)
    procs.BUILD = bins.path
    try:
        for cold in (False, True):
            blame_once(line, bins.join("checks"), cold)
    finally:
        procs.BUILD = build
        bins.remove()


def checks(path):
    with open(path, encoding="ascii") as f:
        return len(f.readlines())


def blame_once(line, path, cold):
    fake = engine.FakeSwarm("--task-delay", "0ms", "--no-serve")
    system = bulkhead.System(fake.socket)

    def publish(name, host, network="front"):
        fake.create_service(name, networks=[network], replicas=0,
                            labels=lb(host))

    def live():
        if system.get("blue", "after.example").status != 503:
            return False
        found = system.services()
        return found["bad"]["code"] == "engine-refused" and \
            system.generation("blue") > 0 and \
            all(p["applied"] == p["generation"] > 0
                for p in system.proxies("blue"))
    try:
        fake.start()
        fake.create_network("front")
        system.cluster("blue", replicas=1, text="[cluster]\ndefault = true\n")
        for i in range(0, BLAME, 200):  # a subnet has 254 addresses
            fake.create_network("n%d" % (i // 200))
        for i in range(BLAME):
            publish("web%d" % i, "w%d.example" % i, "n%d" % (i // 200))
        if not cold:
            system.start()
            procs.wait_for(lambda: len(system.services()) == BLAME, 60)
            system.wait_applied("blue", 60)
        start, before = time.monotonic(), checks(path) if not cold else 0
        if cold:
            open(path, "w", encoding="ascii").close()
        publish("bad", "refuse-mute.example")
        publish("after", "after.example")
        if cold:
            start = time.monotonic()
            system.start()
        procs.wait_for(live, 120, "the rest to be live", 0.01)
        line("blame: 1 of %d, %s" % (BLAME, "from the start" if cold else
                                     "comes later"),
             rest_live_ms=(time.monotonic() - start) * 1000,
             checks=checks(path) - before)
    finally:
        system.stop()
        fake.stop()


PARTS = {"silent": silent, "recovery": recovery, "locks": locks,
         "flood": flood, "blame": blame}
