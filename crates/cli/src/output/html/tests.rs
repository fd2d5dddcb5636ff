use super::*;
use crate::output::sample;

fn written(document: &Document) -> String {
    let mut out = Vec::new();
    write(document, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Every tag with its attributes, including those that a name could forge.
fn tags(text: &str) -> impl Iterator<Item = &str> {
    let elements = text.split('<').skip(1);
    elements.filter_map(|element| element.split_once('>').map(|(tag, _)| tag))
}

#[test]
fn every_instance_has_a_row() {
    let document = sample::document(sample::instances(300));
    let text = written(&document);
    let busiest = text.split_once("<section id=\"usage\">").unwrap().1;
    let busiest = busiest.split_once("</section>").unwrap().0;
    let rows = text.matches("\n<tr>").count() - busiest.matches("\n<tr>").count();
    assert_eq!(rows, 300);
    for instance in &document.instances {
        assert!(text.contains(instance.report.instance_id.as_str()));
    }
}

#[test]
fn nothing_is_fetched_and_nothing_is_executed() {
    let text = written(&sample::fleet(300));
    let style = text.split_once("<style>").unwrap().1;
    let style = style.split_once("</style>").unwrap().0;
    let hash = BASE64_STANDARD.encode(Sha256::digest(style));
    let policy = format!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'\">"
    );
    assert!(text.find(&policy) < text.find("<style"));
    assert!(text.contains(&policy) && !style.contains("url(") && !style.contains("@import"));
    for tag in tags(&text).filter(|tag| !tag.starts_with("meta http-equiv=")) {
        let name = tag.split([' ', '/']).find(|it| !it.is_empty());
        assert!(
            !["script", "link", "img", "iframe"].contains(&name.unwrap()),
            "{tag}"
        );
        let tag = tag.replace("href=\"#", "");
        for attribute in ["src=", "href=", "action=", "style=", "http", " on"] {
            assert!(!tag.contains(attribute), "{tag}");
        }
    }
}

#[test]
fn hostile_names_are_only_text() {
    let text = written(&sample::fleet(300));
    assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(text.contains("checkout &amp; &lt;b&gt;payments&lt;/b&gt;"));
    assert!(!text.contains(|it| it != '\n' && imds_core::plain::misleads(it)));
    assert!(!text.contains(&"x".repeat(201)));
}

/// What the page shows and prints of each `details` that nobody has opened.
fn without_folded(text: &str) -> String {
    let mut pieces = text.split("<details>");
    let first = pieces.next().unwrap().to_owned();
    let after = pieces.map(|piece| piece.split_once("</details>").unwrap().1);
    first + &after.collect::<String>()
}

#[test]
fn it_begins_with_what_is_wrong_and_folds_what_is_not() {
    let document = sample::fleet(300);
    let text = written(&document);
    let places = [
        " instances are non-compliant.",
        "Could not be described</h2>",
        "Non-compliant instances</h2>",
        "Launch templates and configurations</h2>",
        "What to do next</h2>",
        "Who uses IMDSv1</h2>",
        "Share of compliant instances</h2>",
        "<details>",
        "What this report covers</h2>",
    ];
    let places = places.map(|it| (text.rfind(it).unwrap_or_else(|| panic!("{it}")), it));
    // Compliant templates are folded as well, so that the last one counts.
    assert!(places.is_sorted(), "{places:?}");
    let shown = without_folded(&text);
    for instance in &document.instances {
        let is_shown = shown.contains(instance.report.instance_id.as_str());
        assert_eq!(is_shown, instance.is_non_compliant());
    }
    assert!(shown.contains("lt-0123456789abcdef0") && !shown.contains(sample::COMPLIANT_TEMPLATE));
    assert!(text.contains(sample::COMPLIANT_TEMPLATE) && !text.contains("<details open"));
}

#[test]
fn paper_has_plain_tables_and_only_the_lists_that_are_open() {
    let (screen, print) = STYLE.split_once("@media print {").unwrap();
    assert!(print.contains("details:not([open]) > :not(summary) { display: none; }"));
    // A table repeats its titles on each page only if it is laid out as one.
    assert!(screen.contains("@media screen {") && !print.contains("display: block"));
    let layout = screen.split_once("@media screen {").unwrap();
    assert!(!layout.0.contains(".rows") && layout.1.contains(".rows tbody { display: block; }"));
}

#[test]
fn long_tables_are_laid_out_a_hundred_rows_at_a_time() {
    assert!(STYLE.contains(".long tbody { content-visibility: auto;"));
    let text = written(&sample::document(sample::instances(1_000)));
    assert_eq!(
        text.matches("<table class=\"rows instances long\">")
            .count(),
        1
    );
    let parts = text.split("<tbody>").skip(1);
    let mut rows = parts.map(|part| part.matches("\n<tr>").count());
    assert!(rows.all(|rows| rows <= 100));
    let text = written(&sample::document(sample::instances(20)));
    assert!(
        !text.contains(" long\""),
        "content-visibility makes the page jump"
    );
}

#[test]
fn empty_regions_share_a_line() {
    let text = written(&sample::document(vec![sample::non_compliant(1)]));
    assert!(text.contains("<p>2 regions have no instances: eu-central-1, us-east-1.</p>"));
    assert_eq!(text.matches("<div class=\"share\">").count(), 2);
}

/// At 1,280 pixels there is room for 131 digits of a wide font besides the gaps between columns; a tag that
/// is shown takes 12.
#[test]
fn the_columns_of_instances_fit_a_screen_of_1280_pixels() {
    let text = written(&sample::fleet(300));
    let template = text
        .split_once(".instances tr { grid-template-columns:")
        .unwrap()
        .1;
    let template = template.split_once(';').unwrap().0;
    let widths = template.split("minmax(").skip(1).map(|column| {
        let (least, _) = column.split_once("ch,").unwrap();
        least.parse::<u16>().unwrap()
    });
    assert!(widths.sum::<u16>() <= 131 - 12, "{template}");
}
