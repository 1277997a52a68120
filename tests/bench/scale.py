#!/usr/bin/env python3
"""make bench-scale: a large Swarm, simulated, under steady change.

One line of figures each: cold start, what sleeping costs, lag while
everything changes (commit of the change to rendered), memory at the start and
at the end, a cluster that nothing concerns, and one service that crashes on
and on.  --seconds is for how long it changes."""

import argparse
import os
import statistics
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--build", required=True)
parser.add_argument("--services", type=int, default=10000)
parser.add_argument("--tasks", type=int, default=100000)
parser.add_argument("--clusters", type=int, default=50)
parser.add_argument("--churn", type=int, default=100)
parser.add_argument("--flood", type=int, default=10000)
parser.add_argument("--seconds", type=int, default=60)
parser.add_argument("--poll", action="store_true", help="without Watch")
ARGS = parser.parse_args()
os.environ["BULKHEAD_BUILD"] = os.path.abspath(ARGS.build)

import bulkhead  # noqa: E402
import engine  # noqa: E402
import httpc  # noqa: E402
import procs  # noqa: E402
from bulkhead import lb  # noqa: E402

SAMPLED = ("c0", "c%d" % (ARGS.clusters // 2), "c%d" % (ARGS.clusters - 1))


def line(name, **figures):
    print("%-28s %s" % (name, "  ".join(
        "%s=%s" % (k, "%.1f" % v if isinstance(v, float) else v)
        for k, v in figures.items())), flush=True)


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def spread(values):
    if not values:
        return "-"
    return "%.0f/%.0f/%.0f" % (statistics.median(values),
                               percentile(values, 99), max(values))


class Process:
    """What a process used since the last mark(); nothing once it ended."""

    def __init__(self, pid):
        self.pid = pid
        self.cpu_ns = self.wakes = 0
        self.mark()

    def mark(self):
        self.since = time.monotonic()
        self.cpu_ns, self.wakes = self._used()

    def _used(self):
        cpu = wakes = 0
        try:
            for thread in os.listdir("/proc/%d/task" % self.pid):
                base = "/proc/%d/task/%s/" % (self.pid, thread)
                with open(base + "schedstat", encoding="ascii") as f:
                    cpu += int(f.read().split()[0])
                with open(base + "status", encoding="ascii") as f:
                    for text in f:
                        if text.startswith("voluntary_ctxt"):
                            wakes += int(text.split()[1])
        except OSError:
            return self.cpu_ns, self.wakes
        return cpu, wakes

    def cpu_share(self):
        """Percent of a CPU."""
        return (self._used()[0] - self.cpu_ns) / 1e7 / (
            time.monotonic() - self.since)

    def wakeups(self):
        """Per second."""
        return (self._used()[1] - self.wakes) / (
            time.monotonic() - self.since)

    def rss(self):
        try:
            with open("/proc/%d/status" % self.pid, encoding="ascii") as f:
                for text in f:
                    if text.startswith("VmRSS:"):
                        return int(text.split()[1]) / 1024
        except OSError:
            pass
        return 0.0


class Lag(threading.Thread):
    """Follows one cluster's manifests, as an agent does: how old each one's
    change was when it was rendered, in ms."""

    def __init__(self, system, cluster):
        super().__init__(daemon=True)
        self.where = os.path.join(system.run_dir, "control",
                                  cluster + ".sock")
        self.stop = False
        self.found = []
        self.start()

    def run(self):
        have = ""
        while not self.stop:
            try:
                answer = httpc.get(
                    self.where, "/v1/proxy/config?proxy=bench&have=" + have,
                    timeout=40)
            except OSError:
                return  # the system ends
            if answer.status != 200:
                continue
            stamps, first = answer.json["stamps"], have == ""
            have = answer.json["config"]
            if not first and stamps["commit_us"]:
                self.found.append({
                    "total": stamps["rendered_us"] - stamps["commit_us"],
                    "read": stamps["read_us"] - stamps["commit_us"],
                    "sent": stamps["sent_us"] - stamps["read_us"],
                    "bus": stamps["received_us"] - stamps["sent_us"],
                    "render": stamps["rendered_us"] - stamps["received_us"],
                })


def figures_of(lags, part="total"):
    return [f[part] / 1e3 for lag in lags for f in lag.found]


def follow(system, seconds, clusters=SAMPLED):
    lags = [Lag(system, name) for name in clusters]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(min(1.0, max(0.0, deadline - time.monotonic())))
    for lag in lags:
        lag.stop = True
    return lags


def settle(processes):
    """Until nothing uses the CPU to speak of."""
    def quiet():
        for p in processes:
            p.mark()
        time.sleep(2)
        return sum(p.cpu_share() for p in processes) < 15
    procs.wait_for(quiet, 180, "quiet", 0)


def processes_of(system):
    status = system.status()
    found = {"supervisor": Process(status["pid"]),
             "reader": Process(status["reader"]["pid"])}
    for c in system.ask("/v1/clusters")["clusters"]:
        found[c["name"]] = Process(c["pid"])
    return found


def use(found, what):
    """'what' of the supervisor, the reader, the busiest and the quiet
    extension."""
    of = {k: getattr(v, what)() for k, v in found.items()}
    clusters = [v for k, v in of.items() if k[0] == "c"]
    return {"supervisor": of["supervisor"], "reader": of["reader"],
            "ext_p50": statistics.median(clusters), "ext_max": max(clusters),
            "quiet": of["quiet"]}


def bus_messages(system, cluster):
    return system.status()["reader"]["status"]["clusters"][cluster][
        "messages"]


def cold_start(system):
    begun = time.monotonic()
    system.start(wait=False)

    def rendered():
        if not os.path.exists(system.socket):
            return False
        clusters = system.ask("/v1/clusters")["clusters"]
        return (sum(c["services"] or 0 for c in clusters)
                >= ARGS.services + 1
                and all(c["generation"] for c in clusters))
    procs.wait_for(rendered, 300, "everything to be rendered", 0.1)
    return time.monotonic() - begun


def mb(values):
    return "/".join("%.0f" % v for v in values)


def change(system, fake, found):
    settle(found.values())
    before = bus_messages(system, "quiet")
    fake.sim("POST", "/churn/%d" % ARGS.churn)
    for p in found.values():
        p.mark()
    windows = max(2, ARGS.seconds // 60)
    rss = [{k: p.rss() for k, p in found.items()}]
    for n in range(windows):
        lags = follow(system, ARGS.seconds / windows)
        rss.append({k: p.rss() for k, p in found.items()})
        line("lag ms p50/p99/max, %d of %d" % (n + 1, windows),
             all=spread(figures_of(lags)),
             seen=sum(len(x.found) for x in lags),
             **{k: spread(figures_of(lags, k))
                for k in ("read", "sent", "bus", "render")})
    line("CPU %% at %d changes/s" % ARGS.churn, **use(found, "cpu_share"))
    line("RSS MB at each", reader=mb(r["reader"] for r in rss),
         supervisor=mb(r["supervisor"] for r in rss),
         ext_max=mb(max(v for k, v in r.items() if k[0] == "c")
                    for r in rss))
    line("RSS MB, last less first", **{
        name: rss[-1][name] - rss[1][name] for name in
        ("supervisor", "reader", "quiet")}, ext_most=max(
            rss[-1][k] - rss[1][k] for k in found if k[0] == "c"))
    fake.sim("POST", "/churn/0")
    settle(found.values())
    line("the quiet cluster", messages=bus_messages(system, "quiet") - before,
         cpu_percent=found["quiet"].cpu_share())
    line("restarts", reader=system.status()["reader"]["restarts"],
         extensions=sum(c["restarts"] for c in
                        system.ask("/v1/clusters")["clusters"]))
    with open(system.log, encoding="utf-8", errors="replace") as f:
        for text in f:
            if " ended, " in text:
                print("  " + text.strip())


def label_lag(system, fake, name, cluster, rounds=10):
    """A change of one service to its manifest, in ms."""
    where = os.path.join(system.run_dir, "control", cluster + ".sock")
    took = []
    for _ in range(rounds):
        label_lag.count += 1
        host = "l%d.example" % label_lag.count
        begun = time.monotonic()
        fake.set_label(name, "com.docker.lb.hosts", host)

        def there(host=host):
            manifest = httpc.get(where, "/v1/proxy/config?proxy=b&have=").json
            return any(host in httpc.get(
                where, "/v1/blob/" + f["sha256"]).body.decode(
                    "utf-8", "replace") for f in manifest["files"])
        procs.wait_for(there, 60, "the change of " + name, 0.005)
        took.append((time.monotonic() - begun) * 1e3)
    return took


label_lag.count = 0


def flood(system, fake, found):
    """One service's tasks fail as fast as they can be started."""
    fake.create_service("crashing", networks=["own"], replicas=200, labels=lb(
        "crashing.example", service_cluster="crash"))
    fake.create_service("beside", networks=["own"], labels=lb(
        "beside.example", service_cluster="crash"))
    fake.wait_running("crashing", 200)
    settle(found.values())
    calm = {"same": label_lag(system, fake, "beside", "crash"),
            "other": label_lag(system, fake, "quiet", "quiet")}
    events = system.status()["reader"]["status"]["events"]["watch"]
    before = bus_messages(system, "crash")
    begun = time.monotonic()
    fake.sim("POST", "/churn/%d/crashing" % ARGS.flood)
    for p in found.values():
        p.mark()
    busy = {"same": label_lag(system, fake, "beside", "crash"),
            "other": label_lag(system, fake, "quiet", "quiet")}
    time.sleep(max(0.0, 10 - time.monotonic() + begun))
    passed = time.monotonic() - begun
    cpu = {k: found[k].cpu_share() for k in ("reader", "crash", "quiet")}
    fake.sim("POST", "/churn/0")
    settle(found.values())
    status = system.status()["reader"]["status"]
    line("a service that crashes",
         told_per_s=(status["events"]["watch"] - events) / passed,
         messages_per_s=(bus_messages(system, "crash") - before) / passed,
         **{k + "_cpu": v for k, v in cpu.items()})
    line("  others' latency ms", **{
        "%s_%s" % (k, name): spread(v[k]) for k in ("same", "other")
        for name, v in (("calm", calm), ("flood", busy))})


def main():
    options = ["--no-serve", "--services", str(ARGS.services), "--tasks",
               str(ARGS.tasks), "--clusters", str(ARGS.clusters),
               "--task-delay", "0ms", "--restart-delay", "10ms"]
    fake = engine.FakeSwarm(*options, push=not ARGS.poll)
    system = bulkhead.System(
        fake.socket, watch="off" if ARGS.poll else fake.control)
    try:
        fake.start(120)
        fake.create_network("own")
        fake.create_service("quiet", networks=["own"], labels=lb(
            "quiet.example", service_cluster="quiet"))
        # No proxies, but everything is delivered as if.
        for i, name in enumerate(["c%d" % i for i in range(ARGS.clusters)]
                                 + ["quiet", "crash"]):
            system.cluster(name, replicas=0, published_port=20000 + i,
                           published_ssl_port=30000 + i)
        fake.create_service("crash-base", networks=["own"], labels=lb(
            "crash-base.example", service_cluster="crash"))
        line("cold start", services=ARGS.services, tasks=ARGS.tasks,
             clusters=ARGS.clusters, seconds=cold_start(system))
        found = processes_of(system)
        settle(found.values())
        line("RSS MB", **use(found, "rss"))
        for p in found.values():
            p.mark()
        time.sleep(20)
        line("wake-ups/s, asleep", **use(found, "wakeups"))
        line("CPU %, asleep", **use(found, "cpu_share"))
        change(system, fake, found)
        flood(system, fake, found)
    finally:
        system.stop()
        fake.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
