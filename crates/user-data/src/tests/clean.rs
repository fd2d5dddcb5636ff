//! Scripts without a call, or whose calls all send a token, have no findings.

use super::check_clean;

#[test]
fn shell_scripts_that_use_tokens_are_clean() {
    check_clean(&[
        // As AWS documents it.
        "#!/bin/bash\nTOKEN=`curl -X PUT \"http://169.254.169.254/latest/api/token\" -H \"X-aws-ec2-metadata-token-ttl-seconds: 21600\"` \\\n&& curl -H \"X-aws-ec2-metadata-token: $TOKEN\" http://169.254.169.254/latest/meta-data/\n",
        "TOKEN=$(curl -s -X PUT http://[fd00:ec2::254]/latest/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 60')\ncurl -s -H \"x-aws-ec2-metadata-token: ${TOKEN}\" http://[fd00:ec2::254]/latest/meta-data/mac\n",
        "curl --header \"X-aws-ec2-metadata-token: $(curl --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)\" \\\n  http://169.254.169.254/latest/meta-data/mac\n",
        "T=$(wget -qO- --method=PUT --header='X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)\nwget -qO- --header \"X-aws-ec2-metadata-token: $T\" http://169.254.169.254/latest/meta-data/mac\n",
        // With variables.
        "MD=http://169.254.169.254/latest\nT=$(curl -sXPUT $MD/api/token -H \"X-aws-ec2-metadata-token-ttl-seconds: 60\")\nHEADER=\"X-aws-ec2-metadata-token: $T\"\nID=$(curl -s -H \"$HEADER\" $MD/meta-data/instance-id)\n",
        "TOKEN_URL=http://169.254.169.254/latest/api/token\nTTL='X-aws-ec2-metadata-token-ttl-seconds: 60'\nT=$(curl -s --request PUT -H \"$TTL\" \"$TOKEN_URL\")\n",
        "TOKEN_URL=http://169.254.169.254/latest/api/token\nTTL='X-aws-ec2-metadata-token-ttl-seconds: 60'\nHDR=(-H \"X-aws-ec2-metadata-token: $(curl -fsSX PUT -H \"$TTL\" $TOKEN_URL)\")\ncurl \"${HDR[@]}\" http://169.254.169.254/latest/meta-data/mac\n",
        "NAME=X-aws-ec2-metadata-token\ncurl -H \"$NAME: $T\" http://169.254.169.254/latest/meta-data/\n",
        "CURL=\"curl -s -H X-aws-ec2-metadata-token:$T\"\n$CURL http://169.254.169.254/latest/meta-data/mac\n",
        // With functions and aliases.
        "imds() {\n  local token\n  token=$(curl -sS -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)\n  curl -sS -H \"X-aws-ec2-metadata-token: ${token}\" \"http://169.254.169.254/latest/$1\"\n}\nimds meta-data/mac\n",
        "function get_url {\n  curl -sS -H \"X-aws-ec2-metadata-token: $TOKEN\" \"$1\"\n}\nX=$(get_url http://169.254.169.254/latest/meta-data/mac)\n",
        "alias imds='curl -s -H \"X-aws-ec2-metadata-token: $TOKEN\"'\nimds http://169.254.169.254/latest/meta-data/mac\n",
        "get() { curl -s -H \"$HDR\" http://169.254.169.254/latest/$1; }\nHDR=\"X-aws-ec2-metadata-token: $T\"\nget mac\n",
        "bash -c 'T=$(curl -sX PUT -H \"X-aws-ec2-metadata-token-ttl-seconds: 60\" http://169.254.169.254/latest/api/token); curl -H \"X-aws-ec2-metadata-token: $T\" http://169.254.169.254/latest/'\n",
        "cat > /usr/local/bin/md <<EOF\n#!/bin/sh\nT=\\$(curl -sX PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)\ncurl -sH \"X-aws-ec2-metadata-token: \\$T\" http://169.254.169.254/latest/\\$1\nEOF\nchmod +x /usr/local/bin/md\n",
        "for i in 1 2 3; do\n  T=$(curl -sX PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token) && break\n  sleep 1\ndone\n",
        "until T=$(curl -sf -X PUT http://169.254.169.254/latest/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 60'); do sleep 1; done\n",
        "until nc -z 169.254.169.254 80; do sleep 1; done\n",
        "ec2-metadata -i | cut -d' ' -f2\n",
    ]);
}

