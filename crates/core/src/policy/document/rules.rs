//! Reads the rules; each is compared with those before it.

use jiff::civil::Date;

use super::super::reader::{Node, Object, Read};
use super::super::{Action, Rule, RuleAction, When};
use super::{require, when};

pub(super) fn read(node: &Node) -> Read<Vec<Rule>> {
    let mut earlier = Vec::new();
    let nodes = node.items("a list of rules")?;
    let rules: Vec<Read<Rule>> = nodes.iter().map(|node| rule(node, &mut earlier)).collect();
    rules.into_iter().collect()
}

/// A rule before the present one.
struct EarlierRule {
    path: String,
    name: Option<String>,
    /// What it decides permanently, so that no later rule can; `None` for a rule that expires.
    when: Option<When>,
}

fn rule(node: &Node, earlier: &mut Vec<EarlierRule>) -> Read<Rule> {
    let known = [
        "name",
        "when",
        "action",
        "require",
        "expires",
        "even_if_replaced",
        "reason",
    ];
    let object = node.object(
        "a rule: an object with `name`, `when`, and `action` or `require`",
        &known,
    )?;
    let name = object.need("name", "a name that no other rule has", |node| {
        name(node, earlier)
    });
    let when = object.need("when", when::EXPECTED, |node| reachable(node, earlier));
    let action = object.read("action", action);
    let own_require = object.read("require", require::read);
    let expires = object.read("expires", expires);
    let even_if_replaced = object.read("even_if_replaced", Node::truth);
    let reason = object.read("reason", |node| {
        node.text("a reason that is not blank", is_not_blank)
    });
    if let Ok(action) = action {
        fit_together(&object, action);
    }
    let does_expire = object.get("expires").is_some();
    earlier.push(EarlierRule {
        path: node.path(),
        name: name.as_ref().ok().cloned(),
        when: when.as_ref().ok().filter(|_| !does_expire).cloned(),
    });
    Ok(Rule {
        name: name?,
        when: when?,
        action: action?,
        require: own_require?,
        expires: expires?,
        even_if_replaced: even_if_replaced?.unwrap_or_default(),
        reason: reason?.map(str::to_owned),
    })
}

fn name(node: &Node, earlier: &[EarlierRule]) -> Read<String> {
    let name = node.text("a name that is not blank", is_not_blank)?;
    match earlier
        .iter()
        .find(|rule| rule.name.as_deref() == Some(name))
    {
        Some(rule) => Err(node.refuse(format!("a name other than that of {}", rule.path))),
        None => Ok(name.to_owned()),
    }
}

fn reachable(node: &Node, earlier: &[EarlierRule]) -> Read<When> {
    let when = when::read(node)?;
    let shadow = earlier.iter().find(|rule| {
        rule.when
            .as_ref()
            .is_some_and(|earlier| earlier.covers(&when))
    });
    match shadow {
        None => Ok(when),
        Some(EarlierRule { path, name, .. }) => {
            let name = name
                .as_ref()
                .map(|name| format!(" `{name}`"))
                .unwrap_or_default();
            let expected = format!(
                "instances that rule{name} ({path}) leaves over: the first rule that matches decides"
            );
            Err(node.refuse(expected))
        }
    }
}

fn action(node: &Node) -> Read<RuleAction> {
    let [report, enforce, stop, terminate] =
        Action::ALL.map(|action| (action.as_str(), RuleAction::Act(action)));
    node.word(&[
        report,
        enforce,
        stop,
        terminate,
        ("exempt", RuleAction::Exempt),
    ])
}

fn expires(node: &Node) -> Read<Date> {
    const EXPECTED: &str = "the exemption's last day as `YYYY-MM-DD`";
    // jiff reads other forms of a date too, all of another length.
    let text = node.text(EXPECTED, |text| text.len() == "YYYY-MM-DD".len())?;
    text.parse().map_err(|_| node.refuse(EXPECTED))
}

fn fit_together(object: &Object, action: Option<RuleAction>) {
    if !matches!(
        action,
        Some(RuleAction::Act(Action::Stop | Action::Terminate))
    ) && let Some(even_if_replaced) = object.get("even_if_replaced")
    {
        even_if_replaced.refuse("nothing in a rule that neither stops nor terminates");
    }
    match action {
        Some(RuleAction::Exempt) => {
            if let Some(require) = object.get("require") {
                require.refuse("nothing in a rule that exempts: what is exempt is not evaluated");
            }
        }
        Some(RuleAction::Act(_)) | None => {
            if let Some(expires) = object.get("expires") {
                expires.refuse("nothing in a rule that does not exempt: only an exemption expires");
            }
            if action.is_none() && object.get("require").is_none() {
                object.missing(
                    "action",
                    "what happens to an instance that violates the policy, or `require` in its place",
                );
            }
        }
    }
}

fn is_not_blank(text: &str) -> bool {
    !text.trim().is_empty()
}
