#!/usr/bin/env python3
"""The whole system beside a real private Swarm: what it says is understood,
and services published on node ports answer through real nginx."""

import json
import os
import subprocess

import bulkhead
import engine
import procs
import tap
from bulkhead import lb

why = engine.RealEngine.why_not()
if why:
    tap.skip_all(why)

real = engine.RealEngine()
try:
    real.start()
except engine.CannotRun as error:
    tap.skip_all(str(error))
tap.cleanup(real.stop)
system = bulkhead.System(real.socket)
tap.cleanup(system.stop)


@tap.test
def published_services_of_a_real_swarm_are_judged():
    real.create_network("front")
    real.create_service("web", networks=["front"], replicas=2,
                        labels=lb("web.example"))
    real.create_service("vip", networks=["front"], labels=lb(
        "vip.example", backend_mode="vip"))
    real.create_service("bad", networks=["front"], labels=lb("b.example;"))
    real.wait_running("web", 2)
    real.wait_running("vip", 1)
    procs.wait_for(lambda: len([
        r for r in system.routes() if r["host"] == "web.example"
        and len(r["upstreams"]) == 2]) == 1, 60, "two upstreams")
    wanted = {a.split("/")[0] for t in real.running("web")
              for n in t["NetworksAttachments"] for a in n["Addresses"]}
    got = {u["address"].rsplit(":", 1)[0] for r in system.routes()
           if r["host"] == "web.example" for u in r["upstreams"]}
    tap.equal(got, wanted)
    vip = procs.wait_for(lambda: [
        r["upstreams"][0] for r in system.routes()
        if r["host"] == "vip.example"], 60, "the virtual address")[0]
    service = real.get("/services/vip")
    tap.equal(vip["address"], service["Endpoint"][
        "VirtualIPs"][0]["Addr"].split("/")[0] + ":8080")
    procs.wait_for(lambda: system.services()["bad"]["code"] == "bad-value",
                   60, "a verdict on the bad one")


@tap.test
def a_host_mode_service_answers_through_the_proxy():
    real.create_service("hostport", labels=lb("port.example"), EndpointSpec={
        "Ports": [{"Protocol": "tcp", "TargetPort": 8080,
                   "PublishMode": "host"}]})
    real.wait_running("hostport", 1)
    system.wait_served("blue", "port.example", deadline=60)
    real.remove_service("hostport")
    system.wait_served("blue", "port.example", want=503, deadline=60)


@tap.test
def scaling_is_followed_both_ways():
    for replicas in (4, 1):
        real.scale("web", replicas)
        procs.wait_for(lambda n=replicas: [
            len(r["upstreams"]) for r in system.routes()
            if r["host"] == "web.example"] == [n], 90,
            "%d upstreams" % replicas)


@tap.test
def a_snapshot_renders_to_what_nginx_takes():
    folder = procs.TempDir("bh-real-")
    tap.cleanup(folder.remove)
    for name, arguments in (
            ("api", ["--socket", system.socket, "snapshot"]),
            ("direct", ["snapshot", "--docker", "unix://" + real.socket])):
        done = subprocess.run(
            [procs.binary("proxyctl")] + arguments, capture_output=True,
            text=True, timeout=60, stdin=subprocess.DEVNULL)
        tap.equal(done.returncode, 0, name + ": " + done.stderr)
        document = json.loads(done.stdout)
        tap.equal(document["version"], 1, name)
        tap.equal({s["Spec"]["Name"] for s in document["services"]},
                  {"web", "vip", "bad"}, name)
        snapshot = folder.join(name + ".json")
        with open(snapshot, "w", encoding="utf-8") as f:
            f.write(done.stdout)
        out = folder.join(name)
        done = subprocess.run(
            [procs.binary("proxyctl"), "render", "--cluster",
             system.ini_path("blue"), "--snapshot", snapshot, "--out", out],
            capture_output=True, text=True, timeout=60)
        tap.equal(done.returncode, 0, done.stderr)
        done = subprocess.run(
            ["/usr/sbin/nginx", "-t", "-p", out, "-c", "nginx.conf", "-e",
             "stderr"], capture_output=True, text=True, timeout=60)
        tap.equal(done.returncode, 0, done.stderr)
        with open(os.path.join(out, "report.json"), encoding="utf-8") as f:
            report = json.load(f)
        tap.equal([s["service"] for s in report["accepted"]],
                  ["web", "vip"], name)


@tap.test
def secrets_in_a_snapshot_are_hidden_unless_asked_for():
    real.create_service("env", env=["PASSWORD=hunter2"], labels=lb("e.example"),
                        networks=["front"])
    _, out, _ = system.ctl("snapshot")
    tap.ok("hunter2" not in out)
    _, out, _ = system.ctl("snapshot", "--full")
    tap.ok("hunter2" in out)


system.cluster("blue")
system.start()
tap.main()
