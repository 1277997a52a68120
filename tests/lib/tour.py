"""Tours: a text file that plays on a simulated Swarm, so that a report of a
bug is a file.  tests/README.md has the format; "make run SCRIPT=FILE" plays
one by hand.

    steps = tour.read("tests/fixtures/tours/canary.tour")
    tour.Player(fake, system, say=print).play(steps)
"""

import re
import shlex
import threading
import time

import procs

LB = "com.docker.lb."
DURATION = re.compile(r"(\d+)(ms|s|m)?\Z")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}
# Long enough for whatever reliability.md promises.
DEADLINE = 60.0


class BadTour(Exception):
    """FILE:LINE: what is wrong there."""


class Failed(AssertionError):
    """FILE:LINE: what was expected and did not come."""


class Step:
    def __init__(self, where, text, at, after, words):
        self.where, self.text = where, text
        self.at, self.after = at, after     # seconds, or None
        self.name, self.words = words[0], words[1:]


def duration(text):
    match = DURATION.match(text)
    if match is None:
        raise ValueError("%r is no duration (500ms, 2s, 1m)" % text)
    return int(match.group(1)) * UNITS[match.group(2)]


def options(words, known=None):
    """{key: value} of KEY=VALUE words."""
    found = {}
    for word in words:
        key, equal, value = word.partition("=")
        if not equal or key in found:
            raise ValueError("%r is no KEY=VALUE, or comes twice" % word)
        if known is not None and key not in known and "." not in key:
            raise ValueError("unknown %r; known: %s" % (
                key, " ".join(sorted(known))))
        found[key] = value
    return found


def parse_line(where, line):
    try:
        words = shlex.split(line, comments=True)
        at = after = None
        if words[:1] in (["at"], ["after"]):
            number = duration(words[1])
            at, after = ((number, None) if words[0] == "at"
                         else (None, number))
            words = words[2:]
        if not words:
            if at is not None or after is not None:
                raise ValueError("nothing to do at that time")
            return None
        function = VERBS.get(words[0])
        if function is None:
            raise ValueError("unknown step %r; known: %s" % (
                words[0], " ".join(sorted(VERBS))))
        fewest, most, _ = function
        if not fewest <= len(words) - 1 <= most:
            raise ValueError("wrong number of words after %r" % words[0])
        return Step(where, line.strip(), at, after, words)
    except (ValueError, IndexError) as error:
        raise BadTour("%s: %s" % (where, error)) from None


def parse(text, name="tour"):
    steps = []
    for number, line in enumerate(text.splitlines(), 1):
        step = parse_line("%s:%d" % (name, number), line)
        if step is not None:
            steps.append(step)
    return steps


def read(path):
    with open(path, encoding="utf-8") as f:
        return parse(f.read(), path)


def clusters(steps):
    """(name, INI text, replicas) of the clusters that a tour names."""
    for step in steps:
        if step.name == "cluster":
            found = options(step.words[1:])
            replicas = int(found.pop("replicas", 1))
            yield step.words[0], "[cluster]\n" + "".join(
                "%s = %s\n" % item for item in found.items()), replicas


