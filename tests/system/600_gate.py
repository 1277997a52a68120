#!/usr/bin/env python3
"""The gate on the simulated Swarm: a cluster's proxy service is made, kept,
scaled, given the networks and secrets that its services need, and made again."""


import bulkhead
import engine
import procs
import tap
from bulkhead import lb

SOON = bulkhead.SOON
NAME = "bulkhead-proxy-blue"

fake = engine.FakeSwarm("--task-delay", "50ms")
system = bulkhead.System(fake.socket)


def configure(replicas=2, proxy="", more="", cluster=""):
    system.write_file(system.ini_path("blue"), """
[cluster]
network_release_delay = 2s
%s
[proxy]
driver = swarm
replicas = %d
image = bulkhead-proxy:1
published_port = 8080
published_ssl_port = 8443
%s
[control]
listen = 127.0.0.1:%d
url = http://control:9000
token_file = %s
agent_secrets = agent-token
network = control
%s""" % (cluster, replicas, proxy, PORT, TOKEN, more))


def reload():
    system.process.popen.send_signal(1)


def service():
    for s in fake.get("/services"):
        if s["Spec"]["Name"] == NAME:
            return s
    return None


def spec():
    s = service()
    return s["Spec"] if s else None


def container():
    return spec()["TaskTemplate"]["ContainerSpec"]


def networks():
    ids = [n["Target"] for n in spec()["TaskTemplate"].get("Networks", [])]
    names = {n["Id"]: n["Name"] for n in fake.get("/networks")}
    return sorted(names[i] for i in ids)


def secrets():
    return sorted(s["SecretName"] for s in container().get("Secrets", []))


def configs():
    return sorted(s["ConfigName"] for s in container().get("Configs", []))


def make(kind, name):
    answer = fake.api("POST", "/%s/create" % kind, {
        "Name": name, "Labels": {}, "Data": "eA=="})
    tap.equal(answer.status, 201)


def replicas():
    return spec()["Mode"]["Replicated"]["Replicas"]


def gate():
    return system.status()["reader"]["status"]["gate"]["blue"]


def updates():
    return sum(n for path, n in fake.stats().items()
               if path.startswith("POST /services/") and "/update" in path)


def wait(predicate, what, deadline=SOON):
    return procs.wait_for(predicate, deadline, what, 0.05)


def settled(count=2):
    def well():
        g = gate()
        update = (service() or {}).get("UpdateStatus") or {}
        return (g["state"] == "ok" and g["running"] == count
                and g["error"] is None
                and update.get("State") != "updating"
                and replicas() == count == len(fake.running(NAME)))
    wait(well, "the proxy service to be well with %d" % count)


def route(host):
    return [r for r in system.routes("blue") if r["host"] == host]


def remarks(name):
    report = system.ask("/v1/clusters/blue/report")
    return [r for s in report["accepted"]
            if s["service"] == name for r in s["remarks"]]


@tap.test
def the_proxy_service_is_made_as_the_ini_says():
    settled()
    s = spec()
    tap.equal(replicas(), 2)
    tap.equal(networks(), ["control"])
    tap.equal(secrets(), ["agent-token"])
    tap.equal(container()["Image"], "bulkhead-proxy:1")
    tap.equal(container()["Command"], ["proxyctl", "agent"])
    args = container()["Args"]
    for pair in (("--cluster", "blue"), ("--control", "http://control:9000"),
                 ("--token-file", "/run/secrets/agent-token"),
                 ("--listen", "0.0.0.0:80")):
        tap.equal(args[args.index(pair[0]) + 1], pair[1])
    tap.ok(container()["Init"] and container()["ReadOnly"])
    tap.equal(container()["CapabilityDrop"], ["ALL"])
    tap.equal(sorted(p["PublishedPort"] for p in s["EndpointSpec"]["Ports"]),
              [8080, 8443])
    tap.equal(s["UpdateConfig"]["Order"], "start-first")
    tap.equal(s["Labels"]["bulkhead.cluster"], "blue")


@tap.test
def a_route_waits_for_its_network_and_then_works():
    for i in range(3):
        fake.create_network("app-%d" % i)
    # The update that attaches the network fails until that was seen.
    fake.sim("POST", "/faults", {
        "path": "/services/%s/update" % service()["ID"], "mode": "error"})
    fake.create_service("web", networks=["app-0"], labels=lb("web.example"))
    fake.wait_running("web", 1)
    wait(lambda: "not-yet" in [r["code"] for r in remarks("web")],
         "the route to wait")
    tap.equal(route("web.example")[0]["upstreams"], [])
    fake.sim("DELETE", "/faults")
    wait(lambda: networks() == ["app-0", "control"], "the network")
    wait(lambda: route("web.example")[0]["upstreams"], "the route")
    tap.equal(remarks("web"), [])
    settled()


