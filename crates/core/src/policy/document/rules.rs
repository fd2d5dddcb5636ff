//! Reads the rules, each in the light of those before it.

use jiff::civil::Date;

use super::super::reader::{Node, Object, Read};
use super::super::{Action, Rule, Then, When};
use super::{require, when};

pub(super) fn read(node: &Node) -> Read<Vec<Rule>> {
    let mut earlier = Vec::new();
    let nodes = node.items("a list of rules")?;
    let rules: Vec<Read<Rule>> = nodes.iter().map(|node| rule(node, &mut earlier)).collect();
    rules.into_iter().collect()
}

/// A rule before the present one.
struct Earlier {
    path: String,
    name: Option<String>,
    /// What it decides for ever, so that no later rule can; none for a rule that ends.
    when: Option<When>,
}

fn rule(node: &Node, earlier: &mut Vec<Earlier>) -> Read<Rule> {
    let known = [
        "name",
        "when",
        "then",
        "require",
        "until",
        "even_if_replaced",
        "because",
    ];
    let object = node.object(
        "a rule: an object with `name`, `when`, and `then` or `require`",
        &known,
    )?;
    let name = object.need("name", "a name that no other rule has", |node| {
        name(node, earlier)
    });
    let when = object.need("when", when::EXPECTED, |node| reachable(node, earlier));
    let then = object.read("then", then);
    let own_require = object.read("require", require::read);
    let until = object.read("until", until);
    let even_if_replaced = object.read("even_if_replaced", Node::truth);
    let because = object.read("because", |node| {
        node.text("a reason that is not blank", is_not_blank)
    });
    if let Ok(then) = then {
        fit_together(&object, then);
    }
    let ends = object.get("until").is_some();
    earlier.push(Earlier {
        path: node.path(),
        name: name.as_ref().ok().cloned(),
        when: when.as_ref().ok().filter(|_| !ends).cloned(),
    });
    Ok(Rule {
        name: name?,
        when: when?,
        then: then?,
        require: own_require?,
        until: until?,
        even_if_replaced: even_if_replaced?.unwrap_or_default(),
        because: because?.map(str::to_owned),
    })
}

fn name(node: &Node, earlier: &[Earlier]) -> Read<String> {
    let name = node.text("a name that is not blank", is_not_blank)?;
    match earlier
        .iter()
        .find(|rule| rule.name.as_deref() == Some(name))
    {
        Some(rule) => Err(node.refuse(format!("a name other than that of {}", rule.path))),
        None => Ok(name.to_owned()),
    }
}

fn reachable(node: &Node, earlier: &[Earlier]) -> Read<When> {
    let when = when::read(node)?;
    let shadow = earlier.iter().find(|rule| {
        rule.when
            .as_ref()
            .is_some_and(|earlier| earlier.covers(&when))
    });
    match shadow {
        None => Ok(when),
        Some(Earlier { path, name, .. }) => {
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

fn then(node: &Node) -> Read<Then> {
    let [report, enforce, stop, terminate] =
        Action::ALL.map(|action| (action.as_str(), Then::Act(action)));
    node.word(&[report, enforce, stop, terminate, ("exempt", Then::Exempt)])
}

fn until(node: &Node) -> Read<Date> {
    const EXPECTED: &str = "the exemption's last day as `YYYY-MM-DD`";
    // jiff reads other forms of a date too, all of another length.
    let text = node.text(EXPECTED, |text| text.len() == "YYYY-MM-DD".len())?;
    text.parse().map_err(|_| node.refuse(EXPECTED))
}

fn fit_together(object: &Object, then: Option<Then>) {
    if !matches!(then, Some(Then::Act(Action::Stop | Action::Terminate)))
        && let Some(even_if_replaced) = object.get("even_if_replaced")
    {
        even_if_replaced.refuse("nothing in a rule that neither stops nor terminates");
    }
    match then {
        Some(Then::Exempt) => {
            if let Some(require) = object.get("require") {
                require.refuse("nothing in a rule that exempts: what is exempt is not judged");
            }
        }
        Some(Then::Act(_)) | None => {
            if let Some(until) = object.get("until") {
                until.refuse("nothing in a rule that does not exempt: only an exemption ends");
            }
            if then.is_none() && object.get("require").is_none() {
                object.missing(
                    "then",
                    "what happens to an instance that breaks the policy, or `require` in its place",
                );
            }
        }
    }
}

fn is_not_blank(text: &str) -> bool {
    !text.trim().is_empty()
}
