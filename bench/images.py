#!/usr/bin/env python3
"""images.py SIZE COUNT FILE.npy -- COUNT images [SIZE, SIZE, 3] of the same random bytes."""
import random
import struct
import sys

size, count, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
header = str({"descr": "|u1", "fortran_order": False, "shape": (count, size, size, 3)})
header += " " * (-(11 + len(header)) % 64) + "\n"
with open(path, "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
    file.write(random.Random(0).randbytes(count * size * size * 3))
