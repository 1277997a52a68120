#!/usr/bin/env python3
"""
Every case of this folder's JSON files: what one service says, put beside two
that are innocent.  README.md says how a case is written.
"""

import collections
import copy
import glob
import json
import os
import re
import subprocess
import sys

import cases
import certificates
import procs
import tap

HERE = os.path.dirname(os.path.abspath(__file__))
PREFIX = "com.docker.lb."
PROXYCTL = procs.binary("proxyctl")
with open(PROXYCTL, "rb") as program:
    ASAN = b"__asan_init" in program.read()
# What a run may need beside twice its input; the sanitizers' own included.
RSS_SLACK_KB = 60000 if ASAN else 2048
RSS_PER_INPUT = 8 if ASAN else 2

# Every directive that a rendered file may have: nothing else is ever written.
DIRECTIVES = set("""
access_log add_header allow auth_basic auth_basic_user_file
client_body_buffer_size client_body_temp_path client_body_timeout
client_header_buffer_size client_max_body_size default_type deny error_log
error_page events fastcgi_temp_path geo grpc_connect_timeout grpc_hide_header
grpc_ignore_headers grpc_next_upstream grpc_pass grpc_read_timeout
grpc_send_timeout grpc_set_header grpc_ssl_name grpc_ssl_server_name
grpc_ssl_trusted_certificate grpc_ssl_verify grpc_ssl_verify_depth hash http
if include internal keepalive keepalive_timeout large_client_header_buffers
limit_req limit_req_status limit_req_zone listen load_module location
log_format map map_hash_bucket_size map_hash_max_size pid
proxy_connect_timeout proxy_headers_hash_bucket_size
proxy_headers_hash_max_size proxy_hide_header proxy_http_version
proxy_ignore_headers proxy_next_upstream proxy_pass proxy_protocol
proxy_read_timeout proxy_redirect proxy_send_timeout proxy_set_header
proxy_ssl_name proxy_ssl_server_name proxy_ssl_trusted_certificate
proxy_ssl_verify proxy_ssl_verify_depth proxy_temp_path proxy_timeout
real_ip_header real_ip_recursive return root scgi_temp_path server server_name
server_names_hash_bucket_size server_names_hash_max_size server_tokens
set_real_ip_from ssl_certificate ssl_certificate_key ssl_ciphers ssl_dhparam
ssl_preread ssl_protocols ssl_reject_handshake ssl_session_cache stream
stub_status try_files types underscores_in_headers upstream user
uwsgi_temp_path variables_hash_max_size worker_connections worker_processes
worker_rlimit_nofile worker_shutdown_timeout zone
""".split())

HEAD = b"# Written by Bulkhead; do not edit.\n"  # the only comment
TOKEN = re.compile(rb'''\s+|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')(?=[\s;{}])'''
                   rb'''|[;{}]|[^\s;{}"'#]+''')


def build(value):
    """{"$repeat":[TEXT,N]} ({i} counts), {"$concat":[…]}, the rest as is."""
    if isinstance(value, dict):
        if "$each" in value:
            count, one = value["$each"]
            return [build(json.loads(json.dumps(one).replace("{n}", str(n))))
                    for n in range(count)]
        if "$list" in value:
            return [value["$list"][0]] * value["$list"][1]
        if "$repeat" in value:
            text, count = value["$repeat"]
            if "{i}" not in text:
                return text * count
            return "".join(text.replace("{i}", str(i)) for i in range(count))
        if "$concat" in value:
            return "".join(build(v) for v in value["$concat"])
        if "$keys" in value:
            text, count, content = value["$keys"]
            return {text.replace("{i}", str(i)): json.loads(json.dumps(
                content).replace("{i}", str(i))) for i in range(count)}
        return {k: build(v) for k, v in value.items()}
    if isinstance(value, list):
        return [build(v) for v in value]
    return value


def merge(into, more):
    """Deep: objects are merged, "$delete" takes a member away."""
    for key, value in more.items():
        if value == "$delete":
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)


def full(labels):
    """Keys without a dot and in small letters are ours, without prefix."""
    return {PREFIX + k if re.fullmatch("[a-z_]+", k) else k: v
            for k, v in labels.items() if v is not None}


