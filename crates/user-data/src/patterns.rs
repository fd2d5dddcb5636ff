//! The patterns by which calls and languages are recognized.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// The programs and functions in the text that fetch URLs.
pub(crate) fn callers(text: &str) -> impl Iterator<Item = Range<usize>> {
    let found = CALLER.captures_iter(text).filter(move |found| {
        let reads_dictionary = found
            .name("object")
            .is_some_and(|object| DICTIONARY.is_match(object.as_str()));
        let only_connects = found.name("connects").is_some() && CONNECTS.is_match(text);
        !reads_dictionary && !only_connects
    });
    found.filter_map(|found| {
        let range = found.get(0)?.range();
        let before = text.get(..range.start).unwrap_or_default();
        // A variable may have the name of the program that it holds.
        let unsigned = before.strip_suffix("${").or(before.strip_suffix('$'));
        let signs = before.len() - unsigned.unwrap_or(before).len();
        Some(range.start - signs..range.end)
    })
}

/// Programs and functions that fetch URLs.
pub(crate) static CALLER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"(?xi)
        \b(?: curl | wget2? | aria2c | lynx | w3m | lwp-request | pycurl )(?:\.exe)?\b
        | \bhttps?\s+(?:GET\s|POST\s|--|https?:|:) | \bGET\s+https?:
        | \b(?P<connects> ncat | netcat | nc | socat | telnet )\b | <>\s*/dev/tcp/
        | \b(?: Invoke-RestMethod | Invoke-WebRequest | irm | iwr | Start-BitsTransfer )\b
        | (?-i: [\w$.]* \.(?: Download(?:String|File|Data)\w* | GetResponse(?:Async)? | OpenRead\w*
                            | Get(?:String|ByteArray|Stream)?Async | SendAsync ) )
        | (?-i: \.(?: openStream | getInputStream | inputStream )\b | \b(?: toURL\(\) | URL\([^)]*\) )\.(?: text | getText )\b )
        | \b(?: urlopen | urlretrieve | file_get_contents | readfile | fopen
              | curl_exec | LWP::Simple | URI\.open | proxy_?pass | reverse_proxy )\b
        | \$\w+,?\s*["']GET\s
        | \b(?: fetch | got | axios | superagent ) \s*\(
        | Net::HTTP\.get\w* | http\.Get\b
        | (?P<object> [\w$.\])]* ) (?: \. | -> ) (?-i: get | head | post | options | request | putrequest | urlopen | fetch | open | send | sendall | stream ) \s*\(
        "#,
    )
});

/// Functions of libraries.
pub(crate) static LIBRARY: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)^(?:requests|httpx|axios|https?|urllib\w*|Net)\b[.:]"));

/// Objects whose `get` fetches nothing.
static DICTIONARY: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)(?:environ|env|config|conf|cfg|settings|options|opts|args|headers|hdrs|data|doc|json|dict|params|kwargs|\)|\])$",
    )
});

/// The option with which `nc` and similar programs connect and send nothing.
static CONNECTS: LazyLock<Regex> = LazyLock::new(|| regex(r"\s-\w*z"));

/// Statements that mention a URL and do not fetch it.
pub(crate) static MENTIONS: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"(?xi)^(?: puts | p | (?:self\.)?log(?:ger|ging)?(?:\.\w+)* | \w+\.std\w+\.\w+ | \[\[? | test | true | false
            | return | case | e?grep | sed | awk | ip6?tables\S* | nft | ip | route | ufw | firewall-cmd | ping | nslookup
            | dig | host | getent | import | from | assert | raise | class | throw | Write-\w+ | Add-Content | Out-\w+ | New-NetRoute
            | netsh | git | Test-\w+ | parser\.\w+ | \w+\.add_argument | rm | unset | default | description
            | local | shift | set | date | tee | tput | fi | done | esac ) (?: [\s(:"'] | $ )"#,
    )
});

/// Programs that print for people, names that scripts give to such functions, and files for people.
pub(crate) static FOR_PEOPLE: LazyLock<Regex> = LazyLock::new(|| {
    const WORD: &str = r"log(?:ger|ging)?|print[fn]?|puts|console|echo|cat|wall|write|host|output|say|die|usage|help|abort|exit|warn(?:ing)?|err(?:or)?|info|debug|trace|fatal|fail(?:ed|ure)?|notice|msg|message";
    regex(&format!(
        r"(?i)^(?:(?:{WORD})(?:[._:-]+(?:{WORD}))*|:|@(?:.*/)?(?:motd|issue(?:\.net)?|banner|README[^/]*)|@.*\.(?:md|html?|log))$",
    ))
});

/// The header that sends a token; with `-ttl`, the one that requests it.
pub(crate) static HEADER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)(?:^|[^\w-]|-H|\\[nrt])(?P<name>x-aws-ec2-metadata-token(?P<ttl>-ttl-seconds)?)(?:[^\w-]|$)",
    )
});

/// The HTTP method, which only the request for a token uses.
pub(crate) static PUT: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"(?xi)
        (?: \s-\w*X\s* | --request[\s=]+ | --method[\s=]+ | -Method[\s:]+ | -CustomMethod\s+
          | \bmethod["']?\s*(?:=>|[:=])\s* | [(,]\s* | \bhttps?\s+ ) ["']* PUT\b
        | (?:\.|->|::)put\b | ["']PUT["']
        "#,
    )
});

