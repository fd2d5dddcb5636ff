//! Calls without a token in shell scripts.

use super::{check, check_all};

#[test]
fn calls_of_curl_and_wget_are_found() {
    check_all(&[
        (
            "#!/bin/bash\nyum update -y\nID=$(curl -s http://169.254.169.254/latest/meta-data/instance-id)\n",
            &["3 curl http://169.254.169.254/latest/meta-data/instance-id"],
        ),
        (
            "#!/bin/sh\nAZ=`wget -q -O - http://169.254.169.254/latest/meta-data/placement/availability-zone`\n",
            &["2 wget http://169.254.169.254/latest/meta-data/placement/availability-zone"],
        ),
        (
            "#!/bin/bash\ncurl --silent \\\n  --retry 3 \\\n  http://169.254.169.254/latest/dynamic/instance-identity/document | jq -r .region\n",
            &["2 curl http://169.254.169.254/latest/dynamic/instance-identity/document"],
        ),
        (
            "curl 169.254.169.254/latest/meta-data/ | head\n",
            &["1 curl 169.254.169.254/latest/meta-data/"],
        ),
        (
            "if ! curl -s http://169.254.169.254/latest/ >/dev/null; then echo no; fi\n",
            &["1 curl http://169.254.169.254/latest/"],
        ),
        (
            "curl -o a http://example.com/a\r\ncurl http://169.254.169.254/latest/\r\n",
            &["2 curl http://169.254.169.254/latest/"],
        ),
        (
            "sudo hostnamectl set-hostname web-$(curl --silent http://169.254.169.254/latest/meta-data/instance-id).example.com\n",
            &["1 curl http://169.254.169.254/latest/meta-data/instance-id"],
        ),
        (
            "echo it's fine\ncurl http://169.254.169.254/latest/\necho that's it\n",
            &["2 curl http://169.254.169.254/latest/"],
        ),
        (
            "sed -i \"s/ID/$(curl -s http://169.254.169.254/latest/meta-data/mac)/\" /etc/x\n",
            &["1 curl http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "cat <<< start\ncurl http://169.254.169.254/latest/\n",
            &["2 curl http://169.254.169.254/latest/"],
        ),
        (
            "U=(\n  $X\n  `curl -s http://169.254.169.254/latest/meta-data/mac`\n)\n",
            &["3 curl http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "#!/bin/sh\nN=$((1 << 3))\ncat > /opt/a.py <<EOF\nimport os\nEOF\nU=http://169.254.169.254/latest/\ncurl $U\n",
            &["7 curl $U"],
        ),
        (
            "read -r ID < <(curl -s http://169.254.169.254/latest/meta-data/mac)\n",
            &["1 curl http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "docker run --rm curlimages/curl -s http://169.254.169.254/latest/meta-data/mac\n",
            &["1 curl http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "case $(curl -s http://169.254.169.254/latest/meta-data/instance-type) in\n t3*) echo small ;;\nesac\n",
            &["1 curl http://169.254.169.254/latest/meta-data/instance-type"],
        ),
    ]);
}

#[test]
fn calls_of_other_programs_are_found() {
    check_all(&[
        (
            "exec 3<>/dev/tcp/169.254.169.254/80\n",
            &["1 <>/dev/tcp/ 169.254.169.254/80"],
        ),
        (
            "printf 'GET /latest/meta-data/ HTTP/1.0\\r\\n\\r\\n' | nc 169.254.169.254 80\n",
            &["1 nc 169.254.169.254"],
        ),
        (
            "http --body http://169.254.169.254/latest/meta-data/\n",
            &["1 http http://169.254.169.254/latest/meta-data/"],
        ),
    ]);
}

#[test]
fn every_form_of_the_address_is_found() {
    check_all(&[
        (
            "curl http://[fd00:ec2::254]/latest/meta-data/\n",
            &["1 curl http://[fd00:ec2::254]/latest/meta-data/"],
        ),
        (
            "curl -6 http://[FD00:EC2:0:0::254]:80/latest/\n",
            &["1 curl http://[FD00:EC2:0:0::254]:80/latest/"],
        ),
        (
            "wget -qO- instance-data/latest/user-data\n",
            &["1 wget instance-data/latest/user-data"],
        ),
        (
            "curl http://instance-data.ec2.internal/latest/\n",
            &["1 curl http://instance-data.ec2.internal/latest/"],
        ),
        (
            "curl http://2852039166/latest/; curl 0xA9FEA9FE/1.0/\n",
            &["1 curl http://2852039166/latest/", "1 curl 0xA9FEA9FE/1.0/"],
        ),
    ]);
}

#[test]
fn names_are_resolved() {
    check_all(&[
        (
            "#!/bin/bash\nMD=http://169.254.169.254/latest/meta-data\nIP=$(curl -s $MD/local-ipv4)\nH=\"$(curl -s \"${MD}/hostname\")\"\n",
            &["3 curl $MD/local-ipv4", "4 curl ${MD}/hostname"],
        ),
        (
            "#!/bin/bash\nIP=169.254.169.254\nexport URL=\"http://${IP}/latest\"\nCURL='curl -sf'\n$CURL $URL/meta-data/ami-id\n",
            &["5 $CURL $URL/meta-data/ami-id"],
        ),
        (
            "#!/bin/bash\nget_md() {\n  curl -s \"http://169.254.169.254/latest/meta-data/$1\"\n}\nREGION=$(get_md placement/region)\n",
            &["3 curl http://169.254.169.254/latest/meta-data/$1"],
        ),
        (
            "#!/bin/bash\nfetch() { curl -sf \"$1\"; }\nfetch http://169.254.169.254/latest/meta-data/mac\n",
            &["3 http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "alias md='curl -s http://169.254.169.254/latest/meta-data/'\nmd\n",
            &["2 md"],
        ),
        (
            "for i in mac ami-id; do\n  curl http://169.254.169.254/latest/meta-data/$i\ndone\n",
            &["2 curl http://169.254.169.254/latest/meta-data/$i"],
        ),
        (
            "for u in http://169.254.169.254/latest/meta-data/mac; do\n  curl -s $u\ndone\n",
            &["2 curl $u"],
        ),
        (
            "export METADATA=http://169.254.169.254/latest/meta-data/\n./install.sh\n",
            &["1 http://169.254.169.254/latest/meta-data/"],
        ),
        (
            "U=${IMDS_URL:-http://169.254.169.254}/latest\nwget -qO- \"$U/meta-data/mac\"\n",
            &["2 wget $U/meta-data/mac"],
        ),
        (
            "imds() { curl -sH \"X-aws-ec2-metadata-token: $T\" http://169.254.169.254/latest/$1; }\nID=$(imds mac)\ncurl http://169.254.169.254/latest/$ID\n",
            &["3 curl http://169.254.169.254/latest/$ID"],
        ),
        (
            "url() { echo \"http://169.254.169.254/latest/$1\"; }\ncurl -s \"$(url mac)\"\n",
            &["2 curl $(url)"],
        ),
        (
            "echo hello > /tmp/h\ncurl -s -H @/tmp/h http://169.254.169.254/latest/meta-data/mac\n",
            &["2 curl http://169.254.169.254/latest/meta-data/mac"],
        ),
    ]);
}

#[test]
fn nested_scripts_are_searched() {
    check_all(&[
        (
            "bash -c 'T=$(curl -s http://169.254.169.254/latest/meta-data/)'\n",
            &["1 curl http://169.254.169.254/latest/meta-data/"],
        ),
        (
            "echo '@reboot curl http://169.254.169.254/latest/meta-data/ > /x' | crontab -\n",
            &["1 curl http://169.254.169.254/latest/meta-data/"],
        ),
        (
            "cat > /x.json <<EOF\n{\"id\": \"$(curl -s http://169.254.169.254/latest/meta-data/mac)\"}\nEOF\n",
            &["2 curl http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "awk 'BEGIN { \"curl -s http://169.254.169.254/latest/meta-data/mac\" | getline m; print m }'\n",
            &["1 curl http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "cat > /opt/main.go <<'EOF'\npackage main\nfunc get() {\n  req, _ := http.NewRequest(\"GET\", \"http://169.254.169.254/latest/meta-data/mac\", nil)\n  resp, err := client.Do(req)\n}\nEOF\n",
            &["4 http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            r#"{"ignition":{"version":"3.3.0"},"systemd":{"units":[{"name":"a.service","contents":"[Service]\nExecStart=/usr/bin/curl http://169.254.169.254/latest/meta-data/mac\n"}]}}"#,
            &["1 curl http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            r#"{"ignition":{"version":"3.3.0"},"storage":{"files":[{"path":"/opt/a.sh","contents":{"source":"data:;base64,Y3VybCBodHRwOi8vMTY5LjI1NC4xNjkuMjU0L2xhdGVzdC8K"}}]}}"#,
            &["1 curl http://169.254.169.254/latest/ in data URL"],
        ),
        (
            r#"{"ignition":{"version":"3.3.0"},"storage":{"files":[{"path":"/opt/a.sh","contents":{"source":"data:,%23!%2Fbin%2Fsh%0Acurl%20http%3A%2F%2F169.254.169.254%2Flatest%2F%0A"}}]}}"#,
            &["2 curl http://169.254.169.254/latest/ in data URL"],
        ),
    ]);
}

#[test]
fn one_call_without_a_token_among_calls_with_one_is_found() {
    let good = "TOKEN=$(curl -sX PUT http://169.254.169.254/latest/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 60')";
    let with =
        "curl -H \"X-aws-ec2-metadata-token: $TOKEN\" http://169.254.169.254/latest/meta-data/mac";
    let bad = "curl http://169.254.169.254/latest/meta-data/ami-id";
    let nested = format!("{with}; {bad}").replace('\'', "\"");
    for (line, script) in [
        (3, format!("{good}\n{with}\n{bad}\n")),
        (1, format!("{good}; {with}; {bad}")),
        (1, format!("{good} && {with} || {bad}")),
        (1, format!("bash -c '{nested}'\n")),
        (1, format!("{with} -d \"$({bad})\"")),
        (4, format!("cat > /x <<'EOF'\n{good}\n{with}\n{bad}\nEOF\n")),
        (2, format!("get() {{\n{with}/$1 || {bad}\n}}\n")),
    ] {
        check(script, &[&format!("{line} {bad}")]);
    }
    check_all(&[
        (
            "f() { curl -sH \"X-aws-ec2-metadata-token: $T\" \"$1\" || curl \"$1\"; }\nf http://169.254.169.254/latest/\n",
            &["2 http://169.254.169.254/latest/"],
        ),
        (
            "H=\"X-aws-ec2-metadata-token: $T\"\nID=$(curl -H \"$H\" http://169.254.169.254/latest/meta-data/mac)\ncurl http://169.254.169.254/latest/$ID\n",
            &["3 curl http://169.254.169.254/latest/$ID"],
        ),
    ]);
}

#[test]
fn the_words_hold_the_call_and_nothing_else_of_the_line() {
    check_all(&[
        (
            "SECRET=s3cr3t curl -u admin:hunter2 -H 'Authorization: Bearer abc' -d key=val 'http://u:p@169.254.169.254/latest/user-data?key=s3cr3t#x' > /root/out",
            &["1 curl http://169.254.169.254/latest/user-data"],
        ),
        (
            "curl http://169.254.169.254:hunter2@example.com/",
            &["1 curl http://169.254.169.254"],
        ),
        (
            "curl \"http://169.254.169.254/latest/\u{1b}[31m\"",
            &["1 curl http://169.254.169.254/latest/"],
        ),
        (
            "MD=http://me:hunter2@169.254.169.254\ncurl ${MD:-http://x:hunter2@y}/latest",
            &["2 curl ${MD"],
        ),
    ]);
    let long = format!("curl http://169.254.169.254/latest/{}", "a".repeat(500));
    let findings = super::search(long.as_bytes()).unwrap();
    assert_eq!(findings[0].words.chars().count(), 120);
    assert!(findings[0].words.ends_with('…'));
}
