#!/usr/bin/env python3
"""The stack on one real node: nobody without a client certificate of ours, or
a token where a cluster has that, is told anything by the control plane or by a
proxy, and no application reaches them; clusters in Docker configs; what is removed leaves nothing behind."""

import base64
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import certificates  # noqa: E402
import engine  # noqa: E402
import nodes   # noqa: E402
import procs   # noqa: E402
import stack   # noqa: E402
import tap     # noqa: E402

CONTROL, PEERS = 9441, 8402     # of blue
NO_BLOB = "/v1/blob/" + 64 * "0"
SOON = 60
ONE_PROXY = """
[cluster]
default = false
[proxy]
driver = swarm
image = %(BULKHEAD_PROXY_IMAGE)s
replicas = 1
publish_mode = host
published_port = %(port)d
published_ssl_port = 0
target_port = 8080
target_ssl_port = 8443
drain_delay = 1s
[control]
"""
RED = ONE_PROXY + """\
listen = 0.0.0.0:9443
url = https://bulkhead-control:9443
network = bulkhead-control
tls_ca = /run/secrets/ca.pem
tls_cert = /run/secrets/control.pem
tls_key = /run/secrets/control.key
agent_secrets = bulkhead-agent-ca-%(BULKHEAD_CA_CERT)s,
\tbulkhead-agent-cert-%(BULKHEAD_AGENT_CERT)s,
\tbulkhead-agent-key-%(BULKHEAD_AGENT_KEY)s
"""

AMBER = ONE_PROXY + """\
listen = 0.0.0.0:9444
url = http://bulkhead-control:9444
network = bulkhead-control
token_file = /run/secrets/amber-token
agent_secrets = amber-token
"""
TOKEN = "of-amber-alone"

why = stack.why_not()
if why:
    tap.skip_all(why)
bulkhead = stack.Stack(nodes.Swarm(1), 1)
tap.cleanup(bulkhead.stop)
real = bulkhead.real
foreign = bulkhead.tmp.join("foreign")


def task(service):
    return real.wait_running(service, 1)[0]


def tasks(service):
    return {t["ID"] for t in real.tasks(service)}


def clusters():
    return [c["name"] for c in json.loads(bulkhead.proxyctl(
        "--json", "clusters", quiet=True))["clusters"]]


def address(service, network="bulkhead-control"):
    """Of its only task, on that network."""
    return [a["Addresses"][0].split("/")[0]
            for a in task(service)["NetworksAttachments"]
            if a["Network"]["Spec"]["Name"] == network][0]


def outside_address(service):
    """The same, on the bridge that leads out of the containers."""
    inside = task(service)["Status"]["ContainerStatus"]["ContainerID"]
    ends = real.get("/networks/docker_gwbridge")["Containers"]
    return ends[inside]["IPv4Address"].split("/")[0]


def asked(service, where, target, *options, scheme="https"):
    """From inside a service's task: the status, 0 for no answer."""
    pid = task(service)["Status"]["ContainerStatus"]["PID"]
    host, port = where
    done = subprocess.run(
        ["nsenter", "--net=/proc/%d/ns/net" % pid, "curl", "-s", "-o",
         "/dev/null", "-m", "5", "-w", "%{http_code}", "--resolve",
         "bulkhead-control:%d:%s" % (port, host), *options,
         "%s://bulkhead-control:%d%s" % (scheme, port, target)],
        capture_output=True, text=True, check=False)
    return int(done.stdout or 0)


def shown(folder, name):
    return ("--cert", "%s/%s.pem" % (folder, name),
            "--key", "%s/%s.key" % (folder, name))


OURS = ("--cacert", bulkhead.pki + "/ca.pem")
# A proxy shows its group's certificate, which has no host's name.
OF_PEER = ("--insecure",)


