//! Reads and writes files.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use imds_core::plain::Plain;
use imds_core::report::Unreachable;

use crate::args::Output;
use crate::document::Document;
use crate::environment::Environment;
use crate::error::Problem;
use crate::output::{self, Format};
use crate::report_file::ReportFile;
use crate::terminal::{self, Destination};
use crate::text;

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
        eprintln!(
            "imdsctl: `{}` is a report of the function: it has no names, states and tags, and does not \
             say which Regions it covers",
            Plain(&path)
        );
    }
    Ok(report)
}

/// Writes the document to standard output or to the given file.
pub(crate) fn report(
    wanted: &Output,
    document: &Document,
    environment: &Environment,
) -> Result<(), Problem> {
    let style = terminal::style(environment.var, wanted.destination());
    put(wanted.output.as_deref(), |out| {
        output::write(wanted.format, document, &style, out)
    })?;
    warn_unreachable(wanted, &document.unreachable);
    Ok(())
}

/// Prints the unreachable regions on standard error if the output goes to a file or cannot show them.
pub(crate) fn warn_unreachable(wanted: &Output, unreachable: &[Unreachable]) {
    if wanted.output.is_some() || wanted.format == Format::Csv {
        for unreachable in unreachable {
            let (region, error) = (Plain(&unreachable.region), Plain(&unreachable.error));
            terminal::say(format!("imdsctl: could not describe: {region}: {error}"));
        }
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
pub(crate) fn print_text(text: &impl Display, environment: &Environment) -> Result<(), Problem> {
    let style = terminal::style(environment.var, Destination::StandardOutput);
    let text = text.to_string();
    print(|out| output::line(text.trim_end(), &style, out))
}

/// Writes to standard output. A pipe that its reader closed, such as `head`, is not an error.
pub(crate) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Problem> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Problem::Print),
    }
}
