#!/usr/bin/env python3
"""What users of Interlock move with: the sample services of its pages, label
for label, on a real Swarm behind our proxies: TLS, VIP mode, service clusters.

There is no IPVS everywhere: proxies publish with mode=host, and of VIP mode
the address in the configuration is looked at.
"""

import json
import os
import re
import socket
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import pages   # noqa: E402
import procs   # noqa: E402
import tap     # noqa: E402
from pages import EAST, PATIENCE, WEST  # noqa: E402

site = pages.begin()
bulkhead = site.bulkhead
real = bulkhead.real


@tap.step
def tls_of_the_proxy():
    for name, what in (("cert", "cert:demo.local"), ("key", "key:demo.local")):
        path = site.write("demo.local." + name, site.pki.secret(what))
        site.command("docker secret create demo.local.%s %s" % (name, path))
    site.command("docker service create --name demo --network demo"
                 " --label com.docker.lb.hosts=demo.local"
                 " --label com.docker.lb.port=8080"
                 " --label com.docker.lb.ssl_cert=demo.local.cert"
                 " --label com.docker.lb.ssl_key=demo.local.key"
                 " --env METADATA=demo-tls ehazlett/docker-demo")
    seen = site.published("demo-tls", "demo.local", "/ping", tls=True)
    headers = {k.lower(): v for k, v in seen["headers"]}
    tap.equal(headers["x-forwarded-proto"], "https")
    site.gone("demo")


@tap.step
def tls_of_the_application():
    for name, what in (("cert", "cert:demo.local"), ("key", "key:demo.local")):
        path = site.write("app." + name, site.pki.secret(what))
        site.command("docker secret create app.%s %s" % (name, path))
    site.command("docker service create --name demo --network demo"
                 " --secret source=app.cert,target=/run/secrets/cert.pem"
                 " --secret source=app.key,target=/run/secrets/key.pem"
                 " --label com.docker.lb.hosts=demo.local"
                 " --label com.docker.lb.port=8080"
                 " --label com.docker.lb.ssl_passthrough=true"
                 " --env METADATA=demo-ssl-passthrough ehazlett/docker-demo"
                 " --tls-cert=/run/secrets/cert.pem"
                 " --tls-key=/run/secrets/key.pem")
    seen = site.published("demo-ssl-passthrough", "demo.local", "/ping",
                          tls=True)
    tap.ok("x-request-id" not in seen["answer"], "something was added")
    tap.equal(site.status("demo.local"), 503)
    bulkhead.docker("service", "rm", "demo")

    def refused():
        try:
            site.ask("demo.local", tls=True)
        except (ssl.SSLError, ConnectionError, socket.timeout):
            return True
        return False
    procs.wait_for(refused, PATIENCE, "the passthrough to end", 0.1)


@tap.step
def a_service_in_vip_mode():
    site.command("docker service create --name demo --network demo"
                 " --replicas=4"
                 " --label com.docker.lb.hosts=demo.local"
                 " --label com.docker.lb.port=8080"
                 " --label com.docker.lb.backend_mode=vip"
                 " --env METADATA=demo-vip-1 ehazlett/docker-demo")
    address = procs.wait_for(
        lambda: [v["Addr"].split("/")[0] for v in
                 real.get("/services/demo")["Endpoint"].get(
                     "VirtualIPs") or []], 20, "a virtual address")[0]
    procs.wait_for(lambda: re.search(
        r"server %s:8080\b" % re.escape(address),
        bulkhead.proxyctl("config", EAST)), PATIENCE,
        "the address in the configuration", 0.5)
    bulkhead.wait_applied(EAST)

    def generation():
        known = json.loads(bulkhead.proxyctl("--json", "clusters"))
        return [c["generation"] for c in known["clusters"]
                if c["name"] == EAST]
    before = generation()
    site.command("docker service scale --detach demo=6")
    real.wait_running("demo", 6)
    # What comes after it is there: it would be, too.
    site.command("docker service create --name after --network demo"
                 " --label com.docker.lb.hosts=after.local"
                 " --label com.docker.lb.port=8080"
                 " --label com.docker.lb.backend_mode=vip"
                 " ehazlett/docker-demo")
    procs.wait_for(lambda: "after.local" in bulkhead.proxyctl("routes"),
                   PATIENCE, "what came after", 0.2)
    tap.equal(generation()[0], before[0] + 1, "changes")
    bulkhead.docker("service", "rm", "demo", "after")
    procs.wait_for(lambda: "demo.local" not in bulkhead.proxyctl("routes"),
                   PATIENCE, "the service to be gone", 0.2)


@tap.step
def service_clusters():
    for one in (EAST, WEST):
        side = one.partition("-")[2]
        site.command("docker network create -d overlay demo-" + side)
        site.command("docker service create --name demo-%s --network demo-%s"
                     " --label com.docker.lb.hosts=demo-%s.local"
                     " --label com.docker.lb.port=8080"
                     " --label com.docker.lb.service_cluster=%s"
                     " --env METADATA=%s ehazlett/docker-demo" % (
                         side, side, side, one, one))
    for one, other in ((EAST, WEST), (WEST, EAST)):
        side = one.partition("-")[2]
        site.published(one, "demo-%s.local" % side, cluster=one)
        site.wait_status(503, "demo-%s.local" % side, cluster=other)
    bulkhead.docker("service", "rm", "demo-east", "demo-west")
    site.wait_status(503, "demo-east.local", cluster=EAST)


@tap.step
def an_application_in_host_mode():
    site.command("docker service create --name demo-hostmode"
                 " --label com.docker.lb.hosts=demo-hostmode.local"
                 " --label com.docker.lb.port=8080"
                 " --publish mode=host,target=8080"
                 " --env METADATA=demo-hostmode ehazlett/docker-demo")
    seen = site.published("demo-hostmode", "demo-hostmode.local")
    tap.contains(seen["answer"]["x-upstream-addr"][0],
                 bulkhead.swarm.node(0).address + ":")
    site.gone("demo-hostmode", host="demo-hostmode.local")


pages.main(site)
