#!/usr/bin/env python3
"""make bench-swarm: push against polling each 1, 3 and 15 s, side by side.

First how soon task changes reach an extension, four readers on one real
Swarm: scaling makes an event, which polling follows up quickly; a death makes
none.  Then on fakeswarm, four whole systems with nginx: from the commit that
a replaced task runs until the proxy's first answer from it.  Milliseconds,
median/greatest.
"""

import argparse
import calendar
import os
import random
import re
import statistics
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--build", required=True)
parser.add_argument("--rounds", type=int, default=6)
ARGS = parser.parse_args()
os.environ["BULKHEAD_BUILD"] = os.path.abspath(ARGS.build)

import bulkhead  # noqa: E402
import engine  # noqa: E402
import reader as reader_module  # noqa: E402

LB = "com.docker.lb."
MODES = (("push", None), ("poll 1s", "1s"), ("poll 3s", "3s"),
         ("poll 15s", "15s"))


def stamp(text):
    """An Engine's time as seconds since 1970."""
    whole, fraction = re.match(r"(.*?)(\.\d+)?Z$", text).groups()
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(
        fraction or 0)


class Mode:
    """One reader, its way of knowing, and what it took."""

    def __init__(self, real, name, poll):
        self.name = name
        daemon = ("watch = %s\n" % real.control if poll is None else
                  "watch = off\npoll_interval = %s\n" % poll)
        self.reader = reader_module.Reader(
            real.socket, {"blue": ""}, daemon + "resync_interval = 5m\n")
        self.blue = self.reader.watch("blue")
        self.reader.start()
        self.figures = {}

    def ids(self):
        return {t["ID"] for t in self.blue.running("web")}

    def follow(self, what, predicate, since):
        """A thread that waits for it; 'since' is called at the end."""
        def run():
            self.blue.wait(predicate, 120, self.name + ": " + what)
            now = time.time()
            self.figures.setdefault(what, []).append((now, since))
        thread = threading.Thread(target=run)
        thread.start()
        return thread


def step(modes, what, act, predicate, since):
    threads = [m.follow(what, lambda m=m: predicate(m), since) for m in modes]
    act()
    for thread in threads:
        thread.join()


def measure(real, modes):
    commit = {}
    for number in range(ARGS.rounds):
        key = ("scale up", number)

        def up():
            real.scale("web", 3)
            ran = real.wait_running("web", 3)
            commit[key] = max(stamp(t["UpdatedAt"]) for t in ran)
        step(modes, "scale up", up, lambda m: len(m.ids()) == 3,
             lambda k=key: commit[k])
        key = ("scale down", number)

        def down():
            real.scale("web", 2)
            commit[key] = stamp(real.get("/services/web")["UpdatedAt"])
        step(modes, "scale down", down, lambda m: len(m.ids()) == 2,
             lambda k=key: commit[k])
        # Whoever polls does so quickly while a service moves: let it rest.
        time.sleep(random.uniform(3, 6))
        key = ("death", number)
        task = real.running("web")[0]

        def die():
            real.api("POST", "/containers/%s/kill" % task["Status"][
                "ContainerStatus"]["ContainerID"])
            while True:
                now = real.get("/tasks/" + task["ID"])
                if now["Status"]["State"] != "running":
                    break
            commit[key] = stamp(now["UpdatedAt"])
        step(modes, "death", die, lambda m: task["ID"] not in m.ids(),
             lambda k=key: commit[k])
        real.wait_running("web", 2)
        for m in modes:
            m.blue.wait(lambda m=m: len(m.ids()) == 2, 120, "two tasks again")


def first_answer(system, others, found):
    """Asks the proxy until another task answers."""
    end = time.time() + 60
    while time.time() < end:
        answer = system.get("blue", "web.example")
        if answer.status == 200 and answer.json["task"] not in others:
            found.append(time.time())
            return
        time.sleep(0.005)


def served():
    fake = engine.FakeSwarm("--task-delay", "50ms", "--restart-delay",
                            "1s", "--log-level", "warn", push=True)
    systems = {}
    took = {}
    try:
        fake.start()
        fake.create_network("front")
        for name, poll in MODES:
            systems[name] = bulkhead.System(
                fake.socket, "resync_interval = 5m\n" + (
                    "poll_interval = %s\n" % poll if poll else ""),
                watch="off" if poll else fake.control)
            systems[name].cluster("blue")
            systems[name].start()
        fake.create_service("web", networks=["front"], replicas=2,
                            labels={LB + "hosts": "web.example",
                                    LB + "port": "8080"})
        for system in systems.values():
            system.wait_served("blue", "web.example")
        for _ in range(ARGS.rounds):
            time.sleep(random.uniform(3, 6))
            before = {t["ID"] for t in fake.running("web")}
            found = {name: [] for name in systems}
            threads = [threading.Thread(target=first_answer, args=(
                s, before, found[n])) for n, s in systems.items()]
            for thread in threads:
                thread.start()
            fake.sim("POST", "/tasks/%s/fail" % sorted(before)[0])
            new = next(t for t in fake.wait_running("web", 2)
                       if t["ID"] not in before)
            for thread in threads:
                thread.join()
            for name, when in found.items():
                took.setdefault(name, []).append(
                    (when[0] - stamp(new["UpdatedAt"])) * 1000)
    finally:
        for system in systems.values():
            system.stop()
        fake.stop()
    tell("served: replaced task", [(n, took[n]) for n, _ in MODES])


def tell(what, figures):
    print("%-28s %s" % (what, "  ".join("%s=%.0f/%.0f" % (
        name.replace(" ", ""), statistics.median(took), max(took))
        for name, took in figures)), flush=True)


def reached():
    why = engine.RealEngine.why_not()
    if why:
        print("real Swarm: not measured: %s" % why)
        return
    real = engine.RealEngine()
    modes = []
    try:
        real.start()
        real.create_network("front")
        real.create_service(
            "web", networks=["front"], replicas=2,
            labels={LB + "hosts": "web.example", LB + "port": "8080"},
            TaskTemplate={"RestartPolicy": {"Delay": 500000000}})
        real.wait_running("web", 2)
        modes = [Mode(real, *mode) for mode in MODES]
        for m in modes:
            m.blue.wait(lambda m=m: len(m.ids()) == 2, 60, "the start")
        first = modes[0].reader
        first.wait(lambda: first.status and first.status["push"], 30, "push")
        measure(real, modes)
        for what in ("scale up", "scale down", "death"):
            tell("swarm " + what, [
                (m.name, [max(0.0, (at - since()) * 1000)
                          for at, since in m.figures[what]])
                for m in modes])
    finally:
        for m in modes:
            m.reader.stop()
        real.stop()


if __name__ == "__main__":
    reached()
    served()
