use super::*;
use imds_core::usage::Usage;

use crate::output::sample;
use crate::row::{Row, Verdict};

fn written(document: &Document) -> String {
    let mut out = Vec::new();
    write(document, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Writes files to look at in a browser into the folder that `IMDSCTL_SAMPLES` names.
#[test]
#[ignore = "writes files to look at"]
#[allow(clippy::disallowed_methods, reason = "no test without its folder")]
fn samples() {
    let folder = std::path::PathBuf::from(std::env::var("IMDSCTL_SAMPLES").unwrap());
    let mut plain = sample::document(&sample::rows(300));
    plain.unseen.clear();
    let mut several = sample::rows(300);
    several[3].account = Some("444455556666".to_owned());
    let files = [
        ("full", sample::fleet(300)),
        ("plain", plain),
        ("enforced", sample::enforced(300)),
        ("empty", sample::document(&[])),
        ("several", sample::document(&several)),
        ("large", sample::fleet(10_000)),
    ];
    for (name, document) in files {
        std::fs::write(folder.join(format!("{name}.html")), written(&document)).unwrap();
    }
}

/// What stands between the tags `<name …>` and `</name>`, first to last.
fn between<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}"), format!("</{name}>"));
    let parts = text
        .split(&close)
        .filter_map(|part| part.rsplit_once(&open));
    parts
        .map(|(_, rest)| rest.split_once('>').unwrap().1)
        .collect()
}

fn rows(text: &str) -> Vec<&str> {
    let table = text.split_once("<table id=\"fleet\">").unwrap().1;
    let table = table.split_once("</table>").unwrap().0;
    between(table.split_once("<tbody>").unwrap().1, "tr")
}

#[test]
fn every_instance_has_a_row() {
    let document = sample::fleet(300);
    let text = written(&document);
    let found = rows(&text);
    assert_eq!(found.len(), 300);
    for (row, shown) in document.rows.iter().zip(found) {
        assert!(shown.contains(row.report.instance_id.as_str()));
        assert!(shown.contains(&format!(">{}<", row.decision.as_str())));
    }
}

#[test]
fn the_policy_allows_the_very_script_and_style_and_nothing_else() {
    use base64::Engine;
    use sha2::{Digest, Sha256};
    let text = written(&sample::fleet(12));
    let hash = |element: &str| {
        let [content] = between(&text, element)[..] else {
            panic!("more than one {element}");
        };
        let hash = base64::prelude::BASE64_STANDARD.encode(Sha256::digest(content));
        format!("'sha256-{hash}'")
    };
    let policy = format!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         script-src {}; style-src {}; base-uri 'none'; form-action 'none'\">",
        hash("script"),
        hash("style")
    );
    assert!(text.contains(&policy));
    assert!(text.find("Content-Security-Policy") < text.find("<style"));
}

/// The attributes of every element, as the page's own words and as names from outside could forge
/// them.
fn attributes(text: &str) -> impl Iterator<Item = &str> {
    let elements = text.split('<').skip(1);
    elements.filter_map(|element| element.split_once('>').map(|(tag, _)| tag))
}

#[test]
fn nothing_is_fetched_from_anywhere() {
    for document in [sample::fleet(300), sample::enforced(300)] {
        let text = written(&document);
        for tag in attributes(&text) {
            let leads_out = [
                "src=", "srcset=", "action=", "url(", "http", "@import", "poster=",
            ];
            let harmless = tag.starts_with("meta http-equiv=");
            let found = leads_out.iter().find(|word| tag.contains(**word));
            assert!(harmless || found.is_none(), "{tag}");
            let link = tag.split_once("href=\"");
            assert!(link.is_none_or(|(_, to)| to.starts_with('#')), "{tag}");
            assert!(!tag.starts_with("link") && !tag.starts_with("img"), "{tag}");
        }
        for own in [include_str!("script.js"), include_str!("style.css")] {
            assert!(!own.contains("http") && !own.contains("url("));
        }
    }
}

#[test]
fn hostile_names_are_text_and_nothing_but_text() {
    let text = written(&sample::fleet(300));
    assert_eq!(text.matches("<script").count(), 1);
    assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(text.contains("checkout &amp; &lt;b&gt;payments&lt;/b&gt;"));
    for tag in attributes(&text) {
        assert!(!tag.contains("onmouseover"), "{tag}");
    }
    let odd = |letter: char| letter != '\n' && imds_core::plain::misleads(letter);
    assert_eq!(text.chars().find(|letter| odd(*letter)), None);
    assert!(!text.contains(&"x".repeat(201)));
}

#[test]
fn every_picture_is_told_in_words() {
    let text = written(&sample::fleet(300));
    let pictures = between(&text, "svg");
    assert_eq!(pictures.len(), 1 + sample::REGIONS.len());
    for picture in pictures {
        assert!(picture.contains("<title"), "{picture}");
        let told = between(picture, "desc");
        assert!(told[0].contains(" compliant ("), "{picture}");
    }
    assert!(text.contains("157 of 288 compliant (54%), 12 exempt, 119 not compliant"));
}

