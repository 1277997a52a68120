#!/usr/bin/env python3
"""What deploy/ ships: its INI files are good ones, the stack file's variables
are all given by somebody, and the Dockerfile installs what the programs are
linked with."""

import os
import re
import shutil
import subprocess

import procs
import tap

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
DEPLOY = os.path.join(ROOT, "deploy")
CLUSTERS = os.path.join(DEPLOY, "clusters.d")
TEMPLATE = re.compile(r'\{\{ env "([A-Z_]+)" \}\}')
VARIABLE = re.compile(r"\$\{([A-Z_]+)(:[-?][^}]*)?\}")
# What Swarm fills in, and what an operator may.
VALUES = {"BULKHEAD_PROXY_IMAGE": "bulkhead-proxy:1", "BULKHEAD_REPLICAS": "2",
          "BULKHEAD_PUBLISH_MODE": "host", "BULKHEAD_CA_CERT": "aa",
          "BULKHEAD_AGENT_CERT": "bb", "BULKHEAD_AGENT_KEY": "cc"}
TMP = procs.TempDir("bh-deploy-")
tap.cleanup(TMP.remove)


def read(*parts):
    with open(os.path.join(ROOT, *parts), encoding="utf-8") as file:
        return file.read()


def installs(text):
    """Packages of each apt-get install in it."""
    flat = text.replace("\\\n", " ")
    return [re.findall(r"(?<!\S)(?!-|apt-get|install)[a-z][a-z0-9.+-]+",
                       found.split("install -y", 1)[1])
            for found in re.findall(r"apt-get install -y[^&\n]*", flat)]


def check(*paths):
    return subprocess.run([procs.binary("proxyctl"), "check", *paths],
                          capture_output=True, text=True, check=False)


@tap.test
def the_ini_files_are_good_ones():
    os.mkdir(TMP.join("clusters.d"))
    paths = [TMP.join("bulkhead.ini")]
    shutil.copy(os.path.join(DEPLOY, "bulkhead.ini"), paths[0])
    for name in sorted(os.listdir(CLUSTERS)):
        text = TEMPLATE.sub(lambda m: VALUES[m.group(1)],
                            read("deploy", "clusters.d", name))
        tap.ok("{{" not in text, "a template that is no variable: " + name)
        paths.append(TMP.join("clusters.d", name))
        with open(paths[-1], "w", encoding="utf-8") as file:
            file.write(text)
    tap.equal(len(paths), 3, "files")
    done = check(*paths)
    tap.equal(done.returncode, 0, done.stdout + done.stderr)
    with open(paths[-1], "a", encoding="utf-8") as file:
        file.write("[proxi]\nx = y\n")
    tap.equal(check(*paths).returncode, 1, "a bad file is seen")


@tap.test
def no_two_clusters_want_one_port():
    seen = {}
    for name in sorted(os.listdir(CLUSTERS)):
        text = read("deploy", "clusters.d", name)
        ports = re.findall(r"^(?:published\w*port|(?:health_)?listen) = "
                           r"(?:[0-9.]+:)?(\d+)$", text, re.M)
        tap.equal(len(ports), 4, name)
        for port in ports:
            tap.ok(port not in seen, "port %s of %s and %s" % (
                port, name, seen.get(port)))
            seen[port] = name


@tap.test
def every_variable_is_given_by_somebody():
    stack = read("deploy", "stack.yml")
    given = set(re.findall(r"'(BULKHEAD_[A-Z_]+)=", read("deploy",
                                                         "images.sh")))
    tap.equal(given, {"BULKHEAD_IMAGE", "BULKHEAD_PROXY_IMAGE"})
    done = subprocess.run([procs.binary("proxyctl"), "pki", TMP.join("pki")],
                          capture_output=True, text=True, check=False)
    tap.equal(done.returncode, 0, done.stderr)
    with open(TMP.join("pki", "names.env"), encoding="ascii") as file:
        given |= {line.split("=")[0] for line in file}
    named = VARIABLE.findall(stack)
    tap.ok(len(named) > 10, named)
    for name, default in named:
        tap.ok(default.startswith(":-") or name in given,
               "who gives %s?" % name)
    # The templates of the INI files see the supervisor's environment.
    passed = set(re.findall(r"^      (BULKHEAD_[A-Z_]+):", stack, re.M))
    wanted = {name for file in os.listdir(CLUSTERS)
              for name in TEMPLATE.findall(read("deploy", "clusters.d",
                                                file))}
    tap.equal(wanted - passed, set(), "not in the environment")
    tap.equal(passed - wanted, {"BULKHEAD_TASK_ID"}, "of no use")


@tap.test
def each_file_that_the_stack_names_is_there():
    named = re.findall(r"^    file: (\S+)$", read("deploy", "stack.yml"), re.M)
    tap.ok(len(named) >= 8, named)
    for path in named:
        path = re.sub(r"\$\{BULKHEAD_PKI:-([^}]*)\}", r"\1", path)
        path = path.replace("./pki", TMP.join("pki"), 1)
        tap.ok(os.path.exists(os.path.join(DEPLOY, path)), path)


@tap.test
def the_dockerfile_builds_with_the_packages_of_the_makefile():
    build = set(installs(read("deploy", "Dockerfile"))[0])
    text = read("tests", "deps.sh")
    deps = {name: set(re.search(r"^%s='([^']*)'" % name, text, re.M)
                      .group(1).split()) for name in ("build", "run")}
    # pkg-config is for people, nghttp2 for the simulator; libc6-dev comes
    # with gcc unless recommended packages are left out.
    tap.equal(build, (deps["build"] | {"libc6-dev"}) -
              {"pkg-config", "libnghttp2-dev"})
    proxy = set(installs(read("deploy", "Dockerfile"))[2])
    run = {item.split(":")[0] for item in deps["run"]}
    tap.equal(proxy - run, set(), "of the proxy's")


@tap.test
def the_dockerfile_installs_what_the_programs_are_linked_with():
    if not shutil.which("dpkg-query") or not shutil.which("readelf"):
        tap.skip("no dpkg or no readelf")
    have = set(installs(read("deploy", "Dockerfile"))[1])
    named = set()
    for name in ("bulkhead-supervisor", "bulkhead-extension", "proxyctl"):
        told = subprocess.run(["readelf", "-d", procs.binary(name)],
                              capture_output=True, text=True, check=True)
        named.update(re.findall(r"\(NEEDED\).*\[(.*)\]", told.stdout))
    owners = subprocess.run(
        ["dpkg-query", "-S", *("*/" + n for n in sorted(named))],
        capture_output=True, text=True, check=False).stdout
    found = {line.split(":")[0] for line in owners.splitlines()}
    # Debian's own, those of the sanitizers and of other word sizes.
    found = {name for name in found if not re.match(
        r"libc6|libgcc|lib[a-z]+san\d|lib(32|64|x32)", name)}
    tap.equal(found, have)


tap.main()