def guarded(place, trusted, right):
    """Each way in is closed but to who shows a certificate of ours; 'right'
    is what that one is answered for a file that is not there."""
    for what, options, scheme in (
            ("plain HTTP", (), "http"), ("no certificate", trusted, "https"),
            ("a foreign one", trusted + shown(foreign, "agent"), "https"),
            ("the key of another",
             trusted + ("--cert", bulkhead.pki + "/agent.pem",
                        "--key", foreign + "/agent.key"), "https")):
        for target in (NO_BLOB, "/v1/proxy/config?proxy=stranger&check=1",
                       "/v1/proxy/report"):
            more = ("-d", "{}") if target.endswith("report") else ()
            got = asked("bulkhead-proxy-blue", place, target, *options, *more,
                        scheme=scheme)
            tap.ok(got in (0, 401, 403), "%s: %s: %d" % (what, target, got))
    tap.equal(asked("bulkhead-proxy-blue", place, NO_BLOB, *trusted,
                    *shown(bulkhead.pki, "agent")), right, "with ours")


@tap.step
def the_control_plane_answers_to_certificates_of_ours_alone():
    bulkhead.deploy()
    bulkhead.wait_applied("blue")
    for proxy in bulkhead.proxies("blue"):
        tap.equal(proxy["error"], None)
    guarded((address("bulkhead_supervisor"), CONTROL), OURS, 404)


@tap.step
def so_do_proxies_to_each_other():
    guarded((address("bulkhead-proxy-blue"), PEERS), OF_PEER, 404)
    known = [p["id"] for p in bulkhead.proxies("blue")]
    tap.equal(len(known), 1, "strangers are not listed: %r" % known)


@tap.step
def applications_reach_neither():
    real.create_network("shop-net")
    bulkhead.publish("shop", "shop-net", hosts="shop.example",
                     service_cluster="blue")
    bulkhead.wait_status("blue", "shop.example", 200)
    tap.equal(asked("shop", (address("shop", "shop-net"), 8080), "/",
                    scheme="http"), 200, "a way that is open")
    ours = OF_PEER + shown(bulkhead.pki, "agent")
    for service, port in (("bulkhead_supervisor", CONTROL),
                          ("bulkhead-proxy-blue", PEERS)):
        for where in (address(service), outside_address(service)):
            tap.equal(asked("shop", (where, port), NO_BLOB, *ours), 0,
                      "%s at %s" % (service, where))
    tap.equal(asked("shop", (address("bulkhead-proxy-blue", "shop-net"),
                             PEERS), NO_BLOB, *ours), 0,
              "the proxy on the application's own network")


def give_supervisor(secret):
    """One more secret to read, or none of ours besides."""
    before = bulkhead.container()

    def change(spec):
        container = spec["TaskTemplate"]["ContainerSpec"]
        container["Secrets"] = [s for s in container["Secrets"]
                                if s["SecretName"] != "amber-token"]
        if secret is not None:
            container["Secrets"].append({
                "SecretID": secret, "SecretName": "amber-token", "File": {
                    "Name": "amber-token", "UID": "800", "GID": "800",
                    "Mode": 0o440}})
    real.update_service("bulkhead_supervisor", change)
    procs.wait_for(lambda: bulkhead.container() not in (None, before), 60,
                   "another supervisor", 0.2)
    bulkhead.wait_applied("blue")


def bearer(token):
    return ("-H", "Authorization: Bearer " + token)


