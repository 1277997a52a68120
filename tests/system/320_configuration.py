#!/usr/bin/env python3
"""INI files of a running system: new, broken, mended, removed; and the ways
in which a start can fail."""

import os
import socket
import subprocess

import bulkhead
import engine
import procs
import tap
from bulkhead import lb

fake = engine.FakeSwarm("--task-delay", "100ms")
system = bulkhead.System(fake.socket)


def problems():
    return system.status()["problems"]


@tap.test
def a_new_file_starts_a_cluster_by_itself():
    system.cluster("green")
    fake.create_service("web", networks=["front"], labels=lb(
        "web.example", service_cluster="green"))
    system.wait_served("green", "web.example")


@tap.test
def a_broken_file_changes_nothing_and_is_told_with_its_line():
    pid = system.cluster_status("green")["pid"]
    path = system.ini_path("green")
    with open(path, encoding="utf-8") as f:
        good = f.read()
    system.write_file(path, good + "[cluster]\nhosts_alow = *\n")
    line = good.count("\n") + 2
    told = procs.wait_for(problems, 30, "the problem to be told")
    tap.contains(told[0], "%s:%d:" % (path, line))
    tap.contains(told[0], "hosts_allow")
    tap.equal(system.cluster_status("green")["pid"], pid)
    tap.equal(system.get("green", "web.example").status, 200)
    code, _, words = system.ctl("reload", check=False)
    tap.equal(code, 1)
    tap.contains(words, "green.ini:%d:" % line)


@tap.test
def the_accepted_version_survives_a_restart_of_everything():
    tap.equal(system.process.stop(30), 0)
    procs.wait_for(lambda: not system.agent_pids(), 30, "agents to end")
    system.start()
    system.wait_served("green", "web.example")
    tap.contains(procs.wait_for(problems, 30, "the problem")[0], "green.ini:")
    system.cluster("green", replicas=2)
    procs.wait_for(lambda: not problems(), 30, "the file to be right again")
    system.wait_served("green", "web.example")


@tap.test
def only_the_touched_clusters_child_is_restarted():
    blue = system.cluster_status("blue")["pid"]
    green = system.cluster_status("green")["pid"]
    system.cluster("green", replicas=2,
                   text="[nginx]\nread_timeout = 30s\n")
    procs.wait_for(lambda: system.cluster_status("green")["pid"]
                   not in (0, green), 30, "green's new child")
    system.wait_served("green", "web.example")
    tap.equal(system.cluster_status("blue")["pid"], blue)
    tap.equal(system.cluster_status("green")["restarts"], 0)


@tap.test
def a_removed_file_retires_the_cluster_and_its_proxies_serve_on():
    system.wait_applied("green")
    os.unlink(system.ini_path("green"))
    procs.wait_for(lambda: all(c["name"] != "green" for c in
                               system.status()["clusters"]), 30, "its end")
    tap.equal(system.get("green", "web.example").status, 200)


@tap.test
def a_second_supervisor_is_refused():
    done = subprocess.run(
        [procs.binary("bulkhead-supervisor"), "-c", system.config],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    tap.equal(done.returncode, 1)
    tap.contains(done.stderr, "another supervisor")
    tap.ok(system.status()["version"])


@tap.test
def a_bad_main_file_ends_the_start_with_78_and_the_check_with_1():
    path = os.path.join(system.folder, "bad.ini")
    system.write_file(path, "[docker]\nurl = unix:///x\npoll_intervall = 3s\n")
    for arguments, code in ((["-c", path], 78), (["-c", path, "--check"], 1)):
        done = subprocess.run(
            [procs.binary("bulkhead-supervisor")] + arguments,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=30)
        tap.equal(done.returncode, code)
        tap.contains(done.stderr, "%s:3:" % path)
        tap.contains(done.stderr, "poll_interval")


@tap.test
def a_port_that_is_taken_is_named():
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    port = bulkhead.free_ports(1)
    holder.bind(("127.0.0.1", port))
    holder.listen()
    try:
        system.cluster("red", published_port=port)
        log = os.path.join(system.run_dir, "log", "red.0.log")

        def told():
            with open(log, encoding="utf-8") as f:
                text = f.read()
            return "127.0.0.1:%d" % port in text and "uses this port" in text
        procs.wait_for(told, 30, "the taken port to be named")
        tap.equal(system.get("blue", "nobody.example").status, 503)
    finally:
        holder.close()
    system.clusters["red"].port = port
    fake.create_service("red", networks=["front"], labels=lb(
        "red.example", service_cluster="red"))
    system.wait_served("red", "red.example", deadline=90)


fake.start()
tap.cleanup(fake.stop)
fake.create_network("front")
system.cluster("blue", text="[cluster]\ndefault = true\n")
tap.cleanup(system.stop)
system.start()
tap.main()
