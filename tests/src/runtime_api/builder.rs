//! How a function is started: its program, its environment, its timeout.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Function;
use super::exchange::Exchange;
use super::output::Output;
use super::sandbox::Sandbox;
use crate::server::Server;
use crate::standin::Standin;

/// A function to be started. Its environment is what Lambda sets, and nothing of ours.
#[derive(Clone, Debug)]
#[must_use]
pub struct FunctionBuilder {
    binary: PathBuf,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    account: String,
    pub(super) timeout: Duration,
}

/// What Lambda sets, with credentials that open nothing.
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
        }
    }

    /// Its AWS is this stand-in.
    pub fn standin(self, standin: &Standin) -> Self {
        self.env("AWS_ENDPOINT_URL", standin.url())
    }

    /// `IMDS_POLICY`: the policy as a document.
    pub fn policy(self, document: &str) -> Self {
        self.env("IMDS_POLICY", document)
    }

    /// One more variable, or another value for one.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// One variable less.
    pub fn without_env(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// One more argument.
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// The account that it is deployed in, 111122223333 at first.
    pub fn account(mut self, account: &str) -> Self {
        self.account = account.to_owned();
        self
    }

    /// How long an invocation may take, 30 seconds at first.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts it, and does not wait for it.
    ///
    /// # Panics
    /// When the program can't be started.
    #[must_use]
    pub fn start(self) -> Function {
        let output = Output::new().expect("temporary files can be made");
        let sandbox = Mutex::new(self.spawn(&output));
        Function {
            sandbox,
            output,
            plan: self,
        }
    }

    pub(super) fn spawn(&self, output: &Output) -> Sandbox {
        let exchange = Arc::new(Exchange::of(&self.account));
        let server = Server::start(0, Arc::clone(&exchange)).expect("loopback has a free port");
        let (stdout, stderr) = output.handles().expect("open files can be opened again");
        let child = Command::new(&self.binary)
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .env("AWS_LAMBDA_RUNTIME_API", server.address.to_string())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .unwrap_or_else(|error| panic!("could not start `{}`: {error}", self.binary.display()));
        Sandbox::new(child, exchange, server)
    }
}
