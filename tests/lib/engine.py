"""
Engines to test against: FakeSwarm (our simulator) and RealEngine (a private
dockerd), both with the same api() on a unix socket.

    fake = engine.FakeSwarm("--nodes", "3")
    fake.start()
    service = fake.create_service("web", networks=["n"], replicas=2)
    fake.wait_running("web", 2)
    fake.stop()
"""

import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import threading
import time
import urllib.parse

import httpc
import procs

HERE = os.path.dirname(os.path.abspath(__file__))
API = "/v1.41"


class Events:
    """An open GET /events: a thread collects what comes."""

    def __init__(self, path, filters=None, api=API):
        target = api + "/events"
        if filters:
            target += "?filters=" + urllib.parse.quote(json.dumps(filters))
        self.list = []
        self.error = None
        self.condition = threading.Condition()
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(path)
        self.sock.sendall(("GET %s HTTP/1.1\r\nHost: docker\r\n\r\n"
                           % target).encode())
        self.file = self.sock.makefile("rb")
        self.status = self.file.readline().decode()
        self.headers = {}
        while True:
            line = self.file.readline().strip().decode()
            if not line:
                break
            key, value = line.split(":", 1)
            self.headers[key.lower()] = value.strip()
        self.sock.settimeout(None)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        text = ""
        decoder = json.JSONDecoder()
        try:
            while True:
                size = self.file.readline()
                if not size:
                    break
                size = int(size, 16)
                text += self.file.read(size).decode()
                self.file.readline()
                if size == 0:
                    break
                while text.strip():
                    try:
                        event, end = decoder.raw_decode(text.lstrip())
                    except ValueError:
                        break
                    text = text.lstrip()[end:]
                    event["_seen"] = time.monotonic()
                    with self.condition:
                        self.list.append(event)
                        self.condition.notify_all()
        except (OSError, ValueError) as error:
            self.error = error
        with self.condition:
            self.error = self.error or EOFError("stream ended")
            self.condition.notify_all()

    def wait(self, match, deadline=60.0):
        """The first event for which match(event) holds."""
        end = time.monotonic() + deadline
        seen = 0
        with self.condition:
            while True:
                while seen < len(self.list):
                    if match(self.list[seen]):
                        return self.list[seen]
                    seen += 1
                left = end - time.monotonic()
                if left <= 0 or self.error:
                    raise procs.Timeout("no such event among %r (%s)" % (
                        self.list, self.error))
                self.condition.wait(left)

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(5)
        self.file.close()
        self.sock.close()


