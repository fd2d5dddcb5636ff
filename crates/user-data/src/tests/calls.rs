//! Calls without a token.

use super::check;

#[test]
fn curl_and_wget_in_shell_are_found() {
    let rows: &[(&str, &[&str])] = &[
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
        (
            "curl 169.254.169.254/latest/meta-data/ | head\n",
            &["1 curl 169.254.169.254/latest/meta-data/"],
        ),
        (
            "bash -c 'T=$(curl -s http://169.254.169.254/latest/meta-data/)'\n",
            &["1 curl http://169.254.169.254/latest/meta-data/"],
        ),
        (
            "echo '@reboot curl http://169.254.169.254/latest/meta-data/ > /x' | crontab -\n",
            &["1 curl http://169.254.169.254/latest/meta-data/"],
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
            "if ! curl -s http://169.254.169.254/latest/ >/dev/null; then echo no; fi\n",
            &["1 curl http://169.254.169.254/latest/"],
        ),
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
        (
            "#!/usr/bin/perl\nuse LWP::Simple;\nmy $id = get(\"http://169.254.169.254/latest/meta-data/instance-id\");\n",
            &["3 http://169.254.169.254/latest/meta-data/instance-id"],
        ),
        (
            "#!/usr/bin/env node\nconst base = 'http://169.254.169.254/latest';\nconst r = await fetch(`${base}/meta-data/mac`);\n",
            &["3 fetch ${base}/meta-data/mac"],
        ),
        (
            "#!/usr/bin/env ruby\nrequire 'net/http'\nputs Net::HTTP.get(URI('http://169.254.169.254/latest/meta-data/mac'))\n",
            &["3 Net::HTTP.get http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "export METADATA=http://169.254.169.254/latest/meta-data/\n./install.sh\n",
            &["1 http://169.254.169.254/latest/meta-data/"],
        ),
        (
            "curl -o a http://example.com/a\r\ncurl http://169.254.169.254/latest/\r\n",
            &["2 curl http://169.254.169.254/latest/"],
        ),
    ];
    for (script, expected) in rows {
        check(script, expected);
    }
}

#[test]
fn one_call_without_a_token_among_calls_with_one_is_found() {
    let good = "TOKEN=$(curl -sX PUT http://169.254.169.254/latest/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 60')";
    let with =
        "curl -H \"X-aws-ec2-metadata-token: $TOKEN\" http://169.254.169.254/latest/meta-data/mac";
    let bad = "curl http://169.254.169.254/latest/meta-data/ami-id";
    let expected = "curl http://169.254.169.254/latest/meta-data/ami-id";
    check(
        format!("{good}\n{with}\n{bad}\n"),
        &[&format!("3 {expected}")],
    );
    check(
        format!("{good}; {with}; {bad}"),
        &[&format!("1 {expected}")],
    );
    check(
        format!("{good} && {with} || {bad}"),
        &[&format!("1 {expected}")],
    );
    check(
        format!(
            "bash -c '{}'\n",
            format!("{with}; {bad}").replace('\'', "\"")
        ),
        &[&format!("1 {expected}")],
    );
    check(
        format!("{with} -d \"$({bad})\""),
        &[&format!("1 {expected}")],
    );
    check(
        format!("cat > /x <<'EOF'\n{good}\n{with}\n{bad}\nEOF\n"),
        &[&format!("4 {expected}")],
    );
    check(
        format!("get() {{\n{with}/$1 || {bad}\n}}\n"),
        &[&format!("2 {expected}")],
    );
    check(
        "f() { curl -sH \"X-aws-ec2-metadata-token: $T\" \"$1\" || curl \"$1\"; }\nf http://169.254.169.254/latest/\n",
        &["2 http://169.254.169.254/latest/"],
    );
    check(
        "H=\"X-aws-ec2-metadata-token: $T\"\nID=$(curl -H \"$H\" http://169.254.169.254/latest/meta-data/mac)\ncurl http://169.254.169.254/latest/$ID\n",
        &["3 curl http://169.254.169.254/latest/$ID"],
    );
}

#[test]
fn powershell_is_understood() {
    let rows: &[(&str, &[&str])] = &[
        (
            "<powershell>\n$id = Invoke-RestMethod -Uri http://169.254.169.254/latest/meta-data/instance-id\n</powershell>\n",
            &["2 Invoke-RestMethod http://169.254.169.254/latest/meta-data/instance-id"],
        ),
        (
            "<powershell>\r\n$id = (iwr -UseBasicParsing `\r\n  'http://169.254.169.254/latest/meta-data/instance-id').Content\r\n</powershell>\r\n",
            &["2 iwr http://169.254.169.254/latest/meta-data/instance-id"],
        ),
        (
            "<powershell>\n$base = \"http://169.254.169.254/latest\"\n$az = irm \"$Base/meta-data/placement/availability-zone\"\n</powershell><persist>true</persist>",
            &["3 irm $Base/meta-data/placement/availability-zone"],
        ),
        (
            "#ps1_sysnative\n$wc = New-Object System.Net.WebClient\n$x = $wc.DownloadString(\"http://169.254.169.254/latest/user-data\")\n",
            &["3 $wc.DownloadString http://169.254.169.254/latest/user-data"],
        ),
        (
            "<powershell>\n(New-Object Net.WebClient).DownloadFile('http://169.254.169.254/latest/meta-data/mac', 'C:\\x')\n</powershell>",
            &["2 DownloadFile http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "<powershell>\n$p = @{\n  Uri = 'http://169.254.169.254/latest/meta-data/mac'\n  Method = 'GET'\n}\n$m = Invoke-RestMethod @p\n</powershell>",
            &["6 Invoke-RestMethod @p"],
        ),
        (
            "<powershell>\n$req = [System.Net.WebRequest]::Create('http://169.254.169.254/latest/meta-data/mac')\n$res = $req.GetResponse()\n</powershell>",
            &["3 $req.GetResponse $req"],
        ),
        (
            "<script>\ncurl http://169.254.169.254/latest/meta-data/instance-id > C:\\id.txt\r\npowershell -Command \"irm http://169.254.169.254/latest/meta-data/mac\"\n</script>",
            &[
                "2 curl http://169.254.169.254/latest/meta-data/instance-id",
                "3 irm http://169.254.169.254/latest/meta-data/mac",
            ],
        ),
        (
            "version: 1.0\ntasks:\n- task: executeScript\n  inputs:\n  - frequency: always\n    type: powershell\n    runAs: localSystem\n    content: |-\n      $m = Invoke-WebRequest http://169.254.169.254/latest/meta-data/mac\n",
            &["9 Invoke-WebRequest http://169.254.169.254/latest/meta-data/mac"],
        ),
    ];
    for (script, expected) in rows {
        check(script, expected);
    }
}

#[test]
fn python_is_understood() {
    let rows: &[(&str, &[&str])] = &[
        (
            "#!/usr/bin/python3\nimport requests\nr = requests.get('http://169.254.169.254/latest/meta-data/instance-id', timeout=2)\n",
            &["3 requests.get http://169.254.169.254/latest/meta-data/instance-id"],
        ),
        (
            "#!/usr/bin/env python\nimport urllib2\nBASE = \"http://169.254.169.254/latest/meta-data/\"\nid = urllib2.urlopen(BASE + \"instance-id\").read()\n",
            &["4 urllib2.urlopen BASE"],
        ),
        (
            "#!/usr/bin/env python3\nimport urllib.request\nreq = urllib.request.Request(\"http://169.254.169.254/latest/\")\nwith urllib.request.urlopen(req) as r:\n    print(r.read())\n",
            &["4 urllib.request.urlopen req"],
        ),
        (
            "#!/usr/bin/env python3\nimport http.client\nconn = http.client.HTTPConnection(\"169.254.169.254\", timeout=1)\nconn.request(\"GET\", \"/latest/meta-data/\")\nprint(conn.getresponse().read())\n",
            &["4 conn.request conn"],
        ),
        (
            "#!/usr/bin/env python3\nimport urllib3\nhttp = urllib3.PoolManager()\nr = http.request(\n    'GET',\n    'http://169.254.169.254/latest/meta-data/mac',\n)\n",
            &["4 http.request http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "#!/usr/bin/env python\nfrom boto.utils import get_instance_metadata\nm = get_instance_metadata(timeout=1)\n",
            &["3 get_instance_metadata"],
        ),
        (
            "#!/usr/bin/env python\nimport boto.utils\nprint(boto.utils.get_instance_metadata()['local-ipv4'])\n",
            &["3 get_instance_metadata"],
        ),
        (
            "#!/usr/bin/env python3\nimport os, subprocess\nmac = subprocess.check_output('curl -s http://169.254.169.254/latest/meta-data/mac', shell=True)\n",
            &["3 curl http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "#!/bin/bash\npython3 - <<'EOF'\nimport requests\nurl = f'http://169.254.169.254/latest/meta-data'\nprint(requests.get(f'{url}/mac').text)\nEOF\n",
            &["5 requests.get {url}/mac"],
        ),
        (
            "#!/bin/bash\npython -c \"import urllib.request as u; print(u.urlopen('http://169.254.169.254/latest/meta-data/mac').read())\"\n",
            &["2 u.urlopen http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "#!/usr/bin/env python3\nimport requests\ndef url(path):\n    return 'http://169.254.169.254/latest/' + path\nx = requests.get(url('mac'))\n",
            &["5 requests.get url"],
        ),
        (
            "#!/usr/bin/env python3\nimport requests\ns = requests.Session()\nfor p in ['a']:\n    s.get('http://169.254.169.254/latest/' + p)\n",
            &["5 s.get http://169.254.169.254/latest/"],
        ),
        (
            "#!/usr/bin/env python3\nimport os, requests\nB = os.environ.get('MD', 'http://169.254.169.254')\nrequests.get(B + '/latest/')\n",
            &["4 requests.get B"],
        ),
    ];
    for (script, expected) in rows {
        check(script, expected);
    }
}

#[test]
fn the_words_hold_the_call_and_nothing_else_of_the_line() {
    let rows: &[(&str, &str)] = &[
        (
            "SECRET=s3cr3t curl -u admin:hunter2 -H 'Authorization: Bearer abc' -d key=val 'http://u:p@169.254.169.254/latest/user-data?key=s3cr3t#x' > /root/out",
            "curl http://169.254.169.254/latest/user-data",
        ),
        (
            "curl http://169.254.169.254:hunter2@example.com/",
            "curl http://169.254.169.254",
        ),
        (
            "curl \"http://169.254.169.254/latest/\u{1b}[31m\"",
            "curl http://169.254.169.254/latest/",
        ),
        (
            "MD=http://me:hunter2@169.254.169.254\ncurl ${MD:-http://x:hunter2@y}/latest",
            "curl ${MD",
        ),
    ];
    for (script, expected) in rows {
        let words: Vec<String> = super::search(script.as_bytes())
            .unwrap()
            .into_iter()
            .map(|f| f.words)
            .collect();
        assert_eq!(words, [*expected], "{script}");
    }
    let long = format!("curl http://169.254.169.254/latest/{}", "a".repeat(500));
    let findings = super::search(long.as_bytes()).unwrap();
    assert_eq!(findings[0].words.chars().count(), 120);
    assert!(findings[0].words.ends_with('…'));
}

#[test]
fn calls_in_odd_places_are_found() {
    let rows: &[(&str, &[&str])] = &[
        (
            "cat > /x.json <<EOF\n{\"id\": \"$(curl -s http://169.254.169.254/latest/meta-data/mac)\"}\nEOF\n",
            &["2 curl http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "sudo hostnamectl set-hostname web-$(curl --silent http://169.254.169.254/latest/meta-data/instance-id).example.com\n",
            &["1 curl http://169.254.169.254/latest/meta-data/instance-id"],
        ),
        (
            "#!/usr/bin/ruby\nrequire 'open-uri'\nid = open('http://169.254.169.254/latest/meta-data/mac').read\n",
            &["3 http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "echo it's fine\ncurl http://169.254.169.254/latest/\necho that's it\n",
            &["2 curl http://169.254.169.254/latest/"],
        ),
        (
            "import requests\n\nprint(requests.get('http://169.254.169.254/latest/').text)\n",
            &["3 requests.get http://169.254.169.254/latest/"],
        ),
        (
            "sed -i \"s/ID/$(curl -s http://169.254.169.254/latest/meta-data/mac)/\" /etc/x\n",
            &["1 curl http://169.254.169.254/latest/meta-data/mac"],
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
        (
            "U=${IMDS_URL:-http://169.254.169.254}/latest\nwget -qO- \"$U/meta-data/mac\"\n",
            &["2 wget $U/meta-data/mac"],
        ),
        (
            "awk 'BEGIN { \"curl -s http://169.254.169.254/latest/meta-data/mac\" | getline m; print m }'\n",
            &["1 curl http://169.254.169.254/latest/meta-data/mac"],
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
        (
            "cat > /opt/main.go <<'EOF'\npackage main\nfunc get() {\n  req, _ := http.NewRequest(\"GET\", \"http://169.254.169.254/latest/meta-data/mac\", nil)\n  resp, err := client.Do(req)\n}\nEOF\n",
            &["4 http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "#!/usr/bin/env python3\nimport requests\nclass A:\n    URL = 'http://169.254.169.254/latest'\n    def get(self, p):\n        return requests.get(f'{self.URL}/{p}').text\n",
            &["6 requests.get URL}/{p}"],
        ),
        (
            "#!/usr/bin/env python3\nimport http.client\nc = http.client.HTTPConnection('169.254.169.254', 80)\nc.putrequest('GET', '/latest/meta-data/')\nc.endheaders()\nprint(c.getresponse().read())\n",
            &["4 c.putrequest c"],
        ),
        (
            "#ps1\n$c = [System.Net.Http.HttpClient]::new()\n$r = $c.GetStringAsync('http://169.254.169.254/latest/meta-data/mac').Result\n",
            &["3 $c.GetStringAsync http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "#!/usr/bin/env node\nconst axios = require('axios');\naxios.get('http://169.254.169.254/latest/meta-data/mac').then(r => console.log(r.data));\n",
            &["3 axios http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "#!/usr/bin/env python3\nimport subprocess\nout = subprocess.check_output(['curl', '-s', 'http://169.254.169.254/latest/meta-data/mac'])\n",
            &["3 curl http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "#!/usr/bin/env python3\nimport requests\nU='http://169.254.169.254/latest/'\ntry:\n    t = requests.put(U+'api/token', headers={'X-aws-ec2-metadata-token-ttl-seconds': '60'}).text\n    h = {'X-aws-ec2-metadata-token': t}\n    m = requests.get(U+'meta-data/mac', headers=h)\nexcept Exception:\n    m = requests.get(U+'meta-data/mac')\n",
            &["9 requests.get U"],
        ),
        (
            r#"{"ignition":{"version":"3.3.0"},"systemd":{"units":[{"name":"a.service","contents":"[Service]\nExecStart=/usr/bin/curl http://169.254.169.254/latest/meta-data/mac\n"}]}}"#,
            &["2 curl http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            r#"{"ignition":{"version":"3.3.0"},"storage":{"files":[{"path":"/opt/a.sh","contents":{"source":"data:;base64,Y3VybCBodHRwOi8vMTY5LjI1NC4xNjkuMjU0L2xhdGVzdC8K"}}]}}"#,
            &["1 curl http://169.254.169.254/latest/ in data URL"],
        ),
        (
            r#"{"ignition":{"version":"3.3.0"},"storage":{"files":[{"path":"/opt/a.sh","contents":{"source":"data:,%23!%2Fbin%2Fsh%0Acurl%20http%3A%2F%2F169.254.169.254%2Flatest%2F%0A"}}]}}"#,
            &["2 curl http://169.254.169.254/latest/ in data URL"],
        ),
    ];
    for (script, expected) in rows {
        check(script, expected);
    }
}