/// The path at which tokens are requested, and the paths of Google's and Azure's services, which
/// have the same address and no IMDSv1.
pub(crate) static OTHER_PATH: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"api/token|/computeMetadata/|/metadata/(?:instance|identity|scheduledevents|attested|loadbalancer|versions)",
    )
});

/// The headers without which Google's and Azure's services refuse a call.
pub(crate) static OTHER_HEADER: LazyLock<Regex> = LazyLock::new(|| {
    regex(r#"(?i)\bmetadata-flavor\b|(?:["']|-H\s*)metadata["']?\s*(?::|=>?)\s*["']?true\b"#)
});

/// Functions of `boto`, the predecessor of boto3, which sends no tokens.
pub(crate) static BOTO: LazyLock<Regex> =
    LazyLock::new(|| regex(r"\bget_instance_(?:metadata|userdata|identity)\b"));

/// Hosts that are reached without a proxy, and commands in quotes that change or test the network.
pub(crate) static NOT_CALLED: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"(?xi) (?:--)?no_?proxy["']?\s*[=:,]?\s*(?: "[^"]*" | '[^']*' | [^\s"';]+ )
        | ["'](?:/\S*/)?(?: ip6?tables\S* | nft | ip | route | ufw | firewall-cmd | netsh | ping )["']?[\s,][^;&|/()\]]*(?:169\.254\.169\.254|\])"#,
    )
});

/// The beginning of a shell assignment, up to its value.
pub(crate) static ASSIGNS: LazyLock<Regex> = LazyLock::new(|| regex(r"^\w+(?:\[[^\]]*\])?\+?=$"));

/// The name of the function that a statement in any language but shell defines.
pub(crate) fn defined_function(text: &str) -> Option<&str> {
    let found = FUNCTION.captures(text).and_then(|found| found.get(1));
    found
        .map(|found| found.as_str())
        .or_else(|| assigned_function(text))
}

/// The name of the function that a statement assigns: `name = (…) =>`.
pub(crate) fn assigned_function(text: &str) -> Option<&str> {
    Some(ASSIGNED_FUNCTION.captures(text)?.get(1)?.as_str())
}

/// Where the head of a function is.
pub(crate) fn function_head(text: &str) -> Option<Range<usize>> {
    let found = HEAD.find(text).or_else(|| ASSIGNED_FUNCTION.find(text));
    Some(found?.range())
}

static HEAD: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)^(?:async\s+)?(?:def|function|sub|func)\s+[\w.:-]+\s*(?:\([^()]*\))?(?:\s*->[^:]*)?\s*:?\s*",
    )
});

/// `name = (…) =>` and similar.
static ASSIGNED_FUNCTION: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:const\s+|let\s+|var\s+|my\s+)?\$?(\w+)\s*=\s*(?:async\s*)?(?:(?:\([^()]*\)|\w+)\s*=>|(?:lambda|function|sub)\b)",
    )
});

/// The beginning of a function's definition.
pub(crate) static FUNCTION: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(?i)^(?:async\s+)?(?:def|function|sub|func)\s+([\w:.-]+)\s*(?:[^\s=]|$)")
});

/// The function that a statement calls, if that is all it does.
pub(crate) static CALLED: LazyLock<Regex> = LazyLock::new(|| regex(r#"^([\w.:-]+)\s*[("']"#));

/// A parameter that holds a header, or arguments among which it may be.
pub(crate) static HEADER_PARAMETER: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)\b(?:\w*(?:head|hdr|opt|init|args|config)\w*|h)\b"));
pub(crate) static SHELL_PARAMETER: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"(?:^|[\s="'])\$\{?[1-9@*]"#));

/// A comment in a Windows batch file.
pub(crate) static BATCH_COMMENT: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)^@?(?:rem\b|::)"));

/// A program that runs scripts.
pub(crate) static INTERPRETER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)\b(python|powershell|pwsh|perl|ruby|node|php|bash|dash|ksh|zsh|sh)(?:\.exe)?[\d.]*(?:\s|$)",
    )
});

/// The file to which output is written.
pub(crate) static TARGET: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?:>>?\|?|\btee\s+(?:-\w+\s+)*)\s*([^\s;&|<>()]+)"));

/// A command that only prints.
pub(crate) static PRINTS: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^(?:(?:if|then|else|do|while|until|sudo|!|\{)\s+)*(?:echo|printf|cat|tee)\b")
});

/// The output of a block that is redirected or piped.
pub(crate) static BLOCK_OUTPUT: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?m)(?:^|[\s;])(?:done|fi|esac)\s*[|>]"));

/// A line that occurs only in Python.
pub(crate) static PYTHON_LINE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?m)^\s*(?:import\s+[\w.]+(?:\s+as\s+\w+|\s*,\s*[\w.]+)*\s*$|from\s+[\w.]+\s+import\b|def\s+\w+\(.*\).*:\s*$)",
    )
});

/// A line that occurs only in PowerShell.
pub(crate) static POWERSHELL_LINE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?mi)^\s*(?:\[[\w.]+\]\s*)?\$[\w:]+\s*=|^\s*(?:param\s*\(|Set-ExecutionPolicy|Invoke-\w+|Import-Module)",
    )
});

/// Compiles a constant pattern.
#[expect(
    clippy::expect_used,
    reason = "the patterns are constants, and tests compile them all"
)]
pub(crate) fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern")
}
