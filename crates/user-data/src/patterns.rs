//! The patterns by which calls and languages are recognized.

use std::ops::Range;

use regex::Regex;

/// Defines constant patterns, which are compiled at their first use.
macro_rules! patterns {
    ($($(#[$doc:meta])* $visibility:vis $name:ident = $pattern:expr;)*) => {$(
        $(#[$doc])*
        $visibility static $name: std::sync::LazyLock<regex::Regex> =
            std::sync::LazyLock::new(|| $crate::patterns::regex($pattern));
    )*};
}
pub(crate) use patterns;

/// The programs and functions in the text that fetch URLs.
pub(crate) fn callers(text: &str) -> impl Iterator<Item = Range<usize>> {
    let found = CALLER.captures_iter(text).filter(move |found| {
        let object = found.name("object");
        let reads_dictionary = object.is_some_and(|object| DICTIONARY.is_match(object.as_str()));
        let only_connects = found.name("connects").is_some() && CONNECTS.is_match(text);
        !reads_dictionary && !only_connects
    });
    found.map(|found| found.get_match().range())
}

patterns! {
    /// Programs and functions that fetch URLs. A variable may have the name of the program that it
    /// holds.
    pub(crate) CALLER = r#"(?xi)
        (?: \$\{? )? \b(?: curl | wget2? | aria2c | lynx | w3m | lwp-request | pycurl )(?:\.exe)?\b
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
        "#;

    /// Objects whose `get` fetches nothing.
    DICTIONARY = r"(?i)(?:environ|env|config|conf|cfg|settings|options|opts|args|headers|hdrs|data|doc|json|dict|params|kwargs|\)|\])$";

    /// The option with which `nc` and similar programs connect and send nothing.
    CONNECTS = r"\s-\w*z";

    /// Statements that mention a URL and do not fetch it.
    pub(crate) MENTIONS = r#"(?xi)^(?: puts | p | (?:self\.)?log(?:ger|ging)?(?:\.\w+)* | \w+\.std\w+\.\w+ | \[\[? | test | true | false
            | return | case | e?grep | sed | awk | ip6?tables\S* | nft | ip | route | ufw | firewall-cmd | ping | nslookup
            | dig | host | getent | import | from | assert | raise | class | throw | Write-\w+ | Add-Content | Out-\w+ | New-NetRoute
            | netsh | git | Test-\w+ | parser\.\w+ | \w+\.add_argument | rm | unset | default | description
            | local | shift | set | date | tee | tput | fi | done | esac ) (?: [\s(:"'] | $ )"#;

    /// Programs that print for people, names that scripts give to such functions, and files for people.
    pub(crate) FOR_PEOPLE = r"(?xi)^(?: (?:(?: log(?:ger|ging)? | print[fn]? | puts | console | echo | cat | wall | write | host | output | say | die | usage
            | help | abort | exit | warn(?:ing)? | err(?:or)? | info | debug | trace | fatal | fail(?:ed|ure)? | notice | msg | message ) (?:[._:-]+|$))+
        | : | @(?:.*/)?(?:motd|issue(?:\.net)?|banner|README[^/]*) | @.*\.(?:md|html?|log) )$";

    /// The header that sends a token; with `-ttl`, the one that requests it.
    pub(crate) HEADER = r"(?i)(?:^|[^\w-]|-H|\\[nrt])(?P<name>x-aws-ec2-metadata-token(?P<ttl>-ttl-seconds)?)(?:[^\w-]|$)";

    /// The HTTP method, which only the request for a token uses.
    pub(crate) PUT = r#"(?xi)
        (?: \s-\w*X\s* | --request[\s=]+ | --method[\s=]+ | -Method[\s:]+ | -CustomMethod\s+
          | \bmethod["']?\s*(?:=>|[:=])\s* | [(,]\s* | \bhttps?\s+ ) ["']* PUT\b
        | (?:\.|->|::)put\b | ["']PUT["']
        "#;

    /// The path at which tokens are requested, and the paths of Google's and Azure's services, which
    /// have the same address and no IMDSv1.
    pub(crate) OTHER_PATH = r"api/token|/computeMetadata/|/metadata/(?:instance|identity|scheduledevents|attested|loadbalancer|versions)";

    /// The headers without which Google's and Azure's services refuse a call.
    pub(crate) OTHER_HEADER = r#"(?i)\bmetadata-flavor\b|(?:["']|-H\s*)metadata["']?\s*(?::|=>?)\s*["']?true\b"#;

    /// Functions of `boto`, the predecessor of boto3, which sends no tokens.
    pub(crate) BOTO = r"\bget_instance_(?:metadata|userdata|identity)\b";

    /// Hosts that are reached without a proxy, and commands in quotes that change or test the network.
    pub(crate) NOT_CALLED = r#"(?xi) (?:--)?no_?proxy["']?\s*[=:,]?\s*(?: "[^"]*" | '[^']*' | [^\s"';]+ )
        | ["'](?:/\S*/)?(?: ip6?tables\S* | nft | ip | route | ufw | firewall-cmd | netsh | ping )["']?[\s,][^;&|/()\]]*(?:169\.254\.169\.254|\])"#;

    /// The beginning of a shell assignment, up to its value.
    pub(crate) ASSIGNS = r"(?:^|\s)\w+(?:\[[^\]]*\])?\+?=$";

    /// The head of a function's definition.
    pub(crate) FUNCTION = r"(?i)^(?:async\s+)?(?:def|function|sub|func)\s+(?P<name>[\w:.-]+)\s*(?:\([^()]*\)(?:\s*->[^:]*)?\s*:?\s*|[^\s=]|$)";

    /// The head of a function that is assigned to its name: `name = (…) =>` and similar.
    pub(crate) ASSIGNED_FUNCTION = r"^(?:const\s+|let\s+|var\s+|my\s+)?\$?(?P<name>\w+)\s*=\s*(?:async\s*)?(?:(?:\([^()]*\)|\w+)\s*=>|(?:lambda|function|sub)\b)";

    /// The function that a statement calls, if that is all it does.
    pub(crate) CALLED = r#"^([\w.:-]+)\s*[("']"#;

    /// A parameter that holds a header, or arguments among which it may be.
    pub(crate) HEADER_PARAMETER = r"(?i)\b(?:\w*(?:head|hdr|opt|init|args|config)\w*|h)\b|\*\*\w";
    pub(crate) SHELL_PARAMETER = r#"(?:^|[\s="'])\$\{?[1-9@*]"#;

    /// Nothing, or a comment in a Windows batch file.
    pub(crate) NO_COMMAND = r"(?i)^(?:$|@?(?:rem\b|::))";

    /// A program that runs scripts.
    pub(crate) INTERPRETER = r"(?i)\b(python|powershell|pwsh|perl|ruby|node|php|bash|dash|ksh|zsh|sh)(?:\.exe)?[\d.]*(?:\s|$)";

    /// The file to which output is written.
    pub(crate) TARGET = r"(?:>>?\|?|\btee\s+(?:-\w+\s+)*)\s*([^\s;&|<>()]+)";

    /// A command that only prints.
    pub(crate) PRINTS = r"^(?:(?:if|then|else|do|while|until|sudo|!|\{)\s+)*(?:echo|printf|cat|tee)\b";

    /// The output of a block that is redirected or piped.
    pub(crate) BLOCK_OUTPUT = r"(?m)(?:^|[\s;])(?:done|fi|esac)\s*[|>]";

    /// A line that occurs only in Python.
    pub(crate) PYTHON_LINE = r"(?m)^\s*(?:import\s+[\w.]+(?:\s+as\s+\w+|\s*,\s*[\w.]+)*\s*$|from\s+[\w.]+\s+import\b|def\s+\w+\(.*\).*:\s*$)";

    /// A line that occurs only in PowerShell.
    pub(crate) POWERSHELL_LINE = r"(?mi)^\s*(?:\[[\w.]+\]\s*)?\$[\w:]+\s*=|^\s*(?:param\s*\(|Set-ExecutionPolicy|Invoke-\w+|Import-Module)";
}

/// The name of the function that a statement in any language but shell defines.
pub(crate) fn defined_function(text: &str) -> Option<&str> {
    let found = FUNCTION.captures(text);
    let found = found.or_else(|| ASSIGNED_FUNCTION.captures(text))?;
    Some(found.name("name")?.as_str())
}

/// Where the head of a function ends.
pub(crate) fn function_head(text: &str) -> Option<usize> {
    let found = FUNCTION.find(text);
    Some(found.or_else(|| ASSIGNED_FUNCTION.find(text))?.end())
}

/// Compiles a constant pattern.
#[expect(
    clippy::expect_used,
    reason = "the patterns are constants, and tests compile them all"
)]
pub(crate) fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern")
}
