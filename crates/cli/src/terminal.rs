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
        width: width().filter(|_| terminal),
    }
}

/// The width of standard output in columns; `None` if it is not a terminal.
pub(crate) fn width() -> Option<u16> {
    width_of(&io::stdout())
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

/// Asks on the terminal of the process for a text that it does not show, except where that is not
/// implemented.
///
/// # Errors
/// If the terminal cannot be written to or read.
pub(crate) fn secret(prompt: &str) -> io::Result<String> {
    let terminal = controlling_terminal()?;
    // Hidden before it is asked for: what is typed at once is not shown either.
    #[cfg(unix)]
    let _hidden = hidden::Hidden::begin(&terminal)?;
    let mut stderr = io::stderr();
    write!(stderr, "{prompt}")?;
    stderr.flush()?;
    let mut typed = String::new();
    BufReader::new(&terminal).read_line(&mut typed)?;
    Ok(typed)
}

#[cfg(unix)]
mod hidden {
    use std::fs::File;
    use std::io;

    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    /// The terminal does not show what is typed until this is dropped.
    pub(super) struct Hidden<'a> {
        terminal: &'a File,
        shown: Termios,
    }

    impl<'a> Hidden<'a> {
        pub(super) fn begin(terminal: &'a File) -> io::Result<Self> {
            let shown = tcgetattr(terminal)?;
            let mut hidden = shown.clone();
            hidden.local_modes.remove(LocalModes::ECHO);
            hidden.local_modes.insert(LocalModes::ECHONL);
            tcsetattr(terminal, OptionalActions::Flush, &hidden)?;
            Ok(Hidden { terminal, shown })
        }
    }

    impl Drop for Hidden<'_> {
        fn drop(&mut self) {
            // The terminal is gone if this fails.
            let _gone = tcsetattr(self.terminal, OptionalActions::Now, &self.shown);
        }
    }
}
