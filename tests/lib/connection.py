"""What a client says on one connection, byte for byte, and what it hears."""

import collections
import os
import socket
import ssl

DEADLINE = 30
# The header of version 2 before its 12 bytes of addresses: TCP over IPv4.
PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"


class Client:
    """One connection and what came back on it; requests byte for byte."""

    def __init__(self, where, request, pki, secured=True):
        source = (request["from"], 0) if "from" in request else None
        self.sock = socket.create_connection(where, DEADLINE, source)
        if "proxy" in request:
            self.sock.sendall(request["proxy"].encode() + b"\r\n")
        if "proxy_v2" in request:
            self.sock.sendall(PROXY_V2 + b"".join(map(socket.inet_aton, (
                request["proxy_v2"], "10.0.0.1"))) + b"\0\1\1\xbb")
        if request.get("tls") and secured:
            self.secure(request, pki)
        self.file = self.sock.makefile("rb")

    def secure(self, request, pki):
        """TLS from here on; a Client that is not "secured" calls it later."""
        context = ssl.create_default_context(
            cafile=os.path.join(pki.folder, "ca.pem"))
        if "alpn" in request:
            context.set_alpn_protocols(request["alpn"])
        if "tls_max" in request:
            context.maximum_version = ssl.TLSVersion[
                request["tls_max"].replace(".", "_")]
        name = request.get("sni", request.get("host"))
        if request.get("sni") == "":
            context.check_hostname = False
            name = None
        self.sock = context.wrap_socket(self.sock, server_hostname=name)
        self.file = self.sock.makefile("rb")

    def alpn(self):
        return getattr(self.sock, "selected_alpn_protocol", lambda: None)()

    def version(self):
        return getattr(self.sock, "version", lambda: None)()

    def close(self):
        self.file.close()
        self.sock.close()

    def send(self, request):
        if "raw" in request:
            self.sock.sendall(request["raw"].encode("latin-1"))
            return
        body = request.get("body", "")
        if isinstance(body, int):
            body = "x" * body
        headers = dict(request.get("send", {}))
        if request.get("host") is not None:
            headers = {"Host": request["host"], **headers}
        if body:
            headers["Content-Length"] = str(len(body))
        text = "%s %s HTTP/1.1\r\n" % (method(request), target(request))
        text += "".join("%s: %s\r\n" % pair for pair in headers.items())
        self.sock.sendall(text.encode("latin-1") + b"\r\n" + body.encode())

    def receive(self, head=False):
        """(status, headers, body) of one answer."""
        line = self.file.readline().decode("latin-1")
        if not line:
            raise AssertionError("closed without an answer")
        status = int(line.split(" ")[1])
        headers = collections.defaultdict(list)
        while True:
            header = self.file.readline().decode("latin-1").strip()
            if not header:
                break
            key, value = header.split(":", 1)
            headers[key.lower()].append(value.strip())
        if head or status in (101, 204, 304):
            return status, headers, b""
        if "content-length" in headers:
            return status, headers, self.file.read(
                int(headers["content-length"][0]))
        if headers.get("transfer-encoding") == ["chunked"]:
            body = b""
            while True:
                size = int(self.file.readline(), 16)
                body += self.file.read(size)
                self.file.readline()
                if size == 0:
                    return status, headers, body
        return status, headers, self.file.read()


METHODS = ("get", "post", "put", "head", "delete", "options", "trace")


def method(request):
    for name in METHODS:
        if name in request:
            return name.upper()
    raise AssertionError("no method in %r" % request)


def target(request):
    return request[method(request).lower()]
