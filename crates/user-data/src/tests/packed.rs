//! User data within gzip, MIME multipart, cloud-config and other encodings.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::{check, found};
use crate::{NotRead, search};

const BAD: &str = "#!/bin/bash\ncurl http://169.254.169.254/latest/\n";
const CALL: &str = "curl http://169.254.169.254/latest/";

fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::best());
    writer.write_all(bytes.as_ref()).unwrap();
    writer.finish().unwrap()
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

#[test]
fn gzip_and_a_second_base64_are_opened() {
    check(gzip(BAD), &[&format!("2 {CALL}")]);
    check(gzip(gzip(BAD)), &[&format!("2 {CALL}")]);
    check(base64(BAD), &[&format!("2 {CALL}")]);
    check(base64(gzip(BAD)), &[&format!("2 {CALL}")]);
}

#[test]
fn utf_16_with_a_byte_order_mark_is_read() {
    let text = "<powershell>\r\nirm http://169.254.169.254/latest/\r\n</powershell>";
    let little: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    let big: Vec<u8> = [0xfe, 0xff]
        .into_iter()
        .chain(text.encode_utf16().flat_map(u16::to_be_bytes))
        .collect();
    for bytes in [little, big, [b"\xef\xbb\xbf", text.as_bytes()].concat()] {
        check(bytes, &["2 irm http://169.254.169.254/latest/"]);
    }
}

/// A multipart of three parts; `parameter` is its boundary, with or without quotes.
fn multipart(parameter: &str) -> String {
    let boundary = parameter.trim_matches('"');
    format!(
        "Content-Type: multipart/mixed; boundary={parameter}\nMIME-Version: 1.0\n\n\
         --{boundary}\nContent-Type: text/cloud-config; charset=\"us-ascii\"\nMIME-Version: 1.0\n\
         Content-Transfer-Encoding: 7bit\nContent-Disposition: attachment; filename=\"cloud-config.txt\"\n\n\
         #cloud-config\nruncmd:\n  - {CALL}\n\n\
         --{boundary}\nContent-Type: text/x-shellscript\nContent-Transfer-Encoding: base64\n\n{}\n\
         --{boundary}\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n{}\n\
         --{boundary}--\n",
        base64(BAD),
        base64(gzip(BAD)),
    )
}

#[test]
fn the_parts_of_a_multipart_are_opened_and_named() {
    let expected = [
        format!("3 {CALL} in part 1 (cloud-config.txt)"),
        format!("2 {CALL} in part 2"),
        format!("2 {CALL} in part 3"),
    ];
    for text in [
        multipart("\"==BOUNDARY==\""),
        multipart("\"//\""),
        multipart("abc"),
    ] {
        assert_eq!(found(&text), expected, "{text}");
        assert_eq!(found(text.replace('\n', "\r\n")), expected, "{text}");
        assert_eq!(found(gzip(&text)), expected, "{text}");
    }
}

#[test]
fn a_multipart_within_a_multipart_is_opened() {
    let outer = format!(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=outer\n\n--outer\n{}\n--outer--\n",
        multipart("inner")
    );
    assert_eq!(found(outer).len(), 3);
}

#[test]
fn cloud_config_is_read_as_yaml() {
    check(
        format!(
            "#cloud-config\npackages: [jq]\nbootcmd:\n  - [sh, -c, \"curl -s 'http://169.254.169.254/latest/meta-data/mac' > /x\"]\nruncmd:\n  - [ curl, -s, -H, 'Secret: x', \"http://169.254.169.254/latest/\" ]\n  - |\n    set -e\n\n    {CALL}\n  - echo done\n"
        ),
        &[
            "4 curl http://169.254.169.254/latest/meta-data/mac",
            &format!("6 {CALL}"),
            &format!("10 {CALL}"),
        ],
    );
    check(
        format!(
            "## template: jinja\n#cloud-config\n{{% if v1.region %}}\nruncmd:\n  - {CALL}\n{{% endif %}}\n"
        ),
        &[&format!("5 {CALL}")],
    );
    check(
        format!("#cloud-config\nruncmd:\n  - |\n\n\n    set -e\n    {CALL}\n"),
        &[&format!("7 {CALL}")],
    );
    check(
        "#cloud-config\nruncmd:\n  - [curl, -H, \"X-aws-ec2-metadata-token: $T\", \"http://169.254.169.254/latest/\"]\n  - 'TOKEN=$(curl -sX PUT http://169.254.169.254/latest/api/token -H \"X-aws-ec2-metadata-token-ttl-seconds: 60\")'\n  - 'curl -H \"X-aws-ec2-metadata-token: $TOKEN\" http://169.254.169.254/latest/meta-data/mac'\n# curl http://169.254.169.254/latest/\n",
        &[],
    );
}

