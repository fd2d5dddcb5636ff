//! One process of a function, with a Runtime API of its own: what Lambda calls an execution environment.

use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::FunctionError;
use super::exchange::Exchange;
use super::output::FunctionOutput;
use crate::server::Server;
use crate::wait::CHECK_INTERVAL;

/// Lambda allows ten seconds; a debug build on a busy machine gets more.
const INITIALISATION: Duration = Duration::from_secs(20);

/// How long a function may take from its answer to its next poll.
const NEXT_POLL: Duration = Duration::from_secs(2);

/// A process, killed when dropped.
#[derive(Debug)]
pub(super) struct Sandbox {
    child: Child,
    exchange: Arc<Exchange>,
    started: Instant,
    /// Whether its end has been reported.
    failed: bool,
    _server: Server,
}

impl Sandbox {
    /// `started` is the time before the process was created.
    pub(super) fn new(
        child: Child,
        exchange: Arc<Exchange>,
        started: Instant,
        server: Server,
    ) -> Self {
        Sandbox {
            child,
            exchange,
            started,
            failed: false,
            _server: server,
        }
    }

    /// Whether the next event needs a new process.
    pub(super) fn is_spent(&mut self) -> bool {
        self.failed || self.exchange.has_polled() && self.has_exited()
    }

    /// Waits until it polls for events; returns why it does not.
    pub(super) fn initialised(&mut self, output: &FunctionOutput) -> Option<FunctionError> {
        let until = self.started + INITIALISATION;
        let error = loop {
            if let Some(error) = self.exchange.init_error() {
                break error;
            }
            if self.exchange.has_polled() {
                return None;
            }
            if self.has_exited() {
                break self.exit_error(output);
            }
            if Instant::now() >= until {
                break fault(
                    "Sandbox.Timedout",
                    "it did not poll for an event in time",
                    output,
                );
            }
            self.exchange.wait(CHECK_INTERVAL);
        };
        self.give_up();
        Some(error)
    }

    /// Delivers an event; returns its request id and its result.
    pub(super) fn invoke(
        &mut self,
        event: &Value,
        timeout: Duration,
        output: &FunctionOutput,
    ) -> (String, Result<Value, FunctionError>) {
        let id = self.exchange.offer(event.to_string(), timeout);
        (id, self.result(timeout, output))
    }

    /// Waits for the result of the event that was offered.
    pub(super) fn result(
        &mut self,
        timeout: Duration,
        output: &FunctionOutput,
    ) -> Result<Value, FunctionError> {
        let until = Instant::now() + timeout;
        loop {
            if let Some(answer) = self.exchange.take_answer() {
                self.wait_for_poll();
                return answer;
            }
            if self.has_exited() {
                self.failed = true;
                return Err(self.exit_error(output));
            }
            if Instant::now() >= until {
                self.give_up();
                let message = format!("task timed out after {:.2} seconds", timeout.as_secs_f64());
                return Err(fault("Sandbox.Timedout", &message, output));
            }
            self.exchange.wait(CHECK_INTERVAL);
        }
    }

    pub(super) fn started(&self) -> Instant {
        self.started
    }

    pub(super) fn first_poll(&self) -> Option<Instant> {
        self.exchange.first_poll()
    }

    pub(super) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// How long the last event took; zero without an answer.
    pub(super) fn duration(&self) -> Duration {
        self.exchange.duration().unwrap_or_default()
    }

    /// Waits for the next poll: what the function writes until then belongs to the invocation.
    fn wait_for_poll(&mut self) {
        let until = Instant::now() + NEXT_POLL;
        while !self.exchange.is_polling() && !self.has_exited() && Instant::now() < until {
            self.exchange.wait(CHECK_INTERVAL);
        }
    }

    fn has_exited(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    fn exit_error(&mut self, output: &FunctionOutput) -> FunctionError {
        let status = match self.child.try_wait() {
            Ok(Some(status)) => status.to_string(),
            Ok(None) => "still running".to_owned(),
            Err(error) => error.to_string(),
        };
        fault(
            "Runtime.ExitError",
            &format!("it exited without an answer ({status})"),
            output,
        )
    }

    fn give_up(&mut self) {
        self.failed = true;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.give_up();
    }
}

fn fault(error_type: &str, message: &str, output: &FunctionOutput) -> FunctionError {
    let error_message = format!("{message}; its output:\n{}", output.all());
    FunctionError {
        error_type: error_type.to_owned(),
        error_message,
    }
}
