//! What a statement does: which addresses, names and programs it uses.

use std::collections::HashSet;
use std::ops::Range;

use regex::Captures;

use crate::assignments::{StatementParts, parts};
use crate::language::Language;
use crate::names::ResolvedNames;
use crate::patterns::{self, patterns};
use crate::statement::{ScriptStatement, start};
use crate::uses::{NameUse, uses};
use crate::{address, words};

/// A statement with all that is known from it alone.
pub(crate) struct AnalyzedStatement {
    pub(crate) statement: ScriptStatement,
    pub(crate) parts: StatementParts,
    uses: Vec<NameUse>,
    /// Where addresses are, except those in URLs that return tokens.
    pub(crate) addresses: Vec<Range<usize>>,
    /// The first program or function that fetches a URL.
    pub(crate) caller: Option<Range<usize>>,
    /// Where the header that sends a token is.
    token_header: Option<usize>,
    pub(crate) requests_token: bool,
    /// Whether its method is the one that only a request for a token uses.
    pub(crate) puts: bool,
}

patterns! {
    /// Functions that only build a value.
    BUILDERS = r"(?xi)^(?: New-Object | Join-Path | urljoin | format | join | l?r?strip | replace | trim\w* | (?:\w*Web)?Request | HTTPS?Connection\w*
            | HTTP(?:Connection)?Pool | PoolManager | \w*Session | \w*Client | create_connection | connect | fsockopen | start | getenv | get | str | string | u | url | uri | create | new
            | sprintf | quote | lower | encode | flush | \w*time | list | tuple | dict | partial | int | float | Retry | Timeout | param
            | openConnection | \w*with_?token\w* | \w*imds_?v2\w* | curl_init | array | if | elsif | elseif | for | foreach | while | until | switch | and | or | not | in )$";
    FUNCTION_CALL = r"([A-Za-z_]\w*)\s*\(";
    CMDLET_CALL = r"(?i)(?:^|[=(|]\s*)([a-z]+-[a-z]\w*)";

    /// What runs a part of a text or hands it to a program or a file.
    RUNS = r#"[#$][{(]|[|>]|\(\w+ ["'$]"#;
}

/// Whether a program or a function prints for people, or a file is for them.
fn prints(name: &str, names: &ResolvedNames) -> bool {
    names.printers.contains(name)
        || patterns::FOR_PEOPLE.is_match(name) && !names.functions.contains(name)
}

impl AnalyzedStatement {
    pub(crate) fn new(mut statement: ScriptStatement) -> Self {
        let blank = |found: &Captures| " ".repeat(found.get_match().len());
        let text = patterns::NOT_CALLED.replace_all(&statement.text, blank);
        statement.text = text.into_owned();
        let text = &statement.text;
        let parts = parts(&statement);
        let mut addresses = address::find(text);
        addresses.retain(|address| !patterns::OTHER_PATH.is_match(&words::url(text, address)));
        let headers = || patterns::HEADER.captures_iter(text);
        let requests_ttl = headers().any(|found| found.name("ttl").is_some());
        let mut token_headers = headers().filter(|found| found.name("ttl").is_none());
        let token_header = token_headers.find_map(|found| Some(found.name("name")?.start()));
        let caller = patterns::callers(text).next();
        let puts = patterns::PUT.is_match(text);
        AnalyzedStatement {
            uses: uses(&statement, parts.program.as_deref()),
            addresses,
            caller,
            token_header,
            requests_token: requests_ttl || puts,
            puts,
            parts,
            statement,
        }
    }

    pub(crate) fn in_shell(&self) -> bool {
        self.statement.language == Language::Shell
    }

    /// The first use of one of the names.
    pub(crate) fn use_of_any(&self, names: &HashSet<String>) -> Option<&NameUse> {
        self.uses.iter().find(|used| names.contains(&used.name))
    }

    /// The first use of a name that stands for the service, except in a URL that returns tokens.
    pub(crate) fn use_of_address(&self, names: &ResolvedNames) -> Option<&NameUse> {
        let mut uses = self.uses.iter();
        uses.find(|used| self.leads_to_service(used, names))
    }

