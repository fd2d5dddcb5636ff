//! Calls without a token in PowerShell, Python and other languages.

use super::check_all;

#[test]
fn calls_in_powershell_are_found() {
    check_all(&[
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
        (
            "#ps1\n$c = [System.Net.Http.HttpClient]::new()\n$r = $c.GetStringAsync('http://169.254.169.254/latest/meta-data/mac').Result\n",
            &["3 $c.GetStringAsync http://169.254.169.254/latest/meta-data/mac"],
        ),
    ]);
}

#[test]
fn calls_in_python_are_found() {
    check_all(&[
        (
            "#!/usr/bin/python3\nimport requests\nr = requests.get('http://169.254.169.254/latest/meta-data/instance-id', timeout=2)\n",
            &["3 requests.get http://169.254.169.254/latest/meta-data/instance-id"],
        ),
        (
            "#!/usr/bin/env python\nimport urllib2\nBASE = \"http://169.254.169.254/latest/meta-data/\"\nid = urllib2.urlopen(BASE + \"instance-id\").read()\n",
            &["4 urllib2.urlopen BASE"],
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
            "import requests\n\nprint(requests.get('http://169.254.169.254/latest/').text)\n",
            &["3 requests.get http://169.254.169.254/latest/"],
        ),
        (
            "#!/usr/bin/env python3\nimport subprocess\nout = subprocess.check_output(['curl', '-s', 'http://169.254.169.254/latest/meta-data/mac'])\n",
            &["3 curl http://169.254.169.254/latest/meta-data/mac"],
        ),
    ]);
}

#[test]
fn names_and_objects_of_python_are_resolved() {
    check_all(&[
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
        (
            "#!/usr/bin/env python3\nimport requests\nclass A:\n    URL = 'http://169.254.169.254/latest'\n    def get(self, p):\n        return requests.get(f'{self.URL}/{p}').text\n",
            &["6 requests.get URL}/{p}"],
        ),
        (
            "#!/usr/bin/env python3\nimport http.client\nc = http.client.HTTPConnection('169.254.169.254', 80)\nc.putrequest('GET', '/latest/meta-data/')\nc.endheaders()\nprint(c.getresponse().read())\n",
            &["4 c.putrequest c"],
        ),
        (
            "#!/usr/bin/env python3\nimport requests\nU='http://169.254.169.254/latest/'\ntry:\n    t = requests.put(U+'api/token', headers={'X-aws-ec2-metadata-token-ttl-seconds': '60'}).text\n    h = {'X-aws-ec2-metadata-token': t}\n    m = requests.get(U+'meta-data/mac', headers=h)\nexcept Exception:\n    m = requests.get(U+'meta-data/mac')\n",
            &["9 requests.get U"],
        ),
    ]);
}

#[test]
fn calls_in_other_languages_are_found() {
    check_all(&[
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
            "#!/usr/bin/ruby\nrequire 'open-uri'\nid = open('http://169.254.169.254/latest/meta-data/mac').read\n",
            &["3 http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "#!/usr/bin/env node\nconst axios = require('axios');\naxios.get('http://169.254.169.254/latest/meta-data/mac').then(r => console.log(r.data));\n",
            &["3 axios.get http://169.254.169.254/latest/meta-data/mac"],
        ),
        (
            "#!/usr/bin/env node\nconst urls = ['http://169.254.169.254/latest/a', 'http://169.254.169.254/latest/b'];\nfor (const u of urls) {\n  await fetch(u);\n}\n",
            &["4 fetch u"],
        ),
        (
            "cat > /opt/a.groovy <<'EOF'\ndef zone = 'http://169.254.169.254/latest/user-data'.toURL().getText()\nEOF\n",
            &["2 toURL().getText http://169.254.169.254/latest/user-data"],
        ),
        (
            "cat > /opt/a.groovy <<'EOF'\ndef c = new URL('http://169.254.169.254/latest/user-data').openConnection()\nprintln c.inputStream.text\nEOF\n",
            &["3 inputStream c"],
        ),
        (
            "#!/usr/bin/env node\nconsole.log(`${await fetch('http://169.254.169.254/latest/a')}, ${await fetch('http://169.254.169.254/latest/b', { headers: { 'X-aws-ec2-metadata-token': t } })}`);\n",
            &["2 fetch http://169.254.169.254/latest/a"],
        ),
    ]);
}
