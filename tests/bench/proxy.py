"""Requests/s and latency through our generated nginx configuration, beside a
hand-written nginx, HAProxy and Caddy that do the same: route by host to four
upstreams over kept connections, with a request ID that a client may bring,
with and without the info headers (which no application can forge).  Each is
measured between two turns of the hand-written one, against the mean of both,
so that they meet the same weather; the proxy has a processor of its own where
there are two.  cpu_us is what its processes spent on one request, which
neighbours disturb least.
"""

import json
import os
import re
import shutil
import statistics
import subprocess

import procs
from snapshot import Snapshot

NGINX = "/usr/sbin/nginx"
HOST = "web.example"
BASE = "by hand"
PORT = 29100  # of the proxies, counted up; 22080 is the applications'
SECONDS = 1
CONNECTIONS = 32
ROUNDS = 15

APPLICATIONS = """worker_processes 1;
pid app.pid;
error_log stderr;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
    uwsgi_temp_path t4; scgi_temp_path t5;
    server {
        listen 127.60.1.1:22080; listen 127.60.1.2:22080;
        listen 127.60.1.3:22080; listen 127.60.1.4:22080;
        location / { return 200 "ok\\n"; }
    }
}
"""

BY_HAND = """worker_processes 1;
pid nginx.pid;
error_log stderr;
events { worker_connections 1024; }
http {
    access_log off;
    server_tokens off;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
    uwsgi_temp_path t4; scgi_temp_path t5;
    map $http_x_request_id $id {
        "" $request_id;
        default $request_id;
        "~^[A-Za-z0-9._-]{1,64}$" $http_x_request_id;
    }
    upstream web {
        zone web 64k;
        server 127.60.1.1:22080; server 127.60.1.2:22080;
        server 127.60.1.3:22080; server 127.60.1.4:22080;
        keepalive 32;
    }
    server { listen 127.0.0.1:%(port)d default_server; return 503; }
    server {
        listen 127.0.0.1:%(port)d;
        server_name web.example;
        %(headers)s
        location / {
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header x-request-id $id;
            proxy_pass http://web;
        }
    }
}
"""

BY_HAND_HEADERS = """
        proxy_hide_header x-request-id;
        proxy_hide_header x-proxy-id;
        proxy_hide_header x-server-info;
        proxy_hide_header x-upstream-addr;
        proxy_hide_header x-upstream-response-time;
        add_header x-request-id $id always;
        add_header x-proxy-id $hostname always;
        add_header x-server-info "by-hand/1.22.1 linux/amd64" always;
        add_header x-upstream-addr $upstream_addr always;
        add_header x-upstream-response-time $upstream_header_time always;
"""

HAPROXY = """global
    maxconn 1024
    nbthread 1
defaults
    mode http
    timeout client 60s
    timeout server 60s
    timeout connect 1s
    option forwardfor
    unique-id-format %%{+X}o%%ci%%cp%%fi%%fp%%Ts%%rt
frontend f
    bind 127.0.0.1:%(port)d
    http-request set-header x-request-id %%[unique-id]
    http-request set-header X-Real-IP %%[src]
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Forwarded-Host %%[req.hdr(host)]
    %(headers)s
    use_backend web if { hdr(host) -i web.example }
    default_backend none
backend web
    balance roundrobin
    server s1 127.60.1.1:22080
    server s2 127.60.1.2:22080
    server s3 127.60.1.3:22080
    server s4 127.60.1.4:22080
backend none
    http-request return status 503
"""

HAPROXY_HEADERS = """http-after-response set-header x-request-id %[unique-id]
    http-after-response set-header x-proxy-id bench
    http-after-response set-header x-server-info haproxy
    http-after-response set-header x-upstream-addr unknown
    http-after-response set-header x-upstream-response-time 0"""

