//! Reads and writes files.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use imds_core::plain::Plain;
use imds_core::report::Unreachable;

use crate::args::Output;
use crate::document::Document;
use crate::environment::Environment;
use crate::error::Problem;
use crate::output::{self, Format};
use crate::report_file::ReportFile;
use crate::wrap::wrap;
use crate::{terminal, text};

/// Reads a text file; `-` is standard input.
pub(crate) fn read(what: &'static str, path: &Path) -> Result<String, Problem> {
    let read = if path == Path::new("-") {
        text::read(io::stdin().lock())
    } else {
        File::open(path).and_then(text::read)
    };
    read.map_err(Problem::reading(what, path))
}

/// Reads a report, and says what it lacks; `-` is standard input.
pub(crate) fn read_report(path: &Path) -> Result<ReportFile, Problem> {
    let report = ReportFile::parse(path, &read("the report", path)?)?;
    if report.is_of_function {
        let path = path.display().to_string();
        terminal::say(format!(
            "imdsctl: `{}` is a report of the function: it has no names, states and tags, and does not \
             say which Regions it covers",
            Plain(&path)
        ));
    }
    Ok(report)
}

/// One output of a command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) format: Format,
    /// The file; `None` is standard output.
    pub(crate) path: Option<&'a Path>,
}

/// The outputs that were asked for, at least one.
///
/// # Errors
/// If the format of a file is not known, or one format is given for several files.
pub(crate) fn targets(wanted: &Output) -> Result<Vec<Target<'_>>, Problem> {
    let files = wanted.output.iter().map(PathBuf::as_path);
    match (wanted.format, wanted.output.len()) {
        (format, 0) => Ok(vec![Target {
            format: format.unwrap_or(Format::Table),
            path: None,
        }]),
        (Some(format), 1) => {
            let target = |path| Target {
                format,
                path: Some(path),
            };
            Ok(files.map(target).collect())
        }
        (Some(_), _) => Err(Problem::Usage(
            "--format is for one output; the endings of several files choose their formats"
                .to_owned(),
        )),
        (None, _) => files.map(target).collect(),
    }
}

fn target(path: &Path) -> Result<Target<'_>, Problem> {
    let format = Format::of_file(path).ok_or_else(|| {
        let path = path.display();
        Problem::Usage(format!(
            "--output {path}: expected a file that ends with .txt, .json, .csv, .html, .md, .asff.json \
             or .ocsf.json, or --format"
        ))
    })?;
    let path = Some(path);
    Ok(Target { format, path })
}

/// Writes the document to standard output or to the given files.
pub(crate) fn report(
    wanted: &Output,
    document: &Document,
    environment: &Environment,
) -> Result<(), Problem> {
    report_by_format(wanted, |_| document, environment)
}

/// Writes a document for each format to standard output or to the given files. If one cannot be written,
/// the others still are.
pub(crate) fn report_by_format<'a>(
    wanted: &Output,
    document: impl Fn(Format) -> &'a Document,
    environment: &Environment,
) -> Result<(), Problem> {
    let targets = targets(wanted)?;
    let mut written = Ok(());
    for &Target { format, path } in &targets {
        let document = document(format);
        let style = terminal::style(environment.var, terminal::Destination::of(path));
        let result = put(path, |out| {
            begin(format == Format::Csv, path, out)?;
            output::write(format, document, &style, out)
        });
        written = written.and(result);
    }
    let document = document(Format::Csv);
    warn_unreachable(&targets, &document.unreachable);
    if targets.iter().any(|it| it.format == Format::Csv) {
        for unneeded in document.unneeded_exemptions.iter().flatten() {
            let words = "no instance of the account needs the exemption of";
            terminal::say(format!("imdsctl: {words} {unneeded}"));
        }
    }
    written
}

/// Prints the unreachable regions on standard error if an output goes to a file or cannot show them.
pub(crate) fn warn_unreachable(targets: &[Target], unreachable: &[Unreachable]) {
    let is_unseen = |it: &Target| it.path.is_some() || it.format == Format::Csv;
    for unreachable in unreachable.iter().filter(|_| targets.iter().any(is_unseen)) {
        let (region, error) = (Plain(&unreachable.region), Plain(&unreachable.error));
        terminal::say(format!("imdsctl: could not describe: {region}: {error}"));
    }
}

/// Begins a file of CSV with a byte order mark, without which Excel does not read UTF-8. Standard output has
/// none, because programs would take it for a part of the first column's name.
pub(crate) fn begin(is_csv: bool, path: Option<&Path>, out: &mut dyn Write) -> io::Result<()> {
    match path.filter(|_| is_csv) {
        Some(_) => out.write_all("\u{feff}".as_bytes()),
        None => Ok(()),
    }
}

/// Writes to a file atomically; without a file, to standard output. Devices, pipes and targets of links
/// are written to directly and never replaced.
pub(crate) fn put(
    path: Option<&Path>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Problem> {
    match path {
        None => print(write),
        Some(path) if path.metadata().is_ok_and(|found| !found.is_file()) => {
            let put = || {
                let mut out = BufWriter::new(File::options().write(true).open(path)?);
                write(&mut out)?;
                out.flush()
            };
            put().map_err(Problem::writing("the output", path))
        }
        Some(path) => {
            // Writes to a temporary file first, so that no reader finds a partial file.
            let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            let put = || {
                let file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
                let mut out = BufWriter::new(file);
                write(&mut out)?;
                let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
                readable(file.as_file())?;
                file.persist(path).map_err(|error| error.error)?;
                Ok(())
            };
            put().map_err(Problem::writing("the output", path))
        }
    }
}

/// By default, only the owner can read a temporary file; this one is meant to be shared.
#[cfg(unix)]
fn readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Writes text for people to standard output.
pub(crate) fn print_text(text: &impl Display) -> Result<(), Problem> {
    let text = wrap(text.to_string().trim_end(), terminal::width());
    print(|out| {
        if text.is_empty() {
            Ok(())
        } else {
            writeln!(out, "{text}")
        }
    })
}

/// Writes to standard output. A pipe that its reader closed, such as `head`, is not an error.
pub(crate) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Problem> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Problem::Print),
    }
}
