"""Runs moto's server with CBOR in CloudWatch, and with an EC2 that keeps metadata options.

The AWS SDK for Rust uses this protocol for CloudWatch, and moto does not support it.
`ModifyInstanceMetadataOptions` keeps the options that a call leaves out, and moto removes them.

<https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>
<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceMetadataOptions.html>
"""

import sys
from collections.abc import Mapping
from typing import Any

from botocore.model import DenormalizedStructureBuilder, Shape
from botocore.parsers import RpcV2CBORParser
from botocore.serialize import RpcV2CBORSerializer
from moto.cloudwatch import urls
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.parse import default_timestamp_parser
from moto.core.request import Request
from moto.core.serialize import SERIALIZERS, JSONSerializer
from moto.ec2.models.instances import InstanceBackend, MetadataOptions
from moto.server import main
from werkzeug.exceptions import HTTPException

PATH = "{0}/service/GraniteServiceVersion20100801/operation/(?P<operation>[^/]+)$"
MEMBERS = {"__type": {"type": "string"}, "message": {"type": "string"}}
ERROR = DenormalizedStructureBuilder().with_members(MEMBERS).build_model()


def cbor(value: Mapping[str, Any], shape: Shape | None) -> bytes:
    """Serializes a value as botocore does; returns nothing without a shape."""
    return RpcV2CBORSerializer()._serialize_body_params(value, shape) if shape else b""


class Serializer(JSONSerializer):
    """Serializes to CBOR what moto would serialize to JSON."""

    def _serialize_body(self, body: Mapping[str, Any]) -> bytes:
        if "__type" in body:
            return cbor({"__type": body["__type"], "message": body.get("Message")}, ERROR)
        return cbor(body, self.operation_model.output_shape)


class CborResponse(CloudWatchResponse):
    """Moto's CloudWatch with the operation in the path and CBOR in the body."""

    use_raw_body = True

    def setup_class(self, *args: Any, **more: Any) -> None:
        """Adds the response headers of the protocol."""
        super().setup_class(*args, **more)
        self.response_headers |= {
            "Content-Type": "application/cbor",
            "smithy-protocol": "rpc-v2-cbor",
        }

    def _get_action(self) -> str:
        return self.path.rpartition("/")[2]

    def parse_parameters(self, request: Request) -> None:
        """Parses the body as botocore does, with moto's format of timestamps."""
        parser = RpcV2CBORParser(timestamp_parser=default_timestamp_parser)
        self.params = parser._initial_body_parse(request.data)

    def _authenticate_and_authorize_normal_action(self, resource: str = "*") -> None:
        try:
            super()._authenticate_and_authorize_normal_action(resource)
        except HTTPException as refusal:
            error = {"__type": refusal.error_type, "message": refusal.message}
            refusal.description = cbor(error, ERROR)
            raise


modify = InstanceBackend.modify_instance_metadata_options


def modify_and_keep(
    backend: InstanceBackend, instance_id: str, **named: str | int | bool | None
) -> MetadataOptions:
    """Modifies the options that the call names."""
    options = backend.get_instance(instance_id).metadata_options
    kept = {
        "http_tokens": options.http_tokens,
        "hop_limit": options.http_put_response_hop_limit,
        "http_endpoint": options.http_endpoint,
        "http_protocol": options.http_protocol_ipv6,
        "metadata_tags": options.instance_metadata_tags,
    }
    set_by_call = {name: value for name, value in named.items() if value is not None}
    return modify(backend, instance_id, **(kept | set_by_call))


InstanceBackend.modify_instance_metadata_options = modify_and_keep
SERIALIZERS["smithy-rpc-v2-cbor"] = Serializer
urls.url_paths[PATH] = CborResponse.dispatch

if __name__ == "__main__":
    sys.exit(main())
