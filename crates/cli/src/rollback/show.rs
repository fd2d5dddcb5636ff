//! A rollback for people: a line for everything, and a summary last.

use std::fmt;

use imds_core::plain::Plain;

use super::decide::{DefaultsVerdict, Verdict};
use super::outcome::{Outcome, RolledBack, Summary};
use super::{DefaultsStep, RollbackPlan, Step};

impl fmt::Display for RollbackPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for notice in &self.notices {
            writeln!(f, "note: {notice}")?;
        }
        for step in &self.defaults {
            writeln!(f, "{step}")?;
        }
        for step in &self.instances {
            writeln!(f, "{step}")?;
        }
        let total = self.instances.len() + self.defaults.len();
        writeln!(f, "{} of {total} to restore", self.to_restore())?;
        let forcible = self.forcible();
        if forcible > 0 {
            writeln!(f, "{forcible} left that `--force` would restore too")?;
        }
        Ok(())
    }
}

impl RollbackPlan {
    fn forcible(&self) -> usize {
        let instances = self.instances.iter().filter(|step| {
            matches!(
                step.verdict,
                Verdict::ChangedSince { .. } | Verdict::NotKnownBefore(_)
            )
        });
        let changed =
            |step: &&DefaultsStep| matches!(step.verdict, DefaultsVerdict::ChangedSince { .. });
        instances.count() + self.defaults.iter().filter(changed).count()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Plain(&self.region), self.id)?;
        if let Some(name) = self.instance().and_then(|i| i.tags.get("Name")) {
            write!(f, " ({})", Plain(name))?;
        }
        let leave = match self.verdict {
            Verdict::Restore { .. } => "",
            _ => " leave:",
        };
        write!(f, "{leave} {}", self.verdict)
    }
}

impl fmt::Display for DefaultsStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leave = match self.verdict {
            DefaultsVerdict::Restore { .. } => "",
            _ => " leave:",
        };
        let region = Plain(&self.region);
        write!(f, "{region} account defaults{leave} {}", self.verdict)
    }
}

impl fmt::Display for RolledBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for defaults in &self.defaults {
            let region = Plain(&defaults.region);
            let outcome = defaults.outcome.as_str();
            writeln!(
                f,
                "{region} account defaults {outcome}: {}",
                defaults.reason
            )?;
        }
        for instance in &self.instances {
            let region = Plain(&instance.region);
            let outcome = instance.outcome.as_str();
            let id = &instance.instance_id;
            writeln!(f, "{region} {id} {outcome}: {}", instance.reason)?;
        }
        writeln!(f, "{}", self.summary)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.restored, Outcome::Restored),
            (self.unchanged, Outcome::Unchanged),
            (self.skipped, Outcome::Skipped),
            (self.gone, Outcome::Gone),
            (self.failed, Outcome::Failed),
        ];
        let counts = counts.map(|(n, outcome)| format!("{n} {}", outcome.as_str()));
        f.write_str(&counts.join(", "))
    }
}
