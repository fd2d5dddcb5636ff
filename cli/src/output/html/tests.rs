use super::*;
use crate::output::sample;

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
