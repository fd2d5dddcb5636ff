"""The state of the account, read through the AWS APIs."""

import json
from typing import Any

from demo import launches

# Service, operation, key of the list in the response, key of the name in each entry.
LISTS = (
    ("events", "list_event_buses", "EventBuses", "Arn"),
    ("events", "list_archives", "Archives", "ArchiveName"),
    ("sqs", "list_queues", "QueueUrls", None),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("sns", "list_subscriptions", "Subscriptions", "Endpoint"),
    ("lambda", "list_functions", "Functions", "FunctionArn"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmArn"),
    ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    ("scheduler", "list_schedules", "Schedules", "Arn"),
    ("cloudtrail", "describe_trails", "trailList", "TrailARN"),
    ("iam", "list_roles", "Roles", "Arn"),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("dynamodb", "list_tables", "TableNames", None),
)


class Cloud:
    """Clients for the fake AWS endpoint."""

    def __init__(self, endpoint: str) -> None:
        """Makes no calls."""
        self.endpoint = endpoint

    def client(self, service: str, region: str) -> Any:
        """Creates a client that connects only to the endpoint."""
        return launches.client(service, region, self.endpoint)

    def resources(self, region: str) -> set[str]:
        """Returns the names of all resources in a Region."""
        found = set()
        for service, operation, key, name in LISTS:
            answer = getattr(self.client(service, region), operation)()
            found |= {f"{service} {each[name] if name else each}" for each in answer.get(key, [])}
        events = self.client("events", region)
        for bus in events.list_event_buses()["EventBuses"]:
            rules = events.list_rules(EventBusName=bus["Name"])["Rules"]
            found |= {f"events {rule['Arn']}" for rule in rules}
        defaults = self.client("ec2", region).get_instance_metadata_defaults()["AccountLevel"]
        return found | {
            f"ec2 default {key}={value}" for key, value in defaults.items() if key != "ManagedBy"
        }

    def put_event(self, region: str, event: dict[str, Any]) -> None:
        """Puts an event on the default bus of a Region."""
        entry = {"Source": event["source"], "DetailType": event["detail-type"]}
        self.put(region, entry | {"Detail": json.dumps(event["detail"])})

    def put(self, region: str, entry: dict[str, Any]) -> None:
        """Puts one entry."""
        answer = self.client("events", region).put_events(Entries=[entry])
        assert answer["FailedEntryCount"] == 0, answer

    def receive_all(self, region: str, url: str) -> list[str]:
        """Receives and deletes all messages in a queue."""
        sqs = self.client("sqs", region)
        bodies = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                bodies.append(message["Body"])
        return bodies

    def session(self, role_arn: str, name: str) -> dict[str, str]:
        """Returns the credential variables that Lambda sets for a function with the role."""
        answer = self.client("sts", "us-east-1").assume_role(RoleArn=role_arn, RoleSessionName=name)
        keys = answer["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }
