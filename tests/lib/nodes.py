"""
A real Swarm of several nodes on one machine: each node is a dockerd in a
network namespace of its own, all joined by veth pairs to one bridge.

    swarm = nodes.Swarm(3)
    swarm.start()
    swarm.manager.create_service(...)
    swarm.node(2).cut(); swarm.node(2).mend()
    swarm.node(1).crash()
    swarm.stop()

On every node OWN is the folder of its own engine: what a service mounts from
there is that of whichever node its task is on.

Clients of the test reach what nodes publish with mode=host at
swarm.node(i).address; containers reach the test at swarm.address.
"""

import os
import signal
import subprocess

import engine
import procs

SUBNET = "10.213.%d."
OWN = "/run/engine"
# A node's namespaces are there before its link is: "read" waits for that.
# The mounts are its own, for /run must not be shared: containerd's shims meet
# in it.
START = """
read _
mount --make-rprivate /
mount -t tmpfs run /run
mkdir -p /run/docker /run/engine
mount --bind "$1" /run/engine
shift
ip link set lo up
exec "$@"
"""


def run(*argv):
    """A command that must succeed."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise engine.CannotRun("%s: %s" % (" ".join(argv),
                                           done.stderr.strip()))


class Node(engine.RealEngine):
    """One engine in its own namespaces."""

    def __init__(self, swarm, index):
        super().__init__()
        self.swarm = swarm
        self.address = swarm.subnet + str(index + 1)
        self.name = "node%d" % index
        self.link = "%s-%d" % (swarm.bridge, index)
        self.data_path_port = 4789
        self.id = None

    def command(self):
        fifo = self.dir.join("go")
        return ["unshare", "--net", "--mount", "--uts", "sh", "-c",
                "exec <%s; hostname %s; %s" % (fifo, self.name, START),
                "sh", self.dir.path] + super().command()

    def start(self, deadline=60.0, init=False):
        fifo = self.dir.join("go")
        if not os.path.exists(fifo):
            os.mkfifo(fifo)
        self._launch()
        with open(fifo, "w", encoding="ascii") as go:
            self._join_bridge()
            go.write("go\n")
        procs.wait_for(lambda: not self.process.alive() or
                       self.raw("GET", "/_ping").status == 200, deadline,
                       "dockerd of %s to answer" % self.name)
        if not self.process.alive():
            raise engine.CannotRun("%s ended: %s" % (self.name,
                                                     self.last_words()))
        return self

    def _launch(self):
        self.process = procs.Process(self.command(),
                                     self.dir.join("dockerd.log"))

    def _join_bridge(self):
        """Gives the waiting process its end of a veth pair."""
        pid = str(self.process.pid)
        own = os.readlink("/proc/self/ns/net")
        procs.wait_for(lambda: os.readlink("/proc/%s/ns/net" % pid) != own,
                       10, "a network namespace")
        run("ip", "link", "add", self.link, "type", "veth", "peer", "name",
            "eth0", "netns", pid)
        run("ip", "link", "set", self.link, "master", self.swarm.bridge, "up")
        enter = ("nsenter", "--net=/proc/%s/ns/net" % pid)
        run(*enter, "ip", "addr", "add", self.address + "/24", "dev", "eth0")
        run(*enter, "ip", "link", "set", "eth0", "up")
        run(*enter, "ip", "route", "add", "default", "via",
            self.swarm.address)

    def join(self, manager, role="Worker"):
        """Joins the manager's Swarm; sets self.id."""
        token = manager.get("/swarm")["JoinTokens"][role]
        answer = self.api("POST", "/swarm/join", {
            "ListenAddr": self.address + ":2377",
            "AdvertiseAddr": self.address, "DataPathAddr": self.address,
            "RemoteAddrs": [manager.address + ":2377"], "JoinToken": token},
            timeout=90)
        if answer.status != 200:
            raise engine.CannotRun("%s: join: %r" % (self.name, answer))
        self.id = self.get("/info")["Swarm"]["NodeID"]

    def swarm_init(self):
        answer = self.api("POST", "/swarm/init", {
            "ListenAddr": self.address + ":2377",
            "AdvertiseAddr": self.address, "DataPathAddr": self.address})
        if answer.status != 200:
            raise engine.CannotRun("swarm init: %r" % answer)
        self.id = self.get("/info")["Swarm"]["NodeID"]

    # Faults.

    def cut(self):
        """Nothing goes from or to this node any more."""
        run("ip", "link", "set", self.link, "down")

    def mend(self):
        run("ip", "link", "set", self.link, "up")

    def processes(self):
        """Pids of all that runs in this node: engine, shims, containers."""
        found = []
        for pid in os.listdir("/proc"):
            if not pid.isdigit():
                continue
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    words = f.read()
                if self.dir.path.encode() in words or (
                        self._cgroup_is_ours(pid)):
                    found.append(int(pid))
            except OSError:
                continue
        return found

    def _cgroup_is_ours(self, pid):
        """A container's process: its root is in our folder."""
        with open("/proc/%s/mountinfo" % pid, encoding="utf-8") as f:
            first = f.readline()
        return self.dir.join("data") in first

    def crash(self):
        """Everything on the node ends at once, as without power."""
        if self.process is None:
            return
        for _ in range(3):      # what was being started meanwhile
            for pid in self.processes():
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
        self.process.wait(10)
        subprocess.run(["ip", "link", "del", self.link], check=False,
                       capture_output=True)

    def clear(self):
        """Removes what the node left on disk."""
        self._unmount()
        self.dir.remove()

    def share_image(self, other, name):
        """Copies an image to another node, under the same ID."""
        answer = self.raw("GET", engine.API + "/images/%s/get" % name,
                          timeout=120)
        if answer.status != 200:
            raise AssertionError("image %s: %d" % (name, answer.status))
        loaded = other.raw("POST", engine.API + "/images/load?quiet=1",
                           answer.body, headers={
                               "Content-Type": "application/x-tar"},
                           timeout=120)
        if loaded.status != 200:
            raise AssertionError("load %s: %r" % (name, loaded))


