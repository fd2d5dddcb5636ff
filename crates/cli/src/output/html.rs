//! The report as one HTML file that asks for nothing else, to hand to a manager or an auditor.

mod charts;
mod findings;
mod instances;
mod page;
mod share;

use std::io;

use maud::Markup;

use super::next;
use super::survey::Survey;
use crate::document::Document;

/// Writes the page part by part, and the instances row by row.
pub(super) fn write(document: &Document, out: &mut dyn io::Write) -> io::Result<()> {
    let survey = Survey::of(document);
    emit(out, &page::head(document))?;
    emit(out, &page::title(document))?;
    emit(out, &page::totals(document))?;
    emit(out, &charts::shares(document))?;
    emit(out, &findings::usage(document, &survey))?;
    emit(out, &page::next(&next::steps(document, &survey)))?;
    emit(out, &findings::unseen(document))?;
    instances::write(document, &survey, out)?;
    findings::write_user_data(document, &survey, out)?;
    emit(out, &findings::templates(document))?;
    emit(out, &findings::defaults(document))?;
    emit(out, &page::foot())
}

fn emit(out: &mut dyn io::Write, markup: &Markup) -> io::Result<()> {
    out.write_all(markup.0.as_bytes())
}

#[cfg(test)]
mod tests;
