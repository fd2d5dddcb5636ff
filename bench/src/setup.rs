//! The programs under measurement, and the events that they get.

use std::path::PathBuf;
use std::time::Instant;

use imds_tests::{Function, FunctionBuilder, Instance, Invocation, Standin};
use serde_json::Value;

use crate::process::{Cores, cpu_time, peak_memory};
use crate::support::{ENFORCE, REGION, launched, report};

/// What is measured, and where it runs.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) floor: PathBuf,
    pub(crate) enforcer: PathBuf,
    /// Where there is more than one.
    pub(crate) cores: Option<Cores>,
    /// How many cold starts of each; events follow from it.
    pub(crate) rounds: usize,
}

impl Setup {
    pub(crate) fn floor(&self) -> FunctionBuilder {
        self.placed(Function::of(&self.floor))
    }

    pub(crate) fn enforcer(&self, ec2_url: &str) -> FunctionBuilder {
        self.placed(Function::of(&self.enforcer))
            .policy(ENFORCE)
            .env("AWS_ENDPOINT_URL", ec2_url)
    }

    fn placed(&self, function: FunctionBuilder) -> FunctionBuilder {
        match &self.cores {
            // As in Lambda, which has at most one below 1,769 MB.
            Some(cores) => function.on_core(cores.second),
            None => function,
        }
    }
}

/// Instances of one launch: wrong ones that are made wrong again for each event, or compliant ones.
pub(crate) struct Fleet<'a> {
    ec2: &'a Standin,
    ids: Vec<String>,
    wrong: bool,
}

impl<'a> Fleet<'a> {
    pub(crate) fn launch(ec2: &'a Standin, instances: usize, wrong: bool) -> Self {
        let tokens = if wrong { "optional" } else { "required" };
        let launch = imds_tests::launch(REGION)
            .tokens(tokens)
            .client_token(TOKEN);
        Fleet {
            ec2,
            ids: ec2.launch_many(launch, instances),
            wrong,
        }
    }

    /// As it was launched, and without any call.
    pub(crate) fn prepare(&self) {
        if self.wrong {
            for id in &self.ids {
                self.ec2
                    .set_options(id, |options| "optional".clone_into(&mut options.tokens));
            }
        }
        self.ec2.forget_calls();
    }

    /// The event of its launch, as if that were now.
    pub(crate) fn event(&self) -> Value {
        let instances: Vec<Instance> = self.ids.iter().map(|id| self.ec2.instance(id)).collect();
        launched(&instances)
    }

    /// Measuring what went wrong would tell nothing.
    ///
    /// # Panics
    /// When not all instances have the outcome that they must have.
    pub(crate) fn check(&self, invocation: &Invocation) {
        let outcome = if self.wrong { "enforced" } else { "compliant" };
        let report = report(invocation);
        assert_eq!(report["summary"][outcome], self.ids.len(), "{report:#}");
    }

    /// When the first change arrived.
    pub(crate) fn first_change(&self) -> Option<Instant> {
        Some(self.ec2.changing_calls().first()?.at)
    }

    pub(crate) fn calls(&self) -> usize {
        self.ec2.calls().len()
    }
}

/// The client token of every launch.
pub(crate) const TOKEN: &str = "bench";

/// What a function has cost so far.
pub(crate) struct Cost {
    pub(crate) cpu: f64,
    pub(crate) memory: f64,
}

impl Cost {
    /// In seconds and bytes.
    pub(crate) fn of(function: &Function) -> Self {
        let process = function.process_id();
        Cost {
            cpu: cpu_time(process).as_secs_f64(),
            memory: peak_memory(process).expect("the function waits for its next event"),
        }
    }
}
