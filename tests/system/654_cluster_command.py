#!/usr/bin/env python3
"""proxyctl cluster ls, add and rm: Docker configs and files, local proxies and
those that Swarm runs."""

import json
import os

import bulkhead
import engine
import procs
import tap
from bulkhead import lb

fake = engine.FakeSwarm("--task-delay", "50ms")
system = bulkhead.System(fake.socket)
SOON = bulkhead.SOON
TOKEN = os.path.join(system.folder, "token")


def ini(name, text, marker=""):
    path = os.path.join(system.folder, name + marker + ".cluster")
    system.write_file(path, text)
    return path


def names():
    return [c["name"] for c in system.ask("/v1/clusters")["clusters"]]


def retired():
    return {c["name"]: c["driver"]
            for c in system.ask("/v1/clusters")["retired"]}


def configs():
    return {c["Spec"]["Name"]: c["Spec"]["Labels"]
            for c in fake.get("/configs")}


def local(name, **more):
    cluster = bulkhead.Cluster(name, **more)
    system.clusters[name] = cluster
    return cluster


def row(name):
    code, out, _ = system.ctl("cluster", "ls")
    tap.equal(code, 0)
    found = [line.split() for line in out.splitlines()
             if line.split()[:1] == [name]]
    return found[0] if found else None


def agents(name):
    """How many keepers of the cluster's local proxies run."""
    number = 0
    for pid in system.agent_pids():
        try:
            with open("/proc/%d/cmdline" % pid, encoding="utf-8") as f:
                words = f.read().split("\0")
        except OSError:
            continue
        folder = os.path.join(system.run_dir, "proxies", name + ".")
        number += (any(w.startswith(folder) for w in words) and
                   os.path.basename(words[0]) == "proxyctl" and
                   "--worker" not in words)
    return number


def wait_gone(name):
    tap.ok(name not in names(), names())
    tap.ok(name not in retired(), retired())
    for kind in ("state", "bus"):
        tap.ok(name not in os.listdir(os.path.join(system.run_dir, kind)))
    tap.equal([p for p in os.listdir(os.path.join(system.run_dir, "proxies"))
               if p.startswith(name + ".")], [])


@tap.test
def add_makes_a_config_that_serves():
    fake.create_service("web", networks=["front"], labels=lb(
        "a.example", service_cluster="blue"))
    system.start()
    blue = local("blue", replicas=2)
    code, out, _ = system.ctl("cluster", "add", "blue",
                              ini("blue", blue.ini()))
    tap.equal(code, 0)
    tap.contains(out, "Docker config bulkhead-blue-")
    (name, labels), = configs().items()
    tap.ok(name.startswith("bulkhead-blue-"), name)
    tap.equal(labels, {"bulkhead.cluster": "blue", "bulkhead.added": "true"})
    procs.wait_for(lambda: names() == ["blue"], SOON, "blue")
    system.wait_served("blue", "a.example")
    procs.wait_for(lambda: row("blue")[2:] == [
        "local", "nginx", "2", "of", "2", "-", "config/" + name], SOON,
        "two proxies in the list")


@tap.test
def what_is_wrong_is_told_and_nothing_is_made():
    before = configs()
    bad = ini("bad", "[proxy]\ndriver = local\nreplcas = 2\n")
    code, _, err = system.ctl("cluster", "add", "red", bad, check=False)
    tap.equal(code, 1)
    tap.contains(err, "red:3: ")
    blue = system.clusters["blue"]
    same = ini("same", blue.ini())
    code, _, err = system.ctl("cluster", "add", "red", same, check=False)
    tap.equal(code, 1)
    tap.contains(err, str(blue.port))
    for words, wanted, told in (
            (["add", "blue", same], 1, "--replace"),
            (["add", "Blue", same], 2, "no name"),
            (["add", "blue"], 2, "NAME and FILE"),
            (["add", "red", same + ".not"], 1, "No such file"),
            (["add", "red", same, "--fiel"], 2, "--fiel"),
            (["rm"], 2, "NAME"), (["rm", "red"], 1, "no cluster"),
            (["ls", "x"], 2, "x"), (["more"], 2, "neither")):
        code, _, err = system.ctl("cluster", *words, check=False)
        tap.equal(code, wanted, repr(words))
        tap.contains(err, told)
    tap.equal(configs(), before)
    tap.equal(names(), ["blue"])


