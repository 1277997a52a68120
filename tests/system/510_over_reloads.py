#!/usr/bin/env python3
"""What outlives changes in the whole system: websockets over reloads, and the
task that a client sticks to."""

import http.client
import os
import re
import socket

import bulkhead
import engine
import httpc
import procs
import tap
from bulkhead import SOON, lb

fake = engine.FakeSwarm("--task-delay", "100ms")
system = bulkhead.System(fake.socket)


class Socket:
    """A websocket's connection through a proxy, frames being lines."""

    def __init__(self, host, path):
        address, port = system.clusters["blue"].where().rsplit(":", 1)
        self.sock = socket.create_connection((address, int(port)), 10)
        self.file = self.sock.makefile("rwb")
        self.file.write(("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade"
                         "\r\nUpgrade: websocket\r\n\r\n" % (
                             path, host)).encode())
        self.file.flush()
        self.status = self.file.readline().decode().split(" ")[1]
        while self.file.readline().strip():
            pass
        self.who = self.file.readline().decode().strip()

    def echo(self, text):
        self.file.write(text.encode() + b"\n")
        self.file.flush()
        return self.file.readline().decode().strip()

    def close(self):
        self.file.close()
        self.sock.close()


def leaving():
    """Workers of generations before, which still have connections."""
    return sum("shutting down" in title for title in system.workers("blue"))


def marker(name):
    fake.create_service(name, networks=["front"],
                        labels=lb(name + ".example"))
    system.wait_served("blue", name + ".example")


@tap.test
def a_websocket_outlives_reloads_and_the_next_one_is_new():
    fake.create_service("chat", networks=["front"], labels=lb(
        "chat.example", websocket_endpoints="/ws"))
    system.wait_served("blue", "chat.example")
    first = Socket("chat.example", "/ws")
    tap.equal(first.status, "101")
    tap.equal(first.echo("one"), "one")
    before = system.detail("blue")["reloads"]
    for name in ("mark-a", "mark-b", "mark-c"):
        marker(name)
        tap.equal(first.echo("after " + name), "after " + name)
    tap.ok(system.detail("blue")["reloads"] >= before + 3)
    second = Socket("chat.example", "/ws")
    tap.equal(second.echo("two"), "two")
    tap.equal(first.echo("still"), "still")
    first.close()
    second.close()


@tap.test
def a_cookie_keeps_its_task_over_reloads_and_moves_few_when_scaled():
    fake.create_service("sticky", networks=["front"], replicas=4, labels=lb(
        "sticky.example", sticky_session_cookie="sid"))
    system.wait_tasks("blue", "sticky.example", 4)

    def place():
        return {n: system.get("blue", "sticky.example",
                              headers={"Cookie": "sid=user%d" % n}
                              ).json["task"] for n in range(60)}
    first = place()
    tap.ok(len(set(first.values())) == 4, "tasks: %r" % first)
    marker("mark-d")
    tap.equal(place(), first)
    fake.scale("sticky", 5)
    procs.wait_for(lambda: sum(
        len(r["upstreams"]) for r in system.routes("blue")
        if r["host"] == "sticky.example") == 5, SOON, "5 upstreams")
    system.wait_applied("blue")
    moved = sum(1 for n, task in place().items() if task != first[n])
    tap.ok(0 < moved <= 30, "%d of 60 moved" % moved)


@tap.test
def an_address_keeps_its_task_over_reloads():
    fake.create_service("near", networks=["front"], replicas=4, labels=lb(
        "near.example", ip_hash="true"))
    procs.wait_for(lambda: sum(
        len(r["upstreams"]) for r in system.routes("blue")
        if r["host"] == "near.example") == 4, SOON, "4 upstreams")
    system.wait_applied("blue")
    system.wait_served("blue", "near.example")

    def place():
        found = {}
        for n in range(2, 42):
            address, port = system.clusters["blue"].where().rsplit(":", 1)
            connection = http.client.HTTPConnection(
                address, int(port), timeout=10,
                source_address=("127.0.0.%d" % n, 0))
            found[n] = httpc.exchange(connection, "GET", "/", None, {
                "Host": "near.example"}).json["task"]
            connection.close()
        return found
    first = place()
    tap.equal(len(set(first.values())), 4, "tasks")
    marker("mark-e")
    tap.equal(place(), first)


@tap.test
def a_websocket_ends_with_the_shutdown_timeout_and_so_does_its_worker():
    system.cluster("blue", replicas=1,
                   text="[nginx]\nworker_shutdown_timeout = 6s\n")
    procs.wait_for(lambda: any(
        re.search(r"worker_shutdown_timeout\s+6", f["text"]) for f in
        system.ask("/v1/clusters/blue/config")["files"]), SOON, "the setting")
    system.wait_applied("blue")
    marker("mark-f")
    socket_ = Socket("chat.example", "/ws")
    tap.equal(socket_.echo("one"), "one")
    marker("mark-g")
    tap.ok(leaving() > 0, "nothing holds the connection")
    socket_.sock.settimeout(60)
    tap.equal(socket_.file.readline(), b"", "what comes at the end")
    socket_.close()

    procs.wait_for(lambda: leaving() == 0, SOON, "old workers to end")


fake.start()
tap.cleanup(fake.stop)
fake.create_network("front")
os.chmod(system.folder, 0o755)
system.cluster("blue", replicas=1)
system.start()
tap.cleanup(system.stop)
tap.main()