class Swarm:
    """The bridge and its nodes; node 0 is the manager."""

    def __init__(self, number=3, third=0):
        self.bridge = "bhbr%d" % third
        self.subnet = SUBNET % third
        self.address = self.subnet + "254"
        self.turn = None
        self.nodes = [Node(self, i) for i in range(number)]

    @property
    def manager(self):
        return self.nodes[0]

    def node(self, index):
        return self.nodes[index]

    def start(self, image="bulkhead-test:1"):
        """Starts, joins, and gives every node the test image."""
        reason = engine.RealEngine.why_not()
        if reason:
            self.stop()
            raise engine.CannotRun(reason)
        self.turn = engine.take_turn("real-swarm")
        try:
            run("ip", "link", "add", self.bridge, "type", "bridge")
            run("ip", "addr", "add", self.address + "/24", "dev", self.bridge)
            run("ip", "link", "set", self.bridge, "up")
            # Joining times out where bridged packets are dropped.
            run("iptables", "-I", "FORWARD", "-i", self.bridge, "-o",
                self.bridge, "-j", "ACCEPT")
            for node in self.nodes:
                node.start()
            self.manager.swarm_init()
            self.manager.image = self.manager.import_image(image)
            for node in self.nodes[1:]:
                node.join(self.manager)
                self.manager.share_image(node, image)
        except (engine.CannotRun, procs.Timeout, AssertionError) as error:
            self.stop()
            raise engine.CannotRun(str(error)) from None
        return self

    def label_node(self, index, **labels):
        """Sets labels of a node, for placement constraints."""
        node = self.manager.get("/nodes/" + self.nodes[index].id)
        spec = node["Spec"]
        spec.setdefault("Labels", {}).update(labels)
        self._update_node(node, spec)

    def availability(self, index, word):
        """active, pause or drain."""
        self._set(index, "Availability", word)

    def promote(self, index):
        self._set(index, "Role", "manager")

    def _set(self, index, key, word):
        node = self.manager.get("/nodes/" + self.nodes[index].id)
        node["Spec"][key] = word
        self._update_node(node, node["Spec"])

    def _update_node(self, node, spec):
        answer = self.manager.api(
            "POST", "/nodes/%s/update" % node["ID"], spec,
            query={"version": node["Version"]["Index"]})
        if answer.status != 200:
            raise AssertionError("node update: %r" % answer)

    def stop(self):
        for node in reversed(self.nodes):
            node.crash()
            node.clear()
        subprocess.run(["iptables", "-D", "FORWARD", "-i", self.bridge, "-o",
                        self.bridge, "-j", "ACCEPT"], check=False,
                       capture_output=True)
        subprocess.run(["ip", "link", "del", self.bridge], check=False,
                       capture_output=True)
        if self.turn is not None:
            self.turn.close()
            self.turn = None
