"""
A client as a load balancer in front of a proxy group would be: it asks each
proxy's /healthz ten times a second, sends only to those that said 200, and
counts what fails.

    client = balanced.Client([("10.0.0.1:80", "10.0.0.1:8500"), ...],
                             "web.example", rate=100)
    ...
    figures = client.end()      # {"asked": N, "failed": N, "why": [...]}
"""

import threading
import time

import httpc

ASK_EACH = 0.1


class Client:
    def __init__(self, targets, host, rate=100):
        self.targets = targets
        self.host = host
        self.rate = rate
        self.healthy = {where: False for where, _ in targets}
        self.asked = 0
        self.failed = 0
        self.idle = 0
        self.why = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._look, args=pair,
                                         daemon=True) for pair in targets]
        self.threads.append(threading.Thread(target=self._run, daemon=True))
        for thread in self.threads:
            thread.start()

    def _look(self, where, health):
        while not self.stopping.wait(ASK_EACH):
            try:
                well = httpc.get(health, "/healthz", timeout=1).status == 200
            except OSError:
                well = False
            self.healthy[where] = well

    def _one(self, where):
        self.asked += 1
        start = time.time()
        try:
            status = httpc.get(where, "/", host=self.host, timeout=5).status
            problem = None if status == 200 else "status %d" % status
        except (OSError, ValueError) as error:
            problem = repr(error)
        if problem:
            self.failed += 1
            self.why.append((round(start, 3), where, problem))

    def _run(self):
        turn = 0
        due = time.monotonic()
        while not self.stopping.is_set():
            due += 1.0 / self.rate
            time.sleep(max(0.0, due - time.monotonic()))
            well = [w for w, _ in self.targets if self.healthy[w]]
            turn += 1
            if well:
                self._one(well[turn % len(well)])
            else:
                self.idle += 1

    def wait_healthy(self, number, deadline=60.0):
        end = time.monotonic() + deadline
        while sum(self.healthy.values()) < number:
            if time.monotonic() > end:
                raise AssertionError("healthy: %r" % self.healthy)
            time.sleep(0.05)

    def end(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(10)
        return {"asked": self.asked, "failed": self.failed,
                "nobody": self.idle, "why": self.why[:10]}
