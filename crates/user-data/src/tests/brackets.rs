//! A call without a token is found beside one with a token in the same brackets.

use super::{check, check_all};

/// In each script, `GOOD` stands for a call with a token and `BAD` for the same call without it.
#[track_caller]
fn check_mixed(good: &str, bad: &str, rows: &[(usize, &str)]) {
    for (line, script) in rows {
        let mixed = script.replace("GOOD", good).replace("BAD", bad);
        let found = super::found(&mixed);
        let lines: Vec<_> = found
            .iter()
            .filter_map(|found| found.split(' ').next())
            .collect();
        assert_eq!(lines, [line.to_string()], "\n{mixed}\n{found:?}");
        check(script.replace("GOOD", good).replace("BAD", good), &[]);
    }
}

#[test]
fn blocks_in_brackets_have_statements_of_their_own() {
    check_mixed(
        "await fetch('http://169.254.169.254/latest/user-data', { headers: { 'X-aws-ec2-metadata-token': t } })",
        "await fetch('http://169.254.169.254/latest/user-data')",
        &[
            (
                4,
                "#!/usr/bin/env node\n(async function () {\n  const a = GOOD\n  const b = BAD\n})()\n",
            ),
            (
                4,
                "#!/usr/bin/env node\nsetInterval(async () => {\n  if (a) { GOOD; }\n  else { BAD; }\n}, 1000);\n",
            ),
            (
                3,
                "#!/usr/bin/env node\nrun(a, async (x) => {\n  BAD;\n  GOOD;\n});\n",
            ),
            (
                3,
                "#!/usr/bin/env node\nrun({ one: async () => { GOOD; },\n  two: async () => { BAD; } });\n",
            ),
        ],
    );
    check_mixed(
        "Invoke-RestMethod http://169.254.169.254/latest/user-data -Headers @{'X-aws-ec2-metadata-token'=$t}",
        "Invoke-RestMethod http://169.254.169.254/latest/user-data",
        &[
            (4, "#ps1\n$job = {\n  $a = GOOD\n  $b = BAD\n}\n"),
            (3, "#ps1\n$a = $(if ($b) { GOOD }\n  else { BAD })\n"),
            (4, "#ps1\n$a = @(\n  GOOD\n  BAD\n)\n"),
            (3, "#ps1\n$a = @{ A = GOOD\n  B = BAD }\n"),
            (
                4,
                "#ps1\nInvoke-Command -ScriptBlock ({\n  GOOD\n  BAD\n})\n",
            ),
            (
                4,
                "#ps1\nfunction Get-A {\n  param($A = $(GOOD),\n    $B = $(BAD))\n}\n",
            ),
        ],
    );
}

#[test]
fn names_that_a_block_in_brackets_assigns_are_resolved() {
    check_all(&[
        (
            "#!/usr/bin/env node\n(async () => {\n  const url = 'http://169.254.169.254/latest/user-data'\n  const r = await fetch(url)\n})()\n",
            &["4 fetch url"],
        ),
        (
            "#!/usr/bin/env node\n(async () => {\n  const o = { headers: { 'X-aws-ec2-metadata-token': t } };\n  const r = await fetch('http://169.254.169.254/latest/user-data', o);\n})();\n",
            &[],
        ),
        (
            "#!/usr/bin/env node\nif (a) { b(); } const o = { headers: { 'X-aws-ec2-metadata-token': t } };\nfetch('http://169.254.169.254/latest/user-data', o);\n",
            &[],
        ),
        (
            "#ps1\n$u = @(\n  'http://169.254.169.254/latest/user-data',\n  'http://169.254.169.254/latest/meta-data/mac'\n)\nforeach ($a in $u) { irm $a }\n",
            &["6 irm $a"],
        ),
        (
            "#ps1\n$a = $(\n  $u = 'http://169.254.169.254/latest/user-data'\n  irm $u\n)\n",
            &["4 irm $u"],
        ),
    ]);
}

