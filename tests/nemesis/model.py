"""What must answer, computed from the Engine's lists alone: a second opinion
that shares nothing with the programs.  It knows the labels that nemesis.py
writes, and no others."""

import re

LB = "com.docker.lb."
HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9-]+)*")


def age(service):
    """CreatedAt has up to nine decimals, and fewer where they are 0."""
    stamp, _, fraction = service["CreatedAt"].rstrip("Z").partition(".")
    return stamp, int((fraction + "000000000")[:9]), service["ID"]


def routable(task):
    return (task["Status"]["State"] == "running"
            and task["DesiredState"] == "running")


class Cluster:
    """Routes of one cluster: (host, path) to names and IDs of tasks."""

    def __init__(self):
        self.owners = {}    # host -> network
        self.routes = {}    # (host, path) -> {service name: {task ID}}
        self.rejected = set()
        self.accepted = set()

    def take(self, service, tasks):
        labels = service["Spec"].get("Labels") or {}
        name = service["Spec"]["Name"]
        hosts = [h.strip() for h in labels[LB + "hosts"].split(",")]
        path = labels.get(LB + "context_root", "/")
        template = service["Spec"]["TaskTemplate"]
        network = template["Networks"][0]["Target"]
        if not all(HOST.fullmatch(h) for h in hosts) or any(
                self.owners.get(h, network) != network for h in hosts):
            self.rejected.add(name)
            return
        self.accepted.add(name)
        alive = {t["ID"] for t in tasks if routable(t)}
        for host in hosts:
            self.owners.setdefault(host, network)
            pool = self.routes.setdefault((host, path), {})
            pool[name] = alive


def compute(services, tasks, names):
    """{cluster name: Cluster} for the clusters 'names'."""
    clusters = {name: Cluster() for name in names}
    by_service = {}
    for task in tasks:
        by_service.setdefault(task["ServiceID"], []).append(task)
    for service in sorted(services, key=age):
        labels = service["Spec"].get("Labels") or {}
        cluster = clusters.get(labels.get(LB + "service_cluster"))
        if cluster is not None and LB + "hosts" in labels:
            cluster.take(service, by_service.get(service["ID"], []))
    return clusters
