//! The words that give calls away.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

type Pattern = LazyLock<Regex>;

/// The first program or function in the text that fetches a URL.
pub(crate) fn caller(text: &str) -> Option<Range<usize>> {
    let mut found = CALLER.captures_iter(text);
    let found = found.find(|found| {
        let looks_up = found
            .name("object")
            .is_some_and(|object| DICTIONARY.is_match(object.as_str()));
        let only_connects = found.name("connects").is_some() && CONNECTS.is_match(text);
        !looks_up && !only_connects
    })?;
    let range = found.get(0)?.range();
    let before = text.get(..range.start).unwrap_or_default();
    // A variable that is called as what it holds.
    let signs = before.len() - before.trim_end_matches(['$', '{']).len();
    Some(range.start - signs..range.end)
}

/// Programs and functions that fetch URLs.
pub(crate) static CALLER: Pattern = LazyLock::new(|| {
    regex(
        r#"(?xi)
        \b(?: curl | wget2? | aria2c | lynx | w3m | lwp-request | pycurl )(?:\.exe)?\b
        | \bhttps?\s+(?:GET\s|POST\s|--|https?:|:) | \bGET\s+https?:
        | \b(?P<connects> ncat | netcat | nc | socat | telnet )\b | <>\s*/dev/tcp/
        | \b(?: Invoke-RestMethod | Invoke-WebRequest | irm | iwr | Start-BitsTransfer )\b
        | (?-i: [\w$.]* \.(?: Download(?:String|File|Data)\w* | GetResponse(?:Async)? | OpenRead\w*
                            | Get(?:String|ByteArray|Stream)?Async | SendAsync ) )
        | \b(?: urlopen | urlretrieve | httpx\.\w+ | axios | file_get_contents | readfile | fopen
              | curl_exec | superagent | LWP::Simple | URI\.open )\b
        | \b(?: fetch | got ) \s*\(
        | Net::HTTP\.get\w* | http\.Get\b
        | (?P<object> [\w$.\])]* ) (?: \. | -> ) (?-i: get | head | post | options | request | putrequest | urlopen | fetch | open ) \s*\(
        "#,
    )
});

/// What has a `get` and fetches nothing.
static DICTIONARY: Pattern = LazyLock::new(|| {
    regex(
        r"(?i)(?:environ|env|config|conf|cfg|settings|options|opts|args|headers|hdrs|data|doc|json|dict|params|kwargs|\)|\])$",
    )
});

/// The options with which `nc` and its like send nothing.
static CONNECTS: Pattern = LazyLock::new(|| regex(r"\s-\w*z"));

/// The header with a token; with `-ttl` it asks for one.
pub(crate) static HEADER: Pattern =
    LazyLock::new(|| regex(r"(?i)x-aws-ec2-metadata-token(?P<ttl>-ttl)?"));

/// The method that only the request for a token has.
pub(crate) static PUT: Pattern = LazyLock::new(|| {
    regex(
        r#"(?xi)
        (?: \s-\w*X\s* | --request[\s=]+ | --method[\s=]+ | -Method[\s:]+ | -CustomMethod\s+
          | \bmethod["']?\s*(?:=>|[:=])\s* | [(,]\s* | \bhttps?\s+ ) ["']* PUT\b
        | (?:\.|->|::)put\b | ["']PUT["']
        "#,
    )
});

/// The path that gives tokens.
pub(crate) const TOKEN_PATH: &str = "api/token";

/// `boto`, before boto3, knows no tokens.
pub(crate) static BOTO: Pattern =
    LazyLock::new(|| regex(r"\bget_instance_(?:metadata|userdata|identity)\b"));

/// Hosts to be reached without a proxy.
pub(crate) static NO_PROXY: Pattern = LazyLock::new(|| {
    regex(r#"(?i)(?:--)?no_?proxy["']?\s*[=:,]?\s*(?:"[^"]*"|'[^']*'|[^\s"';]+)"#)
});

/// What is assigned stands after it.
pub(crate) static ASSIGNS: Pattern = LazyLock::new(|| regex(r"^\w+(?:\[[^\]]*\])?\+?=$"));

/// A definition of a function in any language but shell.
pub(crate) static FUNCTION: Pattern =
    LazyLock::new(|| regex(r"(?i)^(?:async\s+)?(?:def|function|sub|func)\s+([\w:.-]+)"));

/// The comment of Windows' command files.
pub(crate) static REMARK: Pattern = LazyLock::new(|| regex(r"(?i)^@?(?:rem\b|::)"));

/// A program that runs scripts.
pub(crate) static INTERPRETER: Pattern = LazyLock::new(|| {
    regex(
        r"(?i)\b(python|powershell|pwsh|perl|ruby|node|php|bash|dash|ksh|zsh|sh)(?:\.exe)?[\d.]*(?:\s|$)",
    )
});

/// The file that output goes to.
pub(crate) static TARGET: Pattern =
    LazyLock::new(|| regex(r"(?:>>?\|?|\btee\s+(?:-\w+\s+)*)\s*([^\s;&|<>()]+)"));

/// A line that is Python's.
pub(crate) static PYTHON_LINE: Pattern = LazyLock::new(|| {
    regex(
        r"(?m)^\s*(?:import\s+[\w.]+(?:\s+as\s+\w+|\s*,\s*[\w.]+)*\s*$|from\s+[\w.]+\s+import\b|def\s+\w+\(.*\).*:\s*$)",
    )
});

/// A line that is PowerShell's.
pub(crate) static POWERSHELL_LINE: Pattern = LazyLock::new(|| {
    regex(
        r"(?mi)^\s*(?:\[[\w.]+\]\s*)?\$[\w:]+\s*=|^\s*(?:param\s*\(|Set-ExecutionPolicy|Invoke-\w+|Import-Module)",
    )
});

/// Compiles a pattern of this program.
#[expect(
    clippy::expect_used,
    reason = "the patterns are constants, and tests compile them all"
)]
pub(crate) fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern")
}
