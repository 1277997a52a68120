#!/usr/bin/env python3
"""make bench: figures, each beside what it is compared with, in one run.

One line each.  These machines are shared: compare within a run, not between
runs.  --only NAME runs one part.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--build", required=True)
parser.add_argument("--only", default="")
parser.add_argument("--services", default="100,10000/50,1000,10000",
                    help="sizes at which the cost of an event is measured; "
                    "/50: of 50 clusters together, ten tasks a service")
parser.add_argument("--rounds", type=int, default=40)
ARGS = parser.parse_args()
os.environ["BULKHEAD_BUILD"] = os.path.abspath(ARGS.build)

import bulkhead  # noqa: E402
import engine  # noqa: E402
import faults  # noqa: E402
import httpc  # noqa: E402
import procs  # noqa: E402
import proxy  # noqa: E402
from bulkhead import lb  # noqa: E402


def p(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def line(name, **figures):
    print("%-28s %s" % (name, "  ".join(
        "%s=%s" % (k, "%.1f" % v if isinstance(v, float) else v)
        for k, v in figures.items())), flush=True)


def spread(values):
    return "%.1f/%.1f" % (statistics.median(values), p(values, 99))


def served_after(system, cluster, host, check, start):
    """Milliseconds from 'start' until every proxy answers as 'check' wants."""
    for index in range(system.clusters[cluster].replicas):
        deadline = time.time() + 30
        while not check(system.get(cluster, host, "/", index)):
            if time.time() > deadline:
                raise AssertionError("not served within 30 s")
    return (time.time() - start) * 1000


def manifest(system, cluster):
    where = os.path.join(system.run_dir, "control", cluster + ".sock")
    return httpc.get(where, "/v1/proxy/config?proxy=bench&have=").json


def change_to_served():
    """A label change and a task change, to traffic, with its parts."""
    fake = engine.FakeSwarm("--task-delay", "0ms")
    system = bulkhead.System(fake.socket)
    try:
        fake.start()
        fake.create_network("front")
        system.cluster("blue", replicas=2)
        system.start()
        fake.create_service("web", networks=["front"], replicas=2,
                            labels=lb("web.example"))
        system.wait_served("blue", "web.example")
        label, parts = [], {k: [] for k in (
            "reader", "bus", "extension", "agent")}
        for i in range(ARGS.rounds):
            host = "h%d.example" % i
            system.wait_applied("blue")
            faults.calm(system, "blue")
            start = time.time()
            fake.set_label("web", "com.docker.lb.hosts",
                           "web.example," + host)
            label.append(served_after(system, "blue", host,
                                      lambda a: a.status == 200, start))
            end = time.time()
            s = manifest(system, "blue")["stamps"]
            parts["reader"].append(s["sent_us"] / 1e3 - start * 1e3)
            parts["bus"].append((s["received_us"] - s["sent_us"]) / 1e3)
            parts["extension"].append(
                (s["rendered_us"] - s["received_us"]) / 1e3)
            parts["agent"].append(end * 1e3 - s["rendered_us"] / 1e3)
        line("label change -> served", ms_p50_p99=spread(label),
             **{k: spread(v) for k, v in parts.items()})
        task_change(fake, system)
        restart_beside(system)
        memory(system, fake)
    finally:
        system.stop()
        fake.stop()


def task_change(fake, system):
    """A task that has come to run, to its first answer by every proxy."""
    took = []
    for i in range(max(10, ARGS.rounds // 2)):
        name = "task%d" % i
        fake.create_service(name, networks=["front"], replicas=0,
                            labels=lb(name + ".example"))
        system.wait_served("blue", name + ".example", want=503)
        system.wait_applied("blue")
        faults.calm(system, "blue")
        fake.scale(name, 1)
        fake.wait_running(name, 1)
        start = time.time()
        took.append(served_after(system, "blue", name + ".example",
                                 lambda a: a.status == 200, start))
        fake.remove_service(name)
    line("task running -> served", ms_p50_p99=spread(took))


def restart_beside(system):
    """The same configuration by stopping and starting an nginx."""
    folder = os.path.join(system.folder, "beside")
    os.makedirs(folder)
    port = bulkhead.free_ports(1)
    snapshot = os.path.join(system.folder, "snapshot.json")
    _, text, _ = system.ctl("snapshot")
    system.write_file(snapshot, text)
    subprocess.run(
        [procs.binary("proxyctl"), "render", "--cluster",
         system.ini_path("blue"), "--snapshot", snapshot, "--out", folder,
         "--listen", "127.0.0.1:%d" % port], check=True,
        stdout=subprocess.DEVNULL)
    command = ["/usr/sbin/nginx", "-p", folder, "-c", "nginx.conf",
               "-e", "stderr", "-g", "daemon off;"]
    took, away = [], []

    def start():
        return subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def answers():
        try:
            return httpc.get("127.0.0.1:%d" % port, "/",
                             host="web.example").status == 200
        except OSError:
            return False
    running = start()
    procs.wait_for(answers, 30, "nginx beside", 0.001)
    for _ in range(10):
        begin = time.time()
        running.terminate()
        running.wait()
        down = time.time()
        running = start()
        procs.wait_for(answers, 30, "nginx beside", 0.001)
        took.append((time.time() - begin) * 1000)
        away.append((time.time() - down) * 1000)
    running.terminate()
    running.wait()
    line("  stop and start of nginx", ms_p50_p99=spread(took),
         refusing_ms=spread(away))


def memory(system, fake):
    def rss(pid):
        with open("/proc/%d/status" % pid, encoding="ascii") as f:
            for text in f:
                if text.startswith("VmRSS:"):
                    return "%.1fMB" % (int(text.split()[1]) / 1024)
        return "?"
    status = system.status()
    agents = {}
    for pid in system.agent_pids():
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            words = f.read().split(b"\0")
        if b"agent" in words and b"blue.0" in words:
            agents["worker" if b"--worker" in words else "keeper"] = rss(pid)
    del fake
    line("resident memory", supervisor=rss(status["pid"]),
         reader=rss(status["reader"]["pid"]),
         extension=rss(system.cluster_status("blue")["pid"]), **agents)


LOOK_S = 0.05  # between our questions while an event is measured
EVENTS = 15
# The first few fill the folders that later ones are made of (FOLDER_KEEP), and
# tell the agent how long a reload takes.
WARM_UP = 5
SERVED_S = 180  # an event, to served: nginx reads everything twice
# Equally far apart at each size: a reader without Watch looks at a service's
# tasks for a while after it changed, and caches are cold after a while.
PERIOD_S = 2.5


def cpu_ns(pid):
    """Time on a CPU, of all threads, in nanoseconds."""
    total = 0
    for thread in os.listdir("/proc/%d/task" % pid):
        path = "/proc/%d/task/%s/schedstat" % (pid, thread)
        with open(path, encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total


def event_cost():
    """CPU of one event, by process, where it belongs and elsewhere."""
    first = {}
    for size in ARGS.services.split(","):
        services, _, clusters = size.partition("/")
        fake = engine.FakeSwarm(
            "--no-serve", "--services", services, "--tasks",
            services + "0" if clusters else services,
            "--clusters", clusters or "1", "--task-delay", "0ms")
        system = bulkhead.System(
            # A list of everything, each so often, is not an event's cost.
            fake.socket, "poll_interval = 600s\nresync_interval = 600s\n")
        try:
            fake.start()
            fake.create_network("own")
            system.cluster("c0", text="[cluster]\nmax_hosts = 20000\n")
            system.cluster("other", driver="none")
            for i in range(1, int(clusters or 1)):
                system.cluster("c%d" % i, driver="none")
            system.start()
            fake.create_service("mark", networks=["own"], labels=lb(
                "mark.example", service_cluster="c0"))
            procs.wait_for(lambda: "mark" in system.services(), 120)
            system.wait_applied("c0", 2 * SERVED_S)
            for i in range(WARM_UP):
                one_event(system, fake, "label", 100 + i)
            for kind in ("label", "tasks"):
                time_one(system, fake, size, kind, first)
        finally:
            system.stop()
            fake.stop()


def agent_processes(system):
    """The agent's worker of c0, and its nginx master."""
    found = {}
    for pid in system.agent_pids():
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            words = f.read().split(b"\0")
        if b"--worker" in words and b"c0" in words:
            found["agent"] = pid
    pid_file = os.path.join(system.run_dir, "proxies", "c0.0", "nginx.pid")
    with open(pid_file, encoding="ascii") as f:
        found["nginx"] = int(f.read())
    return found


