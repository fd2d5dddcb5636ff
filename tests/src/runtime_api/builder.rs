//! How a function is started: its program, its environment, its timeout.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};
use serde_json::Value;

use super::exchange::Exchange;
use super::output::FunctionOutput;
use super::sandbox::Sandbox;
use super::{Function, Invocation};
use crate::fake::FakeAws;
use crate::server::Server;

/// A function to start. Its environment is what Lambda sets, and nothing of the test's.
#[derive(Clone, Debug)]
#[must_use]
pub struct FunctionBuilder {
    binary: PathBuf,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    account: String,
    pub(super) timeout: Duration,
    core: Option<usize>,
}

/// What Lambda sets, with credentials that are not valid anywhere.
const ENVIRONMENT: [(&str, &str); 15] = [
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    (
        "AWS_SECRET_ACCESS_KEY",
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    ),
    ("AWS_SESSION_TOKEN", "test-session-token"),
    ("AWS_REGION", "eu-central-1"),
    ("AWS_DEFAULT_REGION", "eu-central-1"),
    ("AWS_EXECUTION_ENV", "AWS_Lambda_rust"),
    ("AWS_LAMBDA_FUNCTION_NAME", "enforcer"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
    ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/enforcer"),
    (
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef",
    ),
    ("LANG", "en_US.UTF-8"),
    ("TZ", ":UTC"),
    ("_HANDLER", "bootstrap"),
];

impl FunctionBuilder {
    pub(super) fn new(binary: PathBuf) -> Self {
        let environment = ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned()));
        FunctionBuilder {
            binary,
            arguments: Vec::new(),
            environment: environment.into(),
            account: "111122223333".to_owned(),
            timeout: Duration::from_secs(30),
            core: None,
        }
    }

    /// Points it at this fake and its state table.
    pub fn fake(self, fake: &FakeAws) -> Self {
        self.env("AWS_ENDPOINT_URL", fake.url())
            .env("IMDS_STATE_TABLE", "imds-enforcer")
    }

    /// `IMDS_POLICY`: the policy as a document.
    pub fn policy(self, document: &str) -> Self {
        self.env("IMDS_POLICY", document)
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Removes a variable.
    pub fn without_env(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// The account that it is deployed in; the default is 111122223333.
    pub fn account(mut self, account: &str) -> Self {
        self.account = account.to_owned();
        self
    }

    /// How long an invocation may take; the default is 30 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs it on this core only, counted from 0; the fakes stay where they are.
    pub fn on_core(mut self, core: usize) -> Self {
        self.core = Some(core);
        self
    }

    /// Starts it without waiting for it.
    ///
    /// # Panics
    /// When the program can't be started.
    #[must_use]
    pub fn start(self) -> Function {
        let output = FunctionOutput::new().expect("temporary files can be made");
        let sandbox = Mutex::new(self.spawn(&output));
        Function {
            sandbox,
            output,
            plan: self,
        }
    }

    /// Starts it with an event that is ready before it polls, as Lambda does.
    ///
    /// # Panics
    /// When the program can't be started.
    pub fn start_with(self, event: &Value) -> (Function, Invocation) {
        let output = FunctionOutput::new().expect("temporary files can be made");
        let exchange = self.exchange();
        let request_id = exchange.offer(event.to_string(), self.timeout);
        let function = Function {
            sandbox: Mutex::new(self.spawn_with(exchange, &output)),
            output,
            plan: self,
        };
        let invocation = function.first(request_id);
        (function, invocation)
    }

    pub(super) fn spawn(&self, output: &FunctionOutput) -> Sandbox {
        self.spawn_with(self.exchange(), output)
    }

    fn exchange(&self) -> Arc<Exchange> {
        Arc::new(Exchange::for_account(&self.account))
    }

    fn spawn_with(&self, exchange: Arc<Exchange>, output: &FunctionOutput) -> Sandbox {
        let server = Server::start((Ipv4Addr::LOCALHOST, 0), None, Arc::clone(&exchange))
            .expect("loopback has a free port");
        let (stdout, stderr) = output.handles().expect("open files can be opened again");
        let mut command = Command::new(&self.binary);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .env("AWS_LAMBDA_RUNTIME_API", server.address.to_string())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr);
        let mut start = || (Instant::now(), command.spawn());
        let (started, child) = match self.core {
            None => start(),
            Some(core) => on_core(core, start),
        };
        let child = child
            .unwrap_or_else(|error| panic!("could not start `{}`: {error}", self.binary.display()));
        Sandbox::new(child, exchange, started, server)
    }
}

/// Processes and threads inherit the cores of the thread that starts them.
fn on_core<T: Send>(core: usize, work: impl FnOnce() -> T + Send) -> T {
    let pinned = || {
        let mut cores = CpuSet::new();
        cores.set(core);
        sched_setaffinity(None, &cores).unwrap_or_else(|error| panic!("no core {core}: {error}"));
        work()
    };
    std::thread::scope(|scope| scope.spawn(pinned).join()).expect("the thread has not panicked")
}
