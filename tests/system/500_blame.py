#!/usr/bin/env python3
"""Blame: what a real nginx refuses is traced to its service and set aside,
the others go live, and what is mended comes back by itself."""

import os
import shutil

import bulkhead
import engine
import procs
import tap

HOSTS = 8

# What nginx refuses and our own checks let pass is rare, and mended when it
# is known: so nginx is one that refuses hosts named refuse-..., by name with
# file and line, or without where they are called refuse-mute...; and none
# while a file "mercy" is there.
TASTE = """#!/bin/sh
case " $* " in *" -t "*)
    if [ ! -e %(folder)s/mercy ]; then
        found=$(grep -l 'server_name.*refuse-' sites/*.conf 2>/dev/null)
        mute=$(grep -l 'server_name.*refuse-mute' sites/*.conf 2>/dev/null)
        for file in $found; do
            case " $mute " in *"$file"*) continue;; esac
            echo "nginx: [emerg] a host not to my taste in $PWD/$file:1" >&2
            exit 1
        done
        [ -z "$mute" ] || { echo "nginx: [emerg] something I dislike" >&2
            exit 1; }
    fi;;
esac
exec %(nginx)s "$@"
"""
PROXYCTL = """#!/bin/sh
[ "$1" = agent ] && exec %(real)s "$@" --nginx %(folder)s/nginx
exec %(real)s "$@"
"""

fake = engine.FakeSwarm("--task-delay", "10ms")
system = None
bins = procs.TempDir("bh-blame-")


def write_program(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o755)


def start():
    global system
    os.mkdir(bins.join("bin"))
    for name in ("bulkhead-supervisor", "bulkhead-extension", "fakeswarm"):
        shutil.copy(procs.binary(name), bins.join("bin", name))
    words = {"folder": bins.path, "real": procs.binary("proxyctl"),
             "nginx": shutil.which("nginx", path="/usr/sbin:/usr/bin")}
    write_program(bins.join("nginx"), TASTE % words)
    write_program(bins.join("bin", "proxyctl"), PROXYCTL % words)
    procs.BUILD = bins.path
    fake.start()
    fake.create_network("front")
    system = bulkhead.System(fake.socket)
    system.cluster("blue", replicas=2, text="[cluster]\ndefault = true\n")
    for i in range(HOSTS):
        publish("web%d" % i, "w%d.example" % i)
    system.start()
    for i in range(HOSTS):
        system.wait_served("blue", "w%d.example" % i)
    system.wait_applied("blue")


def publish(name, host, **labels):
    return fake.create_service(name, networks=["front"],
                               labels=bulkhead.lb(host, **labels))


def refused(name):
    def found():
        service = system.services()[name]
        return service["code"] == "engine-refused" and service
    return procs.wait_for(found, bulkhead.SOON, name + " to be set aside")


def wait_accepted(name):
    """What a trial puts in force is served before it is judged."""
    procs.wait_for(lambda: system.services()[name]["state"] == "accepted",
                   bulkhead.SOON, name + " to be accepted")


def log_count(text):
    with open(system.log, errors="replace") as f:
        return sum(text in line for line in f)


@tap.test
def a_service_that_nginx_refuses_is_set_aside_and_the_others_go_live():
    start()
    publish("bad", "refuse-bad.example")
    publish("after", "after.example")
    system.wait_served("blue", "after.example")
    service = refused("bad")
    tap.contains(service["reason"], "a host not to my taste in sites/")
    tap.equal(service["state"], "rejected")
    system.wait_served("blue", "refuse-bad.example", want=503)
    system.wait_applied("blue")
    for i in range(HOSTS):
        tap.equal(system.get("blue", "w%d.example" % i).status, 200)


@tap.test
def the_next_change_of_another_service_is_delivered_without_a_new_trial():
    before = log_count("is set aside")
    publish("later", "later.example")
    system.wait_served("blue", "later.example")
    system.wait_applied("blue")
    tap.equal(log_count("is set aside"), before)


