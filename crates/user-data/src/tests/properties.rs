//! Properties of the search for any bytes.

use proptest::prelude::*;

use crate::search;

/// Pieces from which scripts are generated, separated by `¦`.
const PIECES: &str = "\
    curl ¦wget ¦http://169.254.169.254/latest/meta-data/¦$MD¦MD=¦${MD}¦$(¦)¦`¦'¦\"¦\\¦\
    \n¦\r\n¦; ¦ | ¦ && ¦{¦}¦(¦[¦]¦f() {¦function g {¦<<EOF\n¦EOF\n¦<<-'X'\n¦X\n¦#¦//¦/*¦\
    <#¦#>¦@{¦@\"\n¦\n\"@¦-H 'X-aws-ec2-metadata-token: ¦-X PUT¦api/token¦requests.get(¦\
    def h(x):\n  ¦\"\"\"¦#cloud-config\n¦runcmd:\n¦  - ¦- |\n    ¦write_files:\n¦\
    encoding: b64\n¦content: ¦&a ¦*a ¦<powershell>¦</powershell>¦\
    Content-Type: multipart/mixed; boundary=b\n¦MIME-Version: 1.0\n¦\n\n--b\n¦--b--\n¦\
    #!/bin/sh\n¦#!/usr/bin/python\n¦#ps1\n¦import os\n¦\u{1f}¦ä¦\u{2028}¦0xA9FEA9FE¦\
    [fd00:ec2::254]¦::¦!¦%¦? ¦: ¦---\n¦\t";

/// Must never be shown.
const SECRET: &str = "Hunter2Secret";

fn script() -> impl Strategy<Value = String> {
    let pieces: Vec<&str> = PIECES.split('¦').collect();
    prop::collection::vec(prop::sample::select(pieces), 1..41).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = search(&bytes);
    }

    #[test]
    fn no_script_makes_it_panic_and_words_are_short_and_plain(text in script()) {
        for finding in search(text.as_bytes()).unwrap_or_default() {
            prop_assert!(finding.words.chars().count() <= 120);
            prop_assert!(!finding.words.chars().any(char::is_control));
            prop_assert!(finding.line >= 1 && finding.line <= 1 + text.matches(['\n', '\r']).count());
        }
    }

    #[test]
    fn words_hold_nothing_but_the_call(
        caller in prop::sample::select(&["curl", "wget", "sudo curl -s", "/usr/bin/curl"][..]),
        before in prop::sample::select(&["", "x=$SECRET; ", "echo SECRET && ", "A=SECRET ", "T=$(cat SECRET) "][..]),
        options in prop::collection::vec(
            prop::sample::select(&["-u SECRET:SECRET", "-H 'Authorization: SECRET'", "-d \"k=SECRET\"", "--data='SECRET'", "-o /SECRET", "-b c=SECRET"][..]), 0..4),
        user in prop::sample::select(&["", "SECRET@", "a:SECRET@"][..]),
        query in prop::sample::select(&["", "?SECRET", "?a=SECRET&b=SECRET", "#SECRET"][..]),
        quote in prop::sample::select(&["", "'", "\""][..]),
        after in prop::sample::select(&["", " -d SECRET", " > SECRET", " | tee SECRET", "; echo SECRET", " # SECRET", " || die SECRET"][..]),
    ) {
        let options = options.join(" ");
        let url = format!("{quote}http://{user}169.254.169.254/latest/user-data{query}{quote}");
        let line = format!("{before}{caller} {options} {url}{after}\n").replace("SECRET", SECRET);
        let findings = search(line.as_bytes()).unwrap();
        prop_assert_eq!(findings.len(), 1, "{}", line);
        let words = &findings[0].words;
        prop_assert!(words.ends_with("http://169.254.169.254/latest/user-data"), "{}: {}", line, words);
        prop_assert!(!words.contains(SECRET), "{}: {}", line, words);
    }
}
