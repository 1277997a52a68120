"""
Images for tests on real engines, from what was built here and the libraries
it is linked with: no registry, no package, made in a second.

    name = images.proxy(real)       # proxyctl agent and nginx
    name = images.control(real)     # supervisor, reader, extension, proxyctl
    name = images.demo(real)        # the vendor's sample application

Users, entry points and health checks are those of deploy/Dockerfile, which
makes what is released.  The name is the ID, for which no registry is asked.
"""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import urllib.parse

import engine
import procs

NGINX = "/usr/sbin/nginx"
STREAM = "/usr/lib/nginx/modules/ngx_stream_module.so"
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..",
                       "lib", "base", "version.h"), encoding="ascii") as text:
    VERSION = re.search(r'BULKHEAD_VERSION "(.*)"', text.read()).group(1)
PASSWD = ("root:x:0:0:root:/:/bin/false\n"
          "bulkhead:x:800:800::/:/bin/false\n"
          "nobody:x:65534:65534:nobody:/:/bin/false\n")
GROUP = "root:x:0:\nbulkhead:x:800:\nnogroup:x:65534:\n"
FOLDERS = ("run", "var/run", "var/lib/nginx", "var/log/nginx", "etc",
           "etc/bulkhead", "etc/bulkhead/clusters.d", "var/lib/bulkhead")
# A tmpfs has the mode of the folder that it covers.
OPEN_FOLDERS = ("tmp", "run/bulkhead")


def libraries(program):
    """Paths of the shared objects it loads."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True,
                          check=True)
    return set(re.findall(r"(/\S+\.so\S*)", done.stdout))


def tree(programs, modules=()):
    """{path in the image: path here}; libraries under the names asked for."""
    files = {}
    for path, here in programs.items():
        files[path] = here
        for library in libraries(here):
            files[library] = library
    for module in modules:
        files[module] = module
        for library in libraries(module):
            files[library] = library
    return files


def dressed(data, version):
    """A program of ours that gives itself out for another version, which is
    as long as its own."""
    if version is None:
        return data
    if len(version) != len(VERSION):
        raise ValueError("version %s is not as long as %s" % (version,
                                                               VERSION))
    return data.replace(VERSION.encode(), version.encode())


def pack(files, version=None):
    """A root tree as a tar file's bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for folder in FOLDERS + OPEN_FOLDERS:
            entry = tarfile.TarInfo(folder)
            entry.type = tarfile.DIRTYPE
            entry.mode = 0o1777 if folder in OPEN_FOLDERS else 0o755
            archive.addfile(entry)
        for name, text in (("etc/passwd", PASSWD), ("etc/group", GROUP),
                           ("etc/nsswitch.conf", "hosts: files dns\n")):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
        for path, here in sorted(files.items()):
            with open(os.path.realpath(here), "rb") as f:
                data = f.read()
            if os.path.dirname(here) == os.path.dirname(procs.binary("")):
                data = dressed(data, version)
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size = len(data)
            entry.mode = 0o755
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def load(real, tag, tar, changes=()):
    """Imports it; the image's ID."""
    repo, name = tag.rsplit(":", 1)
    target = engine.API + "/images/create?" + urllib.parse.urlencode(
        [("fromSrc", "-"), ("repo", repo), ("tag", name)] +
        [("changes", c) for c in changes])
    answer = real.raw("POST", target, tar, headers={
        "Content-Type": "application/x-tar"}, timeout=120)
    if answer.status != 200:
        raise AssertionError("image import: %r" % answer)
    return json.loads(answer.text.strip().splitlines()[-1])["status"]


def why_not():
    """A reason why no proxy image can be made here, or None."""
    if not os.path.exists(NGINX):
        return "no nginx"
    if not shutil.which("ldd"):
        return "no ldd"
    return None


def made_as(entry, health, *more):
    """What an image says besides its files; health checks are quicker."""
    return ["ENV PATH=/usr/sbin:/usr/bin", "ENTRYPOINT " + json.dumps(entry),
            "HEALTHCHECK --interval=1s --timeout=10s --start-period=20s "
            "--retries=5 CMD " + json.dumps(health)] + list(more)


def proxy(real, tag="bulkhead-proxy:test", version=None):
    """The proxy group's image, of another version if one is given; its ID."""
    files = tree({"/usr/bin/proxyctl": procs.binary("proxyctl"),
                  NGINX: NGINX},
                 [STREAM] if os.path.exists(STREAM) else [])
    return load(real, tag, pack(files, version), made_as(
        ["/usr/bin/proxyctl", "agent"],
        ["/usr/bin/proxyctl", "healthcheck", "/run/bulkhead/proxy"],
        "USER bulkhead"))


def control(real, tag="bulkhead:test", version=None):
    """The control plane's image; its ID."""
    sbin = {"/usr/sbin/" + name: procs.binary(name)
            for name in ("bulkhead-supervisor", "bulkhead-extension")}
    files = tree({"/usr/bin/proxyctl": procs.binary("proxyctl"), **sbin})
    return load(real, tag, pack(files, version), made_as(
        ["/usr/sbin/bulkhead-supervisor"], ["/usr/bin/proxyctl", "status"],
        'CMD ["-c","/etc/bulkhead/bulkhead.ini"]'))


# Of Python's library, what no application needs.
LEFT_OUT = re.compile(r"(^|/)(__pycache__|tests?|idlelib|tkinter|lib2to3|"
                      r"ensurepip|(site|dist)-packages|config-[^/]*)(/|$)")


def python():
    """This Python and its library, where they are here."""
    library = sysconfig.get_paths()["stdlib"]
    program = os.path.realpath(sys.executable)
    found = [os.path.join(base, name)
             for base, _, names in os.walk(library) for name in names
             if name.endswith((".py", ".so"))]
    found = [path for path in found
             if not LEFT_OUT.search(os.path.relpath(path, library))]
    files = tree({program: program},
                 [path for path in found if path.endswith(".so")])
    files.update({path: path for path in found})
    return program, files


def demo(real, tag="demo:test"):
    """tests/lib/demo_app.py, in the Python that runs this; its ID."""
    program, files = python()
    here = os.path.dirname(os.path.abspath(__file__))
    for name in ("demo_app.py", "backends.py", "h2.py"):
        files["/app/" + name] = os.path.join(here, name)
    return load(real, tag, pack(files), [
        "ENTRYPOINT " + json.dumps([program, "-u", "/app/demo_app.py"])])