    /// Whether a name stands for the service, and the URL that begins with it does not return tokens
    /// and is EC2's.
    fn leads_to_service(&self, used: &NameUse, names: &ResolvedNames) -> bool {
        let after = start(self.statement.text_from(used.range.end), words::URL_BYTES);
        // In other languages than shell, the path may be in another string.
        let ends = |letter: char| match self.in_shell() {
            true => letter.is_whitespace(),
            false => matches!(letter, ',' | ';'),
        };
        let url = after.split(ends).next().unwrap_or_default();
        names.addresses.contains(&used.name) && !patterns::OTHER_PATH.is_match(url)
    }

    /// Whether it sends a token.
    pub(crate) fn sends_token(&self, names: &ResolvedNames) -> bool {
        let program = self.parts.program.as_deref();
        let configured = program.and_then(|program| names.configured.get(program));
        self.token_header.is_some()
            || self.use_of_any(&names.tokens).is_some()
            || configured.is_some_and(|(part, line)| {
                *part == self.statement.part && *line < self.statement.line_at(0)
            })
    }

    /// Whether it calls a program that fetches URLs.
    pub(crate) fn calls(&self, names: &ResolvedNames) -> bool {
        self.caller.is_some() || self.use_of_any(&names.callers).is_some()
    }

    /// Whether the values that it assigns are the response of a call. In a shell, a substitution is
    /// a command of its own.
    pub(crate) fn assigns_response(&self, names: &ResolvedNames) -> bool {
        !self.in_shell() && (self.caller.is_some() || self.runs_unknown(names))
    }

    /// Whether it calls a function that does more than to build a value.
    pub(crate) fn runs_unknown(&self, names: &ResolvedNames) -> bool {
        self.unknown_in(&self.statement.text, names)
    }

    fn unknown_in(&self, text: &str, names: &ResolvedNames) -> bool {
        self.functions_in(text).any(|name| {
            let name = &self.statement.language.canonical_name(name);
            !BUILDERS.is_match(name)
                && !prints(name, names)
                && !names.addresses.contains(name)
                && !names.header_functions.contains(name)
        })
    }

