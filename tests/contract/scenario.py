"""
The calls of the contract suite, made in the same way to any engine; what is
kept of the answers is observe.py's.
"""

import base64
import json
import shutil
import subprocess

import procs
from engine import free_port
from observe import (Record, Watcher, desired_path, first, flat, seconds,
                     shape, when)


def meta(record):
    """/_ping, /version, versions that are not spoken, unknown pages."""
    engine = record.engine
    for method in ("GET", "HEAD"):
        answer = engine.raw(method, "/_ping")
        record.answers["ping " + method] = [
            answer.status, answer.headers.get("api-version"),
            answer.headers.get("ostype"), answer.text]
    version = record.call("version", "GET", "/version").json
    record.facts["api versions"] = [version["ApiVersion"],
                                    version["MinAPIVersion"]]
    record.shapes["version"] = {
        line for line in record.shapes["version"]
        if not line.startswith("Components")}
    for number in ("1.99", "1.2"):
        answer = engine.raw("GET", "/v%s/info" % number)
        record.answers["too far " + number] = [answer.status,
                                               record.plain(answer.text)]
    record.call("unknown page", "GET", "/nothing")
    info = engine.get("/info")
    record.shapes["info.Swarm"] = flat(shape(info["Swarm"]))


def errors(record):
    """Answers to requests that cannot be served."""
    call = record.call
    for kind in ("services", "tasks", "networks", "secrets", "configs",
                 "nodes"):
        call("no such " + kind, "GET", "/%s/none-such" % kind)
        call("bad filter " + kind, "GET", "/" + kind,
             query={"filters": {"bogus": ["x"]}} if kind != "networks"
             else None)
    for kind in ("services", "networks", "secrets", "configs"):
        call("remove no such " + kind, "DELETE", "/%s/none-such" % kind)
        call("create without body " + kind, "POST", "/%s/create" % kind)
    call("filters that are no JSON", "GET", "/services",
         query={"filters": "bad"})
    call("tasks of no service", "GET", "/tasks",
         query={"filters": {"service": ["none-such"]}})
    call("odd desired state", "GET", "/tasks",
         query={"filters": {"desired-state": ["bogus"]}})
    call("remove predefined network", "DELETE", "/networks/none")
    call("network without name", "POST", "/networks/create",
         {"Name": "", "Driver": "overlay"})
    image = record.engine.image
    call("service without template", "POST", "/services/create",
         {"Name": "x"})
    call("service without image", "POST", "/services/create",
         {"Name": "x", "TaskTemplate": {"ContainerSpec": {}}})
    call("service with a bad name", "POST", "/services/create",
         {"Name": "a b!", "TaskTemplate": {"ContainerSpec": {
             "Image": image}}})
    call("service on no such network", "POST", "/services/create",
         {"Name": "x", "TaskTemplate": {
             "ContainerSpec": {"Image": image},
             "Networks": [{"Target": "none-such"}]}})


def objects(record):
    """Networks, secrets and configs; double names."""
    call = record.call
    data = base64.b64encode(b"x").decode()
    call("network", "POST", "/networks/create",
         {"Name": "one", "Driver": "overlay", "CheckDuplicate": True,
          "Labels": {"a": "b"}})
    call("second network", "POST", "/networks/create",
         {"Name": "two", "Driver": "overlay", "CheckDuplicate": True})
    call("network again", "POST", "/networks/create",
         {"Name": "one", "Driver": "overlay", "CheckDuplicate": True})
    for kind in ("secrets", "configs"):
        call(kind, "POST", "/%s/create" % kind,
             {"Name": "thing", "Data": data, "Labels": {"a": "b"}})
        call(kind + " again", "POST", "/%s/create" % kind,
             {"Name": "thing", "Data": data})
        thing = call("inspect " + kind, "GET", "/%s/thing" % kind).json
        call("update %s out of sequence" % kind, "POST",
             "/%s/%s/update" % (kind, thing["ID"]), thing["Spec"],
             query={"version": 1})
        spec = dict(thing["Spec"], Labels={"c": "d"})
        call("update " + kind, "POST", "/%s/%s/update" % (kind, thing["ID"]),
             spec, query={"version": thing["Version"]["Index"]})
        later = record.engine.get("/%s/thing" % kind)
        record.facts[kind + " version grows"] = (
            later["Version"]["Index"] > thing["Version"]["Index"])
        record.facts[kind + " labels"] = later["Spec"]["Labels"]
    network = call("inspect network", "GET", "/networks/one").json
    record.facts["network by prefix"] = record.engine.get(
        "/networks/" + network["Id"][:8])["Name"]
    for name in ("networks", "secrets", "configs", "nodes", "swarm"):
        if name != "swarm":
            call("list " + name, "GET", "/" + name)
    record.shapes["list networks"] = flat(shape([
        n for n in record.engine.get("/networks") if n["Scope"] == "swarm"]))


