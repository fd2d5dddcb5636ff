//! Judges every command: does it reach the metadata service, and without a token?

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::command::{Command, start};
use crate::finding::Finding;
use crate::language::Language;
use crate::names::{Anatomy, Names, Use, anatomy, uses};
use crate::patterns::{self, regex};
use crate::script::Script;
use crate::split::commands;
use crate::{address, words};

/// The calls without a token, in the order of the parts and lines.
pub(crate) fn find(scripts: &[Script]) -> Vec<Finding> {
    let known: Vec<Known> = commands(scripts).into_iter().map(Known::of).collect();
    let names = follow(&known);
    let mentioned = mentions(&known);
    let mut findings = Vec::new();
    for command in &known {
        if let Some((at, words)) = command.judge(&names, &mentioned) {
            let part = command.command.part.as_deref();
            findings.push(Finding {
                line: command.command.line_at(at),
                words,
                part: part.map(str::to_owned),
            });
        }
    }
    let place = |finding: &Finding| {
        scripts
            .iter()
            .position(|script| script.part == finding.part)
    };
    findings.sort_by_cached_key(|finding| (place(finding), finding.line));
    findings.dedup();
    findings
}

/// Values are passed from name to name at most this often.
const ROUNDS: usize = 12;

/// A command with all that it alone tells.
struct Known {
    command: Command,
    anatomy: Anatomy,
    uses: Vec<Use>,
    /// Where addresses stand, but for URLs that give tokens.
    addresses: Vec<Range<usize>>,
    caller: Option<Range<usize>>,
    /// Where the header with a token stands.
    header: Option<usize>,
    /// It asks for a token.
    asks: bool,
}

/// Functions that only build what is called later.
static BUILDS: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?xi)^(?: urljoin | format | join | l?r?strip | replace | trim\w* | (?:\w*Web)?Request | HTTPS?Connection\w*
            | HTTP(?:Connection)?Pool | PoolManager | Session | Client | getenv | get | str | string | u | url | uri | create | new
            | sprintf | quote | lower | encode | list | tuple | dict | partial | int | float | Retry | Timeout | param
            | curl_init | array | if | and | or | not | in )$",
    )
});
static FUNCTION_CALLED: LazyLock<Regex> = LazyLock::new(|| regex(r"([A-Za-z_]\w*)\s*\("));
static CMDLET_CALLED: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)(?:^|[=(|]\s*)([a-z]+-[a-z]\w*)"));

/// Programs and statements that mention a URL without fetching it.
static MENTIONS: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"(?xi)^(?: echo | printf? | puts | console\.\w+ | logg?(?:er|ing)?(?:\.\w+)? | \[\[? | test | : | true | false
            | return | exit | case | e?grep | sed | awk | ip6?tables\S* | nft | ip | route | ufw | firewall-cmd | ping | nslookup
            | dig | host | getent | import | from | assert | raise | class | throw | Write-\w+ | Add-Content | Out-\w+ | New-NetRoute
            | netsh | git | Test-\w+ | parser\.\w+ | \w+\.add_argument | self\.log\w*\.\w+ | rm | unset | default | description ) (?: [\s(:"'] | $ )"#,
    )
});

impl Known {
    fn of(mut command: Command) -> Self {
        // Who is reached without a proxy is not called by that.
        let blank = |found: &regex::Captures| " ".repeat(found.get(0).map_or(0, |m| m.len()));
        if patterns::NO_PROXY.is_match(&command.text) {
            command.text = patterns::NO_PROXY
                .replace_all(&command.text, blank)
                .into_owned();
        }
        let text = &command.text;
        let anatomy = anatomy(&command);
        let uses = uses(&command, anatomy.program.as_deref());
        let addresses = address::find(text)
            .into_iter()
            .filter(|range| !words::url(text, range).contains(patterns::TOKEN_PATH))
            .collect();
        let headers = || patterns::HEADER.captures_iter(text);
        let asks_ttl = headers().any(|found| found.name("ttl").is_some());
        let header = headers()
            .find(|found| found.name("ttl").is_none())
            .and_then(|found| Some(found.get(0)?.start()));
        Known {
            caller: patterns::caller(text),
            asks: asks_ttl || patterns::PUT.is_match(text),
            anatomy,
            uses,
            addresses,
            header,
            command,
        }
    }

    fn text(&self, range: &Range<usize>) -> &str {
        self.command.text.get(range.clone()).unwrap_or_default()
    }

    /// The uses of names, all or those within a value.
    fn uses(&self, within: Option<&Range<usize>>) -> &[Use] {
        let Some(range) = within else {
            return &self.uses;
        };
        let first = self
            .uses
            .partition_point(|used| used.range.start < range.start);
        let last = self
            .uses
            .partition_point(|used| used.range.start < range.end);
        self.uses.get(first..last).unwrap_or_default()
    }

    fn uses_any(&self, names: &HashSet<String>, within: Option<&Range<usize>>) -> Option<&Use> {
        let mut uses = self.uses(within).iter();
        uses.find(|used| names.contains(&used.name))
    }

