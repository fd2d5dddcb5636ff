//! DescribeLaunchConfigurations.

use imds_tests::{Standin, launch_configuration};

use crate::REGION;
use crate::client::{Answer, autoscaling};

const NAME: &str = "LaunchConfigurationName";

fn describe(standin: &Standin, params: &[(&str, &str)]) -> Answer {
    autoscaling(standin, REGION).call("DescribeLaunchConfigurations", params)
}

#[test]
fn launch_configurations_are_told_with_what_they_set() {
    let standin = Standin::start();
    let open = launch_configuration("open")
        .image("ami-1")
        .user_data([0x1f, 0x8b, 0xff])
        .tokens("optional")
        .hop_limit(3);
    standin.add_launch_configuration(REGION, open);
    standin.add_launch_configuration(REGION, launch_configuration("silent"));
    standin.add_launch_configuration("eu-west-1", launch_configuration("elsewhere"));
    let answer = describe(&standin, &[]);
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
fn a_name_that_nobody_knows_is_left_out() {
    let standin = Standin::start();
    for name in ["a", "b", "c"] {
        standin.add_launch_configuration(REGION, launch_configuration(name));
    }
    let asked = [
        ("LaunchConfigurationNames.member.1", "c"),
        ("LaunchConfigurationNames.member.2", "x"),
        ("LaunchConfigurationNames.member.3", "a"),
    ];
    assert_eq!(describe(&standin, &asked).texts(NAME), ["a", "c"]);
    let unknown = [("LaunchConfigurationNames.member.1", "x")];
    let none = describe(&standin, &unknown);
    none.is_done();
    assert!(none.texts(NAME).is_empty());
}

#[test]
fn fifty_come_at_once_unless_more_are_asked_for() {
    let standin = Standin::start();
    for number in 0..120 {
        let name = format!("lc-{number:03}");
        standin.add_launch_configuration(REGION, launch_configuration(&name));
    }
    let first = describe(&standin, &[]);
    assert_eq!(first.texts(NAME).len(), 50);
    let page =
        |most: &str, token: &str| describe(&standin, &[("MaxRecords", most), ("NextToken", token)]);
    let first = describe(&standin, &[("MaxRecords", "100")]);
    assert_eq!(first.texts(NAME).len(), 100);
    let second = page("100", &first.text("NextToken"));
    assert_eq!(second.texts(NAME).len(), 20);
    assert_eq!(second.text(NAME), "lc-100");
    assert!(second.texts("NextToken").is_empty());
    page("50", &first.text("NextToken")).is_refused(400, "InvalidNextToken");
    page("100", "x").is_refused(400, "InvalidNextToken");
    for most in ["0", "101"] {
        describe(&standin, &[("MaxRecords", most)]).is_refused(400, "ValidationError");
    }
}

#[test]
fn it_refuses_in_its_own_shape() {
    let standin = Standin::start();
    for unknown in ["Names", "DryRun", "MaxResults"] {
        let answer = describe(&standin, &[(unknown, "true")]);
        answer.is_refused(400, "UnknownParameter");
        assert!(
            answer.body.contains("<ErrorResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"><Error><Type>Sender</Type><Code>"),
            "{}",
            answer.body
        );
    }
    let instances = autoscaling(&standin, REGION).call("DescribeInstances", &[]);
    instances.is_refused(400, "InvalidAction");
}

#[test]
fn a_bucket_throttles_it_in_its_own_words() {
    let standin = Standin::start();
    standin.set_rate("DescribeLaunchConfigurations", 1.0, 0.0);
    describe(&standin, &[]).is_done();
    describe(&standin, &[]).is_refused(400, "Throttling");
    assert_eq!(standin.count("DescribeLaunchConfigurations"), 2);
    assert!(standin.changing_calls().is_empty());
}

#[test]
#[should_panic(expected = "two launch configurations `twin`")]
fn a_name_is_taken_once() {
    let standin = Standin::start();
    for _ in 0..2 {
        standin.add_launch_configuration(REGION, launch_configuration("twin"));
    }
}
