#!/usr/bin/env python3
"""VIP mode's promise, counted: a VIP route depends on its service's spec alone,
so updates, failures and scaling are 0 changes of the configuration.  The same
list in task mode stands beside it.  A change is a new
bulkhead_config_generation; absence is shown by a marker that follows."""

import bulkhead
import engine
import httpc
import procs
import tap
from bulkhead import lb

SOON = bulkhead.SOON
REPLICAS = 3
MODES = ("vip", "task")         # of the clusters of these names

fake = engine.FakeSwarm(
    "--task-delay", "100ms", "--stop-lead", "300ms", "--monitor", "0ms",
    "--restart-delay", "200ms", "--nodes", "3", push=True)
system = bulkhead.System(fake.socket, watch=fake.control)
table = []


def host(mode):
    return mode + ".example"


def config(mode):
    return system.ask("/v1/clusters/%s/config" % mode)


def counted(mode):
    """bulkhead_config_generation, once it is the one in force."""
    now = config(mode)["generation"]
    line = 'bulkhead_config_generation{cluster="%s"} %d\n' % (mode, now)
    procs.wait_for(
        lambda: line in httpc.get(system.socket, "/metrics").text, SOON,
        "the metric " + line, 0.02)
    return now


def files(mode):
    """What was rendered, but for the markers."""
    return {f["path"]: f["text"] for f in config(mode)["files"]
            if "marker" not in f["text"]}


def mark(mode):
    """A change that arrives after all before it, and is exactly one."""
    mark.count += 1
    name = "marker%d.example" % mark.count
    fake.set_label("marker-" + mode, "com.docker.lb.hosts", name)
    procs.wait_for(lambda: any(name in f["text"]
                               for f in config(mode)["files"]), SOON,
                   "the marker in " + mode, 0.02)


mark.count = 0


def known(mode):
    """The routes have the addresses of just the tasks that shall run."""
    running = {a["Addresses"][0].split("/")[0]
               for t in fake.running(mode + "-web")
               for a in t["NetworksAttachments"]}
    found = [r for r in system.routes(mode) if r["host"] == host(mode)]
    upstreams = {u["address"].rsplit(":", 1)[0]
                 for r in found for u in r["upstreams"]}
    text = "".join(f["text"] for f in config(mode)["files"])
    return upstreams <= running and len(upstreams) == len(
        fake.running(mode + "-web")) and all(
            address + ":" in text for address in upstreams)


def updated(mode):
    """The rolling update is over and all replicas run."""
    service = fake.get("/services/%s-web" % mode)
    return (service["UpdateStatus"]["State"] == "completed"
            and len(fake.running(mode + "-web")) == REPLICAS)


def count(mode, act, done):
    """How often the configuration changed because of that."""
    before = counted(mode)
    act(mode)
    procs.wait_for(lambda: done(mode), SOON, act.__name__, 0.02)
    if mode == "task" and done is not gone:
        procs.wait_for(lambda: known(mode), SOON, "the routes to tasks", 0.02)
    mark(mode)
    return counted(mode) - before - 1


def row(what, act, done, vip=0):
    """Counts in both modes; VIP mode's must be so many."""
    before = files("vip")
    if vip:
        # Together with the marker it would count as one: seen first.
        seen = counted("vip")

        def done_vip(mode):
            return done(mode) and config(mode)["generation"] > seen
    else:
        done_vip = done
    got = {"vip": count("vip", act, done_vip),
           "task": count("task", act, done)}
    table.append((what, got["vip"], got["task"]))
    tap.equal(got["vip"], vip, what)
    if not vip:
        # Nothing that two changes took away and gave back either.
        tap.ok(files("vip") == before, what + ": other files")


def spec(change):
    """An act that edits the container's spec."""
    def act(mode):
        def edit(whole):
            change(whole["TaskTemplate"]["ContainerSpec"])
        fake.update_service(mode + "-web", edit)
    return act


def running(number):
    return lambda mode: len(fake.running(mode + "-web")) == number


def scale(number):
    return lambda mode: fake.scale(mode + "-web", number)


def gone(mode):
    return not [s for s in fake.get("/services")
                if s["Spec"]["Name"] == mode + "-web"]


