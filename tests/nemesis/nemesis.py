#!/usr/bin/env python3
"""Nemesis: the whole system, five clusters under load, while somebody kills,
stops, fills, cuts and lies; then everything must be as the model says.

usage: nemesis.py [--seconds T] [--seed S] [--keep FILE]

Rounds of faults and random changes of services; after each round all faults
end and the system must converge.  Counted all the while: failed requests of
services that nobody touches (0), and answers by a service that never had the
host and path (0).  Exit 0: all held.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "lib"), HERE]

import bulkhead  # noqa: E402
import engine  # noqa: E402
import model  # noqa: E402
import procs  # noqa: E402
import witness  # noqa: E402

CLUSTERS = ["c0", "c1", "c2", "c3", "c4"]
REPLICAS = {"c0": 2}
NETWORKS = ["front", "back"]
PATHS = ["/", "/", "/a", "/b"]
ROUND_S = 8.0
CONVERGE_S = 45.0


def say(text, *arguments):
    print("# %8.3f " % time.monotonic() + text % arguments, flush=True)


class Prober(threading.Thread):
    """Asks random hosts and paths; only who answers is judged."""

    def __init__(self, nemesis, seed):
        super().__init__(daemon=True)
        self.nemesis = nemesis
        self.random = random.Random(seed)
        self.end = threading.Event()
        self.asked = 0
        self.misroutes = []

    def run(self):
        system = self.nemesis.system
        while not self.end.wait(0.02):
            name = self.random.choice(CLUSTERS)
            host = self.random.choice(self.nemesis.hosts(name))
            path = self.random.choice(["/x", "/a/x", "/b"])
            try:
                answer = system.get(name, host, path, timeout=5)
                body = answer.json if answer.status == 200 else None
            except (OSError, ValueError, AssertionError):
                continue
            self.asked += 1
            if body is None:
                continue
            roots = {"/"} | {r for r in ("/a", "/b")
                             if path == r or path.startswith(r + "/")}
            if not any((name, host, root, body["service"])
                       in self.nemesis.claims for root in roots):
                self.misroutes.append((name, host, path, body["service"]))


class Nemesis:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.fake = engine.FakeSwarm("--task-delay", "50ms",
                                     "--restart-delay", "200ms",
                                     "--seed", str(seed))
        self.system = None
        self.number = 0
        self.services = {}   # those that change: name -> cluster
        self.claims = set()  # (cluster, host, root, service), ever
        self.stopped = set()
        self.full = None     # path of the file that fills the disk
        self.mounted = False
        self.faults = {}
        self.worst = 0.0
        self.scene = ""
        self.changes = {}

    # ---- the scene ----

    def hosts(self, cluster):
        return ["h%d.%s.example" % (i, cluster) for i in range(5)]

    def set_up(self):
        self.fake.start()
        for network in NETWORKS:
            self.fake.create_network(network)
        folder = procs.TempDir("bh-nemesis-")
        if os.geteuid() == 0:
            done = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=96m", "none",
                 folder.path], capture_output=True, check=False)
            self.mounted = done.returncode == 0
        self.system = bulkhead.System(self.fake.socket, folder=folder.path)
        self.system.temp = folder
        for name in CLUSTERS:
            self.system.cluster(name, replicas=REPLICAS.get(name, 1))
            self.create("steady-" + name, name, "steady.%s.example" % name,
                        "/", "front", 2)
        self.system.start()
        for name in CLUSTERS:
            self.system.wait_served(name, "steady.%s.example" % name)
            for _ in range(3):
                self.new_service(name)
        self.converge()

    def create(self, name, cluster, hosts, path, network, replicas):
        labels = bulkhead.lb(hosts, service_cluster=cluster,
                             context_root=path)
        self.note(name, cluster, hosts, path)
        self.fake.create_service(name, networks=[network], labels=labels,
                                 replicas=replicas)

    def note(self, name, cluster, hosts, path):
        for host in hosts.split(","):
            self.claims.add((cluster, host, path, name))

    # ---- changes ----

    def new_service(self, cluster=None):
        cluster = cluster or self.random.choice(CLUSTERS)
        name = "s%d" % self.number
        self.number += 1
        hosts = ",".join(self.random.sample(
            self.hosts(cluster), self.random.choice([1, 1, 2])))
        self.services[name] = cluster
        self.create(name, cluster, hosts, self.random.choice(PATHS),
                    self.random.choice(NETWORKS), self.random.randrange(4))

    def change(self):
        """One random change, as an operator or a deployment makes it."""
        if len(self.services) < 6 or self.random.random() < 0.2:
            self.changes["create"] = self.changes.get("create", 0) + 1
            self.new_service()
            return
        name = self.random.choice(sorted(self.services))
        what = self.random.choice(
            ["remove", "scale", "scale", "relabel", "relabel", "bad", "move",
             "image", "fail"])
        self.changes[what] = self.changes.get(what, 0) + 1
        if what == "remove" and len(self.services) > 8:
            del self.services[name]
            self.fake.remove_service(name)
        elif what == "scale":
            self.fake.scale(name, self.random.randrange(4))
        elif what in ("relabel", "move", "bad"):
            self.relabel(name, what)
        elif what == "image":
            def edit(spec):
                container = spec["TaskTemplate"]["ContainerSpec"]
                container["Image"] = "sim:%d" % self.random.randrange(99)
            self.fake.update_service(name, edit)
        elif what == "fail":
            tasks = self.fake.running(name)
            if tasks:
                task = self.random.choice(sorted(t["ID"] for t in tasks))
                self.fake.sim("POST", "/tasks/%s/fail" % task)

    def relabel(self, name, what):
        cluster = self.services[name]
        if what == "move":
            cluster = self.random.choice(CLUSTERS)
        path = self.random.choice(PATHS)
        hosts = ",".join(self.random.sample(self.hosts(cluster), 1))
        self.note(name, cluster, hosts, path)
        self.services[name] = cluster

        def edit(spec):
            spec["Labels"].update(bulkhead.lb(
                hosts + (" {" if what == "bad" else ""),
                service_cluster=cluster, context_root=path))
        self.fake.update_service(name, edit)

    # ---- faults ----

    def processes(self):
        """Kind to pids of all that belongs to the system."""
        found = {}
        for pid in os.listdir("/proc"):
            if not pid.isdigit():
                continue
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    words = f.read().decode("latin-1").split("\0")
                if not any(self.system.folder in w for w in words):
                    continue
            except OSError:
                continue
            base = os.path.basename(words[0])
            if "agent" in words:
                kind = "worker" if "--worker" in words else "keeper"
            elif base == "bulkhead-extension":
                kind = "extension"
            elif base == "bulkhead-supervisor":
                kind = ("supervisor" if self.system.process is not None
                        and int(pid) == self.system.process.pid
                        else "reader")
            elif words[0].startswith("nginx: master") or base == "nginx":
                # "nginx -t" of a check names a scratch folder.
                kind = "check" if "-t" in words[0].split() or \
                    "-t" in words else "master"
            else:
                continue
            found.setdefault(kind, []).append(int(pid))
        return found

    def pick(self, kind):
        pids = sorted(self.processes().get(kind, []))
        return self.random.choice(pids) if pids else None

    def hit(self, kind, number):
        pid = self.pick(kind)
        if pid is None:
            return
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        if number == signal.SIGSTOP:
            self.stopped.add(pid)

    def go_on(self):
        for pid in list(self.stopped):
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        self.stopped.clear()

    def revive(self):
        if not self.system.process.alive():
            self.system.start(wait=False)

    def engine_fault(self):
        path = self.random.choice(
            ["/tasks", "/services", "/networks", "/events", "/services*"])
        mode = self.random.choice(
            ["error", "cut", "empty", "hang", "drop", "noise", "html"])
        # The third of the same lists is believed, as it should be.
        count = self.random.randrange(1, 3 if mode == "empty" else 5)
        say("%s on %s, %d times", mode, path, count)
        self.fake.sim("POST", "/faults", {
            "path": path, "mode": mode, "status": 500, "count": count})

    def fill_disk(self):
        if not self.mounted:
            return
        self.full = os.path.join(self.system.folder, "full")
        with open(self.full, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"\0" * 65536)
            except OSError:
                pass

    def free_disk(self):
        if self.full is not None:
            os.unlink(self.full)
            self.full = None

    def deafen(self):
        """The bus loses its name: nobody new can dial it."""
        name = self.random.choice(CLUSTERS)
        path = os.path.join(self.system.run_dir, "bus", name)
        for entry in os.listdir(path):
            os.unlink(os.path.join(path, entry))

    def fault(self):
        kinds = [
            ("kill reader", lambda: self.hit("reader", signal.SIGKILL)),
            ("kill extension", lambda: self.hit("extension", signal.SIGKILL)),
            ("kill worker", lambda: self.hit("worker", signal.SIGKILL)),
            ("kill keeper", lambda: self.hit("keeper", signal.SIGKILL)),
            ("kill master", lambda: self.hit("master", signal.SIGKILL)),
            ("kill supervisor", lambda: self.hit("supervisor",
                                                 signal.SIGKILL)),
            ("stop reader", lambda: self.hit("reader", signal.SIGSTOP)),
            ("stop extension", lambda: self.hit("extension", signal.SIGSTOP)),
            ("stop worker", lambda: self.hit("worker", signal.SIGSTOP)),
            ("term extension", lambda: self.hit("extension",
                                                signal.SIGTERM)),
            ("engine", self.engine_fault),
            ("engine", self.engine_fault),
            ("cut events", lambda: self.fake.sim("POST", "/events/cut")),
            ("pause events", lambda: self.fake.sim("POST", "/events/pause")),
            ("deafen", self.deafen),
            ("full disk", self.fill_disk),
            ("nothing", lambda: None),
        ]
        name, action = self.random.choice(kinds)
        say("%s", name)
        self.faults[name] = self.faults.get(name, 0) + 1
        action()

    def heal(self):
        self.go_on()
        self.free_disk()
        self.fake.sim("DELETE", "/faults")
        self.fake.sim("POST", "/events/resume")
        self.revive()

    def round(self, until):
        while time.monotonic() < until:
            self.fault()
            for _ in range(self.random.choice([0, 1, 1, 3])):
                try:
                    self.change()
                except (AssertionError, OSError, KeyError) as error:
                    say("change: %s", str(error)[:100])  # a fault met it
            time.sleep(self.random.uniform(0.2, 1.2))
            self.revive()
            if self.random.random() < 0.5:
                self.go_on()
            self.free_disk()

    # ---- what must be so ----

    def check_route(self, name, index, host, root, pool):
        tasks = set().union(*pool.values()) if pool else set()
        target = "/x" if root == "/" else root + "/x"
        where = "%s.%d %s%s" % (name, index, host, target)
        if not tasks:
            status = self.system.get(name, host, target, index).status
            return None if status == 503 else "%s: %d, not 503" % (
                where, status)
        seen = set()
        for _ in range(6 * len(tasks) + 6):
            answer = self.system.get(name, host, target, index)
            if answer.status != 200:
                return "%s: %d" % (where, answer.status)
            seen.add(answer.json["task"])
            if seen >= tasks:
                break
        return None if seen == tasks else "%s: %s, not %s" % (
            where, sorted(seen), sorted(tasks))

    def check_cluster(self, name, wanted, services):
        got = {s["service"] for s in services
               if s["cluster"] == name and s["state"] == "rejected"}
        if got != wanted.rejected:
            return "%s rejects %s, not %s" % (
                name, sorted(got), sorted(wanted.rejected))
        for index in range(self.system.clusters[name].replicas):
            for (host, root), pool in sorted(wanted.routes.items()):
                wrong = self.check_route(name, index, host, root, pool)
                if wrong:
                    return wrong
            for host in self.hosts(name):
                known = {r for h, r in wanted.routes if h == host}
                if "/" in known:
                    continue
                status = self.system.get(name, host, "/x", index).status
                if status != (404 if known else 503):
                    return "%s.%d %s/x: %d" % (name, index, host, status)
        return None

    def differs(self):
        wanted = model.compute(self.fake.get("/services"),
                               self.fake.get("/tasks"), CLUSTERS)
        services = self.system.ask("/v1/services")["services"]
        self.scene = "%d services, %d rejected, %d routes, %d tasks" % (
            sum(len(c.accepted) for c in wanted.values()),
            sum(len(c.rejected) for c in wanted.values()),
            sum(len(c.routes) for c in wanted.values()),
            sum(len(t) for c in wanted.values()
                for pool in c.routes.values() for t in pool.values()))
        for name in CLUSTERS:
            wrong = self.check_cluster(name, wanted[name], services)
            if wrong:
                return wrong
        return None

    def converge(self):
        began = time.monotonic()
        wrong = "nothing was looked at"
        while time.monotonic() - began < CONVERGE_S:
            try:
                wrong = self.differs()
            except (AssertionError, OSError, ValueError, KeyError) as error:
                wrong = "%s: %s" % (type(error).__name__, error)
            if wrong is None:
                took = time.monotonic() - began
                self.worst = max(self.worst, took)
                say("converged after %.1f s: %s", took, self.scene)
                return
            time.sleep(0.2)
        raise AssertionError("not converged after %.0f s: %s" % (
            CONVERGE_S, wrong))

    def tear_down(self, keep):
        if self.system is not None:
            self.go_on()
            self.free_disk()
            if keep:
                shutil.copy(self.system.log, keep)
            try:
                if self.system.process is not None \
                        and self.system.process.alive():
                    self.system.process.stop(40)
            finally:
                self.system.end_agents()
                if self.mounted:
                    subprocess.run(["umount", "-l", self.system.folder],
                                   check=False)
                self.system.temp.remove()
        self.fake.stop()

    def sweep(self):
        """What no log may have in it."""
        with open(self.system.log, errors="replace") as f:
            bad = [line.strip() for line in f
                   if "Sanitizer" in line or "runtime error" in line
                   or ": must(" in line or "assertion" in line.lower()]
        return bad


def run(seconds, seed, keep=None):
    """A dict of what was counted; AssertionError where something broke."""
    nemesis = Nemesis(seed)
    watches = []
    prober = None
    try:
        nemesis.set_up()
        for name in CLUSTERS:
            for index in range(REPLICAS.get(name, 1)):
                def is_mine(body, name=name):
                    try:
                        return json.loads(body)["service"] == "steady-" + name
                    except (ValueError, KeyError):
                        return False
                watches.append(witness.Witness(
                    nemesis.system.clusters[name].where(index),
                    host="steady.%s.example" % name, threads=1, rate=25.0,
                    expect=is_mine).start())
        prober = Prober(nemesis, seed)
        prober.start()
        end = time.monotonic() + seconds
        rounds = 0
        while rounds == 0 or time.monotonic() < end - 2:
            nemesis.round(min(end, time.monotonic() + ROUND_S))
            nemesis.heal()
            nemesis.converge()
            rounds += 1
        bad = nemesis.sweep()
        if bad:
            raise AssertionError("log: " + "\n".join(bad[:5]))
    finally:
        for watch in watches:
            watch.stop()
        if prober is not None:
            prober.end.set()
            prober.join(10)
        nemesis.tear_down(keep)
    failures = [f for w in watches for f in w.failures]
    for watch in watches:
        if watch.failures:
            say("%s: %d failed, from %.3f to %.3f: %s", watch.host,
                len(watch.failures), watch.failures[0].time,
                watch.failures[-1].time, repr(watch.failures[0])[:150])
    return {"seed": seed, "rounds": rounds,
            "requests": sum(w.count for w in watches),
            "failed": failures, "probes": prober.asked,
            "misroutes": prober.misroutes, "worst_s": nemesis.worst,
            "faults": nemesis.faults, "changes": nemesis.changes}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", help="copy of the supervisor's log")
    options = parser.parse_args()
    seed = options.seed
    if seed is None:
        seed = int.from_bytes(os.urandom(3), "big")
    say("seed %d", seed)
    done = run(options.seconds, seed, options.keep)
    for failure in done["failed"][:10]:
        say("failed at %.3f: %r", failure.time, failure)
    for misroute in done["misroutes"][:10]:
        say("misroute: %r", misroute)
    print("nemesis: seed %d, %d rounds, %d requests, %d failed, %d probes, "
          "%d misroutes, converged after %.1f s at most; %s; %s" % (
              seed, done["rounds"], done["requests"], len(done["failed"]),
              done["probes"], len(done["misroutes"]), done["worst_s"],
              ", ".join("%s %d" % f for f in sorted(done["faults"].items())),
              ", ".join("%s %d" % f
                        for f in sorted(done["changes"].items()))))
    return 1 if done["failed"] or done["misroutes"] else 0


if __name__ == "__main__":
    sys.exit(main())
