#!/usr/bin/env python3
"""make demo: a scripted tour on a simulated Swarm with real nginx proxies.
Each step shows what an operator would do and checks what must follow; exits
0 when all of it held."""

import argparse
import collections
import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--build", required=True)
ARGS = parser.parse_args()
os.environ["BULKHEAD_BUILD"] = os.path.abspath(ARGS.build)

import bulkhead  # noqa: E402
import engine  # noqa: E402
import procs  # noqa: E402
from bulkhead import lb  # noqa: E402


class Tour:
    def __init__(self):
        self.fake = engine.FakeSwarm("--task-delay", "100ms")
        self.system = bulkhead.System(self.fake.socket)

    def say(self, text):
        print("\n== " + text, flush=True)

    def good(self, text):
        print("   ok: " + text, flush=True)

    def check(self, value, text):
        if not value:
            raise AssertionError(text)
        self.good(text)

    def shares(self, host, requests=1200):
        """Percent of answers by service."""
        seen = collections.Counter(
            self.system.get("blue", host, "/", i % 2).json["service"]
            for i in range(requests))
        return {k: 100.0 * v / requests for k, v in seen.items()}

    def near(self, shares, service, percent, what):
        got = shares.get(service, 0.0)
        self.check(abs(got - percent) <= 3.0, "%s: %s gets %.1f %% of 1,200 "
                   "requests (%g %% wanted)" % (what, service, got, percent))

    def files(self, cluster):
        """Path -> text of what the cluster's proxies run."""
        answer = self.system.ask("/v1/clusters/%s/config" % cluster)
        return {f["path"]: f["text"] for f in answer["files"]}

    # The steps.

    def start(self):
        self.say("A Swarm, and Bulkhead with two clusters of two nginx each")
        self.fake.start()
        for name in ("front", "back"):
            self.fake.create_network(name)
        self.system.cluster("blue", replicas=2,
                            text="[cluster]\ndefault = true\n")
        self.system.cluster("green", replicas=2)
        self.system.start()
        self.good("supervisor, reader, two extensions, four proxies")

    def publish(self):
        self.say("Publish a service by labels, then scale it 1 -> 4")
        self.fake.create_service("web", networks=["front"], replicas=1,
                                 labels=lb("web.example"), env=["VERSION=1"])
        self.system.wait_served("blue", "web.example")
        self.good("http://web.example/ answers through both proxies")
        answer = self.system.get("blue", "nobody.example")
        self.check(answer.status == 503, "an unknown host is a 503")
        self.fake.scale("web", 4)
        self.system.wait_tasks("blue", "web.example", 4)
        self.good("all four tasks answer")

    def canary(self):
        self.say("Canary: 4 + 1 tasks, then weights, then two VIP services")
        self.fake.create_service("canary", networks=["front"], replicas=1,
                                 labels=lb("web.example"))
        self.system.wait_tasks("blue", "web.example", 5)
        self.near(self.shares("web.example"), "canary", 20, "4+1 tasks")
        before = self.system.generation("blue")
        self.fake.set_label("canary", "com.docker.lb.weight", "50")
        procs.wait_for(lambda: self.system.generation("blue") > before,
                       30, "the weight to be rendered")
        self.system.wait_applied("blue")
        self.near(self.shares("web.example"), "canary", 100.0 / 3,
                  "weight 50 beside the default 100")
        for name in ("vip-a", "vip-b"):
            self.fake.create_service(
                name, networks=["front"], replicas=3,
                labels=lb("vip.example", backend_mode="vip"))
            self.fake.wait_running(name, 3)
        procs.wait_for(lambda: len(self.shares("vip.example", 20)) == 2,
                       30, "both VIPs to answer")
        self.near(self.shares("vip.example"), "vip-a", 50, "two VIPs")

    def clusters(self):
        self.say("A change in one cluster is nothing to the other; a service "
                 "moves by its label")
        self.fake.create_service(
            "green-web", networks=["back"], replicas=1,
            labels=lb("green.example", service_cluster="green"))
        self.system.wait_served("green", "green.example")
        self.system.wait_applied("green")
        before = self.system.detail("green")
        self.fake.scale("web", 2)
        self.system.wait_tasks("blue", "web.example", 3)
        after = self.system.detail("green")
        for key in ("bus_messages", "reloads", "generation"):
            self.check(before[key] == after[key],
                       "green's %s stayed at %d" % (key, after[key]))
        self.fake.set_label("green-web", "com.docker.lb.service_cluster",
                            "blue")
        self.system.wait_served("blue", "green.example")
        self.system.wait_served("green", "green.example", want=503)
        self.good("green-web left green and answers in blue")

    def mistakes(self):
        self.say("Mistakes of one tenant are nobody else's: each has its "
                 "reason")
        before = self.files("blue")
        bad = {
            "bad-label": (["front"], lb("a.example; return 302 http://evil/"),
                          "bad-value"),
            "thief": (["back"], lb("web.example"), "host-taken"),
            "elsewhere": (["front"], lb("else.example", network="back"),
                          "network-not-attached"),
        }
        for name, (networks, labels, _) in bad.items():
            self.fake.create_service(name, networks=networks, labels=labels)
        self.fake.sim("POST", "/objects/services",
                      '{"ID":"oddoddodd","Version":{"Index":1},'
                      '"Spec":{"Name":"odd","Labels":{"a\\u0000b":"1"}}}')
        for name, (_, _, code) in bad.items():
            service = procs.wait_for(
                lambda n=name: self.system.services().get(n), 30,
                name + " to be judged")
            self.check(service["code"] == code, "%s: %s: %s" % (
                name, service["code"], service["reason"]))
        odd = procs.wait_for(lambda: self.system.services().get("odd"), 60,
                             "the odd object to be set aside")
        self.check(odd["code"] == "bad-object", "odd: %s" % odd["reason"])
        self.check(self.files("blue") == before,
                   "every file of the proxies is byte for byte as before")
        _, out, _ = self.system.ctl("explain", "thief", check=False)
        print("   proxyctl explain thief:\n      "
              + "\n      ".join(out.strip().splitlines()))

    def config(self):
        self.say("INI files: a broken one changes nothing, a new one starts "
                 "a cluster")
        path = self.system.ini_path("blue")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        self.system.write_file(path, text + "[proxy]\nreplcas = 9\n")
        code, _, words = self.system.ctl("reload", check=False)
        self.check(code == 1, "refused: " + words.strip().splitlines()[0])
        self.system.write_file(path, text)
        self.system.ctl("reload")
        self.system.cluster("red")
        self.fake.create_service(
            "red-web", networks=["front"],
            labels=lb("red.example", service_cluster="red"))
        self.system.wait_served("red", "red.example")
        self.good("cluster red serves red.example")

    def kills(self):
        self.say("kill -9 of every process, one after the other")
        self.system.wait_applied("blue")
        generation = self.system.generation("blue")
        reloads = self.system.detail("blue")["reloads"]
        status = self.system.status()
        blue = self.system.cluster_status("blue")
        for name, pid in (("the reader", status["reader"]["pid"]),
                          ("blue's extension", blue["pid"])):
            os.kill(pid, signal.SIGKILL)
            self.system.wait_served("blue", "web.example")
            procs.wait_for(lambda: not os.path.exists("/proc/%d" % pid), 10,
                           "the end of %d" % pid)
            self.system.wait_ready()
            self.good("%s was killed: traffic went on, it is back" % name)
        for name, pid in (("an agent's worker", self.agent_worker()),
                          ("an nginx master", self.nginx_master())):
            os.kill(pid, signal.SIGKILL)
            self.system.wait_served("blue", "web.example")
            procs.wait_for(lambda p=pid: not os.path.exists("/proc/%d" % p),
                           10, "the end of %d" % pid)
            self.system.wait_applied("blue")
            self.good("%s was killed: traffic went on, it is back" % name)
        reloads = self.system.detail("blue")["reloads"]
        self.system.process.kill()
        self.system.process.wait()
        self.system.wait_served("blue", "web.example")
        self.system.start()
        self.system.wait_applied("blue")
        self.good("the supervisor was killed and started: proxies adopted")
        self.check(self.system.generation("blue") == generation,
                   "generation %d as before all this" % generation)
        self.check(self.system.detail("blue")["reloads"] == reloads,
                   "no proxy was reloaded by it")

    def agent_worker(self):
        for pid in self.system.agent_pids():
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                words = f.read().split(b"\0")
            if b"--worker" in words and b"blue.0" in words:
                return pid
        raise AssertionError("no worker of blue.0")

    def nginx_master(self):
        with open(os.path.join(self.system.run_dir, "proxies", "blue.1",
                               "nginx.pid"), encoding="ascii") as f:
            return int(f.read())

    def real(self):
        self.say("A dry run of a real Swarm: snapshot, render, nginx -t")
        why = engine.RealEngine.why_not()
        if why:
            print("   not tried here: " + why)
            return
        swarm = engine.RealEngine()
        try:
            swarm.start()
        except engine.CannotRun as error:
            print("   not tried here: %s" % error)
            return
        try:
            self.dry_run(swarm)
        finally:
            swarm.stop()

    def dry_run(self, swarm):
        swarm.create_network("front")
        swarm.create_service("web", networks=["front"], replicas=2,
                             labels=lb("web.example"))
        swarm.wait_running("web", 2)
        snapshot = os.path.join(self.system.folder, "swarm.json")
        out = os.path.join(self.system.folder, "try")
        _, text, _ = self.system.ctl(
            "snapshot", "--docker", "unix://" + swarm.socket)
        self.system.write_file(snapshot, text)
        self.system.ctl("render", "--cluster", self.system.ini_path("blue"),
                        "--snapshot", snapshot, "--out", out)
        done = subprocess.run(
            ["/usr/sbin/nginx", "-t", "-p", out, "-c", "nginx.conf", "-e",
             "stderr"], capture_output=True, text=True, check=False)
        self.check(done.returncode == 0, "nginx accepts what was rendered")

    def run(self):
        try:
            for step in (self.start, self.publish, self.canary,
                         self.clusters, self.mistakes, self.config,
                         self.kills, self.real):
                step()
            print("\nAll of it held.", flush=True)
            return 0
        except AssertionError as error:
            print("\nFAILED: %s\n\nlast lines of the supervisor's log:"
                  % error, file=sys.stderr)
            if self.system.process is not None:
                print(self.system.process.output()[-4000:], file=sys.stderr)
            return 1
        finally:
            self.system.stop()
            self.fake.stop()


if __name__ == "__main__":
    sys.exit(Tour().run())
