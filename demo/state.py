"""Creates the function's state table, writes a person's exemption, and reads the items."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.launches import client

NAME = "imds-enforcer"


def create(endpoint: str) -> None:
    """Creates the table as the Terraform module does."""
    table = dynamodb(endpoint)
    table.create_table(
        TableName=NAME,
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    expiry = {"Enabled": True, "AttributeName": "expires_at"}
    table.update_time_to_live(TableName=NAME, TimeToLiveSpecification=expiry)


def exempt(instance_id: str, endpoint: str) -> None:
    """Exempts an instance for a day, as a person may."""
    until = datetime.now(UTC) + timedelta(days=1)
    item = {
        "key": f"exempt#{instance_id}",
        "until": f"{until:%Y-%m-%dT%H:%M:%SZ}",
        "reason": "a demonstration tomorrow",
        "by": "ada",
    }
    attributes: dict[str, Any] = {name: {"S": value} for name, value in item.items()}
    attributes["expires_at"] = {"N": str(int(until.timestamp()))}
    dynamodb(endpoint).put_item(TableName=NAME, Item=attributes)


def items(endpoint: str) -> dict[str, dict[str, Any]]:
    """Returns all items by their keys, in DynamoDB's JSON."""
    found = dynamodb(endpoint).scan(TableName=NAME, ConsistentRead=True)["Items"]
    return {item["key"]["S"]: item for item in sorted(found, key=lambda item: item["key"]["S"])}


def disrupted(state: dict[str, dict[str, Any]], account: str, region: str) -> set[str]:
    """Returns the instances that count towards the hourly limit of a region."""
    item = state.get(f"limit#{account}#{region}", {})
    return set(item["entries"]["M"]) if item else set()


def dynamodb(endpoint: str) -> Any:
    """Creates a client in the function's region."""
    return client("dynamodb", os.environ["AWS_REGION"], endpoint)
