"""The reader alone: its parent's end of fd 3, and extensions' end of the bus.

    reader = reader.Reader(fake.socket, {"blue": "", "green": ""})
    blue = reader.watch("blue")
    reader.start()
    blue.wait(lambda: "web" in blue.names())
"""

import json
import os
import socket
import subprocess
import threading

import procs

SOON = 30.0


class Watch:
    """An extension's end of the bus: messages, and the state they make."""

    def __init__(self, cluster, folder, log):
        self.cluster = cluster
        self.messages = []
        self.heard = False
        self.services = {}
        self.tasks = {}
        self.networks = {}
        self.nodes = {}
        self.secrets = {}
        self.configs = {}
        self.bad = []
        self.condition = threading.Condition()
        program = os.path.join(procs.BUILD, "bench", "bus_watch")
        with open(log, "ab") as err:
            self.popen = subprocess.Popen(
                [program, cluster, folder], stdout=subprocess.PIPE,
                stderr=err, stdin=subprocess.DEVNULL)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.popen.stdout:
            message = json.loads(line)
            with self.condition:
                if message["type"] == "contact":
                    self.heard = message["heard"]
                else:
                    self.messages.append(message)
                    self._take(message)
                self.condition.notify_all()

    def _take(self, message):
        body = message["body"]
        if message["type"] == "remove":
            for kind in ("services", "networks", "nodes", "secrets",
                         "configs"):
                for key in body.get(kind) or []:
                    getattr(self, kind).pop(key, None)
                    if kind == "services":
                        self.tasks.pop(key, None)
            return
        if message["type"] == "snapshot":
            for kind in ("services", "tasks", "networks", "nodes", "secrets",
                         "configs"):
                getattr(self, kind).clear()
            self.bad = []
        for service in body.get("services") or []:
            self.services[service["ID"]] = service
            self.tasks[service["ID"]] = []
        for task in body.get("tasks") or []:
            self.tasks.setdefault(task["ServiceID"], []).append(task)
        for network in body.get("networks") or []:
            self.networks[network["Id"]] = network
        for node in body.get("nodes") or []:
            self.nodes[node["ID"]] = node
        for kind in ("secrets", "configs"):
            for item in body.get(kind) or []:
                getattr(self, kind)[item["Spec"]["Name"]] = item
        if "bad" in body:
            self.bad = body["bad"]

    def names(self):
        return sorted(s["Spec"]["Name"] for s in self.services.values())

    def network_names(self):
        """All but the ingress network, which everybody is told of."""
        return sorted(n["Name"] for n in self.networks.values()
                      if not n["Ingress"])

    def label(self, service, key):
        for s in self.services.values():
            if s["Spec"]["Name"] == service:
                return s["Spec"]["Labels"].get(key)
        return None

    def running(self, service):
        """Tasks of the service that traffic may go to."""
        for s in self.services.values():
            if s["Spec"]["Name"] == service:
                return [t for t in self.tasks.get(s["ID"], [])
                        if t["Status"]["State"] == "running"
                        and t["DesiredState"] == "running"]
        return []

    def wait(self, predicate, deadline=SOON, what=""):
        """Until predicate() is true; looks after each message."""
        with self.condition:
            if not self.condition.wait_for(predicate, deadline):
                raise procs.Timeout("bus[%s]: not within %.0f s: %s; has %s" % (
                    self.cluster, deadline, what or "condition",
                    self.names()))

    def mark(self):
        """The number of messages so far."""
        with self.condition:
            return len(self.messages)

    def since(self, mark):
        with self.condition:
            return self.messages[mark:]

    def stop(self):
        if self.popen.poll() is None:
            self.popen.terminate()
        status = self.popen.wait(20)
        self.thread.join(10)
        self.popen.stdout.close()
        return status