def rendered(engine):
    """What our own renderer and nginx make of the engine's snapshot."""
    folder = procs.TempDir()
    try:
        with open(folder.join("snapshot.json"), "w") as file:
            json.dump(engine.snapshot(), file)
        with open(folder.join("blue.ini"), "w") as file:
            file.write("[cluster]\n")
        done = subprocess.run(
            [procs.binary("proxyctl"), "render", "--cluster",
             folder.join("blue.ini"), "--snapshot",
             folder.join("snapshot.json"), "--listen",
             "127.0.0.1:%d" % free_port(), "--out", folder.join("out")], capture_output=True, text=True,
            check=False)
        if done.returncode != 0:
            return done.stderr
        with open(folder.join("out", "report.json")) as file:
            report = json.load(file)
        out = [[s["service"], s["mode"], s["network"],
                [[r["host"], r["path"], len(r["upstreams"])]
                 for r in s["routes"]], s["remarks"]]
               for s in report["accepted"]]
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin")
        checked = subprocess.run(
            [nginx, "-t", "-p", folder.join("out"), "-c", "nginx.conf"],
            capture_output=True, text=True, check=False) if nginx else None
        return [out, report["rejected"],
                [n["name"] for n in report["needs"]["networks"]],
                checked.stderr if checked and checked.returncode else "good"]
    finally:
        folder.remove()


def services(record):
    """Create, inspect, list, update with and without the right version."""
    call, engine = record.call, record.engine
    secret = engine.get("/secrets/thing")["ID"]
    config = engine.get("/configs/thing")["ID"]
    mount = {"Name": "thing", "UID": "0", "GID": "0", "Mode": 0o444}
    spec = engine.service_spec(
        "web", networks=["one", "two"], replicas=2,
        labels={"com.docker.lb.port": "8080",
                "com.docker.lb.hosts": "web.example",
                "com.docker.lb.network": "two"}, env=["VERSION=1"],
        UpdateConfig={"Parallelism": 1, "Monitor": 1000000000},
        ContainerSpec={
            "Secrets": [{"File": mount, "SecretID": secret,
                         "SecretName": "thing"}],
            "Configs": [{"File": mount, "ConfigID": config,
                         "ConfigName": "thing"}]})
    service = call("create service", "POST", "/services/create",
                   spec).json["ID"]
    call("create service again", "POST", "/services/create", spec)
    engine.wait_running("web", 2)
    got = call("inspect service", "GET", "/services/web").json
    call("service status", "GET", "/services", query={"status": "true"})
    call("tasks", "GET", "/tasks")
    call("inspect task", "GET", "/tasks/" + engine.tasks("web")[0]["ID"])
    record.facts["spec as stored"] = json.dumps(
        got["Spec"], sort_keys=True).replace(secret, "S").replace(
            config, "C").replace(engine.image, "I").replace(
                engine.get("/networks/one")["Id"], "N1").replace(
                    engine.get("/networks/two")["Id"], "N2")
    record.facts["spec member order"] = list(got["Spec"])
    record.facts["found by"] = [
        len(engine.get("/services", {"filters": {"name": ["we"]}})),
        len(engine.get("/services", {"filters": {"name": ["eb"]}})),
        len(engine.get("/services", {"filters": {"id": [service[:6]]}})),
        len(engine.get("/services", {"filters": {
            "label": ["com.docker.lb.port=8080"]}})),
        len(engine.get("/services", {"filters": {"label": ["nope"]}})),
        len(engine.get("/services", {"filters": {"mode": ["global"]}})),
        len(engine.get("/tasks", {"filters": {"service": ["web"]}})),
        len(engine.get("/tasks", {"filters": {
            "desired-state": ["shutdown"]}})),
        len(engine.get("/networks", {"filters": {"driver": ["overlay"]}})),
        len(engine.get("/networks", {"filters": {"name": ["on"]}})),
        len(engine.get("/secrets", {"filters": {"name": ["thi"]}})),
    ]
    record.facts["rendered"] = rendered(engine)
    call("remove network in use", "DELETE", "/networks/one")
    call("remove secret in use", "DELETE", "/secrets/thing")
    call("remove config in use", "DELETE", "/configs/thing")
    path = "/services/%s/update" % service
    version = got["Version"]["Index"]
    call("update without version", "POST", path, got["Spec"])
    call("update with a word", "POST", path, got["Spec"],
         query={"version": "abc"})
    call("update out of sequence", "POST", path, got["Spec"],
         query={"version": version + 1})
    call("update no such service", "POST", "/services/none-such/update",
         got["Spec"], query={"version": version})
    call("rename", "POST", path, dict(got["Spec"], Name="other"),
         query={"version": version})
    call("change mode", "POST", path, dict(got["Spec"], Mode={"Global": {}}),
         query={"version": version})
    record.facts["refused updates change no version"] = (
        engine.get("/services/web")["Version"]["Index"] == version)
    labels = dict(got["Spec"], Labels={"com.docker.lb.port": "8080",
                                       "x": "y"})
    call("update labels", "POST", path, labels, query={"version": version})
    call("same version again", "POST", path, labels,
         query={"version": version})
    later = engine.get("/services/web")
    record.facts["version grows"] = later["Version"]["Index"] > version
    record.facts["previous spec kept"] = "PreviousSpec" in later
    record.facts["labels replace no task"] = len(engine.tasks("web"))
    record.shapes["updated service"] = flat(shape(later))


