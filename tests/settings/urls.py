"""An endpoint whose paths show which setting named it."""

from pathlib import Path

from authority import Authority
from listener import Listener
from programs import KEYS

# By the names of the services in signatures.
VARIABLES = {
    "ec2": "AWS_ENDPOINT_URL_EC2",
    "sts": "AWS_ENDPOINT_URL_STS",
    "monitoring": "AWS_ENDPOINT_URL_CLOUDWATCH",
    "autoscaling": "AWS_ENDPOINT_URL_AUTO_SCALING",
    "dynamodb": "AWS_ENDPOINT_URL_DYNAMODB",
}
# AWS documents `auto_scaling`, and botocore reads that; the SDK for Rust reads it with a hyphen:
# `format_service_id_for_profile` of aws-runtime 1.10.2.
SECTIONS = {
    "ec2": "ec2",
    "sts": "sts",
    "monitoring": "cloudwatch",
    "autoscaling": "auto-scaling",
}


class Urls:
    """The endpoint, and a proxy for all other hosts."""

    def __init__(self, endpoint: Listener, proxy: Listener, authority: Authority) -> None:
        """Begins without a setting that names the endpoint."""
        self.endpoint = endpoint
        self.proxy = proxy
        self.settings = {"HTTPS_PROXY": proxy.url, "AWS_CA_BUNDLE": str(authority.bundle)}

    def all(self) -> dict[str, str]:
        """A variable for all services."""
        return {"AWS_ENDPOINT_URL": f"{self.endpoint.url}/all"}

    def services(self, *services: str) -> dict[str, str]:
        """Variables for these services."""
        return {VARIABLES[each]: f"{self.endpoint.url}/service/{each}" for each in services}

    def option(self) -> list[str]:
        """An option of the command."""
        return ["--endpoint-url", f"{self.endpoint.url}/option"]

    def profile(self, folder: Path, *lines: str) -> dict[str, str]:
        """A profile; `section` and `profile` stand for lines with URLs."""
        known = {
            "section": "services = here",
            "profile": f"endpoint_url = {self.endpoint.url}/profile",
        }
        text = ["[default]", *(f"{name.lower()} = {value}" for name, value in KEYS.items())]
        text += [known.get(line, line) for line in lines]
        text.append("[services here]")
        for service, name in SECTIONS.items():
            text += [f"{name} =", f"  endpoint_url = {self.endpoint.url}/section/{service}"]
        file = folder / "config"
        file.write_text("\n".join(text))
        return {"AWS_CONFIG_FILE": str(file)}

    def called(self) -> dict[str, str]:
        """The setting that named each service's endpoint, or AWS's host."""
        requests = self.endpoint.requests + self.proxy.requests
        return {request.service: request.through or path(request.target) for request in requests}


def path(target: str) -> str:
    """The path without the suffix of CloudWatch's protocol."""
    return target.partition("/service/GraniteServiceVersion")[0].strip("/")