CADDY = """{
    admin off
    auto_https off
}
http://web.example:%(port)d {
    bind 127.0.0.1
    %(headers)s
    reverse_proxy 127.60.1.1:22080 127.60.1.2:22080 127.60.1.3:22080 127.60.1.4:22080 {
        lb_policy round_robin
        header_up x-request-id {http.request.uuid}
        header_up X-Real-IP {remote_host}
    }
}
"""

CADDY_HEADERS = """header x-request-id {http.request.uuid}
    header x-proxy-id bench
    header x-server-info caddy
    header x-upstream-addr {http.reverse_proxy.upstream.address}
    header x-upstream-response-time {http.reverse_proxy.upstream.latency_ms}"""


class Contender:
    """One proxy with one configuration, on a port of its own."""

    def __init__(self, name, info, port):
        self.name = "%s, info headers %s" % (name, "on" if info else "off")
        self.kind, self.info, self.port = name, info, port
        self.dir = procs.TempDir("bh-bench-")
        os.chmod(self.dir.path, 0o755)
        self.process = None
        self.rates, self.medians, self.tails = [], [], []
        self.costs = []
        self.beside = {"rates": [], "costs": []}  # of the hand-written one's

    def write(self, name, text):
        with open(self.dir.join(name), "w") as out:
            out.write(text)

    def command(self):
        values = {"port": self.port, "headers": ""}
        if self.kind == "bulkhead":
            return self.render()
        if self.kind == BASE:
            values["headers"] = BY_HAND_HEADERS if self.info else ""
            self.write("nginx.conf", BY_HAND % values)
            return self.nginx("nginx.conf")
        if self.kind == "haproxy":
            values["headers"] = HAPROXY_HEADERS if self.info else ""
            self.write("haproxy.cfg", HAPROXY % values)
            return [shutil.which("haproxy", path="/usr/sbin:/usr/bin"),
                    "-db", "-f", self.dir.join("haproxy.cfg")]
        values["headers"] = CADDY_HEADERS if self.info else ""
        self.write("Caddyfile", CADDY % values)
        return [shutil.which("caddy"), "run", "--adapter", "caddyfile",
                "--config", self.dir.join("Caddyfile")]

    def nginx(self, conf, folder=None):
        return [NGINX, "-p", folder or self.dir.path, "-c", conf, "-g",
                "daemon off;"]

    def render(self):
        case = {"services": {"web": {"labels": {"hosts": HOST}, "tasks": 4}}}
        with open(self.dir.join("s.json"), "w") as out:
            json.dump(Snapshot(case, None).document, out)
        self.write("c.ini", "[nginx]\naccess_log = off\nworker_processes = 1"
                   "\nhide_info_headers = %s\n" % (
                       "false" if self.info else "true"))
        subprocess.run(
            [procs.binary("proxyctl"), "render", "--cluster",
             self.dir.join("c.ini"), "--snapshot", self.dir.join("s.json"),
             "--out", self.dir.join("out"), "--listen",
             "127.0.0.1:%d" % self.port], check=True,
            stdin=subprocess.DEVNULL, capture_output=True)
        return self.nginx("nginx.conf", self.dir.join("out"))

    def start(self):
        own, _ = processors()
        self.process = procs.Process(
            ["taskset", "-c", own] + self.command(), self.dir.join("log"),
            env={"HOME": self.dir.path, "XDG_DATA_HOME": self.dir.path,
                 "GOMAXPROCS": "1"})
        procs.wait_for(lambda: self.load(0.1) > 0, 15, self.name)

    def spent(self):
        """Microseconds of CPU time of the process and its children."""
        total = 0
        waiting = [str(self.process.pid)]
        while waiting:
            pid = waiting.pop()
            for task in os.listdir("/proc/%s/task" % pid):
                base = "/proc/%s/task/%s/" % (pid, task)
                with open(base + "schedstat") as file:
                    total += int(file.read().split()[0]) / 1000
                with open(base + "children") as file:
                    waiting += file.read().split()
        return total

    def load(self, seconds=SECONDS):
        """Requests/s of one round; figures are kept for a whole one."""
        if not self.process.alive():
            raise SystemError("%s ended: %s" % (
                self.name, self.process.output()))
        _, others = processors()
        before = self.spent()
        done = subprocess.run(
            ["taskset", "-c", others, "wrk", "-t1", "-c%d" % CONNECTIONS,
             "-d%ds" % max(1, seconds), "--latency", "-H", "Host: " + HOST,
             "http://127.0.0.1:%d/" % self.port], capture_output=True,
            text=True, stdin=subprocess.DEVNULL, check=False)
        rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
        if rate is None or "Non-2xx" in done.stdout:
            return 0
        if seconds == SECONDS:
            self.rates.append(float(rate.group(1)))
            self.costs.append((self.spent() - before) / int(re.search(
                r"(\d+) requests in", done.stdout).group(1)))
            self.medians.append(milliseconds(done.stdout, "50%"))
            self.tails.append(milliseconds(done.stdout, "99%"))
        return float(rate.group(1))

    def stop(self):
        if self.process is not None:
            self.process.stop()
        self.dir.remove()