def writes(record):
    """What a spec asks for that is not there, or not free."""
    call, engine = record.call, record.engine

    def port(number, mode, target=8080):
        return {"EndpointSpec": {"Ports": [{
            "Protocol": "tcp", "TargetPort": target, "PublishedPort": number,
            "PublishMode": mode}]}}

    def create(name, label, **more):
        return call(label, "POST", "/services/create", engine.service_spec(
            name, replicas=0, **more))

    def blobs(kind, *names, target=None):
        return {"ContainerSpec": {kind + "s": [{
            "File": {"Name": target or name, "UID": "0", "GID": "0",
                     "Mode": 0o444},
            kind + "ID": (name[0] * 25), kind + "Name": name}
            for name in names]}}
    create("w", "create with a secret that is gone",
           **blobs("Secret", "quick"))
    create("w", "create with secrets that are gone",
           **blobs("Secret", "quick", "path"))
    create("w", "create with a config that is gone",
           **blobs("Config", "quick"))
    first = create("one-port", "publish", **port(18080, "ingress")).json["ID"]
    create("host-port", "publish on each node", **port(18081, "host"))
    create("w", "publish what is taken", **port(18080, "ingress"))
    create("w", "publish on nodes what is taken", **port(18080, "host"))
    create("w", "publish what nodes have", **port(18081, "ingress"))
    second = create("second", "share a port of the nodes",
                    **port(18081, "host")).json["ID"]
    twice = port(18090, "ingress")
    twice["EndpointSpec"]["Ports"] *= 2
    create("w", "publish twice", **twice)

    def allocated():
        """Ports are given out in a change of their own, a little later."""
        found = engine.get("/services/second")
        return found if found["Endpoint"].get("Ports") else None
    service = procs.wait_for(allocated, 60, "the ports of the second")
    path = "/services/%s/update" % second
    version = {"version": service["Version"]["Index"]}
    for label, more in (
            ("update to what is taken", port(18080, "ingress")),
            ("update to a secret that is gone", blobs("Secret", "quick")),
            ("update to a config that is gone", blobs("Config", "quick")),
            ("update to a bad name of an image", {"ContainerSpec": {
                "Image": ""}}),
            ("update to a network that is gone", {"networks": ["none-such"]})):
        call(label, "POST", path, engine.service_spec(
            "second", replicas=0, **more), query=version)
        call(label + ", out of sequence", "POST", path, engine.service_spec(
            "second", replicas=0, **more), query={"version": 1})
    record.facts["refused writes change nothing"] = (
        engine.get("/services/second")["Version"] == service["Version"])
    call("keep its own port", "POST", "/services/%s/update" % first,
         engine.service_spec("one-port", replicas=0, labels={"a": "b"},
                             **port(18080, "ingress")),
         query={"version": engine.get("/services/one-port")["Version"][
             "Index"]})
    for name in ("one-port", "host-port", "second"):
        call("delete " + name, "DELETE", "/services/" + name)
        call("delete again " + name, "DELETE", "/services/" + name)