    /// Whether the URL that a name begins goes on to the one that gives tokens.
    fn goes_to_token(&self, used: &Use) -> bool {
        let after = self.command.text.get(used.range.end..).unwrap_or_default();
        let after = start(after, words::LOOKED_AT);
        let url = match self.command.language {
            Language::Shell => after.split(char::is_whitespace).next().unwrap_or_default(),
            // The path may stand in a string of its own.
            Language::PowerShell | Language::Python | Language::Other => {
                after.split([',', ';']).next().unwrap_or_default()
            }
        };
        url.contains(patterns::TOKEN_PATH)
    }

    /// The use of a name that leads to the service, but not for a token.
    fn leads(&self, names: &Names, within: Option<&Range<usize>>) -> Option<&Use> {
        let mut uses = self.uses(within).iter();
        uses.find(|used| names.addresses.contains(&used.name) && !self.goes_to_token(used))
    }

    fn has_address(&self, within: &Range<usize>) -> bool {
        let first = self.addresses.partition_point(|at| at.start < within.start);
        self.addresses
            .get(first)
            .is_some_and(|at| at.start < within.end)
    }

    fn carries(&self, names: &Names) -> bool {
        self.header.is_some() || self.uses_any(&names.tokens, None).is_some()
    }

    fn calls(&self, names: &Names) -> bool {
        self.caller.is_some() || self.uses_any(&names.callers, None).is_some()
    }

    /// What it gives to names is what a call answered.
    fn binds_answer(&self, names: &Names) -> bool {
        match self.command.language {
            // What is substituted is a command of its own.
            Language::Shell => false,
            Language::PowerShell | Language::Python | Language::Other => {
                self.caller.is_some() || self.runs_unknown(names)
            }
        }
    }

    /// Whether a function is called that does more than to build a value.
    fn runs_unknown(&self, names: &Names) -> bool {
        let text = &self.command.text;
        let builds = |name: &str| {
            BUILDS.is_match(name)
                || names.addresses.contains(name)
                || names.give_headers.contains(name)
        };
        let mut functions = FUNCTION_CALLED.captures_iter(text);
        let runs = functions.any(|found| found.get(1).is_some_and(|name| !builds(name.as_str())));
        let mut cmdlets = CMDLET_CALLED.captures_iter(text);
        let cmdlet = cmdlets.any(|found| {
            found.get(1).is_some_and(|name| {
                let name = name.as_str().to_lowercase();
                !matches!(name.as_str(), "new-object" | "join-path")
            })
        });
        runs || cmdlet && self.command.language == Language::PowerShell
    }

    /// The place and the words of a call without a token.
    fn judge(&self, names: &Names, mentioned: &HashSet<String>) -> Option<(usize, String)> {
        if let Some(found) = self.old_boto(names) {
            return Some(found);
        }
        if self.carries(names) || self.asks {
            return None;
        }
        let text = &self.command.text;
        let literal = self.addresses.first();
        let used = self.leads(names, None);
        let by_name = self.uses_any(&names.callers, None);
        let caller = self.caller.as_ref().or(by_name.map(|used| &used.range));
        let (at, url) = match (literal, used) {
            (Some(range), _) => (range.start, words::url(text, range)),
            (None, Some(used)) => (used.range.start, words::reference(text, &used.range)),
            (None, None) => return None,
        };
        let binds_value = self.anatomy.only_binds && !self.binds_answer(names);
        if binds_value {
            // A value that nobody uses here may be for a program that is started.
            let unused = self.anatomy.bindings.iter().flat_map(|b| &b.names);
            let unused = unused
                .map(|name| name.trim_start_matches('$'))
                .all(|name| !mentioned.contains(name));
            let has_path = literal.is_some_and(|range| self.has_path(range));
            let calls = unused && has_path && !self.anatomy.bindings.is_empty();
            return calls.then(|| (at, words::shown(None, &url)));
        }
        if let Some(caller) = caller {
            // An alias is both.
            if used.is_some_and(|used| used.range == *caller) {
                return Some((at, words::shown(None, &url)));
            }
            let at = if caller.start < at { caller.start } else { at };
            return Some((at, words::shown(Some(self.text(caller)), &url)));
        }
        let fetches = match self.command.language {
            Language::Shell => self.is_url(literal, used),
            Language::PowerShell | Language::Python | Language::Other => {
                self.is_url(literal, used) && self.runs_unknown(names) && !self.is_object(used)
            }
        };
        let mentions = MENTIONS.is_match(text.trim_start_matches(['{', ' ']));
        (fetches && !mentions).then(|| (at, words::shown(None, &url)))
    }

    fn has_path(&self, range: &Range<usize>) -> bool {
        address::has_path(
            self.command
                .text
                .get(range.end..)
                .unwrap_or_default()
                .trim_start_matches(']'),
        )
    }

    fn is_url(&self, literal: Option<&Range<usize>>, used: Option<&Use>) -> bool {
        literal.map_or(used.is_some(), |range| self.has_path(range))
    }

