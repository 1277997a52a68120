#!/usr/bin/env python3
"""
What fakeswarm does beyond the Engine's contract: tasks that answer, virtual
addresses, failures, nodes, faults, odd objects, load, and a clean end.
"""

import http.client
import json
import os
import socket
import time

import engine
import httpc
import procs
import tap

FAKE = engine.FakeSwarm(
    "--log-level", "info", "--nodes", "3", "--task-delay", "100ms",
    "--stop-lead", "1500ms", "--restart-delay", "200ms", "--monitor", "200ms",
    "--health-delay", "1500ms", "--seed", "7")
LB = "com.docker.lb."


def address(task, network=0):
    return task["NetworksAttachments"][network]["Addresses"][0].split("/")[0]


def vip(service):
    found = FAKE.get("/services/" + service)["Endpoint"]["VirtualIPs"]
    return found[-1]["Addr"].split("/")[0]


def refused(where):
    try:
        httpc.get(where, timeout=30)
    except ConnectionRefusedError:
        return True
    return False


@tap.test
def tasks_answer_who_they_are_on_each_network():
    FAKE.create_network("front")
    FAKE.create_network("back")
    service = FAKE.create_service(
        "web", networks=["front", "back"], replicas=3, env=["VERSION=7"],
        labels={LB + "port": "8081"}, UpdateConfig={"Parallelism": 1})
    for task in FAKE.wait_running("web", 3):
        for index, network in enumerate(("front", "back")):
            told = httpc.request(
                "POST", address(task, index) + ":8081", "/a%2Fb/../c?x=y",
                host="h.example", headers={"X-Odd": "1"}, body="abc").json
            tap.equal(told["service"], "web")
            tap.equal(told["service_id"], service)
            tap.equal(told["task"], task["ID"])
            tap.equal(told["slot"], task["Slot"])
            tap.equal(told["version"], "7")
            tap.equal(told["network"], network)
            tap.equal(told["address"], address(task, index))
            tap.equal(told["path"], "/a%2Fb/../c?x=y")
            tap.equal(told["method"], "POST")
            tap.equal(told["body_length"], 3)
            tap.equal(told["headers"]["host"], "h.example")
            tap.equal(told["headers"]["x-odd"], "1")


@tap.test
def tasks_do_what_the_path_says():
    task = FAKE.running("web")[0]
    where = address(task) + ":8081"
    tap.equal(httpc.get(where, "/app/status/418").status, 418)
    tap.equal(len(httpc.get(where, "/bytes/300000").body), 300000)
    tap.equal(httpc.get(where, "/x?/status/500").status, 200)
    start = time.monotonic()
    tap.equal(httpc.get(where, "/slow/300").status, 200)
    tap.ok(time.monotonic() - start >= 0.29, "answered too early")
    cookie = httpc.get(where, "/cookie/session").headers["set-cookie"]
    tap.equal(cookie, "session=%s; Path=/" % task["ID"])


@tap.test
def connections_are_kept_and_bodies_may_be_chunked():
    task = FAKE.running("web")[0]
    connection = http.client.HTTPConnection(address(task), 8081, timeout=10)
    for _ in range(3):
        connection.request("POST", "/", iter([b"abc", b"de"]),
                           encode_chunked=True,
                           headers={"Transfer-Encoding": "chunked"})
        told = json.loads(connection.getresponse().read())
        tap.equal(told["body_length"], 5)
        connection.request("HEAD", "/")
        answer = connection.getresponse()
        tap.equal(answer.read(), b"")
        tap.ok(int(answer.headers["content-length"]) > 0)
    connection.close()


@tap.test
def an_upgraded_connection_echoes():
    task = FAKE.running("web")[0]
    with socket.create_connection((address(task), 8081), 10) as sock:
        sock.sendall(b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"
                     b"Upgrade: websocket\r\n\r\n")
        file = sock.makefile("rb")
        tap.contains(file.readline().decode(), "101")
        while file.readline().strip():
            pass
        tap.equal(file.readline().decode().strip(), task["ID"])
        sock.sendall(b"ping\n")
        tap.equal(file.readline(), b"ping\n")


@tap.test
def a_virtual_address_balances_connections():
    where = vip("web") + ":8081"
    slots = [httpc.get(where).json["slot"] for _ in range(9)]
    tap.equal(sorted(slots), [1, 1, 1, 2, 2, 2, 3, 3, 3])
    big = httpc.get(where, "/bytes/5000000", timeout=30)
    tap.equal(len(big.body), 5000000)
    FAKE.scale("web", 0)
    procs.wait_for(lambda: refused(where), 30, "the VIP to refuse")
    FAKE.scale("web", 2)
    FAKE.wait_running("web", 2)
    tap.equal(httpc.get(where).status, 200)


