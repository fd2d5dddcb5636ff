//! Options that EC2 rejects on some instances.

use imds_tests::{FakeAws, LaunchBuilder, launch};

use crate::REGION;
use crate::client::{HttpAnswer, ec2};

const TAGS: (&str, &str) = ("InstanceMetadataTags", "enabled");
const IPV6: (&str, &str) = ("HttpProtocolIpv6", "enabled");
const TOKENS: (&str, &str) = ("HttpTokens", "required");

/// Names the option and the tokens, then the tokens alone.
#[track_caller]
fn check_refused(launch: LaunchBuilder, option: (&str, &str), code: &str) -> HttpAnswer {
    let fake = FakeAws::start();
    let id = fake.launch(launch);
    let before = fake.instance(&id);
    let client = ec2(&fake, REGION);
    let answer = client.modify(&id, &[TOKENS, option, ("HttpPutResponseHopLimit", "3")]);
    answer.is_rejected(400, code);
    assert_eq!(
        fake.instance(&id),
        before,
        "one option fails the whole call"
    );
    let dry = [option, ("DryRun", "true")];
    client.modify(&id, &dry).is_rejected(400, code);
    let off = (option.0, "disabled");
    client.modify(&id, &[TOKENS, off]).is_done();
    assert_eq!(fake.instance(&id).options.tokens, "required");
    answer
}

#[track_caller]
fn check_accepted(launch: LaunchBuilder, option: (&str, &str)) {
    let fake = FakeAws::start();
    let id = fake.launch(launch);
    ec2(&fake, REGION).modify(&id, &[TOKENS, option]).is_done();
}

#[test]
fn tags_whose_keys_are_no_paths_cannot_be_shown_as_metadata() {
    let key = "kubernetes.io/cluster/blue";
    let answer = check_refused(
        launch(REGION).tag(key, "owned"),
        TAGS,
        "InvalidParameterValue",
    );
    assert_eq!(
        answer.text("Message"),
        format!(
            r"'{key}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\-_+=,.@:]{{1,255}}), and must not be a reserved name ('.', '..', '_index')"
        )
    );
    for key in ["cost centre", "größe", ".", "..", "_index", "a\tb"] {
        let answer = check_refused(launch(REGION).tag(key, "1"), TAGS, "InvalidParameterValue");
        assert!(answer.text("Message").starts_with(&format!("'{key}' is ")));
    }
    let valid = launch(REGION)
        .in_group("web")
        .tag("Name", "with / and blank")
        .tag("a-b_c+d=e,f.g@h:9", "1");
    check_accepted(valid, TAGS);
}

#[test]
fn ipv6_needs_the_nitro_system() {
    for xen in [
        "t1.micro",
        "t2.micro",
        "m1.small",
        "m2.xlarge",
        "m3.large",
        "m4.large",
        "c1.medium",
        "c3.large",
        "c4.large",
        "r3.large",
        "r4.large",
        "i2.xlarge",
        "d2.xlarge",
        "x1.16xlarge",
        "x1e.xlarge",
        "i3.large",
    ] {
        let launch = launch(REGION).instance_type(xen);
        let answer = check_refused(launch, IPV6, "UnsupportedOperation");
        assert!(answer.text("Message").contains(xen));
    }
    for nitro in [
        "t3.micro",
        "m5.large",
        "c7g.xlarge",
        "i3.metal",
        "i3en.large",
        "x2gd.large",
    ] {
        check_accepted(launch(REGION).instance_type(nitro), IPV6);
    }
}
