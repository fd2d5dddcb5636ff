//! Makes recorded changes: the one place from which options and account defaults are set.

use imds_aws::Client;
#[cfg(feature = "command")]
use imds_core::defaults::DefaultsStep;
use imds_core::instance::Instance;
use imds_core::options::MetadataOptions;
use tokio::time::Instant;

use crate::attempt::{FailedCall, in_time};
use crate::record::{Record, Recorder};

/// Makes changes until a deadline, each recorded before it is sent and after it is answered.
#[derive(Clone, Copy)]
pub(crate) struct Changer<'a> {
    pub(crate) client: &'a Client,
    pub(crate) deadline: Instant,
    /// Where changes must be possible to roll back.
    pub(crate) recorder: Option<Recorder<'a>>,
}

impl Changer<'_> {
    /// Sets an instance's options, and returns all of them.
    pub(crate) async fn set_options(
        &self,
        instance: &Instance,
        send: &MetadataOptions,
    ) -> Result<MetadataOptions, FailedCall> {
        self.intend(&Record::Intent(instance, send))?;
        let answer = in_time(self.deadline, self.client.set_options(instance, send)).await;
        let recorded = answer.as_ref().map_err(|error| error.why.as_str());
        self.record(&Record::Answer(instance, recorded));
        answer
    }

    /// Sets a region's account defaults.
    #[cfg(feature = "command")]
    pub(crate) async fn set_defaults(&self, step: &DefaultsStep) -> Result<(), FailedCall> {
        let DefaultsStep { region, from, to } = step;
        self.intend(&Record::DefaultsIntent(region, from, to))?;
        let call = self.client.set_metadata_defaults(region, from, to);
        let answer = in_time(self.deadline, call).await;
        let recorded = answer.as_ref().map(|()| to);
        let recorded = recorded.map_err(|error| error.why.as_str());
        self.record(&Record::DefaultsAnswer(region, recorded));
        answer
    }

    /// After this the call is sent.
    fn intend(&self, intent: &Record<'_>) -> Result<(), FailedCall> {
        if let Some(halt) = self.client.halted_by() {
            let why = format!("{halt} before it was changed");
            return Err(FailedCall::for_good(why));
        }
        match self.recorder.map(|record| record(intent)) {
            Some(Err(error)) => Err(FailedCall::for_good(format!(
                "no call was made, because the journal could not be written: {error}"
            ))),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// The recorder keeps its own error: the change is made already.
    fn record(&self, answer: &Record<'_>) {
        let _kept = self.recorder.map(|record| record(answer));
    }
}
