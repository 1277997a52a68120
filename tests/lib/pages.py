"""
The stack of deploy/ on a real Swarm of one node with the clusters us-east and
us-west, and the sample services of the vendor's pages behind it.

    site = pages.begin()  # its first test brings the stack up
    site.command("docker service create --name demo … ehazlett/docker-demo")
    site.published("METADATA of it", "demo.local")
    site.gone("demo")
    pages.main(site)
"""

import json
import os
import shlex
import shutil

import certificates
import connection
import engine
import images
import nodes
import procs
import stack
import tap

EAST, WEST = "us-east", "us-west"
SSL_PORTS = {EAST: 443, WEST: 8443}
UPGRADE = {"Upgrade": "websocket", "Connection": "Upgrade",
           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
           "Sec-WebSocket-Version": "13"}
PATIENCE = 90
SAMPLES = ("ehazlett/docker-demo", "ehazlett/docker-demo:dcus",
           "ehazlett/websocket-chat", "ehazlett/interlock-default-app")


def why_not():
    """A reason why it cannot run here, or None."""
    return stack.why_not() or (
        None if shutil.which("openssl") else "no openssl")


def begin():
    """The Pages of a program, brought up as its first test."""
    why = why_not()
    if why:
        tap.skip_all(why)
    site = Pages()
    tap.cleanup(site.stop)

    @tap.step
    def the_stack_is_up_with_two_clusters():
        site.deploy()
    return site


def main(site):
    """Runs what was written down."""
    try:
        site.bulkhead.start()
    except engine.CannotRun as reason:
        tap.skip_all(str(reason))
    tap.main()


class Pages:
    """bulkhead: the stack; pki: certificates that ask() believes."""

    def __init__(self):
        self.bulkhead = stack.Stack(nodes.Swarm(1), 1)
        self.pki = certificates.Pki(self.bulkhead.tmp.path)
        self.samples = {}
        stack.PORTS.update({EAST: 80, WEST: 8080})

    def stop(self):
        self.bulkhead.stop()

    def deploy(self):
        """The stack, its clusters under other names, and a network."""
        folder = self.bulkhead.tmp.join("deploy")
        shutil.copytree(stack.DEPLOY, folder)
        for base, _, names in os.walk(folder):
            for name in names:
                self._rename(base, name)
        self.bulkhead.deploy(os.path.join(folder, "stack.yml"))
        for cluster in (EAST, WEST):
            self.bulkhead.wait_applied(cluster)
        sample = images.demo(self.bulkhead.real)
        self.samples.update({name: sample for name in SAMPLES})
        self.command("docker network create -d overlay demo")

    @staticmethod
    def _rename(base, name):
        def other(text):
            return text.replace("blue", EAST).replace("green", WEST)
        path = os.path.join(base, name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        os.remove(path)
        with open(os.path.join(base, other(name)), "w",
                  encoding="utf-8") as file:
            file.write(other(text))

    def write(self, name, content):
        path = self.bulkhead.tmp.join(name)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes)
                       else content.encode())
        return path

    def command(self, text):
        """A line of the pages, with the image that was made here."""
        words = [self.samples.get(word, word) for word in shlex.split(text)]
        tap.equal(words[0], "docker")
        if words[1:3] == ["service", "create"]:
            words[3:3] = ["--detach", "--no-resolve-image"]
        self.bulkhead.docker(*words[1:])

    def ask(self, host, target="/", cluster=EAST, tls=False, count=1,
            **headers):
        """[(status, headers, what the application told)] on one connection."""
        ports = SSL_PORTS if tls else stack.PORTS
        where = (self.bulkhead.swarm.node(0).address, ports[cluster])
        client = connection.Client(where, {"host": host, "tls": tls}, self.pki)
        found = []
        try:
            for _ in range(count):
                client.send({"get": target, "host": host, "send": headers})
                status, got, body = client.receive()
                told = json.loads(body) if body.startswith(b"{") else None
                found.append((status, got, told))
        finally:
            client.close()
        return found

    def told(self, host, target="/", **more):
        """What the application was asked, when the route stands; else None."""
        try:
            status, headers, seen = self.ask(host, target, **more)[0]
        except (OSError, AssertionError):
            return None
        if status != 200 or seen is None:
            return None
        seen["answer"] = headers
        return seen

    def published(self, metadata, host, target="/", look=0.1, **more):
        """Waits until the sample application answers, and each time: old
        workers accept for a moment; the last answer.  Six questions every
        'look' seconds: fewer than a rate limit refuses."""
        def all_of():
            seen = [self.told(host, target, **more) for _ in range(6)]
            return (all(s and s["service"] == metadata for s in seen) and
                    seen[-1])
        try:
            return procs.wait_for(all_of, PATIENCE, "%s to be %s" % (
                host, metadata), look)
        except procs.Timeout as error:
            raise AssertionError("%s; now %d\n%s%s" % (
                error, self.status(host, target, **more),
                self.bulkhead.proxyctl("services"),
                self.bulkhead.picture())) from None

    def status(self, host, target="/", **more):
        try:
            return self.ask(host, target, **more)[0][0]
        except (OSError, AssertionError):
            return 0

    def wait_status(self, wanted, host, target="/", **more):
        procs.wait_for(lambda: all(self.status(host, target, **more) == wanted
                                   for _ in range(6)), PATIENCE,
                       "%d of %s" % (wanted, host), 0.1)

    def tasks_behind(self, host, number, count, **headers):
        """Waits until 'count' requests reach that many tasks."""
        def right():
            seen = {s["task"] for _, _, s in self.ask(
                host, count=count, **headers) if s}
            return len(seen) == number
        procs.wait_for(right, PATIENCE, "%d tasks behind %s" % (
            number, host), 0.1)

    def gone(self, *services, host="demo.local"):
        self.bulkhead.docker("service", "rm", *services)
        self.wait_status(503, host)

    def websocket(self, host, target, tls=False):
        """Whether bytes come back over an upgraded connection."""
        where = (self.bulkhead.swarm.node(0).address,
                 (SSL_PORTS if tls else stack.PORTS)[EAST])
        client = connection.Client(where, {"host": host, "tls": tls}, self.pki)
        try:
            client.send({"get": target, "host": host, "send": UPGRADE})
            if client.receive()[0] != 101:
                return False
            client.file.readline()
            client.sock.sendall(b"typed\n")
            return client.file.readline() == b"typed\n"
        finally:
            client.close()
