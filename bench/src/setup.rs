//! The measured programs and their events.

use std::path::PathBuf;
use std::time::Instant;

use imds_tests::{FakeAws, FakeInstance, Function, FunctionBuilder, Invocation};
use serde_json::Value;

use crate::process::{Cores, cpu_time, peak_memory};
use crate::support::{ENFORCE, REGION, launched, report};

/// What is measured, and on which cores.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) floor: PathBuf,
    pub(crate) enforcer: PathBuf,
    /// `None` on a machine with one core.
    pub(crate) cores: Option<Cores>,
    /// How many cold starts of each kind; the number of events depends on it.
    pub(crate) rounds: usize,
}

impl Setup {
    pub(crate) fn floor(&self) -> FunctionBuilder {
        self.placed(Function::builder(&self.floor))
    }

    pub(crate) fn enforcer(&self, ec2_url: &str) -> FunctionBuilder {
        self.placed(Function::builder(&self.enforcer))
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

/// The instances of one launch.
pub(crate) struct LaunchedFleet<'a> {
    ec2: &'a FakeAws,
    ids: Vec<String>,
    compliance: Compliance,
}

/// How the instances of a fleet are before an event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compliance {
    Compliant,
    NonCompliant,
}

impl<'a> LaunchedFleet<'a> {
    pub(crate) fn launch(ec2: &'a FakeAws, instances: usize, compliance: Compliance) -> Self {
        let tokens = match compliance {
            Compliance::Compliant => "required",
            Compliance::NonCompliant => "optional",
        };
        let launch = imds_tests::launch(REGION)
            .tokens(tokens)
            .client_token(TOKEN);
        LaunchedFleet {
            ec2,
            ids: ec2.launch_many(launch, instances),
            compliance,
        }
    }

    /// Restores the options of the launch and forgets all calls.
    pub(crate) fn prepare(&self) {
        if self.compliance == Compliance::NonCompliant {
            for id in &self.ids {
                self.ec2
                    .set_options(id, |options| "optional".clone_into(&mut options.tokens));
            }
        }
        self.ec2.forget_calls();
    }

    /// The event of its launch, with the current time.
    pub(crate) fn event(&self) -> Value {
        let instances: Vec<FakeInstance> =
            self.ids.iter().map(|id| self.ec2.instance(id)).collect();
        launched(&instances)
    }

    /// Checks the outcomes, because the figures of a failed event mean nothing.
    ///
    /// # Panics
    /// When not all instances have the outcome that they must have.
    pub(crate) fn check(&self, invocation: &Invocation) {
        let outcome = match self.compliance {
            Compliance::Compliant => "compliant",
            Compliance::NonCompliant => "enforced",
        };
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

/// What a process has used so far.
pub(crate) struct ProcessCost {
    pub(crate) cpu: f64,
    pub(crate) memory: f64,
}

impl ProcessCost {
    /// In seconds and bytes.
    pub(crate) fn read(function: &Function) -> Self {
        let process = function.process_id();
        ProcessCost {
            cpu: cpu_time(process).as_secs_f64(),
            memory: peak_memory(process).expect("the function waits for its next event"),
        }
    }
}
