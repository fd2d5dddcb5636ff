"""The account as its APIs show it."""

import json
from typing import Any

from demo import launches

# What is listed: service, operation, the list in the answer, the name in each entry.
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
)


class Cloud:
    """Everything behind the endpoint."""

    def __init__(self, endpoint: str) -> None:
        """Nothing is asked yet."""
        self.endpoint = endpoint

    def client(self, service: str, region: str) -> Any:
        """A client that reaches nothing else."""
        return launches.client(service, region, self.endpoint)

    def things(self, region: str) -> set[str]:
        """Whatever can be named in a region."""
        found = set()
        for service, operation, key, name in LISTS:
            answer = getattr(self.client(service, region), operation)()
            found |= {f"{service} {each[name] if name else each}" for each in answer.get(key, [])}
        events = self.client("events", region)
        for bus in events.list_event_buses()["EventBuses"]:
            rules = events.list_rules(EventBusName=bus["Name"])["Rules"]
            found |= {f"events {rule['Arn']}" for rule in rules}
        level = self.client("ec2", region).get_instance_metadata_defaults()["AccountLevel"]
        return found | {
            f"ec2 default {key}={value}" for key, value in level.items() if key != "ManagedBy"
        }

    def put_event(self, region: str, event: dict[str, Any]) -> None:
        """As a service of the region puts it on the default bus."""
        entry = {"Source": event["source"], "DetailType": event["detail-type"]}
        self.put(region, entry | {"Detail": json.dumps(event["detail"])})

    def put(self, region: str, entry: dict[str, Any]) -> None:
        """Puts one event."""
        answer = self.client("events", region).put_events(Entries=[entry])
        assert answer["FailedEntryCount"] == 0, answer

    def take(self, region: str, url: str) -> list[str]:
        """All messages of a queue, which is empty afterwards."""
        sqs = self.client("sqs", region)
        taken = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                taken.append(message["Body"])
        return taken

    def session(self, role_arn: str, name: str) -> dict[str, str]:
        """The variables that Lambda would give a function of that role."""
        answer = self.client("sts", "us-east-1").assume_role(RoleArn=role_arn, RoleSessionName=name)
        keys = answer["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }
