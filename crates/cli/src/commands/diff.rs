//! `imdsctl diff`.

mod show;

use std::path::Path;

use imds_core::plain::Plain;

use super::files;
use crate::args::{DiffArgs, DiffFormat};
use crate::comparison::Comparison;
use crate::environment::Environment;
use crate::error::{Exit, Problem};
use crate::output::Format;
use crate::terminal::{self, Destination};

pub(crate) fn diff(args: &DiffArgs, environment: &Environment) -> Result<Exit, Problem> {
    let standard_input = Path::new("-");
    if args.old == standard_input && args.new == standard_input {
        let both = "OLD and NEW are both `-`, which is standard input: name a file for one of them";
        return Err(Problem::Usage(both.to_owned()));
    }
    let format = match (args.format, &args.output) {
        (Some(format), _) => format,
        (None, None) => DiffFormat::Table,
        (None, Some(path)) => by_ending(path)?,
    };
    let (old, new) = (
        files::read_report(&args.old)?,
        files::read_report(&args.new)?,
    );
    if let (Some(before), Some(now)) = (old.finished_at(), new.finished_at())
        && before > now
    {
        let [old, new] = [&args.old, &args.new].map(|path| path.display().to_string());
        let (old, new) = (Plain(&old), Plain(&new));
        return Err(Problem::Usage(format!(
            "OLD `{old}` finished at {before}, after NEW `{new}` at {now}: name the earlier report first"
        )));
    }
    let comparison = Comparison::new(&old, &new);
    let destination = match args.output {
        Some(_) => Destination::Elsewhere,
        None => Destination::StandardOutput,
    };
    let style = terminal::style(environment.var, destination);
    let reports = show::Reports {
        old: &old,
        new: &new,
    };
    let path = args.output.as_deref();
    files::put(path, |out| {
        files::begin(format == DiffFormat::Csv, path, out)?;
        show::write(format, &comparison, &reports, &style, out)
    })?;
    Ok(comparison.exit())
}

fn by_ending(path: &Path) -> Result<DiffFormat, Problem> {
    match Format::of_file(path) {
        Some(Format::Table) => Ok(DiffFormat::Table),
        Some(Format::Json) => Ok(DiffFormat::Json),
        Some(Format::Csv) => Ok(DiffFormat::Csv),
        Some(Format::Markdown) => Ok(DiffFormat::Markdown),
        Some(Format::Html | Format::Asff | Format::Ocsf) | None => {
            let path = path.display();
            Err(Problem::Usage(format!(
                "--output {path}: expected a file that ends with .txt, .json, .csv or .md, or --format"
            )))
        }
    }
}
