//! The terminal: whether there is one, its width, and confirmation.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;

use crate::error::Problem;
use crate::output::Style;

/// Where a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    StandardOutput,
    Elsewhere,
}

impl Destination {
    /// The destination of a file, or of standard output.
    pub(crate) fn of(path: Option<&Path>) -> Self {
        match path {
            Some(_) => Destination::Elsewhere,
            None => Destination::StandardOutput,
        }
    }
}

/// The style of a report: plain if it is not a terminal, or if `NO_COLOR` is set.
pub(crate) fn style(var: impl Fn(&str) -> Option<String>, destination: Destination) -> Style {
    let terminal = destination == Destination::StandardOutput && io::stdout().is_terminal();
    let no_colour = var("NO_COLOR").is_some_and(|value| !value.is_empty())
        || var("TERM").is_some_and(|value| value == "dumb");
    Style {
        colour: terminal && !no_colour,
        width: terminal_size::terminal_size()
            .filter(|_| terminal)
            .map(|(terminal_size::Width(columns), _)| columns),
    }
}

/// Checks, before any work, that confirmation is possible.
///
/// # Errors
/// If standard input or standard error is not a terminal.
pub(crate) fn can_ask() -> Result<(), Problem> {
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        Ok(())
    } else {
        Err(Problem::NoTerminal)
    }
}

/// Asks for confirmation; only `yes` confirms.
///
/// # Errors
/// If there is no terminal.
pub(crate) fn agreed(question: &str) -> Result<bool, Problem> {
    can_ask()?;
    let mut stderr = io::stderr();
    write!(stderr, "{question} Type yes to continue: ").map_err(Problem::Print)?;
    stderr.flush().map_err(Problem::Print)?;
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(Problem::reading("the answer on", Path::new("the terminal")))?;
    Ok(answer.trim() == "yes")
}
