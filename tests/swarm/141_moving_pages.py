#!/usr/bin/env python3
"""Every command and stack of our pages on moving from Interlock and from
Traefik, on a real Swarm."""

import collections
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import pages   # noqa: E402
import procs   # noqa: E402
import stack   # noqa: E402
import tap     # noqa: E402
from pages import PATIENCE  # noqa: E402

site = pages.begin()
bulkhead = site.bulkhead
real = bulkhead.real


DOCS = os.path.join(stack.DEPLOY, "..", "docs")


def blocks(page, kind):
    with open(os.path.join(DOCS, page), encoding="utf-8") as file:
        found = re.findall(r"^```(\w*)\n(.*?)^```$", file.read(),
                           re.S | re.M)
    return [text for what, text in found if what == kind]


def shell(text):
    """Commands of a page, as they stand but for the place of the socket."""
    folder = bulkhead.tmp.join("shell")
    os.makedirs(folder, exist_ok=True)
    env = dict(bulkhead.env)
    env["PATH"] = ":".join((os.path.dirname(procs.binary("proxyctl")),
                            os.path.dirname(stack.CLIENT), env["PATH"]))
    done = subprocess.run(
        ["sh", "-ec", text.replace("/var/run/docker.sock", real.socket)],
        cwd=folder, env=env, capture_output=True, text=True, check=False,
        timeout=120)
    tap.equal(done.returncode, 0, text + done.stdout + done.stderr)
    return done.stdout


@tap.step
def the_commands_of_the_page_on_interlock():
    look, bring = blocks("migrating-from-interlock.md", "")
    site.command("docker service create --name seen --network demo"
            " --label com.docker.lb.hosts=seen.local"
            " --label com.docker.lb.port=8080 ehazlett/docker-demo")
    real.wait_running("seen", 1)
    tap.contains(shell(look), "seen")
    bulkhead.docker("service", "rm", "seen")
    toml, = blocks("migrating-from-interlock.md", "toml")
    site.command("docker config create com.docker.ucp.interlock.conf-1 " +
            site.write("interlock.toml", toml))
    site.command("docker service create --name ucp-interlock"
            " --config source=com.docker.ucp.interlock.conf-1,"
            "target=/config.toml ehazlett/docker-demo")
    first, second = bring.strip().splitlines()
    name = shell(first).strip()
    out = bulkhead.tmp.join("brought")
    os.makedirs(out)
    shell(second.replace("NAME", name).replace("/etc/bulkhead", out))
    with open(os.path.join(out, "clusters.d", "default.ini"),
              encoding="ascii") as file:
        written = re.sub("^#.*\n\n?", "", file.read())
    tap.equal(written, blocks("migrating-from-interlock.md", "ini")[0])
    bulkhead.docker("service", "rm", "ucp-interlock")


def deploy(yaml):
    """A stack file of a page, with the image of here that says who it is."""
    text = re.sub(
        r"  ([a-z-]+):\n    image: .*", lambda m:
        "  %s:\n    image: %s\n    environment: {METADATA: %s, PORT: '%d'}" % (
            m[1], site.samples["ehazlett/docker-demo"], m[1],
            3000 if m[1] == "api" else 8080), yaml)
    bulkhead.deploy(site.write("shop.yml", 'version: "3.8"\n' + text +
                          "networks:\n  front: {driver: overlay}\n"), "shop")


HOST = "shop.example.com"


@tap.step
def the_stacks_of_the_page_on_interlock():
    names = "shop.example.com,old.example.com"
    for name, what in (("cert", "cert:" + names), ("key", "key:" + names)):
        site.command("docker secret create shop-%s %s" % (
            name, site.write("shop." + name, site.pki.secret(what))))
    before, after = blocks("migrating-from-interlock.md", "yaml")
    deploy(before)
    site.published("web", HOST, tls=True)
    site.published("web", HOST)
    code, headers, _ = site.ask("old.example.com", "/x")[0]
    tap.equal((code, headers["location"]), (302, ["http://%s/x" % HOST]))
    tap.ok(site.websocket(HOST, "/live", tls=True), "no websocket")
    deploy(after)
    tap.equal(site.published("api", HOST, "/api/x", look=0.5, tls=True)[
        "target"], "/x")
    site.wait_status(308, HOST)

    def shared():
        seen = collections.Counter(
            s["service"] for _, _, s in site.ask(
                HOST, tls=True, count=200) if s)
        return sum(seen.values()) == 200 and abs(seen["web-canary"] - 10) <= 4
    procs.wait_for(shared, PATIENCE, "5 of 100 for the canary", 0.2)
    procs.wait_for(lambda: 429 in {
        got[0] for got in site.ask(HOST, "/api/x", tls=True, count=100)},
        PATIENCE, "too many requests to be told so", 0.2)


@tap.step
def the_stack_of_the_page_on_traefik():
    look, = blocks("migrating-from-traefik.md", "")
    theirs, ours = blocks("migrating-from-traefik.md", "yaml")
    tap.ok("traefik." in theirs)

    def removed():
        bulkhead.docker("stack", "rm", "shop", check=False, quiet=True)
        return not [n for n in real.get("/networks")
                    if n["Name"] == "shop_front"]
    procs.wait_for(removed, 120, "the network to be let go", 0.5)
    deploy(ours)
    site.published("web", HOST, tls=True)
    tap.equal(site.published("api", HOST, "/api/x", look=0.5, tls=True)[
        "target"], "/x")
    site.wait_status(308, HOST)
    tap.contains(shell(look), "shop_web")


pages.main(site)