#[test]
fn where_usage_was_not_asked_it_says_how_to_ask() {
    let asked = written(&sample::fleet(300));
    assert!(asked.contains("<b>31</b> used it") && !asked.contains("was not asked"));
    let text = written(&sample::document(&sample::rows(300)));
    assert!(text.contains("This was not asked."));
    let command = next::USAGE
        .split(' ')
        .map(|word| format!("<span class=\"word\">{word}</span> "));
    assert!(text.contains(&command.collect::<String>()));
}

#[test]
fn sections_stand_where_something_was_asked_or_missed() {
    let all = written(&sample::fleet(12));
    let mut document = sample::document(&sample::rows(12));
    document.unseen.clear();
    let least = written(&document);
    for id in ["unseen", "user-data", "templates", "defaults"] {
        assert!(all.contains(&format!("id=\"{id}\"")), "{id}");
        assert!(!least.contains(&format!("id=\"{id}\"")), "{id}");
    }
    assert!(!least.contains("Not everything could be seen"));
}

#[test]
fn an_empty_account_has_a_page_too() {
    let mut document = sample::document(&[]);
    document.regions.clear();
    document.account = None;
    let text = written(&document);
    assert!(rows(&text).is_empty());
    assert!(text.ends_with("</main></body></html>\n"));
}

#[test]
fn every_element_is_closed() {
    for document in [
        sample::fleet(300),
        sample::enforced(60),
        sample::document(&[]),
    ] {
        let text = written(&document);
        let void = ["meta", "input"];
        let mut open = Vec::new();
        let markup = text.replace(include_str!("script.js"), "");
        for tag in attributes(&markup).filter(|tag| !tag.starts_with('!')) {
            let name = tag.split_whitespace().next().unwrap();
            match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name), "{tag}"),
                None if void.contains(&name) => {}
                None => open.push(name),
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }
}

/// What Chromium makes of the page at this address after `#`: the ids of the rows that are shown.
fn in_browser(document: &Document, view: &str) -> (Vec<String>, String) {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    std::fs::write(&page, written(document)).unwrap();
    let answer = std::process::Command::new("chromium")
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--dump-dom",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(format!("file://{}#{view}", page.display()))
        .output()
        .unwrap();
    let text = String::from_utf8(answer.stdout).unwrap();
    let table = text.split_once("id=\"fleet\"").unwrap().1;
    let table = table.split_once("<tbody>").unwrap().1;
    let table = table.split_once("</tbody>").unwrap().0;
    let shown = table
        .split("<tr")
        .filter(|row| row.starts_with(" class=\"on\""));
    let ids = shown
        .map(|row| between(row, "code")[0].to_owned())
        .collect();
    let count = text.split_once("id=\"count\"").unwrap().1;
    let count = count
        .split_once("</p>")
        .unwrap()
        .0
        .split_once('>')
        .unwrap()
        .1;
    (ids, count.to_owned())
}

#[test]
#[ignore = "needs Chromium"]
fn the_script_filters_and_sorts_by_the_address() {
    let document = sample::fleet(300);
    let rows = &document.rows;
    let calls = |row: &Row| match row.report.usage {
        Some(Usage::InUse { calls, .. }) => calls,
        _ => 0,
    };
    let (ids, count) = in_browser(&document, "u=in+use&sort=u&down=true");
    let mut wanted: Vec<&Row> = rows.iter().filter(|row| calls(row) > 0).collect();
    wanted.sort_by_key(|row| std::cmp::Reverse(calls(row)));
    let wanted: Vec<&str> = wanted
        .iter()
        .map(|row| row.report.instance_id.as_str())
        .collect();
    assert_eq!(ids, wanted);
    assert_eq!(count, "31 instances that match, of 300");

    let (ids, _) = in_browser(&document, "q=worker+us-west-2&d=enforce");
    let wanted = rows.iter().filter(|row| {
        let named = row
            .name
            .as_ref()
            .is_some_and(|name| name.starts_with("worker"));
        named && row.report.region == "us-west-2" && row.decision == Verdict::Enforce
    });
    let wanted: Vec<&str> = wanted.map(|row| row.report.instance_id.as_str()).collect();
    assert!(!wanted.is_empty());
    assert_eq!(ids, wanted);
}

#[test]
#[ignore = "needs Chromium"]
fn the_script_shows_ten_thousand_rows_page_by_page() {
    let (ids, count) = in_browser(&sample::fleet(10_000), "");
    assert_eq!(ids.len(), 100);
    assert!(
        count.contains("1–100 of ") && count.ends_with("10,000 instances"),
        "{count}"
    );
}