def numbered(watcher, known):
    """The tasks of the log that are not in 'known', oldest first."""
    out = []
    for _, task, _, _ in watcher.log:
        if task not in known and task not in out:
            out.append(task)
    return out


def rolling(record, order, version):
    """A rolling update of web's two tasks; the order of its steps."""
    engine = record.engine
    old = {t["Slot"]: t["ID"] for t in engine.running("web")}
    known = {t["ID"] for t in engine.tasks()}
    watcher = Watcher(engine)
    watcher.start()
    procs.wait_for(lambda: watcher.log, 60)

    def change(spec):
        spec["UpdateConfig"]["Order"] = order
        spec["TaskTemplate"]["ContainerSpec"]["Env"] = [
            "VERSION=%d" % version]
    engine.update_service("web", change)
    procs.wait_for(lambda: engine.get("/services/web").get(
        "UpdateStatus", {}).get("State") == "completed", 120, step=0.1)
    procs.wait_for(lambda: not [
        t for t in engine.tasks("web") if t["DesiredState"] == "shutdown"
        and t["Status"]["State"] == "running"], 60, step=0.1)
    watcher.finish()
    fresh = numbered(watcher, known)
    steps = []
    for task in fresh:
        slot = engine.get("/tasks/" + task)["Slot"]
        before = old[slot]
        leaves = first(watcher, before, lambda s: s[1] == "shutdown")
        ended = first(watcher, before, lambda s: s[0] == "shutdown")
        begins = first(watcher, task, lambda s: True)
        wanted = first(watcher, task, lambda s: s[1] == "running")
        runs = first(watcher, task, lambda s: s[0] == "running")
        lead = seconds(watcher, leaves, ended)
        steps.append({
            "desired of the old": desired_path(watcher, before),
            # Start-first tasks are made "ready" too, for a moment.
            "desired of the new": desired_path(watcher, task)[
                -1 if order == "start-first" else 0:],
            "new runs before old leaves": when(watcher, runs) <= when(
                watcher, leaves),
            "old ends before new is wanted": (
                when(watcher, ended) <= when(watcher, wanted) if order == "stop-first" else None),
            "begins with the other's leaving":
                abs(seconds(watcher, begins, leaves)) < 3.0
                if order == "stop-first" else None,
            "stop signal comes later": lead > 2.0,
        })
    if len(fresh) == 2:
        one = first(watcher, fresh[0], lambda s: s[0] == "running")
        two = first(watcher, fresh[1], lambda s: True)
        record.facts["%s: one after the other" % order] = (
            when(watcher, one) <= when(watcher, two))
    record.steps[order] = steps
    record.shapes["service after " + order] = flat(
        shape(engine.get("/services/web")))
    record.shapes["tasks after " + order] = flat(shape([
        engine.get("/tasks/" + t) for t in fresh]))


