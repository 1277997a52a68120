"""
Served cases: small JSON files that say which services there are, what is
asked, and what must come back.  tests/cases/README.md describes them.

A case is made into an Engine snapshot and an INI file, rendered by
"proxyctl render", and served by the real engine.
"""

import collections
import json
import os
import re
import select
import socket
import ssl
import subprocess

import backends
import h2
import procs
from connection import DEADLINE, Client
from snapshot import Snapshot

NGINX = "/usr/sbin/nginx"


def ini(settings):
    """INI text from {"section":{"key":"value"}}."""
    lines = []
    for section, keys in settings.items():
        lines.append("[%s]" % section)
        for key, value in keys.items():
            text = "\n    ".join(value) if isinstance(value, list) else value
            lines.append("%s = %s" % (key, text))
    return "\n".join(lines) + "\n"


def check(what, got, wanted):
    """Equal; None: absent; "~PATTERN": found; a list: one of them."""
    if isinstance(wanted, str) and wanted.startswith("~"):
        good = got is not None and re.search(wanted[1:], got)
    elif isinstance(wanted, list) and not isinstance(got, list):
        good = got in wanted
    else:
        good = got == wanted
    if not good:
        raise AssertionError("%s is %r, wanted %r" % (what, got, wanted))


class Served:
    """A case, rendered and served."""

    def __init__(self, case, folder, port, pki):
        self.case = case
        self.folder = folder
        self.port = port
        self.pki = pki
        self.snapshot = Snapshot(case, pki)
        self.process = None

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, data):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as out:
            out.write(data if isinstance(data, bytes) else data.encode())

    def expand(self, value):
        """$DIR, $STATUS and $PROXY in settings."""
        if isinstance(value, str):
            return value.replace("$DIR", self.folder).replace(
                "$STATUS", "127.0.0.1:%d" % (self.port + 2))
        if isinstance(value, list):
            return [self.expand(v) for v in value]
        if isinstance(value, dict):
            return {k: self.expand(v) for k, v in value.items()}
        return value

    def render(self):
        os.chmod(self.folder, 0o755)
        settings = self.expand(self.case.get("settings", {}))
        settings.setdefault("nginx", {}).setdefault("access_log", "off")
        for name, text in self.case.get("files", {}).items():
            self.write(name, text)
        stored = {**self.case.get("secrets", {}),
                  **self.case.get("configs", {})}
        for name, what in stored.items():
            content = self.pki.secret(what)
            if content is not None:
                self.write("secrets/" + name, content)
        self.write("case.ini", ini(settings))
        self.write("snapshot.json", json.dumps(self.snapshot.document))
        done = subprocess.run(
            [procs.binary("proxyctl"), "render",
             "--cluster", self.path("case.ini"),
             "--snapshot", self.path("snapshot.json"),
             "--out", self.path("out"),
             "--listen", "127.0.0.1:%d" % self.port,
             "--listen-ssl", "127.0.0.1:%d" % (self.port + 1),
             "--secrets", self.path("secrets")],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60)
        if done.returncode != 0:
            raise AssertionError("render: %d\n%s%s" % (
                done.returncode, done.stdout, done.stderr))
        with open(self.path("out", "report.json")) as file:
            self.report = json.load(file)

    def start(self):
        # Another working directory than DIR, as an operator's would be.
        self.process = procs.Process(
            [NGINX, "-p", self.path("out"), "-c", "nginx.conf",
             "-g", "daemon off;"], self.path("engine.log"), cwd="/")
        procs.wait_for(self.serves, DEADLINE, "engine up", step=0.005)

    def serves(self):
        if not self.process.alive():
            raise SystemError("the engine ended:\n" + self.process.output())
        tls = any(route["tls"] != "none" for service
                  in self.report["accepted"] for route in service["routes"])
        for port in (self.port, self.port + 1) if tls else (self.port,):
            socket.create_connection(("127.0.0.1", port), 1).close()
        return True

    def stop(self):
        if self.process is None:
            return
        self.process.stop()
        alerts = [line for line in self.process.output().splitlines()
                  if re.search(r"\[(alert|emerg|crit)\]", line)]
        if alerts:
            raise AssertionError("engine: " + "\n".join(alerts))

    def check_report(self):
        rejected = {r["service"]: r["code"] for r in self.report["rejected"]}
        check("rejected", rejected, self.case.get("rejected", {}))
        remarks = {a["service"]: sorted(r["code"] for r in a["remarks"])
                   for a in self.report["accepted"] if a["remarks"]}
        check("remarks", remarks, self.case.get("remarks", {}))
        needs = self.report["needs"]
        for what, wanted in self.case.get("needs", {}).items():
            check("needs." + what, [n["name"] if what == "networks" else n
                                    for n in needs[what]], wanted)

    def where(self, request):
        port = self.port
        if request.get("tls"):
            port += 1
        if request.get("status_port"):
            port += 2
        return ("127.0.0.1", port)

    def ask(self, request):
        """One request; checks the answer and returns it."""
        try:
            client = Client(self.where(request), request, self.pki)
        except (ssl.SSLError, ConnectionError, socket.timeout) as error:
            if request.get("refused"):
                return None
            raise AssertionError("connection: %r" % error) from None
        try:
            if request.get("refused"):
                client.send({"get": "/", "host": request["host"]})
                try:
                    client.receive()
                except (AssertionError, OSError):
                    return None
                raise AssertionError("was not refused")
            for what, got in (("alpn_is", client.alpn()),
                              ("tls_version", client.version())):
                if what in request:
                    check(what, got, request[what])
            if request.get("only_alpn"):
                return None
            if "grpc" in request:
                self.check_grpc(request, client)
                return None
            client.send(request)
            answer = client.receive(head="head" in request)
            self.check_answer(request, answer)
            if "websocket" in request:
                self.check_websocket(request, client)
            return answer
        finally:
            client.close()

    def check_answer(self, request, answer):
        status, headers, body = answer
        check("status", status, request.get("status", 200))
        for name, wanted in request.get("headers", {}).items():
            values = headers.get(name.lower())
            check("header " + name, values and ", ".join(values), wanted)
        if "text" in request:
            check("body", body.decode("latin-1"), request["text"])
        seen = request.get("seen")
        told = "service" in request or "task" in request or seen is not None
        if not told:
            return
        heard = json.loads(body)
        for name in ("service", "task"):
            if name in request:
                check(name, heard[name], request[name])
        for name, wanted in (seen or {}).items():
            if name == "headers":
                for key, value in wanted.items():
                    values = [v for k, v in heard["headers"]
                              if k.lower() == key.lower()]
                    check("upstream's header " + key,
                          ", ".join(values) if values else None, value)
            else:
                check("upstream's " + name, heard[name], wanted)

    def check_websocket(self, request, client):
        check("websocket", client.file.readline().decode().split()[0],
              request["websocket"])
        if "idle" in request:
            # Were it closed meanwhile, that would end the wait.
            ready, _, _ = select.select([client.sock], [], [],
                                        request["idle"])
            check("idle connection", ready, [])
        client.sock.sendall(b"ping over it\n")
        check("echo", client.file.readline(), b"ping over it\n")

    @staticmethod
    def call(request, client):
        return h2.call(
            client.sock, request["host"], request["grpc"], b"question",
            [(k.lower(), v) for k, v in request.get("send", {}).items()])

    def check_grpc(self, request, client):
        status, data, trailer = self.call(request, client)
        check("status", status, request.get("status", 200))
        if "service" in request:
            check("message", data[5:].split()[0].decode(),
                  request["service"])
            check("trailer", trailer, True)

    def many(self, request):
        """"times": shares of services and tasks, on kept connections; a
        gRPC call takes one of its own."""
        count = request["times"]
        services = collections.Counter()
        tasks = collections.Counter()
        statuses = collections.Counter()
        client = None
        for number in range(count):
            one = {k: self.numbered(v, number) for k, v in request.items()}
            if client is None or request.get("fresh") or "grpc" in one:
                if client is not None:
                    client.close()
                client = Client(self.where(one), one, self.pki)
            if "grpc" in one:
                status, data, _ = self.call(one, client)
                statuses[str(status)] += 1
                services[data[5:].split()[0].decode()] += 1
                tasks[data[5:].decode()] += 1
                continue
            client.send(one)
            status, headers, body = client.receive()
            statuses[str(status)] += 1
            if body.startswith(b"{"):
                heard = json.loads(body)
                services[heard["service"]] += 1
                tasks["%s.%s" % (heard["service"], heard["task"])] += 1
            if headers.get("connection") == ["close"]:
                client.close()
                client = None
        if client is not None:
            client.close()
        self.check_shares(request, count, services, tasks, statuses)

    @staticmethod
    def numbered(value, number):
        if isinstance(value, str):
            return value.replace("$N", str(number))
        if isinstance(value, dict):
            return {k: Served.numbered(v, number) for k, v in value.items()}
        return value

    @staticmethod
    def check_shares(request, count, services, tasks, statuses):
        within = request.get("within", 0.03)
        for what, counts in (("services", services), ("tasks", tasks),
                             ("statuses", statuses)):
            if what not in request:
                continue
            wanted = request[what]
            if isinstance(wanted, int):
                check("number of " + what, len(counts), wanted)
                continue
            for name in set(wanted) | set(counts):
                share = counts[name] / count
                if abs(share - wanted.get(name, 0)) > within:
                    raise AssertionError(
                        "share of %s is %.3f, wanted %r; all: %r" % (
                            name, share, wanted, dict(counts)))
        if "statuses" not in request and set(statuses) != {"200"}:
            raise AssertionError("statuses %r" % dict(statuses))

    def run(self):
        self.render()
        self.check_report()
        with backends.Backends(self.snapshot.backends):
            self.start()
            try:
                for request in self.case.get("requests", []):
                    try:
                        if "times" in request:
                            self.many(request)
                        else:
                            self.ask(request)
                    except (AssertionError, OSError, ValueError) as error:
                        raise AssertionError("%s\n  %s" % (
                            json.dumps(request), error)) from None
            finally:
                self.stop()
