//! Why a policy denies a call, as AWS's message says it.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>

/// The parts of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denial {
    /// Who is denied what, and on which resource.
    what: String,
    /// Which policy denies it.
    pub(crate) by: Option<String>,
}

impl Denial {
    /// Reads the message, without the encoded part of 700 letters, which only
    /// `sts:DecodeAuthorizationMessage` reads.
    pub(crate) fn read(message: &str) -> Option<Self> {
        let (message, _encoded) = message
            .split_once(" Encoded authorization failure message")
            .unwrap_or((message, ""));
        let what = message
            .strip_prefix("You are not authorized to perform this operation. ")
            .unwrap_or(message)
            .trim_end_matches('.');
        let by = [" with an explicit deny in ", " because no "];
        let place = by.iter().find_map(|words| what.find(words));
        let (what, by) = place.map_or((what, ""), |at| what.split_at(at));
        let by = Some(by.trim()).filter(|by| !by.is_empty());
        (!what.is_empty()).then(|| Denial {
            what: what.to_owned(),
            by: by.map(str::to_owned),
        })
    }

    /// The message with the policy first, because messages are cut at their end; it names the permission
    /// in any case.
    pub(crate) fn reason_first(&self, permission: &str) -> String {
        let what = match self.what.contains(permission) {
            true => self.what.clone(),
            false => format!("{}: {permission}", self.what),
        };
        match &self.by {
            Some(by) => format!("{by} ({what})"),
            None => what,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Denial;

    #[test]
    fn a_denial_begins_with_the_kind_of_policy_that_denies() {
        let who = "User: arn:aws:sts::111122223333:assumed-role/a/b is not authorized to perform: ec2:StopInstances on resource: i-0";
        let first = "You are not authorized to perform this operation. ";
        let encoded = " Encoded authorization failure message: xyz";
        for by in [
            "with an explicit deny in a service control policy",
            "with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-1/service_control_policy/p-1",
            "with an explicit deny in a permissions boundary",
            "because no session policy allows the ec2:StopInstances action",
            "because no identity-based policy allows the ec2:StopInstances action",
        ] {
            for message in [
                format!("{first}{who} {by}.{encoded}"),
                format!("{who} {by}"),
            ] {
                let denial = Denial::read(&message).unwrap();
                let shown = denial.reason_first("ec2:StopInstances");
                assert_eq!(shown, format!("{by} ({who})"));
                assert_eq!(denial.by.as_deref(), Some(by));
            }
        }
    }

    #[test]
    fn a_denial_that_does_not_say_what_is_denied_gets_the_permission() {
        let denial = Denial::read("You are not authorized to perform this operation.").unwrap();
        assert_eq!(
            denial.reason_first("ec2:StopInstances"),
            "You are not authorized to perform this operation: ec2:StopInstances"
        );
        assert_eq!(denial.by, None);
        assert_eq!(Denial::read(""), None);
    }
}
