#!/usr/bin/env python3
"""make bench-swarm, the second part: a label change until both proxies of a
group serve it, on a real Swarm of three nodes, with 1, 5 and 10 networks.

Ours (agents reload nginx) beside the way of Interlock with an equal nginx
service: a new Docker config and an update of the service, host ports, one
proxy after the other.  Both groups are on the same two nodes and bear the
same load meanwhile.  The time in which Interlock would notice the label is
not counted.  Milliseconds, median/greatest; failed of asked requests.

Then a new network: until it is served, how many tasks were replaced, and what
failed for a client that honours /healthz and for one that does not.
"""

import argparse
import base64
import json
import os
import statistics
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--build", required=True)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--rate", type=int, default=100,
                    help="requests a second at each of the four proxies")
ARGS = parser.parse_args()
os.environ["BULKHEAD_BUILD"] = os.path.abspath(ARGS.build)

import balanced  # noqa: E402
import bulkhead  # noqa: E402
import engine  # noqa: E402
import httpc  # noqa: E402
import images  # noqa: E402
import nodes  # noqa: E402
import procs  # noqa: E402
from bulkhead import lb  # noqa: E402

OURS, THEIRS = "bulkhead-proxy-blue", "interlock-nginx"
OUR_PORT, HEALTH_PORT, THEIR_PORT = 8080, 8500, 9080
COUNTS = (1, 5, 10)
STAY = "stay.example"


