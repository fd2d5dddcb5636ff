//! What is refused, and how it is told.

use imds_core::policy::{Fault, Policy};

use crate::{document, requiring, with_conditions, with_rules};

/// A document with a single fault.
pub(crate) struct Refusal {
    pub(crate) document: String,
    path: &'static str,
    value: &'static str,
    expected: &'static str,
    /// Whether the schema refuses it too.
    pub(crate) by_schema: bool,
}

fn refusal(
    document: String,
    path: &'static str,
    value: &'static str,
    expected: &'static str,
) -> Refusal {
    Refusal {
        document,
        path,
        value,
        expected,
        by_schema: true,
    }
}

/// A schema judges one value at a time, and sees no document where there is none.
fn beyond_schema(
    document: String,
    path: &'static str,
    value: &'static str,
    expected: &'static str,
) -> Refusal {
    Refusal {
        by_schema: false,
        ..refusal(document, path, value, expected)
    }
}

const RULE: &str = r#"{"name": "a", "when": {"regions": "us-*"}, "then": "report"}"#;

pub(crate) fn refusals() -> Vec<Refusal> {
    [
        whole_document(),
        requirements(),
        rules(),
        conditions(),
        numbers(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn whole_document() -> Vec<Refusal> {
    let fields =
        "one of the fields `$schema`, `require`, `on_violation`, `rules`, `limits`, `existing`";
    let did_you_mean = "one of the fields `$schema`, `require`, `on_violation`, `rules`, `limits`, `existing`; did you mean `on_violation`?";
    let actions = "one of `report`, `enforce`, `stop`, `terminate`";
    let object = "an object with at least `require` and `on_violation`";
    vec![
        beyond_schema(
            "".into(),
            "$",
            "nothing",
            "a JSON document: EOF while parsing a value at line 1 column 0",
        ),
        beyond_schema(
            "{\n  \"require\": tru,\n}".into(),
            "$",
            "`\"require\": tru,`",
            "a JSON document: expected ident at line 2 column 17",
        ),
        beyond_schema(
            format!("{} {{}}", document("")),
            "$",
            r#"`": {"http_tokens": "required"}, "on_violation": "enforce"} {`"#,
            "a JSON document: trailing characters at line 1 column 69",
        ),
        refusal("[1, 2]".into(), "$", "[1,2]", object),
        refusal("null".into(), "$", "null", object),
        refusal(
            r#"{"on_violation": "report"}"#.into(),
            "$.require",
            "missing",
            "an object with at least one metadata option",
        ),
        refusal(
            r#"{"require": {"http_tokens": "required"}}"#.into(),
            "$.on_violation",
            "missing",
            "what happens to an instance that breaks the policy",
        ),
        refusal(
            r#"{"require": {"http_tokens": "required"}, "on_violation": "exempt"}"#.into(),
            "$.on_violation",
            r#""exempt""#,
            actions,
        ),
        refusal(
            r#"{"require": {"http_tokens": "required"}, "on_violation": null}"#.into(),
            "$.on_violation",
            "null",
            actions,
        ),
        refusal(
            document(r#""rule": []"#),
            "$.rule",
            "[]",
            "one of the fields `$schema`, `require`, `on_violation`, `rules`, `limits`, `existing`; did you mean `rules`?",
        ),
        refusal(
            document(r#""onViolation": "stop""#),
            "$.onViolation",
            r#""stop""#,
            did_you_mean,
        ),
        refusal(
            document(
                r#""a b": "a long value is cut after eighty characters, so that one line shows what matters""#,
            ),
            r#"$["a b"]"#,
            r#""a long value is cut after eighty characters, so that one line shows what matter…"#,
            fields,
        ),
        refusal(
            document(r#""$schema": 7"#),
            "$.$schema",
            "7",
            "the schema's address",
        ),
        beyond_schema(
            document(r#""on_violation": "report""#),
            "$.on_violation",
            r#""report""#,
            r#"the key "on_violation" only once in its object"#,
        ),
        refusal(
            document(r#""rules": {}"#),
            "$.rules",
            "{}",
            "a list of rules",
        ),
        refusal(
            document(r#""limits": []"#),
            "$.limits",
            "[]",
            "an object of limits",
        ),
        refusal(
            document(r#""limits": {"terminations": 1}"#),
            "$.limits.terminations",
            "1",
            "one of the fields `terminations_per_hour`, `grace_seconds`",
        ),
        refusal(
            document(r#""existing": "report""#),
            "$.existing",
            r#""report""#,
            "an object on what happens to instances that a sweep finds",
        ),
        refusal(
            document(r#""existing": {"in-use": "report"}"#),
            r#"$.existing["in-use"]"#,
            r#""report""#,
            "one of the fields `usage_window_days`, `in_use`, `unknown`; did you mean `in_use`?",
        ),
        refusal(
            document(r#""existing": {"in_use": "Enforce"}"#),
            "$.existing.in_use",
            r#""Enforce""#,
            "one of `report`, `enforce`, `stop`, `terminate`; did you mean `enforce`?",
        ),
        refusal(
            document(r#""existing": {"unknown": false}"#),
            "$.existing.unknown",
            "false",
            actions,
        ),
    ]
}

fn requirements() -> Vec<Refusal> {
    let option = "an object with at least one metadata option";
    let range = "an object with `at_least`, `at_most` or both";
    let hops = "a whole number from 1 to 64";
    let toggle = "one of `enabled`, `disabled`";
    vec![
        refusal(requiring("{}"), "$.require", "{}", option),
        refusal(
            requiring(r#""required""#),
            "$.require",
            r#""required""#,
            option,
        ),
        refusal(
            requiring(r#"{"http_token": "required"}"#),
            "$.require.http_token",
            r#""required""#,
            "one of the fields `http_tokens`, `hop_limit`, `http_endpoint`, `http_protocol_ipv6`, `instance_metadata_tags`; did you mean `http_tokens`?",
        ),
        refusal(
            requiring(r#"{"http_tokens": "optional"}"#),
            "$.require.http_tokens",
            r#""optional""#,
            "`required`",
        ),
        refusal(
            requiring(r#"{"http_tokens": ["required"]}"#),
            "$.require.http_tokens",
            r#"["required"]"#,
            "`required`",
        ),
        refusal(
            requiring(r#"{"hop_limit": 2}"#),
            "$.require.hop_limit",
            "2",
            range,
        ),
        refusal(
            requiring(r#"{"hop_limit": {}}"#),
            "$.require.hop_limit",
            "{}",
            range,
        ),
        refusal(
            requiring(r#"{"hop_limit": {"at_must": 2}}"#),
            "$.require.hop_limit.at_must",
            "2",
            "one of the fields `at_least`, `at_most`; did you mean `at_most`?",
        ),
        refusal(
            requiring(r#"{"hop_limit": {"at_least": 0}}"#),
            "$.require.hop_limit.at_least",
            "0",
            hops,
        ),
        refusal(
            requiring(r#"{"hop_limit": {"at_most": 65}}"#),
            "$.require.hop_limit.at_most",
            "65",
            hops,
        ),
        refusal(
            requiring(r#"{"hop_limit": {"at_most": 1.5}}"#),
            "$.require.hop_limit.at_most",
            "1.5",
            hops,
        ),
        refusal(
            requiring(r#"{"hop_limit": {"at_most": "2"}}"#),
            "$.require.hop_limit.at_most",
            r#""2""#,
            hops,
        ),
        beyond_schema(
            requiring(r#"{"hop_limit": {"at_least": 3, "at_most": 2}}"#),
            "$.require.hop_limit",
            r#"{"at_least":3,"at_most":2}"#,
            "`at_least` to be no more than `at_most`",
        ),
        refusal(
            requiring(r#"{"http_endpoint": true}"#),
            "$.require.http_endpoint",
            "true",
            toggle,
        ),
        refusal(
            requiring(r#"{"http_protocol_ipv6": "on"}"#),
            "$.require.http_protocol_ipv6",
            r#""on""#,
            toggle,
        ),
        refusal(
            requiring(r#"{"instance_metadata_tags": "disable"}"#),
            "$.require.instance_metadata_tags",
            r#""disable""#,
            "one of `enabled`, `disabled`; did you mean `disabled`?",
        ),
    ]
}

fn rules() -> Vec<Refusal> {
    let rule = "a rule: an object with `name`, `when`, and `then` or `require`";
    let day = "the exemption's last day as `YYYY-MM-DD`";
    let after = |fields: &str| with_rules(&[RULE, &format!("{{{fields}}}")]);
    let exempt = |until: &str| {
        with_rules(&[&format!(
            r#"{{"name": "a", "when": {{"regions": "us-*"}}, "then": "exempt", "until": {until}}}"#
        )])
    };
    vec![
        refusal(with_rules(&["7"]), "$.rules[0]", "7", rule),
        refusal(
            after(r#""when": {"regions": "eu-*"}, "then": "stop""#),
            "$.rules[1].name",
            "missing",
            "a name that no other rule has",
        ),
        refusal(
            after(r#""name": " ", "when": {"regions": "eu-*"}, "then": "stop""#),
            "$.rules[1].name",
            r#"" ""#,
            "a name that is not blank",
        ),
        refusal(
            after(r#""name": 7, "when": {"regions": "eu-*"}, "then": "stop""#),
            "$.rules[1].name",
            "7",
            "a name that is not blank",
        ),
        beyond_schema(
            after(r#""name": "a", "when": {"regions": "eu-*"}, "then": "stop""#),
            "$.rules[1].name",
            r#""a""#,
            "a name other than that of $.rules[0]",
        ),
        refusal(
            after(r#""name": "b", "then": "stop""#),
            "$.rules[1].when",
            "missing",
            "an object with at least one condition",
        ),
        refusal(
            after(r#""name": "b", "when": {}, "then": "stop""#),
            "$.rules[1].when",
            "{}",
            "an object with at least one condition",
        ),
        refusal(
            after(r#""name": "b", "when": "*", "then": "stop""#),
            "$.rules[1].when",
            r#""*""#,
            "an object with at least one condition",
        ),
        refusal(
            after(r#""name": "b", "when": {"regions": "eu-*"}"#),
            "$.rules[1].then",
            "missing",
            "what happens to an instance that breaks the policy, or `require` in its place",
        ),
        refusal(
            after(r#""name": "b", "when": {"regions": "eu-*"}, "then": "ignore""#),
            "$.rules[1].then",
            r#""ignore""#,
            "one of `report`, `enforce`, `stop`, `terminate`, `exempt`",
        ),
        refusal(
            after(
                r#""name": "b", "when": {"regions": "eu-*"}, "then": null, "until": "2027-01-01""#,
            ),
            "$.rules[1].then",
            "null",
            "one of `report`, `enforce`, `stop`, `terminate`, `exempt`",
        ),
        refusal(
            after(r#""name": "b", "when": {"regions": "eu-*"}, "that": "stop", "then": "stop""#),
            "$.rules[1].that",
            r#""stop""#,
            "one of the fields `name`, `when`, `then`, `require`, `until`, `because`",
        ),
        refusal(
            after(r#""name": "b", "when": {"regions": "eu-*"}, "require": {}"#),
            "$.rules[1].require",
            "{}",
            "an object with at least one metadata option",
        ),
        refusal(
            after(
                r#""name": "b", "when": {"regions": "eu-*"}, "then": "exempt", "require": {"http_tokens": "required"}"#,
            ),
            "$.rules[1].require",
            r#"{"http_tokens":"required"}"#,
            "nothing in a rule that exempts: what is exempt is not judged",
        ),
        refusal(
            after(
                r#""name": "b", "when": {"regions": "eu-*"}, "then": "stop", "until": "2027-01-01""#,
            ),
            "$.rules[1].until",
            r#""2027-01-01""#,
            "nothing in a rule that does not exempt: only an exemption ends",
        ),
        refusal(
            after(
                r#""name": "b", "when": {"regions": "eu-*"}, "require": {"http_tokens": "required"}, "until": "2027-01-01""#,
            ),
            "$.rules[1].until",
            r#""2027-01-01""#,
            "nothing in a rule that does not exempt: only an exemption ends",
        ),
        refusal(
            exempt(r#""2027-02-29""#),
            "$.rules[0].until",
            r#""2027-02-29""#,
            day,
        ),
        refusal(
            exempt(r#""31.03.2027""#),
            "$.rules[0].until",
            r#""31.03.2027""#,
            day,
        ),
        refusal(
            exempt(r#""20270331""#),
            "$.rules[0].until",
            r#""20270331""#,
            day,
        ),
        refusal(
            exempt(r#""2027-03-31T00:00:00""#),
            "$.rules[0].until",
            r#""2027-03-31T00:00:00""#,
            day,
        ),
        refusal(
            exempt(r#""+002027-03""#),
            "$.rules[0].until",
            r#""+002027-03""#,
            day,
        ),
        refusal(exempt("20270331"), "$.rules[0].until", "20270331", day),
        refusal(
            after(r#""name": "b", "when": {"regions": "eu-*"}, "then": "stop", "because": """#),
            "$.rules[1].because",
            r#""""#,
            "a reason that is not blank",
        ),
        beyond_schema(
            after(r#""name": "b", "when": {"regions": "us-east-?"}, "then": "stop""#),
            "$.rules[1].when",
            r#"{"regions":"us-east-?"}"#,
            "instances that rule `a` ($.rules[0]) leaves over: the first rule that matches decides",
        ),
    ]
}

fn conditions() -> Vec<Refusal> {
    let account = "an account id: a string of 12 digits, without wildcards";
    let accounts_or_list =
        "an account id: a string of 12 digits, without wildcards, or a list of at least one";
    let region = "a region such as `eu-west-1`, or a pattern such as `us-*`";
    let tags = "an object with at least one tag: key and value, both patterns";
    let value = "a tag's value, or a pattern; `*` fits any, also an empty one";
    let image = "an AMI's id, `ami-…`, or a pattern of ids";
    let instance_type = "an instance type such as `m7g.large`, or a pattern such as `m7g.*`";
    let principal = "an ARN, `arn:…`, a service such as `autoscaling.amazonaws.com`, or a pattern";
    let template =
        "a launch template's id, `lt-…`, or a pattern of ids: an instance does not tell the name";
    let row = |conditions: &str, path, value, expected| {
        refusal(with_conditions(conditions), path, value, expected)
    };
    vec![
        row(
            r#""region": "eu-*""#,
            "$.rules[0].when.region",
            r#""eu-*""#,
            "one of the fields `accounts`, `regions`, `tags`, `images`, `instance_types`, `principals`, `auto_scaling`, `launch_templates`; did you mean `regions`?",
        ),
        row(
            r#""accounts": []"#,
            "$.rules[0].when.accounts",
            "[]",
            accounts_or_list,
        ),
        row(
            r#""accounts": "1111222233*""#,
            "$.rules[0].when.accounts",
            r#""1111222233*""#,
            account,
        ),
        row(
            r#""accounts": ["111122223333", "????????????"]"#,
            "$.rules[0].when.accounts[1]",
            r#""????????????""#,
            account,
        ),
        row(
            r#""accounts": [111122223333]"#,
            "$.rules[0].when.accounts[0]",
            "111122223333",
            account,
        ),
        row(
            r#""accounts": "11112222333""#,
            "$.rules[0].when.accounts",
            r#""11112222333""#,
            account,
        ),
        row(
            r#""accounts": {"id": "111122223333"}"#,
            "$.rules[0].when.accounts",
            r#"{"id":"111122223333"}"#,
            account,
        ),
        row(
            r#""regions": """#,
            "$.rules[0].when.regions",
            r#""""#,
            region,
        ),
        row(
            r#""regions": ["eu-*", "EU-west-1"]"#,
            "$.rules[0].when.regions[1]",
            r#""EU-west-1""#,
            region,
        ),
        row(
            r#""regions": [["eu-*"]]"#,
            "$.rules[0].when.regions[0]",
            r#"["eu-*"]"#,
            region,
        ),
        row(
            r#""regions": null"#,
            "$.rules[0].when.regions",
            "null",
            region,
        ),
        row(r#""tags": {}"#, "$.rules[0].when.tags", "{}", tags),
        row(
            r#""tags": ["app"]"#,
            "$.rules[0].when.tags",
            r#"["app"]"#,
            tags,
        ),
        row(
            r#""tags": {"eks:cluster-name": ""}"#,
            r#"$.rules[0].when.tags["eks:cluster-name"]"#,
            r#""""#,
            value,
        ),
        row(
            r#""tags": {"app": true}"#,
            "$.rules[0].when.tags.app",
            "true",
            value,
        ),
        row(
            r#""tags": {"app": ["x", ""]}"#,
            "$.rules[0].when.tags.app[1]",
            r#""""#,
            value,
        ),
        row(
            r#""tags": {"": "x"}"#,
            r#"$.rules[0].when.tags[""]"#,
            r#""x""#,
            "a tag key that is not empty",
        ),
        beyond_schema(
            with_conditions(r#""tags": {"app": "x", "app": "y"}"#),
            "$.rules[0].when.tags.app",
            r#""y""#,
            r#"the key "app" only once in its object"#,
        ),
        row(
            r#""images": "amzn2""#,
            "$.rules[0].when.images",
            r#""amzn2""#,
            image,
        ),
        row(r#""images": """#, "$.rules[0].when.images", r#""""#, image),
        row(
            r#""instance_types": "M7g.large""#,
            "$.rules[0].when.instance_types",
            r#""M7g.large""#,
            instance_type,
        ),
        row(
            r#""principals": ["ci"]"#,
            "$.rules[0].when.principals[0]",
            r#""ci""#,
            principal,
        ),
        row(
            r#""auto_scaling": "true""#,
            "$.rules[0].when.auto_scaling",
            r#""true""#,
            "`true` or `false`",
        ),
        row(
            r#""launch_templates": "web""#,
            "$.rules[0].when.launch_templates",
            r#""web""#,
            template,
        ),
    ]
}

fn numbers() -> Vec<Refusal> {
    let limit = |field: &str| document(&format!(r#""limits": {{{field}}}"#));
    let days = |days: &str| document(&format!(r#""existing": {{"usage_window_days": {days}}}"#));
    let per_hour = "a whole number from 0 to 100000";
    let grace = "a whole number from 0 to 600";
    let window = "a whole number from 1 to 63";
    vec![
        refusal(
            limit(r#""terminations_per_hour": -1"#),
            "$.limits.terminations_per_hour",
            "-1",
            per_hour,
        ),
        refusal(
            limit(r#""terminations_per_hour": 100001"#),
            "$.limits.terminations_per_hour",
            "100001",
            per_hour,
        ),
        refusal(
            limit(r#""terminations_per_hour": 18446744073709551616"#),
            "$.limits.terminations_per_hour",
            "1.8446744073709552e+19",
            per_hour,
        ),
        refusal(
            limit(r#""grace_seconds": 601"#),
            "$.limits.grace_seconds",
            "601",
            grace,
        ),
        refusal(
            limit(r#""grace_seconds": "60""#),
            "$.limits.grace_seconds",
            r#""60""#,
            grace,
        ),
        refusal(days("0"), "$.existing.usage_window_days", "0", window),
        refusal(days("64"), "$.existing.usage_window_days", "64", window),
        refusal(days("256"), "$.existing.usage_window_days", "256", window),
        refusal(days("null"), "$.existing.usage_window_days", "null", window),
    ]
}

#[test]
fn every_refusal_names_path_value_and_expectation() {
    for Refusal {
        document,
        path,
        value,
        expected,
        ..
    } in refusals()
    {
        let faults = Policy::parse(&document).expect_err(&document).0;
        let fault = Fault {
            path: path.to_owned(),
            value: value.to_owned(),
            expected: expected.to_owned(),
        };
        assert_eq!(faults, [fault], "{document}");
    }
}

#[test]
fn all_faults_are_told_together_in_the_order_of_the_document() {
    let faults = Policy::parse(
        r#"{
            "limits": {"grace_seconds": 601},
            "rules": [
                {"until": "soon", "name": "a", "then": "exempt", "when": {"regions": ["EU"], "accounts": "*"}},
                {"name": "b", "when": {"regions": "us-*"}, "because": ""},
                {"name": "b", "then": "kill", "when": {"regions": "us-east-1"}, "require": {"hop_limit": {"at_least": 2, "at_most": 1}}}
            ],
            "on_violation": "report",
            "on_violation": "delete",
            "enabled": true
        }"#,
    );
    assert_eq!(
        faults.unwrap_err().to_string(),
        r#"$.require is missing; expected an object with at least one metadata option
$.limits.grace_seconds is 601; expected a whole number from 0 to 600
$.rules[0].until is "soon"; expected the exemption's last day as `YYYY-MM-DD`
$.rules[0].when.regions[0] is "EU"; expected a region such as `eu-west-1`, or a pattern such as `us-*`
$.rules[0].when.accounts is "*"; expected an account id: a string of 12 digits, without wildcards
$.rules[1].then is missing; expected what happens to an instance that breaks the policy, or `require` in its place
$.rules[1].because is ""; expected a reason that is not blank
$.rules[2].name is "b"; expected a name other than that of $.rules[1]
$.rules[2].then is "kill"; expected one of `report`, `enforce`, `stop`, `terminate`, `exempt`
$.rules[2].when is {"regions":"us-east-1"}; expected instances that rule `b` ($.rules[1]) leaves over: the first rule that matches decides
$.rules[2].require.hop_limit is {"at_least":2,"at_most":1}; expected `at_least` to be no more than `at_most`
$.on_violation is "delete"; expected the key "on_violation" only once in its object
$.enabled is true; expected one of the fields `$schema`, `require`, `on_violation`, `rules`, `limits`, `existing`"#
    );
}

#[test]
fn a_rule_behind_an_exemption_that_ends_can_be_reached() {
    let ending =
        r#"{"name": "a", "when": {"regions": "us-*"}, "then": "exempt", "until": "2027-03-31"}"#;
    let lasting = r#"{"name": "a", "when": {"regions": "us-*"}, "then": "exempt"}"#;
    let later = r#"{"name": "b", "when": {"regions": "us-*"}, "then": "stop"}"#;
    assert!(Policy::parse(&with_rules(&[ending, later])).is_ok());
    assert!(Policy::parse(&with_rules(&[lasting, later])).is_err());
}

#[test]
fn the_line_shown_of_broken_json_ends_where_reading_stopped() {
    let long = format!(r#"{{"because": "{}", "umlaut": "ü" x}}"#, "y".repeat(200));
    let Fault {
        path,
        value,
        expected,
    } = Policy::parse(&long).unwrap_err().0.remove(0);
    assert_eq!(path, "$");
    assert!(
        value.ends_with(r#"yy", "umlaut": "ü" x`"#) && value.chars().count() <= 80,
        "{value}"
    );
    assert!(
        expected.starts_with("a JSON document: expected `,` or `}` at line 1"),
        "{expected}"
    );
}

#[test]
fn nesting_without_end_is_refused() {
    let faults = Policy::parse(&"[".repeat(100_000)).unwrap_err();
    assert!(
        faults.to_string().contains("recursion limit exceeded"),
        "{faults}"
    );
}