class Engine:
    """What both engines have: an Engine API on a unix socket."""

    def __init__(self):
        self.dir = procs.TempDir("bh-engine-")
        self.socket = self.dir.join("docker.sock")
        self.process = None
        self.image = "sim:1"

    # The API.

    def raw(self, method, target, body=None, timeout=30, headers=None):
        """One request, the target as it is."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        return httpc.request(method, self.socket, target, headers=headers,
                             body=body, timeout=timeout)

    def api(self, method, path, body=None, query=None, timeout=30):
        """One request below /v1.41; 'query' is a dict, filters as a dict."""
        target = API + path
        if query:
            pairs = {k: json.dumps(v) if isinstance(v, (dict, list)) else v
                     for k, v in query.items()}
            target += "?" + urllib.parse.urlencode(pairs)
        return self.raw(method, target, body, timeout)

    def get(self, path, query=None):
        """The JSON of a GET that must succeed."""
        answer = self.api("GET", path, query=query)
        if answer.status != 200:
            raise AssertionError("GET %s: %r" % (path, answer))
        return answer.json

    def events(self, filters=None):
        return Events(self.socket, filters)

    # Shorthands.

    def create_network(self, name, **more):
        body = {"Name": name, "Driver": "overlay", "CheckDuplicate": True}
        body.update(more)
        answer = self.api("POST", "/networks/create", body)
        if answer.status != 201:
            raise AssertionError("network %s: %r" % (name, answer))
        return answer.json["Id"]

    def service_spec(self, name, image=None, networks=(), replicas=1,
                     labels=None, env=None, **more):
        """A spec; 'more' are further top-level members, merged one deep."""
        container = {"Image": image or self.image}
        if env:
            container["Env"] = list(env)
        spec = {
            "Name": name,
            "Labels": dict(labels or {}),
            "TaskTemplate": {
                "ContainerSpec": container,
                "Networks": [{"Target": n} for n in networks],
            },
            "Mode": ({"Global": {}} if replicas == "global" else
                     {"Replicated": {"Replicas": replicas}}),
        }
        for key, value in more.items():
            if key == "ContainerSpec":
                container.update(value)
            elif isinstance(value, dict) and isinstance(spec.get(key), dict):
                if key == "Mode":
                    spec[key] = value
                else:
                    spec[key].update(value)
            else:
                spec[key] = value
        return spec

    def create_service(self, name, **more):
        """Creates a service from service_spec()'s arguments; its ID."""
        answer = self.api("POST", "/services/create",
                          self.service_spec(name, **more))
        if answer.status != 201:
            raise AssertionError("service %s: %r" % (name, answer))
        return answer.json["ID"]

    def update_service(self, name, change, query=None):
        """Reads the service, lets change(spec) edit it, updates it; once more
        where the engine itself changed it in between."""
        for _ in range(20):
            service = self.get("/services/" + name)
            spec = service["Spec"]
            changed = change(spec)
            arguments = {"version": service["Version"]["Index"]}
            arguments.update(query or {})
            answer = self.api("POST", "/services/%s/update" % service["ID"],
                              changed if changed is not None else spec,
                              query=arguments)
            if "out of sequence" not in answer.text:
                break
        if answer.status != 200:
            raise AssertionError("update of %s: %r" % (name, answer))
        return answer

    def scale(self, name, replicas):
        def change(spec):
            spec["Mode"]["Replicated"]["Replicas"] = replicas
        return self.update_service(name, change)

    def set_label(self, name, key, value):
        """Sets a service label; None removes it."""
        def change(spec):
            if value is None:
                spec.get("Labels", {}).pop(key, None)
            else:
                spec.setdefault("Labels", {})[key] = value
        return self.update_service(name, change)

    def remove_service(self, name):
        answer = self.api("DELETE", "/services/" + name)
        if answer.status != 200:
            raise AssertionError("removal of %s: %r" % (name, answer))

    def tasks(self, service=None, **filters):
        filters = {k.replace("_", "-"): v if isinstance(v, list) else [v]
                   for k, v in filters.items()}
        if service:
            filters["service"] = [service]
        return self.get("/tasks", {"filters": filters} if filters else None)

    def running(self, service):
        """Tasks whose state and desired state are running."""
        return [t for t in self.tasks(service)
                if t["Status"]["State"] == "running" and
                t["DesiredState"] == "running"]

    def wait_running(self, service, number, deadline=60.0):
        def enough():
            tasks = self.running(service)
            return tasks if len(tasks) == number else None
        return procs.wait_for(
            enough, deadline, "%d running tasks of %s" % (number, service),
            step=0.05)

    def snapshot(self):
        """The snapshot document that proxyctl render reads."""
        return {
            "version": 1,
            "services": self.get("/services"),
            "tasks": self.get("/tasks"),
            "networks": self.get("/networks"),
            "nodes": self.get("/nodes"),
            "secrets": self.get("/secrets"),
            "configs": self.get("/configs"),
        }

    def stop(self):
        """Ends it and removes its folder; the exit status."""
        status = None
        if self.process is not None:
            status = self.process.stop(60)
            self.process = None
        self.dir.remove()
        return status

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


class FakeSwarm(Engine):
    """
    fakeswarm with the options given; 'socket' may be set before start.  With
    push=True it serves Watch where "watch = auto" looks for it.
    """

    def __init__(self, *options, push=False):
        super().__init__()
        self.options = list(options)
        self.control = self.dir.join("docker", "swarm", "control.sock")
        if push:
            self.options += ["--control-socket", self.control]

    def start(self, deadline=20.0):
        os.makedirs(os.path.dirname(self.control), exist_ok=True)
        self.process = procs.Process(
            [procs.binary("fakeswarm"), "--socket", self.socket]
            + self.options, self.dir.join("fakeswarm.log"))

        def answers():
            if not self.process.alive():
                return True
            return self.raw("GET", "/_ping").status == 200
        procs.wait_for(answers, deadline, "fakeswarm to answer")
        if not self.process.alive():
            raise AssertionError("fakeswarm ended: " + self.process.output())
        return self

    def sim(self, method, path, body=None):
        """The simulator's own API; the Answer of a call that succeeded."""
        answer = self.raw(method, "/_sim" + path, body)
        if answer.status >= 300:
            raise AssertionError("%s /_sim%s: %r" % (method, path, answer))
        return answer

    def stats(self):
        """Requests by "METHOD /path" since the start or the last reset."""
        return self.sim("GET", "/stats").json["requests"]


class CannotRun(Exception):
    """No private engine here; says why."""


