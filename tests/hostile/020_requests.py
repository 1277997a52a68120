#!/usr/bin/env python3
"""
Hostile requests to a real engine.  A small model of what interfaces promise
says for each one who may answer; whatever else happens, no request reaches
another's application, and none that is rewritten carries a dot segment.
"""

import itertools
import json
import os
import re
import shutil
import socket
import time

import backends
import bulkhead
import cases
import certificates
import procs
import tap

PORT = bulkhead.free_ports(3)
CASE = {
    "services": {
        # The same host, by path: one tenant's rewritten, the other's not.
        "app": {"labels": {"hosts": "web.example,app.example",
                           "context_root": "/app, /deep/er",
                           "context_root_rewrite": "true"}},
        "admin": {"labels": {"hosts": "web.example",
                             "context_root": "/admin,/app/admin"}},
        "other": {"labels": {"hosts": "other.example"}},
        "vip": {"labels": {"hosts": "vip.example", "context_root": "/v",
                           "context_root_rewrite": "true",
                           "backend_mode": "vip",
                           "websocket_endpoints": "/v/ws"}},
        "moved": {"labels": {
            "hosts": "moved.example",
            "redirects": "http://moved.example,http://new.example/base"}},
    },
}
# tests/cases, which may run at the same time, has other ports there.
for service in CASE["services"].values():
    service["labels"]["port"] = "22070"
ROUTES = [
    ("web.example", "/app", "app"), ("web.example", "/deep/er", "app"),
    ("app.example", "/app", "app"), ("app.example", "/deep/er", "app"),
    ("web.example", "/admin", "admin"),
    ("web.example", "/app/admin", "admin"),
    ("other.example", "/", "other"), ("vip.example", "/v", "vip"),
]
REWRITTEN = ("app", "vip")


def normalised(target):
    """The path of a request target as interfaces have it; None: refused."""
    path = re.split("[?#]", target, 1)[0]
    decoded = re.sub(r"%([0-9A-Fa-f]{2})",
                     lambda m: chr(int(m.group(1), 16)), path)
    if re.search(r"%(?![0-9A-Fa-f]{2})", path) or "\0" in decoded:
        return None
    parts = []
    for part in re.sub("/+", "/", decoded).split("/")[1:]:
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part != ".":
            parts.append(part)
    if re.search(r"(^|/)\.{1,2}$", decoded) and parts:
        parts.append("")
    return "/" + "/".join(parts)


def owner(host, target):
    """Who may answer: a service, or None."""
    path = normalised(target)
    host = re.sub(r":\d*\Z", "", host.lower())
    host = host[:-1] if host.endswith(".") else host
    best = None
    for name, root, service in ROUTES:
        covers = root == "/" or path == root or \
            (path or "").startswith(root + "/")
        if path and name == host and covers and \
                (best is None or len(root) > len(best[0])):
            best = (root, service)
    return best[1] if best else None


# Behind what may leave the connection open: it is closed after this.
LAST = b"GET /last HTTP/1.1\r\nHost: nobody.example\r\n" \
    b"Connection: close\r\n\r\n"
SILENCE = 3  # seconds after which a request counts as never complete


def ask(raw, last=b""):
    """[(status, headers, body)] of all answers until the end."""
    answers = []
    with socket.create_connection(("127.0.0.1", PORT), 10) as sock:
        sock.sendall(raw.encode("latin-1") + last)
        sock.settimeout(SILENCE if last else 10)
        stream = sock.makefile("rb")
        try:
            while True:
                answer = receive(stream)
                if answer is None:
                    return answers
                if answer[0] != 100:
                    answers.append(answer)
        except (socket.timeout, ConnectionError):
            if not last:
                raise
            return answers


