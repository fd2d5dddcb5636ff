//! What is written is read.

use serde_json::json;

use super::*;
use crate::output::{Format, Style, sample, write};

#[test]
fn a_report_that_is_written_is_read() {
    for document in [sample::fleet(300), sample::enforced(300)] {
        let mut out = Vec::new();
        write(Format::Json, &document, &Style::default(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let read = ReportFile::parse(Path::new("r.json"), &text).unwrap();
        assert_eq!(read.instances, document.instances);
        assert_eq!(read.regions, document.regions);
        assert_eq!(read.unreachable, document.unreachable);
        assert_eq!(read.templates, document.templates);
        assert_eq!(read.defaults, document.defaults);
        assert_eq!(read.finished_at(), Some(document.at));
        assert!(!read.is_of_function);
    }
}

#[test]
fn empty_regions_are_read_in_the_format_of_older_reports_too() {
    let document = sample::document(vec![sample::non_compliant(1)]);
    let mut out = Vec::new();
    write(Format::Json, &document, &Style::default(), &mut out).unwrap();
    let mut json: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(json["regions"].as_array().unwrap().len(), 1);
    let regions = |json: &Value| {
        let read = ReportFile::parse(Path::new("r.json"), &json.to_string()).unwrap();
        assert_eq!(read.sources[0].regions, sample::REGIONS);
        read.regions
    };
    assert_eq!(regions(&json), document.regions);
    json["regions"] = json!(document.regions);
    json.as_object_mut().unwrap().remove("empty_regions");
    assert_eq!(regions(&json), document.regions);
}
