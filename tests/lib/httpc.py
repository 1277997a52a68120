"""A small HTTP client: TCP or unix socket, any Host, raw request targets."""

import http.client
import json
import socket
import ssl as ssl_module


class UnixConnection(http.client.HTTPConnection):
    """http.client over a unix socket."""

    def __init__(self, path, timeout=30):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    """status, headers (lower-case names), body (bytes), json, text."""

    def __init__(self, status, reason, headers, body):
        self.status = status
        self.reason = reason
        self.headers = {}
        self.all_headers = headers
        for key, value in headers:
            self.headers[key.lower()] = value
        self.body = body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "<%d %s>" % (self.status, self.text[:300])


def exchange(connection, method, target, body=None, headers=None):
    """One request on an open http.client connection."""
    connection.putrequest(method, target, skip_host=bool(
        headers and any(k.lower() == "host" for k in headers)),
        skip_accept_encoding=True)
    for key, value in (headers or {}).items():
        connection.putheader(key, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    response = connection.getresponse()
    return Answer(response.status, response.reason, response.getheaders(),
                  response.read())


def request(method, where, target="/", host=None, headers=None, body=None,
            timeout=10, tls=False, server_name=None):
    """
    One request on a new connection.  'where' is "ADDRESS:PORT" or the path
    of a unix socket; 'target' goes out as it is.
    """
    headers = dict(headers or {})
    if host is not None:
        headers["Host"] = host
    if isinstance(body, str):
        body = body.encode()
    if where.startswith("/"):
        connection = UnixConnection(where, timeout)
    else:
        address, port = where.rsplit(":", 1)
        connection = http.client.HTTPConnection(
            address, int(port), timeout=timeout)
        if tls:
            context = ssl_module.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl_module.CERT_NONE
            raw = socket.create_connection((address, int(port)), timeout)
            connection.sock = context.wrap_socket(
                raw, server_hostname=server_name)
    # http.client refuses some targets that tests want to send.
    connection._validate_path = lambda url: None
    try:
        return exchange(connection, method, target, body, headers)
    finally:
        connection.close()


def get(where, target="/", host=None, **more):
    return request("GET", where, target, host, **more)
