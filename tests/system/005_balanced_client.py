#!/usr/bin/env python3
"""The client that stands for a balancer in front of a group (lib/balanced.py)
asks only who says that it is well, and sees what fails."""

import http.server
import threading

import balanced
import procs
import tap


class Proxy(http.server.ThreadingHTTPServer):
    """Answers 'answer', on /healthz 'health'; both can be changed."""

    daemon_threads = True

    def __init__(self):
        self.answer, self.health, self.served = 200, 200, 0
        super().__init__(("127.0.0.1", 0), Handler)
        self.where = "127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.05,),
                         daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        asked = self.path == "/healthz"
        self.server.served += not asked
        self.send_response(self.server.health if asked
                           else self.server.answer)
        self.send_header("Content-Length", "0")
        self.end_headers()


def group(number=2):
    proxies = [Proxy() for _ in range(number)]
    return proxies, balanced.Client([(p.where, p.where) for p in proxies],
                                    "web.example")


def said(client, proxy, status):
    procs.wait_for(lambda: client.health[proxy.where] == status, 30,
                   "%d of /healthz" % status)


@tap.test
def those_that_are_well_are_asked_in_turn():
    proxies, client = group()
    with client:
        client.more(100)
    tap.equal(client.failed, [])
    tap.ok(min(client.by.values()) > 30, client.by)
    tap.equal([p.served for p in proxies], list(client.by.values()))
    for proxy in proxies:
        proxy.stop()


@tap.test
def who_says_503_first_is_asked_no_more_and_then_may_go():
    (stays, leaves), client = group()
    with client:
        leaves.health = 503
        said(client, leaves, 503)
        client.more(1)      # what was under way
        before = leaves.served
        client.more(50)
        tap.equal(leaves.served, before)
        leaves.stop()
        said(client, leaves, 0)
        client.more(50)
    tap.equal(client.failed, [])
    tap.equal([got for _, where, got in client.said if where == leaves.where],
              [200, 503, 0])
    stays.stop()


@tap.test
def who_goes_without_a_word_is_a_failure():
    stays, leaves = Proxy(), Proxy()
    with balanced.Client([(stays.where, stays.where),
                          (leaves.where, stays.where)], "a") as client:
        leaves.stop()
        procs.wait_for(lambda: len(client.failed) > 5, 60, "failures")
    tap.equal({(where, got) for _, where, got in client.failed},
              {(leaves.where, 0)})
    stays.stop()


@tap.test
def an_answer_that_is_not_200_is_a_failure():
    (well, ill), client = group()
    with client:
        ill.answer = 502
        procs.wait_for(lambda: client.failed, 30, "a failure")
        ill.health = 503
        said(client, ill, 503)
        client.more(1)
        known = len(client.failed)
        client.more(50)
    tap.equal(len(client.failed), known)
    tap.equal({(where, got) for _, where, got in client.failed},
              {(ill.where, 502)})
    well.stop()
    ill.stop()


@tap.test
def with_nobody_to_ask_nothing_is_asked_and_that_is_counted():
    (only,), client = group(1)
    with client:
        only.health = 503
        said(client, only, 503)
        client.more(0)
        idle = client.idle
        procs.wait_for(lambda: client.idle > idle + 5, 30, "idle turns")
    tap.equal(client.failed, [])
    only.stop()


tap.main()
