//! `imdsctl completions` and `imdsctl man`.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use super::files;
use crate::args::Cli;
use crate::error::{Exit, Problem};

const NAME: &str = "imdsctl";

pub(crate) fn completions(shell: Shell) -> Result<Exit, Problem> {
    // `generate` would panic if it could not write, for example to a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    files::print(|out| out.write_all(&script))?;
    Ok(Exit::Fine)
}

/// Prints the manual page of the command, or writes the pages of all commands into a folder.
pub(crate) fn man(folder: Option<&Path>) -> Result<Exit, Problem> {
    match folder {
        None => files::print(|out| clap_mangen::Man::new(Cli::command()).render(&mut &mut *out))?,
        Some(folder) => std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
            .map_err(Problem::writing("the manual pages to", folder))?,
    }
    Ok(Exit::Fine)
}
