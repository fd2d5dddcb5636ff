//! A run whose output goes to files, which are not terminals and never block.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio, exit};
use std::sync::Once;
use std::thread::{sleep, spawn};
use std::time::Instant;

use rustix::process::Signal;
use tempfile::NamedTempFile;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::{CHECK_INTERVAL, Imdsctl, send};

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A run that has not ended yet; it is killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    plan: Imdsctl,
    started: Instant,
    stdout: NamedTempFile,
    stderr: NamedTempFile,
}

impl Ran {
    /// Fails the test with the output if it ended with another code.
    #[track_caller]
    pub fn ended_with(&self, code: i32) -> &Self {
        assert_eq!(
            self.code,
            Some(code),
            "signal: {:?}\nstdout:\n{}\nstderr:\n{}",
            self.signal,
            self.stdout,
            self.stderr
        );
        self
    }
}

/// Catches SIGINT. Where it is ignored, as in a shell's background jobs, every child would ignore it too;
/// where it is caught, children start with the default.
fn catch_interrupts() {
    static CAUGHT: Once = Once::new();
    CAUGHT.call_once(|| {
        let mut loops = runtime::Builder::new_current_thread();
        let runtime = loops.enable_io().build().expect("a runtime can be made");
        let interrupts = runtime.block_on(async { signal(SignalKind::interrupt()) });
        let mut interrupts = interrupts.expect("SIGINT can be caught");
        spawn(move || {
            runtime.block_on(interrupts.recv());
            // The exit code of the default action.
            exit(130);
        });
    });
}

impl Running {
    pub(super) fn start(plan: Imdsctl) -> Self {
        catch_interrupts();
        let (stdout, stderr) = (file(), file());
        let child = Command::new(&plan.program)
            .args(&plan.arguments)
            .env_clear()
            .env("HOME", plan.home_folder())
            .envs(&plan.environment)
            .current_dir(plan.folder())
            .stdin(input(plan.stdin.as_deref()))
            .stdout(reopened(&stdout))
            .stderr(reopened(&stderr))
            .spawn()
            .unwrap_or_else(|error| panic!("could not start {}: {error}", plan.program.display()));
        Running {
            child,
            plan,
            started: Instant::now(),
            stdout,
            stderr,
        }
    }

    /// Standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        text(&self.stdout)
    }

    /// Standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        text(&self.stderr)
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub fn interrupt(&self) {
        send(self.child.id(), Signal::INT);
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        send(self.child.id(), Signal::TERM);
    }

    /// Sends SIGKILL.
    pub fn kill(&self) {
        send(self.child.id(), Signal::KILL);
    }

    /// Waits until a condition holds, such as a call that the fake has received.
    ///
    /// # Panics
    /// When the program ends or its time is up before the condition holds.
    #[track_caller]
    pub fn wait_until(&mut self, holds: impl Fn(&Self) -> bool) {
        while !holds(self) {
            let ended = self.status();
            if holds(self) {
                return;
            }
            assert!(ended.is_none(), "it ended before that{}", self.output());
            self.check_time();
            sleep(CHECK_INTERVAL);
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When its time is up; it is killed then.
    #[must_use]
    #[track_caller]
    pub fn wait(mut self) -> Ran {
        let status = loop {
            if let Some(status) = self.status() {
                break status;
            }
            self.check_time();
            sleep(CHECK_INTERVAL);
        };
        Ran {
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }

    fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is a child of the test")
    }

    #[track_caller]
    fn check_time(&self) {
        assert!(
            self.started.elapsed() < self.plan.time_limit,
            "it took longer than {:?}{}",
            self.plan.time_limit,
            self.output()
        );
    }

    fn output(&self) -> String {
        format!("\nstdout:\n{}\nstderr:\n{}", self.stdout(), self.stderr())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn input(bytes: Option<&[u8]>) -> Stdio {
    let Some(bytes) = bytes else {
        return Stdio::null();
    };
    let file = file();
    std::fs::write(file.path(), bytes).expect("a temporary file takes the input");
    reopened(&file).into()
}

fn file() -> NamedTempFile {
    NamedTempFile::new().expect("a temporary file can be made")
}

/// Opens the file again, so that reading does not move the writer's position.
fn reopened(file: &NamedTempFile) -> File {
    File::options()
        .read(true)
        .append(true)
        .open(file.path())
        .expect("a temporary file can be opened again")
}

fn text(file: &NamedTempFile) -> String {
    let bytes = std::fs::read(file.path()).expect("a temporary file can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}
