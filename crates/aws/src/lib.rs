//! Talks to AWS, and does nothing else: SDK types go in, our types come out.
//!
//! Every call goes through AWS's own SDK. `client` sends it and keeps to the rates; each service has a
//! file for its operations.

#[cfg(feature = "command")]
mod account;
#[cfg(feature = "command")]
mod assume_role;
mod attempt_log;
mod client;
mod cloudwatch;
mod convert;
mod denial;
mod describe;
#[cfg(feature = "command")]
mod dry_run;
mod ec2;
mod environment;
mod error;
mod expression;
mod halt;
#[cfg(feature = "command")]
mod launcher_users;
#[cfg(feature = "command")]
mod login;
mod options;
mod page;
#[cfg(feature = "command")]
mod people;
mod permissions;
mod power;
mod rate_limiter;
mod retry;
#[cfg(feature = "command")]
mod role_cache;
#[cfg(feature = "command")]
mod role_chain;
mod services;
mod state_table;
#[cfg(feature = "command")]
mod templates;
pub mod timing;
mod trust;
mod whole;
#[cfg(test)]
mod wire_tests;

#[cfg(feature = "command")]
pub use account::Identity;
#[cfg(feature = "command")]
pub use assume_role::{AskMfaCode, RoleError};
pub use attempt_log::{CallAttempt, OnAttempt};
pub use client::Client;
pub use cloudwatch::Metric;
pub use describe::DescribedIds;
#[cfg(feature = "command")]
pub use dry_run::Trial;
pub use ec2::{FILTER_VALUES, Filter, Pages};
pub use environment::{SettingError, SettingErrors, environment};
pub use error::{CallError, Fault};
pub use expression::Condition;
pub use halt::Halt;
#[cfg(feature = "command")]
pub use login::{Login, LoginError, LoginOptions, login};
pub use page::{DescribedPage, UnreadableInstance};
pub use permissions::PERMISSIONS;
pub use power::DISRUPTED_AT_ONCE;
pub use state_table::{DatedItem, StateTable, TableNameError, Written};
#[cfg(feature = "command")]
pub use templates::Launcher;
pub use trust::{BundleError, CaBundle};

pub use aws_config::environment::EnvironmentVariableCredentialsProvider as EnvironmentCredentials;