class RealEngine(Engine):
    """A private dockerd, one node, with an image of tests/lib/app.c."""

    def __init__(self):
        super().__init__()
        self.control = self.dir.join("exec", "swarm", "control.sock")
        self.dockerd = shutil.which(
            "dockerd", path="/usr/sbin:/usr/bin:/usr/local/bin:/sbin")
        self.turn = None
        self.address = "127.0.0.1"
        self.data_path_port = None

    def command(self):
        """What starts the engine."""
        return [self.dockerd, "--data-root", self.dir.join("data"),
                "--exec-root", self.dir.join("exec"),
                "-H", "unix://" + self.socket, "--pidfile",
                self.dir.join("pid")]

    @staticmethod
    def why_not():
        """A reason why no real engine can run here, or None."""
        if os.geteuid() != 0:
            return "not root"
        if not shutil.which("dockerd", path="/usr/sbin:/usr/bin:"
                            "/usr/local/bin:/sbin"):
            return "no dockerd (package docker.io)"
        if not shutil.which("gcc") and not shutil.which("cc"):
            return "no C compiler for the test image"
        return None

    def start(self, deadline=60.0, init=True):
        reason = self.why_not()
        if reason:
            self.dir.remove()
            raise CannotRun(reason)
        self.turn = take_turn("real-engine")
        self.process = procs.Process(self.command(),
                                     self.dir.join("dockerd.log"))

        def answers():
            if not self.process.alive():
                return True
            return self.raw("GET", "/_ping").status == 200
        try:
            procs.wait_for(answers, deadline, "dockerd to answer")
            if not self.process.alive():
                raise CannotRun("dockerd ended: " + self.last_words())
            if init:
                self.swarm_init()
                self.image = self.import_image("bulkhead-test:1")
        except (procs.Timeout, CannotRun, AssertionError) as error:
            words = self.last_words()
            self.stop()
            raise CannotRun("%s; %s" % (error, words)) from None
        return self

    def last_words(self):
        lines = self.process.output().strip().splitlines() if (
            self.process) else []
        return " | ".join(lines[-3:])

    def swarm_init(self):
        answer = self.api("POST", "/swarm/init", {
            "ListenAddr": "%s:%d" % (self.address, free_port()),
            "AdvertiseAddr": self.address,
            "DataPathPort": self.data_path_port or free_udp_port()})
        if answer.status != 200:
            raise AssertionError("swarm init: %r" % answer)

    def import_image(self, tag):
        """An image whose program answers HTTP on $PORT; its ID."""
        program = self.dir.join("app")
        subprocess.run(
            [shutil.which("gcc") or "cc", "-D_GNU_SOURCE", "-static", "-O1",
             "-o", program, os.path.join(HERE, "app.c")], check=True,
            capture_output=True)
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as archive:
            archive.add(program, "app")
        repo, name = tag.rsplit(":", 1)
        target = API + "/images/create?" + urllib.parse.urlencode(
            [("fromSrc", "-"), ("repo", repo), ("tag", name),
             ("changes", 'CMD ["/app"]')])
        answer = self.raw("POST", target, tar.getvalue(), headers={
            "Content-Type": "application/x-tar"}, timeout=60)
        if answer.status != 200:
            raise AssertionError("image import: %r" % answer)
        return json.loads(answer.text.strip().splitlines()[-1])["status"]

    def stop(self):
        if self.process is not None and self.process.alive():
            for service in self._quiet_list("/services"):
                self.api("DELETE", "/services/" + service["ID"])
            try:
                procs.wait_for(
                    lambda: not self._quiet_list("/containers/json"), 60,
                    "containers to end", step=0.1)
            except procs.Timeout:
                pass
            try:
                self.api("POST", "/swarm/leave", query={"force": "true"})
            except OSError:
                pass
        try:
            return super().stop()
        finally:
            self._unmount()
            if self.turn is not None:
                self.turn.close()
                self.turn = None

    def _quiet_list(self, path):
        try:
            answer = self.api("GET", path)
            return answer.json if answer.status == 200 else []
        except (OSError, ValueError):
            return []

    def _unmount(self):
        """dockerd leaves network namespaces and shm mounts behind."""
        try:
            with open("/proc/mounts") as mounts:
                points = [line.split()[1] for line in mounts
                          if line.split()[1].startswith(self.dir.path + "/")]
        except OSError:
            return
        for point in sorted(points, reverse=True):
            subprocess.run(["umount", "-l", point], capture_output=True,
                           check=False)
        self.dir.remove()


def take_turn(name, deadline=600.0):
    """
    Waits until no other test holds 'name' on this machine: engines in one
    network namespace share bridges, VXLAN numbers and netfilter rules.  Close
    what it returns; the end of the process does too.
    """
    def attempt():
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            lock.bind("\0bulkhead-test/" + name)
        except OSError:
            lock.close()
            return None
        return lock
    return procs.wait_for(attempt, deadline, "turn for " + name, step=0.2)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def free_udp_port():
    """A port for VXLAN: below 49152, as the engine demands."""
    for port in range(20900, 20999):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("0.0.0.0", port))
                return port
            except OSError:
                continue
    return 4789
