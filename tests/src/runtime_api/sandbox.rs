//! One process of a function, with a Runtime API of its own: what Lambda calls an execution environment.

use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::FunctionError;
use super::exchange::Exchange;
use super::output::Output;
use crate::server::Server;

/// Lambda allows ten seconds; a debug build on a busy machine gets more.
const INITIALISATION: Duration = Duration::from_secs(20);

/// How long a function may take from its answer to its next poll.
const AFTERMATH: Duration = Duration::from_secs(2);

/// How often the process is looked at while it is waited for.
const GLANCE: Duration = Duration::from_millis(10);

/// A process, killed when dropped.
#[derive(Debug)]
pub(super) struct Sandbox {
    child: Child,
    exchange: Arc<Exchange>,
    started: Instant,
    /// Whether its end has been told.
    failed: bool,
    _server: Server,
}

impl Sandbox {
    /// `started` is the time before the process was made.
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

    /// Whether the next event needs another: this one's end is known, or came between two events.
    pub(super) fn is_spent(&mut self) -> bool {
        self.failed || self.exchange.has_polled() && self.has_exited()
    }

    /// Waits until it polls; else says why it doesn't.
    pub(super) fn initialised(&mut self, output: &Output) -> Option<FunctionError> {
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
                    "it did not ask for an event in time",
                    output,
                );
            }
            self.exchange.wait(GLANCE);
        };
        self.give_up();
        Some(error)
    }

    /// Hands over an event; gives its request id and what became of it.
    pub(super) fn invoke(
        &mut self,
        event: &Value,
        timeout: Duration,
        output: &Output,
    ) -> (String, Result<Value, FunctionError>) {
        let id = self.exchange.offer(event.to_string(), timeout);
        (id, self.result(timeout, output))
    }

    /// What became of the event that was offered.
    pub(super) fn result(
        &mut self,
        timeout: Duration,
        output: &Output,
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
            self.exchange.wait(GLANCE);
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

    /// How long the last event took; nothing where there was no answer.
    pub(super) fn duration(&self) -> Duration {
        self.exchange.duration().unwrap_or_default()
    }

    /// What it writes after its answer still belongs to the invocation.
    fn wait_for_poll(&mut self) {
        let until = Instant::now() + AFTERMATH;
        while !self.exchange.is_polling() && !self.has_exited() && Instant::now() < until {
            self.exchange.wait(GLANCE);
        }
    }

    fn has_exited(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    fn exit_error(&mut self, output: &Output) -> FunctionError {
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

fn fault(error_type: &str, message: &str, output: &Output) -> FunctionError {
    let error_message = format!("{message}; its output:\n{}", output.all());
    FunctionError {
        error_type: error_type.to_owned(),
        error_message,
    }
}
