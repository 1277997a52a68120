"""The services of a case as an Engine tells of them."""

import backends

NODE = "127.59.0.1"
PORT = "22080"  # of the applications, where a case names none


def loopback(network, service, task):
    return "127.%d.%d.%d" % (60 + network, service, task)


class Snapshot:
    """A case's services as the Engine API shows them, and their backends."""

    def __init__(self, case, pki):
        self.networks = {}
        self.services = []
        self.tasks = []
        self.backends = []
        self.pki = pki
        for name, service in case["services"].items():
            self.add(name, service)
        self.document = {
            "version": 1,
            "services": self.services,
            "tasks": self.tasks,
            "networks": list(self.networks.values()),
            "nodes": [{"ID": "node1", "Status": {"State": "ready",
                                                 "Addr": NODE},
                       "Description": {"Hostname": "one"}}],
            "secrets": [{"ID": "secret%d" % i, "Version": {"Index": 1},
                         "CreatedAt": "2024-01-01T00:00:00Z",
                         "Spec": {"Name": n, "Labels": {}}}
                        for i, n in enumerate(case.get("secrets", {}))],
            "configs": [{"ID": "config%d" % i, "Version": {"Index": 1},
                         "CreatedAt": "2024-01-01T00:00:00Z",
                         "Spec": {"Name": n, "Labels": {}}}
                        for i, n in enumerate(case.get("configs", {}))],
        }

    def network(self, name):
        if name not in self.networks:
            number = len(self.networks)
            self.networks[name] = {
                "Id": "net%d%s" % (number, "x" * 20), "Name": name,
                "Driver": "overlay", "Scope": "swarm",
                "Ingress": name == "ingress",
                "IPAM": {"Config": [
                    {"Subnet": "127.%d.0.0/16" % (60 + number)}]},
                "Labels": {},
            }
        return self.networks[name]

    def add(self, name, service):
        """
        {"labels":{…}, "tasks":N, "networks":[…], "vip":bool, "replicas":N,
        "dead":[task numbers], "kind", "tls", "proxy_protocol", "spec":{…}}
        """
        number = len(self.services) + 1
        ident = "svc%02d%s" % (number, "x" * 20)
        labels = {"com.docker.lb." + k if "." not in k else k: v
                  for k, v in service.get("labels", {}).items()}
        labels.setdefault("com.docker.lb.port", PORT)
        networks = [self.network(n) for n in service.get("networks", ["net"])]
        vip = labels.get("com.docker.lb.backend_mode", "").lower() == "vip"
        count = service.get("tasks", 1)
        spec = {
            "Name": name, "Labels": labels,
            "TaskTemplate": {
                "ContainerSpec": {"Image": "app"},
                # Whoever publishes a port is on ingress without asking.
                "Networks": [{"Target": n["Id"]} for n in networks
                             if not n["Ingress"]]},
            "Mode": {"Replicated": {
                "Replicas": service.get("replicas", count)}},
            "EndpointSpec": {"Mode": "vip"},
        }
        if service.get("published"):
            spec["EndpointSpec"]["Ports"] = [{
                "Protocol": "tcp", "PublishMode": "host",
                "TargetPort": int(labels["com.docker.lb.port"])}]
        spec.update(service.get("spec", {}))
        self.services.append({
            "ID": ident, "Version": {"Index": 10 + number},
            "CreatedAt": "2024-01-01T00:00:%02d.%09dZ" % (number, number),
            "UpdatedAt": "2024-01-01T00:00:00Z", "Spec": spec,
            "Endpoint": {"Spec": {"Mode": "vip"},
                         "Ports": spec["EndpointSpec"].get("Ports", []),
                         "VirtualIPs": [
                {"NetworkID": n["Id"],
                 "Addr": self.address(n, number, 250) + "/16"}
                for n in networks]},
        })
        port = int(labels["com.docker.lb.port"])
        if vip and networks:
            self.answer(service, name, "vip",
                        self.address(networks[0], number, 250), port)
        for task in range(1, count + 1):
            self.add_task(name, service, ident, number, task, networks,
                          None if vip else port)

    def address(self, network, service, task):
        index = list(self.networks.values()).index(network)
        return loopback(index, service, task)

    def add_task(self, name, service, ident, number, task, networks, port):
        state = service.get("states", {}).get(str(task), "running/running")
        seen, wanted = state.split("/")
        addresses = service.get("addresses", {}).get(str(task))
        if addresses and {"Subnet": "::1/128"} not in \
                networks[0]["IPAM"]["Config"]:
            networks[0]["IPAM"]["Config"].append({"Subnet": "::1/128"})
        self.tasks.append({
            "ID": "task%02d%02d%s" % (number, task, "x" * 17),
            "Version": {"Index": 20 + task}, "ServiceID": ident,
            "NodeID": "node1", "Slot": task,
            "Status": {"State": seen}, "DesiredState": wanted,
            "NetworksAttachments": [
                {"Network": {"ID": n["Id"], "Spec": {"Name": n["Name"]}},
                 "Addresses": addresses or [
                     self.address(n, number, task) + "/16"]}
                for n in networks],
        })
        if port is None:
            return
        if service.get("published"):
            # Swarm tells the number that it gave each task.
            number = service["published"] + task
            self.tasks[-1]["Status"]["PortStatus"] = {"Ports": [{
                "Protocol": "tcp", "PublishMode": "host",
                "TargetPort": port, "PublishedPort": number}]}
            self.answer(service, name, str(task), NODE, number)
        if addresses:
            for address in addresses:
                self.answer(service, name, str(task),
                            address.partition("/")[0], port)
            return
        for network in networks:
            self.answer(service, name, str(task),
                        self.address(network, number, task), port)

    def answer(self, service, name, task, address, port):
        kind = service.get("kinds", {}).get(task, service.get("kind", "echo"))
        tls = service.get("tls")
        self.backends.append(backends.Backend(
            name, task, address, port, kind, self.pki.pair(tls) if tls
            else None, service.get("proxy_protocol", False)))
