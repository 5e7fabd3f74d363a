"""Writes MXNet's `.params` format, field by field, from its description alone (the script only reads it)."""

import struct

CODES = {"float32": 0, "float64": 1, "float16": 2, "uint8": 3, "int32": 4, "int8": 5, "int64": 6}


def fields_of(arrays, version=0, device=(1, 0)):
    """The fields of a file, in order: `[(name of the field, its bytes)]`.

    Version 0 is the oldest form, the one of ResNet38d's published weights; 1, 2 and 3 begin with a magic number.
    """
    fields = [
        ("magic", struct.pack("<Q", 0x112)),
        ("reserved", struct.pack("<Q", 0)),
        ("array count", struct.pack("<Q", len(arrays))),
    ]
    for number, array in enumerate(arrays.values()):
        if version:
            fields.append((f"version {number}", struct.pack("<I", 0xF993FAC7 + version)))
        if version >= 2:
            fields.append((f"storage {number}", struct.pack("<i", 0)))
        fields.append((f"ndim {number}", struct.pack("<I", array.ndim)))
        fields += [
            (f"dim {number}.{axis}", struct.pack("<q" if version else "<I", n)) for axis, n in enumerate(array.shape)
        ]
        fields += [(f"device type {number}", struct.pack("<i", device[0]))]
        fields += [(f"device number {number}", struct.pack("<i", device[1]))]
        fields += [(f"dtype {number}", struct.pack("<i", CODES[array.dtype.name]))]
        fields += [(f"data {number}", array.tobytes())]
    fields.append(("name count", struct.pack("<Q", len(arrays))))
    for number, name in enumerate(arrays):
        fields += [(f"name length {number}", struct.pack("<Q", len(name.encode()))), (f"name {number}", name.encode())]
    return fields


def write(path, arrays, **options):
    path.write_bytes(b"".join(content for _, content in fields_of(arrays, **options)))
    return path
