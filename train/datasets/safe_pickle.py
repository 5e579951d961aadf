"""Reads a pickle of NumPy arrays and plain containers, and nothing else.

A pickle is a program, and may name any function there is. Here only the few names that NumPy's own pickles use can be
looked up, and even those lead to the stand-ins below, so that no code of NumPy's that trusts its input is reached.

Nor may it ask for more than it brings: pickle's own reader, in C, allocates what an opcode states before it reads, and
a file of 1 kB can describe a key whose hash takes for ever. So the reader in Python is used: a length is compared with
what is left of the file, and keys are words and numbers. It takes 0.8 s of CPU time for 20,000 samples.
"""

from __future__ import annotations

import io
import pickle
import struct
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import DatasetError


def load(path: Path) -> Any:
    """The pickle's dicts, lists, tuples, numbers and words; arrays have a method `array()`, see `as_array`.

    Raises DatasetError where it holds anything else, or is broken.
    """
    try:
        with path.open("rb") as file:
            return _Unpickler(_Bounded(file, path.stat().st_size)).load()
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from None
    except Exception as error:  # a broken pickle ends in nearly any exception
        raise DatasetError(f"{path} cannot be read: {type(error).__name__}: {' '.join(str(error).split())}") from None


def as_array(value: Any) -> NDArray[Any]:
    """An array of a loaded pickle as NumPy has it. Raises ValueError where `value` is none."""
    if not isinstance(value, _Array) or value.content is None:
        raise ValueError(f"an array was expected, not {type(value).__name__}")
    return value.content


class _Dtype:
    """numpy.dtype: booleans, integers, floats and fixed-length words; no objects, no structures."""

    __slots__ = ("name", "order")

    def __init__(self, name: Any, *_: Any) -> None:
        if not isinstance(name, str) or not name or name[0] not in "fiubSU" or not name[1:].isdecimal():
            shown = repr(name[:40]) if isinstance(name, str) else type(name).__name__
            raise DatasetError(f"it holds an array of type {shown}, and may hold numbers and words only")
        self.name = name
        self.order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1] if state[1] in ("<", ">", "=") else "="

    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.name)


class _Array:
    """numpy.ndarray, filled by its state: (version, shape, dtype, Fortran order, bytes)."""

    __slots__ = ("content",)

    def __init__(self) -> None:
        self.content: NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        self.content = _fill(data, dtype, shape, "F" if fortran else "C")


def _fill(data: Any, dtype: Any, shape: Any, order: str) -> NDArray[Any]:
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes | bytearray):
        raise DatasetError("it holds an array that is not made of plain numbers")
    return np.frombuffer(data, dtype.dtype()).reshape(shape, order=order)  # type: ignore[call-overload]


# Each of the functions that may be named is an instance without a __dict__: a pickle can set attributes of what it has
# looked up, and must not change what a function does.
class _Reconstruct:
    __slots__ = ()

    def __call__(self, *_: Any) -> _Array:
        return _Array()


class _FromBuffer:
    """How protocol 5 writes an array."""

    __slots__ = ()

    def __call__(self, data: Any, dtype: Any, shape: Any, order: str) -> _Array:
        array = _Array()
        array.content = _fill(data, dtype, shape, "F" if order == "F" else "C")
        return array


class _Scalar:
    __slots__ = ()

    def __call__(self, dtype: Any, data: Any) -> Any:
        return _fill(data, dtype, (), "C").item()


class _Encode:
    """_codecs.encode: how protocols up to 2 write bytes."""

    __slots__ = ()

    def __call__(self, text: Any, encoding: Any) -> bytes:
        if encoding != "latin1" or not isinstance(text, str):
            raise DatasetError("it calls an encoder")
        return text.encode("latin1")


class _EmptyBytes:
    """bytes(): how protocols up to 2 write no bytes at all."""

    __slots__ = ()

    def __call__(self) -> bytes:
        return b""


class _NdarrayType:
    """numpy.ndarray as an argument of _reconstruct; never called."""

    __slots__ = ()


_ADMITTED: dict[tuple[str, str], Any] = {("numpy", "ndarray"): _NdarrayType(), ("numpy", "dtype"): _Dtype}
_ADMITTED[("_codecs", "encode")] = _Encode()
_ADMITTED[("builtins", "bytes")] = _ADMITTED[("__builtin__", "bytes")] = _EmptyBytes()  # in Python 3 and in Python 2
for _core in ("numpy.core", "numpy._core"):  # before NumPy 2, and since
    _ADMITTED[(f"{_core}.multiarray", "_reconstruct")] = _Reconstruct()
    _ADMITTED[(f"{_core}.multiarray", "scalar")] = _Scalar()
    _ADMITTED[(f"{_core}.numeric", "_frombuffer")] = _FromBuffer()


class _Bounded:
    """A file of which no more can be asked for than is left."""

    def __init__(self, file: io.BufferedReader, size: int) -> None:
        self._file, self._size = file, size
        self.readline = file.readline

    def read(self, count: int) -> bytes:
        left = self._size - self._file.tell()
        if not 0 <= count <= left:
            raise EOFError(f"it states a length of {count} bytes where {left} are left")
        return self._file.read(count)


_KEYS = (str, bytes, int, float, type(None))


# The reader in Python, of whose methods typeshed knows only some.
_Base: Any = pickle._Unpickler


class _Unpickler(_Base):
    dispatch: ClassVar[dict[int, Any]] = dict(_Base.dispatch)

    def _put(self, target: Any, keys: list[Any], values: list[Any]) -> None:
        """Into a dict; by keys whose hash is quick, as that of a tuple of tuples of tuples is not."""
        if not isinstance(target, dict) or len(keys) != len(values) or not all(isinstance(key, _KEYS) for key in keys):
            raise DatasetError("it holds a dict whose keys are not words or numbers")
        target.update(zip(keys, values, strict=True))

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._put(self.stack[-1], [key], [value])

    def load_setitems(self) -> None:
        items = self.pop_mark()
        self._put(self.stack[-1], items[::2], items[1::2])

    def load_dict(self) -> None:
        items, made = self.pop_mark(), dict[Any, Any]()
        self._put(made, items[::2], items[1::2])
        self.append(made)

    def load_bytearray8(self) -> None:
        (size,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(size)))

    def refuse_set(self) -> None:
        raise DatasetError("it holds a set")

    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.DICT[0]] = load_dict
    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8
    dispatch[pickle.EMPTY_SET[0]] = dispatch[pickle.FROZENSET[0]] = dispatch[pickle.ADDITEMS[0]] = refuse_set

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise DatasetError(f"it names {module}.{name}; only arrays, dicts, lists, numbers and words are admitted")
        return _ADMITTED[module, name]

    def persistent_load(self, _: Any) -> Any:
        raise DatasetError("it refers to objects outside the file")