@tap.step
def a_token_does_instead_of_certificates():
    answer = real.api("POST", "/secrets/create", {
        "Name": "amber-token",
        "Data": base64.b64encode(TOKEN.encode()).decode()})
    tap.equal(answer.status, 201, repr(answer))
    proxies = tasks("bulkhead-proxy-blue")
    with bulkhead.balancer("blue", "shop.example") as load:
        give_supervisor(answer.json["ID"])
        make_config("amber-1", AMBER % dict(bulkhead.env, port=8092), "amber")
        bulkhead.publish("amber-app", "shop-net", hosts="amber.example",
                         service_cluster="amber")
        stack.PORTS["amber"] = 8092
        bulkhead.wait_status("amber", "amber.example", 200)
        bulkhead.wait_applied("amber")
        for place in ((address("bulkhead_supervisor"), 9444),
                      (address("bulkhead-proxy-amber"), PEERS)):
            for given, wanted in (((), 401), (bearer("another"), 401),
                                  (bearer(TOKEN), 404)):
                tap.equal(asked("bulkhead-proxy-amber", place, NO_BLOB,
                                *given, scheme="http"), wanted,
                          "%s %s" % (place, given))
        load.more(50)
    tap.equal(load.failed[:5], [], "failed of %d" % load.asked)
    tap.equal(tasks("bulkhead-proxy-blue"), proxies, "blue's proxies")


@tap.step
def and_goes_without_a_trace():
    real.remove_service("amber-app")
    remove_config("amber-1")
    procs.wait_for(lambda: "amber" not in clusters(), SOON,
                   "amber to be retired", 0.2)
    bulkhead.proxyctl("cluster", "rm", "amber")
    give_supervisor(None)
    procs.wait_for(lambda: real.api("DELETE", "/secrets/amber-token").status
                   == 204, SOON, "its token to be free", 0.5)


# ------------------------------------------------------------ Docker configs

def make_config(name, text, cluster=None):
    labels = {"bulkhead.cluster": cluster} if cluster else {}
    answer = real.api("POST", "/configs/create", {
        "Name": name, "Labels": labels,
        "Data": base64.b64encode(text.encode()).decode()})
    tap.equal(answer.status, 201, repr(answer))


def remove_config(name):
    tap.equal(real.api("DELETE", "/configs/" + name).status, 204, name)


def red(port=8090):
    return RED % dict(bulkhead.env, port=port)


def ports(service):
    return sorted(p["PublishedPort"] for p in real.get(
        "/services/" + service)["Spec"]["EndpointSpec"]["Ports"])


def problems():
    return json.loads(bulkhead.proxyctl("--json", "status", quiet=True))[
        "problems"]


def wait_red(port):
    procs.wait_for(lambda: ports("bulkhead-proxy-red") == [port], SOON,
                   "port %d of red" % port, 0.2)
    bulkhead.wait_applied("red")
    stack.PORTS["red"] = port
    bulkhead.wait_status("red", "red.example", 200)


@tap.step
def a_labelled_config_is_a_cluster_and_the_newest_counts():
    bulkhead.publish("red-app", "shop-net", hosts="red.example",
                     service_cluster="red")
    make_config("red-1", red(8090), "red")
    wait_red(8090)
    make_config("red-2", red(8091), "red")
    wait_red(8091)
    remove_config("red-2")
    wait_red(8090)


@tap.step
def a_config_that_a_file_clashes_with_is_reported_and_changes_nothing():
    version = real.get("/services/bulkhead-proxy-blue")["Version"]["Index"]
    make_config("other-blue", red(8099), "blue")

    def told():
        return [p for p in problems() if "other-blue" in p]
    text = procs.wait_for(told, SOON, "a word about the clash", 0.2)
    tap.contains(text[0], "blue")
    remove_config("other-blue")
    procs.wait_for(lambda: not told(), SOON, "its end", 0.2)
    tap.equal(real.get("/services/bulkhead-proxy-blue")["Version"]["Index"],
              version, "the proxy service's version")


def reasons(service):
    found = [s for s in json.loads(bulkhead.proxyctl(
        "--json", "services", quiet=True))["services"]
        if s["service"] == service]
    return [(s["state"], s["code"]) for s in found]


