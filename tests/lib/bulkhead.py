"""The whole Bulkhead under test: supervisor, reader, extensions and local
proxies, in a folder of its own, in front of an engine (engine.py).

    system = bulkhead.System(fake.socket)
    system.cluster("blue", replicas=2)
    system.start()
    system.wait_served("blue", "web.example")
    system.stop()
"""

import json
import os
import random
import re
import signal
import socket
import subprocess

import httpc
import procs

# Whole-system deadlines: six times what reliability.md promises.
SOON = 30.0


_claims = []


def claim(port):
    """True: no other test that runs now may use the port."""
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        lock.bind("\0bulkhead-test/port/%d" % port)
    except OSError:
        lock.close()
        return False
    _claims.append(lock)
    return True


def free_ports(count):
    """The first of 'count' consecutive free ports on 127.0.0.1."""
    for _ in range(200):
        base = random.randrange(26000, 32000)
        held = []
        if not all(claim(port) for port in range(base, base + count)):
            continue
        try:
            for port in range(base, base + count):
                s = socket.socket()
                held.append(s)
                s.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
        finally:
            for s in held:
                s.close()
    raise AssertionError("no %d consecutive free ports" % count)


class Cluster:
    """One cluster's INI file and where its proxies listen."""

    def __init__(self, name, replicas=1, text="", **proxy):
        self.name = name
        self.replicas = replicas
        self.port = proxy.get("published_port") or free_ports(replicas)
        self.ssl_port = (proxy.get("published_ssl_port")
                         or free_ports(replicas))
        self.proxy = {"driver": "local", "replicas": replicas,
                      "published_port": self.port,
                      "published_ssl_port": self.ssl_port,
                      "drain_delay": "0"}
        self.proxy.update(proxy)
        self.proxy["replicas"] = replicas
        self.text = text

    def ini(self):
        lines = ["[proxy]"]
        lines += ["%s = %s" % item for item in self.proxy.items()]
        return "\n".join(lines) + "\n" + self.text

    def where(self, index=0):
        return "127.0.0.1:%d" % (self.port + index)