def receive(stream):
    line = stream.readline()
    if not line:
        return None
    if not line.startswith(b"HTTP/"):  # HTTP/0.9
        return 0, {}, line + stream.read()
    headers = {}
    while True:
        header = stream.readline().strip()
        if not header:
            break
        key, value = header.decode("latin-1").split(":", 1)
        headers[key.lower()] = value.strip()
    status = int(line.split()[1])
    length = int(headers.get("content-length", "0"))
    return status, headers, stream.read(length)


def seen(answers):
    """What applications were asked, of those answers."""
    return [json.loads(body) for status, _, body in answers
            if body.startswith(b"{")]


def dot_segments(target):
    """Segments that are dots in a path, as it is or decoded once."""
    path = re.split("[?#]", target, 1)[0]
    decoded = re.sub(r"%([0-9A-Fa-f]{2})",
                     lambda m: chr(int(m.group(1), 16)), path)
    return [s for p in (path, decoded) for s in p.split("/")
            if s in (".", "..")]


def check_seen(heard, allowed, host):
    tap.equal(heard["service"], allowed, "who was asked for %r" %
              heard["target"])
    names = [k.lower() for k, v in heard["headers"]]
    for name in ("host", "x-real-ip", "x-forwarded-for", "x-request-id",
                 "x-forwarded-proto", "x-forwarded-host"):
        tap.equal(names.count(name), 1, name)
    headers = {k.lower(): v for k, v in heard["headers"]}
    tap.equal(headers["host"].lower(), host.lower(), "host")
    tap.equal(headers["x-real-ip"], "127.0.0.1")
    tap.ok(re.fullmatch(r"[A-Za-z0-9._-]{1,64}", headers["x-request-id"]),
           headers["x-request-id"])
    tap.equal(headers["x-forwarded-proto"], "http")
    if heard["service"] in REWRITTEN:
        tap.equal(dot_segments(heard["target"]), [], heard["target"])
        tap.ok(heard["target"].startswith("/"), heard["target"])


def head(target, host, form="{}", method="GET"):
    line = "%s %s HTTP/1.1\r\n" % (method, form.format(target))
    return line + "Host: %s\r\nConnection: close\r\n" % host


PIECES = ["", "/", "//", "/./", "/../", "/%2e%2e/", "/.%2e/", "/%2E./",
          "%2f..%2f", "/..%2f", "%2F", "/%2e/", "/..;/", "/;x/../",
          ";x/../", "/%252e%252e/", "/%5c..%5c", "\\..\\", "/..%5c",
          "/%2e%2e%2f%2e%2e/", "/...//", "/..%00/", "%00", "%", "%zz/",
          "/x/../../", "/%c0%ae%c0%ae/", "/%e0%80%ae/", "/\xc0\xae./",
          "?/../", "#/../", "%3f/../", "%23/../", "/.//../", "/%09../",
          "/.. /", "/..\t/"]
STARTS = ["/app", "/admin", "/deep/er", "/deep", "/app/admin", "/v", "",
          "/ap%70", "/APP", "/app%2fadmin", "/a%70p/%61dmin"]
ENDS = ["", "admin", "app", "x", "../admin", "er/y", "..", "."]
HOSTS = ["web.example", "app.example", "other.example", "vip.example"]


@tap.test
def no_path_leads_to_another_application():
    tried, reached = 0, 0
    for start, piece, end in itertools.product(STARTS, PIECES, ENDS):
        target = start + piece + end
        if not target.startswith("/"):
            continue
        host = HOSTS[tried % len(HOSTS)]
        # Each in turn, every fourth as an absolute URL.
        form = "http://%s{}" % host if tried % 4 == 3 else "{}"
        tried += 1
        answers = ask(head(target, host, form) + "\r\n")
        for heard in seen(answers):
            reached += 1
            if " " in target or "\t" in target:
                raise AssertionError("%r was passed on" % target)
            check_seen(heard, owner(host, target), host)
        for status, _, body in answers:
            tap.ok(status in (200, 400, 404, 503), (target, status, body))
    tap.note("%d targets, %d reached an application" % (tried, reached))
    tap.ok(tried > 2500 and reached > 600)


