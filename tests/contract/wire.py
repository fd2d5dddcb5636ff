"""Compares an answer, as it came over the wire, with AWS's own model of it.

botocore leaves out what its model does not know, so that a wrong name looks like a missing member.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape
from botocore.parsers import RpcV2CBORParser

ERROR_STATUS = 300
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
CONTENT = {
    "ec2": "text/xml;charset=UTF-8",
    "query": "text/xml;charset=UTF-8",
    "json": "application/x-amz-json-1.0",
    "smithy-rpc-v2-cbor": "application/cbor",
}
# An error's code in the Query protocol, and who is to blame.
BLAMED = re.compile(r"\w+;(Sender|Receiver)")
# How XML writes what is no text.
WORDS = {
    "boolean": re.compile(r"true|false"),
    "integer": re.compile(r"-?\d+"),
    "long": re.compile(r"-?\d+"),
    "timestamp": TIME,
}
# What JSON and CBOR read it as.
TYPES: Mapping[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "timestamp": (int, float, datetime),
    "blob": (str, bytes),
}


def faults(operation: OperationModel, answer: Mapping[str, Any]) -> list[str]:
    """What the model of the operation does not allow in an answer."""
    failed = answer["status_code"] >= ERROR_STATUS
    protocol = operation.service_model.resolved_protocol
    found = list(headers(protocol, answer["headers"], failed=failed))
    if protocol in {"ec2", "query"}:
        root = ElementTree.fromstring(answer["body"])
        check = error_document if failed else document
        named = {each.text for each in root.iter() if local(each).lower() == "requestid"}
        if named != {answer["headers"].get("x-amzn-requestid")}:
            found.append(f"the id of the call is {named}")
        return found + list(check(operation, root))
    if protocol == "json":
        value = json.loads(answer["body"])
    else:
        parser = RpcV2CBORParser(timestamp_parser=datetime.fromtimestamp)
        value = parser._initial_body_parse(answer["body"])
    check = error_value if failed else whole_value
    return found + list(check(operation, value))


def headers(protocol: str, given: Mapping[str, str], *, failed: bool) -> Iterator[str]:
    """Checks what the protocol says of headers."""
    if given.get("content-type") != CONTENT[protocol]:
        yield f"the content is {given.get('content-type')}"
    if protocol == "smithy-rpc-v2-cbor":
        if given.get("smithy-protocol") != "rpc-v2-cbor":
            yield f"the protocol is {given.get('smithy-protocol')}"
        if failed and not BLAMED.fullmatch(given.get("x-amzn-query-error", "")):
            yield f"the error is {given.get('x-amzn-query-error')}"


def document(operation: OperationModel, root: ElementTree.Element) -> Iterator[str]:
    """Checks an answer in XML."""
    name = operation.name
    yield from is_named(root, f"{name}Response")
    service = operation.service_model.metadata
    if namespace(root) != service["xmlNamespace"].rstrip("/"):
        yield f"the namespace is {namespace(root)}"
    if service["protocol"] == "ec2":
        id_of_call, *members = root
        yield from is_named(id_of_call, "requestId")
        if operation.output_shape:
            yield from structure(operation.output_shape, members, name)
        elif [(local(each), each.text) for each in members] != [("return", "true")]:
            # What the model leaves out and the API's reference shows.
            yield f"{name} has {[local(each) for each in members]}"
        return
    result, metadata = root
    yield from is_named(result, operation.output_shape.serialization["resultWrapper"])
    yield from structure(operation.output_shape, list(result), name)
    yield from is_named(metadata, "ResponseMetadata", "RequestId")


def error_document(operation: OperationModel, root: ElementTree.Element) -> Iterator[str]:
    """Checks an error in XML."""
    if operation.service_model.metadata["protocol"] == "ec2":
        yield from is_named(root, "Response", "Errors", "RequestID")
        yield from is_named(root[0], "Errors", "Error")
        yield from is_named(root[0][0], "Error", "Code", "Message")
    else:
        yield from is_named(root, "ErrorResponse", "Error", "RequestId")
        yield from is_named(root[0], "Error", "Type", "Code", "Message")
        if root[0][0].text not in {"Sender", "Receiver"}:
            yield f"the type of the error is {root[0][0].text}"


def is_named(element: ElementTree.Element, name: str, *children: str) -> Iterator[str]:
    """Checks the name of an element, and those of its children if some are given."""
    found = local(element), *(local(child) for child in element if children)
    if found != (name, *children):
        yield f"{found} instead of {(name, *children)}"


def structure(shape: Shape, elements: list[ElementTree.Element], path: str) -> Iterator[str]:
    """Checks the members of a structure in XML."""
    known = {
        member.serialization.get("name", name): member for name, member in shape.members.items()
    }
    names = [local(element) for element in elements]
    yield from (f"{path}.{name} is unknown" for name in names if name not in known)
    yield from (f"{path}.{name} is repeated" for name in set(names) if names.count(name) > 1)
    for name, element in zip(names, elements, strict=True):
        if name in known:
            yield from xml(known[name], element, f"{path}.{name}")


def xml(shape: Shape, element: ElementTree.Element, path: str) -> Iterator[str]:
    """Checks an element of XML."""
    if isinstance(shape, StructureShape):
        yield from structure(shape, list(element), path)
    elif isinstance(shape, ListShape):
        name = shape.member.serialization.get("name", "member")
        for item in element:
            yield from is_named(item, name)
            yield from xml(shape.member, item, f"{path}.{name}")
    else:
        text = element.text or ""
        word = WORDS.get(shape.type_name)
        if len(element) or (word and not word.fullmatch(text)):
            yield f"{path} is no {shape.type_name}: {text}"
        yield from is_one_of(shape, text, path)


def local(element: ElementTree.Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def namespace(element: ElementTree.Element) -> str:
    """The namespace of an element."""
    return element.tag.rpartition("}")[0].lstrip("{").rstrip("/")


def whole_value(operation: OperationModel, value: Any) -> Iterator[str]:
    """Checks an answer in JSON or CBOR."""
    return data(operation.output_shape, value, operation.name)


def error_value(operation: OperationModel, value: Any) -> Iterator[str]:
    """Checks an error in JSON or CBOR."""
    kind, text = value.pop("__type"), {"message", "Message"} & set(value)
    code = kind.rpartition("#")[2]
    shape = operation.service_model.shape_for_error_code(code)
    if shape:
        yield from data(shape, value, code)
    elif set(value) != text:
        yield f"{code} has {sorted(value)}"
    if len(text) != 1:
        yield f"{code} has {len(text)} messages"


def data(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """Checks a value of JSON or CBOR."""
    if isinstance(shape, StructureShape):
        yield from (f"{path}.{name} is unknown" for name in set(value) - set(shape.members))
        yield from (
            f"{path}.{name} is missing" for name in set(shape.required_members) - set(value)
        )
        for name in set(value) & set(shape.members):
            yield from data(shape.members[name], value[name], f"{path}.{name}")
    elif isinstance(shape, ListShape):
        for item in value:
            yield from data(shape.member, item, f"{path}[]")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from data(shape.value, item, f"{path}.{key}")
    elif not isinstance(value, TYPES.get(shape.type_name, (str,))):
        yield f"{path} is no {shape.type_name}: {value!r}"
    else:
        yield from is_one_of(shape, value, path)


def is_one_of(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """Checks a value that must be one of some words."""
    if isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        yield f"{path} is {value!r}"


def parameter(name: str, shape: Shape) -> str:
    """How a call writes a parameter of this name."""
    written = shape.serialization.get("name", name)
    return str(shape.serialization.get("queryName") or written[0].upper() + written[1:])
