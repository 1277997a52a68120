#!/usr/bin/env python3
"""Control plane and agents one version apart, as during every upgrade.

Whatever a newer side says besides must not disturb an older one: between a
control plane and its agents stands a forwarder that adds members of its own
to everything that is said, both ways.  BULKHEAD_OLD=DIR names a build of an
older version ("make test-skew OLD=REVISION" makes one): then its agents run
with this control plane, and its control plane with these agents.
"""

import http.server
import json
import os
import threading

import bulkhead
import engine
import httpc
import procs
import tap

if not os.path.exists("/usr/sbin/nginx"):
    tap.skip_all("no nginx (package nginx-light)")

OLD = os.environ.get("BULKHEAD_OLD")
FUTURE = {"future": {"a": [1, {"b": None}], "c": "x" * 300}, "later": 1e300,
          "soon": [], "\u00fcber": True}


def embellished(value):
    """The same with unknown members in every object."""
    if isinstance(value, list):
        return [embellished(v) for v in value]
    if not isinstance(value, dict):
        return value
    return {**FUTURE, **{k: embellished(v) for k, v in value.items()}}


class Future(http.server.ThreadingHTTPServer):
    """In front of an extension's control socket."""

    daemon_threads = True

    def __init__(self, socket):
        self.behind, self.told, self.manifests = socket, 0, 0
        super().__init__(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    def handle_error(self, *_):
        pass

    def stop(self):
        self.shutdown()
        self.thread.join(10)
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.forward(None)

    def do_POST(self):
        size = int(self.headers["Content-Length"])
        report = embellished(json.loads(self.rfile.read(size)))
        report["agent"] = "99.0.0+next"
        self.server.told += 1
        self.forward(json.dumps(report))

    def forward(self, body):
        mark = "&" if "?" in self.path else "?"
        answer = httpc.request(
            self.command, self.server.behind, self.path + mark + "future=1",
            headers={"Content-Type": "application/json",
                     "X-Future": "yes"}, body=body, timeout=60)
        data = answer.body
        if answer.status == 200 and "/config?" in self.path:
            data = json.dumps(embellished(json.loads(data))).encode()
            self.server.manifests += 1
        self.send_response(answer.status)
        self.send_header("X-Future", "yes")
        if answer.status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if answer.status != 204:
            self.wfile.write(data)


class Pair:
    """A control plane of one build and an agent of another."""

    def __init__(self, control, agent, future=False):
        self.fake = engine.FakeSwarm()
        self.fake.start()
        self.tmp = procs.TempDir("bh-skew-")
        os.chmod(self.tmp.path, 0o755)
        self.system = bulkhead.System(self.fake.socket)
        self.system.cluster("blue", replicas=0)
        mine = procs.BUILD
        procs.BUILD = control
        self.system.start()
        procs.BUILD = mine
        socket = os.path.join(self.system.run_dir, "control", "blue.sock")
        self.future = Future(socket) if future else None
        url = "unix:" + socket
        if future:
            url = "http://127.0.0.1:%d" % self.future.server_address[1]
        self.port = bulkhead.free_ports(1)
        self.argv = [
            os.path.join(agent, "bin", "proxyctl"), "agent", "--cluster",
            "blue", "--id", "blue.x", "--dir", self.tmp.join("blue.x"),
            "--control", url, "--listen", "127.0.0.1:%d" % self.port,
            "--drain-delay", "0"]
        self.agent = None
        self.start_agent()

    def start_agent(self):
        self.agent = procs.Process(self.argv, self.tmp.join("agent.log"))

    def status(self, host):
        return httpc.get("127.0.0.1:%d" % self.port, host=host).status

    def wait_served(self, host, wanted=200):
        procs.wait_for(lambda: all(self.status(host) == wanted
                                   for _ in range(8)), bulkhead.SOON,
                       "%d for %s" % (wanted, host), 0.02)

    def wait_told(self):
        """The control plane knows that the newest is applied."""
        def told():
            known = self.system.proxies("blue")
            return (len(known) == 1 and known[0]["alive"] and
                    known[0]["applied"] == known[0]["generation"] ==
                    self.system.generation("blue") and known[0])
        return procs.wait_for(told, bulkhead.SOON, "its report", 0.02)

    def publish(self, name, **labels):
        self.fake.create_service(name, networks=["front"], replicas=2,
                                 labels=bulkhead.lb(name + ".example",
                                                    **labels))

    def tour(self):
        """What an upgrade meets while both sides are there."""
        self.fake.create_network("front")
        self.publish("web")
        self.wait_served("web.example")
        tap.ok(self.wait_told()["error"] is None)
        self.fake.scale("web", 3)
        self.publish("path", context_root="/app")
        self.wait_served("path.example", 404)
        self.wait_told()
        self.fake.remove_service("path")
        self.wait_served("path.example", 503)
        self.agent.stop(60)
        self.fake.set_label("web", "com.docker.lb.hosts", "new.example")
        self.start_agent()
        self.wait_served("new.example")
        self.wait_told()

    def stop(self):
        if self.agent.alive():
            self.agent.stop(60)
        self.system.stop()
        if self.future:
            self.future.stop()
        self.fake.stop()
        self.tmp.remove()


def toured(*args, **more):
    pair = Pair(*args, **more)
    try:
        pair.tour()
        return pair
    except AssertionError:
        tap.note(pair.agent.output()[-3000:])
        raise
    finally:
        pair.stop()


@tap.test
def members_that_nobody_knows_disturb_neither_side():
    pair = toured(procs.BUILD, procs.BUILD, future=True)
    tap.ok(pair.future.told > 0 and pair.future.manifests > 0,
           "nothing was embellished")


@tap.test
def older_agents_obey_this_control_plane():
    if not OLD:
        tap.skip("no BULKHEAD_OLD (make test-skew)")
    toured(procs.BUILD, OLD)


@tap.test
def an_older_control_plane_is_obeyed_by_these_agents():
    if not OLD:
        tap.skip("no BULKHEAD_OLD (make test-skew)")
    toured(OLD, procs.BUILD)


@tap.test
def an_older_agents_folder_is_taken_over_by_this_one_and_back():
    """A volume, or driver = local: what the other version wrote is there."""
    if not OLD:
        tap.skip("no BULKHEAD_OLD (make test-skew)")
    pair = Pair(procs.BUILD, OLD)
    try:
        pair.fake.create_network("front")
        pair.publish("web")
        pair.wait_served("web.example")
        for build in (procs.BUILD, OLD):
            pair.wait_told()
            pair.agent.stop(60)
            pair.system.process.kill(19)        # nobody to ask
            pair.argv[0] = os.path.join(build, "bin", "proxyctl")
            pair.start_agent()
            pair.wait_served("web.example")
            pair.system.process.kill(18)
    finally:
        pair.stop()


tap.main()
