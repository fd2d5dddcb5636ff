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
    assert_eq!(text.matches("\n<tr>").count(), 300);
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
