"""
A client as a load balancer in front of a proxy group would be: it asks each
proxy's /healthz ten times a second, sends only to those that said 200, in
turn, on a new connection each time, and keeps what failed.

    targets = [("10.0.0.1:80", "10.0.0.1:8081"), ...]   # no /healthz: None
    with balanced.Client(targets, "web.example", rate=200) as client:
        ...
        client.more(100)
    tap.equal(client.failed[:5], [], "failed of %d" % client.asked)
"""

import threading
import time

import httpc
import procs

ASK_EACH = 0.1
FIRST = 20      # answers before the body of "with" begins


def status(where, target="/", host=None, timeout=5):
    """0: no answer."""
    try:
        return httpc.get(where, target, host=host, timeout=timeout).status
    except (OSError, ValueError):
        return 0


class Client:
    """
    'asked' and 'by' (of each target) count; 'failed' has [(time, where,
    status)], 'said' each change of what a /healthz said: [(time, where,
    status)], 0 for no answer; 'idle' counts turns with nobody to ask.  Times
    are monotonic.  'ask' is what sends one request to a target: a status.
    """

    def __init__(self, targets, host, rate=200, ask=None):
        self.targets = targets
        self.ask = ask or (lambda where: status(where, host=host))
        self.rate = rate
        self.health = {where: None for where, _ in targets}
        self.asked, self.idle = 0, 0
        self.by = {where: 0 for where, _ in targets}
        self.failed, self.said = [], []
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self._watch, args=pair,
                                         daemon=True) for pair in targets]
        self.threads.append(threading.Thread(target=self._run, daemon=True))

    def _look(self, where, health):
        got = 200 if health is None else status(health, "/healthz", timeout=2)
        if self.health[where] != got:
            self.said.append((time.monotonic(), where, got))
        self.health[where] = got

    def _watch(self, where, health):
        while not self.ending.wait(ASK_EACH):
            self._look(where, health)

    def healthy(self):
        return [w for w, _ in self.targets if self.health[w] == 200]

    def _one(self, where):
        begun = time.monotonic()
        got = self.ask(where)
        self.asked += 1
        self.by[where] += 1
        if got != 200:
            self.failed.append((begun, where, got))

    def _run(self):
        turn, due = 0, time.monotonic()
        while not self.ending.wait(max(0.0, due - time.monotonic())):
            due = max(due + 1.0 / self.rate, time.monotonic() - 1)
            well = self.healthy()
            turn += 1
            if well:
                self._one(well[turn % len(well)])
            else:
                self.idle += 1

    def more(self, number, deadline=60):
        """Waits for so many answers."""
        goal = self.asked + number
        procs.wait_for(lambda: self.asked >= goal, deadline, "answers", 0.02)

    def wait_healthy(self, number, deadline=60):
        procs.wait_for(lambda: len(self.healthy()) >= number, deadline,
                       "%d healthy proxies" % number, 0.05)

    def __enter__(self):
        for pair in self.targets:
            self._look(*pair)
        for thread in self.threads:
            thread.start()
        try:
            self.more(FIRST)
        except AssertionError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join(20)
