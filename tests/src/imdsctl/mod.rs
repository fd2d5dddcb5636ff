//! Runs the command `imdsctl` as a person does, in a pipe or on a terminal, with an environment of its own.

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

use crate::wait::CHECK_INTERVAL;
use crate::{FakeAws, binary};

/// How long a program may take, unless the test says otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// A run to start. Its environment holds only `PATH` and what is set here.
#[derive(Debug)]
#[must_use]
pub struct Imdsctl {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
    stdin: Option<Vec<u8>>,
    /// The home folder unless the test sets one; it is deleted after the run.
    fresh_home: TempDir,
    home: Option<PathBuf>,
    directory: Option<PathBuf>,
    time_limit: Duration,
}

impl Imdsctl {
    /// With credentials, in `us-east-1`, against the fake.
    ///
    /// # Panics
    /// When `imdsctl` has not been built.
    pub fn against(fake: &FakeAws) -> Self {
        Imdsctl::offline().fake(fake)
    }

    /// Without credentials, region and endpoint.
    ///
    /// # Panics
    /// When `imdsctl` has not been built.
    pub fn offline() -> Self {
        Imdsctl::with_program(binary("imdsctl"))
    }

    /// The same for another program.
    pub fn with_program(program: impl Into<PathBuf>) -> Self {
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

    /// Sets credentials, the region `us-east-1`, and the fake as the endpoint.
    pub fn fake(self, fake: &FakeAws) -> Self {
        self.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL", fake.url())
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args(self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        arguments.into_iter().fold(self, Imdsctl::arg)
    }

    /// Sets a variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let (name, value) = (name.as_ref().to_owned(), value.as_ref().to_owned());
        self.environment.insert(name, value);
        self
    }

    /// Removes a variable.
    pub fn without_env(mut self, name: impl AsRef<OsStr>) -> Self {
        self.environment.remove(name.as_ref());
        self
    }

    /// Standard input; the default is empty. A run on a terminal has the terminal's.
    pub fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.stdin = Some(bytes.as_ref().to_vec());
        self
    }

    /// `HOME`, for runs that share one; the default is a new folder that is deleted after the run.
    pub fn home(mut self, folder: impl AsRef<Path>) -> Self {
        self.home = Some(folder.as_ref().to_owned());
        self
    }

    /// The working folder; the default is the home folder.
    pub fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.directory = Some(folder.as_ref().to_owned());
        self
    }

    /// How long it may take before it is killed and the test fails; the default is 60 seconds.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Runs it and waits for its end.
    ///
    /// # Panics
    /// When it cannot be started or takes too long.
    #[must_use]
    pub fn run(self) -> Ran {
        self.start().wait()
    }

    /// Starts it without waiting for it.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(self) -> Running {
        Running::start(self)
    }

    /// Starts it on a terminal with this many columns and rows.
    ///
    /// # Panics
    /// When it cannot be started.
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
