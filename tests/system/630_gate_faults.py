#!/usr/bin/env python3
"""What Swarm refuses, or does not say: each is told in the engine's own words
by status and explain, tried again, and harms no proxy that runs."""

import bulkhead
import engine
import procs
import tap
from bulkhead import lb

NAME = "bulkhead-proxy-blue"
NO_LEADER = ("rpc error: code = Unknown desc = The swarm does not have a "
             "leader. It's possible that too few managers are online. Make "
             "sure more than half of the managers are online.")
NO_MANAGER = ("This node is not a swarm manager. Worker nodes can't be used "
              "to view or modify cluster state.")
NO_SWARM = ('This node is not a swarm manager. Use "docker swarm init" or '
            '"docker swarm join" to connect this node to swarm and try again.')

fake = engine.FakeSwarm("--task-delay", "50ms")
system = bulkhead.System(fake.socket)


def configure(proxy="", cluster="", service=NAME, driver="swarm"):
    system.write_file(system.ini_path("blue"), """
[cluster]
network_release_delay = 2s
%s
[proxy]
driver = %s
service = %s
replicas = 2
%s
[control]
listen = 127.0.0.1:%d
url = http://control:9000
token_file = %s
agent_secrets = agent-token
network = control
""" % (cluster, driver, service,
       proxy or "published_port = 8080\npublished_ssl_port = 8443",
       PORT, TOKEN))


def reload():
    system.process.popen.send_signal(1)


def service(name=NAME):
    for s in fake.get("/services"):
        if s["Spec"]["Name"] == name:
            return s
    return None


def container(name=NAME):
    return service(name)["Spec"]["TaskTemplate"]["ContainerSpec"]


def gate():
    return system.status()["reader"]["status"]["gate"]["blue"]


def wait(predicate, what, deadline=60):
    return procs.wait_for(predicate, deadline, what, 0.05)


def settled(name=NAME):
    def well():
        g = gate()
        update = (service(name) or {}).get("UpdateStatus") or {}
        return (update.get("State") != "updating" and g["state"] == "ok" and
                g["running"] == 2 == len(fake.running(name)) and
                g["service"] == name and g["error"] is None)
    wait(well, "the proxy service to be well")


def told(words):
    """In the status, and nobody's proxies were touched."""
    wait(lambda: words in (gate()["error"] or ""), "the words: " + words)
    tap.contains(system.ctl("status")[1], words)
    wait(lambda: words in system.ctl("explain", "web.example",
                                     check=False)[1], "explain to tell it")


def tasks():
    return {t["ID"] for t in fake.running(NAME)}


def fault(path, **what):
    fake.sim("POST", "/faults", dict({"path": path}, **what))


def updates():
    where = "/services/%s/update" % service()["ID"]
    return sum(n for key, n in fake.stats().items() if where in key)


def slow_update(ms):
    """The next update of the proxy service takes long; what waits for it."""
    fault("/services/%s/update" % service()["ID"], mode="slow", delay_ms=ms,
          count=1)
    number = updates()
    return lambda: wait(lambda: updates() > number,
                        "the update to be under way")


def make(kind, name):
    answer = fake.api("POST", "/%s/create" % kind, {
        "Name": name, "Labels": {}, "Data": "eA=="})
    tap.equal(answer.status, 201)
    return answer.json["ID"]


def blind(words, status=503):
    """Lists and writes end with the words; what is served stays."""
    before = tasks()
    for path in ("/services", "/services/*", "/tasks", "/tasks/*"):
        fault(path, mode="error", status=status, message=words)
    wait(lambda: words in (gate()["error"] or ""), "the words: " + words)
    tap.equal(gate()["state"], "unknown")
    tap.contains(system.ctl("status")[1], words)
    wait(lambda: words in system.ctl("explain", "web.example",
                                     check=False)[1], "explain to tell it")
    fake.sim("DELETE", "/faults")
    settled()
    tap.equal(tasks(), before)


@tap.test
def a_lost_quorum_is_told_and_passes():
    settled()
    blind(NO_LEADER, 500)


@tap.test
def an_engine_that_is_no_manager_is_told_and_passes():
    blind(NO_MANAGER)


@tap.test
def an_engine_without_a_swarm_is_told_and_passes():
    blind(NO_SWARM)


@tap.test
def a_secret_that_goes_between_plan_and_update_harms_nobody():
    fake.create_network("app")
    fake.create_service("web", networks=["app"], labels=lb("web.example"))
    wait(lambda: system.routes("blue") and
         system.routes("blue")[0]["upstreams"], "the route")
    settled()
    before = tasks()
    make("secrets", "cert-1")
    under_way = slow_update(3000)
    fake.set_label("web", "com.docker.lb.ssl_cert", "cert-1")
    under_way()
    tap.equal(fake.api("DELETE", "/secrets/cert-1").status, 204)
    words = "secret not found: cert-1"
    wait(lambda: words in system.process.output(), "the engine's words")
    settled()
    tap.equal(tasks(), before, "proxies")
    # It is made once more, and then it is mounted.
    make("secrets", "cert-1")
    wait(lambda: [s for s in container()["Secrets"]
                  if s["SecretName"] == "cert-1"], "the secret")
    fake.set_label("web", "com.docker.lb.ssl_cert", None)
    wait(lambda: not [s for s in container()["Secrets"]
                      if s["SecretName"] == "cert-1"], "its release")
    settled()


