//! To come.
use crate::document::Document;
use clap::ValueEnum;
use std::io;
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
    Csv,
    Html,
}
pub(crate) struct Style {
    pub(crate) colour: bool,
    pub(crate) width: Option<u16>,
}
pub(crate) fn write(
    _f: Format,
    d: &Document,
    _s: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    for row in d.rows.rows() {
        let r = row?;
        writeln!(
            out,
            "{} {} {}",
            r.report.region, r.report.instance_id, r.report.reason
        )?;
    }
    writeln!(
        out,
        "{:?} {:?} {:?} {:?} {:?}",
        d.summary, d.unseen, d.templates, d.defaults, d.took
    )
}
