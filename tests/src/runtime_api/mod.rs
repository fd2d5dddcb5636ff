//! Runs a function's real binary under a small Lambda Runtime API, one invocation at a time.
//! What Lambda bounds is bounded here too: nothing waits for ever.

mod builder;
mod exchange;
mod output;
mod sandbox;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use builder::FunctionBuilder;
use output::{Mark, Output};
use sandbox::Sandbox;
use serde_json::Value;

/// A function under test. Its process is killed when this is dropped.
#[derive(Debug)]
pub struct Function {
    sandbox: Mutex<Sandbox>,
    output: Output,
    plan: FunctionBuilder,
}

/// What became of one event.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// `Lambda-Runtime-Aws-Request-Id`; empty where it did not start.
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

impl Function {
    /// A function to be started from this program.
    pub fn of(binary: impl Into<PathBuf>) -> FunctionBuilder {
        FunctionBuilder::new(binary.into())
    }

    /// Hands it an event and waits for the answer.
    pub fn invoke(&self, event: &Value) -> Invocation {
        self.invoke_with_timeout(event, self.plan.timeout)
    }

    /// The same, with another timeout: its deadline, at which it is killed.
    /// One that has exited or was killed is started afresh for the next event, as Lambda does.
    pub fn invoke_with_timeout(&self, event: &Value, timeout: Duration) -> Invocation {
        let mut sandbox = self.sandbox.lock().unwrap_or_else(PoisonError::into_inner);
        if sandbox.is_spent() {
            *sandbox = self.plan.spawn(&self.output);
        }
        let failed = sandbox.initialised(&self.output);
        let mark = self.output.mark();
        let (request_id, result) = match failed {
            Some(error) => (String::new(), Err(error)),
            None => sandbox.invoke(event, timeout, &self.output),
        };
        self.invocation(request_id, result, &mark, sandbox.duration())
    }

    /// What becomes of the event that was offered before it started.
    fn first(&self, request_id: String) -> Invocation {
        let mut sandbox = self.sandbox.lock().unwrap_or_else(PoisonError::into_inner);
        let result = match sandbox.initialised(&self.output) {
            Some(error) => Err(error),
            None => sandbox.result(self.plan.timeout, &self.output),
        };
        self.invocation(request_id, result, &Mark::default(), sandbox.duration())
    }

    fn invocation(
        &self,
        request_id: String,
        result: Result<Value, FunctionError>,
        since: &Mark,
        duration: Duration,
    ) -> Invocation {
        let (stdout, stderr) = self.output.since(since);
        Invocation {
            request_id,
            result,
            stdout,
            stderr,
            duration,
        }
    }

    /// Just before its process was made.
    pub fn started(&self) -> Instant {
        let sandbox = self.sandbox.lock().unwrap_or_else(PoisonError::into_inner);
        sandbox.started()
    }

    /// When its process first asked for an event.
    pub fn first_poll(&self) -> Option<Instant> {
        let sandbox = self.sandbox.lock().unwrap_or_else(PoisonError::into_inner);
        sandbox.first_poll()
    }

    /// Waits until it has started: `None` when it polls for events, else why it doesn't.
    pub fn init_error(&self) -> Option<FunctionError> {
        let mut sandbox = self.sandbox.lock().unwrap_or_else(PoisonError::into_inner);
        sandbox.initialised(&self.output)
    }

    /// The id of its process, which another replaces once it has ended.
    pub fn process_id(&self) -> u32 {
        let sandbox = self.sandbox.lock().unwrap_or_else(PoisonError::into_inner);
        sandbox.process_id()
    }

    /// All that it has written, standard output first.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.all()
    }
}