@tap.test
def a_burst_of_networks_is_one_roll_and_one_proxy_at_a_time():
    before = updates()
    for i in range(10):
        fake.create_network("burst-%d" % i)
    for i in range(10):
        fake.create_service("burst-%d" % i, networks=["burst-%d" % i],
                            labels=lb("burst-%d.example" % i))
    least = [2]

    def done():
        least[0] = min(least[0], len(fake.running(NAME)))
        return len(networks()) == 12 and gate()["state"] == "ok"
    wait(done, "all ten networks", 60)
    tap.equal(updates() - before, 1, "updates")
    tap.equal(least[0], 2, "fewest proxies")
    for i in range(10):
        wait(lambda i=i: route("burst-%d.example" % i)[0]["upstreams"],
             "route %d" % i)


@tap.test
def networks_that_nobody_needs_are_released_by_one_roll():
    before = updates()
    for i in range(10):
        fake.remove_service("burst-%d" % i)
    wait(lambda: networks() == ["app-0", "control"], "the release", 60)
    settled()
    tap.equal(updates() - before, 1, "updates")
    for i in range(10):
        tap.equal(fake.api("DELETE", "/networks/burst-%d" % i).status, 204)


@tap.test
def a_moved_network_keeps_what_is_served():
    fake.create_service("both", networks=["app-0", "app-1"], labels=lb(
        "both.example", network="app-0"))
    fake.wait_running("both", 1)
    before = wait(lambda: route("both.example")[0]["upstreams"], "the route")
    fake.set_label("both", "com.docker.lb.network", "app-1")
    seen = []

    def moved():
        r = route("both.example")
        seen.append(bool(r and r[0]["upstreams"]))
        return r[0]["upstreams"] and r[0]["upstreams"] != before
    wait(moved, "the move", 60)
    tap.ok(all(seen), "there was a moment without an upstream")
    fake.remove_service("both")


@tap.test
def secrets_that_labels_name_are_mounted_and_no_others():
    for name in ("cert-1", "cert-2", "other"):
        make("secrets", name)
    fake.set_label("web", "com.docker.lb.ssl_cert", "cert-1")
    wait(lambda: secrets() == ["agent-token", "cert-1"], "the secret", 60)
    fake.set_label("web", "com.docker.lb.ssl_cert", "cert-2")
    wait(lambda: secrets() == ["agent-token", "cert-2"], "the next one", 60)
    fake.set_label("web", "com.docker.lb.ssl_cert", None)
    wait(lambda: secrets() == ["agent-token"], "its release", 60)
    settled()


@tap.test
def configs_with_authorities_are_mounted_where_the_agent_looks():
    for name in ("ca-1", "ca-2"):
        make("configs", name)
    make("secrets", "ca-2")

    def edit(s):
        s["Labels"].update({"com.docker.lb.ssl_backend": "true",
                            "com.docker.lb.ssl_backend_tls_verify": "required",
                            "com.docker.lb.ssl_backend_ca": "ca-1"})
    fake.update_service("web", edit)
    wait(lambda: configs() == ["ca-1"], "the config", 60)
    tap.equal(container()["Configs"][0]["File"]["Name"], "/run/secrets/ca-1")
    tap.equal(secrets(), ["agent-token"])
    # Of a config and a secret with one name the secret is meant.
    fake.set_label("web", "com.docker.lb.ssl_backend_ca", "ca-2")
    wait(lambda: secrets() == ["agent-token", "ca-2"], "the secret", 60)
    wait(lambda: configs() == [], "the config's release", 60)

    def clean(s):
        for key in [k for k in s["Labels"] if "ssl_backend" in k]:
            del s["Labels"][key]
    fake.update_service("web", clean)
    wait(lambda: secrets() == ["agent-token"], "the release", 60)
    settled()


@tap.test
def scaling_sticks_both_ways_and_the_ini_wins_when_its_number_changes():
    tap.contains(system.ctl("scale", "blue", "3")[1], "3 proxies")
    tap.equal(replicas(), 3)
    settled(3)
    fake.scale(NAME, 4)
    settled(4)
    configure(2, "update_delay = 1s")
    reload()
    wait(lambda: spec()["UpdateConfig"].get("Delay") == 1000000000,
         "the delay")
    tap.equal(replicas(), 4)
    configure(3, "update_delay = 1s")
    reload()
    wait(lambda: replicas() == 3, "the INI's new number")
    configure(3)
    reload()
    wait(lambda: "Delay" not in spec()["UpdateConfig"], "the default again")
    settled(3)


