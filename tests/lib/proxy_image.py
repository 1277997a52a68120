"""A proxy image out of this build's proxyctl and the host's nginx, without a
registry: an archive of the programs and the libraries that they load."""

import glob
import io
import json
import os
import re
import subprocess
import tarfile
import urllib.parse

import engine
import procs

PASSWD = b"root:x:0:0:root:/root:/bin/false\nnobody:x:65534:65534::/:/bin/false\n"


def libraries(programs):
    found = set()
    for program in programs:
        text = subprocess.run(["ldd", program], capture_output=True,
                              text=True, check=True).stdout
        found.update(re.findall(r"(/[^ ]+\.so[^ ]*)", text))
    found.update(glob.glob("/lib/x86_64-linux-gnu/libnss_*.so.2"))
    return sorted(found)


def import_into(real, tag="bulkhead-proxy:test"):
    """The ID of the image."""
    modules = glob.glob("/usr/lib/nginx/modules/ngx_stream_module.so")
    programs = {procs.binary("proxyctl"): "usr/bin/proxyctl",
                "/usr/sbin/nginx": "usr/sbin/nginx"}
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", dereference=True) as tar:
        for folder in ("tmp", "run", "proc", "sys", "dev", "etc", "root",
                       "var/lib/nginx", "var/log/nginx"):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for source, target in programs.items():
            tar.add(source, target)
        for path in modules + libraries(list(programs) + modules):
            tar.add(os.path.realpath(path), path.lstrip("/"))
        for name, text in (("etc/passwd", PASSWD),
                           ("etc/group", b"root:x:0:\nnogroup:x:65534:\n"),
                           ("etc/nsswitch.conf", b"hosts: files dns\n")):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text), 0o644
            tar.addfile(info, io.BytesIO(text))
    repo, name = tag.rsplit(":", 1)
    answer = real.raw("POST", engine.API + "/images/create?"
                      + urllib.parse.urlencode([
                          ("fromSrc", "-"), ("repo", repo), ("tag", name),
                          ("changes", "USER nobody")]),
                      data.getvalue(),
                      headers={"Content-Type": "application/x-tar"},
                      timeout=120)
    if answer.status != 200:
        raise AssertionError("image import: %r" % answer)
    return json.loads(answer.text.strip().splitlines()[-1])["status"]
