//! Runs a function's real binary under a small Lambda Runtime API, one invocation at a time. Every wait
//! has a limit, as in Lambda.

mod builder;
mod exchange;
mod output;
mod sandbox;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use builder::FunctionBuilder;
use output::{FunctionOutput, OutputMark};
use sandbox::Sandbox;
use serde_json::Value;

/// A function under test. Its process is killed when this is dropped.
#[derive(Debug)]
pub struct Function {
    sandbox: Mutex<Sandbox>,
    output: FunctionOutput,
    plan: FunctionBuilder,
}

/// The result of one event.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// `Lambda-Runtime-Aws-Request-Id`; empty if the function did not start.
    pub request_id: String,
    /// What the function answered.
    pub result: Result<Value, FunctionError>,
    /// The lines that it wrote to standard output.
    pub stdout: Vec<String>,
    /// The lines that it wrote to standard error.
    pub stderr: Vec<String>,
    /// The time from the delivery of the event to the answer.
    pub duration: Duration,
}

/// An error that the function reported, or that Lambda would report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error_type}: {error_message}")]
pub struct FunctionError {
    /// The function's own, or `Runtime.ExitError`, `Sandbox.Timedout`,
    /// `Function.ResponseSizeTooLarge`, `Runtime.InvalidResponse`.
    pub error_type: String,
    /// With all output, if the process ended.
    pub error_message: String,
}

impl Function {
    /// A function to start from this program.
    pub fn builder(binary: impl Into<PathBuf>) -> FunctionBuilder {
        FunctionBuilder::new(binary.into())
    }

    /// Delivers an event and waits for the answer.
    pub fn invoke(&self, event: &Value) -> Invocation {
        self.invoke_with_timeout(event, self.plan.timeout)
    }

    /// The same, with another timeout, after which the process is killed. A process that has ended is
    /// replaced for the next event, as Lambda does.
    pub fn invoke_with_timeout(&self, event: &Value, timeout: Duration) -> Invocation {
        let mut sandbox = self.sandbox();
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

    /// Waits for the answer to the event that was offered before the start.
    fn first(&self, request_id: String) -> Invocation {
        let mut sandbox = self.sandbox();
        let result = match sandbox.initialised(&self.output) {
            Some(error) => Err(error),
            None => sandbox.result(self.plan.timeout, &self.output),
        };
        self.invocation(
            request_id,
            result,
            &OutputMark::default(),
            sandbox.duration(),
        )
    }

    fn sandbox(&self) -> MutexGuard<'_, Sandbox> {
        self.sandbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn invocation(
        &self,
        request_id: String,
        result: Result<Value, FunctionError>,
        since: &OutputMark,
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
        self.sandbox().started()
    }

    /// When its process first polled for an event.
    pub fn first_poll(&self) -> Option<Instant> {
        self.sandbox().first_poll()
    }

    /// Waits until it polls for events; returns why it does not.
    pub fn init_error(&self) -> Option<FunctionError> {
        self.sandbox().initialised(&self.output)
    }

    /// The id of its current process.
    pub fn process_id(&self) -> u32 {
        self.sandbox().process_id()
    }

    /// All that it has written, standard output first.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.all()
    }
}
