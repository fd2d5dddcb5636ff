//! What a rollback asks of EC2.

use imds_aws::{CallError, Client, Found};
use imds_core::defaults::MetadataDefaults;
use imds_core::instance::{Instance, InstanceId, MetadataOptions};

/// The calls of a rollback. The client makes them; tests put a small EC2 in its place, as one that
/// keeps the options that a call leaves out, and one that does not.
pub(crate) trait Ec2 {
    /// Looks at instances by id.
    async fn look(&self, region: &str, ids: &[InstanceId]) -> Result<Found, Refusal>;

    /// Sets the given options, and answers all.
    async fn set_options(
        &self,
        instance: &Instance,
        send: &MetadataOptions,
    ) -> Result<MetadataOptions, Refusal>;

    /// The account's metadata defaults in a region.
    async fn metadata_defaults(&self, region: &str) -> Result<MetadataDefaults, Refusal>;

    /// Sets those of the defaults that differ.
    async fn set_metadata_defaults(
        &self,
        region: &str,
        from: &MetadataDefaults,
        to: &MetadataDefaults,
    ) -> Result<(), Refusal>;
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The innermost cause, in one line.
    pub(crate) why: String,
    /// Whether the same call may succeed later.
    pub(crate) may_pass: bool,
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        Refusal {
            why: error.cause(),
            may_pass: error.fault.may_pass(),
        }
    }
}

impl Ec2 for Client {
    async fn look(&self, region: &str, ids: &[InstanceId]) -> Result<Found, Refusal> {
        Ok(Client::look(self, region, ids).await?)
    }

    async fn set_options(
        &self,
        instance: &Instance,
        send: &MetadataOptions,
    ) -> Result<MetadataOptions, Refusal> {
        Ok(Client::set_options(self, instance, send).await?)
    }

    async fn metadata_defaults(&self, region: &str) -> Result<MetadataDefaults, Refusal> {
        Ok(Client::metadata_defaults(self, region).await?)
    }

    async fn set_metadata_defaults(
        &self,
        region: &str,
        from: &MetadataDefaults,
        to: &MetadataDefaults,
    ) -> Result<(), Refusal> {
        Ok(Client::set_metadata_defaults(self, region, from, to).await?)
    }
}
