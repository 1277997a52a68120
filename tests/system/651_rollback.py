#!/usr/bin/env python3
"""Rollback: pinned until released, whatever is restarted or lost."""

import os
import shutil

import bulkhead
import engine
import httpc
import procs
import tap
import witness
from bulkhead import lb

fake = engine.FakeSwarm("--task-delay", "100ms")
system = bulkhead.System(fake.socket)
SOON = 60
STATE = os.path.join(system.run_dir, "state", "blue")


def entries():
    return system.ask("/v1/clusters/blue/history")["history"]


def pinned():
    return system.cluster_status("blue")["pinned"]


def wait_pinned(generation):
    """The extension's status comes later than what it does."""
    procs.wait_for(lambda: pinned() == generation, SOON,
                   "the pin to be %s" % generation)


def explain(query):
    return system.ask("/v1/explain?q=" + query)


def wait_entries(number):
    return procs.wait_for(
        lambda: entries() if len(entries()) >= number else None, SOON,
        "%d entries" % number)


def reloads():
    return sum(p["reloads"] for p in system.proxies("blue"))


def hosts():
    return {r["host"] for r in system.routes("blue")}


def kill_supervisor():
    system.process.kill()
    system.process.wait(30)


@tap.test
def history_tells_what_was_in_force():
    system.cluster("blue", replicas=2)
    fake.create_service("web", networks=["front"], labels=lb("a.example"))
    system.start()
    system.wait_served("blue", "a.example")
    wait_entries(1)
    fake.create_service("api", networks=["front"], labels=lb("api.example"))
    system.wait_served("blue", "api.example")
    wait_entries(2)
    fake.set_label("web", "com.docker.lb.hosts", "b.example")
    system.wait_served("blue", "b.example")
    wait_entries(3)
    # A first task that comes late makes an entry in which no service changes.
    procs.wait_for(lambda: [e["changes"]["services"] for e in entries()
                            if e["changes"]["services"]][:2] == [
        [{"change": "changed", "service": "web"}],
        [{"change": "added", "service": "api"}]], SOON, "both changes")
    procs.wait_for(lambda: entries()[0]["reloads"] >= 2, SOON, "two reloads")
    code, out, _ = system.ctl("history", "blue")
    tap.equal(code, 0)
    tap.contains(out, "+api")


@tap.test
def what_cannot_be_is_refused():
    for args, wanted, words in (
            (["blue", "4711"], 1, "not in the history"),
            (["blue", "--release"], 1, "nothing is pinned"),
            (["blue", "soon"], 2, "no generation"),
            (["red"], 1, "no cluster")):
        code, _, err = system.ctl("rollback", *args, check=False)
        tap.equal(code, wanted, repr(args))
        tap.contains(err, words)


@tap.test
def a_rollback_puts_the_one_before_in_force():
    with witness.Witness(system.clusters["blue"].where(), rate=100,
                         host="api.example") as w:
        code, out, err = system.ctl("rollback", "blue")
        tap.equal(code, 0, err)
        tap.contains(out, "pinned to generation")
        system.wait_served("blue", "a.example")
        system.wait_applied("blue")
        w.wait_count(50)
    w.check()
    tap.equal(system.get("blue", "b.example").status, 503)
    tap.equal(hosts(), {"a.example", "api.example"})


@tap.test
def it_is_seen_everywhere():
    wait_pinned(entries()[0]["rolled_back_to"])
    procs.wait_for(lambda: all(p["pinned"] for p in system.proxies("blue")),
                   SOON, "the proxies to say so")
    tap.ok(system.status()["clusters"][0]["pinned"])
    tap.contains(httpc.get(system.socket, "/metrics").text,
                 'bulkhead_pinned{cluster="blue"} 1')
    for host in ("a.example", "b.example"):
        told = explain(host)
        tap.equal(told["pinned"], pinned())
        tap.contains(told["text"], "--release")
    tap.equal(explain("a.example")["state"], "routed")
    diff = system.ask("/v1/clusters/blue/diff")
    tap.equal(diff["against"], "pinned")
    tap.ok(any("b.example" in f["lines"] for f in diff["files"]))


@tap.test
def addresses_follow_the_tasks():
    fake.scale("web", 3)
    system.wait_tasks("blue", "a.example", 3)
    fake.scale("web", 1)
    system.wait_tasks("blue", "a.example", 1)
    fake.scale("web", 0)
    system.wait_served("blue", "a.example", want=503)
    fake.scale("web", 2)
    system.wait_tasks("blue", "a.example", 2)


@tap.test
def what_is_new_is_judged_and_waits():
    generation = system.generation("blue")
    fake.create_service("new", networks=["front"], labels=lb("new.example"))
    fake.create_service("bad", networks=["front"], labels=lb(
        "a.example; evil"))
    procs.wait_for(lambda: "routed after release" in
                   explain("new").get("reason", ""), SOON,
                   "the newcomer to be known")
    tap.equal(explain("new")["state"], "not-routed")
    procs.wait_for(lambda: explain("bad")["state"] == "not-routed", SOON, "")
    procs.wait_for(lambda: system.services()["bad"]["state"] == "rejected",
                   SOON, "a verdict")
    tap.equal(system.get("blue", "new.example").status, 503)
    tap.equal(system.generation("blue"), generation)


