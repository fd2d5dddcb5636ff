//! Headers that a call gets from elsewhere: a parameter or a file.

use super::{check_all, check_clean};

#[test]
fn a_header_that_every_caller_hands_on_is_sent() {
    check_clean(&[
        "md() { curl -s \"$@\" http://169.254.169.254/latest/user-data; }\nmd -H \"X-aws-ec2-metadata-token: $T\"\n",
        "md() { local header=\"$1\" path=\"$2\"; curl -H \"$header\" \"http://169.254.169.254/latest/$path\"; }\nmd \"X-aws-ec2-metadata-token: $T\" user-data\n",
        "#!/usr/bin/env python3\nimport requests\ndef md(path, headers):\n    return requests.get('http://169.254.169.254/latest/' + path, headers=headers)\nmd('user-data', {'X-aws-ec2-metadata-token': t})\n",
        "#!/usr/bin/env python3\nimport urllib.request as u\ndef md(path, **kw):\n    q = u.Request('http://169.254.169.254/latest/' + path, **kw)\n    return u.urlopen(q).read()\nmd('user-data', headers={'X-aws-ec2-metadata-token': t})\n",
        "#!/usr/bin/env node\nconst md = (path, headers) => fetch('http://169.254.169.254/latest/' + path, { headers });\nawait md('user-data', { 'X-aws-ec2-metadata-token': t });\n",
        "#!/usr/bin/env python3\nimport requests\ndef md(path, extra={'X-aws-ec2-metadata-token': t}):\n    return requests.get('http://169.254.169.254/latest/' + path, headers=extra)\n",
        "#ps1\nfunction Get-Md($Path, $Headers) {\n  irm \"http://169.254.169.254/latest/$Path\" -Headers $Headers\n}\n$x = Get-Md 'user-data' @{'X-aws-ec2-metadata-token'=$t}\n",
    ]);
}

#[test]
fn a_header_that_one_caller_does_not_hand_on_is_not_sent() {
    check_all(&[
        (
            "md() { curl -s -H \"$1\" http://169.254.169.254/latest/user-data; }\nmd \"X-aws-ec2-metadata-token: $T\"\nmd 'Accept: */*'\n",
            &["1 curl http://169.254.169.254/latest/user-data"],
        ),
        (
            "md() { curl -s -H \"$1\" http://169.254.169.254/latest/user-data; }\n",
            &["1 curl http://169.254.169.254/latest/user-data"],
        ),
        (
            "#!/usr/bin/env python3\nimport urllib.request as u\ndef md(path, **kw):\n    q = u.Request('http://169.254.169.254/latest/' + path, **kw)\n    return u.urlopen(q).read()\nmd('a')\nmd('b', headers={'X-aws-ec2-metadata-token': t})\n",
            &["5 u.urlopen q"],
        ),
        (
            "#!/usr/bin/env python3\nimport requests\ndef md(path, headers=None):\n    return requests.get('http://169.254.169.254/latest/' + path, headers=headers)\nmd('a')\nmd('b', {'X-aws-ec2-metadata-token': t})\n",
            &["4 requests.get http://169.254.169.254/latest/"],
        ),
    ]);
}

#[test]
fn a_call_that_does_not_use_the_handed_header_is_found() {
    check_all(&[
        (
            "md() {\n  local header=\"$1\" path=\"$2\"\n  curl -H \"$header\" \"http://169.254.169.254/latest/$path\" ||\n    curl \"http://169.254.169.254/latest/$path\"\n}\nmd \"X-aws-ec2-metadata-token: $T\" user-data\n",
            &["4 curl http://169.254.169.254/latest/$path"],
        ),
        (
            "#!/usr/bin/env node\nfunction md(path, headers) {\n  if (!headers) return fetch('http://169.254.169.254/latest/' + path);\n  return fetch('http://169.254.169.254/latest/' + path, { headers });\n}\nmd('a', { 'X-aws-ec2-metadata-token': t });\n",
            &["3 fetch http://169.254.169.254/latest/"],
        ),
    ]);
}

#[test]
fn a_file_that_holds_the_header_sends_it() {
    check_clean(&[
        "cat > ~/.curlrc <<EOF\nheader = \"X-aws-ec2-metadata-token: $T\"\nEOF\ncurl -s http://169.254.169.254/latest/user-data\n",
        "echo \"header = X-aws-ec2-metadata-token: $T\" >> /root/.wgetrc\nwget http://169.254.169.254/latest/user-data\n",
        "cat > /opt/md <<'EOF'\necho \"X-aws-ec2-metadata-token: $T\" > /run/header\ncurl -H @/run/header http://169.254.169.254/latest/user-data\nEOF\n",
        "cat > /run/header <<EOF\nX-aws-ec2-metadata-token: $T\nEOF\ncurl -H @/run/header http://169.254.169.254/latest/user-data\n",
    ]);
    check_all(&[
        (
            "curl http://169.254.169.254/latest/user-data\ncat > ~/.curlrc <<EOF\nheader = \"X-aws-ec2-metadata-token: $T\"\nEOF\n",
            &["1 curl http://169.254.169.254/latest/user-data"],
        ),
        (
            "#!/usr/bin/env python3\nimport requests\ndef get(path):\n    return requests.get('http://169.254.169.254/latest/' + path, headers={'X-aws-ec2-metadata-token': t})\nget('a')\nrequests.get('http://169.254.169.254/latest/user-data')\n",
            &["6 requests.get http://169.254.169.254/latest/user-data"],
        ),
        (
            "echo silent > ~/.curlrc\ncurl http://169.254.169.254/latest/user-data\n",
            &["2 curl http://169.254.169.254/latest/user-data"],
        ),
        (
            "echo \"header = X-aws-ec2-metadata-token: $T\" > ~/.curlrc\nwget http://169.254.169.254/latest/user-data\n",
            &["2 wget http://169.254.169.254/latest/user-data"],
        ),
    ]);
}
