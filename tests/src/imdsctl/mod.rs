//! Runs the command `imdsctl` as a person does: in a pipe or on a terminal, in an environment of its own.

mod process;
mod terminal;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

pub use process::{Ran, Running};
pub use terminal::{Closed, Terminal};

use crate::{Standin, binary};

/// How long a program may take, unless the test says otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// How often a program is looked at while it is waited for.
const GLANCE: Duration = Duration::from_millis(10);

/// A run to come. Its environment holds only what is set here, and `PATH`.
#[derive(Debug)]
#[must_use]
pub struct Imdsctl {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
    stdin: Option<Vec<u8>>,
    /// Its home unless the test has chosen one; it lasts as long as the run.
    fresh_home: TempDir,
    home: Option<PathBuf>,
    directory: Option<PathBuf>,
    time_limit: Duration,
}

impl Imdsctl {
    /// With credentials of its own, in `us-east-1`; its AWS is the stand-in.
    ///
    /// # Panics
    /// When `imdsctl` has not been built.
    pub fn against(standin: &Standin) -> Self {
        Imdsctl::offline().standin(standin)
    }

    /// Without credentials, region and AWS.
    ///
    /// # Panics
    /// When `imdsctl` has not been built.
    pub fn offline() -> Self {
        Imdsctl::of(binary("imdsctl"))
    }

    /// Another program, run the same way.
    pub fn of(program: impl Into<PathBuf>) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Imdsctl {
            program: program.into(),
            arguments: Vec::new(),
            environment: BTreeMap::from([("PATH".into(), path)]),
            stdin: None,
            fresh_home: TempDir::new().expect("a temporary folder can be made"),
            home: None,
            directory: None,
            time_limit: TIME_LIMIT,
        }
        .env("AWS_EC2_METADATA_DISABLED", "true")
    }

    /// Credentials, the region `us-east-1`, and the stand-in as its AWS.
    pub fn standin(self, standin: &Standin) -> Self {
        self.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL", standin.url())
    }

    /// One more argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// More arguments.
    pub fn args(self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        arguments.into_iter().fold(self, Imdsctl::arg)
    }

    /// One more variable, or another value for one.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let (name, value) = (name.as_ref().to_owned(), value.as_ref().to_owned());
        self.environment.insert(name, value);
        self
    }

    /// One variable less.
    pub fn without_env(mut self, name: impl AsRef<OsStr>) -> Self {
        self.environment.remove(name.as_ref());
        self
    }

    /// What it reads on standard input; nothing at first. A terminal has its own.
    pub fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.stdin = Some(bytes.as_ref().to_vec());
        self
    }

    /// `HOME`, for runs that share one; at first a fresh folder that goes after the run.
    pub fn home(mut self, folder: impl AsRef<Path>) -> Self {
        self.home = Some(folder.as_ref().to_owned());
        self
    }

    /// Where it is started; its home at first.
    pub fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.directory = Some(folder.as_ref().to_owned());
        self
    }

    /// How long it may take, 60 seconds at first; then it is killed and the test fails.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it can't be started or takes too long.
    #[must_use]
    pub fn run(self) -> Ran {
        self.start().wait()
    }

    /// Starts it, and does not wait for it.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn start(self) -> Running {
        Running::start(self)
    }

    /// Starts it on a terminal of so many columns and rows.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn on_terminal(self, columns: u16, rows: u16) -> Terminal {
        Terminal::start(self, columns, rows)
    }

    fn home_folder(&self) -> &Path {
        self.home.as_deref().unwrap_or(self.fresh_home.path())
    }

    fn folder(&self) -> &Path {
        self.directory.as_deref().unwrap_or(self.home_folder())
    }
}

/// Sends a signal, unless the process has ended.
fn send(process: u32, signal: Signal) {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    let _ = rustix::process::kill_process(process.expect("processes count from 1"), signal);
}