@tap.test
def honest_requests_still_arrive():
    for host, target, service, wanted in (
            ("web.example", "/app", "app", "/"),
            ("web.example", "/app/", "app", "/"),
            ("web.example", "/app/x/../y?a=/../b", "app", "/y?a=/../b"),
            ("web.example", "/app/a%2Fb", "app", "/a/b"),
            ("web.example", "/app/a%20b", "app", "/a%20b"),
            ("web.example", "/app/x%3fy", "app", "/x%3Fy"),
            ("web.example", "/deep/er/z", "app", "/z"),
            ("web.example", "/admin/../admin/x", "admin",
             "/admin/../admin/x"),
            ("web.example", "/app/admin", "admin", "/app/admin"),
            ("other.example", "//a/./b%2e", "other", "//a/./b%2e"),
            ("vip.example", "/v/x", "vip", "/x")):
        heard = seen(ask(head(target, host) + "\r\n"))
        tap.equal([(h["service"], h["target"]) for h in heard],
                  [(service, wanted)], host + target)


# (name, the lines of the head, who may answer, the Host it may be told)
HEADERS = [
    ("two Hosts", "GET /app HTTP/1.1\r\nHost: web.example\r\n"
     "Host: other.example\r\n", ("app", "web.example")),
    ("two Hosts the other way", "GET /app HTTP/1.1\r\n"
     "Host: other.example\r\nHost: web.example\r\n",
     ("other", "other.example")),
    ("no Host", "GET /app HTTP/1.1\r\n", None),
    ("an empty Host", "GET /app HTTP/1.1\r\nHost:\r\n", None),
    ("a blank Host", "GET /app HTTP/1.1\r\nHost: \t \r\n", None),
    ("a port", "GET /app HTTP/1.1\r\nHost: web.example:81\r\n",
     ("app", "web.example:81")),
    ("a port that is none", "GET /app HTTP/1.1\r\n"
     "Host: web.example:x;other.example\r\n", ("app", None)),
    ("a final dot", "GET / HTTP/1.1\r\nHost: OTHER.example.\r\n",
     ("other", "OTHER.example.")),
    ("two final dots", "GET / HTTP/1.1\r\nHost: other.example..\r\n", None),
    ("an underscore", "GET / HTTP/1.1\r\nHost: other_.example\r\n", None),
    ("a user", "GET / HTTP/1.1\r\nHost: web.example@other.example\r\n",
     None),
    ("a list", "GET / HTTP/1.1\r\nHost: web.example, other.example\r\n",
     None),
    ("a slash", "GET /app HTTP/1.1\r\nHost: web.example/../other\r\n", None),
    ("a variable", "GET / HTTP/1.1\r\nHost: $host\r\n", None),
    ("a wildcard", "GET / HTTP/1.1\r\nHost: *.example\r\n", None),
    ("a pattern", "GET / HTTP/1.1\r\nHost: ~.\r\n", None),
    ("the default server's name", "GET / HTTP/1.1\r\nHost: _\r\n", None),
    ("a Host of 60,000 bytes", "GET / HTTP/1.1\r\nHost: %s\r\n" % (
        "a" * 60000), None),
    ("a Host in another script", "GET / HTTP/1.1\r\n"
     "Host: \xce\xbfther.example\r\n", None),
    ("a NUL in the Host", "GET / HTTP/1.1\r\n"
     "Host: other.example\0.x\r\n", None),
    ("a blank before the colon", "GET / HTTP/1.1\r\nHost : other.example"
     "\r\n", None),
    ("a folded Host", "GET / HTTP/1.1\r\nHost: web.example\r\n"
     " other.example\r\n", None),
    ("an absolute URL beside a Host", "GET http://web.example/app HTTP/1.1"
     "\r\nHost: other.example\r\n", ("app", "web.example")),
    ("an absolute URL with a user",
     "GET http://web.example@other.example/ HTTP/1.1\r\n"
     "Host: web.example\r\n", None),
    ("an absolute URL of another scheme", "GET ftp://other.example/ "
     "HTTP/1.1\r\nHost: web.example\r\n", ("other", "other.example")),
    ("an absolute URL behind an odd method", "A_B-C http://other.example/ "
     "HTTP/1.1\r\nHost: web.example\r\n", ("other", "other.example")),
    ("an absolute URL behind blanks", "GET   hTTp://other.example/ "
     "HTTP/1.1\r\nHost: web.example\r\n", ("other", "other.example")),
    ("an absolute URL behind empty lines", "\r\n\r\nGET http+x.1-y://"
     "other.example/ HTTP/1.1\r\nHost: web.example\r\n",
     ("other", "other.example")),
    ("an absolute URL without path", "GET http://other.example HTTP/1.1\r\n"
     "Host: web.example\r\n", ("other", "other.example")),
    ("an absolute URL with a port", "GET http://other.example:9/ HTTP/1.1"
     "\r\nHost: web.example\r\n", ("other", "other.example:9")),
    ("an absolute URL and a query at once", "GET http://other.example?x "
     "HTTP/1.1\r\nHost: web.example\r\n", ("other", None)),
    ("an asterisk", "OPTIONS * HTTP/1.1\r\nHost: other.example\r\n", None),
    ("a CONNECT", "CONNECT other.example:80 HTTP/1.1\r\n"
     "Host: web.example\r\n", None),
    ("no slash", "GET app HTTP/1.1\r\nHost: web.example\r\n", None),
    ("an at sign", "GET @other.example/ HTTP/1.1\r\nHost: web.example\r\n",
     None),
    ("two slashes and a host", "GET //other.example/app HTTP/1.1\r\n"
     "Host: web.example\r\n", None),
    ("an override of the target", "GET /app HTTP/1.1\r\n"
     "Host: web.example\r\nX-Original-URL: /admin\r\n"
     "X-Rewrite-URL: /admin\r\nX-HTTP-Method-Override: DELETE\r\n"
     "X-Forwarded-Host: other.example\r\nForwarded: host=other.example\r\n"
     "X-Forwarded-Proto: https\r\nX-Real-IP: 10.0.0.1\r\n"
     "X-Host: other.example\r\n", ("app", "web.example")),
    ("our own headers named hop by hop", "GET /app HTTP/1.1\r\n"
     "Host: web.example\r\nConnection: close, X-Real-IP, X-Forwarded-For, "
     "Host, x-request-id\r\n", ("app", "web.example")),
    ("headers that differ by an underscore", "GET /app HTTP/1.1\r\n"
     "Host: web.example\r\nX_Real_IP: 10.0.0.1\r\n"
     "X_Request_Id: 1\r\n", ("app", "web.example")),
    ("a request id with a line of its own", "GET /app HTTP/1.1\r\n"
     "Host: web.example\r\nX-Request-Id: a b<script>\r\n"
     "X-Request-Id: ok\r\n", ("app", "web.example")),
    ("lines that end in LF alone", "GET /app HTTP/1.1\nHost: web.example\n",
     ("app", "web.example")),
    ("a CR inside a value", "GET /app HTTP/1.1\r\nHost: web.example\r\n"
     "X-A: b\rHost: other.example\r\n", ("app", "web.example")),
    ("HTTP/1.0 without Host", "GET /app HTTP/1.0\r\n", None),
    ("HTTP/1.0", "GET /app HTTP/1.0\r\nHost: web.example\r\n",
     ("app", "web.example")),
    ("HTTP/3.7", "GET /app HTTP/3.7\r\nHost: web.example\r\n", None),
    ("a preface of HTTP/2", "PRI * HTTP/2.0\r\n", None),
    ("a target of 60,000 bytes", "GET /app/%s HTTP/1.1\r\n"
     "Host: web.example\r\n" % ("a" * 60000), None),
    ("a target of 7,000 dots", "GET /app%s HTTP/1.1\r\n"
     "Host: web.example\r\n" % ("/.." * 2300), None),
    ("1,000 headers", "GET /app HTTP/1.1\r\nHost: web.example\r\n" +
     "".join("X-H%d: %s\r\n" % (i, "v" * 40) for i in range(1000)), None),
    ("a method of no kind", "EVIL0 /app HTTP/1.1\r\nHost: web.example\r\n",
     ("app", "web.example")),
    ("a small method", "get /app HTTP/1.1\r\nHost: web.example\r\n", None),
    ("nothing but a name", "GET\r\n", None),
    ("a version inside", "GET /app HTTP/1.1 HTTP/1.0\r\n"
     "Host: web.example\r\n", None),
]