class Reader:
    """bulkhead-supervisor --role reader, with the test as its parent."""

    def __init__(self, docker, clusters, daemon=""):
        self.temp = procs.TempDir("bh-reader-")
        self.docker = docker
        self.daemon = daemon
        self.watches = []
        self.process = None
        self.link = None
        self.status = None
        self.statuses = 0
        self.answers = {}
        self.pongs = set()
        self.next_id = 1
        self.condition = threading.Condition()
        os.makedirs(self.temp.join("accepted", "clusters.d"))
        self.configure()
        for name, text in clusters.items():
            self.cluster(name, text)

    def configure(self):
        with open(self.temp.join("accepted", "bulkhead.ini"), "w") as f:
            f.write("[docker]\nurl = unix://%s\n%s[supervisor]\nrun_dir = %s\n"
                    % (self.docker, self.daemon, self.temp.path))

    def cluster(self, name, text="", send=False):
        """Writes the cluster's accepted file; None removes it."""
        path = self.temp.join("accepted", "clusters.d", name + ".ini")
        if text is None:
            os.unlink(path)
        else:
            with open(path + ".new", "w") as f:
                f.write("[proxy]\ndriver = none\n" + text)
            os.rename(path + ".new", path)
        if send:
            self.send({"type": "reload"})

    def watch(self, cluster):
        w = Watch(cluster, self.temp.join("bus", cluster),
                  self.temp.join("watch.log"))
        self.watches.append(w)
        return w

    def start(self, ready=True):
        ours, theirs = socket.socketpair()
        self.condition = threading.Condition()
        self.status = None
        self.link = ours
        log = self.temp.join("reader.log")
        fd = theirs.fileno()

        def child():
            os.dup2(fd, 3, inheritable=True)

        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                [procs.binary("bulkhead-supervisor"), "--role", "reader",
                 "--run-dir", self.temp.path], stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, preexec_fn=child, close_fds=False)
        theirs.close()
        self.ready = False
        threading.Thread(target=self._read, args=(ours,), daemon=True).start()
        if ready:
            self.wait(lambda: self.ready, what="ready byte")
        return self

    def _read(self, link):
        parts = {}
        file = link.makefile("rb")
        try:
            first = file.read(1)
            with self.condition:
                self.ready = first == b"R"
                self.condition.notify_all()
            for line in file:
                message = json.loads(line)
                with self.condition:
                    if message["type"] == "status":
                        self.status = message
                        self.statuses += 1
                    elif message["type"] == "pong":
                        self.pongs.add(message["id"])
                    elif message["type"] == "answer":
                        number = message["id"]
                        parts[number] = (parts.get(number, "")
                                         + message["data"])
                        if not message.get("more"):
                            self.answers[number] = (message["status"],
                                                    parts.pop(number))
                    self.condition.notify_all()
        except (OSError, ValueError):
            pass

    def wait(self, predicate, deadline=SOON, what=""):
        with self.condition:
            if not self.condition.wait_for(predicate, deadline):
                raise procs.Timeout("reader: not within %.0f s: %s; status %s"
                                    "\n%s" % (deadline, what, self.status,
                                              self.log()[-3000:]))

    def send(self, message):
        self.link.sendall(json.dumps(message).encode() + b"\n")

    def ping(self, deadline=SOON):
        number = self.next_id
        self.next_id += 1
        self.send({"type": "ping", "id": number})
        self.wait(lambda: number in self.pongs, deadline, "pong")

    def query(self, what, args=None, deadline=SOON):
        """(status, text) of the answer."""
        number = self.next_id
        self.next_id += 1
        self.send({"type": "query", "id": number, "what": what,
                   "args": args or {}})
        self.wait(lambda: number in self.answers, deadline, "answer")
        return self.answers.pop(number)

    def log(self):
        try:
            with open(self.temp.join("reader.log"), errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def kill(self):
        self.process.kill()
        self.process.wait(20)
        self.link.close()

    def end(self, deadline=20):
        """Asks it to stop; its exit status."""
        self.send({"type": "stop"})
        status = self.process.wait(deadline)
        self.link.close()
        return status

    def stop(self):
        """Whatever still runs; the folder goes."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)
        if self.link is not None:
            self.link.close()
        for w in self.watches:
            w.stop()
        self.temp.remove()
