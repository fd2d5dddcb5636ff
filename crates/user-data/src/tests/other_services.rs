//! What has the address, the header or the names of the metadata service, and is not a call of it.

use super::{check_all, check_clean};

#[test]
fn only_the_whole_name_of_the_header_is_the_header() {
    for name in [
        "X-aws-ec2-metadata-token-v2",
        "X-aws-ec2-metadata-tokenn",
        "AX-aws-ec2-metadata-token",
        "X-aws-ec2-metadata-token-ttl",
    ] {
        let script =
            format!("curl -H '{name}: x' http://169.254.169.254/latest/meta-data/ami-id\n");
        super::check(
            script,
            &["1 curl http://169.254.169.254/latest/meta-data/ami-id"],
        );
    }
    check_clean(&[
        "curl -HX-aws-ec2-metadata-token:$T http://169.254.169.254/latest/meta-data/ami-id\n",
        "#!/usr/bin/env python3\nimport requests\nN = 'x-aws-ec2-metadata-token'\nrequests.get('http://169.254.169.254/latest/', headers={N: t})\n",
    ]);
}

#[test]
fn the_header_that_requests_a_token_is_no_token() {
    check_all(&[
        (
            "H='X-aws-ec2-metadata-token-ttl-seconds: 60'\ncurl -H \"$H\" http://169.254.169.254/latest/user-data\n",
            &["2 curl http://169.254.169.254/latest/user-data"],
        ),
        (
            "#!/usr/bin/env python3\nimport requests\nrequests.get('http://169.254.169.254/latest/', headers={'X-aws-ec2-metadata-token-ttl-seconds': '9'})\n",
            &["3 requests.get http://169.254.169.254/latest/"],
        ),
    ]);
}

#[test]
fn google_and_azure_have_other_services_at_the_same_address() {
    check_clean(&[
        "G=http://169.254.169.254\ncurl -K /etc/google.curl $G/computeMetadata/v1/instance/id\ncurl -K /etc/azure.curl http://169.254.169.254/metadata/identity/info\n",
        "curl -H Metadata-Flavor:Google http://169.254.169.254/computeMetadata/v1/project/project-id\n",
        "MD=http://169.254.169.254\ncurl -s -H Metadata:true \"$MD/metadata/instance?api-version=2021-02-01\"\n",
        "#!/usr/bin/env python3\nimport http.client\nc = http.client.HTTPConnection('169.254.169.254')\nc.request('GET', '/metadata/instance', headers={'Metadata': 'true'})\n",
        "#ps1\n$x = irm -Headers @{'Metadata'='true'} 'http://169.254.169.254/metadata/scheduledevents?api-version=2020-07-01'\n",
    ]);
    check_all(&[(
        "G=http://169.254.169.254/computeMetadata/v1\ncurl -H 'Metadata-Flavor: Google' $G/id || curl http://169.254.169.254/latest/meta-data/instance-id\n",
        &["2 curl http://169.254.169.254/latest/meta-data/instance-id"],
    )]);
}

#[test]
fn functions_of_other_languages_are_not_those_of_boto() {
    check_clean(&[
        "#!/usr/bin/env ruby\nmodule Cloud\n  def self.get_instance_userdata(name)\n    cache(name)\n  end\nend\nCloud.get_instance_userdata('a')\n",
        "#!/usr/bin/perl\nmy $i = get_instance_identity($host);\n",
        "#!/usr/bin/env node\nconst d = get_instance_metadata('a');\n",
    ]);
    check_all(&[(
        "python -c 'import boto.utils as u; print(u.get_instance_metadata())'\n",
        &["1 get_instance_metadata"],
    )]);
}

#[test]
fn a_client_that_is_built_calls_nothing_yet() {
    let header = "'X-aws-ec2-metadata-token': t";
    for (build, get) in [
        (
            "#!/usr/bin/env python3\nc = httpx.AsyncClient(base_url='http://169.254.169.254/latest')",
            "c.get('/user-data'",
        ),
        (
            "#!/usr/bin/env python3\nc = aiohttp.ClientSession('http://169.254.169.254')",
            "c.get('/latest/user-data'",
        ),
        (
            "#!/usr/bin/env node\nconst c = axios.create({ baseURL: 'http://169.254.169.254/latest' })",
            "await c.get('/user-data'",
        ),
    ] {
        super::check(format!("{build}\nx = {get}, {{ {header} }})\n"), &[]);
        assert_eq!(
            super::found(format!("{build}\nx = {get})\n")).len(),
            1,
            "{build}"
        );
    }
}