@tap.test
def a_killed_extension_changes_nothing():
    before, pid = reloads(), system.cluster_status("blue")["pid"]
    generation = system.generation("blue")
    os.kill(pid, 9)
    procs.wait_for(lambda: system.cluster_status("blue")["pid"]
                   not in (0, pid), SOON, "another extension")
    system.wait_ready()
    procs.wait_for(pinned, SOON, "the pin")
    system.wait_applied("blue")
    tap.equal(system.generation("blue"), generation)
    tap.equal(reloads(), before)
    tap.equal(system.get("blue", "b.example").status, 503)


@tap.test
def a_supervisor_without_the_state_learns_it_of_the_proxies():
    before = pinned()
    with witness.Witness(system.clusters["blue"].where(), rate=100,
                         host="api.example") as w:
        kill_supervisor()
        shutil.rmtree(STATE)
        system.start()
        wait_pinned(before)
        system.wait_applied("blue")
        w.wait_count(50)
    w.check()
    tap.equal(system.get("blue", "b.example").status, 503)
    tap.equal(system.get("blue", "new.example").status, 503)
    tap.equal(system.get("blue", "a.example").status, 200)
    # And the routes still follow the tasks: the document came back.
    fake.scale("web", 3)
    system.wait_tasks("blue", "a.example", 3)


@tap.test
def an_old_state_does_not_bring_a_released_pin_back():
    kept = STATE + ".kept"
    shutil.copytree(STATE, kept)
    code, out, _ = system.ctl("rollback", "blue", "--release")
    tap.equal(code, 0)
    tap.contains(out, "released")
    system.wait_served("blue", "b.example")
    system.wait_served("blue", "new.example")
    wait_pinned(None)
    procs.wait_for(lambda: not any(p["pinned"]
                                   for p in system.proxies("blue")), SOON,
                   "the proxies to say so")
    kill_supervisor()
    shutil.rmtree(STATE)
    os.rename(kept, STATE)
    with witness.Witness(system.clusters["blue"].where(), rate=100,
                         host="b.example") as w:
        system.start()
        procs.wait_for(lambda: system.status()["ready"] and
                       pinned() is None, SOON, "the release")
        system.wait_applied("blue")
        w.wait_count(50)
    w.check()
    tap.equal(system.get("blue", "new.example").status, 200)


@tap.test
def settings_go_back_too():
    def timeout():
        return [line.strip() for f in system.ask(
            "/v1/clusters/blue/config")["files"]
            for line in f["text"].splitlines()
            if "proxy_read_timeout" in line]
    count = len(entries())
    blue = system.clusters["blue"]
    blue.text = "[nginx]\nread_timeout = 33s\n"
    system.write_file(system.ini_path("blue"), blue.ini())
    procs.wait_for(lambda: any("33" in t for t in timeout()), SOON, "33s")
    wait_entries(count + 1)
    procs.wait_for(lambda: entries()[0]["changes"]["ini_changed"], SOON,
                   "the entry of the setting")
    tap.equal(system.ctl("rollback", "blue")[0], 0)
    procs.wait_for(lambda: not any("33" in t for t in timeout()), SOON,
                   "the setting of before")
    # A file that changes meanwhile waits as well.
    blue.text = "[nginx]\nread_timeout = 44s\n"
    pid = system.cluster_status("blue")["pid"]
    system.write_file(system.ini_path("blue"), blue.ini())
    procs.wait_for(lambda: system.cluster_status("blue")["pid"]
                   not in (0, pid), SOON, "another extension")
    system.wait_ready()
    procs.wait_for(pinned, SOON, "the pin")
    tap.ok(not any("44" in t for t in timeout()), timeout())
    tap.equal(system.ctl("rollback", "blue", "--release")[0], 0)
    procs.wait_for(lambda: any("44" in t for t in timeout()), SOON, "44s")


@tap.test
def the_history_has_an_end():
    count = entries()[0]["generation"]
    for i in range(23):
        newest = entries()[0]["generation"]
        fake.set_label("api", "com.docker.lb.hosts", "api%d.example" % i)
        procs.wait_for(lambda g=newest: entries()[0]["generation"] > g,
                       SOON, "an entry")
    told = entries()
    tap.equal(len(told), 20)
    tap.ok(told[0]["generation"] > count)
    files = os.listdir(os.path.join(STATE, "history"))
    # The index, and what the oldest entries differ from.
    tap.ok(len(files) in (21, 22), files)
    system.ctl("rollback", "blue", str(told[-1]["generation"]))
    wait_pinned(told[-1]["generation"])
    procs.wait_for(lambda: "api22.example" not in hosts(), SOON, "its routes")


@tap.test
def it_ends_in_order():
    tap.equal(system.process.stop(30), 0)


fake.start()
tap.cleanup(fake.stop)
fake.create_network("front")
tap.cleanup(system.stop)
tap.main()