def children_ns(pid):
    """Time on a CPU of its children that have ended (in ticks)."""
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    return (int(fields[13]) + int(fields[14])) * tick


def all_ns(pids):
    """By process; the engine is its master, its old workers, nginx -t."""
    used = {k: cpu_ns(v) for k, v in pids.items()}
    used["engine"] = (used.pop("nginx") + children_ns(pids["nginx"]) +
                      children_ns(pids["agent"]))
    return used


def told(system, cluster):
    """The extension's last status line: the supervisor has it, and asking
    costs the extension nothing."""
    return system.ask("/v1/clusters/" + cluster)["status"]


def served_since(system, cluster, generation):
    """Every proxy serves what came after 'generation'."""
    status = told(system, cluster)
    return (status["generation"] > generation and status["proxies"] and
            all(p["applied"] == status["generation"]
                for p in status["proxies"]))


def one_event(system, fake, kind, i):
    generation = told(system, "c0")["generation"]
    if kind == "label":
        fake.set_label("mark", "com.docker.lb.max_fails", str(2 + i))
    else:
        fake.scale("mark", 2 if i % 2 == 0 else 1)
    procs.wait_for(lambda: served_since(system, "c0", generation), SERVED_S,
                   "an event to be served", LOOK_S)


def time_one(system, fake, size, kind, first):
    pids = {"reader": system.status()["reader"]["pid"],
            "extension": system.cluster_status("c0")["pid"],
            "other": system.cluster_status("other")["pid"],
            **agent_processes(system)}
    # Nothing of the start may be left in the figures.
    procs.wait_for(lambda: not moving(pids), 120, "the system to be quiet",
                   0)
    before = all_ns(pids)
    start = time.monotonic()
    for i in range(EVENTS):
        begun = time.monotonic()
        one_event(system, fake, kind, i)
        # Equally far apart at each size: what follows an event is in its
        # figure, and as long.
        time.sleep(max(0.0, begun + PERIOD_S - time.monotonic()))
    passed = time.monotonic() - start
    after = all_ns(pids)
    idle = quiet_ns(pids, passed)
    cost = {k: (after[k] - before[k] - idle[k]) / EVENTS / 1e6
            for k in after}
    base = first.setdefault(kind, cost)
    line("CPU of one event (%s)" % kind, services=size, **{
        k + "_ms": "%.2f(x%.1f)" % (v, v / base[k] if base[k] > 0.01 else 0)
        for k, v in cost.items()})


def moving(pids):
    """CPU time has no event to wait for: it is used within a while or not."""
    before = {k: cpu_ns(v) for k, v in pids.items()}
    time.sleep(0.5)
    return any(cpu_ns(v) - before[k] > 5_000_000 for k, v in pids.items())


def quiet_ns(pids, seconds):
    """What the same processes use in the same time when nothing happens: a
    window of time."""
    before = all_ns(pids)
    time.sleep(min(seconds, 10))
    scale = seconds / min(seconds, 10)
    return {k: (v - before[k]) * scale for k, v in all_ns(pids).items()}


PARTS = {"served": change_to_served, "cpu": event_cost,
         "proxy": lambda: proxy.run(line)}
PARTS.update((name, lambda part=part: part(line))
             for name, part in faults.PARTS.items())


def main():
    for name, part in PARTS.items():
        if ARGS.only in name:
            part()
    return 0


if __name__ == "__main__":
    sys.exit(main())
