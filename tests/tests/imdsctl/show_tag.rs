//! `--show-tag`: columns of tags, and totals by their values.

use imds_tests::{FakeAws, launch};

use crate::reading::*;

/// Two non-compliant instances of `web`, one that nobody owns, and a compliant one of each.
fn owned() -> FakeAws {
    let ec2 = FakeAws::start();
    for (team, tokens) in [
        (Some("web"), "optional"),
        (Some("web"), "optional"),
        (Some("web"), "required"),
        (None, "optional"),
        (Some("db"), "required"),
    ] {
        let launched = launch(REGION).tokens(tokens);
        ec2.launch(match team {
            Some(team) => launched.tag("team", team),
            None => launched,
        });
    }
    ec2
}

const TOTALS: &str = "\
By tag team
team      NON-COMPLIANT  ALL
web                   2    3
(no tag)              1    1
db                    0    1
";

#[test]
fn the_table_has_a_column_of_the_tag_and_totals_by_it() {
    let ec2 = owned();
    let text = imdsctl(&ec2, "scan --show-tag team --show-tag stage").run();
    let text = &text.ended_with(1).stdout;
    says(text, &["  team  stage  DECISION", "By tag stage\n", TOTALS]);
    let text = imdsctl(&ec2, "enforce --dry-run --show-tag team").run();
    let listed =
        "By tag team\nteam      NON-COMPLIANT\nweb                   2\n(no tag)              1\n";
    says(&text.ended_with(1).stdout, &[listed]);
    let text = imdsctl(&ec2, "scan --show-tag team --only violations").run();
    says(&text.ended_with(1).stdout, &[listed]);
}

#[test]
fn the_html_has_them_too() {
    let ec2 = owned();
    let page = imdsctl(&ec2, "scan --show-tag team --format html").run();
    let page = &page.ended_with(1).stdout;
    says(
        page,
        &[
            "<th scope=\"col\">team</th>",
            "<h2>By tag team</h2>",
            "<td>web</td><td>2</td><td>3</td>",
            "<td>(no tag)</td><td>1</td><td>1</td>",
        ],
    );
}

#[test]
fn usage_counts_who_uses_it_by_the_tag() {
    let ec2 = owned();
    let text = imdsctl(&ec2, "usage --show-tag team").run();
    let totals = "By tag team\nteam      IN USE  LISTED\nweb            0       2\n(no tag)       0       1\n";
    says(&text.ended_with(0).stdout, &["  team  TOKENS", totals]);
}