def add_header_case(name, lines, wanted):
    def check():
        answers = ask(lines + ("\n" if "\r\n" not in lines else "\r\n"),
                      LAST)
        told = seen(answers)
        tap.ok(len(told) <= 1 and len(answers) <= 2, answers)
        for heard in told:
            tap.ok(wanted is not None, "%s was asked" % heard["service"])
            service, host = wanted
            check_seen(heard, service, host or
                       dict((k.lower(), v) for k, v in heard["headers"])
                       ["host"])
        for status, _, body in answers:
            tap.ok(status in (0, 200, 400, 404, 405, 414, 431, 494, 503,
                              505), (status, body))
    check.__name__ = "header: " + name
    tap.test(check)


for case in HEADERS:
    add_header_case(*case)

SMUGGLED = "GET /admin HTTP/1.1\r\nHost: web.example\r\n\r\n"
CHUNKED = "%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
# (name, headers, body): who gets a body never gets a second request by it.
BODIES = [
    ("a length", "Content-Length: %d" % len(SMUGGLED), SMUGGLED),
    ("chunks", "Transfer-Encoding: chunked", CHUNKED),
    ("both", "Content-Length: 4\r\nTransfer-Encoding: chunked", CHUNKED),
    ("both the other way", "Transfer-Encoding: chunked\r\n"
     "Content-Length: 4", CHUNKED),
    ("two lengths", "Content-Length: 0\r\nContent-Length: %d" %
     len(SMUGGLED), SMUGGLED),
    ("two equal lengths", "Content-Length: %d\r\nContent-Length: %d" % (
        len(SMUGGLED), len(SMUGGLED)), SMUGGLED),
    ("a list of lengths", "Content-Length: 0, %d" % len(SMUGGLED),
     SMUGGLED),
    ("a length with a sign", "Content-Length: +%d" % len(SMUGGLED),
     SMUGGLED),
    ("a length below none", "Content-Length: -1", SMUGGLED),
    ("a length past 64 bits", "Content-Length: 18446744073709551617",
     SMUGGLED),
    ("a length in hexadecimal", "Content-Length: 0x10", SMUGGLED),
    ("another coding", "Transfer-Encoding: xchunked", CHUNKED),
    ("two codings", "Transfer-Encoding: chunked, identity", CHUNKED),
    ("the coding twice", "Transfer-Encoding: chunked\r\n"
     "Transfer-Encoding: identity", CHUNKED),
    ("a tab before the coding", "Transfer-Encoding:\tchunked", CHUNKED),
    ("a blank before the colon", "Transfer-Encoding : chunked", CHUNKED),
    ("an odd letter in the name", "Transfer\xadEncoding: chunked", CHUNKED),
    ("a coding on a folded line", "Transfer-Encoding:\r\n chunked",
     CHUNKED),
    ("a length of chunk past 64 bits", "Transfer-Encoding: chunked",
     "fffffffffffffffff\r\nx\r\n0\r\n\r\n" + SMUGGLED),
    ("chunks that end in LF", "Transfer-Encoding: chunked",
     "0\n\n" + SMUGGLED),
    ("an extension of a chunk", "Transfer-Encoding: chunked",
     "0;x=\"\r\n\r\n" + SMUGGLED),
    ("a trailer with a Host", "Transfer-Encoding: chunked",
     "0\r\nHost: other.example\r\n\r\n"),
    ("an expectation", "Expect: 100-continue\r\nContent-Length: %d" %
     len(SMUGGLED), SMUGGLED),
]


