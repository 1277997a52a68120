"""
Bulkhead as deploy/stack.yml puts it on a real Swarm (nodes.py).

    stack = stack.Stack(nodes.Swarm(1), replicas=1)
    stack.start()                   # images, certificates
    stack.deploy()
    stack.wait_applied("blue", 1)
    stack.stop()
"""

import json
import os
import shutil
import subprocess

import balanced
import engine
import httpc
import images
import nodes
import procs

DEPLOY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..",
                      "deploy")
CLIENT = shutil.which("docker", path="/usr/local/bin:/usr/bin:/bin")
PORTS = {"blue": 80, "green": 8080}
HEALTH = {"blue": 8081, "green": 8082}
NAME = "bulkhead"


def why_not():
    """A reason why it cannot run here, or None."""
    if not CLIENT:
        return "no docker client (package docker.io)"
    return engine.RealEngine.why_not() or images.why_not()


class Stack:
    """The stack on the Swarm; 'say' is told each command."""

    def __init__(self, swarm, replicas, say=lambda text: None):
        self.swarm = swarm
        self.real = swarm.manager
        self.home = swarm.manager   # whose node the supervisor is on
        self.replicas = replicas
        self.say = say
        self.tmp = procs.TempDir("bh-stack-")
        self.pki = self.tmp.join("pki")
        self.file = os.path.join(DEPLOY, "stack.yml")
        self.env = dict(os.environ)

    def start(self):
        self.swarm.start()
        names = {"BULKHEAD_IMAGE": images.control(self.real),
                 "BULKHEAD_PROXY_IMAGE": images.proxy(self.real)}
        for node in self.swarm.nodes[1:]:
            self.real.share_image(node, "bulkhead-proxy:test")
        self.env.update(names)
        self.env.update({
            "DOCKER_HOST": "unix://" + self.real.socket,
            "DOCKER_CONFIG": self.tmp.path,
            "BULKHEAD_PKI": self.pki,
            "BULKHEAD_REPLICAS": str(self.replicas),
            "BULKHEAD_PUBLISH_MODE": "host",
            "BULKHEAD_DOCKER_SOCKET": nodes.OWN + "/docker.sock",
            "BULKHEAD_SWARM_DIR": nodes.OWN + "/exec/swarm",
        })
        self.certificates()

    def certificates(self, *options):
        """proxyctl pki, and its names.env into the environment."""
        done = subprocess.run(
            [procs.binary("proxyctl"), "pki", *options, self.pki],
            capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        with open(self.pki + "/names.env", encoding="ascii") as file:
            self.env.update(line.strip().split("=") for line in file)

    def stop(self):
        self.swarm.stop()
        self.tmp.remove()

    # Commands.

    def docker(self, *argv, check=True, quiet=False, at=None):
        if not quiet:
            self.say("docker " + " ".join(argv))
        env = dict(self.env,
                   DOCKER_HOST="unix://" + (at or self.real).socket)
        done = subprocess.run([CLIENT, *argv], env=env, text=True,
                              capture_output=True, check=False, timeout=120)
        if check and done.returncode != 0:
            raise AssertionError("docker %s: %s" % (" ".join(argv),
                                                    done.stderr))
        return done.stdout

    def deploy(self, file=None, name=NAME):
        self.docker("stack", "deploy", "--resolve-image", "never", "-c",
                    file or self.file, name)

    def container(self):
        """Of the supervisor, or None."""
        return self.docker(
            "ps", "-q", "--filter", "label=com.docker.swarm.service.name="
            "bulkhead_supervisor", quiet=True, at=self.home).strip() or None

    def proxyctl(self, *argv, quiet=False):
        """Runs in the supervisor's container."""
        if not quiet:
            self.say("proxyctl " + " ".join(argv))
        return self.docker("exec", self.container() or "none", "proxyctl",
                           *argv, quiet=True, at=self.home)

    # What is seen.

    def proxies(self, cluster):
        known = json.loads(self.proxyctl("--json", "proxies", quiet=True))
        return [p for p in known["proxies"]
                if p["cluster"] == cluster and p["alive"]]

    def wait_applied(self, cluster, deadline=90):
        """As many proxies as there should be serve the newest generation;
        their names."""
        def applied():
            known = self.proxies(cluster)
            return (len(known) == self.replicas ==
                    len(self.real.running("bulkhead-proxy-" + cluster)) and
                    all(p["applied"] == p["generation"] for p in known) and
                    sorted(p["id"] for p in known))
        try:
            return procs.wait_for(applied, deadline, "proxies of " + cluster,
                                  0.2)
        except procs.Timeout as error:
            raise AssertionError("%s\n%s" % (error, self.picture())) from None

    def picture(self):
        """For a failure: what runs, and its last words."""
        return "".join(self.docker(*argv, check=False, quiet=True) for argv in (
            ("service", "ls"),
            ("service", "ps", "--no-trunc", "bulkhead-proxy-blue"),
            ("service", "logs", "--tail", "15", "bulkhead-proxy-blue"),
            ("service", "ps", "--no-trunc", "bulkhead_supervisor"),
            ("service", "logs", "--tail", "20", "bulkhead_supervisor")))

    def get(self, cluster, host, node=0):
        return httpc.get(self.where(node, PORTS[cluster]), "/", host,
                         timeout=5)

    def where(self, node, port):
        return "%s:%d" % (self.swarm.node(node).address, port)

    def status(self, cluster, host, node=0):
        """0: no answer."""
        return balanced.status(self.where(node, PORTS[cluster]), host=host)

    def health(self, cluster, node=0):
        """What a balancer is told; 0: no answer."""
        return balanced.status(self.where(node, HEALTH[cluster]), "/healthz",
                               timeout=2)

    def asking(self, cluster, host):
        """A client of the first node's proxy, whatever that says."""
        return balanced.Client([(self.where(0, PORTS[cluster]), None)], host)

    def balancer(self, cluster, host, port=None, **more):
        """A client of all nodes' proxies that honours /healthz."""
        return balanced.Client(
            [(self.where(i, port or PORTS[cluster]),
              self.where(i, HEALTH[cluster]))
             for i in range(len(self.swarm.nodes))], host, **more)

    def wait_status(self, cluster, host, wanted, deadline=180):
        """Some times in a row: old workers accept for a moment."""
        procs.wait_for(
            lambda: all(self.status(cluster, host) == wanted
                        for _ in range(4)), deadline,
            "%d for %s through %s" % (wanted, host, cluster), 0.1)

    def answers(self, cluster, host, number=40):
        """[(task's host name, its version)]"""
        known = [self.get(cluster, host).json for _ in range(number)]
        return [(a["task"], a["version"]) for a in known]

    def publish(self, name, network, version="1", replicas=1, **labels):
        labels = {"com.docker.lb." + key: value
                  for key, value in dict(port="8080", **labels).items()}
        self.say("docker service create --name %s --network %s %s" % (
            name, network, " ".join("-l %s=%s" % i for i in labels.items())))
        return self.real.create_service(
            name, networks=[network], env=["VERSION=" + version],
            replicas=replicas, labels=labels)

    def left(self):
        """What of it is there, of any kind but volumes."""
        found = [o["Spec"]["Name"] for kind in ("services", "secrets",
                                                "configs")
                 for o in self.real.get("/" + kind)]
        found += [n["Name"] for n in self.real.get("/networks")]
        found += [c["Image"] for c in self.real.get("/containers/json",
                                                    {"all": "true"})]
        return [name for name in found if name.startswith("bulkhead") or
                name in (self.env["BULKHEAD_IMAGE"],
                         self.env["BULKHEAD_PROXY_IMAGE"])]