#[test]
fn powershell_that_uses_tokens_is_clean() {
    check_clean(&[
        // As AWS documents it.
        "<powershell>\n[string]$token = Invoke-RestMethod -Headers @{\"X-aws-ec2-metadata-token-ttl-seconds\" = \"21600\"} -Method PUT -Uri http://169.254.169.254/latest/api/token\nInvoke-RestMethod -Headers @{\"X-aws-ec2-metadata-token\" = $token} -Method GET -Uri http://169.254.169.254/latest/meta-data/\n</powershell>",
        "<powershell>\n$token = irm -Method Put `\n  -Headers @{ 'X-aws-ec2-metadata-token-ttl-seconds' = '60' } `\n  -Uri 'http://169.254.169.254/latest/api/token'\n$headers = @{\n  'X-aws-ec2-metadata-token' = $token\n}\n$id = Invoke-RestMethod `\n  -Headers $Headers `\n  -Uri 'http://169.254.169.254/latest/meta-data/instance-id'\n</powershell>",
        "#ps1\n$headers = @{}\n$headers.Add('X-aws-ec2-metadata-token', $token)\n$base = 'http://169.254.169.254/latest'\n$x = iwr -Uri \"$base/meta-data/mac\" -Headers $headers\n",
        "#ps1\n$headers = @{}\n$headers['X-aws-ec2-metadata-token'] = $token\n$x = iwr -Uri 'http://169.254.169.254/latest/' -Headers $headers\n",
        "#ps1\n$wc = New-Object System.Net.WebClient\n$wc.Headers.Add('X-aws-ec2-metadata-token', $token)\n$wc.DownloadString('http://169.254.169.254/latest/meta-data/mac')\n",
        "#ps1\n$p = @{\n  Uri = 'http://169.254.169.254/latest/meta-data/mac'\n  Headers = @{ 'X-aws-ec2-metadata-token' = $token }\n}\nInvoke-RestMethod @p\n",
        "#ps1\nfunction Get-Imds($Path) {\n  $t = Invoke-RestMethod -Method Put -Uri http://169.254.169.254/latest/api/token -Headers @{'X-aws-ec2-metadata-token-ttl-seconds'='60'}\n  Invoke-RestMethod -Uri $Path -Headers @{'X-aws-ec2-metadata-token'=$t}\n}\n$mac = Get-Imds 'http://169.254.169.254/latest/meta-data/mac'\n",
        "<#\ncurl http://169.254.169.254/latest/\n#>\n# irm http://169.254.169.254/latest/\n$x = 1\n",
        "<powershell>\n# Invoke-RestMethod http://169.254.169.254/latest/meta-data/\n$env:NO_PROXY = '169.254.169.254'\n$x = Invoke-WebRequest https://example.com\n</powershell>",
        "<script>\nREM curl http://169.254.169.254/latest/\n:: curl http://169.254.169.254/latest/\n</script>",
        r#"<powershell>
function Get-Token {
    try {
        return Invoke-RestMethod -Headers @{"X-aws-ec2-metadata-token-ttl-seconds" = "21600"} -Method PUT -Uri "http://169.254.169.254/latest/api/token" -TimeoutSec 5
    } catch {
        Write-Host "Failed http://169.254.169.254/latest/api/token"
    }
}
$Token = Get-Token
$Headers = @{ "X-aws-ec2-metadata-token" = $Token }
$InstanceId = (Invoke-WebRequest -Uri "http://169.254.169.254/latest/meta-data/instance-id" -Headers $Headers -UseBasicParsing).Content
[System.Environment]::SetEnvironmentVariable("ID", $InstanceId)
</powershell>
<persist>true</persist>"#,
        "<script>\r\nfor /f %%i in ('curl -s -X PUT \"http://169.254.169.254/latest/api/token\" -H \"X-aws-ec2-metadata-token-ttl-seconds: 60\"') do set TOKEN=%%i\r\ncurl -H \"X-aws-ec2-metadata-token: %TOKEN%\" http://169.254.169.254/latest/meta-data/\r\n</script>",
        "#ps1\nfunction Get-Headers {\n  return @{ 'X-aws-ec2-metadata-token' = $token }\n}\n$x = irm 'http://169.254.169.254/latest/meta-data/mac' -Headers (Get-Headers)\n",
    ]);
}

