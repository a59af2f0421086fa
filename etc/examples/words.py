#!/usr/bin/python3 -I
"""words - a tool of Cupel in Python's standard library: counts words.

{"text": "a rose is a rose"} -> {"words": 5, "distinct": 3, "most": "a"}

Cupel's frames come on descriptor 3, beats go to descriptor 4; the format is
in cupel-tool(5). One call at a time, so there is no queue and no thread.
"""
import collections
import os
import select
import socket
import struct
import sys
import time

LINK, BEAT = 3, 4
HELLO, WELCOME, READY, PING, PONG, DRAIN, DRAINED = 1, 2, 3, 4, 5, 6, 7
ACCEPT, CREDIT, BUSY, CALL, RESULT = 12, 15, 17, 64, 67
BEAT_HELLO, BEAT_READY, BEAT_ALIVE = 1, 2, 3
OK, INVALID_ARGUMENT, RESOURCE_EXHAUSTED = 0, 3, 8
ORIGIN_WORKER = 2
BODY_MAX, LINK_CREDIT, GRANT = 261120, 4194304, 1048576


# ---- msgpack: what JSON can say, and bin ----

def pack(value):
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        if value < 0:
            return b"\xd3" + struct.pack(">q", value)
        return bytes([value]) if value < 128 else b"\xcf" + struct.pack(">Q", value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, bytes):
        return b"\xc6" + struct.pack(">I", len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return b"\xdb" + struct.pack(">I", len(text)) + text
    if isinstance(value, dict):
        return b"\xdf" + struct.pack(">I", len(value)) + b"".join(
            pack(key) + pack(item) for key, item in value.items())
    items = b"".join(map(pack, value))      # a frame's own array must be short
    head = bytes([0x90 + len(value)]) if len(value) < 16 else b"\xdd" + struct.pack(">I", len(value))
    return head + items


FIXED = {0xca: ">f", 0xcb: ">d", 0xcc: ">B", 0xcd: ">H", 0xce: ">I", 0xcf: ">Q",
         0xd0: ">b", 0xd1: ">h", 0xd2: ">i", 0xd3: ">q"}
SIZED = {0xc4: (1, bytes), 0xc5: (2, bytes), 0xc6: (4, bytes),
         0xd9: (1, str), 0xda: (2, str), 0xdb: (4, str),
         0xdc: (2, list), 0xdd: (4, list), 0xde: (2, dict), 0xdf: (4, dict)}


def unpack(data, at=0):
    """The value that starts there, and where it ends."""
    first, at = data[at], at + 1
    if first < 0x80 or first >= 0xe0:
        return (first if first < 0x80 else first - 256), at
    if first in (0xc0, 0xc2, 0xc3):
        return {0xc0: None, 0xc2: False, 0xc3: True}[first], at
    if first in FIXED:
        size = struct.calcsize(FIXED[first])
        return struct.unpack_from(FIXED[first], data, at)[0], at + size
    if first < 0xc0:
        kind, count = ((dict, first & 15) if first < 0x90 else
                       (list, first & 15) if first < 0xa0 else (str, first & 31))
    else:
        size, kind = SIZED[first]
        count, at = int.from_bytes(data[at:at + size], "big"), at + size
    if kind in (bytes, str):
        piece = data[at:at + count]
        return (bytes(piece) if kind is bytes else piece.decode()), at + count
    items = []
    for _ in range(count * (2 if kind is dict else 1)):
        item, at = unpack(data, at)
        items.append(item)
    return (dict(zip(items[::2], items[1::2])) if kind is dict else items), at


# ---- the link and the beat ----

class Worker:
    def __init__(self):
        self.link = socket.socket(fileno=LINK)
        self.beat_socket = socket.socket(fileno=BEAT)
        self.received = b""
        self.generation = self.turns = self.served = self.taken = 0
        self.credit = LINK_CREDIT               # bytes of bodies we may send
        self.next_beat = time.monotonic()

    def send(self, kind, call, *fields, body=b""):
        array = pack([kind, call, 0, self.generation, *fields, body])
        self.link.sendall(struct.pack(">I", len(array)) + array)

    def beat(self, kind, value):
        self.beat_socket.send(struct.pack("=IIQ", kind, 0, value))

    def frames(self):
        """Every frame that comes, and a beat each second meanwhile."""
        while True:
            while len(self.received) >= 4:
                end = 4 + int.from_bytes(self.received[:4], "big")
                if len(self.received) < end:
                    break
                frame, self.received = self.received[4:end], self.received[end:]
                yield unpack(frame)[0]
            self.turns += 1
            if time.monotonic() >= self.next_beat:
                self.next_beat = time.monotonic() + 1
                self.beat(BEAT_ALIVE, self.turns)
            wait = max(0, self.next_beat - time.monotonic())
            ready, _, _ = select.select([self.link, self.beat_socket], [], [], wait)
            if self.beat_socket in ready:
                return                          # the monitor is gone
            if self.link in ready:
                more = self.link.recv(65536)
                if not more:
                    return                      # the router is gone
                self.received += more

    def answer(self, call, attempt, code, reason="", body=b""):
        self.credit -= len(body)
        self.send(RESULT, call, code, ORIGIN_WORKER, attempt, 0, 0, 0, reason, body=body)

    def call(self, frame, serve):
        call, attempt, flags, body = frame[1], frame[8], frame[9], frame[12]
        self.taken += len(body)
        if self.taken >= GRANT:                 # what we have read may come again
            self.send(CREDIT, 0, self.taken)
            self.taken = 0
        if flags & 1 or self.credit < BODY_MAX: # more than a frame, or no way to answer
            self.send(BUSY, call, RESOURCE_EXHAUSTED, 0, "arguments or results wait")
            return
        self.send(ACCEPT, call)                 # before the first side effect
        try:
            result = pack(serve(unpack(body)[0] if body else None))
            if len(result) > BODY_MAX:
                raise ValueError("the result is too long")
            self.answer(call, attempt, OK, body=result)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            self.answer(call, attempt, INVALID_ARGUMENT, str(error)[:200])
        self.served += 1

    def run(self, name, serve):
        self.send(HELLO, 0, 1, 0, 0, name, "", 0, b"")
        self.beat(BEAT_HELLO, 0)
        for frame in self.frames():
            kind = frame[0]
            if kind == WELCOME:
                self.generation = frame[3]
                self.send(READY, 0, 1)          # one call at a time
                self.beat(BEAT_READY, 1)
            elif kind == PING:
                self.send(PONG, 0, frame[4], self.turns)
            elif kind == CREDIT and frame[1] == 0:
                self.credit += frame[4]
            elif kind == CALL:
                self.call(frame, serve)
            elif kind == DRAIN:                 # nothing runs between frames
                self.send(DRAINED, 0, self.served)
                return


# ---- the tool ----

def count_words(arguments):
    words = arguments["text"].split()
    counted = collections.Counter(words)
    most = counted.most_common(1)
    return {"words": len(words), "distinct": len(counted),
            "most": most[0][0] if most else None}


if __name__ == "__main__":
    try:
        Worker().run("words", count_words)
    except (BrokenPipeError, ConnectionResetError):
        pass
    sys.stdout.flush()
    os._exit(0)
