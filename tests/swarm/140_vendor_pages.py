#!/usr/bin/env python3
"""What users of Interlock move with: the sample services of its pages, label
for label, on a real Swarm behind our proxies: hosts, paths, shares, sessions."""

import collections
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import pages   # noqa: E402
import procs   # noqa: E402
import tap     # noqa: E402
from pages import EAST, PATIENCE  # noqa: E402

site = pages.begin()
bulkhead = site.bulkhead
real = bulkhead.real


@tap.step
def canary_deployments():
    site.command("docker service create --name demo-v1 --network demo"
                 " --replicas=4"
                 " --label com.docker.lb.hosts=demo.local"
                 " --label com.docker.lb.port=8080"
                 " --env METADATA=demo-version-1 ehazlett/docker-demo")
    seen = site.published("demo-version-1", "demo.local", "/ping")
    tap.equal(seen["target"], "/ping")
    for name in ("x-request-id", "x-proxy-id", "x-server-info",
                 "x-upstream-addr", "x-upstream-response-time"):
        tap.ok(name in seen["answer"], name)
    site.tasks_behind("demo.local", 4, 40)
    site.command("docker service create --name demo-v2 --network demo"
                 " --label com.docker.lb.hosts=demo.local"
                 " --label com.docker.lb.port=8080"
                 " --env METADATA=demo-version-2 ehazlett/docker-demo")

    def shared():
        seen = collections.Counter(
            s["service"] for _, _, s in site.ask("demo.local", count=100) if s)
        return seen["demo-version-2"] == 20 and seen["demo-version-1"] == 80
    procs.wait_for(shared, PATIENCE, "1 of 5 tasks to get 20 of 100", 0.1)
    site.command("docker service scale --detach demo-v2=4")
    site.command("docker service scale --detach demo-v1=0")
    site.published("demo-version-2", "demo.local")
    site.tasks_behind("demo.local", 4, 40)
    site.gone("demo-v1", "demo-v2")


@tap.step
def context_and_path_based_routing():
    site.command("docker service create --name demo --network demo"
                 " --label com.docker.lb.hosts=demo.local"
                 " --label com.docker.lb.port=8080"
                 " --label com.docker.lb.context_root=/app"
                 " --label com.docker.lb.context_root_rewrite=true"
                 " --env METADATA=demo-context-root ehazlett/docker-demo")
    seen = site.published("demo-context-root", "demo.local", "/app/")
    tap.equal(seen["target"], "/")
    tap.equal(site.told("demo.local", "/app/ping?x=1")["target"], "/ping?x=1")
    tap.equal(site.status("demo.local", "/other"), 404)
    site.gone("demo")


@tap.step
def application_redirects():
    site.command("docker service create --name demo --network demo"
                 " --label com.docker.lb.hosts=old.local,new.local"
                 " --label com.docker.lb.port=8080"
                 " --label com.docker.lb.redirects="
                 "http://old.local,http://new.local"
                 " --env METADATA=demo-new ehazlett/docker-demo")
    site.published("demo-new", "new.local")
    code, headers, _ = site.ask("old.local", "/x?y")[0]
    tap.equal((code, headers["location"]), (302, ["http://new.local/x?y"]))
    tap.ok("x-request-id" in headers)
    site.gone("demo", host="new.local")


@tap.step
def websockets():
    site.command("docker service create --name demo --network demo"
                 " --label com.docker.lb.hosts=demo.local"
                 " --label com.docker.lb.port=8080"
                 " --label com.docker.lb.websocket_endpoints=/ws"
                 " ehazlett/websocket-chat")
    site.published("", "demo.local")
    tap.ok(site.websocket("demo.local", "/ws"), "no websocket")
    site.gone("demo")


@tap.step
def persistent_sessions_by_cookie():
    site.command("docker service create --name demo --network demo"
                 " --replicas=5"
                 " --label com.docker.lb.hosts=demo.local"
                 " --label com.docker.lb.sticky_session_cookie=session"
                 " --label com.docker.lb.port=8080"
                 " --env METADATA=demo-sticky ehazlett/docker-demo")
    seen = site.published("demo-sticky", "demo.local", "/ping")
    site.tasks_behind("demo.local", 5, 60)
    cookie = seen["answer"]["set-cookie"][0].split(";")[0]
    tap.ok(cookie.startswith("session="), cookie)
    site.tasks_behind("demo.local", 1, 60, Cookie=cookie)
    site.gone("demo")


@tap.step
def persistent_sessions_by_address():
    site.command("docker service create --name demo --network demo"
                 " --replicas=5"
                 " --label com.docker.lb.hosts=demo.local"
                 " --label com.docker.lb.port=8080"
                 " --label com.docker.lb.ip_hash=true"
                 " --env METADATA=demo-sticky ehazlett/docker-demo")
    site.published("demo-sticky", "demo.local")

    def routed():
        known = json.loads(bulkhead.proxyctl("--json", "routes", quiet=True))
        return [len(r["upstreams"]) for r in known["routes"]
                if r["host"] == "demo.local"] == [5]
    procs.wait_for(routed, PATIENCE, "5 tasks behind demo.local", 0.2)
    bulkhead.wait_applied(EAST)
    site.tasks_behind("demo.local", 1, 60)
    site.gone("demo")


@tap.step
def a_default_host_service():
    site.command("docker service create --name demo-default --network demo"
                 " --replicas=1"
                 " --label com.docker.lb.default_backend=true"
                 " --label com.docker.lb.port=8080"
                 " ehazlett/interlock-default-app")
    site.published("", "not-configured.local")
    site.gone("demo-default", host="not-configured.local")


@tap.step
def labels_of_the_older_routing_mesh():
    site.command("docker network create -d overlay ucp-hrm")
    site.command("docker service create --network ucp-hrm --name demo-hrm-app"
                 " --label com.docker.ucp.mesh.http.8080="
                 "external_route=http://foo.example.com,internal_port=8080"
                 " --env METADATA=hrm ehazlett/docker-demo:dcus")
    site.published("hrm", "foo.example.com")
    site.gone("demo-hrm-app", host="foo.example.com")


pages.main(site)
