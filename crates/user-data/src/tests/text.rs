//! Text for people is no call, unless something may run it.

use super::{check, check_all, check_clean};

const CALL: &str = "curl http://169.254.169.254/latest/meta-data/ami-id";

/// Checks that the line of each script where `CALL` stands is found.
#[track_caller]
fn check_found(rows: &[(usize, &str)]) {
    for (line, script) in rows {
        check(script.replace("CALL", CALL), &[&format!("{line} {CALL}")]);
    }
}

#[test]
fn what_is_only_printed_is_not_called() {
    for script in [
        "echo 'For the image type: CALL'\n",
        "if [ -t 1 ]; then printf 'Try CALL\\n' >&2; fi\n",
        ": 'CALL'\n",
        "cat <<EOF\nFor the image:\n  CALL\nEOF\n",
        "cat > /etc/issue <<'EOF'\nFor the image: CALL\nEOF\n",
        "echo 'For the image: CALL' | sudo tee /etc/motd\n",
        "echo 'next: CALL' >> /var/log/setup.log\n",
        "#!/usr/bin/env python3\nprint('For the image type: CALL')\n",
        "#ps1\nWrite-Host \"For the image type: CALL\"\n",
    ] {
        check(script.replace("CALL", CALL), &[]);
    }
}

#[test]
fn what_python_says_about_itself_is_not_called() {
    check_clean(&[
        "#!/usr/bin/env python3\n\"\"\"Like curl http://169.254.169.254/latest/, with a token.\"\"\"\ndef md():\n    \"\"\"\n    curl http://169.254.169.254/latest/user-data\n    \"\"\"\n",
    ]);
    check_all(&[(
        "#!/usr/bin/env python3\nimport os\nos.system(\"\"\"\ncurl http://169.254.169.254/latest/user-data\n\"\"\")\n",
        &["4 curl http://169.254.169.254/latest/user-data"],
    )]);
}

#[test]
fn what_is_printed_and_may_be_run_is_found() {
    check_found(&[
        (1, "echo 'CALL' | sh\n"),
        (1, "echo 'CALL' > /opt/a\n"),
        (1, "A=$(echo 'CALL')\neval \"$A\"\n"),
        (1, "f() { echo 'CALL'; }\neval \"$(f)\"\n"),
        (2, "for i in 1 2; do\n  echo 'CALL'\ndone | sh\n"),
        (2, "{\n  echo 'CALL'\n} > /opt/a\n"),
        (1, "(echo 'CALL') | sh\n"),
        (2, "say_all() { echo \"$@\"; }\nsay_all 'CALL' | sh\n"),
        (2, "echo now; sh <<EOF\nCALL\nEOF\n"),
        (2, "cat > /etc/update-motd.d/50-image <<EOF\nCALL\nEOF\n"),
        (2, "cat <<EOF | sh\nCALL\nEOF\n"),
    ]);
}

#[test]
fn what_is_run_to_be_printed_is_found() {
    check_found(&[
        (1, "warn \"image: $(CALL)\"\n"),
        (2, "cat > /etc/motd <<EOF\nImage: $(CALL)\nEOF\n"),
        (1, "echo \"<p>$(CALL)</p>\" > /var/www/index.html\n"),
        (1, "log \"$(bash -c 'CALL')\"\n"),
        (1, "CALL > /etc/motd\n"),
        (1, "bash -c 'CALL' >> /var/log/setup.log\n"),
    ]);
    check_all(&[
        (
            "#!/usr/bin/env python3\nprint(f\"{requests.get('http://169.254.169.254/latest/').text}\")\n",
            &["2 requests.get http://169.254.169.254/latest/"],
        ),
        (
            "#ps1\nWrite-Host \"image $(irm http://169.254.169.254/latest/)\"\n",
            &["2 irm http://169.254.169.254/latest/"],
        ),
    ]);
}