@tap.test
def a_network_that_goes_between_plan_and_update_harms_nobody():
    before = tasks()
    fake.create_network("brief")
    under_way = slow_update(3000)
    network = fake.get("/networks/brief")["Id"]
    # Without a task nothing holds the network once the service is gone.
    fake.create_service("short", networks=["brief"], replicas=0,
                        labels=lb("short.example"))
    under_way()
    fake.remove_service("short")
    wait(lambda: fake.api("DELETE", "/networks/brief").status == 204,
         "the network to go")
    wait(lambda: "network %s not found" % network in
         system.process.output(), "the engine's words")
    settled()
    tap.equal(tasks(), before, "proxies")


@tap.test
def an_update_that_comes_second_is_made_anew():
    under_way = slow_update(2000)
    configure("update_delay = 1s\npublished_port = 8080\n"
              "published_ssl_port = 8443")
    reload()
    under_way()

    def label(s):
        s["Labels"]["mine"] = "yes"
    fake.update_service(NAME, label)
    wait(lambda: service()["Spec"]["UpdateConfig"].get("Delay") == 10 ** 9,
         "the update")
    tap.equal(service()["Spec"]["Labels"]["mine"], "yes")
    configure()
    reload()
    wait(lambda: not service()["Spec"]["UpdateConfig"].get("Delay"),
         "the default")
    settled()


@tap.test
def a_published_port_that_is_taken_is_told_and_harms_nobody():
    before = tasks()
    fake.create_service("other", EndpointSpec={"Ports": [{
        "Protocol": "tcp", "TargetPort": 80, "PublishedPort": 9090,
        "PublishMode": "ingress"}]})
    configure("published_port = 9090\npublished_ssl_port = 8443")
    reload()
    told("port '9090' is already in use by service 'other'")
    tap.equal(gate()["state"], "failed")
    tap.equal(tasks(), before)
    # Tried again by itself once it is free.
    fake.remove_service("other")
    wait(lambda: 9090 in [p["PublishedPort"] for p in service()["Spec"][
        "EndpointSpec"]["Ports"]], "the port", 90)
    configure()
    reload()
    settled()


@tap.test
def a_service_of_a_new_name_takes_the_place_of_the_old():
    old = service()["ID"]
    # Swarm gives a port to one service: the old one goes by hand, or the
    # port is another one.
    configure(service="edge")
    reload()
    told("already in use by service '%s'" % NAME)
    tap.equal(len(fake.running(NAME)), 2)
    configure("published_port = 8081\npublished_ssl_port = 8444",
              service="edge")
    reload()
    least = [9]

    def moved():
        if service("edge") is None or not fake.running("edge"):
            least[0] = min(least[0], len(fake.running(NAME)))
        return service(NAME) is None
    wait(moved, "the old service to go")
    tap.equal(least[0], 2, "old proxies before the new ones ran")
    settled("edge")
    tap.equal(fake.api("GET", "/services/" + old).status, 404)
    wait(lambda: "service %s was removed" % NAME in system.process.output(),
         "a word about it")


@tap.test
def a_service_whose_driver_is_another_now_is_told_and_left():
    configure(driver="none", service="edge")
    reload()
    wait(lambda: gate()["state"] == "leftover", "the word about it")
    tap.contains(system.ctl("status")[1], "docker service rm edge")
    tap.equal(len(fake.running("edge")), 2)
    fake.remove_service("edge")
    wait(lambda: "blue" not in system.status()["reader"]["status"]["gate"],
         "it to be forgotten")
    tap.equal(system.process.stop(30), 0)
    tap.ok("ERROR: " not in system.process.output())


@tap.test
def an_engine_that_is_too_old_is_told():
    old = engine.FakeSwarm("--api-version", "1.24")
    old.start()
    other = bulkhead.System(old.socket)
    try:
        with open(system.ini_path("blue"), encoding="utf-8") as f:
            other.write_file(other.ini_path("blue"), f.read().replace(
                "driver = none", "driver = swarm"))
        other.start(wait=False)
        wait(lambda: "1.24" in other.status()["reader"]["status"]["docker"][
            "error"], "the words")
        tap.contains(other.ctl("status")[1], "1.24")
        wait(lambda: "1.24" in other.ctl("explain", "web.example",
                                         check=False)[2], "explain")
    finally:
        other.stop()
        old.stop()


fake.start()
tap.cleanup(fake.stop)
fake.create_network("control")
make("secrets", "agent-token")
PORT = bulkhead.free_ports(1)
TOKEN = system.temp.join("token")
system.write_file(TOKEN, "secret\n")
tap.cleanup(system.stop)
configure()
system.start()
tap.main()
