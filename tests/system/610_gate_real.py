#!/usr/bin/env python3
"""The gate on a real engine, one node: proxies run as a Swarm service and
serve; a burst of networks is one roll; scaling sticks; what is deleted comes
back; what cannot be is told with the engine's words."""

import base64
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import bulkhead  # noqa: E402
import engine  # noqa: E402
import httpc  # noqa: E402
import images  # noqa: E402
import procs  # noqa: E402
import tap  # noqa: E402
from bulkhead import lb  # noqa: E402

SOON = 180.0
NAME = "bulkhead-proxy-blue"

why = engine.RealEngine.why_not() or (
    None if os.path.exists("/usr/sbin/nginx") else "no nginx")
if why:
    tap.skip_all(why)
real = engine.RealEngine()
try:
    real.start()
except engine.CannotRun as reason:
    tap.skip_all(str(reason))
tap.cleanup(real.stop)
system = bulkhead.System(real.socket, watch=real.control)
tap.cleanup(system.stop)
PORT = bulkhead.free_ports(1)
TOKEN = system.temp.join("token")


def wait(predicate, what, deadline=SOON):
    return procs.wait_for(predicate, deadline, what, 0.1)


def gate():
    return system.status()["reader"]["status"]["gate"]["blue"]


def configure(proxy):
    # There soon after a node became one of a Swarm.
    gateway = wait(lambda: real.get("/networks/docker_gwbridge"),
                   "docker_gwbridge")["IPAM"]["Config"][0]["Gateway"]
    system.write_file(system.ini_path("blue"), """
[cluster]
network_release_delay = 3s
[proxy]
driver = swarm
replicas = 2
published_port = 0
published_ssl_port = 0
drain_delay = 1s
stop_grace_period = 5s
%s
[control]
listen = 0.0.0.0:%d
url = http://%s:%d
token_file = %s
agent_secrets = agent-token
network = control
""" % (proxy, PORT, gateway, PORT, TOKEN))


def service():
    for s in real.get("/services"):
        if s["Spec"]["Name"] == NAME:
            return s
    return None


def networks():
    return len(service()["Spec"]["TaskTemplate"]["Networks"])


def settled(count):
    def well():
        g = gate()
        return g["state"] == "ok" and g["running"] == count and not g["error"]
    wait(well, "%d proxies" % count)


def addresses():
    """Where the proxies that run answer: on the bridge to the host."""
    wanted = {t["Status"]["ContainerStatus"]["ContainerID"]
              for t in real.running(NAME)}
    ends = real.get("/networks/docker_gwbridge")["Containers"]
    return [end["IPv4Address"].split("/")[0] for key, end in ends.items()
            if key in wanted]


def served(host, count):
    def all_serve():
        where = addresses()
        return len(where) == count and all(
            httpc.request("GET", a + ":80", "/", host=host).status == 200
            for a in where)
    wait(all_serve, "%s from %d proxies" % (host, count))


@tap.test
def proxies_run_as_a_service_and_serve():
    real.create_network("front")
    real.create_service("web", networks=["front"], labels=lb("web.example"))
    settled(2)
    served("web.example", 2)
    wait(lambda: len([p for p in system.proxies("blue") if p["alive"]]) == 2,
         "two proxies alive")


@tap.test
def a_burst_of_networks_is_one_roll_and_then_they_are_released():
    settled(2)
    tasks = {t["ID"] for t in real.tasks(NAME)}
    for i in range(10):
        real.create_network("n%d" % i)
    for i in range(10):
        real.create_service("s%d" % i, networks=["n%d" % i],
                            labels=lb("s%d.example" % i))
    wait(lambda: networks() == 12, "the networks", 180)
    settled(2)
    served("s9.example", 2)
    tap.equal(len({t["ID"] for t in real.tasks(NAME)} - tasks), 2,
              "new tasks")
    for i in range(10):
        real.remove_service("s%d" % i)
    wait(lambda: networks() == 2, "the release", 180)
    settled(2)
    for i in range(10):
        wait(lambda i=i: real.api("DELETE", "/networks/n%d" % i).status
             in (204, 404), "network %d to go" % i)
    served("web.example", 2)


@tap.test
def scaling_sticks_both_ways():
    system.ctl("scale", "blue", "3")
    settled(3)
    served("web.example", 3)
    real.scale(NAME, 1)
    settled(1)
    served("web.example", 1)
    wait(lambda: len(system.proxies("blue")) == 1, "the others to be forgotten")


@tap.test
def a_deleted_service_comes_back():
    real.remove_service(NAME)
    wait(lambda: gate()["state"] == "missing", "the loss to be seen")
    wait(service, "the service")
    settled(2)
    served("web.example", 2)


@tap.test
def a_subnet_that_is_used_up_is_told_and_harms_no_proxy():
    real.create_network("tiny", IPAM={"Config": [{
        "Subnet": "10.99.0.0/29"}]})
    real.create_service("eater", networks=["tiny"], replicas=2,
                        labels=lb("eater.example"))
    words = "wait for a node or for an address"
    wait(lambda: words in (gate()["error"] or ""), "the words")
    tap.contains(system.ctl("status")[1], words)
    wait(lambda: words in system.ctl("explain", "eater", check=False)[1],
         "explain to tell it")
    served("web.example", 2)
    real.remove_service("eater")
    settled(2)
    served("web.example", 2)


@tap.test
def a_missing_image_is_told_and_harms_no_proxy():
    configure("image = nowhere.invalid/none:1")
    system.process.popen.send_signal(1)
    words = wait(lambda: gate()["error"], "the engine's words")
    tap.contains(words.lower(), "image")
    tap.equal(len(real.running(NAME)), 2)
    configure("image = " + IMAGE)
    system.process.popen.send_signal(1)
    settled(2)
    served("web.example", 2)


system.write_file(TOKEN, "secret\n")
IMAGE = images.proxy(real)
real.create_network("control")
real.api("POST", "/secrets/create", {
    "Name": "agent-token", "Labels": {},
    "Data": base64.b64encode(b"secret").decode()})
configure("image = " + IMAGE)
system.start()
tap.main()