#[test]
fn messages_of_functions_that_only_print_are_no_calls() {
    check_clean(&[
        "U=http://169.254.169.254/latest/user-data\nnote() { local now; now=$(date); echo \"$now $*\" | tee -a /var/log/a; }\nnote \"Reading $U\"\n",
        "note() {\n  if [ -n \"$V\" ]; then\n    echo \"$1\"\n  fi\n}\nnote 'no answer to curl http://169.254.169.254/latest/user-data'\n",
        "U=http://169.254.169.254/latest/user-data\nnote() {\n  case \"$1\" in\n    e) echo \"$2\" >&2 ;;\n    *) echo \"$2\" ;;\n  esac\n}\nnote e \"no answer from $U\"\n",
        "#ps1\n$u = 'http://169.254.169.254/latest/user-data'\nfunction Show-Note($m) { Write-Output \"setup: $m\" }\nShow-Note \"Reading $u\"\n",
        "U=http://169.254.169.254/latest/user-data\nheadline() { printf '== %s\\n' \"$1\"; }\nheadline \"curl $U\"\n",
        "U=http://169.254.169.254/latest/user-data\nerror \"no answer from $U\"\nlog::warn \"no answer from $U\"\nif true; then echo \"$U\"; fi\n",
        "#!/usr/bin/env python3\nU = 'http://169.254.169.254/latest/user-data'\ndef note(text):\n    print('setup: ' + text)\nnote('Reading ' + U)\n",
        "#!/usr/bin/env node\nconst u = 'http://169.254.169.254/latest/user-data';\nconst note = m => console.log('setup', m);\nnote(`Reading ${u}`);\n",
    ]);
}

#[test]
fn functions_that_run_or_fetch_what_they_get_are_no_printers() {
    check_all(&[
        (
            "step() { echo \"+ $*\"; \"$@\"; }\nstep mdget http://169.254.169.254/latest/user-data\n",
            &["2 http://169.254.169.254/latest/user-data"],
        ),
        (
            "step() { echo \"+ $1\"; eval \"$1\"; }\nstep 'curl http://169.254.169.254/latest/user-data'\n",
            &["2 curl http://169.254.169.254/latest/user-data"],
        ),
        (
            "#!/usr/bin/env python3\ndef show(u): print(md.load(u))\nshow('http://169.254.169.254/latest/user-data')\n",
            &["3 http://169.254.169.254/latest/user-data"],
        ),
        (
            "info() { curl -s \"$1\"; }\ninfo http://169.254.169.254/latest/user-data\n",
            &["2 http://169.254.169.254/latest/user-data"],
        ),
        (
            "#!/usr/bin/env python3\nprint(os.popen('curl http://169.254.169.254/latest/user-data').read())\n",
            &["2 curl http://169.254.169.254/latest/user-data"],
        ),
        (
            "#!/usr/bin/env ruby\ndef show(u)\n  puts md.load(u)\nend\nshow('http://169.254.169.254/latest/user-data')\n",
            &["5 http://169.254.169.254/latest/user-data"],
        ),
        (
            "#!/usr/bin/env ruby\ndef info(u)\n  md.load(u)\nend\ninfo('http://169.254.169.254/latest/user-data')\n",
            &["5 http://169.254.169.254/latest/user-data"],
        ),
        (
            "#!/usr/bin/env python3\ninfo = md.load('http://169.254.169.254/latest/user-data')\n",
            &["2 http://169.254.169.254/latest/user-data"],
        ),
    ]);
}

#[test]
fn settings_of_other_programs_are_no_calls_unless_they_are_exported() {
    check_clean(&[
        "cat > /etc/agent.yml <<EOF\nagent:\n  imds: http://169.254.169.254/latest/meta-data\nEOF\n",
        "cat > /etc/sysconfig/agent <<EOF\nIMDS=http://169.254.169.254/latest/meta-data\nEOF\n",
    ]);
    check_all(&[(
        "cat > /etc/profile.d/a.sh <<EOF\nexport IMDS=http://169.254.169.254/latest/meta-data\nEOF\n",
        &["2 http://169.254.169.254/latest/meta-data"],
    )]);
}

#[test]
fn a_url_that_is_passed_by_a_pipe_or_a_file_is_fetched() {
    check_all(&[
        (
            "echo http://169.254.169.254/latest/user-data | xargs curl -s\n",
            &["1 curl http://169.254.169.254/latest/user-data"],
        ),
        (
            "echo http://169.254.169.254/latest/user-data | xargs curl -s > /etc/motd\n",
            &["1 curl http://169.254.169.254/latest/user-data"],
        ),
        (
            "printf '%s\\n' http://169.254.169.254/latest/user-data > /tmp/u\nwget -q -i /tmp/u\n",
            &["2 wget /tmp/u"],
        ),
    ]);
    check_clean(&[
        "echo http://169.254.169.254/latest/user-data | xargs curl -H \"X-aws-ec2-metadata-token: $T\"\n",
    ]);
}