class Player:
    def __init__(self, fake, system, say=None):
        self.fake, self.system = fake, system
        self.say = say or (lambda text: None)
        self.tick = threading.Event()

    def play(self, steps):
        """All steps in their order; Failed where one is not met."""
        began = last = time.monotonic()
        for step in steps:
            moment = began + step.at if step.at is not None else \
                last + (step.after or 0)
            self.tick.wait(max(0.0, moment - time.monotonic()))
            last = time.monotonic()
            self.say("%7.2f %s" % (last - began, step.text))
            try:
                VERBS[step.name][2](self, *step.words)
            except (AssertionError, ValueError, KeyError,
                    IndexError, OSError) as error:
                raise Failed("%s: %s: %s" % (
                    step.where, step.text, error)) from None

    # ---- what happens ----

    def cluster(self, name, *words):
        for cluster, _, _ in clusters([Step("", "", None, None,
                                            ["cluster", name, *words])]):
            if cluster not in self.system.clusters:
                raise AssertionError("a cluster is named after the start")

    def network(self, name, *words):
        more = {"Driver": "overlay"}
        more.update(options(words, {"Driver"}))
        self.fake.create_network(name, **more)

    def secret(self, name, data):
        import base64
        answer = self.fake.api("POST", "/secrets/create", {
            "Name": name,
            "Data": base64.b64encode(data.encode()).decode()})
        if answer.status != 201:
            raise AssertionError(repr(answer))

    def service(self, name, *words):
        found = options(words)
        replicas = found.pop("replicas", "1")
        spec = self.fake.service_spec(
            name, image=found.pop("image", None),
            networks=found.pop("networks", "").split(",")
            if "networks" in found else (),
            replicas=replicas if replicas == "global" else int(replicas),
            env=found.pop("env").split(",") if "env" in found else None,
            labels=self.labels(found))
        answer = self.fake.api("POST", "/services/create", spec)
        if answer.status != 201:
            raise AssertionError(repr(answer))

    @staticmethod
    def labels(found):
        """A key with a dot in it is whole, others are ours."""
        return {key if "." in key else LB + key: value
                for key, value in found.items()}

    def label(self, name, *words):
        changes = self.labels(options(words))

        def change(spec):
            for key, value in changes.items():
                if value:
                    spec.setdefault("Labels", {})[key] = value
                else:
                    spec.get("Labels", {}).pop(key, None)
        self.fake.update_service(name, change)

    def update(self, name, *words):
        found = options(words, {"image", "env", "networks"})

        def change(spec):
            template = spec["TaskTemplate"]
            if "image" in found:
                template["ContainerSpec"]["Image"] = found["image"]
            if "env" in found:
                template["ContainerSpec"]["Env"] = found["env"].split(",")
            if "networks" in found:
                template["Networks"] = [
                    {"Target": n} for n in found["networks"].split(",")]
        self.fake.update_service(name, change)

    def scale(self, name, number):
        self.fake.scale(name, int(number))

    def remove(self, name):
        self.fake.remove_service(name)

    def task(self, name, what, number="1"):
        if what not in ("fail", "exit"):
            raise ValueError("a task can fail or exit")
        for task in sorted(self.fake.running(name),
                           key=lambda t: t["ID"])[:int(number)]:
            self.fake.sim("POST", "/tasks/%s/%s" % (task["ID"], what))

    def node(self, name, what):
        for node in self.fake.get("/nodes"):
            if node["Description"]["Hostname"] == name:
                self.fake.sim("POST", "/nodes/%s/%s" % (node["ID"], what))
                return
        raise AssertionError("no node " + name)

    def fault(self, path, mode="", count="0"):
        if path == "none":
            self.fake.sim("DELETE", "/faults")
        else:
            self.fake.sim("POST", "/faults", {
                "path": path, "mode": mode, "count": int(count)})

    def events(self, what):
        self.fake.sim("POST", "/events/" + what)

    def watch(self, what):
        self.fake.sim("POST", "/watch/" + what)

    # ---- what must be so ----

    def wait(self, text):
        self.tick.wait(duration(text))

    def running(self, name, number):
        self.fake.wait_running(name, int(number), DEADLINE)

    def expect(self, what, *words):
        question = {"status": self.asks, "service": self.answered_by,
                    "routes": self.has_routes, "state": self.has_state
                    }.get(what)
        if question is None:
            raise ValueError("expect status, service, routes or state")
        procs.wait_for(lambda: question(*words), DEADLINE, "it", 0.05)

    def ask(self, cluster, url):
        host, slash, path = url.partition("/")
        return [self.system.get(cluster, host, slash + path or "/", index)
                for index in range(self.system.clusters[cluster].replicas)
                for _ in range(3)]

    def asks(self, cluster, url, status):
        got = {answer.status for answer in self.ask(cluster, url)}
        if got != {int(status)}:
            raise AssertionError("status %s" % sorted(got))
        return True

    def answered_by(self, cluster, url, names):
        got = {answer.json["service"] for _ in range(8)
               for answer in self.ask(cluster, url)}
        if got != set(names.split(",")):
            raise AssertionError("answered by %s" % sorted(got))
        return True

    def has_routes(self, cluster, *wanted):
        """HOST/PATH=SERVICE:UPSTREAMS, all of them; none: no routes."""
        got = sorted("%s%s=%s:%d" % (
            r["host"], r["path"], r["service"], len(r["upstreams"]))
            for r in self.system.routes(cluster))
        if got != sorted(wanted):
            raise AssertionError("routes are %s" % (" ".join(got) or "none"))
        return True

    def has_state(self, name, state, code=None):
        found = self.system.services().get(name)
        if found is None:
            raise AssertionError("no such service is told")
        if found["state"] != state or (code and found["code"] != code):
            raise AssertionError("%s %s: %s" % (
                found["state"], found["code"], found["reason"]))
        return True


# Name of a step: fewest and most words after it, what it does.
VERBS = {
    "cluster": (1, 99, Player.cluster), "network": (1, 9, Player.network),
    "secret": (2, 2, Player.secret), "service": (1, 99, Player.service),
    "label": (2, 99, Player.label), "update": (2, 9, Player.update),
    "scale": (2, 2, Player.scale), "remove": (1, 1, Player.remove),
    "task": (2, 3, Player.task), "node": (2, 2, Player.node),
    "fault": (1, 3, Player.fault), "events": (1, 1, Player.events),
    "watch": (1, 1, Player.watch), "wait": (1, 1, Player.wait),
    "running": (2, 2, Player.running), "expect": (2, 99, Player.expect),
}