#[test]
fn python_that_uses_tokens_is_clean() {
    check_clean(&[
        "#!/usr/bin/env python3\nimport requests\ntoken = requests.put('http://169.254.169.254/latest/api/token', headers={'X-aws-ec2-metadata-token-ttl-seconds': '60'}).text\nheaders = {'X-aws-ec2-metadata-token': token}\nmac = requests.get('http://169.254.169.254/latest/meta-data/mac', headers=headers).text\n",
        "#!/usr/bin/env python3\nimport requests\nBASE = 'http://169.254.169.254/latest'\nheaders = {\n    'X-aws-ec2-metadata-token': requests.put(\n        BASE + '/api/token',\n        headers={'X-aws-ec2-metadata-token-ttl-seconds': '60'},\n    ).text\n}\nr = requests.get(\n    BASE + '/meta-data/mac',\n    headers=headers,\n)\n",
        "#!/usr/bin/env python3\nimport urllib.request\nURL = 'http://169.254.169.254/latest/'\nreq = urllib.request.Request(URL + 'api/token', method='PUT', headers={'X-aws-ec2-metadata-token-ttl-seconds': '60'})\ntoken = urllib.request.urlopen(req).read().decode()\nreq2 = urllib.request.Request(URL + 'meta-data/mac')\nreq2.add_header('X-aws-ec2-metadata-token', token)\nprint(urllib.request.urlopen(req2).read())\n",
        "#!/usr/bin/env python3\nimport http.client\nconn = http.client.HTTPConnection('169.254.169.254')\nconn.request('PUT', '/latest/api/token', headers={'X-aws-ec2-metadata-token-ttl-seconds': '60'})\ntoken = conn.getresponse().read().decode()\nconn.request('GET', '/latest/meta-data/mac', headers={'X-aws-ec2-metadata-token': token})\nprint(conn.getresponse().read())\nconn.close()\n",
        "#!/usr/bin/env python3\nimport requests\nclass Imds:\n    def __init__(self):\n        self.base = 'http://169.254.169.254/latest'\n        self.session = requests.Session()\n        self.session.headers.update({'X-aws-ec2-metadata-token': self.token()})\n    def get(self, path):\n        return self.session.get(self.base + path).text\n",
        "#!/usr/bin/env python3\nimport urllib3\nhttp = urllib3.PoolManager()\nt = http.request('PUT', 'http://169.254.169.254/latest/api/token', headers={'X-aws-ec2-metadata-token-ttl-seconds': '60'}).data\nm = http.request('GET', 'http://169.254.169.254/latest/meta-data/mac', headers={'X-aws-ec2-metadata-token': t}).data\n",
        "#!/usr/bin/env python3\nimport requests\ndef imds(url, token):\n    return requests.get(url, headers={'X-aws-ec2-metadata-token': token}).text\nprint(imds('http://169.254.169.254/latest/meta-data/mac', t))\n",
        "#!/usr/bin/env python3\nimport boto3\n# requests.get('http://169.254.169.254/latest/')\ndef get_instance_metadata(path):\n    return client(path)\nx = get_instance_metadata('mac')\n",
        "#!/bin/bash\npython3 - <<'EOF'\nimport requests\nt = requests.put('http://169.254.169.254/latest/api/token', headers={'X-aws-ec2-metadata-token-ttl-seconds': '60'}).text\nprint(requests.get('http://169.254.169.254/latest/meta-data/mac', headers={'X-aws-ec2-metadata-token': t}).text)\nEOF\n",
        r#"#!/usr/bin/env python3
import urllib.request, json
IMDS = "http://169.254.169.254"
def token():
    r = urllib.request.Request(f"{IMDS}/latest/api/token", method="PUT")
    r.add_header("X-aws-ec2-metadata-token-ttl-seconds", "60")
    with urllib.request.urlopen(r, timeout=2) as resp:
        return resp.read().decode()
def get(path):
    r = urllib.request.Request(f"{IMDS}/latest/{path}")
    r.add_header("X-aws-ec2-metadata-token", token())
    with urllib.request.urlopen(r) as resp:
        return resp.read().decode()
doc = json.loads(get("dynamic/instance-identity/document"))
"#,
        r#"#!/usr/bin/env python3
import requests
IMDS = 'http://169.254.169.254/latest'
s = requests.Session()
t = s.put(IMDS + '/api/token', headers={'X-aws-ec2-metadata-token-ttl-seconds': '60'}).text
s.headers['X-aws-ec2-metadata-token'] = t
print(s.get(IMDS + '/meta-data/mac').text)
"#,
        r#"#!/usr/bin/env python3
import requests
IMDS = 'http://169.254.169.254/latest'
def get_headers():
    t = requests.put(f'{IMDS}/api/token', headers={'X-aws-ec2-metadata-token-ttl-seconds': '60'}).text
    return {'X-aws-ec2-metadata-token': t}
headers = get_headers()
print(requests.get(f'{IMDS}/meta-data/mac', headers=headers).text)
print(requests.get(f'{IMDS}/meta-data/mac', headers=get_headers()).text)
"#,
    ]);
}

