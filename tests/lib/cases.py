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
import time

import backends
import h2
import procs

NGINX = "/usr/sbin/nginx"
DEADLINE = 30
NODE = "127.59.0.1"
PORT = "22080"  # of the applications, where a case names none


def loopback(network, service, task):
    return "127.%d.%d.%d" % (60 + network, service, task)


# The header of version 2 before its 12 bytes of addresses: TCP over IPv4.
PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
DATED = """[ca]
default_ca = x
[x]
database = %(base)s.txt
serial = %(base)s.srl
new_certs_dir = %(folder)s
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
"""


def stamp(days):
    return time.strftime("%Y%m%d%H%M%SZ",
                         time.gmtime(time.time() + days * 86400))


class Pki:
    """Certificates made once: a CA, and one certificate per name."""

    def __init__(self, folder):
        self.folder = folder
        self.made = {}
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                     "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                     "-keyout", self.join("ca.key"), "-out",
                     self.join("ca.pem"), "-subj", "/CN=Test CA")

    def join(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *args):
        subprocess.run(("openssl",) + args, check=True,
                       stdin=subprocess.DEVNULL, capture_output=True)

    def pair(self, host):
        """(certificate file, key file) for "NAME[,NAME…]"."""
        if host not in self.made:
            base = self.join(host.replace("*", "any"))
            names = host.split(",")
            with open(base + ".ext", "w") as out:
                out.write("subjectAltName=%s\n" % ",".join(
                    "DNS:" + n for n in names))
            self.openssl("req", "-newkey", "ec", "-pkeyopt",
                         "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                         base + ".key", "-out", base + ".csr", "-subj",
                         "/CN=" + names[0])
            self.openssl("x509", "-req", "-in", base + ".csr", "-CA",
                         self.join("ca.pem"), "-CAkey", self.join("ca.key"),
                         "-CAcreateserial", "-days", "30", "-extfile",
                         base + ".ext", "-out", base + ".pem")
            self.made[host] = (base + ".pem", base + ".key")
        return self.made[host]

    def dated(self, host, start, end):
        """A combined PEM that is valid between two days from now."""
        name = "%s_%d_%d" % (host, start, end)
        if name in self.made:
            return self.made[name]
        base = self.join(name)
        self.pair(host)
        with open(base + ".cnf", "w") as out:
            out.write(DATED % {"base": base, "folder": self.folder})
        for suffix, text in ((".txt", ""), (".srl", "01")):
            with open(base + suffix, "w") as out:
                out.write(text)
        plain = self.join(host.replace("*", "any"))
        self.openssl("ca", "-batch", "-config", base + ".cnf", "-notext",
                     "-in", plain + ".csr", "-extfile", plain + ".ext",
                     "-cert", self.join("ca.pem"), "-keyfile",
                     self.join("ca.key"), "-out", base + ".pem",
                     "-startdate", stamp(start), "-enddate", stamp(end))
        self.made[name] = (self.read(base + ".pem") +
                           self.read(plain + ".key"))
        return self.made[name]

    def own(self, host, *key):
        """A combined PEM signed by itself, with a key of another kind."""
        base = self.join("own_" + host)
        self.openssl("req", "-x509", "-nodes", "-days", "30", *key, "-keyout",
                     base + ".key", "-out", base + ".pem", "-subj",
                     "/CN=" + host, "-addext", "subjectAltName=DNS:" + host)
        return self.read(base + ".pem") + self.read(base + ".key")

    def weakly_signed(self, host):
        """A combined PEM whose signature is SHA-1."""
        self.pair(host)
        base = self.join(host)
        self.openssl("x509", "-req", "-in", base + ".csr", "-CA",
                     self.join("ca.pem"), "-CAkey", self.join("ca.key"),
                     "-CAcreateserial", "-days", "30", "-sha1", "-extfile",
                     base + ".ext", "-out", base + ".sha1")
        return self.read(base + ".sha1") + self.read(base + ".key")

    def encrypted(self, host):
        """The key of HOST, behind a passphrase."""
        _, key = self.pair(host)
        self.openssl("pkcs8", "-topk8", "-in", key, "-out", key + ".enc",
                     "-passout", "pass:secret")
        return self.read(key + ".enc")

    def secret(self, what):
        """
        Bytes of "cert:HOST", "key:HOST", "pem:HOST", "ca", "text:…"; see
        README.md for the odd ones.  None: there is no such file.
        """
        kind, _, host = what.partition(":")
        if kind == "text":
            return host.encode()
        if kind == "missing":
            return None
        if kind == "noise":
            return bytes((i * 7 + i // 3) % 256 for i in range(500 * 1024))
        if kind == "expired":
            return self.dated(host, -20, -10)
        if kind == "early":
            return self.dated(host, 10, 20)
        if kind == "soon":
            return self.dated(host, -10, 3)
        if kind == "rsa":
            bits, _, host = host.partition(":")
            return self.own(host, "-newkey", "rsa:" + bits)
        if kind == "curve":
            curve, _, host = host.partition(":")
            return self.own(host, "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:" + curve)
        if kind == "ed25519":
            return self.own(host, "-newkey", "ed25519")
        if kind == "sha1":
            return self.weakly_signed(host)
        if kind == "encrypted":
            return self.encrypted(host)
        if kind == "cut":
            return self.secret("pem:" + host)[:300]
        if kind == "ca":
            return self.read(self.join("ca.pem"))
        cert, key = self.pair(host)
        if kind == "cert":
            return self.read(cert)
        if kind == "key":
            return self.read(key)
        if kind == "pem":
            return self.read(cert) + self.read(key)
        raise AssertionError("secret of kind %r" % kind)

    @staticmethod
    def read(path):
        with open(path, "rb") as file:
            return file.read()


class Snapshot:
    """A case's services as the Engine API shows them, and their backends."""

    def __init__(self, case, pki):
        self.networks = {}
        self.services = []
        self.tasks = []
        self.backends = []
        self.pki = pki
        for name, service in case["services"].items():
            self.add(name, service)
        self.document = {
            "version": 1,
            "services": self.services,
            "tasks": self.tasks,
            "networks": list(self.networks.values()),
            "nodes": [{"ID": "node1", "Status": {"State": "ready",
                                                 "Addr": NODE},
                       "Description": {"Hostname": "one"}}],
            "secrets": [{"ID": "secret%d" % i, "Version": {"Index": 1},
                         "CreatedAt": "2024-01-01T00:00:00Z",
                         "Spec": {"Name": n, "Labels": {}}}
                        for i, n in enumerate(case.get("secrets", {}))],
            "configs": [{"ID": "config%d" % i, "Version": {"Index": 1},
                         "CreatedAt": "2024-01-01T00:00:00Z",
                         "Spec": {"Name": n, "Labels": {}}}
                        for i, n in enumerate(case.get("configs", {}))],
        }

    def network(self, name):
        if name not in self.networks:
            number = len(self.networks)
            self.networks[name] = {
                "Id": "net%d%s" % (number, "x" * 20), "Name": name,
                "Driver": "overlay", "Scope": "swarm",
                "Ingress": name == "ingress",
                "IPAM": {"Config": [
                    {"Subnet": "127.%d.0.0/16" % (60 + number)}]},
                "Labels": {},
            }
        return self.networks[name]

    def add(self, name, service):
        """
        {"labels":{…}, "tasks":N, "networks":[…], "vip":bool, "replicas":N,
        "dead":[task numbers], "kind", "tls", "proxy_protocol", "spec":{…}}
        """
        number = len(self.services) + 1
        ident = "svc%02d%s" % (number, "x" * 20)
        labels = {"com.docker.lb." + k if "." not in k else k: v
                  for k, v in service.get("labels", {}).items()}
        labels.setdefault("com.docker.lb.port", PORT)
        networks = [self.network(n) for n in service.get("networks", ["net"])]
        vip = labels.get("com.docker.lb.backend_mode", "").lower() == "vip"
        count = service.get("tasks", 1)
        spec = {
            "Name": name, "Labels": labels,
            "TaskTemplate": {
                "ContainerSpec": {"Image": "app"},
                # Whoever publishes a port is on ingress without asking.
                "Networks": [{"Target": n["Id"]} for n in networks
                             if not n["Ingress"]]},
            "Mode": {"Replicated": {
                "Replicas": service.get("replicas", count)}},
            "EndpointSpec": {"Mode": "vip"},
        }
        if service.get("published"):
            spec["EndpointSpec"]["Ports"] = [{
                "Protocol": "tcp", "PublishMode": "host",
                "TargetPort": int(labels["com.docker.lb.port"])}]
        spec.update(service.get("spec", {}))
        self.services.append({
            "ID": ident, "Version": {"Index": 10 + number},
            "CreatedAt": "2024-01-01T00:00:%02d.%09dZ" % (number, number),
            "UpdatedAt": "2024-01-01T00:00:00Z", "Spec": spec,
            "Endpoint": {"Spec": {"Mode": "vip"},
                         "Ports": spec["EndpointSpec"].get("Ports", []),
                         "VirtualIPs": [
                {"NetworkID": n["Id"],
                 "Addr": self.address(n, number, 250) + "/16"}
                for n in networks]},
        })
        port = int(labels["com.docker.lb.port"])
        if vip and networks:
            self.answer(service, name, "vip",
                        self.address(networks[0], number, 250), port)
        for task in range(1, count + 1):
            self.add_task(name, service, ident, number, task, networks,
                          None if vip else port)

    def address(self, network, service, task):
        index = list(self.networks.values()).index(network)
        return loopback(index, service, task)

    def add_task(self, name, service, ident, number, task, networks, port):
        state = service.get("states", {}).get(str(task), "running/running")
        seen, wanted = state.split("/")
        addresses = service.get("addresses", {}).get(str(task))
        if addresses and {"Subnet": "::1/128"} not in \
                networks[0]["IPAM"]["Config"]:
            networks[0]["IPAM"]["Config"].append({"Subnet": "::1/128"})
        self.tasks.append({
            "ID": "task%02d%02d%s" % (number, task, "x" * 17),
            "Version": {"Index": 20 + task}, "ServiceID": ident,
            "NodeID": "node1", "Slot": task,
            "Status": {"State": seen}, "DesiredState": wanted,
            "NetworksAttachments": [
                {"Network": {"ID": n["Id"], "Spec": {"Name": n["Name"]}},
                 "Addresses": addresses or [
                     self.address(n, number, task) + "/16"]}
                for n in networks],
        })
        if port is None:
            return
        if service.get("published"):
            # Swarm tells the number that it gave each task.
            number = service["published"] + task
            self.tasks[-1]["Status"]["PortStatus"] = {"Ports": [{
                "Protocol": "tcp", "PublishMode": "host",
                "TargetPort": port, "PublishedPort": number}]}
            self.answer(service, name, str(task), NODE, number)
        if addresses:
            for address in addresses:
                self.answer(service, name, str(task),
                            address.partition("/")[0], port)
            return
        for network in networks:
            self.answer(service, name, str(task),
                        self.address(network, number, task), port)

    def answer(self, service, name, task, address, port):
        kind = service.get("kinds", {}).get(task, service.get("kind", "echo"))
        tls = service.get("tls")
        self.backends.append(backends.Backend(
            name, task, address, port, kind, self.pki.pair(tls) if tls
            else None, service.get("proxy_protocol", False)))


def ini(settings):
    """INI text from {"section":{"key":"value"}}."""
    lines = []
    for section, keys in settings.items():
        lines.append("[%s]" % section)
        for key, value in keys.items():
            text = "\n    ".join(value) if isinstance(value, list) else value
            lines.append("%s = %s" % (key, text))
    return "\n".join(lines) + "\n"


class Client:
    """One connection and what came back on it; requests byte for byte."""

    def __init__(self, where, request, pki, secured=True):
        source = (request["from"], 0) if "from" in request else None
        self.sock = socket.create_connection(where, DEADLINE, source)
        if "proxy" in request:
            self.sock.sendall(request["proxy"].encode() + b"\r\n")
        if "proxy_v2" in request:
            self.sock.sendall(PROXY_V2 + b"".join(map(socket.inet_aton, (
                request["proxy_v2"], "10.0.0.1"))) + b"\0\1\1\xbb")
        if request.get("tls") and secured:
            self.secure(request, pki)
        self.file = self.sock.makefile("rb")

    def secure(self, request, pki):
        """TLS from here on; a Client that is not "secured" calls it later."""
        context = ssl.create_default_context(
            cafile=os.path.join(pki.folder, "ca.pem"))
        if "alpn" in request:
            context.set_alpn_protocols(request["alpn"])
        if "tls_max" in request:
            context.maximum_version = ssl.TLSVersion[
                request["tls_max"].replace(".", "_")]
        name = request.get("sni", request.get("host"))
        if request.get("sni") == "":
            context.check_hostname = False
            name = None
        self.sock = context.wrap_socket(self.sock, server_hostname=name)
        self.file = self.sock.makefile("rb")

    def alpn(self):
        return getattr(self.sock, "selected_alpn_protocol", lambda: None)()

    def version(self):
        return getattr(self.sock, "version", lambda: None)()

    def close(self):
        self.file.close()
        self.sock.close()

    def send(self, request):
        if "raw" in request:
            self.sock.sendall(request["raw"].encode("latin-1"))
            return
        body = request.get("body", "")
        if isinstance(body, int):
            body = "x" * body
        headers = dict(request.get("send", {}))
        if request.get("host") is not None:
            headers = {"Host": request["host"], **headers}
        if body:
            headers["Content-Length"] = str(len(body))
        text = "%s %s HTTP/1.1\r\n" % (method(request), target(request))
        text += "".join("%s: %s\r\n" % pair for pair in headers.items())
        self.sock.sendall(text.encode("latin-1") + b"\r\n" + body.encode())

    def receive(self, head=False):
        """(status, headers, body) of one answer."""
        line = self.file.readline().decode("latin-1")
        if not line:
            raise AssertionError("closed without an answer")
        status = int(line.split(" ")[1])
        headers = collections.defaultdict(list)
        while True:
            header = self.file.readline().decode("latin-1").strip()
            if not header:
                break
            key, value = header.split(":", 1)
            headers[key.lower()].append(value.strip())
        if head or status in (101, 204, 304):
            return status, headers, b""
        if "content-length" in headers:
            return status, headers, self.file.read(
                int(headers["content-length"][0]))
        if headers.get("transfer-encoding") == ["chunked"]:
            body = b""
            while True:
                size = int(self.file.readline(), 16)
                body += self.file.read(size)
                self.file.readline()
                if size == 0:
                    return status, headers, body
        return status, headers, self.file.read()


METHODS = ("get", "post", "put", "head", "delete", "options", "trace")


def method(request):
    for name in METHODS:
        if name in request:
            return name.upper()
    raise AssertionError("no method in %r" % request)


def target(request):
    return request[method(request).lower()]


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
