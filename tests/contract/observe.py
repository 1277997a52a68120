"""
What is kept of an engine that is watched: shapes of its JSON, its answers,
events in order, and the states that its tasks pass through.
"""

import re
import threading
import time

import httpc

# Members that a real engine has and we neither read nor simulate.
IGNORED = {
    "Description.Engine.Plugins", "Description.TLSInfo", "Meta",
    "Description.Resources.GenericResources",
}


def shape(value, path=""):
    """A JSON value's members and types; lists are the union of elements."""
    if path in IGNORED:
        return "ignored"
    if isinstance(value, dict):
        # Keys of these are data.
        if path.rsplit(".", 1)[-1] in ("Labels", "Options"):
            return "map"
        return {k: shape(v, path + "." + k if path else k)
                for k, v in value.items()}
    if isinstance(value, list):
        merged = None
        for item in value:
            merged = merge(merged, shape(item, path))
        return ["list", merged]
    if value is None:
        return "null"
    return type(value).__name__


def merge(one, two):
    """The union of two shapes."""
    if one is None or one == two:
        return two
    if two is None:
        return one
    if isinstance(one, dict) and isinstance(two, dict):
        out = dict(one)
        for key, value in two.items():
            out[key] = merge(one.get(key), value)
        return out
    if isinstance(one, list) and isinstance(two, list):
        return ["list", merge(one[1], two[1])]
    kinds = set()
    for part in (one, two):
        kinds |= set(part.split("|")) if isinstance(part, str) else {
            "object" if isinstance(part, dict) else "list"}
    return "|".join(sorted(kinds))


def flat(value, path=""):
    """A shape as a set of lines "path: type"."""
    if isinstance(value, dict):
        out = set()
        for key, inner in value.items():
            out |= flat(inner, path + "." + key if path else key)
        return out or {path + ": empty object"}
    if isinstance(value, list):
        return flat(value[1], path + "[]")
    return {"%s: %s" % (path, value)}


class Record:
    """What one engine did."""

    def __init__(self, engine):
        self.engine = engine
        self.answers = {}
        self.shapes = {}
        self.facts = {}
        self.events = []
        self.steps = {}
        self.error = None

    def plain(self, text):
        """An error text without what differs between two engines."""
        text = re.sub(r"\b[0-9a-z]{25}\b", "<id>", text)
        return text.strip()

    def call(self, name, method, path, body=None, query=None):
        """Makes the call and keeps status and, of an error, the body."""
        answer = self.engine.api(method, path, body, query)
        kept = [answer.status]
        if answer.status >= 400:
            kept.append(answer.headers.get("content-type"))
            kept.append(self.plain(answer.text))
        elif answer.body:
            kept.append(answer.headers.get("content-type"))
            self.shapes[name] = flat(shape(answer.json))
        self.answers[name] = kept
        return answer


class Watcher(threading.Thread):
    """Polls /tasks quickly and notes each task's states in order."""

    def __init__(self, engine):
        super().__init__(daemon=True)
        self.engine = engine
        self.stopping = threading.Event()
        self.tasks = {}
        self.log = []

    def run(self):
        connection = httpc.UnixConnection(self.engine.socket)
        last = False
        while not last:
            # Once more after the end: what others have seen is seen here too.
            last = self.stopping.is_set()
            answer = httpc.exchange(connection, "GET", "/v1.41/tasks")
            now = {}
            # What one answer shows happened at one time.
            seen = time.monotonic()
            for task in answer.json:
                state = (task["Status"]["State"], task["DesiredState"])
                now[task["ID"]] = state
                if self.tasks.get(task["ID"]) != state:
                    self.log.append((seen, task["ID"], task.get("Slot"),
                                     state))
            for gone in set(self.tasks) - set(now):
                self.log.append((seen, gone, None, "gone"))
            self.tasks = now
            self.stopping.wait(0.005)
        connection.close()

    def finish(self):
        self.stopping.set()
        self.join(60)


def desired_path(watcher, task):
    """The desired states of a task in order, "gone" at the end if it went."""
    out = []
    for _, who, _, state in watcher.log:
        if who == task:
            word = state if state == "gone" else state[1]
            if not out or out[-1] != word:
                out.append(word)
    return out


def first(watcher, task, match):
    """Index in the log where match(state) first holds for the task."""
    for index, (_, who, _, state) in enumerate(watcher.log):
        if who == task and state != "gone" and match(state):
            return index
    return None


def when(watcher, index):
    return watcher.log[index][0]


def seconds(watcher, one, two):
    return watcher.log[two][0] - watcher.log[one][0]


def simplify(events):
    """Events by object: (type, name) -> [(action, attributes)]."""
    out = {}
    for event in events:
        if event.get("Type") not in ("service", "network", "secret",
                                     "config"):
            continue
        attributes = dict(event["Actor"]["Attributes"])
        name = attributes.pop("name")
        entry = (event["Action"], sorted(attributes.items()))
        known = out.setdefault((event["Type"], name), [])
        known.append(entry)
        # The real engine's allocator and its updater race: whether the
        # endpoint or "updating" is told first is nobody's promise.
        if entry == ("update", []) and len(known) > 1 and known[-2] == (
                "update", [("updatestate.new", "updating")]):
            known[-2], known[-1] = known[-1], known[-2]
    return out