@tap.step
def a_config_with_authorities_is_mounted_and_read():
    """An agent alone can tell whether there are certificates in it."""
    pki = certificates.Pki(bulkhead.tmp.path)
    make_config("ca-good", pki.read(pki.join("ca.pem")).decode())
    make_config("ca-bad", "no certificate at all\n")
    for name, wanted in (("good", ("accepted", None)),
                         ("bad", ("rejected", "bad-certificate"))):
        bulkhead.publish("tls-" + name, "shop-net", hosts=name + ".example",
                         service_cluster="blue", ssl_backend="true",
                         ssl_backend_tls_verify="required",
                         ssl_backend_ca="ca-" + name)
        procs.wait_for(lambda n=name, w=wanted: reasons("tls-" + n) == [w],
                       90, "tls-%s to be %s" % (name, wanted[0]), 0.3)
    container = task("bulkhead-proxy-blue")["Spec"]["ContainerSpec"]
    tap.contains([c["ConfigName"] for c in container["Configs"]], "ca-good")
    for name in ("good", "bad"):
        real.remove_service("tls-" + name)


# -------------------------------------------------------------------- removal

def kinds():
    """Names of all that there is."""
    found = {kind: sorted(o["Spec"]["Name"] for o in real.get("/" + kind))
             for kind in ("services", "configs", "secrets")}
    found["networks"] = sorted(n["Name"] for n in real.get("/networks"))
    found["containers"] = sorted({
        c["Labels"].get("com.docker.swarm.service.name", c["Image"])
        for c in real.get("/containers/json", {"all": "true"})})
    return found


def wait_only(wanted):
    procs.wait_for(lambda: kinds() == wanted or tap.equal(
        kinds(), wanted), 120, "nothing besides", 0.5)


def add_red():
    done = subprocess.run(
        [stack.CLIENT, "exec", "-i", bulkhead.container(), "proxyctl",
         "cluster", "add", "red", "/dev/stdin"], env=bulkhead.env,
        input=red(), check=False, capture_output=True, text=True, timeout=60)
    tap.equal(done.returncode, 0, done.stderr)
    wait_red(8090)


@tap.step
def a_cluster_that_is_removed_leaves_nothing():
    procs.wait_for(lambda: not real.get("/services/bulkhead-proxy-blue")[
        "Spec"]["TaskTemplate"]["ContainerSpec"].get("Configs"), 90,
        "the configs to be let go", 0.3)
    bulkhead.wait_applied("blue")
    for name in ("ca-good", "ca-bad"):
        remove_config(name)
    remove_config("red-1")
    procs.wait_for(lambda: "red" not in clusters(), SOON,
                   "red to be retired", 0.2)
    bulkhead.wait_status("red", "red.example", 200)     # until it is removed
    bulkhead.proxyctl("cluster", "rm", "red")
    before = kinds()
    tap.ok("bulkhead-proxy-red" not in before["services"], before)
    procs.wait_for(lambda: "bulkhead-proxy-red" not in kinds()["containers"],
                   120, "its proxies to end", 0.5)
    everything = kinds()
    add_red()
    bulkhead.proxyctl("cluster", "rm", "red")
    wait_only(everything)


@tap.step
def a_stack_that_is_removed_leaves_nothing():
    """Nor does the config that "cluster add" made."""
    add_red()
    bulkhead.docker("stack", "rm", "bulkhead")
    for service in ("shop", "red-app"):
        real.remove_service(service)

    def only():
        found = kinds()
        found["networks"] = [n for n in found["networks"]
                             if n not in before["networks"]]
        return found
    nothing = dict({k: [] for k in before}, networks=["shop-net"])
    procs.wait_for(lambda: only() == nothing or tap.equal(only(), nothing),
                   120, "nothing besides", 0.5)


try:
    bulkhead.start()
except engine.CannotRun as reason:
    tap.skip_all(str(reason))
made = subprocess.run([procs.binary("proxyctl"), "pki", foreign],
                      capture_output=True, text=True, check=False)
tap.equal(made.returncode, 0, made.stderr)
# What every engine has.
before = kinds()
tap.main()
