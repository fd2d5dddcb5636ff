//! The only room that talks to AWS: it sees instances and changes them.
//!
//! It stands on the SDK's runtime (signing, retries, time-outs, TLS) but not on the generated EC2
//! client: the function needs a handful of EC2's 700 operations, and the generated client would be
//! most of its size, memory and build time. `client` sends a call, `ec2` knows the operations.

mod account;
mod apply;
mod client;
mod cloudwatch;
mod described;
mod dry_run;
mod ec2;
mod endpoint;
mod error;
#[cfg(feature = "login")]
mod login;
mod look;
mod pace;
mod permissions;
mod sweep;
mod templates;
mod terminate;
mod trust;

pub use account::Identity;
pub use apply::{Deadline, Remember, Terms, Witness, apply};
pub use client::{Client, Settings};
pub use cloudwatch::Metric;
pub use ec2::{Filter, Page, Pages};
pub use endpoint::Endpoints;
pub use error::{CallError, Fault};
#[cfg(feature = "login")]
pub use login::{Login, LoginError, Wanted, login};
pub use look::{Backoff, Found};
pub use permissions::PERMISSIONS;
pub use sweep::{Bounds, Swept, sweep_region};
pub use templates::Launcher;

pub use aws_credential_types::Credentials;
