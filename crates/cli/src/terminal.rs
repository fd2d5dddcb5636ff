//! The terminal: whether there is one, its width, and confirmation.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::Path;

use unicode_width::UnicodeWidthStr;

use crate::error::Problem;
use crate::output::Style;
use crate::wrap::wrap;

/// Where a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    StandardOutput,
    Elsewhere,
}

/// The style of a report: plain if it is not a terminal, or if `NO_COLOR` is set.
pub(crate) fn style(var: impl Fn(&str) -> Option<String>, destination: Destination) -> Style {
    let terminal = destination == Destination::StandardOutput && io::stdout().is_terminal();
    let no_colour = var("NO_COLOR").is_some_and(|value| !value.is_empty())
        || var("TERM").is_some_and(|value| value == "dumb");
    Style {
        colour: terminal && !no_colour,
        width: width_of(&io::stdout()).filter(|_| terminal),
    }
}

/// The terminal's width in columns; `None` if it is not a terminal.
#[cfg(unix)]
fn width_of(stream: &impl std::os::fd::AsFd) -> Option<u16> {
    terminal_size::terminal_size_of(stream).map(|(terminal_size::Width(columns), _)| columns)
}

/// The terminal's width in columns; `None` if it is not a terminal.
#[cfg(windows)]
fn width_of(stream: &impl std::os::windows::io::AsHandle) -> Option<u16> {
    terminal_size::terminal_size_of(stream).map(|(terminal_size::Width(columns), _)| columns)
}

/// Prints a message on standard error.
pub(crate) fn say(message: impl Display) {
    eprintln!("{}", wrap(&message.to_string(), width_of(&io::stderr())));
}

/// Prints a sentence on standard error and a command to paste, which is never broken.
pub(crate) fn offer(sentence: &str, command: &str) {
    let line = format!("{sentence} {command}");
    let width = width_of(&io::stderr()).map_or(usize::MAX, usize::from);
    if line.width() <= width {
        eprintln!("{line}");
    } else {
        say(sentence);
        eprintln!("  {command}");
    }
}

/// Where answers are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    /// Standard input, which must be a terminal.
    StandardInput,
    /// The terminal of the process, because standard input is something else.
    Terminal,
}

impl Answers {
    /// Checks, before any work, that confirmation is possible.
    ///
    /// # Errors
    /// If there is no terminal to ask on.
    pub(crate) fn can_ask(self) -> Result<(), Problem> {
        let can_answer = match self {
            Answers::StandardInput => io::stdin().is_terminal(),
            Answers::Terminal => controlling_terminal().is_ok(),
        };
        match can_answer && io::stderr().is_terminal() {
            true => Ok(()),
            false => Err(Problem::NoTerminal),
        }
    }

    /// Asks for confirmation; only `yes` confirms.
    ///
    /// # Errors
    /// If there is no terminal.
    pub(crate) fn agreed(self, question: &str) -> Result<bool, Problem> {
        let answer = self.answer(&format!("{question} Type yes to continue:"))?;
        Ok(answer == "yes")
    }

    /// Asks for a line.
    ///
    /// # Errors
    /// If there is no terminal.
    pub(crate) fn answer(self, prompt: &str) -> Result<String, Problem> {
        self.can_ask()?;
        let mut stderr = io::stderr();
        let prompt = wrap(prompt, width_of(&stderr));
        write!(stderr, "{prompt} ").map_err(Problem::Print)?;
        stderr.flush().map_err(Problem::Print)?;
        let mut answer = String::new();
        let read = match self {
            Answers::StandardInput => io::stdin().lock().read_line(&mut answer),
            Answers::Terminal => controlling_terminal()
                .and_then(|terminal| BufReader::new(terminal).read_line(&mut answer)),
        };
        read.map_err(Problem::reading("the answer on", Path::new("the terminal")))?;
        Ok(answer.trim().to_owned())
    }
}

fn controlling_terminal() -> io::Result<File> {
    File::open(if cfg!(windows) { "CONIN$" } else { "/dev/tty" })
}

/// Checks, before any work, that confirmation is possible.
///
/// # Errors
/// If standard input or standard error is not a terminal.
pub(crate) fn can_ask() -> Result<(), Problem> {
    Answers::StandardInput.can_ask()
}
