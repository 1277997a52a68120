"""
A real nginx proxy inside a Swarm network: an agent that runs on this host, in
the network namespace of one container, so that it reaches the tasks and a
load from the same namespace reaches it.

    place = inside.Place(real, "edge", networks=["front"])
    proxy = place.proxy(system, "blue", 80)
    load = place.load(80, host="web.example", rate=1000)
    ... what may not be noticed ...
    figures = load.end()
    place.stop()
"""

import json
import os
import subprocess

import procs


class Place:
    """A container of its own service, on the networks, and what runs in its
    network namespace."""

    def __init__(self, real, name, networks):
        self.real = real
        self.tmp = procs.TempDir("bh-inside-")
        os.chmod(self.tmp.path, 0o755)
        self.all = []
        real.create_service(name, networks=networks)
        real.wait_running(name, 1)
        container = real.running(name)[0]["Status"]["ContainerStatus"]
        self.pid = container["PID"]

    def run(self, name, argv):
        """A process in the namespace, its output in a file."""
        process = procs.Process(
            ["nsenter", "--net=/proc/%d/ns/net" % self.pid] + argv,
            self.tmp.join(name + ".log"))
        self.all.append(process)
        return process

    def proxy(self, system, cluster, port):
        """An agent of a cluster whose driver is local with no replicas."""
        name = "%s.at%d" % (cluster, port)
        return self.run(name, [
            procs.binary("proxyctl"), "agent", "--cluster", cluster, "--id",
            name, "--dir", self.tmp.join(name), "--control",
            "unix:" + os.path.join(system.run_dir, "control",
                                   cluster + ".sock"),
            "--listen", "0.0.0.0:%d" % port, "--drain-delay", "0"])

    def status(self, port, host):
        """What curl is told through the proxy, 0 for nothing."""
        done = subprocess.run(
            ["nsenter", "--net=/proc/%d/ns/net" % self.pid, "curl", "-s", "-o",
             "/dev/null", "-m", "5", "-w", "%{http_code}", "-H",
             "Host: " + host, "http://127.0.0.1:%d/" % port],
            capture_output=True, text=True, check=False)
        return int(done.stdout or 0)

    def load(self, port, host, rate, keepalive=0, method="GET"):
        return Load(self, port, host, rate, keepalive, method)

    def stop(self):
        for process in reversed(self.all):
            if process.alive():
                process.stop(20)
        self.tmp.remove()


class Load:
    """tests/bench/load.c, from its start to end()."""

    def __init__(self, place, port, host, rate, keepalive, method):
        argv = [os.path.join(procs.BUILD, "bench", "load"), "--to",
                "127.0.0.1:%d" % port, "--host", host, "--rate", str(rate),
                "--method", method]
        if keepalive:
            argv += ["--keepalive", str(keepalive)]
        self.process = place.run("load%d" % len(place.all), argv)

    def end(self):
        """Its figures; "failed" sums what a client would call so: on a
        connection of its own, or one that had answered nothing yet."""
        self.process.stop(20)
        lines = self.process.output().strip().splitlines()
        figures = json.loads(lines[-1])
        figures["failed"] = sum(figures[k] for k in (
            "status", "refused", "reset", "timeout", "misrouted"))
        return figures