def scaling(record):
    """Down, up again, away."""
    engine = record.engine
    watcher = Watcher(engine)
    watcher.start()
    procs.wait_for(lambda: watcher.log, 60)
    engine.scale("web", 1)
    engine.wait_running("web", 1)

    def gone():
        """Paths of tasks that the watcher saw go; what is kept of a slot's
        history is another matter."""
        return [path for path in (
            desired_path(watcher, task)
            for _, task, _, state in list(watcher.log) if state == "gone")
            if path[0] == "running"]
    record.steps["scale down"] = procs.wait_for(
        gone, 60, "the watcher to see a task go", step=0.05)
    engine.scale("web", 2)
    engine.wait_running("web", 2)
    record.facts["slots after scaling up"] = sorted(
        t["Slot"] for t in engine.running("web"))
    record.call("remove service", "DELETE", "/services/web")
    record.call("remove service again", "DELETE", "/services/web")
    record.call("update removed service", "POST", "/services/web/update",
                engine.service_spec("web"), query={"version": 1})
    procs.wait_for(lambda: not engine.tasks(), 60, step=0.05)
    watcher.finish()
    record.facts["all desired remove at the end"] = all(
        "remove" in path for path in (
            desired_path(watcher, t) for t in set(
                who for _, who, _, state in watcher.log
                if state != "gone" and state == ("running", "remove"))))


def kinds(record):
    """Endpoint modes, host ports, global, crashing, nowhere to run."""
    engine = record.engine
    engine.create_service("rr", networks=["one"],
                          EndpointSpec={"Mode": "dnsrr"})
    engine.create_service("plain", replicas=0)
    engine.create_service("host", EndpointSpec={"Ports": [
        {"Protocol": "tcp", "TargetPort": 8080, "PublishMode": "host"}]})
    engine.create_service("all", networks=["one"], replicas="global")
    engine.create_service(
        "moon", networks=["one"], TaskTemplate={"Placement": {
            "Constraints": ["node.labels.zone==moon"]}})
    engine.create_service(
        "crash", networks=["one"], env=["DIE_AFTER_MS=200"],
        TaskTemplate={"RestartPolicy": {
            "Condition": "any", "Delay": 100000000, "MaxAttempts": 1}})
    for name in ("rr", "host", "all"):
        engine.wait_running(name, 1)
        record.shapes["service " + name] = flat(
            shape(engine.get("/services/" + name)))
        record.shapes["task of " + name] = flat(
            shape(engine.running(name)[0]))
    record.shapes["service plain"] = flat(
        shape(engine.get("/services/plain")))
    record.facts["plain has one version"] = (
        lambda s: s["CreatedAt"] == s["UpdatedAt"])(
            engine.get("/services/plain"))
    task = procs.wait_for(lambda: [
        t for t in engine.tasks("moon") if t["Status"].get("Err")], 60)[0]
    record.facts["nowhere to run"] = [
        task["Status"]["State"], task["DesiredState"],
        task["Status"]["Err"], task["Status"]["Message"],
        "NodeID" in task]
    failed = procs.wait_for(lambda: (lambda l: l if len(l) == 2 else None)([
        t for t in engine.tasks("crash")
        if t["Status"]["State"] == "failed" and
        t["DesiredState"] == "shutdown"]), 60)
    record.facts["failed task"] = [failed[0]["Status"]["Err"],
                                   failed[0]["Status"]["Message"],
                                   failed[0]["Slot"], len(failed)]
    record.shapes["failed task"] = flat(shape(failed[0]))

    def rr(spec):
        spec["EndpointSpec"] = {"Mode": "dnsrr"}

    def vip(spec):
        spec["EndpointSpec"] = {"Mode": "vip"}
    for name, change in (("all", rr), ("rr", vip)):
        engine.update_service(name, change)
        procs.wait_for(lambda n=name, c=change: bool(
            engine.get("/services/" + n)["Endpoint"].get("VirtualIPs"))
            == (c is vip), 60)
        record.facts["endpoint of " + name] = flat(shape(
            engine.get("/services/" + name)["Endpoint"]))
    for name in ("rr", "plain", "host", "all", "moon", "crash"):
        engine.remove_service(name)
    procs.wait_for(lambda: not engine.tasks(), 60, step=0.05)
    for kind in ("secrets", "configs"):
        record.call("remove " + kind, "DELETE", "/%s/thing" % kind)
    for name in ("one", "two"):
        procs.wait_for(lambda n=name: engine.api(
            "DELETE", "/networks/" + n).status == 204, 60)


ACTIONS = {"pause": "paused", "continue": "updating",
           "rollback": "rollback_completed"}


