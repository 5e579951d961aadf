"""External data is found whatever holds the tensor: each holder with a planted file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto

from edge_c2vl.bundle import Bundle, write_bundle
from edge_c2vl.errors import BundleError
from edge_c2vl.onnx_files import FIELDS, external_files

PLANTED = "planted.bin"


def tensor(location: str = PLANTED) -> TensorProto:
    result = TensorProto(name="t", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    result.external_data.add(key="offset", value="0")
    result.external_data.add(key="location", value=location)
    return result


def graph_with_initializer() -> GraphProto:
    return GraphProto(name="g", initializer=[tensor()])


def in_attribute(**content: object) -> ModelProto:
    """A node of the graph with one attribute."""
    node = NodeProto(op_type="Constant", attribute=[AttributeProto(name="a", **content)])
    return ModelProto(graph=GraphProto(node=[node]))


def nested(levels: int) -> ModelProto:
    """Subgraph in subgraph; the innermost has the tensor."""
    graph = graph_with_initializer()
    for _ in range(levels):
        graph = GraphProto(node=[NodeProto(op_type="If", attribute=[AttributeProto(name="then_branch", g=graph)])])
    return ModelProto(graph=graph)


HOLDERS: dict[str, Callable[[], ModelProto]] = {
    "initializer": lambda: ModelProto(graph=graph_with_initializer()),
    "sparse initializer's values": lambda: ModelProto(
        graph=GraphProto(sparse_initializer=[SparseTensorProto(values=tensor())])
    ),
    "sparse initializer's indices": lambda: ModelProto(
        graph=GraphProto(sparse_initializer=[SparseTensorProto(indices=tensor())])
    ),
    "attribute's tensor": lambda: in_attribute(t=tensor()),
    "attribute's tensors": lambda: in_attribute(tensors=[TensorProto(), tensor()]),
    "attribute's graph": lambda: in_attribute(g=graph_with_initializer()),
    "attribute's graphs": lambda: in_attribute(graphs=[GraphProto(), graph_with_initializer()]),
    "attribute's sparse tensor": lambda: in_attribute(sparse_tensor=SparseTensorProto(values=tensor())),
    "attribute's sparse tensors": lambda: in_attribute(sparse_tensors=[SparseTensorProto(indices=tensor())]),
    "function's node": lambda: ModelProto(
        functions=[FunctionProto(node=[NodeProto(attribute=[AttributeProto(name="value", t=tensor())])])]
    ),
    "function's attribute with a default": lambda: ModelProto(
        functions=[FunctionProto(attribute_proto=[AttributeProto(name="value", t=tensor())])]
    ),
    "training's initialization": lambda: ModelProto(
        training_info=[onnx.TrainingInfoProto(initialization=graph_with_initializer())]
    ),
    "training's algorithm": lambda: ModelProto(
        training_info=[onnx.TrainingInfoProto(algorithm=graph_with_initializer())]
    ),
    "subgraphs, 20 deep": lambda: nested(20),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_planted_file_is_found_in_each_holder(holder: str) -> None:
    assert external_files(HOLDERS[holder]().SerializeToString()) == {PLANTED}


def test_the_table_knows_every_way_to_a_tensor_that_the_onnx_package_knows() -> None:
    """So a holder that a later ONNX adds is missed here, and not in a vehicle."""
    leads: dict[str, bool] = {}

    def leads_to_external_data(message) -> bool:
        if message.name not in leads:
            leads[message.name] = message.name == "TensorProto"
            # Twice: messages hold each other in rings.
            for _ in range(2):
                found = [leads_to_external_data(field.message_type) for field in message.fields if field.message_type]
                leads[message.name] |= any(found)
        return leads[message.name]

    def ways(message) -> dict[int, str]:
        if message.name == "TensorProto":
            return {message.fields_by_name["external_data"].number: "StringStringEntryProto"}
        inner = [field for field in message.fields if field.message_type]
        return {f.number: f.message_type.name for f in inner if leads_to_external_data(f.message_type)}

    assert leads_to_external_data(ModelProto.DESCRIPTOR)
    wanted, open_ends = {}, [ModelProto.DESCRIPTOR]
    while open_ends:
        message = open_ends.pop()
        if message.name not in wanted:
            wanted[message.name] = ways(message)
            if message.name != "TensorProto":
                open_ends += [f.message_type for f in message.fields if f.number in wanted[message.name]]
    assert wanted == FIELDS


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field as protobuf writes it; sizes up to 2**28."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    result = b""
    while value >= 128:
        result, value = result + bytes([value & 127 | 128]), value >> 7
    return result + bytes([value])


def test_graphs_nested_without_end_are_refused_by_the_reader_not_by_python() -> None:
    content = graph_with_initializer().SerializeToString()
    for _ in range(20_000):
        content = field(1, field(5, field(6, content)))
    with pytest.raises(ValueError, match="nested too deeply"):
        external_files(field(7, content))


def test_a_field_number_whose_upper_bits_protobuf_drops_is_refused() -> None:
    content = ModelProto(graph=graph_with_initializer()).SerializeToString()
    graph = content[content.index(b"\x3a") :]
    hidden = varint(1 << 32 | 7 << 3 | 2) + graph[1:]
    # Some of protobuf's readers find the graph there.
    with pytest.raises(ValueError, match="29 bits"):
        external_files(hidden)


@given(st.sampled_from(sorted(HOLDERS)), st.text(min_size=1, max_size=40), st.integers(0, 3))
def test_any_location_comes_back_as_it_was_written(holder: str, location: str, copies: int) -> None:
    model = ModelProto()
    model.ParseFromString(HOLDERS[holder]().SerializeToString().replace(PLANTED.encode(), b"planted.bin"))
    for number in range(copies):
        model.graph.initializer.append(tensor(f"{location}{number}"))
    wanted = {PLANTED, *(f"{location}{number}" for number in range(copies))}
    assert external_files(model.SerializeToString()) == wanted


def test_a_bundle_whose_function_hides_external_data_is_refused(tmp_path: Path) -> None:
    """The way round the manifest: a default value of a function's attribute, in a file that nobody vouches for."""
    opened = Bundle.open("default")
    model = onnx.load(str(opened.model_path("fp32")))
    model.functions.add(name="f", domain="own", attribute_proto=[AttributeProto(name="value", t=tensor())])
    np.zeros(1, np.float32).tofile(tmp_path / PLANTED)
    with pytest.raises(BundleError, match=r"planted\.bin, which the manifest does not list"):
        write_bundle(tmp_path / "bundle", opened.manifest, {"model.fp32.onnx": model.SerializeToString()})
