"""A forwarder of bytes in front of any socket, which spoils what passes.

    forward = forward.Forward(fake.socket, folder + "/docker.sock").start()
    forward.set("cut", only="/events", at=100)
    forward.set("pass")
    forward.stop()

Where it listens and what it stands before are paths of unix sockets or
ADDRESS:PORT.  What is spoiled is what the server says; modes:

    pass      nothing is
    silent    nothing is passed, either way, until the mode changes
    deaf      the same from server to client only
    trickle   one byte each 'seconds' (1)
    delay     every piece comes 'seconds' later
    cut       the connection ends after 'at' bytes of an answer
    halt      the answer stands still after 'at' bytes, the connection open
    garble    'spoil' {offset: byte} replaces bytes of an answer
    lose      pieces after the answer's header vanish (of a stream)
    twice     those pieces come twice
    swap      the first of each two of those pieces comes second
    edit      'change'(piece, offset) gives what is passed instead
    answer    'data' is the answer; the server never hears of it
    half      the server's end is not passed on: half a connection stays

'only' limits a mode to requests (their first line) that contain the text.
Bytes of an answer count from the last request on its connection.  Modes hold
for connections that are open already.  absent() takes the socket away,
refuse() leaves a dead one, listen() puts it back, drop() ends what is open.
"""

import os
import re
import socket
import threading

CHUNK = 65536
REQUEST = re.compile(rb"\A(GET|POST|PUT|DELETE|HEAD) ")


def open_socket(where):
    """(a new socket of the right family, its address)"""
    if "/" in where:
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), where
    address, port = where.rsplit(":", 1)
    return (socket.socket(socket.AF_INET, socket.SOCK_STREAM),
            (address, int(port)))


class Mode:
    """What is done now; never changed, but replaced."""

    def __init__(self, name, only="", at=0, seconds=1.0, spoil=None,
                 change=None, data=b""):
        self.name = name
        self.only = only.encode()
        self.at, self.seconds = at, seconds
        self.spoil, self.change, self.data = spoil or {}, change, data