def create(mode):
    fake.create_service(
        mode + "-web", networks=["front"], replicas=REPLICAS,
        labels=lb(host(mode), backend_mode=mode, service_cluster=mode,
                  network="front"))


@tap.test
def service_created_is_one_change():
    row("service created", create, running(REPLICAS), 1)


@tap.test
def scaling_up_and_down_is_none():
    row("scale 3 to 6", scale(6), running(6))
    row("scale 6 to 3", scale(REPLICAS), running(REPLICAS))


@tap.test
def rolling_updates_are_none():
    secret = fake.api("POST", "/secrets/create",
                      {"Name": "s", "Data": "eA=="}).json["ID"]
    setting = fake.api("POST", "/configs/create",
                       {"Name": "c", "Data": "eA=="}).json["ID"]
    target = {"Name": "f", "UID": "0", "GID": "0", "Mode": 292}
    for what, change in (
            ("new image", {"Image": "sim:2"}),
            ("environment changed", {"Env": ["VERSION=2"]}),
            ("config changed", {"Configs": [
                {"ConfigID": setting, "ConfigName": "c", "File": target}]}),
            ("secret changed", {"Secrets": [
                {"SecretID": secret, "SecretName": "s", "File": target}]})):
        row(what, spec(lambda c, more=change: c.update(more)), updated)


@tap.test
def plain_labels_are_none():
    row("plain label changed", lambda mode: fake.set_label(
        mode + "-web", "org.example.team", "x"), running(REPLICAS))


def another(mode, old):
    """All run again, and the task 'old' does not."""
    now = fake.running(mode + "-web")
    return len(now) == REPLICAS and old not in [t["ID"] for t in now]


@tap.test
def failed_and_rescheduled_tasks_are_none():
    lost = {}

    def fail(mode):
        lost[mode] = fake.running(mode + "-web")[0]["ID"]
        fake.sim("POST", "/tasks/%s/fail" % lost[mode])
    row("task failed", fail, lambda mode: another(mode, lost[mode]))

    def lose_node(mode):
        task = fake.running(mode + "-web")[0]
        lost[mode] = task["ID"]
        fake.sim("POST", "/nodes/%s/down" % task["NodeID"])
        procs.wait_for(lambda: another(mode, lost[mode]), SOON,
                       "the tasks to run elsewhere", 0.02)
        fake.sim("POST", "/nodes/%s/up" % task["NodeID"])
    row("node lost, task rescheduled", lose_node,
        lambda mode: another(mode, lost[mode]))


@tap.test
def to_nothing_and_back_is_one_each():
    row("scale to 0", scale(0), running(0), 1)
    row("back to 3", scale(REPLICAS), running(REPLICAS), 1)


def attach(networks, chosen):
    def act(mode):
        def edit(whole):
            whole["TaskTemplate"]["Networks"] = [
                {"Target": n} for n in networks]
            whole["Labels"]["com.docker.lb.network"] = chosen
        fake.update_service(mode + "-web", edit)
    return act


@tap.test
def networks_are_one_each_where_traffic_takes_them():
    row("network added, another one is routed",
        attach(["front", "back"], "front"), updated)
    row("that network removed", attach(["front"], "front"), updated)
    row("network added and routed", attach(["front", "back"], "back"),
        updated, 1)
    row("that network removed again", attach(["front"], "front"), updated, 1)


@tap.test
def service_deleted_is_one_change():
    row("service deleted", lambda mode: fake.remove_service(mode + "-web"),
        gone, 1)


def tell():
    tap.note("%-40s %5s %5s" % ("changes of the configuration", *MODES))
    for line in table:
        tap.note("%-40s %5d %5d" % line)


tap.cleanup(tell)
fake.start()
tap.cleanup(fake.stop)
for network in ("front", "back"):
    fake.create_network(network)
for cluster in MODES:
    system.cluster(cluster, driver="none")
tap.cleanup(system.stop)
for cluster in MODES:
    fake.create_service("marker-" + cluster, networks=["front"], labels=lb(
        "marker.example", service_cluster=cluster, backend_mode="vip"))
system.start()
for cluster in MODES:
    mark(cluster)
tap.main()
