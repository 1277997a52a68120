#!/usr/bin/env python3
"""What users of Interlock move with: the sample services of its pages, label
for label, on a real Swarm behind our proxies, and every command and stack of
our own pages on moving.

There is no IPVS everywhere: proxies publish with mode=host, and of VIP mode
the address in the configuration is looked at.
"""

import collections
import json
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import cases   # noqa: E402
import engine  # noqa: E402
import images  # noqa: E402
import nodes   # noqa: E402
import procs   # noqa: E402
import stack   # noqa: E402
import tap     # noqa: E402

EAST, WEST = "us-east", "us-west"
SSL_PORTS = {EAST: 443, WEST: 8443}
DOCS = os.path.join(stack.DEPLOY, "..", "docs")
UPGRADE = {"Upgrade": "websocket", "Connection": "Upgrade",
           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
           "Sec-WebSocket-Version": "13"}
PATIENCE = 90

why = stack.why_not() or (None if shutil.which("openssl") else "no openssl")
if why:
    tap.skip_all(why)
bulkhead = stack.Stack(nodes.Swarm(1), 1)
tap.cleanup(bulkhead.stop)
real = bulkhead.real
pki = cases.Pki(bulkhead.tmp.path)
samples = {}


def write(name, content):
    path = bulkhead.tmp.join(name)
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes)
                   else content.encode())
    return path


def command(text):
    """A line of the pages, with the image that was made here."""
    words = [samples.get(word, word) for word in shlex.split(text)]
    tap.equal(words[0], "docker")
    if words[1:3] == ["service", "create"]:
        words[3:3] = ["--detach", "--no-resolve-image"]
    bulkhead.docker(*words[1:])


def ask(host, target="/", cluster=EAST, tls=False, count=1, **headers):
    """[(status, headers, what the application told)] on one connection."""
    ports = SSL_PORTS if tls else stack.PORTS
    where = (bulkhead.swarm.node(0).address, ports[cluster])
    client = cases.Client(where, {"host": host, "tls": tls}, pki)
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


def told(host, target="/", **more):
    """What the application was asked, when the route stands; else None."""
    try:
        status, headers, seen = ask(host, target, **more)[0]
    except (OSError, AssertionError):
        return None
    if status != 200 or seen is None:
        return None
    seen["answer"] = headers
    return seen


def published(metadata, host, target="/", **more):
    """Waits until the sample application answers, and each time: old workers
    accept for a moment; the last answer."""
    def all_of():
        seen = [told(host, target, **more) for _ in range(6)]
        return all(s and s["service"] == metadata for s in seen) and seen[-1]
    try:
        return procs.wait_for(all_of, PATIENCE, "%s to be %s" % (
            host, metadata), 0.1)
    except procs.Timeout as error:
        raise AssertionError("%s\n%s%s" % (
            error, bulkhead.proxyctl("services"), bulkhead.picture())
        ) from None


def status(host, target="/", **more):
    try:
        return ask(host, target, **more)[0][0]
    except (OSError, AssertionError):
        return 0


def wait_status(wanted, host, target="/", **more):
    procs.wait_for(lambda: all(status(host, target, **more) == wanted
                               for _ in range(6)), PATIENCE,
                   "%d of %s" % (wanted, host), 0.1)


def tasks_behind(host, number, count, **headers):
    """Waits until 'count' requests reach that many tasks."""
    def right():
        seen = {s["task"] for _, _, s in ask(host, count=count, **headers)
                if s}
        return len(seen) == number
    procs.wait_for(right, PATIENCE, "%d tasks behind %s" % (number, host), 0.1)


def gone(*services, host="demo.local"):
    bulkhead.docker("service", "rm", *services)
    wait_status(503, host)


def websocket(host, target, tls=False):
    """Whether bytes come back over an upgraded connection."""
    where = (bulkhead.swarm.node(0).address,
             (SSL_PORTS if tls else stack.PORTS)[EAST])
    client = cases.Client(where, {"host": host, "tls": tls}, pki)
    try:
        client.send({"get": target, "host": host, "send": UPGRADE})
        if client.receive()[0] != 101:
            return False
        client.file.readline()
        client.sock.sendall(b"typed\n")
        return client.file.readline() == b"typed\n"
    finally:
        client.close()