@tap.test
def replace_makes_a_newer_config():
    blue = system.clusters["blue"]
    path = ini("blue", blue.ini() + "[nginx]\nread_timeout = 37s\n")
    system.ctl("cluster", "add", "blue", path, "--replace")
    tap.equal(len(configs()), 2)

    def told():
        return any("37" in line for f in system.ask(
            "/v1/clusters/blue/config")["files"]
            for line in f["text"].splitlines()
            if "proxy_read_timeout" in line)
    procs.wait_for(told, SOON, "37 s")
    code, _, err = system.ctl("cluster", "add", "blue", path, "--replace",
                              "--file", check=False)
    tap.equal(code, 1)
    tap.contains(err, "would not replace")


@tap.test
def rm_of_a_config_drains_the_local_proxies():
    tap.equal(agents("blue"), 2)
    code, out, _ = system.ctl("--json", "cluster", "rm", "blue")
    tap.equal(code, 0)
    told = json.loads(out)
    tap.equal((told["source"], told["local_proxies"], told["proxy_service"]),
              ("config", 2, False))
    tap.equal(configs(), {})
    wait_gone("blue")
    # Its socket closes a moment before it has ended.
    procs.wait_for(lambda: agents("blue") == 0, SOON, "the keepers to end")
    code, _, err = system.ctl("cluster", "rm", "blue", check=False)
    tap.equal(code, 1)
    tap.contains(err, "no cluster")


@tap.test
def a_file_is_made_and_removed_by_the_same():
    green = local("green")
    system.ctl("cluster", "add", "green", ini("green", green.ini()),
               "--file")
    tap.equal(names(), ["green"])
    tap.ok(os.path.exists(system.ini_path("green")))
    tap.equal(row("green")[-1], "green.ini")
    tap.equal(configs(), {})
    fake.set_label("web", "com.docker.lb.service_cluster", "green")
    system.wait_served("green", "a.example")
    system.ctl("cluster", "rm", "green")
    tap.ok(not os.path.exists(system.ini_path("green")))
    wait_gone("green")


@tap.test
def what_others_made_is_left_and_the_retired_is_removed_after_a_restart():
    system.cluster("green")
    procs.wait_for(lambda: names() == ["green"], SOON, "green")
    system.wait_served("green", "a.example")
    code, _, err = system.ctl("cluster", "rm", "green", check=False)
    tap.equal(code, 1)
    tap.contains(err, "not made by")
    tap.equal(system.get("green", "a.example").status, 200)
    os.unlink(system.ini_path("green"))
    procs.wait_for(lambda: retired() == {"green": "local"}, SOON, "its end")
    tap.equal(row("green")[1:3], ["retired", "local"])
    tap.equal(system.get("green", "a.example").status, 200)
    system.process.kill()
    system.process.wait(30)
    system.start()
    tap.equal(retired(), {"green": "local"})
    tap.equal(system.get("green", "a.example").status, 200)
    code, out, _ = system.ctl("cluster", "rm", "green")
    tap.contains(out, "1 local proxies have drained")
    wait_gone("green")


SWARM = """[proxy]
driver = swarm
replicas = 2
image = bulkhead-proxy:1
published_port = 8080
published_ssl_port = 8443
[control]
listen = 127.0.0.1:%d
url = http://control:9000
token_file = %s
network = control
"""


def proxy_services():
    return [s["Spec"]["Name"] for s in fake.get("/services")
            if s["Spec"]["Name"].startswith("bulkhead-proxy-")]


