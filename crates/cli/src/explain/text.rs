//! An explanation for the terminal.

use std::fmt;

use imds_core::instance::MetadataOptions;
use imds_core::plain::Plain;

use super::rules::{ConditionAccount, RuleAccount, Verdict};
use super::{Explained, Explanation, Unseen};

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
        match self.instances.as_slice() {
            [] => {}
            [_] => f.write_str(", 1 instance")?,
            several => write!(f, ", {} instances", several.len())?,
        }
        writeln!(f)?;
        for principal in &self.principals {
            writeln!(f, "by {}", Plain(principal))?;
        }
        for note in &self.notes {
            writeln!(f, "{}", Line(note))?;
        }
        for instance in &self.instances {
            write!(f, "\n{instance}")?;
        }
        if let Some(unseen) = &self.unseen {
            write!(f, "\n{unseen}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.instance_id, self.outcome.as_str())?;
        writeln!(f, "  options: {}", Options(&self.options))?;
        rules(f, &self.rules)?;
        match &self.rule {
            Some(rule) => writeln!(f, "  decided by: rule `{}`", Plain(rule))?,
            None => writeln!(f, "  decided by: no rule, so `require` and `on_violation`")?,
        }
        writeln!(f, "  why: {}", Line(&self.reason))?;
        if let Some(until) = self.waits_until {
            writeln!(
                f,
                "  waits: until {until}, because tags come late, and looks again"
            )?;
        }
        match self.calls.as_slice() {
            [] => writeln!(f, "  calls: none, for the event already shows it")?,
            calls => writeln!(f, "  calls: {}", Line(&calls.join(", then ")))?,
        }
        if let Some(fallback) = &self.fallback {
            writeln!(f, "  else: {fallback}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "not in the event: {}", Line(&self.what))?;
        writeln!(f, "  calls: {}", Line(&self.calls.join(", then ")))?;
        rules(f, &self.rules)?;
        let decided = self.rules.iter().any(RuleAccount::decides);
        if !decided {
            writeln!(f, "  otherwise, where it is wrong: {}", self.otherwise)?;
        }
        for at_most in &self.at_most {
            writeln!(f, "  but no more than {at_most}")?;
        }
        Ok(())
    }
}

fn rules(f: &mut fmt::Formatter<'_>, rules: &[RuleAccount]) -> fmt::Result {
    if rules.is_empty() {
        return writeln!(f, "  rules: none");
    }
    writeln!(f, "  rules:")?;
    rules.iter().try_for_each(|rule| writeln!(f, "    {rule}"))
}

impl fmt::Display for RuleAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({}) ", Plain(&self.rule), Line(&self.does))?;
        let conditions = |holds| Conditions(&self.conditions, holds);
        match self.verdict {
            Verdict::Decides => write!(f, "matches: {}", conditions(Some(true))),
            Verdict::NotKnown => write!(f, "may match: {}", conditions(None)),
            Verdict::Expired | Verdict::PerhapsExpired => {
                f.write_str("has expired")?;
                if let Some(until) = self.until {
                    write!(f, ": it held through {until}")?;
                }
                let would = if self.verdict == Verdict::Expired {
                    "would match"
                } else {
                    "might match"
                };
                write!(f, ", and {would} otherwise")
            }
            Verdict::No => write!(f, "does not match: {}", conditions(Some(false))),
            Verdict::NotReached => f.write_str("is not asked: a rule before it decides"),
        }
    }
}

/// The conditions that hold, fail, or are not known.
struct Conditions<'a>(&'a [ConditionAccount], Option<bool>);

impl fmt::Display for Conditions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.0.iter().filter(|condition| condition.holds == self.1);
        for (n, condition) in told.enumerate() {
            if n > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{}", Plain(&condition.condition))?;
            match (condition.holds, condition.found.as_slice()) {
                (None, _) => f.write_str(" is not known")?,
                (Some(_), []) => f.write_str(" is missing")?,
                (Some(_), found) => write!(f, " is {}", Quoted(found))?,
            }
            if condition.holds == Some(false) {
                write!(f, ", not {}", Quoted(&condition.wanted))?;
            } else if condition.holds.is_none() {
                write!(f, ", wanted {}", Quoted(&condition.wanted))?;
            }
        }
        Ok(())
    }
}

struct Quoted<'a>(&'a [String]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, text) in self.0.iter().enumerate() {
            let or = if n > 0 { " or " } else { "" };
            write!(f, "{or}`{}`", Plain(text))?;
        }
        Ok(())
    }
}

/// Words of our own around text from outside, which [`Plain`] would cut.
struct Line<'a>(&'a str);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.0.split(' ').enumerate();
        for (n, word) in words {
            let blank = if n > 0 { " " } else { "" };
            write!(f, "{blank}{}", Plain(word))?;
        }
        Ok(())
    }
}

struct Options<'a>(&'a MetadataOptions);

impl fmt::Display for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn shown<T: fmt::Display>(value: Option<T>) -> String {
            value.map_or_else(|| "not known".to_owned(), |value| value.to_string())
        }
        write!(
            f,
            "http_tokens {}, hop_limit {}, http_endpoint {}, http_protocol_ipv6 {}, \
             instance_metadata_tags {}",
            shown(self.0.http_tokens),
            shown(self.0.hop_limit),
            shown(self.0.http_endpoint),
            shown(self.0.http_protocol_ipv6),
            shown(self.0.instance_metadata_tags),
        )
    }
}
