#!/usr/bin/env python3
"""Publishing through the whole system: simulated Swarm, real nginx."""

import collections

import bulkhead
import engine
import procs
import tap
from bulkhead import lb

fake = engine.FakeSwarm("--task-delay", "100ms")
system = bulkhead.System(fake.socket)


def shares(host, requests=1200):
    seen = collections.Counter(
        system.get("blue", host, "/", i % 2).json["service"]
        for i in range(requests))
    return {k: 100.0 * v / requests for k, v in seen.items()}


def near(host, service, percent):
    got = shares(host)
    tap.ok(abs(got.get(service, 0) - percent) <= 3.0,
           "%s gets %r, wanted %g %%" % (service, got, percent))


def wait_upstreams(host, number):
    def enough():
        return [r for r in system.routes("blue") if r["host"] == host
                ] and sum(len(r["upstreams"]) for r in system.routes("blue")
                          if r["host"] == host) == number
    procs.wait_for(enough, 30, "%d upstreams of %s" % (number, host), 0.02)
    system.wait_applied("blue")


@tap.test
def a_published_service_answers_and_all_its_tasks_after_scaling():
    fake.create_service("web", networks=["front"], labels=lb("web.example"))
    system.wait_served("blue", "web.example")
    fake.scale("web", 4)
    system.wait_tasks("blue", "web.example", 4)
    fake.scale("web", 1)
    system.wait_tasks("blue", "web.example", 1)


@tap.test
def unknown_host_is_503_until_there_is_a_default_backend():
    tap.equal(system.get("blue", "nobody.example").status, 503)
    fake.create_service("catch-all", networks=["front"],
                        labels=lb(default_backend="true"))
    system.wait_served("blue", "nobody.example")
    fake.remove_service("catch-all")
    system.wait_served("blue", "nobody.example", want=503)


@tap.test
def four_tasks_and_one_canary_share_by_task_and_by_weight():
    fake.scale("web", 4)
    fake.create_service("canary", networks=["front"],
                        labels=lb("web.example"))
    wait_upstreams("web.example", 5)
    near("web.example", "canary", 20)
    before = system.generation("blue")
    fake.set_label("canary", "com.docker.lb.weight", "50")
    procs.wait_for(lambda: system.generation("blue") > before, 30, "weight")
    system.wait_applied("blue")
    near("web.example", "canary", 100 / 3)
    fake.set_label("canary", "com.docker.lb.weight", "300")
    code = procs.wait_for(
        lambda: system.services()["canary"].get("code"), 30, "rejection")
    tap.equal(code, "bad-value")
    wait_upstreams("web.example", 4)
    tap.equal(shares("web.example", 100), {"web": 100.0})


@tap.test
def two_vip_services_share_by_service():
    for name, replicas in (("vip-a", 1), ("vip-b", 3)):
        fake.create_service(name, networks=["front"], replicas=replicas,
                            labels=lb("vip.example", backend_mode="vip"))
        fake.wait_running(name, replicas)
    wait_upstreams("vip.example", 2)
    near("vip.example", "vip-a", 50)


@tap.test
def context_roots_go_to_their_service_with_and_without_rewrite():
    fake.create_service("api", networks=["front"], labels=lb(
        "web.example", context_root="/api", context_root_rewrite="true"))
    fake.create_service("docs", networks=["front"], labels=lb(
        "web.example", context_root="/docs"))
    wait_upstreams("web.example", 6)
    answer = system.get("blue", "web.example", "/api/users?x=1").json
    tap.equal((answer["service"], answer["path"]), ("api", "/users?x=1"))
    answer = system.get("blue", "web.example", "/docs/a%2Fb").json
    tap.equal((answer["service"], answer["path"]), ("docs", "/docs/a%2Fb"))
    answer = system.get("blue", "web.example", "/apiary").json
    tap.equal(answer["service"], "web")


@tap.test
def scaling_to_zero_is_503_and_the_host_stays_claimed():
    fake.scale("docs", 0)
    system.wait_served("blue", "web.example", "/docs", want=503)
    fake.create_service("thief", networks=["other"],
                        labels=lb("web.example"))
    code = procs.wait_for(lambda: system.services()["thief"]["code"], 30)
    tap.equal(code, "host-taken")
    fake.scale("docs", 1)
    system.wait_served("blue", "web.example", "/docs")


@tap.test
def info_headers_tell_the_proxy_and_the_upstream():
    answer = system.get("blue", "web.example", "/", 1,
                        headers={"X-Request-Id": "abc-123"})
    tap.equal(answer.headers["x-proxy-id"], "blue.1")
    tap.equal(answer.headers["x-request-id"], "abc-123")
    tap.ok(answer.headers["x-upstream-addr"].endswith(":8080"))
    tap.ok(answer.headers["x-server-info"].startswith("bulkhead/"))


@tap.test
def stopping_ends_every_process_and_leaves_nothing_listening():
    tap.equal(system.process.stop(30), 0)
    procs.wait_for(lambda: not system.agent_pids(), 30, "agents to end")
    tap.ok("ERROR: " not in system.process.output())
    tap.ok(" error " not in system.process.output(),
           system.process.output())


fake.start()
tap.cleanup(fake.stop)
for name in ("front", "other"):
    fake.create_network(name)
system.cluster("blue", replicas=2)
tap.cleanup(system.stop)
system.start()
tap.main()