#[test]
fn a_method_that_takes_the_address_calls_it() {
    check_all(&[(
        "#!/usr/bin/env python3\nimport httpx\nwith httpx.stream('GET', 'http://169.254.169.254/latest/user-data') as r:\n    r.read()\n",
        &["3 httpx.stream http://169.254.169.254/latest/user-data"],
    )]);
}

#[test]
fn a_request_over_a_socket_is_a_call() {
    let open = "#!/usr/bin/env python3\nimport socket\ns = socket.create_connection(('169.254.169.254', 80))\n";
    check_clean(&[
        &format!("{open}s.shutdown(2)\n"),
        &format!(
            "{open}s.sendall(b'GET /latest/user-data HTTP/1.0\\r\\nX-aws-ec2-metadata-token: ' + t)\n"
        ),
    ]);
    check_all(&[
        (
            "#!/usr/bin/env python3\nimport socket\ns = socket.socket()\ns.connect(('169.254.169.254', 80))\ns.send(r)\n",
            &["5 s.send s"],
        ),
        (
            "#!/usr/bin/perl\nmy $s = IO::Socket::INET->new('169.254.169.254:80');\nprint $s \"GET /latest/user-data HTTP/1.0\\r\\n\\r\\n\";\n",
            &["3 $s s"],
        ),
    ]);
    check_all(&[(
        &format!("{open}r = b'GET /latest/user-data HTTP/1.0\\r\\n\\r\\n'\ns.send(r)\n"),
        &["5 s.send s"],
    )]);
}

#[test]
fn a_proxy_to_the_service_calls_it() {
    check_all(&[
        (
            "cat > /etc/nginx/conf.d/a.conf <<'EOF'\nlocation /zone {\n  proxy_pass http://169.254.169.254/latest/meta-data/placement/region;\n}\nEOF\n",
            &["3 proxy_pass http://169.254.169.254/latest/meta-data/placement/region"],
        ),
        (
            "echo 'ProxyPass /md http://169.254.169.254/latest' >> /etc/apache2/sites-enabled/a.conf\n",
            &["1 ProxyPass http://169.254.169.254/latest"],
        ),
    ]);
}

#[test]
fn commands_that_change_routes_call_nothing() {
    check_clean(&[
        "#!/usr/bin/env python3\nimport subprocess\nargs = ['/sbin/iptables', '-I', 'OUTPUT', '-d', '169.254.169.254', '-j', 'DROP']\nrun = args\nsubprocess.check_call(run)\n",
        "#!/usr/bin/env python3\nimport subprocess\nIMDS = '169.254.169.254'\nsubprocess.check_call(['ip', 'route', 'add', 'blackhole', IMDS])\n",
        "BLOCK='ip route add blackhole 169.254.169.254'\n$BLOCK\n",
    ]);
    check_all(&[(
        "#!/usr/bin/env python3\nimport subprocess\nargs = ['ftp', '-o', '-', 'http://169.254.169.254/latest/user-data']\nsubprocess.check_call(args)\n",
        &["4 args"],
    )]);
    check_all(&[(
        "#!/usr/bin/env python3\nimport requests\nfacts.add('ip', requests.get('http://169.254.169.254/latest/meta-data/local-ipv4').text)\nos.system('ip addr && curl http://169.254.169.254/latest/')\n",
        &[
            "3 requests.get http://169.254.169.254/latest/meta-data/local-ipv4",
            "4 curl http://169.254.169.254/latest/",
        ],
    )]);
}

#[test]
fn a_helper_whose_name_says_that_it_takes_a_token_is_not_flagged() {
    check_clean(&[
        "#!/usr/bin/env ruby\nrequire_relative 'md'\nu = 'http://169.254.169.254/latest/user-data'\nx = fetch_with_token(u, t)\n",
    ]);
    check_all(&[(
        "#!/usr/bin/env ruby\nrequire_relative 'md'\nu = 'http://169.254.169.254/latest/user-data'\nx = fetch_without_token(u)\n",
        &["4 u"],
    )]);
}
