//! Stand-ins for AWS and for Lambda's Runtime API: what the whole-program tests run against.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support"
)]

mod binary;
mod clock;
mod imdsctl;
pub mod runtime_api;
mod server;
pub mod standin;

pub use binary::binary;
pub use imdsctl::{Closed, Imdsctl, Ran, Running, Terminal};
pub use runtime_api::{Function, FunctionBuilder, FunctionError, Invocation};
pub use standin::{
    Call, Defaults, Fault, Image, Instance, LastPage, Launch, LaunchConfiguration, Options,
    Outcome, REGIONS, Settle, Standin, TemplateData, TemplateOptions, TlsListener, image, launch,
    launch_configuration, template_data,
};
