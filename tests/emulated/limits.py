"""What the emulators cannot show, and the test of the deployed documents that stands for it."""

DOCUMENTS = "tests/emulated/test_documents.py"
ROLE = "terraform/tests/test_role.py"
FORGERY = "terraform/tests/test_forgery.py"
ALARMS = "terraform/tests/test_alarms.py"

# The test, or None if nothing but an account of AWS can show it.
NOT_SHOWN: dict[str, str | None] = {
    "EventBridge does not deliver an event to a third bus": (
        f"{DOCUMENTS}::test_no_bus_forwards_what_it_received_from_another_bus"
    ),
    "EventBridge publishes to a topic only if the topic's policy has no condition": (
        f"{DOCUMENTS}::test_a_topic_lets_eventbridge_publish_without_a_condition"
    ),
    "EventBridge sends to a queue only if the queue's policy allows the rule": (
        f"{DOCUMENTS}::test_every_queue_accepts_messages_from_exactly_the_rules_that_send_to_it"
    ),
    "EventBridge invokes the function only if the function's policy allows the rule": (
        f"{DOCUMENTS}::test_only_the_rule_of_the_home_bus_may_invoke_the_function"
    ),
    "EventBridge puts events on a bus only if its role and the bus allow it": (
        f"{DOCUMENTS}::test_the_role_of_the_rules_may_put_events_on_the_home_bus_only"
    ),
    "Nobody else can put events on the home bus": (
        f"{FORGERY}::test_nobody_else_in_the_account_can_put_events_on_the_bus"
    ),
    "AWS services assume a role only if its trust policy names them": (
        f"{DOCUMENTS}::test_every_role_trusts_only_the_service_that_assumes_it"
    ),
    "Lambda sends results to the bus only if the execution role allows it": (
        f"{DOCUMENTS}::test_the_execution_role_may_send_results_to_the_home_bus"
    ),
    "EventBridge Scheduler starts the sweep": (
        f"{DOCUMENTS}::test_the_schedule_may_invoke_its_target"
    ),
    "CloudWatch extracts metrics from the log, and alarms ring": (
        f"{ALARMS}::test_a_lost_launch_rings_once_at_every_offset"
    ),
    "The message of a notification that contains numbers (LocalStack's input transformer fails)": (
        "terraform/tests/test_deployment.py::test_actions_are_published_as_a_message"
    ),
    "EventBridge repeats a delivery that failed, and then keeps the event in the queue": (
        "terraform/tests/test_deployment.py"
        "::test_the_dead_letter_queue_accepts_messages_from_the_rules_of_its_region"
    ),
    "The operating system of provided.al2023 (the function is a process of this machine)": (
        "scripts/build.py"
    ),
    "CloudTrail records the calls, and delivers within minutes": None,
    "Lambda retries after one and two minutes (here after one and two seconds)": None,
    "Lambda's processor, memory and time-out of the first invocation": None,
    "The hardware of Graviton (arm64)": None,
    "Regions that are not enabled, and GovCloud and China": ("terraform/tests/regions.tftest.hcl"),
}