@tap.test
def a_service_that_turns_bad_keeps_the_version_before():
    generation = system.generation("blue")
    fake.set_label("web3", "com.docker.lb.hosts", "w3.example,refuse-3.example")

    def kept():
        routes = [r for r in system.routes("blue")
                  if r["service"] == "web3"]
        report = system.ask("/v1/explain?q=web3")
        return routes and "engine refuses" in str(report) and report
    procs.wait_for(kept, bulkhead.SOON, "web3 to be kept as it was")
    system.wait_served("blue", "w3.example")
    system.wait_applied("blue")
    tap.ok(system.generation("blue") > generation)
    # With the old labels, and the tasks of now.
    fake.scale("web3", 3)
    system.wait_tasks("blue", "w3.example", 3)


@tap.test
def diff_tells_what_the_newest_configuration_changes():
    system.wait_applied("blue")
    fake.set_label("web1", "com.docker.lb.fail_timeout", "77s")

    def told():
        diff = system.ask("/v1/clusters/blue/diff")
        return [f for f in diff["files"] if "77s" in f["lines"]] and diff
    diff = procs.wait_for(told, bulkhead.SOON, "the difference")
    tap.equal({f["change"] for f in diff["files"]}, {"changed"})
    tap.equal(len(diff["files"]), 1)
    tap.ok(diff["against"] in ("served", "before"), diff["against"])
    code, out, _ = system.ctl("diff", "blue")
    tap.equal(code, 0)
    tap.contains(out, "fail_timeout=77s")


@tap.test
def trying_again_in_vain_changes_nothing():
    system.wait_applied("blue")
    generation = system.generation("blue")
    checks = log_count("is asked whether it still refuses")
    procs.wait_for(lambda: log_count("is asked whether it still refuses") > checks,
                   60, "the next trial")
    fake.set_label("web0", "com.docker.lb.fail_timeout", "11s")
    procs.wait_for(lambda: system.generation("blue") > generation,
                   bulkhead.SOON, "the marker")
    system.wait_applied("blue")
    tap.equal(system.generation("blue"), generation + 1)
    system.wait_served("blue", "w3.example")


@tap.test
def what_is_set_aside_is_still_so_after_a_restart_of_its_extension():
    before = log_count("is set aside")
    pid = system.cluster_status("blue")["pid"]
    os.kill(pid, 9)
    procs.wait_for(
        lambda: system.cluster_status("blue")["pid"] not in (pid, None, 0)
        and system.cluster_status("blue")["state"] == "ready",
        bulkhead.SOON, "the extension to be back")
    refused("bad")
    system.wait_served("blue", "w3.example")
    tap.equal(log_count("is set aside"), before)


@tap.test
def what_is_mended_comes_back():
    fake.set_label("web3", "com.docker.lb.hosts", "w3.example,w33.example")
    fake.set_label("bad", "com.docker.lb.hosts", "bad.example")
    system.wait_served("blue", "bad.example")
    system.wait_served("blue", "w33.example")
    system.wait_served("blue", "w3.example")
    for name in ("bad", "web3"):
        wait_accepted(name)


@tap.test
def several_bad_ones_at_once_are_all_found():
    for i in range(5):
        publish("evil%d" % i, "refuse-%s%d.example" % (
            "mute" if i % 2 else "named", i))
        publish("good%d" % i, "g%d.example" % i)
    for i in range(5):
        system.wait_served("blue", "g%d.example" % i)
    for i in range(5):
        refused("evil%d" % i)
    system.wait_applied("blue")


@tap.test
def what_the_engine_takes_by_itself_later_is_found_by_the_next_trial():
    write_program(bins.join("mercy"), "")
    # The delay between trials doubles from 5 s.
    for i in range(5):
        procs.wait_for(
            lambda i=i: system.services()["evil%d" % i]["state"]
            == "accepted", 150, "the services to be tried again")
    system.wait_served("blue", "refuse-named0.example")
    system.wait_applied("blue")


@tap.test
def an_operators_own_mistake_blames_no_service():
    system.cluster("green", text="[nginx]\nhttp_options = no_such_thing on;\n")
    green = fake.create_service(
        "calm", networks=["front"],
        labels=bulkhead.lb("calm.example", service_cluster="green"))
    tap.ok(green)
    procs.wait_for(lambda: log_count("even without any service"), 60,
                   "the operator to be told")
    wait_accepted("calm")
    system.wait_served("blue", "w0.example")


def end():
    if system is not None:
        if os.environ.get("KEEP_LOG"):
            shutil.copy(system.log, os.environ["KEEP_LOG"])
        system.stop()
    fake.stop()
    bins.remove()


tap.cleanup(end)
tap.main()