@tap.step
def the_stack_is_up_with_two_clusters():
    folder = bulkhead.tmp.join("deploy")
    shutil.copytree(stack.DEPLOY, folder)
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            os.remove(path)
            other = name.replace("blue", EAST).replace("green", WEST)
            with open(os.path.join(base, other), "w",
                      encoding="utf-8") as file:
                file.write(text.replace("blue", EAST).replace("green", WEST))
    stack.PORTS.update({EAST: 80, WEST: 8080})
    bulkhead.deploy(os.path.join(folder, "stack.yml"))
    for cluster in (EAST, WEST):
        bulkhead.wait_applied(cluster)
    sample = images.demo(real)
    samples.update({"ehazlett/docker-demo": sample,
                    "ehazlett/docker-demo:dcus": sample,
                    "ehazlett/websocket-chat": sample,
                    "ehazlett/interlock-default-app": sample})
    command("docker network create -d overlay demo")


@tap.step
def canary_deployments():
    command("docker service create --name demo-v1 --network demo"
            " --replicas=4"
            " --label com.docker.lb.hosts=demo.local"
            " --label com.docker.lb.port=8080"
            " --env METADATA=demo-version-1 ehazlett/docker-demo")
    seen = published("demo-version-1", "demo.local", "/ping")
    tap.equal(seen["target"], "/ping")
    for name in ("x-request-id", "x-proxy-id", "x-server-info",
                 "x-upstream-addr", "x-upstream-response-time"):
        tap.ok(name in seen["answer"], name)
    tasks_behind("demo.local", 4, 40)
    command("docker service create --name demo-v2 --network demo"
            " --label com.docker.lb.hosts=demo.local"
            " --label com.docker.lb.port=8080"
            " --env METADATA=demo-version-2 ehazlett/docker-demo")

    def shared():
        seen = collections.Counter(
            s["service"] for _, _, s in ask("demo.local", count=100) if s)
        return seen["demo-version-2"] == 20 and seen["demo-version-1"] == 80
    procs.wait_for(shared, PATIENCE, "1 of 5 tasks to get 20 of 100", 0.1)
    command("docker service scale --detach demo-v2=4")
    command("docker service scale --detach demo-v1=0")
    published("demo-version-2", "demo.local")
    tasks_behind("demo.local", 4, 40)
    gone("demo-v1", "demo-v2")


@tap.step
def context_and_path_based_routing():
    command("docker service create --name demo --network demo"
            " --label com.docker.lb.hosts=demo.local"
            " --label com.docker.lb.port=8080"
            " --label com.docker.lb.context_root=/app"
            " --label com.docker.lb.context_root_rewrite=true"
            " --env METADATA=demo-context-root ehazlett/docker-demo")
    seen = published("demo-context-root", "demo.local", "/app/")
    tap.equal(seen["target"], "/")
    tap.equal(told("demo.local", "/app/ping?x=1")["target"], "/ping?x=1")
    tap.equal(status("demo.local", "/other"), 404)
    gone("demo")


@tap.step
def application_redirects():
    command("docker service create --name demo --network demo"
            " --label com.docker.lb.hosts=old.local,new.local"
            " --label com.docker.lb.port=8080"
            " --label com.docker.lb.redirects="
            "http://old.local,http://new.local"
            " --env METADATA=demo-new ehazlett/docker-demo")
    published("demo-new", "new.local")
    code, headers, _ = ask("old.local", "/x?y")[0]
    tap.equal((code, headers["location"]), (302, ["http://new.local/x?y"]))
    tap.ok("x-request-id" in headers)
    gone("demo", host="new.local")


@tap.step
def websockets():
    command("docker service create --name demo --network demo"
            " --label com.docker.lb.hosts=demo.local"
            " --label com.docker.lb.port=8080"
            " --label com.docker.lb.websocket_endpoints=/ws"
            " ehazlett/websocket-chat")
    published("", "demo.local")
    tap.ok(websocket("demo.local", "/ws"), "no websocket")
    gone("demo")