@tap.test
def a_leaving_task_answers_until_its_stop_signal():
    task = FAKE.running("web")[0]
    where = address(task) + ":8081"
    behind = vip("web") + ":8081"
    FAKE.update_service("web", lambda spec: spec["TaskTemplate"][
        "ContainerSpec"].update({"Env": ["VERSION=8"]}))
    procs.wait_for(lambda: FAKE.get("/tasks/" + task["ID"])[
        "DesiredState"] == "shutdown", 30)
    began = time.monotonic()
    tap.equal(httpc.get(where).json["version"], "7")
    for _ in range(4):
        tap.ok(httpc.get(behind).json["task"] != task["ID"],
               "the VIP still gave it a connection")
    procs.wait_for(lambda: refused(where), 30)
    tap.ok(time.monotonic() - began > 0.3, "stopped at once")
    procs.wait_for(lambda: FAKE.get("/services/web")["UpdateStatus"][
        "State"] == "completed", 30)
    tap.equal({httpc.get(behind).json["version"] for _ in range(4)}, {"8"})


@tap.test
def a_failed_task_is_replaced_after_its_delay():
    task = FAKE.running("web")[0]
    where = address(task) + ":8081"
    FAKE.sim("POST", "/tasks/%s/fail" % task["ID"])
    tap.ok(refused(where))
    dead = FAKE.get("/tasks/" + task["ID"])
    tap.equal([dead["Status"]["State"], dead["DesiredState"],
               dead["Status"]["ContainerStatus"]["ExitCode"]],
              ["failed", "shutdown", 1])
    tasks = FAKE.wait_running("web", 2)
    tap.ok(task["ID"] not in [t["ID"] for t in tasks])


@tap.test
def at_most_five_tasks_of_a_slot_are_listed():
    FAKE.create_service("crash", networks=["front"], TaskTemplate={
        "RestartPolicy": {"Condition": "any", "Delay": 1000000}})
    for _ in range(8):
        task = FAKE.wait_running("crash", 1)[0]
        tap.ok(len(FAKE.tasks("crash")) <= 5)
        httpc_error = None
        try:
            httpc.get(address(task) + ":8080", "/die")
        except (OSError, http.client.HTTPException) as error:
            httpc_error = error
        tap.ok(httpc_error, "a dying task answered")
        procs.wait_for(lambda t=task: FAKE.api(
            "GET", "/tasks/" + t["ID"]).json.get(
                "DesiredState") == "shutdown", 30)
    FAKE.wait_running("crash", 1)
    procs.wait_for(lambda: len(FAKE.tasks("crash")) == 5, 30)
    FAKE.remove_service("crash")


@tap.test
def a_service_that_drains_answers_what_it_has_begun():
    FAKE.create_service("drain", networks=["front"],
                        env=["SIM_STOP=drain"])
    where = address(FAKE.wait_running("drain", 1)[0]) + ":8080"
    host, port = where.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request("GET", "/slow/4000")
    FAKE.scale("drain", 0)
    procs.wait_for(lambda: refused(where), 30)
    tap.equal(connection.getresponse().status, 200)
    procs.wait_for(lambda: not FAKE.tasks("drain"), 30)
    FAKE.remove_service("drain")


@tap.test
def a_service_that_ignores_its_signal_is_killed_after_its_grace():
    FAKE.create_service("deaf", networks=["front"], env=["SIM_STOP=ignore"],
                        ContainerSpec={"StopGracePeriod": 800000000})
    task = FAKE.wait_running("deaf", 1)[0]
    FAKE.update_service("deaf", lambda spec: spec["TaskTemplate"].update(
        {"ForceUpdate": 1}))
    begun = time.monotonic()
    procs.wait_for(lambda: FAKE.get("/tasks/" + task["ID"])["Status"][
        "State"] == "shutdown", 30)
    tap.ok(time.monotonic() - begun > 1.2, "went too early")
    tap.equal(FAKE.get("/tasks/" + task["ID"])["Status"][
        "ContainerStatus"]["ExitCode"], 137)
    FAKE.remove_service("deaf")


@tap.test
def a_health_check_holds_a_task_in_starting():
    begun = time.monotonic()
    FAKE.create_service("sick", networks=["front"], ContainerSpec={
        "Healthcheck": {"Test": ["CMD", "true"]}})
    procs.wait_for(lambda: FAKE.tasks("sick")[0]["Status"][
        "State"] == "starting", 30)
    FAKE.wait_running("sick", 1)
    tap.ok(time.monotonic() - begun > 1.5, "was healthy too early")
    FAKE.remove_service("sick")