#[test]
fn a_literal_in_brackets_belongs_to_its_call() {
    check_all(&[
        (
            "#!/usr/bin/perl\nmy $r = HTTP::Tiny->new->get('http://169.254.169.254/latest/user-data', {\n  headers => {\n    'X-aws-ec2-metadata-token' => $t,\n  },\n});\n",
            &[],
        ),
        (
            "cat > /opt/a.go <<'EOF'\nfunc main() {\n  a := http.Get(\"http://169.254.169.254/latest/user-data\")\n  r.Header.Set(\"X-aws-ec2-metadata-token\", t)\n}\nEOF\n",
            &["3 http.Get http://169.254.169.254/latest/user-data"],
        ),
        (
            "cat > /opt/a.go <<'EOF'\nr, err := do(http.Get, \"http://169.254.169.254/latest/user-data\", http.Header{\"X-aws-ec2-metadata-token\": {t}})\nEOF\n",
            &[],
        ),
    ]);
}

#[test]
fn each_call_of_a_statement_sends_its_own_token() {
    check_mixed(
        "requests.get(U, headers={'X-aws-ec2-metadata-token': t}).text",
        "requests.get(U).text",
        &[
            (
                4,
                "#!/usr/bin/env python3\nU = 'http://169.254.169.254/latest/user-data'\nx = [GOOD,\n  BAD]\n",
            ),
            (
                3,
                "#!/usr/bin/env python3\nU = 'http://169.254.169.254/latest/user-data'\nprint(GOOD, BAD)\n",
            ),
            (
                3,
                "#!/usr/bin/env python3\nU = 'http://169.254.169.254/latest/user-data'\nx = {'a': GOOD, 'b': BAD}\n",
            ),
            (
                3,
                "#!/usr/bin/env python3\nU = 'http://169.254.169.254/latest/user-data'\nx = GOOD if t else BAD\n",
            ),
            (
                3,
                "#!/usr/bin/env python3\nU = 'http://169.254.169.254/latest/user-data'\nx = BAD or GOOD\n",
            ),
        ],
    );
    check_mixed(
        "axios.get('http://169.254.169.254/latest/user-data', { headers: { 'X-aws-ec2-metadata-token': t } })",
        "axios.get('http://169.254.169.254/latest/user-data')",
        &[
            (
                3,
                "#!/usr/bin/env node\nconst [a, b] = await Promise.all([GOOD,\n  BAD]);\n",
            ),
            (2, "#!/usr/bin/env node\nconst a = t ? GOOD : BAD;\n"),
            (2, "#!/usr/bin/env node\nBAD.then(r => GOOD);\n"),
        ],
    );
    check_all(&[(
        "#!/usr/bin/env python3\nimport requests\nP = {'a': 'http://169.254.169.254/latest/user-data'}\nr = requests.get(P.get('a'), headers={'X-aws-ec2-metadata-token': t})\n",
        &[],
    )]);
    check_all(&[(
        "#!/usr/bin/env python3\nimport requests\nr = requests.get('http://169.254.169.254/latest/user-data', headers={'X-aws-ec2-metadata-token': requests.put('http://169.254.169.254/latest/api/token', headers={'X-aws-ec2-metadata-token-ttl-seconds': '9'}).text})\n",
        &[],
    )]);
}

#[test]
fn a_block_of_ruby_on_one_line_belongs_to_its_call() {
    let open = "#!/usr/bin/env ruby\nHOST = '169.254.169.254'\nq = Net::HTTP::Get.new('/latest/user-data')\n";
    check(
        format!(
            "{open}q['X-aws-ec2-metadata-token'] = t\nx = Net::HTTP.start(HOST, 80) {{ |c| c.request(q).body }}\n"
        ),
        &[],
    );
    check(
        format!("{open}x = Net::HTTP.start(HOST, 80) {{ |c| c.request(q).body }}\n"),
        &["4 c.request HOST"],
    );
    check(
        "#!/usr/bin/env ruby\nNet::HTTP.start('169.254.169.254', 80) do |c|\n  q = Net::HTTP::Get.new('/latest/user-data')\n  puts c.request(q).body\nend\n",
        &["4 c.request c"],
    );
}

#[test]
fn a_bracket_in_a_pattern_does_not_join_statements() {
    check(
        "#!/usr/bin/env node\nconst s = text.replace(/[(]/g, '');\nconst h = { headers: { 'X-aws-ec2-metadata-token': t } };\nfetch('http://169.254.169.254/latest/user-data');\n",
        &["4 fetch http://169.254.169.254/latest/user-data"],
    );
}