@tap.step
def persistent_sessions_by_cookie():
    command("docker service create --name demo --network demo --replicas=5"
            " --label com.docker.lb.hosts=demo.local"
            " --label com.docker.lb.sticky_session_cookie=session"
            " --label com.docker.lb.port=8080"
            " --env METADATA=demo-sticky ehazlett/docker-demo")
    seen = published("demo-sticky", "demo.local", "/ping")
    tasks_behind("demo.local", 5, 60)
    cookie = seen["answer"]["set-cookie"][0].split(";")[0]
    tap.ok(cookie.startswith("session="), cookie)
    tasks_behind("demo.local", 1, 60, Cookie=cookie)
    gone("demo")


@tap.step
def persistent_sessions_by_address():
    command("docker service create --name demo --network demo --replicas=5"
            " --label com.docker.lb.hosts=demo.local"
            " --label com.docker.lb.port=8080"
            " --label com.docker.lb.ip_hash=true"
            " --env METADATA=demo-sticky ehazlett/docker-demo")
    published("demo-sticky", "demo.local")

    def routed():
        known = json.loads(bulkhead.proxyctl("--json", "routes", quiet=True))
        return [len(r["upstreams"]) for r in known["routes"]
                if r["host"] == "demo.local"] == [5]
    procs.wait_for(routed, PATIENCE, "5 tasks behind demo.local", 0.2)
    bulkhead.wait_applied(EAST)
    tasks_behind("demo.local", 1, 60)
    gone("demo")


@tap.step
def tls_of_the_proxy():
    for name, what in (("cert", "cert:demo.local"), ("key", "key:demo.local")):
        path = write("demo.local." + name, pki.secret(what))
        command("docker secret create demo.local.%s %s" % (name, path))
    command("docker service create --name demo --network demo"
            " --label com.docker.lb.hosts=demo.local"
            " --label com.docker.lb.port=8080"
            " --label com.docker.lb.ssl_cert=demo.local.cert"
            " --label com.docker.lb.ssl_key=demo.local.key"
            " --env METADATA=demo-tls ehazlett/docker-demo")
    seen = published("demo-tls", "demo.local", "/ping", tls=True)
    headers = {k.lower(): v for k, v in seen["headers"]}
    tap.equal(headers["x-forwarded-proto"], "https")
    gone("demo")


@tap.step
def tls_of_the_application():
    for name, what in (("cert", "cert:demo.local"), ("key", "key:demo.local")):
        path = write("app." + name, pki.secret(what))
        command("docker secret create app.%s %s" % (name, path))
    command("docker service create --name demo --network demo"
            " --secret source=app.cert,target=/run/secrets/cert.pem"
            " --secret source=app.key,target=/run/secrets/key.pem"
            " --label com.docker.lb.hosts=demo.local"
            " --label com.docker.lb.port=8080"
            " --label com.docker.lb.ssl_passthrough=true"
            " --env METADATA=demo-ssl-passthrough ehazlett/docker-demo"
            " --tls-cert=/run/secrets/cert.pem"
            " --tls-key=/run/secrets/key.pem")
    seen = published("demo-ssl-passthrough", "demo.local", "/ping", tls=True)
    tap.ok("x-request-id" not in seen["answer"], "something was added")
    tap.equal(status("demo.local"), 503)
    bulkhead.docker("service", "rm", "demo")

    def refused():
        try:
            ask("demo.local", tls=True)
        except (ssl.SSLError, ConnectionError, socket.timeout):
            return True
        return False
    procs.wait_for(refused, PATIENCE, "the passthrough to end", 0.1)


