//! The only room that talks to AWS: it sees instances and changes them.
//!
//! Every call goes through AWS's own SDK. `client` sends it and keeps to the rates; a file for each
//! service knows its operations.

#[cfg(feature = "command")]
mod account;
mod apply;
mod attempt;
mod client;
mod cloudwatch;
mod convert;
mod disrupt;
#[cfg(feature = "command")]
mod dry_run;
mod ec2;
mod environment;
mod error;
#[cfg(feature = "command")]
mod login;
mod look;
mod pace;
mod page;
mod permissions;
mod retry;
mod sweep;
mod task;
#[cfg(feature = "command")]
mod templates;
mod terminate;
mod terms;
mod trust;
mod whole;
#[cfg(test)]
mod wire_tests;

#[cfg(feature = "command")]
pub use account::Identity;
pub use apply::apply;
pub use client::{Client, Settings};
pub use cloudwatch::Metric;
pub use ec2::{Filter, Pages};
pub use environment::{SettingError, environment};
pub use error::{CallError, Fault};
#[cfg(feature = "command")]
pub use login::{Login, LoginError, Wanted, login};
pub use look::{Backoff, Found};
pub use page::{Page, Unreadable};
pub use permissions::PERMISSIONS;
pub use sweep::{Bounds, Swept, sweep_region};
#[cfg(feature = "command")]
pub use templates::Launcher;
pub use terms::{Deadline, Remember, Terms, Witness};
pub use trust::{BundleError, CaBundle};

pub use aws_config::environment::EnvironmentVariableCredentialsProvider as EnvironmentCredentials;
