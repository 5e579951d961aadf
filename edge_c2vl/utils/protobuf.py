"""Protobuf messages, field by field, without their package: enough to read and to change ONNX files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types


@dataclass(frozen=True)
class Field:
    """number: of the field in its message. value: what a varint holds; content: of a string, a message or packed
    numbers, of fixed ones their bytes. whole: the field as it stands in the message."""

    number: int
    wire: int
    value: int
    content: memoryview
    whole: memoryview


def fields(data: memoryview) -> Iterator[Field]:
    """The fields of a message, in its order. Raises ValueError where it is none."""
    position = 0
    while position < len(data):
        start = position
        key, position = _read(data, position)
        if key >> 32:
            # Protobuf's readers drop the upper bits, and would see another field than is seen here.
            raise ValueError("a field number of more than 29 bits")
        wire, value, size = key & 7, 0, 0
        if wire == VARINT:
            value, position = _read(data, position)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        elif wire == BYTES:
            size, position = _read(data, position)
        else:
            raise ValueError(f"wire type {wire}")
        content, position = data[position : position + size], position + size
        if position > len(data):
            raise ValueError("it ends in the middle of a field")
        yield Field(key >> 3, wire, value, content, data[start:position])


def text(number: int, content: bytes | memoryview) -> bytes:
    """A field of a string, bytes or a message."""
    return _written(number << 3 | BYTES) + _written(len(content)) + bytes(content)


def integer(number: int, value: int) -> bytes:
    """A field of a whole number, not negative."""
    return _written(number << 3 | VARINT) + _written(value)


def _read(data: memoryview, position: int) -> tuple[int, int]:
    """A base-128 number at `position`, and where it ends."""
    value = shift = 0
    while position < len(data) and shift < 70:
        byte = data[position]
        value |= (byte & 127) << shift
        position += 1
        shift += 7
        if not byte & 128:
            return value, position
    raise ValueError("it ends in the middle of a number")


def _written(value: int) -> bytes:
    result = bytearray()
    while value >= 128:
        result.append(value & 127 | 128)
        value >>= 7
    return bytes([*result, value])
