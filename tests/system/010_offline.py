#!/usr/bin/env python3
"""proxyctl render, validate and explain: a snapshot in, files and words out."""

import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import threading

import httpc
import procs
import tap

TEMP = procs.TempDir()
tap.cleanup(TEMP.remove)
PROXYCTL = procs.binary("proxyctl")
NGINX = shutil.which("nginx") or (
    "/usr/sbin/nginx" if os.path.exists("/usr/sbin/nginx") else None)


def run(*args):
    """(exit code, standard output, standard error) of proxyctl."""
    done = subprocess.run([PROXYCTL, *args], capture_output=True, text=True,
                          timeout=120, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def write(name, text):
    path = TEMP.join(name)
    with open(path, "w") as file:
        file.write(text if isinstance(text, str) else json.dumps(text))
    return path


def network(name, third):
    return {"Id": "n-" + name, "Name": name, "Driver": "overlay",
            "Scope": "swarm",
            "IPAM": {"Config": [{"Subnet": "127.20.%d.0/24" % third}]}}


def service(name, day, network_name, **labels):
    return {
        "ID": "s-" + name, "Version": {"Index": 3},
        "CreatedAt": "2024-01-%02dT00:00:00Z" % day,
        "Spec": {"Name": name,
                 "Labels": {"com.docker.lb." + k: v
                            for k, v in labels.items()},
                 "Mode": {"Replicated": {"Replicas": 1}},
                 "TaskTemplate": {
                     "Networks": [{"Target": "n-" + network_name}]}}}


def task(name, address, network_name):
    return {"ID": "t-" + name, "ServiceID": "s-" + name, "Slot": 1,
            "NodeID": "node", "Status": {"State": "running"},
            "DesiredState": "running",
            "NetworksAttachments": [{"Network": {"ID": "n-" + network_name},
                                     "Addresses": [address + "/24"]}]}


NETWORKS = [network("front", 1), network("back", 2)]


def snapshot(services, tasks=()):
    return {"version": 1, "services": services, "tasks": list(tasks),
            "networks": NETWORKS}


def web(port="8080"):
    return service("web", 1, "front", hosts="a.example,b.example", port=port)


THIEF = service("thief", 2, "back", hosts="x.example, a.example", port="80")
API = service("api", 3, "back", hosts="api.example", port="80")
INI = write("main.ini", "")
GOOD = write("good.json", snapshot([web(), API]))
MIXED = write("mixed.json", snapshot(
    [API, THIEF, web()], [task("web", "127.20.1.3", "front")]))


def tree(folder):
    """Path -> bytes of all files below a folder."""
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


@tap.test
def a_report_goes_to_standard_output():
    code, out, err = run("render", "--cluster", INI, "--snapshot", MIXED)
    tap.equal((code, err), (0, ""))
    report = json.loads(out)
    tap.equal([s["service"] for s in report["accepted"]], ["web", "api"])
    tap.equal(report["rejected"], [{
        "service": "thief", "service_id": "s-thief",
        "label": "com.docker.lb.hosts", "code": "host-taken", "offset": 11,
        "reason": report["rejected"][0]["reason"], "owner": "web"}])
    tap.equal(report["accepted"][0]["routes"][0]["upstreams"], [
        {"address": "127.20.1.3:8080", "task": "t-web", "weight": 1}])
    tap.equal(report["cluster"], "main")


@tap.test
def a_folder_is_filled_and_says_the_same():
    out = TEMP.join("filled/deep")
    tap.equal(run("render", "--cluster", INI, "--snapshot", MIXED, "--out",
                  out, "--listen", "127.0.0.1:21401"), (0, "", ""))
    files = tree(out)
    tap.ok("nginx.conf" in files)
    _, report, _ = run("render", "--cluster", INI, "--snapshot", MIXED)
    tap.equal(files["report.json"].decode(), report)
    again = TEMP.join("filled/again")
    run("render", "--cluster", INI, "--snapshot", MIXED, "--out", again,
        "--listen", "127.0.0.1:21401")
    tap.equal(tree(again), files, "the same input")


@tap.test
def no_path_leads_out_of_the_folder():
    out = TEMP.join("inside")
    run("render", "--cluster", INI, "--snapshot", MIXED, "--out", out,
        "--listen", "127.0.0.1:21401")
    for name, text in tree(out).items():
        if not name.endswith((".conf", ".inc")):
            continue
        for line in text.decode().splitlines():
            directive = re.match(
                r"\s*(include|pid|\w+_temp_path|error_log|access_log|"
                r"load_module|root|alias)\s+\"?([^\";]+)", line)
            if directive and directive[2].startswith("/"):
                tap.ok(directive[2].startswith("/dev/std") or
                       directive[1] == "load_module", line)


@tap.test
def own_files_are_replaced_and_others_are_left():
    out = TEMP.join("replaced")
    run("render", "--cluster", INI, "--snapshot", MIXED, "--out", out)
    before = set(tree(out))
    for path in ("note.txt", "sites/mine.txt"):
        with open(os.path.join(out, path), "w") as file:
            file.write("mine")
    one = write("one.json", snapshot([API]))
    tap.equal(run("render", "--cluster", INI, "--snapshot", one, "--out",
                  out)[0], 0)
    after = tree(out)
    tap.equal(after["note.txt"], b"mine")
    tap.equal(after["sites/mine.txt"], b"mine")
    tap.ok(len(before - set(after)) > 0, "nothing was removed")
    fresh = TEMP.join("fresh")
    run("render", "--cluster", INI, "--snapshot", one, "--out", fresh)
    tap.equal({k: v for k, v in after.items() if not k.endswith(".txt")},
              tree(fresh))


@tap.test
def a_file_of_somebody_else_is_not_overwritten():
    out = TEMP.join("theirs")
    os.mkdir(out)
    with open(os.path.join(out, "nginx.conf"), "w") as file:
        file.write("theirs")
    code, _, err = run("render", "--cluster", INI, "--snapshot", GOOD,
                       "--out", out)
    tap.equal(code, 1)
    tap.contains(err, "nginx.conf")
    tap.equal(tree(out), {"nginx.conf": b"theirs"})


@tap.test
def a_rejected_service_changes_no_file_of_the_others():
    with_thief, without = TEMP.join("with"), TEMP.join("without")
    run("render", "--cluster", INI, "--snapshot", MIXED, "--out", with_thief)
    honest = write("honest.json", snapshot(
        [API, web()], [task("web", "127.20.1.3", "front")]))
    run("render", "--cluster", INI, "--snapshot", honest, "--out", without)
    left, right = tree(with_thief), tree(without)
    tap.ok(left.pop("report.json") != right.pop("report.json"))
    tap.equal(left, right)


@tap.test
def validate_says_a_line_per_service():
    code, out, _ = run("validate", "--cluster", INI, "--snapshot", GOOD)
    tap.equal(code, 0)
    tap.equal([line.split()[:2] for line in out.splitlines()],
              [["accepted", "web"], ["accepted", "api"]])
    code, out, _ = run("validate", "--cluster", INI, "--snapshot", MIXED)
    tap.equal(code, 1)
    tap.equal([line.split()[:3] for line in out.splitlines()
               if line.startswith("rejected")],
              [["rejected", "thief", "host-taken"]])


@tap.test
def explain_answers_with_its_exit_code():
    for query, wanted in (("web", 0), ("a.example", 0), ("b.example/x", 0),
                          ("thief", 1), ("x.example", 1), ("api", 1),
                          ("nobody", 4), ("nobody.example/x", 4)):
        code, out, err = run("explain", query, "--cluster", INI,
                             "--snapshot", MIXED)
        tap.equal((code, err), (wanted, ""), query)
        code, out, _ = run("--json", "explain", query, "--cluster", INI,
                           "--snapshot", MIXED)
        tap.equal(code, wanted, query)
        tap.equal(json.loads(out)["query"], query)


@tap.test
def every_mistake_of_both_files_is_told():
    bad = write("bad.ini", "[cluster]\nshare_host = sometimes\n"
                "[prox]\nx = 1\n")
    broken = write("broken.json", '{"version":1,"services":[')
    code, out, err = run("render", "--cluster", bad, "--snapshot", broken)
    tap.equal((code, out), (1, ""))
    tap.contains(err, bad + ":2: ")
    tap.contains(err, bad + ":3: ")
    tap.contains(err, broken)
    for args in (("--cluster", TEMP.join("absent.ini"), "--snapshot", GOOD),
                 ("--cluster", INI, "--snapshot", TEMP.join("absent.json")),
                 ("--cluster", INI, "--snapshot", TEMP.path)):
        code, _, err = run("render", *args)
        tap.equal(code, 1, args)
        tap.equal(len(err.splitlines()), 1, args)
    for text in ("", "[]", "<html>", '{"version":2}', '{"services":{}}',
                 "null", '{"version":1,"services":[]} x'):
        odd = write("odd.json", text)
        code, _, err = run("validate", "--cluster", INI, "--snapshot", odd)
        tap.equal((code, err.startswith(odd)), (1, True), text)


@tap.test
def a_folder_that_cannot_be_written_is_one_line():
    blocked = write("blocked", "a file")
    code, _, err = run("render", "--cluster", INI, "--snapshot", GOOD,
                       "--out", blocked + "/out")
    tap.equal((code, len(err.splitlines())), (1, 1))
    tap.contains(err, blocked)


@tap.test
def odd_objects_are_set_aside_and_the_rest_goes_on():
    odd = web()
    odd["ID"], odd["Spec"]["Name"] = "s-odd", "odd"
    odd["Spec"]["Labels"] = ["no", "map"]
    text = json.dumps(snapshot([odd, API, "x", 5, None]))
    # The Engine stores a NUL in a label's key as readily as any other.
    text = text.replace('"x"', '{"ID":"s-nul","Spec":{"Name":"nul","Labels":'
                        '{"a\\u0000b":"c"}},"CreatedAt":'
                        '"2024-01-01T00:00:00Z"}')
    code, out, _ = run("render", "--cluster", INI, "--snapshot",
                       write("odd.json", text))
    report = json.loads(out)
    tap.equal(code, 0)
    tap.equal([s["service"] for s in report["accepted"]], ["api"])
    tap.equal({r["code"] for r in report["rejected"]}, {"bad-object"})
    names = [r["service"] for r in report["rejected"]]
    tap.equal((names[0], names[-2:]), ("odd", ["3", "4"]))
    tap.contains(report["rejected"][0]["reason"], "Spec.Labels")


@tap.test
def check_tells_good_files_from_bad():
    tap.equal(run("check", INI)[0], 0)
    bad = write("check.ini", "[cluster]\nshare_hosts = any\n")
    code, out, err = run("check", INI, bad)
    tap.equal(code, 1)
    tap.contains(out + err, bad + ":2: ")
    tap.contains(out + err, "share_host")


@tap.test
def wrong_calls_are_usage():
    for args in ((), ("rendr",), ("render",), ("render", "--cluster", INI),
                 ("render", "--cluster", INI, "--snapshot", GOOD, "more"),
                 ("render", "--cluster", INI, "--snapshot", GOOD, "--what"),
                 ("render", "--cluster", INI, "--snapshot"),
                 ("render", "--cluster", INI, "--snapshot", GOOD,
                  "--engine", "apache"),
                 ("render", "--cluster", INI, "--snapshot", GOOD,
                  "--listen", "80; root /"),
                 ("explain", "--cluster", INI, "--snapshot", GOOD, "--out",
                  TEMP.join("never"), "web"),
                 ("explain", "--snapshot", GOOD, "--cluster", INI)):
        code, out, err = run(*args)
        tap.equal((code, out), (2, ""), args)
        tap.ok(err, args)
    tap.contains(run("rendr")[2], "did you mean render?")
    for args in (("--help",), ("--version",), ("render", "--help"),
                 ("explain", "--help")):
        code, out, err = run(*args)
        tap.equal((code, err), (0, ""), args)
        tap.ok(out)


class Application(http.server.BaseHTTPRequestHandler):
    """Says what it was asked."""

    def do_GET(self):
        body = ("%s %s" % (self.headers["Host"], self.path)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def free_port(start):
    for port in range(start, start + 90):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port")


@tap.test
def nginx_serves_the_folder():
    if not NGINX:
        tap.skip("no nginx here: apt-get install nginx-light")
    app = http.server.ThreadingHTTPServer(("127.20.1.3", 0), Application)
    threading.Thread(target=app.serve_forever, daemon=True).start()
    tap.cleanup(app.shutdown)
    port = free_port(21410)
    out = TEMP.join("served")
    shot = write("served.json", snapshot(
        [web(str(app.server_address[1])), API, THIEF],
        [task("web", "127.20.1.3", "front")]))
    tap.equal(run("render", "--cluster", INI, "--snapshot", shot, "--out",
                  out, "--listen", "127.0.0.1:%d" % port)[0], 0)
    os.chmod(TEMP.path, 0o755)
    nginx = procs.Process([NGINX, "-p", out, "-c", "nginx.conf", "-g",
                           "daemon off;"], TEMP.join("nginx.log"))
    tap.cleanup(nginx.stop)
    where = "127.0.0.1:%d" % port
    answer = procs.wait_for(lambda: httpc.get(where, "/x?y=1", "b.example"),
                            30, "nginx answers")
    tap.equal((answer.status, answer.text), (200, "b.example /x?y=1"))
    tap.equal(httpc.get(where, "/", "A.example").status, 200)
    tap.equal(httpc.get(where, "/", "api.example").status, 503)
    tap.equal(httpc.get(where, "/", "x.example").status, 503)


tap.main()
