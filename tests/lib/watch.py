"""SwarmKit's Watch through curl, decoded: an ear of the tests' own.

    ear = watch.Ear(fake.control)
    ear.wait(lambda m: any(e.kind == "task" for e in m.events))
    ear.close()
"""

import struct
import subprocess
import threading

import procs

URL = "https://localhost/docker.swarmkit.v1.Watch/Watch"
KINDS = {1: "node", 2: "service", 3: "network", 4: "task", 5: "cluster",
         6: "secret", 9: "config"}
ACTIONS = {1: "create", 2: "update", 4: "remove"}
STATES = {0: "new", 64: "pending", 192: "assigned", 256: "accepted",
          320: "preparing", 384: "ready", 448: "starting", 512: "running",
          576: "complete", 640: "shutdown", 704: "failed", 768: "rejected",
          800: "remove", 832: "orphaned"}


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def put_varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def put(field, value):
    if isinstance(value, int):
        return put_varint(field << 3) + put_varint(value)
    return put_varint(field << 3 | 2) + put_varint(len(value)) + value


def fields(data):
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        elif tag & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            size = 8 if tag & 7 == 1 else 4
            value, at = data[at:at + size], at + size
        yield tag >> 3, value


def last(data, number, otherwise=b""):
    for field, value in fields(data):
        if field == number:
            otherwise = value
    return otherwise


class Event:
    """One change of one object."""

    def __init__(self, data):
        self.action = ACTIONS.get(last(data, 1, 0))
        for number, body in fields(last(data, 2)):
            self.kind = KINDS.get(number, str(number))
            self.raw = body
            self.id = last(body, 1).decode()
            self.version = last(last(last(body, 2), 1), 1, 0)
            self.name = last(last(last(body, 3), 1), 1).decode()
            if self.kind == "task":
                self.service = last(body, 4).decode()
                self.slot = last(body, 5, 0)
                self.node = last(body, 6).decode()
                self.state = STATES[last(last(body, 9), 2, 0)]
                self.desired = STATES[last(body, 10, 0)]

    def __repr__(self):
        text = "%s %s %s" % (self.kind, self.action, self.name or self.id)
        if self.kind == "task":
            text += " %s/%s" % (self.state, self.desired)
        return text


class Message:
    """One transaction of the store; version None where it told none."""

    def __init__(self, data):
        self.size = len(data)
        self.version = last(last(data, 2), 1, None)
        self.events = [Event(v) for f, v in fields(data) if f == 1]


class Ear:
    """An open Watch: a thread collects its messages."""

    def __init__(self, control, resume=None, kinds=(
            "task", "service", "network", "node", "secret", "config")):
        request = b"".join(
            put(1, put(1, kind.encode()) + put(2, 7)) for kind in kinds)
        if resume is not None:
            request += put(2, put(1, resume))
        self.folder = procs.TempDir("bh-ear-")
        with open(self.folder.join("request"), "wb") as f:
            f.write(b"\0" + struct.pack(">I", len(request)) + request)
        self.messages = []
        self.ended = False
        self.condition = threading.Condition()
        self.popen = subprocess.Popen(
            ["curl", "-sSNk", "--http2", "--unix-socket", control, URL,
             "-H", "content-type: application/grpc", "-H", "te: trailers",
             "--data-binary", "@" + self.folder.join("request"),
             "-D", self.folder.join("head")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while True:
            head = self.popen.stdout.read(5)
            if len(head) < 5:
                break
            body = self.popen.stdout.read(struct.unpack(">I", head[1:])[0])
            with self.condition:
                self.messages.append(Message(body))
                self.condition.notify_all()
        with self.condition:
            self.ended = True
            self.condition.notify_all()

    def wait(self, match, deadline=30.0, what="message"):
        """The first message for which match(message) is true."""
        def found():
            return next((m for m in self.messages if match(m)), None)
        with self.condition:
            if not self.condition.wait_for(found, deadline):
                raise procs.Timeout("Watch: no such %s" % what)
            return found()

    def wait_started(self):
        return self.wait(lambda m: True, what="start message")

    def wait_event(self, match, deadline=30.0, what="event"):
        self.wait(lambda m: any(match(e) for e in m.events), deadline, what)

    def wait_ended(self, deadline=30.0):
        with self.condition:
            if not self.condition.wait_for(lambda: self.ended, deadline):
                raise procs.Timeout("Watch does not end")
        self.popen.wait(10)

    def events(self):
        with self.condition:
            return [e for m in self.messages for e in m.events]

    def header(self, name):
        """Of the head or the trailers; None where it is not there."""
        with open(self.folder.join("head"), encoding="latin-1") as f:
            for line in f:
                key, _, value = line.partition(":")
                if key.strip().lower() == name:
                    return value.strip()
        return None

    def close(self):
        if self.popen.poll() is None:
            self.popen.terminate()
        self.popen.wait(10)
        self.thread.join(10)
        self.popen.stdout.close()
        self.folder.remove()