#[test]
fn other_languages_that_use_tokens_are_clean() {
    check_clean(&[
        "#!/usr/bin/env node\nconst urls = ['http://169.254.169.254/latest/a', 'http://169.254.169.254/latest/b'];\nfor (const u of urls) {\n  await fetch(u, { headers: { 'X-aws-ec2-metadata-token': t } });\n}\n",
        "#!/usr/bin/env node\n// fetch('http://169.254.169.254/latest/')\nconst base = 'http://169.254.169.254/latest';\nconst token = await (await fetch(`${base}/api/token`, { method: 'PUT', headers: { 'X-aws-ec2-metadata-token-ttl-seconds': '60' } })).text();\nconst options = {\n  headers: { 'X-aws-ec2-metadata-token': token },\n};\nconst mac = await fetch(`${base}/meta-data/mac`, options);\n",
        "#!/usr/bin/php\n<?php\n$ch = curl_init('http://169.254.169.254/latest/meta-data/mac');\ncurl_setopt($ch, CURLOPT_HTTPHEADER, array('X-aws-ec2-metadata-token: ' . $token));\necho curl_exec($ch);\n",
        r#"cat > /opt/main.go <<'EOF'
package main
func get() {
  req, _ := http.NewRequest("GET", "http://169.254.169.254/latest/meta-data/mac", nil)
  req.Header.Set("X-aws-ec2-metadata-token", token)
  resp, err := client.Do(req)
}
EOF
"#,
    ]);
}

