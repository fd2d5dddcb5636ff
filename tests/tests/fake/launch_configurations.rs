//! DescribeLaunchConfigurations.

use imds_tests::{FakeAws, launch_configuration};

use crate::REGION;
use crate::client::{HttpAnswer, autoscaling};

const NAME: &str = "LaunchConfigurationName";

fn describe(fake: &FakeAws, params: &[(&str, &str)]) -> HttpAnswer {
    autoscaling(fake, REGION).call("DescribeLaunchConfigurations", params)
}

#[test]
fn launch_configurations_are_described_with_their_options() {
    let fake = FakeAws::start();
    let open = launch_configuration("open")
        .image("ami-1")
        .user_data([0x1f, 0x8b, 0xff])
        .tokens("optional")
        .hop_limit(3);
    fake.add_launch_configuration(REGION, open);
    fake.add_launch_configuration(REGION, launch_configuration("silent"));
    fake.add_launch_configuration("eu-west-1", launch_configuration("elsewhere"));
    let answer = describe(&fake, &[]);
    answer.is_done();
    assert!(
        answer
            .body
            .contains("<DescribeLaunchConfigurationsResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"><DescribeLaunchConfigurationsResult><LaunchConfigurations><member>"),
        "{}",
        answer.body
    );
    assert_eq!(answer.texts(NAME), ["open", "silent"]);
    assert_eq!(answer.texts("ImageId"), ["ami-1", "ami-0abcdef1234567890"]);
    assert_eq!(answer.texts("UserData"), ["H4v/", ""]);
    assert_eq!(answer.texts("HttpTokens"), ["optional"]);
    assert_eq!(answer.texts("HttpPutResponseHopLimit"), ["3"]);
    assert!(answer.texts("HttpEndpoint").is_empty());
    assert_eq!(answer.texts("MetadataOptions").len(), 1);
    assert!(!answer.text("CreatedTime").is_empty());
    let arn = answer.text("LaunchConfigurationARN");
    assert!(arn.starts_with("arn:aws:autoscaling:eu-central-1:111122223333:"));
}

#[test]
fn a_page_has_fifty_unless_more_are_requested() {
    let fake = FakeAws::start();
    for number in 0..120 {
        let name = format!("lc-{number:03}");
        fake.add_launch_configuration(REGION, launch_configuration(&name));
    }
    let first = describe(&fake, &[]);
    assert_eq!(first.texts(NAME).len(), 50);
    let page =
        |most: &str, token: &str| describe(&fake, &[("MaxRecords", most), ("NextToken", token)]);
    let first = describe(&fake, &[("MaxRecords", "100")]);
    assert_eq!(first.texts(NAME).len(), 100);
    let second = page("100", &first.text("NextToken"));
    assert_eq!(second.texts(NAME).len(), 20);
    assert_eq!(second.text(NAME), "lc-100");
    assert!(second.texts("NextToken").is_empty());
    page("50", &first.text("NextToken")).is_rejected(400, "InvalidNextToken");
    page("100", "x").is_rejected(400, "InvalidNextToken");
    for most in ["0", "101"] {
        describe(&fake, &[("MaxRecords", most)]).is_rejected(400, "ValidationError");
    }
}

#[test]
fn errors_have_the_format_of_auto_scaling() {
    let fake = FakeAws::start();
    for unknown in ["Names", "DryRun", "MaxResults"] {
        let answer = describe(&fake, &[(unknown, "true")]);
        answer.is_rejected(400, "UnknownParameter");
        assert!(
            answer.body.contains("<ErrorResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"><Error><Type>Sender</Type><Code>"),
            "{}",
            answer.body
        );
    }
    let instances = autoscaling(&fake, REGION).call("DescribeInstances", &[]);
    instances.is_rejected(400, "InvalidAction");
}

#[test]
#[should_panic(expected = "two launch configurations `twin`")]
fn a_name_can_be_used_once() {
    let fake = FakeAws::start();
    for _ in 0..2 {
        fake.add_launch_configuration(REGION, launch_configuration("twin"));
    }
}