class Bench:
    def __init__(self):
        self.swarm = nodes.Swarm(3)
        self.real = self.swarm.manager
        self.system = None
        self.temp = procs.TempDir("bh-label-")
        self.configs = 0
        self.hosts = [STAY]

    # The stage.

    def start(self):
        self.swarm.start()
        self.swarm.label_node(1, lb="true")
        self.swarm.label_node(2, lb="true")
        image = images.proxy(self.real)
        for node in self.swarm.nodes[1:]:
            self.real.share_image(node, "bulkhead-proxy:test")
        self.real.create_network("control")
        self.real.api("POST", "/secrets/create", {
            "Name": "agent-token", "Labels": {},
            "Data": base64.b64encode(b"secret").decode()})
        self.system = bulkhead.System(self.real.socket,
                                      watch=self.real.control)
        token = self.temp.join("token")
        self.system.write_file(token, "secret\n")
        port = bulkhead.free_ports(1)
        self.system.write_file(self.system.ini_path("blue"), """
[cluster]
network_release_delay = 2s
[proxy]
driver = swarm
replicas = 2
image = %s
publish_mode = host
published_port = %d
published_ssl_port = 8443
health_listen = 0.0.0.0:%d
constraints = node.labels.lb == true
drain_delay = 1s
[control]
listen = 0.0.0.0:%d
url = http://%s:%d
token_file = %s
agent_secrets = agent-token
network = control
""" % (image, OUR_PORT, HEALTH_PORT, port, self.swarm.address, port, token))
        self.system.start()
        self.networks(1)
        self.real.create_service(THEIRS, **self.their_spec(image))
        self.wait_served(THEIR_PORT, STAY)

    def stop(self):
        if self.system is not None:
            self.system.stop()
        self.swarm.stop()
        self.temp.remove()

    def where(self, port):
        return ["%s:%d" % (self.swarm.node(i).address, port) for i in (1, 2)]

    def app(self, index, hosts):
        """A service with a network of its own, beside the proxies' nodes."""
        self.real.create_network("n%d" % index)
        self.real.create_service(
            "app%d" % index, networks=["n%d" % index], labels=lb(hosts),
            TaskTemplate={"Placement": {
                "Constraints": ["node.role == manager"]}})
        self.real.wait_running("app%d" % index, 1)

    def networks(self, count):
        """So many applications, each with its network; all are served."""
        for i in range(count):
            if self.real.api("GET", "/services/app%d" % i).status == 404:
                self.app(i, STAY if i == 0 else "app%d.example" % i)
        self.wait_served(OUR_PORT, STAY if count == 1
                         else "app%d.example" % (count - 1))
        self.settled()

    def settled(self):
        def well():
            gate = self.system.status()["reader"]["status"]["gate"]["blue"]
            return (gate["state"] == "ok" and gate["running"] == 2 and
                    not gate["error"])
        procs.wait_for(well, 120, "our proxies", 0.1)

    # The way of Interlock.

    def their_config(self):
        """A new Docker config with all hosts; (ID, name)."""
        addresses = []
        task = self.real.running("app0")[0]
        for attachment in task["NetworksAttachments"]:
            if attachment["Network"]["Spec"]["Name"] == "n0":
                addresses = [a.split("/")[0] for a in attachment["Addresses"]]
        servers = "".join(
            "server { listen 80; server_name %s; location / {"
            " proxy_pass http://app0; } }\n" % h for h in self.hosts)
        text = ("worker_processes 1; pid /tmp/nginx.pid;\n"
                "error_log stderr crit;\n"
                "events { worker_connections 1024; }\n"
                "http { access_log off;\n"
                "client_body_temp_path /tmp/b; proxy_temp_path /tmp/p;\n"
                "fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u;\n"
                "scgi_temp_path /tmp/s;\n"
                "server_names_hash_bucket_size 128;\n"
                "upstream app0 { %s }\n"
                "server { listen 80 default_server; return 503; }\n%s}\n" % (
                    " ".join("server %s:8080;" % a for a in addresses),
                    servers))
        self.configs += 1
        name = "nginx-%d" % self.configs
        answer = self.real.api("POST", "/configs/create", {
            "Name": name, "Data": base64.b64encode(text.encode()).decode()})
        if answer.status != 201:
            raise AssertionError("config: %r" % answer)
        return [{"File": {"Name": "/etc/nginx.conf", "UID": "0", "GID": "0",
                          "Mode": 0o444},
                 "ConfigID": answer.json["ID"], "ConfigName": name}]

    def their_spec(self, image):
        return {
            "image": image, "replicas": 2, "networks": ["n0"],
            "ContainerSpec": {
                "Command": ["nginx", "-g", "daemon off;", "-c",
                            "/etc/nginx.conf"],
                # The image's own asks an agent.
                "Healthcheck": {"Test": ["NONE"]},
                "User": "0", "Configs": self.their_config(),
                "StopSignal": "SIGQUIT"},
            "TaskTemplate": {
                "Placement": {"Constraints": ["node.labels.lb == true"],
                              "MaxReplicas": 1},
                "RestartPolicy": {"Condition": "any", "Delay": 10 ** 9}},
            "UpdateConfig": {"Parallelism": 1, "Order": "stop-first",
                             "FailureAction": "continue"},
            "EndpointSpec": {"Ports": [{
                "Protocol": "tcp", "TargetPort": 80, "PublishMode": "host",
                "PublishedPort": THEIR_PORT}]}}

    def their_networks(self, count):
        ids = {n["Name"]: n["Id"] for n in self.real.get("/networks")}

        def change(spec):
            spec["TaskTemplate"]["Networks"] = [
                {"Target": ids["n%d" % i]} for i in range(count)]
        self.real.update_service(THEIRS, change)
        self.their_update_is_over()

    def their_update_is_over(self):
        def over():
            status = self.real.get("/services/" + THEIRS).get(
                "UpdateStatus", {})
            running = len(self.real.running(THEIRS))
            if status.get("State", "completed") == "completed" and (
                    running == 2):
                return True
            raise AssertionError("%r, %d running" % (status, running))
        procs.wait_for(over, 60, "the nginx service's update", 0.2)

    # Measuring.

    def answers(self, where, host):
        try:
            return httpc.get(where, "/", host=host, timeout=2).status == 200
        except (OSError, ValueError):
            return False

    def wait_served(self, port, host, deadline=60):
        """Until each proxy served it once; when the last one did."""
        found = {}

        def ask(where):
            try:
                procs.wait_for(lambda: self.answers(where, host), deadline,
                               host, 0.005)
                found[where] = time.monotonic()
            except procs.Timeout:
                pass    # told below
        threads = [threading.Thread(target=ask, args=(w,))
                   for w in self.where(port)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if len(found) != 2:
            raise AssertionError("%s is not served on %d: %s" % (
                host, port, self.system.ctl("status", check=False)[1]))
        return max(found.values())

    def load(self, port):
        return [procs.Process(
            [os.path.join(procs.BUILD, "bench", "load"), "--to", where,
             "--host", STAY, "--rate", str(ARGS.rate)],
            self.temp.join("load-%s.log" % where.replace(":", "-")))
            for where in self.where(port)]

    @staticmethod
    def end_load(loads):
        """(asked, failed)"""
        asked = failed = 0
        for process in loads:
            process.stop(20)
            figures = json.loads(process.output().strip().splitlines()[-1])
            asked += figures["asked"]
            failed += sum(figures[k] for k in (
                "status", "refused", "reset", "timeout", "misrouted"))
        return asked, failed

    def our_change(self, number):
        self.hosts.append("r%d.example" % number)
        start = time.monotonic()
        self.real.set_label("app0", "com.docker.lb.hosts",
                            ",".join(self.hosts))
        return (self.wait_served(OUR_PORT, self.hosts[-1]) - start) * 1000

    def their_change(self):
        start = time.monotonic()
        config = self.their_config()

        def change(spec):
            spec["TaskTemplate"]["ContainerSpec"]["Configs"] = config
        self.real.update_service(THEIRS, change)
        took = (self.wait_served(THEIR_PORT, self.hosts[-1]) - start) * 1000
        self.their_update_is_over()
        return took

    def label_change(self, count):
        ours, theirs = [], []
        loads = self.load(OUR_PORT), self.load(THEIR_PORT)
        # What the load meets without a change, before and between them, is
        # part of the figure: a window of time, no event ends it.
        time.sleep(1)
        for number in range(ARGS.rounds):
            ours.append(self.our_change(100 * count + number))
            if number % 3 == 0:
                theirs.append(self.their_change())
            time.sleep(0.5)
        one, two = [self.end_load(x) for x in loads]
        ratio = statistics.median(theirs) / statistics.median(ours)
        print("label change, %2d networks    ours=%.0f/%.0f failed=%d/%d  "
              "nginx service=%.0f/%.0f failed=%d/%d  ratio=%.0f" % (
                  count, statistics.median(ours), max(ours), one[1], one[0],
                  statistics.median(theirs), max(theirs), two[1], two[0],
                  ratio), flush=True)
        return ratio >= 50 and one[1] == 0

    def new_network(self, index):
        """One more network with its application: a roll of our proxies."""
        before = {t["ID"] for t in self.real.tasks(OURS)}
        loads = self.load(OUR_PORT)
        with balanced.Client(list(zip(
                self.where(OUR_PORT), self.where(HEALTH_PORT))), STAY,
                             rate=ARGS.rate) as client:
            client.wait_healthy(2)
            start = time.monotonic()
            self.app(index, "app%d.example" % index)
            served = self.wait_served(OUR_PORT, "app%d.example" % index)
            self.settled()
            client.wait_healthy(2)
        asked, failed = self.end_load(loads)
        new = {t["ID"] for t in self.real.tasks(OURS)} - before
        print("new network                  served=%.0f  new tasks=%d of 2  "
              "failed, honouring /healthz=%d/%d  not honouring=%d/%d%s" % (
                  (served - start) * 1000, len(new), len(client.failed),
                  client.asked, failed, asked,
                  "".join("\n  %r" % (w,) for w in client.failed[:10])),
              flush=True)
        return not client.failed and len(new) == 2


def main():
    why = engine.RealEngine.why_not() or images.why_not()
    if why:
        print("label change: not measured: %s" % why)
        return 0
    bench = Bench()
    held = True
    try:
        bench.start()
        for count in COUNTS:
            bench.networks(count)
            if count > 1:
                bench.their_networks(count)
            held &= bench.label_change(count)
        held &= bench.new_network(COUNTS[-1])
    except engine.CannotRun as reason:
        print("label change: not measured: %s" % reason)
    finally:
        bench.stop()
    if not held:
        print("label change: NOT HELD: 50 times as quick, nothing failed")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