def network(name, third):
    return {"Id": "n-" + name, "Name": name, "Driver": "overlay",
            "Scope": "swarm", "Ingress": False, "Labels": None,
            "IPAM": {"Config": [{"Subnet": "10.9.%d.0/24" % third}]}}


def service(name, created, on, labels, vip=None):
    return {
        "ID": "s-" + name, "Version": {"Index": 3}, "CreatedAt": created,
        "UpdatedAt": created,
        "Spec": {"Name": name, "Labels": full(labels),
                 "Mode": {"Replicated": {"Replicas": 2}},
                 "TaskTemplate": {"ContainerSpec": {"Image": "app"},
                                  "Networks": [{"Target": "n-" + on}]},
                 "EndpointSpec": {"Mode": "vip"}},
        "Endpoint": {"Spec": {"Mode": "vip"}, "VirtualIPs": [
            {"NetworkID": "n-" + on, "Addr": vip + "/24"}] if vip else []}}


def task(name, owner, address, on):
    return {"ID": "t-" + name, "ServiceID": "s-" + owner, "Slot": 1,
            "Version": {"Index": 4}, "NodeID": "node1",
            "Status": {"State": "running"}, "DesiredState": "running",
            "NetworksAttachments": [
                {"Network": {"ID": "n-" + on, "Spec": {"Name": on}},
                 "Addresses": [address + "/24"]}]}


SHOP = service("shop", "2024-01-10T00:00:00Z", "front", {
    "hosts": "shop.example, www.shop.example", "port": "8080",
    "websocket_endpoints": "/ws", "max_body_size": "1m"})
API = service("api", "2024-12-10T00:00:00Z", "back", {
    "hosts": "api.example,old.api.example", "port": "9000",
    "context_root": "/v1", "context_root_rewrite": "true",
    "backend_mode": "vip", "ssl_cert": "api-cert", "ssl_key": "api-key",
    "redirects": "http://old.api.example,http://api.example"},
    vip="10.9.2.2")
EVIL = service("evil", "2024-06-01T00:00:00Z", "dark", {
    "hosts": "evil.example", "port": "8080"}, vip="10.9.3.2")
INNOCENT = ("shop", "api")


def innocents():
    return {
        "services": [SHOP, API],
        "tasks": [task("shop1", "shop", "10.9.1.3", "front"),
                  task("shop2", "shop", "10.9.1.4", "front")],
        "networks": [network("front", 1), network("back", 2),
                     network("dark", 3),
                     {"Id": "n-ingress", "Name": "ingress",
                      "Driver": "overlay", "Scope": "swarm",
                      "Ingress": True,
                      "IPAM": {"Config": [{"Subnet": "10.0.0.0/24"}]}},
                     {"Id": "n-bridge", "Name": "bridge",
                      "Driver": "bridge", "Scope": "local"}],
        "nodes": [{"ID": "node1", "Description": {"Hostname": "one"},
                   "Status": {"Addr": "192.0.2.10"}}],
        "secrets": [secret(n) for n in ("api-cert", "api-key")],
        "configs": [],
    }


def secret(name, allow=None):
    labels = {} if allow is None else {PREFIX + "allow": allow}
    return {"ID": "x-" + name, "Version": {"Index": 1},
            "CreatedAt": "2024-01-01T00:00:00Z",
            "Spec": {"Name": name, "Labels": labels}}


def evil_objects(case):
    """List name -> objects (or bytes, as they stand) that the case adds."""
    evil = copy.deepcopy(EVIL)
    if "labels" in case:
        labels = build(case["labels"])
        evil["Spec"]["Labels"] = full(dict(
            {"hosts": "evil.example", "port": "8080"}, **labels))
    if "created" in case:
        evil["CreatedAt"] = case["created"]
    merge(evil, build(case.get("service", {})))
    added = {"services": [evil],
             "tasks": [task("evil1", "evil", "10.9.3.5", "dark")]}
    for name in ("tasks", "networks", "nodes", "secrets", "configs"):
        if name in case:
            added[name] = [secret(o) if isinstance(o, str) else o
                           for o in build(case[name])]
    added["services"] += build(case.get("services", []))
    if "raw" in case:
        added["services"] = [build(case["raw"]).encode("latin-1")]
    return added


