#!/usr/bin/env python3
"""Nemesis: the whole system, five clusters under load, while somebody kills,
stops, fills, cuts and lies; then everything must be as the model says.

usage: nemesis.py [--seconds T] [--seed S] [--poll] [--keep DIR]

Rounds of faults and random changes of services; after each round all faults
end and the system must converge.  Counted all the while: failed requests of
services that nobody touches (0; those that a killed nginx worker had begun
are told apart), and answers by a service that never had the host and path
(0).  At the end the sweep (sweep.py).  Exit 0: all held.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "lib"), HERE]

import procs  # noqa: E402

# The programs whose wall clock can be set (clock.c), where they are built.
STEPPED = os.path.join(procs.BUILD, "stepped", "bin")


def stepped(name):
    path = os.path.join(STEPPED, name)
    return path if os.path.exists(path) else os.path.join(
        procs.BUILD, "bin", name)


procs.binary = stepped

import bulkhead  # noqa: E402
import engine  # noqa: E402
import faults  # noqa: E402
import forward  # noqa: E402
import model  # noqa: E402
import sweep  # noqa: E402
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
            except (OSError, ValueError, AssertionError,
                    http.client.HTTPException):
                continue
            self.asked += 1
            if body is None:
                continue
            roots = {"/"} | {r for r in ("/a", "/b")
                             if path == r or path.startswith(r + "/")}
            if not any((name, host, root, body["service"])
                       in self.nemesis.claims for root in roots):
                self.misroutes.append((name, host, path, body["service"]))


class Impatient(engine.FakeSwarm):
    """Changes meet the faults too: they do not wait for those to end."""

    def raw(self, method, target, body=None, timeout=3, headers=None):
        try:
            return super().raw(method, target, body, min(timeout, 3),
                               headers)
        except http.client.HTTPException as error:
            raise OSError(repr(error)) from None


class Nemesis:
    def __init__(self, seed, push):
        self.random = random.Random(seed)
        self.push = push
        self.names = CLUSTERS
        self.fake = Impatient("--task-delay", "50ms", "--restart-delay",
                              "200ms", "--seed", str(seed), push=push)
        self.front = None    # a forwarder before the fake's socket
        self.system = None
        self.number = 0
        self.services = {}   # those that change: name -> cluster
        self.claims = set()  # (cluster, host, root, service), ever
        self.mounted = False
        self.faults = faults.Faults(self)
        self.took = []       # seconds to each convergence
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
            self.mounted = faults.mount(folder.path, "96m")
        self.faults.clock = faults.Clock(folder.path)
        self.front = forward.Forward(
            self.fake.socket, folder.join("docker.sock")).start()
        self.system = bulkhead.System(
            self.front.where, folder=folder.path,
            watch=self.fake.control if self.push else "off")
        self.system.temp = folder
        if self.mounted:
            self.small_disks()
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

    def small_disks(self):
        for name in ("c0.0", "c1.0"):
            path = os.path.join(self.system.run_dir, "proxies", name)
            os.makedirs(path)
            if faults.mount(path, "16m"):
                self.faults.small[name] = path

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

    # ---- rounds ----

    def say(self, text, *arguments):
        say(text, *arguments)

    def revive(self):
        if not self.system.process.alive():
            self.system.start(wait=False)

    def heal(self):
        self.faults.heal()
        self.revive()

    def round(self, until):
        while time.monotonic() < until:
            self.faults.burst()
            for _ in range(self.random.choice([0, 1, 1, 3])):
                try:
                    self.change()
                except (AssertionError, OSError, KeyError,
                        ValueError) as error:
                    say("change: %s", str(error)[:100])  # a fault met it
            time.sleep(self.random.uniform(0.2, 1.2))
            self.faults.free_disk()
            self.revive()
            self.faults.go_on_in_time()
            if self.random.random() < 0.5:
                self.faults.go_on()

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
            except (AssertionError, OSError, ValueError, KeyError,
                    http.client.HTTPException) as error:
                wrong = "%s: %s" % (type(error).__name__, error)
            if wrong is None:
                took = time.monotonic() - began
                self.took.append(took)
                say("converged after %.1f s: %s", took, self.scene)
                return
            time.sleep(0.2)
        self.picture()
        raise AssertionError("not converged after %.0f s: %s" % (
            CONVERGE_S, wrong))

    def picture(self):
        """What everybody believes, beside the logs, to be compared."""
        views = {"engine": self.fake.snapshot}
        for target in ("snapshot", "services", "routes", "proxies"):
            views[target] = lambda t=target: self.system.ask("/v1/" + t)
        for name, view in views.items():
            try:
                text = json.dumps(view(), indent=1, sort_keys=True)
            except (AssertionError, OSError, ValueError) as error:
                text = str(error)
            path = os.path.join(self.system.run_dir, "log", name + ".json")
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)

    def tear_down(self, keep):
        if self.system is not None:
            self.faults.go_on()
            self.faults.free_disk()
            if keep:
                shutil.copytree(os.path.join(self.system.run_dir, "log"),
                                keep, dirs_exist_ok=True)
                shutil.copy(self.system.log, keep)
            try:
                if self.system.process is not None \
                        and self.system.process.alive():
                    self.system.process.stop(40)
            finally:
                self.system.end_agents()
                for path in self.faults.small.values():
                    faults.unmount(path)
                self.front.stop()
                if self.mounted:
                    faults.unmount(self.system.folder)
                self.system.temp.remove()
        self.fake.stop()


class Load:
    """Witnesses of what nobody touches, on every proxy: one-shot ones, and
    as many that keep their connection."""

    def __init__(self, system):
        self.all = []
        for name in CLUSTERS:
            for index in range(REPLICAS.get(name, 1)):
                for keep in (False, True):
                    self.add(system, name, index, keep)

    def add(self, system, name, index, keep):
        def is_mine(body):
            try:
                return json.loads(body)["service"] == "steady-" + name
            except (ValueError, KeyError):
                return False
        w = witness.Witness(
            system.clusters[name].where(index), threads=1, rate=20.0,
            host="steady.%s.example" % name, expect=is_mine, keepalive=keep)
        w.proxy = "%s.%d" % (name, index)
        self.all.append(w.start())

    def stop(self):
        for w in self.all:
            w.stop()

    def sort(self, hurt):
        """(failures, connections of killed workers, kept ones that ended)"""
        failed, cut, reset = [], [], []
        for w in self.all:
            for f in w.failures:
                if f.status == 0 and any(
                        proxy == w.proxy and 0 <= f.time - when < 1.0
                        for when, proxy in hurt):
                    cut.append(f)
                elif f.status == 0 and w.keepalive:
                    reset.append(f)
                else:
                    failed.append((w.proxy, w.keepalive, f))
        return failed, cut, reset


def run(seconds, seed, keep=None, push=True):
    """A dict of what was counted; AssertionError where something broke."""
    nemesis = Nemesis(seed, push)
    load = prober = None
    try:
        nemesis.set_up()
        before = sweep.descriptors(nemesis.faults)
        load = Load(nemesis.system)
        prober = Prober(nemesis, seed)
        prober.start()
        end = time.monotonic() + seconds
        rounds = 0
        while rounds == 0 or time.monotonic() < end - 2:
            nemesis.round(min(end, time.monotonic() + ROUND_S))
            nemesis.heal()
            nemesis.converge()
            rounds += 1
        load.stop()
        sweep.check(nemesis.faults, before)
    finally:
        if load is not None:
            load.stop()
        if prober is not None:
            prober.end.set()
            prober.join(10)
        nemesis.tear_down(keep)
    failed, cut, reset = load.sort(nemesis.faults.hurt)
    took = sorted(nemesis.took[1:])
    return {"seed": seed, "rounds": rounds, "push": push,
            "requests": sum(w.count for w in load.all),
            "failed": failed, "cut": cut, "reset": reset,
            "probes": prober.asked, "misroutes": prober.misroutes,
            "p50_s": took[len(took) // 2], "worst_s": took[-1],
            "faults": nemesis.faults.counts, "changes": nemesis.changes}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--poll", action="store_true", help="no Watch")
    parser.add_argument("--keep", help="folder for copies of the logs")
    options = parser.parse_args()
    seed = options.seed
    if seed is None:
        seed = int.from_bytes(os.urandom(3), "big")
    say("seed %d", seed)
    done = run(options.seconds, seed, options.keep, not options.poll)
    for proxy, kept, failure in done["failed"][:10]:
        say("failed at %.3f: %s%s %r", failure.time, proxy,
            ", kept" if kept else "", failure)
    for misroute in done["misroutes"][:10]:
        say("misroute: %r", misroute)
    print("nemesis: seed %d, %s, %d rounds, %d requests, %d failed, %d cut "
          "with their nginx worker, %d kept connections ended, %d probes, "
          "%d misroutes, converged after p50 %.1f s, at most %.1f s; %s; %s"
          % (seed, "push" if done["push"] else "polling", done["rounds"],
             done["requests"], len(done["failed"]), len(done["cut"]),
             len(done["reset"]), done["probes"], len(done["misroutes"]),
             done["p50_s"], done["worst_s"],
             ", ".join("%s %d" % f for f in sorted(done["faults"].items())),
             ", ".join("%s %d" % f
                       for f in sorted(done["changes"].items()))))
    return 1 if done["failed"] or done["misroutes"] else 0


if __name__ == "__main__":
    sys.exit(main())