@tap.test
def rm_removes_the_proxy_service_that_swarm_runs():
    path = ini("grey", SWARM % (bulkhead.free_ports(1), TOKEN))
    system.ctl("cluster", "add", "grey", path)
    procs.wait_for(lambda: proxy_services() == ["bulkhead-proxy-grey"], SOON,
                   "its proxy service")
    tap.equal(row("grey")[2], "swarm")
    code, out, _ = system.ctl("cluster", "rm", "grey")
    tap.contains(out, "removed its proxy service")
    tap.equal(proxy_services(), [])
    wait_gone("grey")
    tap.equal(configs(), {})


@tap.test
def a_retired_one_keeps_its_proxy_service_until_rm():
    path = ini("grey", SWARM % (bulkhead.free_ports(1), TOKEN))
    system.ctl("cluster", "add", "grey", path)
    procs.wait_for(lambda: proxy_services() == ["bulkhead-proxy-grey"], SOON,
                   "its proxy service")
    found = [c["ID"] for c in fake.get("/configs")]
    for ident in found:
        tap.equal(fake.api("DELETE", "/configs/" + ident).status, 204)
    procs.wait_for(lambda: retired() == {"grey": "swarm"}, SOON, "its end")
    # Something else is looked at and made meanwhile.
    other = local("black")
    system.ctl("cluster", "add", "black", ini("black", other.ini()))
    procs.wait_for(lambda: "black" in names(), SOON, "black")
    tap.equal(proxy_services(), ["bulkhead-proxy-grey"])
    fake.sim("POST", "/faults", {"path": "/services", "mode": "error",
                                 "count": 1000})
    code, _, err = system.ctl("cluster", "rm", "grey", check=False)
    tap.equal(code, 1, err)
    tap.equal(retired(), {"grey": "swarm"})
    fake.sim("DELETE", "/faults")
    tap.equal(system.ctl("cluster", "rm", "grey")[0], 0)
    tap.equal(proxy_services(), [])
    wait_gone("grey")
    tap.equal(names(), ["black"])


@tap.test
def a_config_that_others_made_is_left():
    answer = fake.api("POST", "/configs/create", {
        "Name": "pink-1", "Labels": {"bulkhead.cluster": "pink"},
        "Data": "W3Byb3h5XQpkcml2ZXIgPSBub25lCg=="})
    tap.equal(answer.status, 201)
    procs.wait_for(lambda: "pink" in names(), SOON, "pink")
    code, _, err = system.ctl("cluster", "rm", "pink", check=False)
    tap.equal(code, 1)
    tap.contains(err, "pink-1 was not made by")
    tap.ok("pink" in names())


@tap.test
def without_docker_a_file_can_be_made():
    fake.sim("POST", "/faults", {"path": "/configs/create",
                                 "mode": "error"})
    path = ini("white", "[proxy]\ndriver = none\n")
    code, _, err = system.ctl("cluster", "add", "white", path, check=False)
    tap.equal(code, 1, err)
    tap.equal(system.ctl("cluster", "add", "white", path, "--file")[0], 0)
    tap.ok("white" in names())
    tap.equal(system.ctl("cluster", "rm", "white")[0], 0)
    fake.sim("DELETE", "/faults")


@tap.test
def one_that_goes_while_it_starts_ends_nobody():
    path = ini("brief", "[proxy]\ndriver = none\n")
    pid = system.status()["pid"]
    for i in range(12):
        name = "brief-%d" % i
        tap.equal(system.ctl("cluster", "add", name, path, "--file")[0], 0)
        tap.equal(system.ctl("cluster", "rm", name)[0], 0)
    tap.equal(system.status()["pid"], pid)
    tap.ok(system.process.alive())


@tap.test
def it_ends_in_order():
    tap.equal(system.process.stop(30), 0, system.process.output()[-2000:])


fake.start()
tap.cleanup(fake.stop)
fake.create_network("front")
fake.create_network("control")
system.write_file(TOKEN, "s3cret-token\n")
tap.cleanup(system.stop)
tap.main()
