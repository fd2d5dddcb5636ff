//! What is written is read.

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