class Link:
    """One connection: two sockets, and a thread for each direction."""

    def __init__(self, forward, client, server):
        self.forward = forward
        self.client, self.server = client, server
        self.request = b""
        self.offset = 0         # of the answer
        self.header = True      # of the answer: it is not over
        self.held = b""
        self.open = True

    def start(self):
        for work in (self._up, self._down):
            threading.Thread(target=self._guard, args=(work,),
                             daemon=True).start()

    def close(self):
        self.open = False
        for end in (self.client, self.server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.forward.forget(self)

    def _guard(self, work):
        try:
            half = work()
        except OSError:
            half = False
        if not half:
            self.close()

    def mode(self):
        """The mode that holds for this connection's request."""
        mode = self.forward.mode
        if mode.only in self.request or not mode.only:
            return mode
        return PASS

    def _wait(self, names):
        """While the mode is one of those."""
        with self.forward.condition:
            self.forward.condition.wait_for(
                lambda: not self.open or self.mode().name not in names)

    def _up(self):
        while True:
            data = self.client.recv(CHUNK)
            if not data:
                return False
            if REQUEST.match(data):
                self.request = data.split(b"\r\n", 1)[0]
                self.offset, self.header, self.held = 0, True, b""
            mode = self.mode()
            if mode is not PASS:
                self.forward.meet()
            if mode.name == "answer":
                self.client.sendall(mode.data)
                continue
            self._wait(("silent",))
            self.server.sendall(data)

    def _down(self):
        while True:
            data = self.server.recv(CHUNK)
            if not data:
                if self.mode().name == "half":
                    self.forward.meet()
                    return True
                return False
            self._wait(("silent", "deaf"))
            if not self._pass(data):
                return False

    def _pass(self, data):
        """Passes a piece on as the mode says; False ends the connection."""
        mode, offset = self.mode(), self.offset
        header, self.header = self.header, False
        self.offset += len(data)
        if mode.name == "trickle":
            return self._trickle(data)
        if mode.name == "delay":
            self.forward.ended.wait(mode.seconds)
        elif mode.name in ("cut", "halt") and self.offset > mode.at:
            self.forward.meet()
            self.client.sendall(data[:max(0, mode.at - offset)])
            if mode.name == "cut":
                return False
            self._wait(("halt",))
            data = data[max(0, mode.at - offset):]
        elif mode.name == "garble":
            spoilt = bytearray(data)
            for at, byte in mode.spoil.items():
                if offset <= at < self.offset:
                    spoilt[at - offset] = byte
                    self.forward.meet()
            data = bytes(spoilt)
        elif mode.name == "edit":
            data = mode.change(data, offset)
        elif not header and mode.name in ("lose", "twice", "swap"):
            self.forward.meet()
            if mode.name == "lose":
                return True
            if mode.name == "twice":
                data += data
            elif not self.held:
                self.held = data
                return True
            else:
                data, self.held = data + self.held, b""
        elif self.held:
            data, self.held = self.held + data, b""
        self.client.sendall(data)
        return True

    def _trickle(self, data):
        for i in range(len(data)):
            mode = self.mode()
            if mode.name != "trickle":
                self.client.sendall(data[i:])
                return True
            self.client.sendall(data[i:i + 1])
            self.forward.meet()
            with self.forward.condition:
                self.forward.condition.wait_for(
                    lambda: not self.open or self.mode() is not mode,
                    mode.seconds)
        return True


PASS = Mode("pass")


class Forward:
    """Forwards connections to 'where' that come to 'target'."""

    def __init__(self, target, where):
        self.target, self.where = target, where
        self.mode = PASS
        self.condition = threading.Condition()
        self.ended = threading.Event()
        self.links = set()
        self.accepted = 0       # connections
        self.met = 0            # times that a mode but "pass" did something
        self.listener = None

    def set(self, name, **how):
        """The mode from now on; what was met is counted from 0."""
        with self.condition:
            self.mode = PASS if name == "pass" else Mode(name, **how)
            self.met = 0
            self.condition.notify_all()

    def meet(self):
        with self.condition:
            self.met += 1
            self.condition.notify_all()

    def wait_met(self, times=1, deadline=30.0):
        """Until the mode was met so often."""
        with self.condition:
            if not self.condition.wait_for(lambda: self.met >= times,
                                           deadline):
                raise AssertionError("mode %s: met %d times, not %d" % (
                    self.mode.name, self.met, times))

    # The listening socket.

    def start(self):
        self.listen()
        return self

    def listen(self):
        if self.listener is not None:
            return
        listener, address = open_socket(self.where)
        if isinstance(address, str):
            try:
                os.unlink(address)
            except FileNotFoundError:
                pass
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(64)
        self.listener = listener
        threading.Thread(target=self._accept, args=(listener,),
                         daemon=True).start()

    def refuse(self):
        """Nobody listens any more; what is open ends."""
        if self.listener is not None:
            listener, self.listener = self.listener, None
            try:
                listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            listener.close()
        self.drop()

    def absent(self):
        """As refuse(), and a unix socket's name is gone too."""
        self.refuse()
        if "/" in self.where and os.path.exists(self.where):
            os.unlink(self.where)

    def drop(self):
        """Ends every open connection."""
        for link in list(self.links):
            link.close()

    def stop(self):
        self.ended.set()
        self.set("pass")
        self.absent()

    def forget(self, link):
        with self.condition:
            known = link in self.links
            self.links.discard(link)
            self.condition.notify_all()
        if known:
            for end in (link.client, link.server):
                end.close()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server, address = open_socket(self.target)
            try:
                server.connect(address)
            except OSError:
                server.close()
                client.close()
                continue
            with self.condition:
                self.accepted += 1
                link = Link(self, client, server)
                self.links.add(link)
            link.start()
