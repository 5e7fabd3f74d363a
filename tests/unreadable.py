"""Files with a picture's name on which Pillow raises one error or another."""

import struct
import zlib


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(header):
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


UNREADABLE = {
    "bomb.png": png(struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)),
    "header.png": png(b"\0\0\0\x05"),
    "ppm.png": b"P6\nfive 5\n255\n",
    "depth.png": b"P6\n5 5\n99999\n" + bytes(75),
    "empty.png": b"",
    "huge.png": b"DDS " + struct.pack("<I", 124) + b"\xff" * 120,
    "format.png": b"DDS " + struct.pack("<4I", 124, 0, 4, 4) + bytes(112),
}