def document(added, swaps):
    """The snapshot's bytes; 'swaps' puts raw bytes (as latin-1) in place."""
    def dump(thing):
        if isinstance(thing, bytes):
            return thing
        text = json.dumps(thing).encode()
        for mark, raw in swaps.items():
            text = text.replace(mark.encode(),
                                build(raw).encode("latin-1"))
        return text

    lists = innocents()
    for name, objects in added.items():
        # Neither first nor last: both neighbours must survive.
        lists[name][1:1] = objects
    return b'{"version":1' + b"".join(
        b',\n"%s":[%s]' % (name.encode(), b",\n".join(map(dump, objects)))
        for name, objects in lists.items()) + b"}\n"


# A child's greatest memory counts from what its parent had: so a small
# process of its own starts the programs.
STARTER = """
import os, sys
for line in sys.stdin:
    out, err, *argv = line.rstrip("\\n").split("\\t")
    to = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=[
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, out, to, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, err, to, 0o600)])
    _, status, usage = os.wait4(pid, 0)
    print(os.waitstatus_to_exitcode(status), usage.ru_maxrss, flush=True)
"""


def run(*argv):
    """(exit code, output, errors, greatest resident memory in KB)"""
    paths = TEMP.join("stdout"), TEMP.join("stderr")
    SMALL.stdin.write("\t".join(paths + argv) + "\n")
    SMALL.stdin.flush()
    code, rss_kb = map(int, SMALL.stdout.readline().split())
    texts = []
    for path in paths:
        with open(path, "rb") as file:
            texts.append(file.read())
    return code, texts[0], texts[1], rss_kb


def tree(folder):
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


class Rendered:
    """One run of render: the report, the files, the memory."""

    def __init__(self, settings, snapshot):
        ini, shot = TEMP.join("main.ini"), TEMP.join("snapshot.json")
        with open(ini, "w") as file:
            file.write(cases.ini(settings))
        with open(shot, "wb") as file:
            file.write(snapshot)
        self.common = ("--cluster", ini, "--snapshot", shot,
                       "--secrets", TEMP.join("secrets"))
        code, out, err, self.rss_kb = run(
            PROXYCTL, "render", *self.common, "--out", TEMP.join("out"),
            "--listen", "127.0.0.1:21421", "--listen-ssl",
            "127.0.0.1:21422")
        tap.equal((code, out, err), (0, b"", b""), "render")
        self.files = tree(TEMP.join("out"))
        self.text = self.files.pop("report.json")
        self.files.pop(".bulkhead-files")
        tap.ok(not re.search(rb"[\x00-\x09\x0b-\x1f\x7f-\xff]", self.text),
               "the report has odd bytes")
        self.report = json.loads(self.text)

    def size(self):
        """Bytes of all that was written."""
        return len(self.text) + sum(map(len, self.files.values()))

    def services(self, kind):
        """The report's entries by service; one of a kind each."""
        found = {}
        for entry in self.report[kind]:
            tap.ok(entry["service"] not in found, "told twice: %r" % entry)
            found[entry["service"]] = entry
        return found

    def nginx_accepts(self):
        code, out, err, _ = run(
            cases.NGINX, "-t", "-p", TEMP.join("out"), "-c", "nginx.conf",
            "-g", "daemon off;")
        if os.path.exists(TEMP.join("out", "nginx.pid")):
            os.unlink(TEMP.join("out", "nginx.pid"))
        tap.equal(code, 0, "nginx -t: %r" % (out + err))

    def words_are_clean(self):
        """
        What is said reaches terminals.  All of it is in the report too,
        which has odd characters as escapes.
        """
        if b"\\u" not in self.text:
            return
        for words in (["validate"], ["explain", "evil"]):
            _, out, err, _ = run(PROXYCTL, *words, *self.common)
            tap.ok(not re.search(rb"[^\n\x20-\x7e]", out + err),
                   "%s: odd bytes in %r" % (words[0], out + err))