@tap.test
def a_failing_update_pauses_or_rolls_back():
    for action, state in (("pause", "paused"),
                          ("rollback", "rollback_completed")):
        FAKE.create_service(
            "bad", networks=["front"], replicas=2,
            UpdateConfig={"FailureAction": action, "Monitor": 3000000000,
                          "Order": "start-first"},
            RollbackConfig={"Monitor": 100000000},
            TaskTemplate={"RestartPolicy": {"Delay": 60000000000}})
        FAKE.wait_running("bad", 2)
        old = {t["ID"] for t in FAKE.tasks("bad")}
        FAKE.update_service("bad", lambda spec: spec["TaskTemplate"][
            "ContainerSpec"].update({"Env": ["VERSION=bad"]}))
        fresh = procs.wait_for(lambda o=old: [
            t["ID"] for t in FAKE.running("bad") if t["ID"] not in o], 30)
        FAKE.sim("POST", "/tasks/%s/fail" % fresh[0])
        procs.wait_for(lambda s=state: FAKE.get("/services/bad").get(
            "UpdateStatus", {}).get("State") == s, 30)
        env = FAKE.get("/services/bad")["Spec"]["TaskTemplate"][
            "ContainerSpec"].get("Env")
        tap.equal(env, None if action == "rollback" else ["VERSION=bad"])
        FAKE.remove_service("bad")
        procs.wait_for(lambda: not [
            t for t in FAKE.tasks() if t["Status"]["State"] == "running"
            and t["DesiredState"] == "remove"], 30)


@tap.test
def tasks_leave_drained_and_lost_nodes():
    FAKE.create_service("spread", networks=["back"], replicas=3)
    FAKE.create_service("every", networks=["back"], replicas="global")
    tasks = FAKE.wait_running("spread", 3)
    FAKE.wait_running("every", 3)
    tap.equal(len({t["NodeID"] for t in tasks}), 3)
    node = FAKE.get("/nodes/node3")
    spec = dict(node["Spec"], Availability="drain")
    tap.equal(FAKE.api("POST", "/nodes/%s/update" % node["ID"], spec,
                       query={"version": node["Version"]["Index"]}).status,
              200)
    FAKE.wait_running("every", 2)
    procs.wait_for(lambda: len([
        t for t in FAKE.running("spread") if t["NodeID"] != node["ID"]]) == 3,
        30)
    FAKE.sim("POST", "/nodes/node2/down")
    tap.equal(FAKE.get("/nodes/node2")["Status"]["State"], "down")
    leader = FAKE.get("/nodes/node1")["ID"]
    procs.wait_for(lambda: len([
        t for t in FAKE.running("spread") if t["NodeID"] == leader]) == 3, 30)
    lost = [t for t in FAKE.tasks("spread")
            if t["Status"]["State"] == "running" and
            t["DesiredState"] == "shutdown"]
    tap.ok(lost, "a lost node still told how its tasks ended")
    FAKE.sim("POST", "/nodes/node2/up")
    spec["Availability"] = "active"
    version = FAKE.get("/nodes/node3")["Version"]["Index"]
    FAKE.api("POST", "/nodes/%s/update" % node["ID"], spec,
             query={"version": version})
    FAKE.wait_running("every", 3)
    for name in ("spread", "every"):
        FAKE.remove_service(name)


@tap.test
def published_ports_answer_on_node_addresses():
    node = FAKE.get("/nodes/node1")["Status"]["Addr"]
    FAKE.create_service("mesh", networks=["front"], EndpointSpec={"Ports": [
        {"TargetPort": 8080, "PublishedPort": 20901}]})
    FAKE.create_service("host", EndpointSpec={"Ports": [
        {"TargetPort": 8080, "PublishMode": "host"}]})
    FAKE.wait_running("mesh", 1)
    tap.equal(httpc.get(node + ":20901").json["service"], "mesh")
    task = FAKE.wait_running("host", 1)[0]
    port = task["Status"]["PortStatus"]["Ports"][0]["PublishedPort"]
    where = {n["ID"]: n["Status"]["Addr"] for n in FAKE.get("/nodes")}[
        task["NodeID"]]
    tap.equal(httpc.get("%s:%d" % (where, port)).json["service"], "host")
    for name in ("mesh", "host"):
        FAKE.remove_service(name)


