//! Fakes of AWS and of the Lambda Runtime API, for the whole-program tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support"
)]

mod binary;
mod clock;
pub mod fake;
mod imdsctl;
pub mod runtime_api;
mod server;
mod wait;

pub use binary::binary;
pub use fake::{
    AssumableRole, CallOutcome, Defaults, Disruption, FakeAws, FakeInstance, Fleet, Group, Image,
    InjectedFault, LastPage, LaunchBuilder, LaunchConfiguration, Options, REGIONS, RecordedCall,
    Settle, StateTable, TableCall, TemplateData, TemplateOptions, TlsListener, fleet, group, image,
    launch, launch_configuration, template_data,
};
pub use imdsctl::{Closed, Imdsctl, Ran, Running, Terminal};
pub use runtime_api::{Function, FunctionBuilder, FunctionError, Invocation};
pub use wait::wait_until;
