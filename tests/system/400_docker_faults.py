#!/usr/bin/env python3
"""Whatever happens to the Docker socket or is said there: no route is lost, no
request fails, and what changed meanwhile is served soon after."""

import json
import os
import statistics
import time

import bulkhead
import engine
import forward
import procs
import tap
import witness
from bulkhead import lb

SOON = bulkhead.SOON
APPS = 8
# Six times "fresh within 1 s after it returns".
FRESH = 6.0
# Six times the 50 ms that the reader's loop may take, and the admin's own.
ANSWERED = 0.6

folder = procs.TempDir("bh-faults-")
tap.cleanup(folder.remove)
script = folder.join("script.json")


def service(name, host, cluster="blue", replicas=1):
    return {"Name": name, "Labels": lb(host, service_cluster=cluster),
            "TaskTemplate": {"ContainerSpec": {"Image": "sim:1"},
                             "Networks": [{"Target": "front"}]},
            "Mode": {"Replicated": {"Replicas": replicas}}}


with open(script, "w", encoding="utf-8") as out:
    json.dump({"networks": [{"Name": "front", "Driver": "overlay"}],
               "services": [service("web", "web.example", replicas=2),
                            service("green-web", "green.example", "green")]
               + [service("app%d" % i, "app%d.example" % i)
                  for i in range(APPS)]}, out)

fake = engine.FakeSwarm("--task-delay", "50ms", "--script", script,
                        "--seed", "7")
fake.start()
tap.cleanup(fake.stop)
fake.options += ["--pool", fake.sim("GET", "/state").json["pool"]]
docker = forward.Forward(fake.socket, folder.join("docker.sock")).start()
tap.cleanup(docker.stop)
system = bulkhead.System(
    docker.where, daemon="resync_interval = 1s\npoll_interval = 1s\n")
system.cluster("blue", text="[cluster]\ndefault = true\n")
system.cluster("green")
ALL = [("blue", "web.example", "web"), ("blue", "app7.example", "app7"),
       ("green", "green.example", "green-web")]


def load():
    return witness.Load(system, ALL)


def reader():
    return system.status()["reader"]


def error():
    """Docker's error as the reader tells it, or none."""
    state = reader()["status"]["docker"]
    return None if state["connected"] else state["error"]


def wait_error():
    """The reader has met the fault."""
    return procs.wait_for(error, 2 * SOON, "an error of Docker's", 0.02)


def generation(name):
    """What is in force now: the extension is asked."""
    return system.ask("/v1/clusters/%s/config" % name)["generation"]


def change():
    """A change of web, made at the engine itself; the host that is new."""
    change.count += 1
    host = "new%d.example" % change.count
    fake.set_label("web", "com.docker.lb.hosts", "web.example," + host)
    return host


change.count = 0


def quick_answers():
    """The admin API answers at once, but for what else the machine does."""
    took = []
    for _ in range(5):
        begun = time.monotonic()
        system.status()
        took.append(time.monotonic() - begun)
    tap.ok(statistics.median(took) < ANSWERED, "status after %r s" % took)


def settle():
    system.wait_applied("blue")
    system.wait_applied("green")
    procs.wait_for(lambda: not error(), SOON, "no error of Docker's", 0.02)
    return {n: generation(n) for n in ("blue", "green")}


def whole(test):
    """Nothing stays spoilt after it."""
    def run(*arguments, **more):
        try:
            test(*arguments, **more)
        finally:
            passing()
            docker.listen()
            fake.sim("DELETE", "/faults")
    return run


@whole
def without_docker(spoil, heal, met=wait_error):
    """Nothing gets through while spoilt; what changed does once healed."""
    before = settle()
    with load() as clients:
        spoil()
        host = change()
        met()
        quick_answers()
        tap.equal({n: generation(n) for n in before}, before)
        heal()
        begun = time.monotonic()
        system.wait_served("blue", host, deadline=FRESH)
        tap.note("fresh after %.0f ms" % ((time.monotonic() - begun) * 1e3))
        clients.check()
    before["blue"] += 1
    tap.equal(settle(), before)


@whole
def with_docker(spoil, heal, times=1):
    """The change gets through though spoilt, and once only."""
    before = settle()
    with load() as clients:
        spoil()
        for _ in range(times):
            system.wait_served("blue", change())
            before["blue"] += 1
        heal()
        clients.check()
    tap.equal(settle(), before)


def passing():
    docker.set("pass")


def fault(**how):
    fake.sim("POST", "/faults", how)


def heal_fake():
    fake.sim("DELETE", "/faults")


@tap.test
def socket_absent():
    without_docker(docker.absent, docker.listen)


@tap.test
def connections_refused():
    without_docker(docker.refuse, docker.listen)


@tap.test
def accepting_and_never_answering():
    def spoil():
        docker.drop()
        docker.set("silent")

    def given_up():
        wait_error()
        before = docker.accepted
        procs.wait_for(lambda: docker.accepted > before + 1, SOON,
                       "deadlines to pass and connections to follow")
    without_docker(spoil, passing, given_up)


@tap.test
def silent_on_connections_that_were_open():
    without_docker(lambda: docker.set("silent"), passing)


@tap.test
def one_byte_per_second():
    def spoil():
        docker.drop()
        docker.set("trickle")
    without_docker(spoil, passing, lambda: docker.wait_met(8))


@tap.test
def answers_truncated():
    def spoil():
        docker.set("cut", only="/services HTTP", at=900)
        docker.drop()
    without_docker(spoil, passing)