def processors():
    """One for the proxy, and those of the rest, as taskset has them."""
    mine = sorted(os.sched_getaffinity(0))
    return str(mine[0]), ",".join(map(str, mine[1:] or mine))


def milliseconds(text, which):
    found = re.search(re.escape(which) + r"\s+([\d.]+)(us|ms|s)", text)
    return float(found.group(1)) * {"us": 0.001, "ms": 1, "s": 1000}[
        found.group(2)]


def contenders():
    kinds = [BASE, "bulkhead"]
    for name, folders in (("haproxy", "/usr/sbin:/usr/bin"), ("caddy", None)):
        if shutil.which(name, path=folders):
            kinds.append(name)
        else:
            print("proxy: no %s here: left out (Debian's package)" % name)
    return [Contender(kind, info, PORT + i * 2 + info)
            for i, kind in enumerate(kinds) for info in (False, True)]


def measure(contenders):
    """A turn of each, the hand-written one before and after it."""
    hand = next(o for o in contenders if o.kind == BASE)
    hand.load()
    for one in contenders:
        if one is hand:
            continue
        one.load()
        hand.load()
        for what in ("rates", "costs"):
            around = getattr(hand, what)[-2:]
            one.beside[what].append(
                getattr(one, what)[-1] / (sum(around) / len(around)))


def tell(line, one, hand):
    if one is hand:
        rate = cost = 1.0
    else:
        rate = statistics.median(one.beside["rates"])
        cost = 1 / statistics.median(one.beside["costs"])
    line("proxy: " + one.name, requests_s=statistics.median(one.rates),
         p50_ms="%.2f" % statistics.median(one.medians),
         p99_ms="%.2f" % statistics.median(one.tails),
         of_hand_written="%.3f" % rate,
         cpu_us="%.2f" % statistics.median(one.costs),
         cpu_of_hand_written="%.3f" % cost)


def run(line):
    """'line' prints one line of figures."""
    for tool in ("wrk", "taskset"):
        if not shutil.which(tool):
            print("proxy: no %s here: left out (a Debian package)" % tool)
            return
    folder = procs.TempDir("bh-bench-app-")
    os.chmod(folder.path, 0o755)
    with open(folder.join("nginx.conf"), "w") as out:
        out.write(APPLICATIONS)
    _, others = processors()
    applications = procs.Process(
        ["taskset", "-c", others, NGINX, "-p", folder.path, "-c",
         "nginx.conf", "-g", "daemon off;"], folder.join("log"))
    everybody = contenders()
    try:
        for one in everybody:
            one.start()
        for _ in range(ROUNDS):
            for info in (False, True):
                measure([o for o in everybody if o.info == info])
        for one in everybody:
            tell(line, one, next(o for o in everybody if o.kind == BASE
                                 and o.info == one.info))
    finally:
        for one in everybody:
            one.stop()
        applications.stop()
        folder.remove()
