"""
Applications for the served cases: one asyncio loop in a thread that listens
on many loopback addresses and tells, in JSON, who it is and what it was
asked: {"service","task","method","target","headers":[[k,v]...],"body",
"client"}.

How a request is answered can be asked for by the request itself:
X-Test-Status: 418, X-Test-Delay: 0.5 (seconds), X-Test-Header: name=value.
"""

import asyncio
import base64
import hashlib
import json
import socket
import ssl
import threading
import time

import h2

WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Backend:
    """
    Who answers at (address, port).  kind: "echo", "silent" (accepts, never
    answers), "close" (closes when the request is there), "grpc".  'tls' is (certificate, key);
    'proxy_protocol': a PROXY header is read first and told as "proxied".
    'cookie': the name of one that a client without it is given.
    """

    def __init__(self, service, task, address, port, kind="echo", tls=None,
                 proxy_protocol=False, cookie=None):
        self.service = service
        self.task = task
        self.address = address
        self.port = port
        self.kind = kind
        self.tls = tls
        self.proxy_protocol = proxy_protocol
        self.cookie = cookie
        self.connections = 0
        self.requests = 0

    async def serve(self, reader, writer, proxied=None):
        self.connections += 1
        try:
            if self.kind == "silent":
                await reader.read()
            elif self.kind == "close":
                # Not before the request is here: it could be sent again.
                await reader.readuntil(b"\r\n\r\n")
            elif self.kind == "grpc":
                await h2.serve_call(reader, writer, (
                    "%s %s" % (self.service, self.task)).encode())
            elif self.kind == "echo":
                await self.conversation(reader, writer, proxied)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def accept_proxied(self, listener):
        """
        Connections that begin with a PROXY header: it is taken off the
        socket before TLS begins, which asyncio's streams cannot do.
        """
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(listener)
            line = b""
            while not line.endswith(b"\r\n"):
                byte = await loop.sock_recv(sock, 1)
                if not byte:
                    break
                line += byte
            if not line.startswith(b"PROXY "):
                sock.close()
                continue

            async def serve(reader, writer, told=line.decode().strip()):
                await self.serve(reader, writer, told)

            def factory(serve=serve):
                return asyncio.StreamReaderProtocol(
                    asyncio.StreamReader(), serve)
            asyncio.ensure_future(loop.connect_accepted_socket(
                factory, sock,
                ssl=server_context(self.tls) if self.tls else None))

    async def conversation(self, reader, writer, proxied):
        while True:
            line = (await reader.readline()).decode("latin-1").rstrip("\r\n")
            if not line:
                return
            method, rest = line.split(" ", 1)
            target, version = rest.rsplit(" ", 1)
            headers = []
            while True:
                header = (await reader.readline()).decode("latin-1").strip()
                if not header:
                    break
                key, value = header.split(":", 1)
                headers.append([key, value.strip()])
            lower = {k.lower(): v for k, v in headers}
            body = b""
            if "content-length" in lower:
                body = await reader.readexactly(int(lower["content-length"]))
            self.requests += 1
            if lower.get("upgrade", "").lower() == "websocket":
                await self.websocket(reader, writer, lower)
                return
            await asyncio.sleep(float(lower.get("x-test-delay", "0")))
            answer = json.dumps({
                "service": self.service, "task": self.task, "method": method,
                "target": target, "version": version, "headers": headers,
                "body": len(body), "proxied": proxied,
                "connection": self.connections,
                "client": writer.get_extra_info("peername")[0],
            }).encode()
            more = ""
            if "x-test-header" in lower:
                more = lower["x-test-header"].replace("=", ": ", 1) + "\r\n"
            if self.cookie and self.cookie + "=" not in lower.get("cookie",
                                                                  ""):
                more += "Set-Cookie: %s=%x; Path=/\r\n" % (
                    self.cookie, time.time_ns())
            close = lower.get("connection", "") == "close"
            writer.write(("HTTP/1.1 %s Told\r\nContent-Type: application/json"
                          "\r\nContent-Length: %d\r\n%s%s\r\n" % (
                              lower.get("x-test-status", "200"), len(answer),
                              more, "Connection: close\r\n" if close else "")
                          ).encode())
            if method != "HEAD":
                writer.write(answer)
            await writer.drain()
            if close or version == "HTTP/1.0":
                return

    async def websocket(self, reader, writer, headers):
        """Answers the handshake, tells who it is, then echoes bytes."""
        if headers.get("connection", "").lower() != "upgrade":
            return
        key = headers.get("sec-websocket-key", "") + WEBSOCKET
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest())
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket"
                     b"\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
                     accept + b"\r\n\r\n")
        writer.write(("%s %s\n" % (self.service, self.task)).encode())
        while True:
            data = await reader.read(65536)
            if not data:
                return
            writer.write(data)
            await writer.drain()


def server_context(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


class Backends:
    """Runs Backend objects in a thread; several with a context manager."""

    def __init__(self, backends):
        self.backends = backends
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.error = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    async def _start(self):
        self.stopping = asyncio.Event()
        servers = []
        for b in self.backends:
            if b.kind == "refuse":
                continue
            if b.proxy_protocol:
                sock = socket.create_server((b.address, b.port))
                sock.setblocking(False)
                servers.append(sock)
                asyncio.ensure_future(b.accept_proxied(sock))
                continue
            context = server_context(b.tls) if b.tls else None
            servers.append(await asyncio.start_server(
                b.serve, b.address, b.port, ssl=context, backlog=200))
        self.ready.set()
        await self.stopping.wait()
        for server in servers:
            server.close()

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.set_exception_handler(lambda loop, context: None)
        try:
            self.loop.run_until_complete(self._start())
        except OSError as error:
            self.error = error
            self.ready.set()
        finally:
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.close()

    def __enter__(self):
        self.thread.start()
        self.ready.wait(10)
        if self.error:
            raise self.error
        return self

    def __exit__(self, *_):
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.stopping.set)
        self.thread.join(5)
