"""A control server: stands for an extension, says what agents shall run."""

import hashlib
import http.server
import json
import socketserver
import threading
import time
import urllib.parse

BASE = """\
include agent/main.conf;
worker_rlimit_nofile 1024;
events {
	worker_connections 512;
}
http {
	include agent/http.conf;
	access_log off;
	include sites/*.conf;
}
"""


def site(text, more=""):
    """The one site of a small configuration: answers 'text' everywhere."""
    return ("server {\n\tinclude agent/default_http.conf;\n%s"
            "\tlocation / {\n\t\treturn 200 \"%s\";\n\t}\n}\n" % (more, text))


def files(text, more="", base=BASE):
    return {"nginx.conf": base, "sites/default.conf": site(text, more)}


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Control:
    """
    set(files) puts a configuration on offer.  Faults: 'refuse' (status for
    every request), 'delay' (seconds before a blob), 'corrupt' (a set of paths
    whose blobs are damaged), 'raw' (bytes instead of the manifest), 'deltas'
    ("good": agents that have a base are told what differs; "wrong": not all).
    """

    def __init__(self, port=0, cluster="test", poll=25.0):
        self.cluster, self.poll = cluster, poll
        self.lock = threading.Condition()
        self.manifest = None
        self.raw = None
        self.config = ""
        self.blobs = {}
        self.paths = {}
        self.generation = 0
        self.epoch = None
        self.reports = []
        self.requests = []
        self.refuse = None
        self.delay = 0.0
        self.corrupt = set()
        self.deltas = None
        self.known = {}
        self.resend = False
        self.closing = False
        self.server = None
        self.port = port
        self.start()

    # The server can go away and come back on its port.
    def start(self):
        self.closing = False
        control = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            wbufsize = -1

            def log_message(self, *_):
                pass

            def do_GET(self):
                control.get(self)

            def do_POST(self):
                control.post(self)

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(
            target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def stop(self):
        with self.lock:
            self.closing = True
            self.lock.notify_all()
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def set(self, tree, https=None, settings=None, listen="default_server"):
        """Offers 'tree' {path: text}; returns the configuration's hash."""
        with self.lock:
            self.generation += 1
            rows, names = [], ""
            for path in sorted(tree):
                data = tree[path].encode()
                self.blobs[sha(data)] = data
                self.paths[sha(data)] = path
                rows.append({"path": path, "sha256": sha(data),
                             "size": len(data)})
                names += "%s  %s\n" % (sha(data), path)
            names += listen + "\n" + (https or "")
            self.config = sha(names.encode())
            self.known[self.config] = rows
            self.manifest = {
                "version": 1, "cluster": self.cluster, "engine": "nginx",
                "generation": self.generation, "config": self.config,
                "files": rows, "listen": {"http": listen, "https": https},
                "secrets": [], "settings": settings or {}, "stamps": {}}
            if self.epoch:
                self.manifest["epoch"] = self.epoch
            self.lock.notify_all()
            return self.config

    def again(self):
        """Sends what is on offer once more, as another generation."""
        with self.lock:
            self.generation += 1
            self.manifest["generation"] = self.generation
            self.resend = True
            self.lock.notify_all()
        return self.generation

    def send(self, handler, status, body=b""):
        try:
            handler.send_response(status)
            if status != 204:
                handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
            handler.wfile.flush()
        except OSError:
            handler.close_connection = True

    def get(self, handler):
        url = urllib.parse.urlsplit(handler.path)
        self.requests.append(handler.path)
        if self.refuse:
            self.send(handler, self.refuse)
        elif url.path == "/v1/proxy/config":
            query = dict(urllib.parse.parse_qsl(url.query))
            self.send_config(handler, query.get("have", ""),
                             query.get("base"))
        elif url.path.startswith("/v1/blob/"):
            self.send_blob(handler, url.path.rsplit("/", 1)[1])
        else:
            self.send(handler, 404)

    def differing(self, base):
        """The manifest as what differs from 'base'; the whole without it."""
        if self.deltas is None or base not in self.known:
            return self.manifest
        old = {row["path"]: row for row in self.known[base]}
        new = {row["path"]: row for row in self.manifest["files"]}
        changed = [row for path, row in sorted(new.items())
                   if old.get(path) != row]
        removed = sorted(old.keys() - new.keys())
        if self.deltas == "wrong":
            changed, removed = [], []
        return dict(self.manifest, base=base, files=changed, removed=removed)

    def send_config(self, handler, have, base=None):
        end = time.monotonic() + self.poll
        with self.lock:
            while (not self.closing and time.monotonic() < end and (
                    self.manifest is None or
                    (self.config == have and not self.resend))):
                self.lock.wait(max(0.0, end - time.monotonic()))
            manifest = self.manifest
            nothing = (self.closing or manifest is None or
                       (self.config == have and not self.resend))
            self.resend = False
            if not nothing:
                manifest = self.differing(base)
            body = self.raw or json.dumps(manifest).encode()
        if nothing:
            self.send(handler, 204)
        else:
            self.send(handler, 200, body)

    def send_blob(self, handler, name):
        if self.delay:
            time.sleep(self.delay)
        data = self.blobs.get(name)
        if data is None:
            self.send(handler, 404)
            return
        if self.paths[name] in self.corrupt:
            data = data[:-1] + b"X"
        self.send(handler, 200, data)

    def post(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if self.refuse:
            self.send(handler, self.refuse)
            return
        self.reports.append(json.loads(body))
        self.send(handler, 204)

    def report(self, **wanted):
        """The latest report, if it has these values; else None."""
        if not self.reports:
            return None
        last = self.reports[-1]
        for key, value in wanted.items():
            if last[key] != value:
                return None
        return last
