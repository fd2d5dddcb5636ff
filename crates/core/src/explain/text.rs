//! An explanation for the terminal.

use std::fmt;

use jiff::civil::Date;

use super::{ExplainedInstance, Explanation, NotRecorded};
use crate::count::count;
use crate::evaluation::Evaluation;
use crate::options::{MetadataOption, MetadataOptions, OptionSetting};
use crate::plain::Plain;
use crate::trace::{ConditionTrace, RuleTrace};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.trigger.as_str())?;
        if let Some(account) = &self.account {
            write!(f, ", account {}", Plain(account))?;
        }
        if let Some(region) = &self.region {
            write!(f, ", region {}", Plain(region))?;
        }
        if let Some(time) = self.time {
            write!(f, ", {time}")?;
        }
        if !self.instances.is_empty() {
            write!(f, ", {}", count(self.instances.len(), "instance"))?;
        }
        writeln!(f)?;
        for principal in &self.principals {
            writeln!(f, "by {}", Plain(principal))?;
        }
        for note in &self.notes {
            writeln!(f, "{}", PlainWords(note))?;
        }
        for instance in &self.instances {
            write!(f, "\n{instance}")?;
        }
        if let Some(not_recorded) = &self.not_recorded {
            write!(f, "\n{not_recorded}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ExplainedInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.instance_id, self.outcome.as_str())?;
        writeln!(f, "  options: {}", AllOptions(&self.options))?;
        rules(f, &self.rules)?;
        match &self.rule {
            Some(rule) => writeln!(f, "  decided by: rule `{}`", Plain(rule))?,
            None => writeln!(f, "  decided by: no rule, so `require` and `on_violation`")?,
        }
        writeln!(f, "  why: {}", PlainWords(&self.reason))?;
        if let Some(until) = self.waits_until {
            writeln!(
                f,
                "  waits: until {until}, because tags may be added after the launch, and describes it again"
            )?;
        }
        match self.calls.as_slice() {
            [] => writeln!(f, "  calls: none, because the event already shows it")?,
            calls => writeln!(f, "  calls: {}", PlainWords(&calls.join(", then ")))?,
        }
        if let Some(fallback) = &self.fallback {
            writeln!(f, "  else: {fallback}")?;
        }
        Ok(())
    }
}

impl fmt::Display for NotRecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "not in the event: {}", PlainWords(&self.what))?;
        writeln!(f, "  calls: {}", PlainWords(&self.calls.join(", then ")))?;
        rules(f, &self.rules)?;
        let decided = self.rules.iter().any(RuleTrace::decides);
        if !decided {
            writeln!(
                f,
                "  if no rule matches and it is not compliant: {}",
                self.otherwise
            )?;
        }
        for at_most in &self.at_most {
            writeln!(f, "  at most: {at_most}")?;
        }
        Ok(())
    }
}

fn rules(f: &mut fmt::Formatter<'_>, rules: &[RuleTrace]) -> fmt::Result {
    if rules.is_empty() {
        return writeln!(f, "  rules: none");
    }
    writeln!(f, "  rules:")?;
    rules.iter().try_for_each(|rule| writeln!(f, "    {rule}"))
}

impl fmt::Display for RuleTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({}) ", Plain(&self.rule), PlainWords(&self.effect))?;
        let conditions = |holds| Conditions(&self.conditions, holds);
        match self.evaluation {
            Evaluation::Decides => write!(f, "matches: {}", conditions(Some(true))),
            Evaluation::Unknown => write!(f, "may match: {}", conditions(None)),
            Evaluation::Expired => write!(f, "would match, but {}", Expired(self.expires)),
            Evaluation::PossiblyExpired => write!(f, "may match, but {}", Expired(self.expires)),
            Evaluation::NoMatch => write!(f, "does not match: {}", conditions(Some(false))),
            Evaluation::NotReached => f.write_str("is not reached: an earlier rule decides"),
        }
    }
}

struct Expired(Option<Date>);

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its exemption expired")?;
        self.0.map_or(Ok(()), |last| write!(f, " after {last}"))
    }
}

/// The conditions that hold, fail, or are not known.
struct Conditions<'a>(&'a [ConditionTrace], Option<bool>);

impl fmt::Display for Conditions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let matching = self.0.iter().filter(|condition| condition.holds == self.1);
        for (n, condition) in matching.enumerate() {
            if n > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{}", Plain(&condition.condition))?;
            match (condition.holds, condition.found.as_slice()) {
                (None, _) => f.write_str(" is not known")?,
                (Some(_), []) => f.write_str(" is missing")?,
                (Some(_), found) => write!(f, " is {}", QuotedAny(found))?,
            }
            if condition.holds == Some(false) {
                write!(f, ", not {}", QuotedAny(&condition.wanted))?;
            } else if condition.holds.is_none() {
                write!(f, ", wanted {}", QuotedAny(&condition.wanted))?;
            }
        }
        Ok(())
    }
}

struct QuotedAny<'a>(&'a [String]);

impl fmt::Display for QuotedAny<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, text) in self.0.iter().enumerate() {
            let or = if n > 0 { " or " } else { "" };
            write!(f, "{or}`{}`", Plain(text))?;
        }
        Ok(())
    }
}

/// Words of our own around text from outside, which [`Plain`] would cut.
struct PlainWords<'a>(&'a str);

impl fmt::Display for PlainWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.0.split(' ').enumerate();
        for (n, word) in words {
            let blank = if n > 0 { " " } else { "" };
            write!(f, "{blank}{}", Plain(word))?;
        }
        Ok(())
    }
}

struct AllOptions<'a>(&'a MetadataOptions);

impl fmt::Display for AllOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, &option) in MetadataOption::ALL.iter().enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            let value = self.0.get(option).map(OptionSetting::value);
            let value = value.as_deref().unwrap_or("not known");
            write!(f, "{comma}{} {value}", option.name())?;
        }
        Ok(())
    }
}
