"""
As much HTTP/2 as a gRPC call needs, at both ends: no priorities, no flow
control, headers written plain and read only as far as a test looks at them.
"""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, ACK, END_HEADERS = 1, 1, 4
# Of the static table: a whole field, its name alone, other whole fields.
STATUS_200 = 0x88
STATUS_NAME = 0x08
STATUSES = {0x89: 204, 0x8a: 206, 0x8b: 304, 0x8c: 400, 0x8d: 404, 0x8e: 500}


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(
        ">BBI", kind, flags, stream) + payload


def header(name, value):
    """A literal that enters no table, without Huffman coding."""
    return (b"\0" + bytes([len(name)]) + name.encode() +
            bytes([len(value)]) + value.encode())


def message(text):
    """A gRPC message: not compressed, its length, its bytes."""
    return b"\0" + struct.pack(">I", len(text)) + text


def parse(head):
    length = struct.unpack(">I", b"\0" + head[:3])[0]
    kind, flags, stream = struct.unpack(">BBI", head[3:9])
    return length, kind, flags, stream & 0x7fffffff


async def serve_call(reader, writer, text):
    """Answers each call on a connection with one message and its trailer."""
    if await reader.readexactly(len(PREFACE)) != PREFACE:
        return
    writer.write(frame(SETTINGS, 0, 0))
    while True:
        length, kind, flags, stream = parse(await reader.readexactly(9))
        payload = await reader.readexactly(length)
        if kind == SETTINGS and not flags & ACK:
            writer.write(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            writer.write(frame(PING, ACK, 0, payload))
        elif kind in (HEADERS, DATA) and flags & END_STREAM:
            writer.write(
                frame(HEADERS, END_HEADERS, stream, bytes([STATUS_200]) +
                      header("content-type", "application/grpc")) +
                frame(DATA, 0, stream, message(text)) +
                frame(HEADERS, END_HEADERS | END_STREAM, stream,
                      header("grpc-status", "0")))
        elif kind == GOAWAY:
            return
        await writer.drain()


def status_of(block):
    """The answer's status; its field is the first one."""
    # A change of the table's size may stand in front.
    block = block.lstrip(bytes(range(0x20, 0x40)))
    if block[0] == STATUS_200:
        return 200
    if block[0] in (STATUS_NAME, STATUS_NAME | 0x40) and block[1] == 3:
        return int(block[2:5])
    return STATUSES.get(block[0])


def call(sock, host, path, body, headers=()):
    """
    One call on a socket that speaks h2: (status, the message's bytes, whether
    a trailer ended the stream).
    """
    head = b"".join(header(*pair) for pair in (
        (":method", "POST"), (":scheme", "https"), (":path", path),
        (":authority", host), ("content-type", "application/grpc"),
        ("te", "trailers"), *headers))
    sock.sendall(PREFACE + frame(SETTINGS, 0, 0) +
                 frame(HEADERS, END_HEADERS, 1, head) +
                 frame(DATA, END_STREAM, 1, message(body)))
    file = sock.makefile("rb")
    status, data, trailer = None, b"", False
    while True:
        start = file.read(9)
        if len(start) < 9:
            raise AssertionError("closed inside a call")
        length, kind, flags, stream = parse(start)
        payload = file.read(length)
        if kind == SETTINGS and not flags & ACK:
            sock.sendall(frame(SETTINGS, ACK, 0))
        elif kind in (RESET, GOAWAY):
            raise AssertionError("reset: %r" % payload)
        elif kind == HEADERS and stream == 1:
            if status is None:
                status = status_of(payload)
            else:
                trailer = True
        elif kind == DATA:
            data += payload
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            return status, data, trailer