def env_of(spec):
    return spec.get("TaskTemplate", {}).get("ContainerSpec", {}).get("Env")


def failing(record):
    """Updates whose tasks fail, with each failure action; rollback by hand."""
    engine = record.engine

    def status(name):
        return engine.get("/services/" + name).get("UpdateStatus", {})

    def wait_state(name, state):
        procs.wait_for(lambda: status(name).get("State") == state, 60,
                       "%s to be %s" % (name, state), step=0.05)

    def set_env(name, text):
        engine.update_service(name, lambda spec: spec["TaskTemplate"][
            "ContainerSpec"].update({"Env": [text]}))
    for action in ACTIONS:
        engine.create_service(
            action, networks=["one"], env=["VERSION=1"],
            UpdateConfig={"FailureAction": action, "Order": "start-first",
                          "Parallelism": 1, "Monitor": 2000000000},
            RollbackConfig={"Parallelism": 1, "Monitor": 100000000},
            TaskTemplate={"RestartPolicy": {"Condition": "any",
                                            "Delay": 600000000000}})
    engine.create_service("back", networks=["one"], env=["VERSION=1"],
                          UpdateConfig={"Monitor": 100000000},
                          RollbackConfig={"Monitor": 100000000})
    for name in list(ACTIONS) + ["back"]:
        engine.wait_running(name, 1)
    service = engine.get("/services/back")
    record.call("nothing to roll back to", "POST",
                "/services/%s/update" % service["ID"], service["Spec"],
                query={"version": service["Version"]["Index"],
                       "rollback": "previous"})
    for name in ACTIONS:
        set_env(name, "DIE_AFTER_MS=200")
    set_env("back", "VERSION=2")
    for name, state in ACTIONS.items():
        procs.wait_for(lambda n=name: [
            t for t in engine.tasks(n)
            if t["Status"]["State"] == "failed"], 60, step=0.02)
        wait_state(name, state)
        service = engine.get("/services/" + name)
        record.facts["failed update, " + name] = [
            service["UpdateStatus"]["State"],
            record.plain(service["UpdateStatus"]["Message"]),
            sorted(service["UpdateStatus"]), env_of(service["Spec"]),
            env_of(service.get("PreviousSpec", {}))]
        record.shapes["service after failed update, " + name] = flat(
            shape(service))
    wait_state("back", "completed")
    engine.update_service("back", lambda spec: None,
                          query={"rollback": "previous"})
    wait_state("back", "rollback_completed")
    service = engine.get("/services/back")
    record.facts["rolled back by hand"] = [
        env_of(service["Spec"]), env_of(service.get("PreviousSpec", {})),
        record.plain(service["UpdateStatus"]["Message"])]
    for name in list(ACTIONS) + ["back"]:
        engine.remove_service(name)
    procs.wait_for(lambda: not engine.tasks(), 60, step=0.05)


def run(engine):
    """The whole scenario; a Record."""
    record = Record(engine)
    stream = engine.events({"scope": ["swarm"]})
    record.facts["events head"] = [
        stream.status.split()[1], stream.headers.get("content-type"),
        stream.headers.get("transfer-encoding")]
    only = engine.events({"type": {"network": True}, "event": {
        "remove": True}})
    meta(record)
    errors(record)
    objects(record)
    services(record)
    writes(record)
    rolling(record, "stop-first", 2)
    rolling(record, "start-first", 3)
    scaling(record)
    failing(record)
    kinds(record)
    stream.wait(lambda e: e["Type"] == "network" and e["Action"] == "remove"
                and e["Actor"]["Attributes"]["name"] == "two")
    record.events = stream.list
    only.wait(lambda e: e["Actor"]["Attributes"]["name"] == "two")
    record.facts["filtered events"] = [
        (e["Type"], e["Action"], e["Actor"]["Attributes"]["name"])
        for e in only.list]
    record.shapes["event"] = flat(shape(
        {k: v for k, v in stream.list[0].items() if k != "_seen"}))
    record.facts["event times grow"] = all(
        a["timeNano"] <= b["timeNano"]
        for a, b in zip(stream.list, stream.list[1:]))
    stream.close()
    only.close()
    return record
