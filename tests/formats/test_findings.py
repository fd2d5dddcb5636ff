"""Findings are as AWS Security Hub and the Open Cybersecurity Schema Framework specify them."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from botocore.model import ListShape, Shape, StructureShape
from botocore.session import get_session
from botocore.validate import ParamValidator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

COMMANDS = ("scan", "missing", "enforce")
AT_ONCE = 100
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html and the pages
# of its types; botocore's model has no such limits.
LONGEST = {"Id": 512, "Title": 256, "Description": 1024, "GeneratorId": 512}
LONGEST_RECOMMENDATION = 512
STATUS = {
    "compliant": "PASSED",
    "enforced": "PASSED",
    "exempt": "WARNING",
    "reported": "FAILED",
    "failed": "FAILED",
    "gone": "NOT_AVAILABLE",
}
OCSF_STATUS = {"PASSED": "Pass", "WARNING": "Warning", "FAILED": "Fail", "NOT_AVAILABLE": "Unknown"}


@pytest.fixture(params=COMMANDS)
def report(request: pytest.FixtureRequest, reports: dict[str, Any]) -> dict[str, Any]:
    """What one command reported, by format."""
    return reports[request.param]


def words(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """Words that are none of those that the model allows, which botocore's validator accepts."""
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            yield from words(shape.members[name], member, f"{path}.{name}")
    elif isinstance(shape, ListShape):
        for member in value:
            yield from words(shape.member, member, path)
    elif getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{path}: {value}"


def test_findings_are_what_security_hub_imports(report: dict[str, Any]) -> None:
    findings = report["asff"]["Findings"]
    service = get_session().get_service_model("securityhub")
    shape = service.operation_model("BatchImportFindings").input_shape
    for begin in range(0, len(findings), AT_ONCE):
        batch = {"Findings": findings[begin : begin + AT_ONCE]}
        faults = ParamValidator().validate(batch, shape)
        assert not faults.has_errors(), faults.generate_report()
        assert list(words(shape, batch)) == []
    for finding in findings:
        for name, most in LONGEST.items():
            assert 0 < len(finding[name]) <= most, finding[name]
        text = finding["Remediation"]["Recommendation"]["Text"]
        assert len(text) <= LONGEST_RECOMMENDATION


def test_a_finding_names_its_account_region_and_instance(report: dict[str, Any]) -> None:
    instances = {it["instance_id"]: it for it in report["json"]["instances"]}
    for finding in report["asff"]["Findings"]:
        account, region = finding["AwsAccountId"], finding["Region"]
        product = f"arn:aws:securityhub:{region}:{account}:product/{account}/default"
        assert finding["ProductArn"] == product
        (resource,) = finding["Resources"]
        if resource["Type"] == "AwsEc2Instance":
            instance = instances[resource["Id"].rpartition("/")[2]]
            arn = f"arn:aws:ec2:{instance['region']}:{account}:instance/{instance['instance_id']}"
            assert (resource["Id"], region) == (arn, instance["region"])
            assert resource.get("Tags", {}) == instance["tags"]


def test_every_instance_has_one_finding_with_the_status_of_its_outcome(
    report: dict[str, Any],
) -> None:
    findings = [it for it in report["asff"]["Findings"] if "IMDS.1" in it["GeneratorId"]]
    found = {it["Resources"][0]["Id"].rpartition("/")[2]: it for it in findings}
    assert len(found) == len(findings)
    statuses = {name: it["Compliance"]["Status"] for name, it in found.items()}
    instances = report["json"]["instances"]
    assert statuses == {it["instance_id"]: STATUS[it["outcome"]] for it in instances}


def test_events_are_compliance_findings_of_ocsf(report: dict[str, Any]) -> None:
    schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.5.0"))
    schema = schemas.get_class_schema("compliance_finding", profiles=["cloud"])
    validator = jsonschema.Draft202012Validator(schema)
    for event in report["ocsf"]:
        assert [it.message for it in validator.iter_errors(event)] == []
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]


def test_both_formats_have_the_same_results(report: dict[str, Any]) -> None:
    asff = {it["Id"]: it["Compliance"]["Status"] for it in report["asff"]["Findings"]}
    ocsf = {it["finding_info"]["uid"]: it["compliance"]["status"] for it in report["ocsf"]}
    assert ocsf == {name: OCSF_STATUS[status] for name, status in asff.items()}
    assert len(ocsf) == len(report["ocsf"])


def test_the_fleet_has_every_status(reports: dict[str, Any]) -> None:
    findings = [it for name in COMMANDS for it in reports[name]["asff"]["Findings"]]
    counted = Counter(it["Compliance"]["Status"] for it in findings)
    assert set(counted) == set(OCSF_STATUS)
    missing = reports["missing"]["asff"]["Findings"]
    assert "NOT_AVAILABLE" in {it["Compliance"]["Status"] for it in missing}


def test_what_is_no_finding_is_noticed(reports: dict[str, Any]) -> None:
    schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.5.0"))
    schema = schemas.get_class_schema("compliance_finding", profiles=["cloud"])
    event = reports["scan"]["ocsf"][0] | {"unheard_of": 1}
    assert not jsonschema.Draft202012Validator(schema).is_valid(event)
    service = get_session().get_service_model("securityhub")
    shape = service.operation_model("BatchImportFindings").input_shape
    finding = reports["scan"]["asff"]["Findings"][0]
    finding = finding | {"Compliance": {"Status": "GOOD"}}
    assert list(words(shape, {"Findings": [finding]})) == [".Findings.Compliance.Status: GOOD"]
    assert ParamValidator().validate({"Findings": [finding | {"X": 1}]}, shape).has_errors()