@tap.test
def a_fixed_host_port_is_given_once_per_node():
    FAKE.create_service("fixed", replicas=4, EndpointSpec={"Ports": [
        {"TargetPort": 8080, "PublishedPort": 20902,
         "PublishMode": "host"}]})
    FAKE.wait_running("fixed", 3)
    procs.wait_for(lambda: [
        t["Status"]["Err"] for t in FAKE.tasks("fixed")
        if t["Status"]["State"] == "pending"] == [
            "no suitable node (host-mode port already in use on 3 nodes)"],
        30, "the fourth to wait")
    FAKE.scale("fixed", 3)
    procs.wait_for(lambda: len(FAKE.tasks("fixed")) == 3, 30)
    FAKE.remove_service("fixed")


@tap.test
def odd_objects_are_listed_as_they_were_given():
    odd = ('{"ID":"odd1","Spec":{"Name":"odd","Labels":{"a\\u0000b":"c"}},'
           '"Version":{"Index":18446744073709551615}}')
    FAKE.sim("POST", "/objects/services", odd)
    text = FAKE.api("GET", "/services").text
    tap.contains(text, odd)
    tap.equal(len(json.loads(text)), 2)
    FAKE.sim("DELETE", "/objects/services")
    tap.equal(len(FAKE.get("/services")), 1)


@tap.test
def faults_meet_the_requests_they_are_for():
    FAKE.sim("POST", "/faults", {"path": "/tasks", "status": 503, "count": 2})
    tap.equal([FAKE.api("GET", "/tasks").status for _ in range(3)],
              [503, 503, 200])
    FAKE.sim("POST", "/faults", {"path": "/services*", "mode": "empty",
                                 "count": 1})
    tap.equal(FAKE.get("/services"), [])
    tap.equal(len(FAKE.get("/services")), 1)
    FAKE.sim("POST", "/faults", {"path": "/tasks", "mode": "cut"})
    try:
        FAKE.api("GET", "/tasks")
        raise AssertionError("a cut answer was whole")
    except http.client.IncompleteRead:
        pass
    FAKE.sim("DELETE", "/faults")
    for mode, wanted in (("noise", ValueError), ("html", ValueError)):
        FAKE.sim("POST", "/faults", {"path": "/tasks", "mode": mode,
                                     "count": 1})
        try:
            FAKE.get("/tasks")
            raise AssertionError("%s was JSON" % mode)
        except wanted:
            pass
    FAKE.sim("POST", "/faults", {"path": "/tasks", "mode": "drop",
                                 "count": 1})
    try:
        FAKE.api("GET", "/tasks")
        raise AssertionError("a dropped request was answered")
    except (OSError, http.client.HTTPException):
        pass
    FAKE.sim("POST", "/faults", {"path": "/tasks", "mode": "hang",
                                 "count": 1})
    try:
        FAKE.api("GET", "/tasks", timeout=0.3)
        raise AssertionError("a hanging request was answered")
    except TimeoutError:
        pass
    FAKE.sim("POST", "/faults", {"path": "/tasks", "mode": "slow",
                                 "delay_ms": 300, "count": 1})
    begun = time.monotonic()
    tap.ok(FAKE.get("/tasks"))
    tap.ok(time.monotonic() - begun >= 0.29)
    tap.equal(FAKE.raw("POST", "/_sim/faults", {"mode": "odd"}).status, 400)


@tap.test
def events_can_be_lost_cut_and_made_up():
    stream = FAKE.events({"type": ["secret"]})

    def secret(name):
        FAKE.api("POST", "/secrets/create", {"Name": name, "Data": ""})

    def told(name):
        return lambda e: e.get("Actor", {}).get("Attributes", {}).get(
            "name") == name
    secret("s1")
    stream.wait(told("s1"))
    FAKE.sim("POST", "/events/pause")
    secret("s2")
    FAKE.sim("POST", "/events/resume")
    secret("s3")
    stream.wait(told("s3"))
    tap.equal(len(stream.list), 2)
    FAKE.sim("POST", "/events/emit", '{"odd":1}\n')
    stream.wait(lambda e: e.get("odd") == 1)
    FAKE.sim("POST", "/events/cut")
    procs.wait_for(lambda: stream.error, 30)
    stream.close()
    since = FAKE.api("GET", "/version")  # any call; the stream is gone
    tap.equal(since.status, 200)
    procs.wait_for(lambda: FAKE.raw("GET", "/_sim/state").json[
        "event_clients"] == 0, 30, "nobody to listen")


@tap.test
def requests_are_counted():
    FAKE.sim("DELETE", "/stats")
    tap.equal(FAKE.stats(), {})
    FAKE.get("/services")
    FAKE.get("/services")
    FAKE.get("/nodes")
    tap.equal(FAKE.stats(), {"GET /services": 2, "GET /nodes": 1})