@tap.test
def answers_of_the_wrong_length():
    for more in (-40, 40):
        def longer(data, offset, more=more):
            head, mark, rest = data.partition(b"Content-Length: ")
            if offset > 0 or not mark:
                return data
            docker.meet()
            number, end, rest = rest.partition(b"\r\n")
            return head + mark + b"%d" % (int(number) + more) + end + rest

        def spoil(how=longer):
            docker.set("edit", only="/services HTTP", change=how)
            docker.drop()

        def heal():
            passing()
            docker.drop()
        # One that is too long is no error before its deadline.
        without_docker(spoil, heal, docker.wait_met)


@tap.test
def trailing_noise():
    def spoil():
        fault(path="/services", mode="noise")
        docker.drop()
    without_docker(spoil, heal_fake)


@tap.test
def html_instead_of_lists():
    def spoil():
        fault(path="/services", mode="html")
        docker.drop()
    without_docker(spoil, heal_fake)


def replacing(old, new):
    """Lists of services whose bytes are garbled so."""
    def change_piece(data, offset):
        if old in data:
            docker.meet()
        return data.replace(old, new)

    def spoil():
        docker.set("edit", only="/services HTTP", change=change_piece)
        docker.drop()
    return spoil


@tap.test
def bytes_garbled_so_that_a_list_is_none():
    without_docker(replacing(b"\r\n\r\n[", b"\r\n\r\n\0"), passing)


@tap.test
def bytes_garbled_inside_one_object_leave_it_as_it_was():
    with_docker(replacing(b'"Name":"app7"', b'"Name":"app\0"'),
                lambda: (docker.wait_met(3), passing()))


@tap.test
def a_manager_that_was_demoted():
    text = b'{"message":"This node is not a swarm manager."}'

    def spoil():
        docker.set("answer", data=(
            b"HTTP/1.1 503 Service Unavailable\r\n"
            b"Content-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(text)) + text)
        docker.drop()
    without_docker(spoil, passing)


def lists_that_say(services):
    """Only such lists from now on, and no event."""
    text = json.dumps(services).encode()
    docker.set("answer", only="/services HTTP", data=(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(text)) + text)


@whole
def doubted(services):
    before = settle()
    with load() as clients:
        lists_that_say(services)
        docker.wait_met(2)
        passing()
        tap.equal({n: generation(n) for n in before}, before)
        system.wait_served("blue", change(), deadline=FRESH)
        before["blue"] += 1
        clients.check()
    tap.equal(settle(), before)


@tap.test
def an_empty_list_while_services_exist():
    doubted([])


@tap.test
def a_list_that_lacks_more_than_half():
    doubted([s for s in fake.get("/services")
             if s["Spec"]["Name"] in ("web", "app7", "green-web")])


@tap.test
def event_stream_cut_at_several_bytes():
    for at in (30, 200, 320):
        def spoil(at=at):
            docker.set("cut", only="/events", at=at)
            docker.drop()

        def heal():
            docker.wait_met()
            passing()
        with_docker(spoil, heal)


@tap.test
def events_lost_and_the_silent_stream_opened_again():
    said = "the event stream says nothing of what changes"

    def heal():
        procs.wait_for(lambda: said in system.process.output(), SOON,
                       "the stream to be found dead")
        passing()
    with_docker(lambda: docker.set("lose", only="/events"), heal, times=4)
    procs.wait_for(lambda: reader()["status"]["events"]["missed"] >= 3, SOON,
                   "the lost events to be counted")


@tap.test
def events_duplicated():
    with_docker(lambda: docker.set("twice", only="/events"),
                lambda: (docker.wait_met(), passing()), times=2)


@tap.test
def events_reordered():
    with_docker(lambda: docker.set("swap", only="/events"),
                lambda: (docker.wait_met(), passing()), times=3)


@tap.test
def an_object_version_that_goes_back():
    old = fake.get("/services")
    before = settle()
    host = change()
    system.wait_served("blue", host)
    before["blue"] += 1
    with witness.Load(system, ALL + [("blue", host, "web")]) as clients:
        lists_that_say(old)
        docker.wait_met(2)
        passing()
        clients.check()
    tap.equal(settle(), before)
    host = change()
    system.wait_served("blue", host)
    lists_that_say(old)
    system.wait_served("blue", host, want=503)
    tap.ok(docker.met >= 3, "believed after %d" % docker.met)
    passing()
    system.wait_served("blue", host)


@tap.test
def the_reader_was_never_replaced():
    tap.equal(reader()["restarts"], 0)
    tap.equal([c["restarts"] for c in system.ask("/v1/clusters")["clusters"]],
              [0, 0])


@tap.test
def engine_restarted_with_its_objects_and_another_api_version():
    before = len(system.routes("blue"))
    fake.process.stop(20)
    wait_error()
    tap.equal(len(system.routes("blue")), before)
    fake.options += ["--api-version", "1.40"]
    engine.API = "/v1.40"
    fake.start()
    procs.wait_for(lambda: "API 1.40" in system.process.output(), SOON,
                   "another version to be agreed on")
    # The restarted one has forgotten labels: its versions are older.
    for _, host, _ in ALL:
        where = "green" if host.startswith("green") else "blue"
        system.wait_served(where, host)
    with load() as clients:
        host = change()
        system.wait_served("blue", host)
        clients.check()
    settle()


@tap.test
def nothing_was_left_behind():
    text = system.process.output()
    tap.ok("Sanitizer" not in text, text[-2000:])
    tap.equal(reader()["restarts"], 0)
    docker.drop()
    settle()
    procs.wait_for(lambda: len(os.listdir(
        "/proc/%d/fd" % reader()["pid"])) < 60, SOON, "less descriptors")


tap.cleanup(system.stop)
system.start()
for cluster, name, _ in ALL:
    system.wait_served(cluster, name)
system.wait_tasks("blue", "web.example", 2)
tap.main()
