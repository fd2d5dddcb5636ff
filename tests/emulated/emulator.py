"""One endpoint for moto's EC2, IAM, STS and DynamoDB, and for LocalStack's other services.

Calls of roles need permission. Calls of EC2 become events in their Region, as if CloudTrail had
recorded them.
"""

import os
import re
import sys
from http import HTTPStatus
from typing import Any

import fake_aws
from botocore.model import OperationModel
from botocore.parsers import EC2QueryParser
from cloud import Cloud
from moto import settings
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.utils import get_service_model
from moto.ec2.responses import EC2Response
from moto.iam.access_control import AssumedRoleAccessKey
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from werkzeug.middleware.http_proxy import ProxyMiddleware

from demo import events

LOCALSTACK = os.environ["LOCALSTACK_URL"]
MOTO = {"cloudtrail", "dynamodb", "ec2", "iam", "sts"}
SIGNED_FOR = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
RECORDED = ("RunInstances", "StartInstances", "ModifyInstanceMetadataOptions")
# The tag of an instance whose launch CloudTrail does not report.
UNREPORTED = {"Key": "launch", "Value": "unreported"}
TOKEN = "X-Amz-Security-Token"

to_moto = DomainDispatcherApplication.__call__
# Without the prefix of a path: the middleware's own dispatch needs one.
proxy = ProxyMiddleware(
    lambda *_: [], {"localstack": {"target": LOCALSTACK, "host": None}}, timeout=120
)
(options,) = proxy.targets.values()


def dispatch(app: DomainDispatcherApplication, environ: dict[str, Any], start: Any) -> Any:
    """Sends a call to the emulator of the service that it is signed for."""
    signed = SIGNED_FOR.search(environ.get("HTTP_AUTHORIZATION", ""))
    if signed and signed.group(1) not in MOTO:
        path = environ["REQUEST_URI"].partition("?")[0]
        return proxy.proxy_to(options | {"remove_prefix": False}, path, "")(environ, start)
    return to_moto(app, environ, start)


authorise = ActionAuthenticatorMixin._authenticate_and_authorize_action


def authorise_roles(self: Any, request: type, resource: str = "*") -> None:
    """Verifies signature and permission of calls with a role's credentials."""
    if TOKEN in self.headers:
        authorise(self, request, resource)


call_action = EC2Response.call_action


def call_and_record(self: EC2Response) -> Any:
    """Sends the event of a call that succeeded."""
    answer = call_action(self)
    action = self._get_action()
    tags = [tag for each in self.params.get("TagSpecifications", []) for tag in each["Tags"]]
    if action in RECORDED and answer[0] == HTTPStatus.OK and UNREPORTED not in tags:
        send(self, action, answer[2])
    return answer


def send(call: EC2Response, action: str, body: str) -> None:
    """Puts the event on the default bus of the call's Region."""
    model: OperationModel = get_service_model("ec2").operation_model(action)
    raw = {"status_code": 200, "headers": {}, "body": body.encode()}
    response = EC2QueryParser().parse(raw, model.output_shape)
    caller = events.identity(call.current_account, role(call), "session")
    record = events.record(action, dict(call.params), response, call.region, caller)
    Cloud(LOCALSTACK).put_event(call.region, events.event(record))


def role(call: EC2Response) -> str:
    """Returns the name of the role that made the call; calls without a session are a person's."""
    if TOKEN not in call.headers:
        return "developer"
    key = AssumedRoleAccessKey(call.current_account, "aws", call.access_key, call.headers)
    return str(key._owner_role_name)


settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
ActionAuthenticatorMixin._authenticate_and_authorize_action = authorise_roles
EC2Response.call_action = call_and_record
DomainDispatcherApplication.__call__ = dispatch

if __name__ == "__main__":
    sys.exit(fake_aws.main())