def directives(text):
    """[words] of every directive, by a reader that is not the renderer's."""
    found, words, at = [], [], 0
    if text.startswith(HEAD):
        at = len(HEAD)
    while at < len(text):
        match = TOKEN.match(text, at)
        tap.ok(match, "not to be read: %r" % text[at:at + 80])
        token, at = match.group(), match.end()
        if token.isspace():
            continue
        if token in (b";", b"{", b"}"):
            tap.ok(bool(words) != (token == b"}"), "stray %r" % token)
            if words:
                found.append(words)
            words = []
        else:
            words.append(token)
    tap.equal(words, [], "cut off")
    return found


MAP_LINES = [[b"hostnames"], [b"default", b"tls"], [b"~^t-", b"pass"],
             [b"default", b"$bulkhead_target"]]


def check_directives(rendered, fixed=()):
    """'fixed': what may be there besides, the settings' own maps."""
    hosts = {r["host"] for a in rendered.report["accepted"]
             for r in a["routes"]}
    for name, text in rendered.files.items():
        names = name.endswith(".sni")
        for words in directives(text):
            word = words[0].decode("latin-1")
            if names:
                host = word.strip('"').lstrip("\\")
                tap.ok(host in hosts, "%s: %r" % (name, words))
                tap.equal(len(words), 2, name)
            elif word == "server_name":
                for host in words[1:]:
                    tap.ok(host.decode() in hosts or host in (b'""', b"_"),
                           "%s: %r" % (name, words))
            elif word not in DIRECTIVES:
                tap.ok(name == "nginx.conf" and (
                    words in MAP_LINES or words in fixed or
                    word in hosts and words[1:] == [b"tls"]),
                    "%s: directive %r" % (name, words))


BASES = {}


def base_of(settings):
    """What is rendered of the innocents alone."""
    key = json.dumps(settings, sort_keys=True)
    if key not in BASES:
        BASES[key] = Rendered(settings, document({}, {}))
        BASES[key].nginx_accepts()
        BASES[key].own = directives(BASES[key].files["nginx.conf"])
        check_directives(BASES[key], BASES[key].own)
    return BASES[key]


def matches(what, got, wanted):
    for key, value in wanted.items():
        if key == "remarks":
            check_remarks(what, got["remarks"], value)
        elif key == "routes":
            tap.equal([r["host"] + r["path"] for r in got["routes"]], value,
                      what + " routes")
        elif key == "upstreams":
            tap.equal([[u["address"] for u in r["upstreams"]]
                       for r in got["routes"]], value, what + " upstreams")
        else:
            cases.check("%s %s" % (what, key), got.get(key), value)


def check_remarks(what, got, wanted):
    tap.equal([r["code"] for r in got], [r["code"] for r in wanted],
              what + " remarks")
    for one, want in zip(got, wanted):
        matches(what + " remark", one, want)


def check_innocents(case, base, rendered):
    theirs, ours = base.services("accepted"), rendered.services("accepted")
    for name in INNOCENT:
        if name in case.get("costs", {}):
            continue
        tap.equal(ours.get(name), theirs[name], "the report of " + name)
    accepted = set(ours) - set(INNOCENT)
    touched = case.get("touches", [])
    for path, text in base.files.items():
        if path in touched:
            continue
        tap.ok(path in rendered.files, path + " is gone")
        if rendered.files[path] != text:
            raise AssertionError("%s differs:\n%s" % (
                path, rendered.files[path].decode("latin-1")[:2000]))
    if not accepted:
        tap.equal(sorted(rendered.files), sorted(base.files), "files")
        tap.equal(rendered.report["needs"], base.report["needs"], "needs")
    elif "needs" in case:
        tap.equal(rendered.report["needs"]["secrets"], case["needs"])