    /// Only a method of what the name stands for is called.
    fn is_object(&self, used: Option<&Use>) -> bool {
        used.is_some_and(|used| {
            let after = self.command.text.get(used.range.end..).unwrap_or_default();
            after.starts_with('.') || after.starts_with("->")
        })
    }

    /// It returns or prints an address.
    fn gives_address(&self, names: &Names) -> bool {
        let text = &self.command.text;
        let gives = ["return", "echo ", "printf "];
        gives.iter().any(|word| text.starts_with(word))
            && (!self.addresses.is_empty() || self.leads(names, None).is_some())
    }

    /// `boto` before boto3, unless the script has a function of that name.
    fn old_boto(&self, names: &Names) -> Option<(usize, String)> {
        let found = patterns::BOTO.find(&self.command.text)?;
        let called = self
            .command
            .text
            .get(found.end()..)?
            .trim_start()
            .starts_with('(');
        let own = names.functions.contains(found.as_str());
        (called && !own).then(|| (found.start(), words::shown(None, found.as_str())))
    }
}

/// What all names stand for, once every value has been passed on.
fn follow(known: &[Known]) -> Names {
    let defined = known.iter().filter_map(|command| {
        let found = patterns::FUNCTION.captures(&command.command.text)?;
        Some(found.get(1)?.as_str().to_owned())
    });
    let mut names = Names {
        functions: defined.collect(),
        ..Names::default()
    };
    for _ in 0..ROUNDS {
        let before = size(&names);
        for command in known {
            pass_on(command, &mut names);
        }
        of_functions(known, &mut names);
        if size(&names) == before {
            break;
        }
    }
    names
}

fn size(names: &Names) -> usize {
    names.addresses.len() + names.give_headers.len() + names.tokens.len() + names.callers.len()
}

fn pass_on(command: &Known, names: &mut Names) {
    let answer = command.binds_answer(names);
    for binding in &command.anatomy.bindings {
        let value = &binding.value;
        let literal = command.has_address(value);
        let leads = !answer && (literal || command.leads(names, Some(value)).is_some());
        // `headers = {"X-aws-ec2-metadata-token": fetch(…)}` holds the header, and
        // `fetch(…, {"X-aws-ec2-metadata-token": …})` does not.
        let header = command.header.is_some_and(|at| {
            let first = command
                .caller
                .as_ref()
                .is_none_or(|caller| at < caller.start);
            value.contains(&at) && (first || command.command.language == Language::Shell)
        });
        let token = header || !answer && command.uses_any(&names.tokens, Some(value)).is_some();
        let calls = command.command.language == Language::Shell && {
            let inside = |caller: &Range<usize>| value.contains(&caller.start);
            command.caller.as_ref().is_some_and(inside)
                || command.uses_any(&names.callers, Some(value)).is_some()
        };
        for name in &binding.names {
            for (holds, set) in [
                (leads, &mut names.addresses),
                (token, &mut names.tokens),
                (calls, &mut names.callers),
            ] {
                if holds {
                    set.insert(name.clone());
                }
            }
        }
    }
}

/// A function sends tokens if all its calls do; it gives the header or an address back if it holds
/// one and only asks for tokens.
fn of_functions(known: &[Known], names: &mut Names) {
    let mut functions: BTreeMap<(&str, bool), Vec<&Known>> = BTreeMap::new();
    for command in known {
        if let Some(function) = &command.command.function {
            let powershell = command.command.language == Language::PowerShell;
            let body = functions.entry((function, powershell)).or_default();
            body.push(command);
        }
    }
    for ((function, powershell), body) in functions {
        let function = if powershell {
            function.to_lowercase()
        } else {
            function.to_owned()
        };
        let calls = || body.iter().filter(|command| command.calls(names));
        let carries = |command: &&&Known| command.carries(names);
        if !calls().all(|call| call.asks || call.carries(names)) {
            continue;
        }
        let substituted = format!("$({function})");
        if calls().any(|call| !call.asks) {
            names.tokens.insert(function);
        } else if body.iter().any(|command| carries(&command)) {
            names.give_headers.insert(function.clone());
            names.tokens.extend([function, substituted]);
        } else if calls().next().is_none()
            && body.iter().any(|command| command.gives_address(names))
        {
            // A shell's function only prints it.
            let shell = body.iter().any(|c| c.command.language == Language::Shell);
            let name = if shell { substituted } else { function };
            names.addresses.insert(name);
        }
    }
}

/// The words of all commands, but for the names that a command gives values to.
fn mentions(known: &[Known]) -> HashSet<String> {
    let mut mentioned = HashSet::new();
    for command in known {
        let bound: HashSet<&str> = (command.anatomy.bindings.iter())
            .flat_map(|binding| &binding.names)
            .map(|name| name.trim_start_matches('$'))
            .collect();
        let words = command
            .command
            .text
            .split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        for word in words.filter(|word| !word.is_empty() && !bound.contains(word)) {
            mentioned.insert(match command.command.language {
                Language::PowerShell => word.to_lowercase(),
                Language::Shell | Language::Python | Language::Other => word.to_owned(),
            });
        }
    }
    mentioned
}
