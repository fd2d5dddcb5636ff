"""The regions and endpoints of botocore."""

import re
from typing import Any
from urllib.parse import urlsplit

from botocore.endpoint_provider import EndpointProvider
from botocore.loaders import create_loader

# botocore's names, by the names in signatures.
SERVICES = {"ec2": "ec2", "sts": "sts", "monitoring": "cloudwatch", "autoscaling": "autoscaling"}
# Only the function calls it.
TABLE = "dynamodb"

MODES = {
    "plain": {},
    "FIPS": {"AWS_USE_FIPS_ENDPOINT": "true"},
    "dual stack": {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
    "both": {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
}

# An unknown region of each partition, which matches its pattern.
UNKNOWN = {
    "aws": "eu-nowhere-9",
    "aws-cn": "cn-nowhere-9",
    "aws-eusc": "eusc-de-nowhere-9",
    "aws-iso": "us-iso-nowhere-9",
    "aws-iso-b": "us-isob-nowhere-9",
    "aws-iso-e": "eu-isoe-nowhere-9",
    "aws-iso-f": "us-isof-nowhere-9",
    "aws-us-gov": "us-gov-nowhere-9",
}

LOADER = create_loader()
DATA: Any = LOADER.load_data("partitions")
PROVIDERS = {
    service: EndpointProvider(LOADER.load_service_model(name, "endpoint-rule-set-1"), DATA)
    for service, name in (SERVICES | {TABLE: TABLE}).items()
}


def known(partition: Any) -> list[str]:
    """The regions of a partition, without global ones."""
    return [region for region in partition["regions"] if not region.endswith("-global")]


def regions_of(partition: Any) -> list[str]:
    """The regions that botocore knows, and one that it does not."""
    unknown = UNKNOWN[partition["id"]]
    assert re.fullmatch(partition["regionRegex"], unknown)
    assert unknown not in partition["regions"]
    return [*known(partition), unknown]


# By partition.
REGIONS = {partition["id"]: regions_of(partition) for partition in DATA["partitions"]}


def url(service: str, region: str, mode: str, **more: str) -> str:
    """The URL at which botocore would call the service.

    Raises:
        EndpointProviderError: If the rules have no endpoint.

    """
    fips = "AWS_USE_FIPS_ENDPOINT" in MODES[mode]
    dual_stack = "AWS_USE_DUALSTACK_ENDPOINT" in MODES[mode]
    asked = {"Region": region, "UseFIPS": fips, "UseDualStack": dual_stack}
    return PROVIDERS[service].resolve_endpoint(**asked, **more).url


def host(service: str, region: str, mode: str, **more: str) -> str:
    """The `host:port` of the service in a CONNECT request."""
    parts = urlsplit(url(service, region, mode, **more))
    assert (parts.scheme, parts.path, parts.port) == ("https", "", None)
    return f"{parts.hostname}:443"