def add_body_case(name, headers, body):
    def check():
        before = {b.service: b.requests for b in BACKENDS}
        answers = ask("POST /app/x HTTP/1.1\r\nHost: web.example\r\n%s\r\n"
                      "\r\n%s" % (headers, body), LAST)
        told = seen(answers)
        asked = {b.service: b.requests - before[b.service]
                 for b in BACKENDS}
        # What is behind a body's end is a request of its own, to its own
        # route: never one that the application takes from its connection.
        tap.equal(asked.pop("app"), len([h for h in told
                                         if h["service"] == "app"]), "app")
        tap.equal(asked.pop("admin"), len([h for h in told
                                           if h["service"] == "admin"]))
        tap.equal(set(asked.values()), {0}, asked)
        for heard in told:
            check_seen(heard, "app" if heard["method"] == "POST"
                       else "admin", "web.example")
            tap.ok(not any(k.lower() == "transfer-encoding"
                           for k, v in heard["headers"]), heard)
    check.__name__ = "body: " + name
    tap.test(check)


for case in BODIES:
    add_body_case(*case)


@tap.test
def a_redirect_leads_nowhere_else():
    for target in ("/", "//evil0/", "/\\evil0", "/%0d%0aX-Evil: 1",
                   "/@evil0", "/?@evil0", "/..//evil0", "/.evil0", "/a b",
                   "/%00", "http://moved.example", "http://moved.example?x",
                   "http://moved.example/@evil0", "/" + "a" * 5000):
        for status, headers, _ in ask(head(target, "moved.example") +
                                      "\r\n"):
            tap.ok(status in (302, 400), (target, status))
            if status == 302:
                tap.ok(re.match(r"http://new\.example/base[/?]",
                                headers["location"]), headers["location"])
                tap.ok("x-evil" not in headers)


