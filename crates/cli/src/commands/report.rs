//! `imdsctl report`.

use std::path::Path;

use super::files;
use crate::args::ReportArgs;
use crate::environment::Environment;
use crate::error::{Exit, Problem};
use crate::joined::join;

pub(crate) fn report(args: &ReportArgs, environment: &Environment) -> Result<Exit, Problem> {
    files::targets(&args.output)?;
    let from_input = args.reports.iter().filter(|path| *path == Path::new("-"));
    if from_input.count() > 1 {
        let twice = "`-`, which is standard input, is named twice: name files for the others";
        return Err(Problem::Usage(twice.to_owned()));
    }
    let reports = args.reports.iter().map(|path| files::read_report(path));
    let reports = reports.collect::<Result<Vec<_>, Problem>>()?;
    let mut document = join(reports, (environment.now)())?;
    document.scope.show_tags.clone_from(&args.output.show_tags);
    files::report(&args.output, &document, environment)?;
    Ok(document.exit())
}