class System:
    """Starts and asks a whole Bulkhead."""

    def __init__(self, docker, daemon="", folder=None, watch="off"):
        self.temp = None
        if folder is None:
            self.temp = procs.TempDir("bh-sys-")
            folder = self.temp.path
        self.folder = folder
        self.docker = docker
        self.daemon = daemon
        self.watch = watch
        self.clusters = {}
        self.process = None
        self.run_dir = os.path.join(folder, "run")
        self.clusters_dir = os.path.join(folder, "clusters.d")
        self.config = os.path.join(folder, "bulkhead.ini")
        self.socket = os.path.join(self.run_dir, "admin.sock")
        self.log = os.path.join(folder, "supervisor.log")
        os.makedirs(self.clusters_dir, exist_ok=True)

    # Configuration.

    def write_file(self, path, text):
        """By rename, as an editor or a deployment would."""
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(path + ".new", path)

    def ini_path(self, name):
        return os.path.join(self.clusters_dir, name + ".ini")

    def cluster(self, name, replicas=1, text="", **proxy):
        """Adds or changes a cluster's file."""
        cluster = Cluster(name, replicas, text, **proxy)
        self.clusters[name] = cluster
        self.write_file(self.ini_path(name), cluster.ini())
        return cluster

    # Life.

    def start(self, wait=True):
        self.write_file(self.config, (
            "[docker]\nurl = unix://%s\nwatch = %s\n%s"
            "[supervisor]\nrun_dir = %s\nclusters_dir = %s\n" % (
                self.docker, self.watch, self.daemon, self.run_dir,
                self.clusters_dir)))
        self.process = procs.Process(
            [procs.binary("bulkhead-supervisor"), "-c", self.config],
            self.log)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, deadline=SOON):
        def ready():
            if not self.process.alive():
                raise AssertionError("supervisor ended: "
                                     + self.process.output()[-2000:])
            return self.status()["ready"]
        procs.wait_for(ready, deadline, "the system to be ready", 0.02)

    def stop(self, deadline=SOON):
        """Orderly end; the supervisor's exit status."""
        status = None
        if self.process is not None and self.process.alive():
            status = self.process.stop(deadline)
        self.end_agents()
        if self.temp is not None:
            self.temp.remove()
        return status

    def agent_pids(self):
        """Keepers of local proxies that run from this folder."""
        pids = []
        for pid in os.listdir("/proc"):
            if not pid.isdigit():
                continue
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    arguments = f.read().split(b"\0")
            except OSError:
                continue
            if any(a.startswith(self.run_dir.encode()) for a in arguments):
                pids.append(int(pid))
        return [p for p in pids
                if self.process is None or p != self.process.pid]

    def end_agents(self):
        """Whatever was left behind by a test that killed things."""
        for pid in self.agent_pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.temp is None:
            return
        # nginx tells its folder in no argument of its workers.
        for pid in os.listdir("/proc"):
            if not pid.isdigit():
                continue
            try:
                cwd = os.readlink("/proc/%s/cwd" % pid)
            except OSError:
                continue
            if cwd.startswith(self.folder):
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass

    # Questions.

    def ctl(self, *arguments, check=True):
        """proxyctl's (exit code, standard output, standard error)."""
        done = subprocess.run(
            [procs.binary("proxyctl"), "--socket", self.socket]
            + [str(a) for a in arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=120)
        if check and done.returncode != 0:
            raise AssertionError("proxyctl %s: exit %d: %s%s" % (
                " ".join(map(str, arguments)), done.returncode, done.stdout,
                done.stderr))
        return done.returncode, done.stdout, done.stderr

    def ask(self, target, method="GET", body=None):
        """The admin API's answer as JSON; 2xx or AssertionError."""
        answer = httpc.request(method, self.socket, target, body=body)
        if not 200 <= answer.status < 300:
            raise AssertionError("%s %s: %r" % (method, target, answer))
        return answer.json

    def status(self):
        return self.ask("/v1/status")

    def cluster_status(self, name):
        for cluster in self.ask("/v1/clusters")["clusters"]:
            if cluster["name"] == name:
                return cluster
        raise AssertionError("no cluster " + name)

    def generation(self, name):
        """What is in force now: the extension is asked, whose status comes
        later than what it does."""
        return self.ask("/v1/clusters/%s/config" % name)["generation"]

    def services(self):
        return {s["service"]: s for s in self.ask("/v1/services")["services"]}

    def routes(self, name=None):
        target = "/v1/clusters/%s/routes" % name if name else "/v1/routes"
        return self.ask(target)["routes"]

    def proxies(self, name=None):
        target = "/v1/clusters/%s/proxies" % name if name else "/v1/proxies"
        return self.ask(target)["proxies"]

    def detail(self, name):
        """The extension's own status line, once it tells of the newest
        generation (it comes at most ten times a second) and every proxy has
        applied that."""
        def settled():
            newest = self.ask("/v1/clusters/%s/config" % name)["generation"]
            status = self.ask("/v1/clusters/" + name)["status"]
            alive = [p for p in status["proxies"] if p["alive"]]
            want = self.clusters[name].replicas
            if self.clusters[name].proxy["driver"] != "local":
                want = 0
            return (len(alive) >= want and status["generation"] == newest and
                    all(p["applied"] == newest for p in alive) and status)
        return procs.wait_for(settled, SOON, "status of " + name, 0.02)

    # Waiting.

    def wait_applied(self, name, deadline=SOON):
        """Every proxy of the cluster serves its newest generation."""
        def applied():
            proxies = self.proxies(name)
            alive = [p for p in proxies if p["alive"]]
            if (len(alive) != self.clusters[name].replicas or not
                    all(p["applied"] == p["generation"] > 0 for p in alive)):
                raise AssertionError(json.dumps(proxies))
            return alive[0]["generation"]
        return procs.wait_for(applied, deadline,
                              "proxies of %s to apply" % name, 0.02)

    def get(self, name, host, target="/", index=0, **more):
        """One request to a proxy of the cluster, on a new connection."""
        return httpc.get(self.clusters[name].where(index), target, host=host,
                         **more)

    def workers(self, name, index=0):
        """Titles of the workers of a local proxy's nginx, old ones too."""
        path = os.path.join(self.run_dir, "proxies", "%s.%d" % (name, index),
                            "nginx.pid")
        with open(path) as file:
            master = int(file.read())
        with open("/proc/%d/task/%d/children" % (master, master)) as file:
            return [procs.title(int(pid)) for pid in file.read().split()]

    def old_workers(self, name, index):
        """How many accept beside the newest: for a moment after a reload
        they do."""
        path = os.path.join(self.run_dir, "proxies", "%s.%d" % (name, index),
                            "agent", "main.conf")
        try:
            with open(path) as file:
                wanted = int(re.search(r"worker_processes (\d+);",
                                       file.read())[1])
            return sum(title == "nginx: worker process" for title in
                       self.workers(name, index)) - wanted
        except (OSError, ValueError):
            return 0  # no proxy of ours, or between two masters

    def wait_served(self, name, host, target="/", deadline=SOON, want=200):
        """Every proxy of the cluster answers 'want' for the host, several
        times in a row, and no worker is left that may answer otherwise."""
        def served():
            return all(self.get(name, host, target, i).status == want
                       for i in range(self.clusters[name].replicas)
                       for _ in range(8)) and all(
                self.old_workers(name, i) <= 0
                for i in range(self.clusters[name].replicas))
        procs.wait_for(served, deadline, "%s to answer %d through %s" % (
            host, want, name), 0.02)

    def wait_tasks(self, name, host, number, deadline=SOON):
        """'number' different tasks answer for the host, and no other."""
        def enough():
            seen = {self.get(name, host).json["task"]
                    for _ in range(4 * number)}
            return len(seen) == number and seen
        return procs.wait_for(enough, deadline,
                              "%d tasks behind %s" % (number, host), 0.02)


def lb(host=None, port=8080, **labels):
    """Labels of com.docker.lb."""
    found = {"com.docker.lb.port": str(port)}
    if host is not None:
        found["com.docker.lb.hosts"] = host
    for key, value in labels.items():
        found["com.docker.lb." + key] = str(value)
    return found


def pretty(value):
    return json.dumps(value, indent=1, sort_keys=True)