@tap.test
def slow_and_broken_clients_cost_the_others_nothing():
    held = []
    for number in range(60):
        sock = socket.create_connection(("127.0.0.1", PORT), 10)
        sock.sendall([b"G", b"GET /app HTTP/1.1\r\nHost: web.exam",
                      b"POST /app HTTP/1.1\r\nHost: web.example\r\n"
                      b"Content-Length: 100\r\n\r\nx", b"\x16\x03\x01\x02",
                      b"\0" * 100, b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"]
                     [number % 6])
        held.append(sock)
    started = time.monotonic()
    for _ in range(20):
        heard = seen(ask(head("/app", "web.example") + "\r\n"))
        tap.equal(len(heard), 1)
    tap.ok(time.monotonic() - started < 30)
    for sock in held:
        sock.close()


if not os.access(cases.NGINX, os.X_OK):
    tap.skip_all("no nginx here (make deps installs it)")
BASE = procs.TempDir("bh-requests-")
tap.cleanup(shutil.rmtree, BASE.path)
SERVED = cases.Served(CASE, BASE.join("case"), PORT,
                      certificates.Pki(BASE.path))
os.mkdir(BASE.join("case"))
os.chmod(BASE.path, 0o755)
SERVED.render()
SERVED.check_report()
BACKENDS = SERVED.snapshot.backends
APPLICATIONS = backends.Backends(BACKENDS)
APPLICATIONS.__enter__()
tap.cleanup(APPLICATIONS.__exit__)
SERVED.start()
tap.cleanup(SERVED.stop)
tap.main()
