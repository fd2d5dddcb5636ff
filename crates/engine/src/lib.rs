//! Observes instances, decides about them, applies the plan and reports: for one event, for a region,
//! for a fleet.

mod apply;
mod ask;
mod attempt;
#[cfg(feature = "command")]
mod canary;
mod changer;
#[cfg(feature = "command")]
mod defaults;
mod disrupt;
mod disruption;
#[cfg(feature = "command")]
mod enforce;
mod engine;
mod event;
mod lease;
mod observe;
mod observed;
mod pages;
#[cfg(feature = "command")]
mod people;
mod quotas;
mod read_region;
mod record;
#[cfg(feature = "command")]
mod regions;
#[cfg(feature = "command")]
mod rollback;
#[cfg(feature = "command")]
mod scan;
mod set;
mod state;
mod sweep;
mod sweep_region;
mod task;
#[cfg(feature = "command")]
mod usage;
#[cfg(feature = "command")]
mod user_data;
mod work;

pub use apply::ApplyOptions;
#[cfg(feature = "command")]
pub use canary::{CanaryCheck, check_canaries};
#[cfg(feature = "command")]
pub use defaults::{DefaultsSurvey, apply_defaults, describe_defaults};
#[cfg(feature = "command")]
pub use enforce::{EnforceOptions, Enforced, RegionOrder, Until, enforce};
pub use engine::{Deadline, Engine};
#[cfg(feature = "command")]
pub use people::{HeldEntries, write_entries};
pub use record::{Record, Recorder};
#[cfg(feature = "command")]
pub use regions::{OnProgress, Progress, RegionSelection, RegionsError};
#[cfg(feature = "command")]
pub use rollback::{RollbackOptions, plan_rollback, roll_back};
#[cfg(feature = "command")]
pub use scan::{
    Include, InstanceFilter, Keep, KeptTemplates, RegionDefaults, RegionTotal, Scan, ScanDecision,
    ScanError, ScanOptions, ScannedInstance, ScannedTemplate, TemplateKind, UnneededExemption,
    scan,
};
pub use sweep_region::SweptRegion;
#[cfg(feature = "command")]
pub use usage::{
    CallCounts, CallVerdict, InstanceCalls, Rejected, UsageOptions, UsageSurvey, usage,
};