#[test]
fn files_that_cloud_config_writes_are_decoded() {
    let good =
        "#!/bin/sh\ncurl -H \"X-aws-ec2-metadata-token: $T\" http://169.254.169.254/latest/\n";
    for (encoding, content) in [
        ("b64", base64(BAD)),
        ("base64", base64(BAD).trim_end_matches('=').to_owned()),
        ("gz+b64", base64(gzip(BAD))),
        ("gzip+base64", base64(gzip(BAD))),
    ] {
        check(
            format!(
                "#cloud-config\nwrite_files:\n  - encoding: {encoding}\n    content: {content}\n    path: /opt/a.sh\n"
            ),
            &[&format!("2 {CALL} in file /opt/a.sh")],
        );
    }
    check(
        format!(
            "#cloud-config\nwrite_files:\n- path: /a\n  encoding: b64\n  content: {}\n- path: /b.py\n  content: |\n    import requests\n    requests.get('http://169.254.169.254/latest/')\n",
            base64(good)
        ),
        &["9 requests.get http://169.254.169.254/latest/"],
    );
}

#[test]
fn unreadable_user_data_is_an_error() {
    let mut cut = gzip(BAD);
    cut.truncate(cut.len() - 12);
    assert!(matches!(search(&cut), Err(NotRead::Gzip(_))));
    let broken = "#cloud-config\nwrite_files:\n- {path: /a, encoding: b64, content: '%%%'}\n";
    assert!(matches!(search(broken.as_bytes()), Err(NotRead::Base64(_))));
    let nested = (0..20).fold(gzip(BAD), |inner, _| gzip(inner));
    assert!(matches!(search(&nested), Err(NotRead::TooDeep)));
    // Findings in other parts are returned all the same.
    check(
        format!("{broken}runcmd:\n- {CALL}\n"),
        &[&format!("5 {CALL}")],
    );
}

#[test]
fn bombs_are_refused() {
    let bomb = gzip(vec![b' '; 17 * 1024 * 1024]);
    assert!(bomb.len() < 20_000);
    assert!(matches!(search(&bomb), Err(NotRead::TooLarge)));
    assert!(matches!(search(&gzip(&bomb)), Err(NotRead::TooLarge)));
    let half = base64(gzip(vec![b'\n'; 9 * 1024 * 1024]));
    let file = format!("- {{path: /a, encoding: gz+b64, content: {half}}}\n");
    let twice = format!("#cloud-config\nwrite_files:\n{file}{file}");
    assert!(matches!(search(twice.as_bytes()), Err(NotRead::TooLarge)));
    let laughs: String = (1..30)
        .map(|n| format!("a{n}: &a{n} [*a{0},*a{0},*a{0},*a{0},*a{0},*a{0}]\n", n - 1))
        .collect();
    check(format!("#cloud-config\na0: &a0 [x,x,x]\n{laughs}"), &[]);
}

#[test]
fn time_grows_linearly_with_hostile_user_data() {
    let many = 200_000;
    for text in [
        "[".repeat(many),
        format!("#cloud-config\n{}", "[".repeat(many)),
        format!("#cloud-config\n{}", "{a: ".repeat(many)),
        format!("#cloud-config\n{}", "- ".repeat(many)),
        format!("#cloud-config\n{}", "? ".repeat(many)),
        "$(".repeat(many),
        "\"$(".repeat(many),
        "`".repeat(many),
        "a\"b\"".repeat(many),
        "f() {\n".repeat(many),
        format!("f() {{\n{}", "{\n x y\n".repeat(many)),
        "<<A ".repeat(many),
        "a <<A ".repeat(many / 4) + "\n",
        "echo a | ".repeat(many),
        format!(
            "#!/usr/bin/node\n{}{}",
            "fetch(".repeat(many),
            ")".repeat(many)
        ),
        format!("#!/usr/bin/node\n{}", "fetch(), ".repeat(many)),
        format!("#!/usr/bin/node\n{}", "({".repeat(many)),
        format!("#!/usr/bin/node\n`{}", "${".repeat(many)),
        format!("#ps1\n{}", "$(".repeat(many)),
        "A=169.254.169.254 B=$A ".repeat(many / 4),
        format!("curl {}", "http://169.254.169.254/ ".repeat(many / 4)),
        format!("#ps1\n({}", "\n".repeat(many)),
        format!("#ps1\n{}", "@{".repeat(many)),
        format!("#!/usr/bin/python\n{}", "(".repeat(many)),
        format!("#!/usr/bin/python\n{}", "'''".repeat(many)),
        (0..many / 4)
            .map(|n| format!("V{n}=$V{}\n", n + 1))
            .collect(),
    ] {
        let started = std::time::Instant::now();
        let _ = search(text.as_bytes());
        let start: String = text.chars().take(40).collect();
        // If it were quadratic, it would take many minutes.
        assert!(started.elapsed().as_secs() < 60, "{start}");
    }
}