@tap.test
def foreign_edits_stay_where_the_ini_is_silent_and_go_where_it_speaks():
    def change(s):
        s["TaskTemplate"]["ContainerSpec"]["Image"] = "evil:1"
        s["TaskTemplate"]["Resources"] = {"Limits": {"MemoryBytes": 10485760}}
        s["Labels"]["mine"] = "yes"
        s["TaskTemplate"]["ContainerSpec"]["Args"].append("--log-json")
    fake.update_service(NAME, change)
    wait(lambda: container()["Image"] == "bulkhead-proxy:1", "the repair", 60)
    tap.equal(spec()["Labels"]["mine"], "yes")
    tap.equal(spec()["TaskTemplate"]["Resources"]["Limits"]["MemoryBytes"],
              10485760)
    tap.ok("--log-json" not in container()["Args"])
    settled(3)
    wait(lambda: "set back" in system.process.output(), "a word about it")

    def label(s):
        s["Labels"]["mine"] = "no"
    fake.update_service(NAME, label)
    wait(lambda: "it stays" in system.process.output(), "the word about it")
    tap.equal(spec()["Labels"]["mine"], "no")


@tap.test
def a_changed_image_rolls_and_constraints_move():
    configure(3, "image = bulkhead-proxy:2\nconstraints = node.role==manager")
    text = open(system.ini_path("blue")).read().replace(
        "image = bulkhead-proxy:1\n", "")
    system.write_file(system.ini_path("blue"), text)
    reload()
    wait(lambda: container()["Image"] == "bulkhead-proxy:2", "the image")
    tap.equal(spec()["TaskTemplate"]["Placement"]["Constraints"],
              ["node.role==manager"])
    settled(3)
    for t in fake.running(NAME):
        tap.equal(t["Spec"]["ContainerSpec"]["Image"], "bulkhead-proxy:2")


@tap.test
def what_cannot_be_placed_is_told_with_the_engines_words():
    configure(3, "constraints = node.labels.nowhere==1")
    reload()
    words = wait(lambda: gate()["error"], "the engine's words", 60)
    tap.contains(words, "no suitable node")
    tap.equal(len(fake.running(NAME)), 3, "proxies")
    tap.contains(system.ctl("status")[1], "no suitable node")
    configure(3)
    reload()
    settled(3)


@tap.test
def a_service_deleted_by_hand_comes_back():
    fake.remove_service(NAME)
    wait(lambda: gate()["state"] == "missing", "the loss to be seen")
    wait(service, "the service to be back", 60)
    settled(3)
    wait(lambda: networks() == ["app-0", "control"], "its networks")


@tap.test
def another_supervisor_takes_over_and_the_first_one_only_watches():
    def change(s):
        s["Labels"]["bulkhead.owner"] = "0123456789abcdef"
    fake.update_service(NAME, change)
    wait(lambda: gate()["state"] == "passive", "passive")
    wait(lambda: "another supervisor" in system.process.output(), "the words")
    fake.scale(NAME, 1)
    fake.create_service("marker", networks=["app-2"], labels=lb("m.example"))
    wait(lambda: "m.example" in [r["host"] for r in system.routes("blue")],
         "the marker")
    tap.equal(spec()["Labels"]["bulkhead.owner"], "0123456789abcdef")
    # A file that changes is read without being asked to, a little later.
    configure(2)
    reload()
    wait(lambda: replicas() == 2 and "app-2" in networks(),
         "it to be taken back", 60)
    settled(2)


@tap.test
def a_restart_changes_nothing():
    fake.remove_service("marker")
    wait(lambda: "app-2" not in networks(), "the release", 60)
    settled(2)
    version = service()["Version"]["Index"]
    tap.equal(system.process.stop(30), 0)
    system.start()
    settled(2)
    wait(lambda: route("web.example")[0]["upstreams"], "the route")
    fake.create_service("marker", networks=["app-0"], labels=lb("m.example"))
    wait(lambda: "m.example" in [r["host"] for r in system.routes("blue")],
         "the marker")
    tap.equal(service()["Version"]["Index"], version)


@tap.test
def a_retired_clusters_service_is_left():
    import os
    os.unlink(system.ini_path("blue"))
    reload()
    wait(lambda: "blue" not in system.status()["reader"]["status"]["gate"],
         "the retirement")
    tap.ok(service() is not None)
    tap.equal(system.process.stop(30), 0)
    tap.ok("ERROR: " not in system.process.output())


fake.start()
tap.cleanup(fake.stop)
fake.create_network("control")
fake.api("POST", "/secrets/create",
         {"Name": "agent-token", "Labels": {}, "Data": "eA=="})
PORT = bulkhead.free_ports(1)
TOKEN = system.temp.join("token")
system.write_file(TOKEN, "secret\n")
tap.cleanup(system.stop)
configure()
system.start()
tap.main()