#[test]
fn other_mentions_of_the_address_are_clean() {
    check_clean(&[
        "# curl http://169.254.169.254/latest/meta-data/\necho done # curl http://169.254.169.254/latest/\n",
        "export NO_PROXY=localhost,127.0.0.1,169.254.169.254\nexport no_proxy=\"$NO_PROXY\"\ncurl https://example.com\n",
        "no_proxy=169.254.169.254 curl https://example.com\ncurl --noproxy 169.254.169.254 https://example.com\n",
        "iptables -A OUTPUT -d 169.254.169.254 -m owner ! --uid-owner root -j REJECT\nip route add 169.254.169.254/32 dev eth0\n",
        "echo '169.254.169.254 instance-data' >> /etc/hosts\nping -c1 169.254.169.254\n",
        "curl -s http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI\nchronyc add server 169.254.169.123\ndig @169.254.169.253 example.com\n",
        "cat /run/cloud-init/instance-data.json\ncloud-init query ds.meta_data\n",
        "cat > /etc/systemd/system/docker.service.d/proxy.conf <<EOF\n[Service]\nEnvironment=\"NO_PROXY=localhost,169.254.169.254\"\nEOF\n",
        "#!/bin/bash\nset -euo pipefail\ndnf install -y curl wget python3-requests\ncurl -fsSL https://example.com/install.sh | bash\n",
        "",
        "echo \"Fetching http://169.254.169.254/latest/meta-data/\"\nlogger -t x 'see http://169.254.169.254/latest/'\n",
        "cat > /etc/agent.yaml <<EOF\nno_proxy: [169.254.169.254]\nendpoint: http://169.254.169.254\nEOF\n",
    ]);
}

#[test]
fn longer_shell_scripts_that_use_tokens_are_clean() {
    check_clean(&[
        r#"#!/usr/bin/env bash
IMDS_ENDPOINT="${IMDS_ENDPOINT:-169.254.169.254:80}"
function imdscurl() {
  CURL_STATUS=$(curl \
    --silent \
    --output $OUTPUT_FILE \
    --retry 3 "$@" || echo "0")
  cat $OUTPUT_FILE
}
function get-token() {
  imdscurl \
    -H "X-aws-ec2-metadata-token-ttl-seconds: $IMDS_TOKEN_TTL_SECONDS" \
    -X PUT \
    "http://$IMDS_ENDPOINT/latest/api/token"
}
function get-with-token() {
  local API_PATH="$1"
  imdscurl \
    -H "X-aws-ec2-metadata-token: ${IMDS_TOKEN:-$(get-token)}" \
    "http://$IMDS_ENDPOINT/$API_PATH"
}
get-with-token "$1"
"#,
        r#"#!/bin/bash
if TOKEN=$(curl -sf -X PUT "http://169.254.169.254/latest/api/token" -H "X-aws-ec2-metadata-token-ttl-seconds: 21600"); then
  CURL_OPTS=(-H "X-aws-ec2-metadata-token: $TOKEN")
else
  echo "no IMDSv2"; exit 1
fi
AZ=$(curl -s "${CURL_OPTS[@]}" http://169.254.169.254/latest/meta-data/placement/availability-zone)
"#,
        r#"aws ec2 create-tags --region "$(curl -s -H "X-aws-ec2-metadata-token: $(curl -s -X PUT "http://169.254.169.254/latest/api/token" -H "X-aws-ec2-metadata-token-ttl-seconds: 21600")" http://169.254.169.254/latest/meta-data/placement/region)" --tags Key=a,Value=b
"#,
        r#"cat <<EOF > /etc/systemd/system/a.service
[Service]
ExecStartPre=/bin/sh -c 'curl -s -H "X-aws-ec2-metadata-token: \$(cat /run/token)" http://169.254.169.254/latest/meta-data/mac > /run/mac'
EOF
"#,
        r#"echo mac ami-id | xargs -n1 -I{} curl -s -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/{}
"#,
        "printf 'header = \"X-aws-ec2-metadata-token: %s\"\\n' \"$T\" > /tmp/hdr\ncurl -s -K /tmp/hdr http://169.254.169.254/latest/meta-data/mac\n",
        "echo \"X-aws-ec2-metadata-token: $T\" > /tmp/h\ncurl -s -H @/tmp/h http://169.254.169.254/latest/meta-data/mac\n",
        "hdr() { echo \"X-aws-ec2-metadata-token: $(cat /run/token)\"; }\ncurl -sH \"$(hdr)\" http://169.254.169.254/latest/meta-data/mac\n",
    ]);
}