@tap.test
def garbage_on_the_socket_harms_nobody():
    for junk in (b"\0\0\0\0\r\n\r\n", b"GET\r\n\r\n", b"GET / FTP\r\n\r\n",
                 b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                 b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                 b"GET / HTTP/1.1\r\n" + b"x" * 100000):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30)
            sock.connect(FAKE.socket)
            sock.sendall(junk)
            tap.contains(sock.recv(100).decode(), "400")
    tap.equal(FAKE.api("GET", "/version").status, 200)


@tap.test
def descriptors_do_not_leak():
    def settled():
        tap.equal([(t["Status"]["State"], t["DesiredState"])
                   for t in FAKE.tasks() if
                   t["DesiredState"] in ("ready", "running", "remove") and
                   (t["Status"]["State"], t["DesiredState"]) !=
                   ("running", "running")], [])
        return True
    FAKE.scale("web", 1)
    procs.wait_for(settled, 30)
    procs.wait_for(lambda: len(FAKE.running("web")) == 1, 30)
    before = FAKE.process.descriptors()
    for _ in range(3):
        FAKE.scale("web", 10)
        FAKE.wait_running("web", 10)
        where = vip("web") + ":8081"
        for _ in range(20):
            httpc.get(where)
        FAKE.scale("web", 1)
        procs.wait_for(settled, 30)
    # Closed connections are noticed in their own time.
    procs.wait_for(lambda: FAKE.process.descriptors() <= before, 30,
                   "descriptors to go back to %d" % before)


@tap.test
def the_same_seed_gives_the_same_swarm():
    seen = []
    for _ in range(2):
        with engine.FakeSwarm("--seed", "5", "--services", "3",
                              "--log-level", "warn") as other:
            seen.append([s["ID"] for s in other.get("/services")])
            tap.equal(len(other.tasks()), 3)
    tap.equal(seen[0], seen[1])


@tap.test
def a_script_sets_the_stage():
    folder = procs.TempDir()
    path = folder.join("stage.json")
    with open(path, "w") as file:
        json.dump({
            "networks": [{"Name": "n", "Driver": "overlay"}],
            "secrets": [{"Name": "s", "Data": ""}],
            "services": [FAKE.service_spec("web", networks=["n"],
                                           replicas=2)]}, file)
    with engine.FakeSwarm("--script", path, "--log-level", "warn") as other:
        other.wait_running("web", 2)
        tap.equal([s["Spec"]["Name"] for s in other.get("/secrets")], ["s"])
    with open(path, "w") as file:
        file.write('{"services":[{"Name":"x"}]}')
    process = procs.Process(
        [procs.binary("fakeswarm"), "--socket", folder.join("s"),
         "--script", path], folder.join("log"))
    tap.equal(process.wait(30), 1)
    tap.contains(process.output(), "services, element 0: mismatched Runtime")
    folder.remove()


@tap.test
def wrong_command_lines_are_refused():
    folder = procs.TempDir()
    for argv, words in (
            ([], "--socket is required"),
            (["--socket", "x", "--churn", "many"], "--churn"),
            (["--nonsense"], "--help"),
            (["--socket", "x", "--pool", "127.64.0.0"], "--pool")):
        log = folder.join("log%d" % len(argv))
        process = procs.Process([procs.binary("fakeswarm")] + argv, log)
        tap.equal(process.wait(30), 64)
        tap.contains(process.output(), words)
    process = procs.Process([procs.binary("fakeswarm"), "--help"],
                            folder.join("help"))
    tap.equal(process.wait(30), 0)
    tap.contains(process.output(), "examples:")
    process = procs.Process(
        [procs.binary("fakeswarm"), "--socket", folder.join("no/such/s")],
        folder.join("nosuch"))
    tap.equal(process.wait(30), 1)
    tap.contains(process.output(), "no such file")
    folder.remove()


@tap.test
def it_ends_cleanly_with_clients_connected():
    stream = FAKE.events()
    with socket.create_connection(
            (vip("web"), 8081), 10) as through, socket.create_connection(
                (address(FAKE.running("web")[0]), 8081), 10) as direct:
        direct.sendall(b"GET /slow/60000 HTTP/1.1\r\nHost: h\r\n\r\n")
        through.sendall(b"GET /slow/60000 HTTP/1.1\r\nHost: h\r\n\r\n")
        tap.equal(FAKE.process.stop(30), 0)
    stream.close()
    output = FAKE.process.output()
    tap.ok("Sanitizer" not in output and "runtime error" not in output,
           output[-3000:])
    tap.ok(not os.path.exists(FAKE.socket), "the socket is still there")
    FAKE.process = None


FAKE.start()
tap.cleanup(FAKE.stop)
tap.main()
