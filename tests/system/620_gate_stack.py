#!/usr/bin/env python3
"""A supervisor that is a service of a stack: its proxy services are of the
same stack, and with it gone they are not made again."""

import os

import bulkhead
import engine
import procs
import tap

NAME = "bulkhead-proxy-blue"
STACK = "com.docker.stack.namespace"
fake = engine.FakeSwarm("--task-delay", "50ms")
system = bulkhead.System(fake.socket)


def service():
    for s in fake.get("/services"):
        if s["Spec"]["Name"] == NAME:
            return s
    return None


def gate():
    return system.status()["reader"]["status"]["gate"]["blue"]


@tap.test
def the_proxy_service_is_of_the_supervisors_stack():
    made = procs.wait_for(service, 30, "the proxy service")
    tap.equal(made["Spec"]["Labels"][STACK], "bulkhead")
    args = made["Spec"]["TaskTemplate"]["ContainerSpec"]["Args"]
    tap.equal(args[args.index("--control") + 1],
              "http://tasks.bulkhead_supervisor:%d" % PORT)


@tap.test
def what_a_stack_rm_removed_stays_away():
    fake.remove_service(NAME)
    fake.remove_service("bulkhead_supervisor")
    procs.wait_for(lambda: gate()["state"] == "missing", 30, "the loss")

    def looks():
        return sum(n for path, n in fake.stats().items()
                   if path.startswith("GET /services"))
    # One look each 250 ms: that many take longer than the 5 s.
    end = looks() + 40
    procs.wait_for(lambda: looks() >= end, 60, "many looks", 0.1)
    tap.equal(service(), None)
    tap.equal(gate()["state"], "missing")


fake.start()
tap.cleanup(fake.stop)
fake.create_service("bulkhead_supervisor", labels={STACK: "bulkhead"})
task = fake.wait_running("bulkhead_supervisor", 1)[0]
os.environ["BULKHEAD_TASK_ID"] = task["ID"]
PORT = bulkhead.free_ports(1)
TOKEN = system.temp.join("token")
system.write_file(TOKEN, "secret\n")
system.write_file(system.ini_path("blue"), """
[proxy]
driver = swarm
[control]
listen = 127.0.0.1:%d
token_file = %s
""" % (PORT, TOKEN))
tap.cleanup(system.stop)
system.start()
tap.main()
