"""Witness load: asks all the time, so that nothing goes wrong unseen.

    witness = Witness("127.0.0.1:8080", host="a.example").start()
    ... what may not be noticed ...
    witness.stop()
    witness.check()

One-shot connections by default: each request on a connection of its own.
keepalive=True uses one connection per thread for as long as it lasts;
tls=True asks over TLS, with the host as SNI.
"""

import http.client
import json
import socket
import ssl
import threading
import time


class Answer:
    """What a request met: status (0: none), body, error text."""

    __slots__ = ("time", "status", "body", "error")

    def __init__(self, status, body, error):
        self.time = time.monotonic()
        self.status = status
        self.body = body
        self.error = error

    def __repr__(self):
        return "<%d %r %s>" % (self.status, self.body[:60], self.error)


class Witness:
    """
    'where' is ADDRESS:PORT.  An answer is a failure unless its status is in
    'allowed' and expect(body), where given, is true.
    """

    def __init__(self, where, host="localhost", target="/", threads=2,
                 rate=100.0, allowed=(200,), expect=None, keepalive=False,
                 timeout=10.0, tls=False, headers=None):
        self.address, port = where.rsplit(":", 1)
        self.port = int(port)
        self.host, self.target = host, target
        self.allowed, self.expect = allowed, expect
        self.headers = headers or {}
        self.keepalive, self.timeout, self.tls = keepalive, timeout, tls
        self.pause = threads / rate
        self.count = 0
        self.failures = []
        self.bodies = {}
        self.first_seen = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True)
                         for _ in range(threads)]

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(self.timeout + 5)
        return self

    def check(self):
        """Raises, with a few of them, when there were failures."""
        if self.failures:
            raise AssertionError("%d of %d requests failed: %r" % (
                len(self.failures), self.count, self.failures[:5]))

    def wait_count(self, more, deadline=30.0):
        """Returns when 'more' further requests were answered."""
        goal = self.count + more
        end = time.monotonic() + deadline
        while self.count < goal:
            if time.monotonic() > end:
                raise AssertionError("the witness gets no answers")
            time.sleep(0.01)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def _connect(self):
        connection = http.client.HTTPConnection(
            self.address, self.port, timeout=self.timeout)
        if self.tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            connection.sock = context.wrap_socket(
                socket.create_connection((self.address, self.port),
                                         self.timeout),
                server_hostname=self.host)
        return connection

    def _ask(self, connection):
        try:
            connection.putrequest("GET", self.target, skip_host=True)
            connection.putheader("Host", self.host)
            for header in self.headers.items():
                connection.putheader(*header)
            if not self.keepalive:
                connection.putheader("Connection", "close")
            connection.endheaders()
            response = connection.getresponse()
            return Answer(response.status,
                          response.read().decode("latin-1"), "")
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, "", "%s: %s" % (type(error).__name__, error))

    def _note(self, answer):
        good = answer.status in self.allowed and (
            self.expect is None or self.expect(answer.body))
        with self._lock:
            self.count += 1
            self.bodies[answer.body] = self.bodies.get(answer.body, 0) + 1
            self.first_seen.setdefault(answer.body, answer.time)
            if not good:
                self.failures.append(answer)

    def _run(self):
        connection = None
        while not self._stop.is_set():
            try:
                if connection is None:
                    connection = self._connect()
            except OSError as error:
                self._note(Answer(0, "", repr(error)))
                self._stop.wait(self.pause)
                continue
            answer = self._ask(connection)
            if not self.keepalive or answer.status == 0:
                connection.close()
                connection = None
            self._note(answer)
            self._stop.wait(self.pause)
        if connection is not None:
            connection.close()


class Load:
    """
    Witnesses on every proxy of clusters of a bulkhead.System, for as long as
    a "with" lasts; 'asked' is a list of (cluster, host, service that must
    answer).
    """

    def __init__(self, system, asked, rate=40.0, keepalive=False):
        self.all = [
            Witness(system.clusters[name].where(i), host=host, rate=rate,
                    keepalive=keepalive, expect=lambda body, s=service:
                    json.loads(body)["service"] == s)
            for name, host, service in asked
            for i in range(system.clusters[name].replicas)]

    def __enter__(self):
        for w in self.all:
            w.start()
        return self

    def __exit__(self, *_):
        for w in self.all:
            w.stop()

    def check(self, more=10):
        """After 'more' further answers each: none has failed."""
        for w in self.all:
            w.wait_count(more)
        for w in self.all:
            w.stop()
            w.check()
