//! Runs a function's real binary under a small Lambda Runtime API, one invocation at a time.
//! What Lambda bounds is bounded here too: nothing waits for ever.

mod builder;
mod exchange;
mod process;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use builder::FunctionBuilder;
use exchange::Exchange;
use process::{Output, Process};
use serde_json::Value;

use crate::server::Server;

/// A function under test. Its process is killed when this is dropped.
#[derive(Debug)]
pub struct Function {
    // Dropped in this order: the process goes before what it talks to.
    process: Mutex<Process>,
    exchange: Arc<Exchange>,
    output: Output,
    plan: FunctionBuilder,
    _server: Server,
}

/// What became of one event.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// `Lambda-Runtime-Aws-Request-Id`.
    pub request_id: String,
    /// What the function answered.
    pub result: Result<Value, FunctionError>,
    /// Lines that it wrote to standard output meanwhile.
    pub stdout: Vec<String>,
    /// Lines that it wrote to standard error meanwhile.
    pub stderr: Vec<String>,
    /// From the event's handing over to the answer.
    pub duration: Duration,
}

/// An error that the function reported, or that Lambda would report of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error_type}: {error_message}")]
pub struct FunctionError {
    /// The function's own, or `Runtime.ExitError`, `Sandbox.Timedout`,
    /// `Function.ResponseSizeTooLarge`, `Runtime.InvalidResponse`.
    pub error_type: String,
    /// With all output, where it died.
    pub error_message: String,
}

/// Lambda allows ten seconds; a debug build on a busy machine gets more.
const INITIALISATION: Duration = Duration::from_secs(20);

/// How long a function may take from its answer to its next poll.
const AFTERMATH: Duration = Duration::from_secs(2);

/// How often the process is looked at while it is waited for.
const GLANCE: Duration = Duration::from_millis(10);

impl Function {
    /// A function to be started from this program.
    #[must_use]
    pub fn of(binary: impl Into<std::path::PathBuf>) -> FunctionBuilder {
        FunctionBuilder::new(binary.into())
    }

    /// Hands it an event and waits for the answer.
    pub fn invoke(&self, event: &Value) -> Invocation {
        self.invoke_with_timeout(event, self.plan.timeout)
    }

    /// The same, with another timeout: its deadline, at which it is killed.
    /// One that has exited or was killed is started afresh for the next event, as Lambda does.
    pub fn invoke_with_timeout(&self, event: &Value, timeout: Duration) -> Invocation {
        let mut process = self.process();
        if process.has_exited() && (process.reported || self.exchange.has_polled()) {
            self.restart(&mut process);
        }
        let request_id = self.exchange.new_id();
        let failed = self.initialised(&mut process);
        let mark = self.output.mark();
        let started = Instant::now();
        let (result, duration) = match failed {
            Some(error) => (Err(error), Duration::ZERO),
            None => {
                self.exchange.offer(&request_id, event.to_string(), timeout);
                let result = self.answer(&mut process, timeout);
                (
                    result,
                    self.exchange
                        .duration()
                        .unwrap_or_else(|| started.elapsed()),
                )
            }
        };
        let (stdout, stderr) = self.output.since(&mark);
        Invocation {
            request_id,
            result,
            stdout,
            stderr,
            duration,
        }
    }

    /// Waits until it has started: `None` when it polls for events, else why it doesn't.
    pub fn init_error(&self) -> Option<FunctionError> {
        self.initialised(&mut self.process())
    }

    /// All that it has written, standard output first.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.all()
    }

    fn initialised(&self, process: &mut Process) -> Option<FunctionError> {
        let until = process.started + INITIALISATION;
        let error = loop {
            if let Some(error) = self.exchange.init_error() {
                break error;
            }
            if self.exchange.has_polled() {
                return None;
            }
            if process.has_exited() {
                break self.exit_error(process);
            }
            if Instant::now() >= until {
                break self.fault("Sandbox.Timedout", "it did not ask for an event in time");
            }
            self.exchange.wait(GLANCE);
        };
        process.kill();
        process.reported = true;
        Some(error)
    }

    fn answer(&self, process: &mut Process, timeout: Duration) -> Result<Value, FunctionError> {
        let until = Instant::now() + timeout;
        loop {
            if let Some(answer) = self.exchange.take_answer() {
                self.wait_for_poll(process);
                return answer;
            }
            if process.has_exited() {
                process.reported = true;
                return Err(self.exit_error(process));
            }
            if Instant::now() >= until {
                process.kill();
                process.reported = true;
                let message = format!("task timed out after {:.2} seconds", timeout.as_secs_f64());
                return Err(self.fault("Sandbox.Timedout", &message));
            }
            self.exchange.wait(GLANCE);
        }
    }

    /// What it writes after its answer still belongs to the invocation.
    fn wait_for_poll(&self, process: &mut Process) {
        let until = Instant::now() + AFTERMATH;
        while !self.exchange.is_polling() && !process.has_exited() && Instant::now() < until {
            self.exchange.wait(GLANCE);
        }
    }

    fn restart(&self, process: &mut Process) {
        self.exchange.forget_process();
        *process = self.plan.spawn(&self.output);
    }

    fn exit_error(&self, process: &mut Process) -> FunctionError {
        self.fault(
            "Runtime.ExitError",
            &format!("it exited without an answer ({})", process.status()),
        )
    }

    fn fault(&self, error_type: &str, message: &str) -> FunctionError {
        let error_message = format!("{message}; its output:\n{}", self.output.all());
        FunctionError {
            error_type: error_type.to_owned(),
            error_message,
        }
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
