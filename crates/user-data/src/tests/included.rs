//! User data that is elsewhere, or in base64 within other formats.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::check;
use crate::{NotRead, search};

const CALL: &str = "curl http://169.254.169.254/latest/meta-data/ami-id";

#[test]
fn user_data_that_is_included_by_its_url_is_not_known_to_be_clean() {
    for text in [
        "#include\n# two scripts\nhttps://files.example/a\nhttps://files.example/b\n",
        "#include https://files.example/a\n",
        "## template: jinja\n#include\nhttps://files.example/{{ v1.region }}\n",
        "#include-once\nhttps://files.example/a\n",
        "Content-Type: multipart/mixed; boundary=b\nMIME-Version: 1.0\n\n--b\nContent-Type: text/x-include-once-url\n\nhttps://files.example/a\n--b--\n",
        "#cloud-config-archive\n- type: text/x-include-url\n  content: https://files.example/a\n",
        "#cloud-config-archive\n- |\n  #include\n  https://files.example/a\n",
        r#"{"ignition":{"version":"3.4.0","config":{"merge":[{"source":"https://files.example/worker"}]}}}"#,
        r#"{"ignition":{"version":"3.4.0","config":{"replace":{"source":"s3://files/worker"}}}}"#,
        r#"{"ignition":{"version":"2.3.0","config":{"append":[{"source":"https://files.example/worker"}]}}}"#,
    ] {
        let found = search(text.as_bytes());
        assert!(matches!(found, Err(NotRead::Included)), "{text}: {found:?}");
    }
    check(
        format!(
            "#cloud-config-archive\n- |\n  #include\n  https://files.example/a\n- |\n  #!/bin/sh\n  {CALL}\n"
        ),
        &[&format!("7 {CALL}")],
    );
}

#[test]
fn what_only_looks_like_an_inclusion_is_read() {
    check(
        "#cloud-config\nwrite_files:\n- path: /a.c\n  content: |\n    #include <stdio.h>\n    // https://files.example\n",
        &[],
    );
    check(
        r#"{"ignition":{"version":"3.4.0","config":{"merge":[{"source":"data:,%7B%7D"}]}}}"#,
        &[],
    );
}

#[test]
fn base64_is_decoded_wherever_the_format_says_that_it_is() {
    let script = STANDARD.encode(format!("#!/bin/sh\nset -e\n{CALL}\n"));
    check(
        format!("#cloud-config\nwrite_files:\n- content: !!binary |\n    {script}\n  path: /a\n"),
        &[&format!("3 {CALL} in file /a")],
    );
    for key in [
        "[settings.host-containers.a]\nuser-data",
        "settings.bootstrap-containers.a.user-data",
    ] {
        check(
            format!("{key} = \"{script}\"\n"),
            &[&format!("3 {CALL} in user-data")],
        );
    }
    let broken = search(b"[settings.host-containers.a]\nuser-data = \"%%%\"\n");
    assert!(matches!(broken, Err(NotRead::Base64(_))), "{broken:?}");
}

#[test]
fn no_line_is_told_that_the_document_does_not_have() {
    check(
        format!("#cloud-config\nruncmd:\n- \"set -e\\n\\n{CALL}\\n\"\n- done\n"),
        &[&format!("3 {CALL}")],
    );
}