    /// The functions and cmdlets that a part of the statement calls.
    fn functions_in<'t>(&self, text: &'t str) -> impl Iterator<Item = &'t str> + use<'t> {
        let is_powershell = self.statement.language == Language::PowerShell;
        let cmdlets = CMDLET_CALL.captures_iter(if is_powershell { text } else { "" });
        let found = FUNCTION_CALL.captures_iter(text).chain(cmdlets);
        found.filter_map(|found| Some(found.get(1)?.as_str()))
    }

    /// Whether it is text that people read and nothing runs.
    pub(crate) fn is_text(&self, names: &ResolvedNames) -> bool {
        let reader = match self.in_shell() {
            true => self.statement.reader.as_deref(),
            // A program in quotes is not called by a function that prints it.
            false => self.called().filter(|_| self.quotes_caller(names)),
        };
        reader.is_some_and(|reader| prints(reader, names))
    }

    /// Whether its caller is a program in quotes, and nothing may run it.
    fn quotes_caller(&self, names: &ResolvedNames) -> bool {
        let text = &self.statement.text;
        let caller = self.caller.as_ref();
        let before = caller.and_then(|caller| text.get(..caller.end));
        before.is_some_and(|before| {
            let is_open = |quote| before.matches(quote).count() % 2 == 1;
            (is_open('"') || is_open('\'')) && !before.ends_with('(')
        }) && !self.unknown_in(self.own_text(), names)
            && !RUNS.is_match(text)
    }

    /// Whether it mentions values and fetches nothing.
    pub(crate) fn mentions(&self, names: &ResolvedNames) -> bool {
        patterns::MENTIONS.is_match(self.own_text())
            || self.called().is_some_and(|called| prints(called, names))
    }

    /// The program, or the function that a statement calls first.
    pub(crate) fn called(&self) -> Option<&str> {
        match self.in_shell() {
            true => self.parts.program.as_deref(),
            false => Some(patterns::CALLED.captures(self.own_text())?.get(1)?.as_str()),
        }
    }

    /// Whether nothing but printing happens in it, if it is in a function.
    pub(crate) fn only_prints(&self, names: &ResolvedNames) -> bool {
        match self.in_shell() {
            true => self.parts.program.is_none() || self.mentions(names),
            false => !self.calls(names) && !self.unknown_in(self.own_text(), names),
        }
    }

    /// The functions that it calls, or the program.
    pub(crate) fn called_functions(&self) -> Vec<&str> {
        match self.in_shell() {
            true => self.called().into_iter().collect(),
            false => self.functions_in(self.own_text()).collect(),
        }
    }

    /// Whether it sends a header that all calls of its function hand to it.
    pub(crate) fn is_handed_header(&self, names: &ResolvedNames) -> bool {
        let arguments = self.caller.as_ref().map_or(0, |caller| caller.end);
        let is_parameter = |used: &NameUse| {
            // A parameter may be a path as well.
            let before = self.statement.text.get(..used.range.start);
            names.parameters.contains(&used.name) && !before.is_some_and(|it| it.ends_with('/'))
        };
        let function = self.statement.function.as_deref();
        function.is_some_and(|function| names.handed.contains(function))
            && (self.has_parameter(&(arguments..self.statement.text.len()))
                || self.uses.iter().any(is_parameter))
    }

    /// Whether a value has a parameter of its function that may be a header.
    pub(crate) fn has_parameter(&self, value: &Range<usize>) -> bool {
        let pattern = match self.in_shell() {
            true => &patterns::SHELL_PARAMETER,
            false => &patterns::HEADER_PARAMETER,
        };
        pattern.is_match(self.statement.text.get(value.clone()).unwrap_or_default())
    }

    /// The text from the program on, or after the head of a function.
    fn own_text(&self) -> &str {
        let text = &self.statement.text;
        let start = match self.in_shell() {
            true => (self.parts.program.as_deref()).and_then(|program| text.find(program)),
            false => patterns::function_head(text),
        };
        self.statement.text_from(start.unwrap_or_default())
    }

    /// Whether it returns or prints an address.
    pub(crate) fn returns_address(&self, names: &ResolvedNames) -> bool {
        let returns = ["return", "echo ", "printf "];
        let mut returns = returns.iter();
        returns.any(|word| self.statement.text.starts_with(word))
            && (!self.addresses.is_empty() || self.use_of_address(names).is_some())
    }

    /// Whether a value that it assigns holds an address of the service.
    pub(crate) fn holds_address(&self, value: &Range<usize>, names: &ResolvedNames) -> bool {
        let first = self.addresses.partition_point(|at| at.start < value.start);
        let literal = self.addresses.get(first);
        literal.is_some_and(|at| at.start < value.end)
            || self
                .uses_within(value)
                .any(|used| self.leads_to_service(used, names))
    }

    /// Whether a value holds the header itself: `headers = {"X-aws-ec2-metadata-token": fetch(…)}`
    /// does, `response = fetch(…, {"X-aws-ec2-metadata-token": …})` does not.
    pub(crate) fn holds_header(&self, value: &Range<usize>) -> bool {
        let caller = self.caller.as_ref();
        self.token_header.is_some_and(|header| {
            let is_sent = caller.is_some_and(|caller| caller.start <= header);
            value.contains(&header) && (!is_sent || self.in_shell())
        })
    }

    /// Whether a value holds a program that fetches URLs, as only a shell's variables do.
    pub(crate) fn holds_caller(&self, value: &Range<usize>, names: &ResolvedNames) -> bool {
        let caller = self.caller.as_ref();
        let is_literal = caller.is_some_and(|caller| value.contains(&caller.start));
        self.in_shell() && (is_literal || self.uses_any_within(value, &names.callers))
    }

    /// Whether a value uses one of the names.
    pub(crate) fn uses_any_within(&self, value: &Range<usize>, names: &HashSet<String>) -> bool {
        let mut uses = self.uses_within(value);
        uses.any(|used| names.contains(&used.name))
    }

    fn uses_within(&self, value: &Range<usize>) -> impl Iterator<Item = &NameUse> {
        let first = (self.uses).partition_point(|used| used.range.start < value.start);
        let (uses, end) = (self.uses.iter().skip(first), value.end);
        uses.take_while(move |used| used.range.start < end)
    }
}