@tap.step
def a_service_in_vip_mode():
    command("docker service create --name demo --network demo --replicas=4"
            " --label com.docker.lb.hosts=demo.local"
            " --label com.docker.lb.port=8080"
            " --label com.docker.lb.backend_mode=vip"
            " --env METADATA=demo-vip-1 ehazlett/docker-demo")
    address = procs.wait_for(
        lambda: [v["Addr"].split("/")[0] for v in
                 real.get("/services/demo")["Endpoint"].get(
                     "VirtualIPs") or []], 20, "a virtual address")[0]
    procs.wait_for(lambda: re.search(
        r"server %s:8080\b" % re.escape(address),
        bulkhead.proxyctl("config", EAST)), PATIENCE,
        "the address in the configuration", 0.5)
    bulkhead.wait_applied(EAST)

    def generation():
        known = json.loads(bulkhead.proxyctl("--json", "clusters"))
        return [c["generation"] for c in known["clusters"]
                if c["name"] == EAST]
    before = generation()
    command("docker service scale --detach demo=6")
    real.wait_running("demo", 6)
    # What comes after it is there: it would be, too.
    command("docker service create --name after --network demo"
            " --label com.docker.lb.hosts=after.local"
            " --label com.docker.lb.port=8080"
            " --label com.docker.lb.backend_mode=vip ehazlett/docker-demo")
    procs.wait_for(lambda: "after.local" in bulkhead.proxyctl("routes"),
                   PATIENCE, "what came after", 0.2)
    tap.equal(generation()[0], before[0] + 1, "changes")
    bulkhead.docker("service", "rm", "demo", "after")
    procs.wait_for(lambda: "demo.local" not in bulkhead.proxyctl("routes"),
                   PATIENCE, "the service to be gone", 0.2)


@tap.step
def a_default_host_service():
    command("docker service create --name demo-default --network demo"
            " --replicas=1"
            " --label com.docker.lb.default_backend=true"
            " --label com.docker.lb.port=8080"
            " ehazlett/interlock-default-app")
    published("", "not-configured.local")
    gone("demo-default", host="not-configured.local")


@tap.step
def service_clusters():
    for one in (EAST, WEST):
        side = one.partition("-")[2]
        command("docker network create -d overlay demo-" + side)
        command("docker service create --name demo-%s --network demo-%s"
                " --label com.docker.lb.hosts=demo-%s.local"
                " --label com.docker.lb.port=8080"
                " --label com.docker.lb.service_cluster=%s"
                " --env METADATA=%s ehazlett/docker-demo" % (
                    side, side, side, one, one))
    for one, other in ((EAST, WEST), (WEST, EAST)):
        side = one.partition("-")[2]
        published(one, "demo-%s.local" % side, cluster=one)
        wait_status(503, "demo-%s.local" % side, cluster=other)
    bulkhead.docker("service", "rm", "demo-east", "demo-west")
    wait_status(503, "demo-east.local", cluster=EAST)


@tap.step
def an_application_in_host_mode():
    command("docker service create --name demo-hostmode"
            " --label com.docker.lb.hosts=demo-hostmode.local"
            " --label com.docker.lb.port=8080"
            " --publish mode=host,target=8080"
            " --env METADATA=demo-hostmode ehazlett/docker-demo")
    seen = published("demo-hostmode", "demo-hostmode.local")
    tap.contains(seen["answer"]["x-upstream-addr"][0],
                 bulkhead.swarm.node(0).address + ":")
    gone("demo-hostmode", host="demo-hostmode.local")


@tap.step
def labels_of_the_older_routing_mesh():
    command("docker network create -d overlay ucp-hrm")
    command("docker service create --network ucp-hrm --name demo-hrm-app"
            " --label com.docker.ucp.mesh.http.8080="
            "external_route=http://foo.example.com,internal_port=8080"
            " --env METADATA=hrm ehazlett/docker-demo:dcus")
    published("hrm", "foo.example.com")
    gone("demo-hrm-app", host="foo.example.com")


def blocks(page, kind):
    with open(os.path.join(DOCS, page), encoding="utf-8") as file:
        found = re.findall(r"^```(\w*)\n(.*?)^```$", file.read(),
                           re.S | re.M)
    return [text for what, text in found if what == kind]


def shell(text):
    """Commands of a page, as they stand but for the place of the socket."""
    folder = bulkhead.tmp.join("shell")
    os.makedirs(folder, exist_ok=True)
    env = dict(bulkhead.env)
    env["PATH"] = ":".join((os.path.dirname(procs.binary("proxyctl")),
                            os.path.dirname(stack.CLIENT), env["PATH"]))
    done = subprocess.run(
        ["sh", "-ec", text.replace("/var/run/docker.sock", real.socket)],
        cwd=folder, env=env, capture_output=True, text=True, check=False,
        timeout=120)
    tap.equal(done.returncode, 0, text + done.stdout + done.stderr)
    return done.stdout


