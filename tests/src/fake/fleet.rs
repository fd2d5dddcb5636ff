//! A fleet such as an account has after some years, the same on every run except for the times.

use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;

use super::{FakeAws, LaunchBuilder, image, launch, launch_configuration, template_data};
use crate::clock::now;

/// How many of a thousand instances each region has.
const SHARES: [(&str, usize); 17] = [
    ("us-east-1", 300),
    ("eu-central-1", 150),
    ("us-west-2", 110),
    ("eu-west-1", 95),
    ("ap-southeast-1", 65),
    ("us-east-2", 55),
    ("ap-northeast-1", 45),
    ("eu-west-2", 40),
    ("ap-south-1", 30),
    ("ap-southeast-2", 25),
    ("ca-central-1", 20),
    ("eu-north-1", 18),
    ("sa-east-1", 15),
    ("us-west-1", 12),
    ("eu-west-3", 10),
    ("ap-northeast-2", 7),
    ("ap-northeast-3", 3),
];

const APPS: [&str; 8] = [
    "web",
    "api",
    "batch",
    "search",
    "cache",
    "ci",
    "reporting",
    "billing",
];
const STAGES: [&str; 3] = ["prod", "staging", "dev"];
const TYPES: [&str; 5] = [
    "t3.micro",
    "t3.large",
    "m6i.large",
    "c7g.xlarge",
    "r6i.2xlarge",
];

/// Without `ImdsSupport`.
const OLD_IMAGE: &str = "ami-0abcdef1234567890";
/// `ImdsSupport=v2.0`.
const NEW_IMAGE: &str = "ami-0fedcba9876543210";

const WITHOUT_TOKEN: &str = "#!/bin/bash\nset -e\nID=$(curl -s http://169.254.169.254/latest/meta-data/instance-id)\nhostnamectl set-hostname \"$ID\"\n";
const WITH_TOKEN: &str = "#!/bin/bash\nset -e\nTOKEN=$(curl -s -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)\nID=$(curl -s -H \"X-aws-ec2-metadata-token: $TOKEN\" http://169.254.169.254/latest/meta-data/instance-id)\nhostnamectl set-hostname \"$ID\"\n";

const DAY: Duration = Duration::from_hours(24);
/// How far back datapoints go, and the time between two of them.
const DATAPOINTS: (Duration, Duration) = (Duration::from_hours(15 * 24), Duration::from_hours(6));

impl FakeAws {
    /// Launches a fleet over the 17 regions that every account has, unevenly: 30 % in `us-east-1`,
    /// 15 % in `eu-central-1`. About one instance in eight answers IMDSv1. Some are stopped, some are
    /// terminated, some belong to groups or templates; for two in three, CloudWatch has datapoints of
    /// their IMDSv1 calls. Every region with instances has images, templates and launch configurations.
    pub fn launch_fleet(&self, count: usize) {
        let mut rng = Rng::with_seed(0x1a2b_3c4d);
        let now = now();
        let (mut share, mut launched) = (0, 0);
        for (region, of_thousand) in SHARES {
            share += of_thousand;
            let until = count * share / 1000;
            if until == launched {
                continue;
            }
            let origins = self.origins(region, now);
            for number in launched..until {
                self.launch_member(&origins, number, &mut rng);
            }
            launched = until;
        }
    }

    fn origins<'r>(&self, region: &'r str, now: Timestamp) -> Origins<'r> {
        self.add_image(region, image(OLD_IMAGE).name("golden-2019"));
        self.add_image(region, image(NEW_IMAGE).name("golden-2024").imds_v2());
        let open = self.template(region, "fleet-open");
        let data = template_data().image(OLD_IMAGE).user_data(WITHOUT_TOKEN);
        self.template_version(&open, data.clone().tokens("optional"));
        self.template_version(&open, data.tokens("required").hop_limit(2));
        let closed = self.template(region, "fleet-closed");
        self.template_version(&closed, template_data().image(NEW_IMAGE));
        self.add_launch_configuration(
            region,
            launch_configuration("legacy-2019")
                .image(OLD_IMAGE)
                .user_data(WITHOUT_TOKEN),
        );
        self.add_launch_configuration(
            region,
            launch_configuration("legacy-2021").tokens("required"),
        );
        Origins {
            region,
            now,
            open,
            closed,
        }
    }

    fn launch_member(&self, origins: &Origins<'_>, number: usize, rng: &mut Rng) {
        let Origins { region, now, .. } = *origins;
        let image = if one_in(rng, 8) { OLD_IMAGE } else { NEW_IMAGE };
        let age = DAY * rng.u32(1..400) + Duration::from_secs(rng.u64(..86_400));
        let state = match rng.u8(..100) {
            0..=1 => "terminated",
            2..=12 => "stopped",
            _ => "running",
        };
        let id = self.launch(
            origins
                .member(number, image, rng)
                .state(state)
                .launched_at(now - age),
        );
        let calls = rng.u8(..3);
        if state != "running" || calls == 0 {
            return;
        }
        let in_use = image == OLD_IMAGE && calls == 1;
        let (window, step) = DATAPOINTS;
        let steps = u32::try_from(window.as_secs() / step.as_secs()).unwrap_or(u32::MAX);
        let since = now - age;
        let points = (0..steps)
            .map(|count| now - step * count)
            .filter(|at| *at > since)
            .map(|at| {
                let used = in_use && !one_in(rng, 4);
                (
                    at,
                    if used {
                        f64::from(rng.u32(1..400))
                    } else {
                        0.0
                    },
                )
            });
        let points: Vec<_> = points.collect();
        let series = (region.to_owned(), "MetadataNoToken".to_owned(), id);
        self.shared.lock().metrics.add(series, points);
    }
}

/// What a region's instances are launched from, and when the fleet is made.
struct Origins<'r> {
    region: &'r str,
    now: Timestamp,
    /// The launch template whose default version allows IMDSv1.
    open: String,
    /// The launch template whose image requires tokens.
    closed: String,
}

impl Origins<'_> {
    fn member(&self, number: usize, image: &str, rng: &mut Rng) -> LaunchBuilder {
        let (app, stage) = (
            APPS[rng.usize(..APPS.len())],
            STAGES[rng.usize(..STAGES.len())],
        );
        let (template, tokens, script) = if image == OLD_IMAGE {
            (&self.open, "optional", WITHOUT_TOKEN)
        } else {
            (&self.closed, "required", WITH_TOKEN)
        };
        let mut member = launch(self.region)
            .tag("Name", &format!("{app}-{stage}-{number:05}"))
            .tag("app", app)
            .tag("stage", stage)
            .image(image)
            .instance_type(TYPES[rng.usize(..TYPES.len())])
            .az(["a", "b", "c"][rng.usize(..3)])
            .tokens(tokens)
            .hop_limit([1, 2, 2, 2, 3][rng.usize(..5)]);
        if one_in(rng, 40) {
            member = member.endpoint("disabled");
        }
        if one_in(rng, 4) {
            member = member.in_group(&format!("{app}-{stage}"));
        }
        if one_in(rng, 5) {
            member = member.from_template(template, "1");
        }
        if one_in(rng, 10) {
            member = member.user_data(script);
        }
        member
    }
}

fn one_in(rng: &mut Rng, count: u32) -> bool {
    rng.u32(..count) == 0
}
