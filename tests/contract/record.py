#!/usr/bin/env python3
"""
Records tests/fixtures/engine/*.json from a private real engine: lists with
one service of every kind that we care about, and the snapshot document of
all of them.  Run by hand, as root: tests/contract/record.py

What would tell about the machine (host name, certificates, addresses of the
host, sizes) is replaced.
"""

import base64
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import engine  # noqa: E402
import procs  # noqa: E402

OUT = os.path.join(os.path.dirname(HERE), "fixtures", "engine")


def setup(real):
    """Networks, secrets, configs and services; waits until tasks settled."""
    real.create_network("front", Labels={
        "com.docker.stack.namespace": "shop"})
    real.create_network("back")
    real.create_network("wide", IPAM={"Config": [
        {"Subnet": "10.77.0.0/16", "Gateway": "10.77.0.1"}]},
        Attachable=True, Internal=True)
    data = base64.b64encode(b"not a certificate\n").decode()
    secret = real.api("POST", "/secrets/create", {
        "Name": "shop.cert", "Data": data,
        "Labels": {"com.docker.lb.allow": "web,stack:shop"}}).json["ID"]
    real.api("POST", "/secrets/create", {"Name": "other", "Data": data})
    config = real.api("POST", "/configs/create", {
        "Name": "shop.conf", "Data": data, "Labels": {"a": "b"}}).json["ID"]
    lb = "com.docker.lb."
    mount = {"Name": "shop.cert", "UID": "0", "GID": "0", "Mode": 0o440}
    real.create_service("web", networks=["front"], replicas=2, labels={
        lb + "hosts": "shop.example, www.shop.example", lb + "port": "8080",
        lb + "ssl_cert": "shop.cert",
        "com.docker.stack.namespace": "shop"}, ContainerSpec={
            "Secrets": [{"File": mount, "SecretID": secret,
                         "SecretName": "shop.cert"}],
            "Configs": [{"File": dict(mount, Name="shop.conf"),
                         "ConfigID": config, "ConfigName": "shop.conf"}]},
        env=["VERSION=1", "TOKEN=example"],
        UpdateConfig={"Parallelism": 1, "Order": "start-first",
                      "Delay": 1000000, "Monitor": 1000000,
                      "FailureAction": "rollback", "MaxFailureRatio": 0},
        TaskTemplate={"RestartPolicy": {"Condition": "any",
                                        "Delay": 100000000}})
    real.create_service("both", networks=["front", "back"], labels={
        lb + "hosts": "both.example", lb + "port": "8080",
        lb + "network": "back", lb + "backend_mode": "vip"})
    real.create_service("everywhere", networks=["wide"], replicas="global",
                        labels={lb + "default_backend": "true",
                                lb + "port": "8080"})
    real.create_service("rr", networks=["back"], labels={
        lb + "hosts": "rr.example", lb + "port": "8080"},
        EndpointSpec={"Mode": "dnsrr"})
    real.create_service("hostport", labels={
        lb + "hosts": "host.example", lb + "port": "8080"},
        EndpointSpec={"Ports": [{"Protocol": "tcp", "TargetPort": 8080,
                                 "PublishMode": "host"}]})
    real.create_service("published", networks=["front"], EndpointSpec={
        "Ports": [{"Protocol": "tcp", "TargetPort": 8080,
                   "PublishedPort": 20800, "PublishMode": "ingress"}]})
    real.create_service("none", networks=["back"], replicas=0, labels={
        lb + "hosts": "none.example", lb + "port": "8080"})
    real.create_service("crash", networks=["back"],
                        env=["DIE_AFTER_MS=200"], labels={
                            lb + "hosts": "crash.example", lb + "port": "1"},
                        TaskTemplate={"RestartPolicy": {
                            "Condition": "any", "Delay": 100000000}})
    real.create_service("nowhere", networks=["back"], TaskTemplate={
        "Placement": {"Constraints": ["node.labels.zone==moon"]}})
    for name, number in (("web", 2), ("both", 1), ("everywhere", 1),
                         ("rr", 1), ("hostport", 1), ("published", 1)):
        real.wait_running(name, number)
    procs.wait_for(lambda: len(real.tasks("crash")) >= 3, 60)
    real.update_service("web", lambda spec: spec["TaskTemplate"][
        "ContainerSpec"]["Env"].__setitem__(0, "VERSION=2"))
    procs.wait_for(lambda: real.get("/services/web").get(
        "UpdateStatus", {}).get("State") == "completed", 60)
    real.scale("both", 2)
    real.wait_running("both", 2)


def clean(value):
    """Takes the machine out of a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "Hostname":
                value[key] = "node1"
            elif key in ("TrustRoot", "CertIssuerSubject",
                         "CertIssuerPublicKey"):
                value[key] = "c2FtcGxl"
            elif key == "MemoryBytes":
                value[key] = 4294967296
            elif key == "KernelVersion":
                value[key] = "6.1.0"
            else:
                clean(inner)
    elif isinstance(value, list):
        for inner in value:
            clean(inner)
    return value


def main():
    os.makedirs(OUT, exist_ok=True)
    real = engine.RealEngine()
    real.start()
    try:
        setup(real)
        snapshot = clean(real.snapshot())
        # Bridges are the machine's own.
        snapshot["networks"] = [
            n for n in snapshot["networks"] if n["Name"] != "docker_gwbridge"]
        version = clean(real.get("/version"))
    finally:
        real.stop()
    text = json.dumps(snapshot)
    if re.search(r"/tmp|/home|/root", text):
        sys.exit("a path of this machine is in the fixtures")
    documents = {k: v for k, v in snapshot.items() if k != "version"}
    documents["snapshot"] = snapshot
    documents["version"] = version
    for name, document in documents.items():
        with open(os.path.join(OUT, name + ".json"), "w") as file:
            json.dump(document, file, indent=1, sort_keys=False)
            file.write("\n")


if __name__ == "__main__":
    main()