def check_expected(case, rendered):
    accepted = rendered.services("accepted")
    rejected = rendered.services("rejected")
    for name in INNOCENT:
        accepted.pop(name, None)
        if name not in case.get("costs", {}):
            tap.ok(name not in rejected, name + " is rejected")
    wanted = case.get("rejected", {})
    if "code" in wanted:
        wanted = {"evil": wanted}
    wanted = dict(wanted, **case.get("costs", {}))
    if "many" in case:
        tap.equal(collections.Counter(r["code"] for r in rejected.values()),
                  case["many"], "rejected")
        rejected = {}
    tap.equal({n: r["code"] for n, r in rejected.items()},
              {n: r["code"] for n, r in wanted.items()}, "rejected")
    for name, want in wanted.items():
        want = dict(want)
        if "label" in want and re.fullmatch("[a-z_]+", want["label"] or ""):
            want["label"] = PREFIX + want["label"]
        matches(name, rejected[name], want)
    wanted = build(case.get("accepted", {}))
    tap.equal(sorted(accepted), sorted(wanted), "accepted")
    for name, want in wanted.items():
        matches(name, accepted[name], dict({"remarks": []}, **want))


def check_memory(base, rendered, size):
    size += 2 * (rendered.size() - base.size())
    most = base.rss_kb + RSS_SLACK_KB + RSS_PER_INPUT * size // 1024
    tap.ok(rendered.rss_kb <= most, "%d KB of memory for %d KB in and out; "
           "without it %d KB" % (rendered.rss_kb, size // 1024, base.rss_kb))


def check_refused(base, snapshot):
    """No list of objects at all: refused as a whole, nothing is written."""
    with open(TEMP.join("snapshot.json"), "wb") as file:
        file.write(snapshot)
    code, out, err, _ = run(PROXYCTL, "render", *base.common, "--out",
                            TEMP.join("never"))
    tap.equal((code, out, os.path.exists(TEMP.join("never"))),
              (1, b"", False))
    tap.ok(re.fullmatch(rb"[ -~]{10,300}\n", err), "says %r" % err)


def check_case(case):
    settings = case.get("settings", {})
    base = base_of(settings)
    snapshot = document(evil_objects(case), case.get("bytes", {}))
    if case.get("refused"):
        check_refused(base, snapshot)
        return
    rendered = Rendered(settings, snapshot)
    check_expected(case, rendered)
    check_innocents(case, base, rendered)
    check_memory(base, rendered, len(snapshot) - len(document({}, {})))
    for path, text in rendered.files.items():
        for bad in case.get("forbidden", []) + ["evil0", "pwned"]:
            tap.ok(bad.encode("latin-1") not in text,
                   "%r is in %s" % (bad, path))
    check_directives(rendered, base.own)
    if rendered.files != base.files:
        rendered.nginx_accepts()
    rendered.words_are_clean()


def add(topic, case):
    def check():
        check_case(case)
    check.__name__ = "%s: %s" % (topic, case["name"])
    tap.test(check)


def main():
    os.chmod(TEMP.path, 0o755)
    os.mkdir(TEMP.join("secrets"))
    pki = certificates.Pki(TEMP.path)
    for name, what in (("api-cert", "cert:api.example"),
                       ("api-key", "key:api.example"),
                       ("evil-cert", "cert:evil.example"),
                       ("evil-key", "key:evil.example"),
                       ("evil-pem", "pem:evil.example"),
                       ("evil-auth", "text:u:{PLAIN}p\n"),
                       ("evil-noise", "text:" + "\x00\x01\x7f" * 170000),
                       ("evil-expired", "expired:evil.example"),
                       ("evil-cut", "cut:evil.example"),
                       ("evil-empty", "text:")):
        with open(TEMP.join("secrets", name), "wb") as file:
            file.write(pki.secret(what))
    names = set()
    for path in sorted(glob.glob(os.path.join(HERE, "*.json"))):
        topic = os.path.basename(path)[:-len(".json")]
        with open(path) as file:
            for case in json.load(file):
                full_name = "%s: %s" % (topic, case["name"])
                if full_name in names:
                    raise SystemExit("two cases are named " + full_name)
                names.add(full_name)
                if all(o in full_name for o in sys.argv[1:]):
                    add(topic, case)
    tap.main()


if not os.access(cases.NGINX, os.X_OK):
    tap.skip_all("no nginx here (make deps installs it)")
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + \
    ":quarantine_size_mb=1"
TEMP = procs.TempDir("bh-hostile-")
tap.cleanup(TEMP.remove)
SMALL = subprocess.Popen([sys.executable, "-I", "-S", "-c", STARTER],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         text=True)
tap.cleanup(SMALL.communicate)
main()