@tap.step
def the_commands_of_the_page_on_interlock():
    look, bring = blocks("migrating-from-interlock.md", "")
    command("docker service create --name seen --network demo"
            " --label com.docker.lb.hosts=seen.local"
            " --label com.docker.lb.port=8080 ehazlett/docker-demo")
    real.wait_running("seen", 1)
    tap.contains(shell(look), "seen")
    bulkhead.docker("service", "rm", "seen")
    toml, = blocks("migrating-from-interlock.md", "toml")
    command("docker config create com.docker.ucp.interlock.conf-1 " +
            write("interlock.toml", toml))
    command("docker service create --name ucp-interlock"
            " --config source=com.docker.ucp.interlock.conf-1,"
            "target=/config.toml ehazlett/docker-demo")
    first, second = bring.strip().splitlines()
    name = shell(first).strip()
    out = bulkhead.tmp.join("brought")
    os.makedirs(out)
    shell(second.replace("NAME", name).replace("/etc/bulkhead", out))
    with open(os.path.join(out, "clusters.d", "default.ini"),
              encoding="ascii") as file:
        written = re.sub("^#.*\n\n?", "", file.read())
    tap.equal(written, blocks("migrating-from-interlock.md", "ini")[0])
    bulkhead.docker("service", "rm", "ucp-interlock")


def deploy(yaml):
    """A stack file of a page, with the image of here that says who it is."""
    text = re.sub(
        r"  ([a-z-]+):\n    image: .*", lambda m:
        "  %s:\n    image: %s\n    environment: {METADATA: %s, PORT: '%d'}" % (
            m[1], samples["ehazlett/docker-demo"], m[1],
            3000 if m[1] == "api" else 8080), yaml)
    bulkhead.deploy(write("shop.yml", 'version: "3.8"\n' + text +
                          "networks:\n  front: {driver: overlay}\n"), "shop")


HOST = "shop.example.com"


@tap.step
def the_stacks_of_the_page_on_interlock():
    names = "shop.example.com,old.example.com"
    for name, what in (("cert", "cert:" + names), ("key", "key:" + names)):
        command("docker secret create shop-%s %s" % (
            name, write("shop." + name, pki.secret(what))))
    before, after = blocks("migrating-from-interlock.md", "yaml")
    deploy(before)
    published("web", HOST, tls=True)
    published("web", HOST)
    code, headers, _ = ask("old.example.com", "/x")[0]
    tap.equal((code, headers["location"]), (302, ["http://%s/x" % HOST]))
    tap.ok(websocket(HOST, "/live", tls=True), "no websocket")
    deploy(after)
    tap.equal(published("api", HOST, "/api/x", tls=True)["target"], "/x")
    wait_status(308, HOST)

    def shared():
        seen = collections.Counter(
            s["service"] for _, _, s in ask(HOST, tls=True, count=200) if s)
        return sum(seen.values()) == 200 and abs(seen["web-canary"] - 10) <= 4
    procs.wait_for(shared, PATIENCE, "5 of 100 for the canary", 0.2)
    procs.wait_for(lambda: 429 in {
        got[0] for got in ask(HOST, "/api/x", tls=True, count=100)}, PATIENCE,
        "too many requests to be told so", 0.2)


@tap.step
def the_stack_of_the_page_on_traefik():
    look, = blocks("migrating-from-traefik.md", "")
    theirs, ours = blocks("migrating-from-traefik.md", "yaml")
    tap.ok("traefik." in theirs)

    def removed():
        bulkhead.docker("stack", "rm", "shop", check=False, quiet=True)
        return not [n for n in real.get("/networks")
                    if n["Name"] == "shop_front"]
    procs.wait_for(removed, 120, "the network to be let go", 0.5)
    deploy(ours)
    published("web", HOST, tls=True)
    tap.equal(published("api", HOST, "/api/x", tls=True)["target"], "/x")
    wait_status(308, HOST)
    tap.contains(shell(look), "shop_web")


try:
    bulkhead.start()
except engine.CannotRun as reason:
    tap.skip_all(str(reason))
tap.main()
