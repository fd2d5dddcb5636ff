"""The answers of AWS."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from listener import Answer, Request

ACCOUNT = "111122223333"
REGION = "eu-central-1"
ROLE_KEY = "ASIA3XMPLROLEEXAMPLE"

MONTH_AGO = datetime.now(UTC) - timedelta(days=30)


def instances(launched: datetime) -> str:
    """An instance that was launched then."""
    at = f"{launched:%Y-%m-%dT%H:%M:%S.000Z}"
    return f"""<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <requestId>a70f576f-f62c-4278-a931-9bf5935c55b1</requestId>
  <reservationSet><item>
    <reservationId>r-0a5a654fac0090f2b</reservationId>
    <ownerId>{ACCOUNT}</ownerId>
    <instancesSet><item>
      <instanceId>i-07ec6babf5e39a2ec</instanceId>
      <imageId>ami-0b3e92d7c5f418a60</imageId>
      <instanceState><code>16</code><name>running</name></instanceState>
      <launchTime>{at}</launchTime>
      <networkInterfaceSet><item>
        <attachment><deviceIndex>0</deviceIndex><attachTime>{at}</attachTime></attachment>
      </item></networkInterfaceSet>
      <metadataOptions>
        <state>applied</state>
        <httpTokens>optional</httpTokens>
        <httpPutResponseHopLimit>1</httpPutResponseHopLimit>
        <httpEndpoint>enabled</httpEndpoint>
      </metadataOptions>
    </item></instancesSet>
  </item></reservationSet>
</DescribeInstancesResponse>"""


CALLER = f"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>arn:aws:iam::{ACCOUNT}:user/mira</Arn>
    <UserId>AIDA3XMPLMIRA7EXAMPLE</UserId>
    <Account>{ACCOUNT}</Account>
  </GetCallerIdentityResult>
</GetCallerIdentityResponse>"""

ROLE = f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleResult><Credentials>
    <AccessKeyId>{ROLE_KEY}</AccessKeyId>
    <SecretAccessKey>secret</SecretAccessKey>
    <SessionToken>token</SessionToken>
    <Expiration>2100-01-01T00:00:00Z</Expiration>
  </Credentials></AssumeRoleResult>
</AssumeRoleResponse>"""

# A state table without items.
TABLE = {
    "GetItem": "{}",
    "BatchGetItem": '{"Responses": {"imds-enforcer": []}}',
    "UpdateItem": "{}",
}

KNOWN = {"GetCallerIdentity": CALLER, "AssumeRole": ROLE} | TABLE


def account_with_one_instance(request: Request) -> Answer:
    """An account with one non-compliant instance in every region; other calls are denied.

    It is new where it is asked for by its id, as after a launch.
    """
    body = KNOWN.get(request.action)
    if request.action == "DescribeInstances":
        body = instances(datetime.now(UTC) if b"instance-id" in request.body else MONTH_AGO)
    date = format_datetime(datetime.now(UTC), usegmt=True)
    return Answer(200, body, {"Date": date}) if body else Answer(403)


def ec2_error(code: str) -> str:
    """An error as EC2 answers it."""
    error = f"<Error><Code>{code}</Code><Message>No.</Message></Error>"
    return f"<Response><Errors>{error}</Errors><RequestID>a70f576f</RequestID></Response>"
