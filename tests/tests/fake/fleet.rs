//! The fleet of `launch_fleet`.

use std::collections::{BTreeMap, BTreeSet};

use imds_tests::{FakeAws, FakeInstance};

use crate::client::{autoscaling, ec2};
use crate::cloudwatch::{cloudwatch, list, map, numbers, query, time};

/// All instances, by region.
fn fleet(fake: &FakeAws) -> BTreeMap<String, Vec<FakeInstance>> {
    let regions = ec2(fake, "us-east-1")
        .call("DescribeRegions", &[])
        .texts("regionName");
    regions
        .into_iter()
        .map(|region| {
            let instances = fake.instances(&region);
            (region, instances)
        })
        .collect()
}

#[test]
fn a_fleet_is_spread_unevenly_over_seventeen_regions() {
    let fake = FakeAws::start();
    fake.launch_fleet(2000);
    let sizes: BTreeMap<_, _> = fleet(&fake)
        .into_iter()
        .map(|(region, instances)| (region, instances.len()))
        .collect();
    assert_eq!(sizes.len(), 17);
    assert!(sizes.values().all(|size| *size > 0), "{sizes:?}");
    assert_eq!(sizes.values().sum::<usize>(), 2000);
    assert_eq!((sizes["us-east-1"], sizes["eu-central-1"]), (600, 300));
}

#[test]
fn a_small_fleet_has_the_requested_size() {
    for count in [0, 1, 7] {
        let fake = FakeAws::start();
        fake.launch_fleet(count);
        let launched: usize = fleet(&fake).values().map(Vec::len).sum();
        assert_eq!(launched, count);
    }
}

#[test]
fn a_fleet_has_instances_of_every_kind() {
    let fake = FakeAws::start();
    fake.launch_fleet(2000);
    let all: Vec<_> = fleet(&fake).into_values().flatten().collect();
    let share = |holds: &dyn Fn(&FakeInstance) -> bool| all.iter().filter(|one| holds(one)).count();
    let open = share(&|one| one.options.tokens == "optional");
    assert!((200..=300).contains(&open), "{open} answer IMDSv1");
    let tagged = |key: &'static str| share(&move |one| one.tags.contains_key(key));
    for (what, some) in [
        ("running", share(&|one| one.state == "running")),
        ("stopped", share(&|one| one.state == "stopped")),
        ("terminated", share(&|one| one.state == "terminated")),
        ("disabled", share(&|one| one.options.endpoint == "disabled")),
        ("in groups", tagged("aws:autoscaling:groupName")),
        ("from templates", tagged("aws:ec2launchtemplate:id")),
    ] {
        assert!((1..1900).contains(&some), "{some} are {what}");
    }
    assert_eq!(tagged("Name"), 2000);
    let hops: BTreeSet<_> = all.iter().map(|one| one.options.hop_limit).collect();
    assert!(hops.len() > 2, "{hops:?}");
}

#[test]
fn a_fleet_is_the_same_on_every_run() {
    let launched = || {
        let fake = FakeAws::start();
        fake.launch_fleet(300);
        let fleet = fleet(&fake).into_values().flatten();
        fleet
            .map(|one| (one.id, one.state, one.options, one.tags, one.image))
            .collect::<Vec<_>>()
    };
    assert_eq!(launched(), launched());
}

#[test]
fn some_instances_of_a_fleet_have_datapoints() {
    let fake = FakeAws::start();
    fake.launch_fleet(400);
    let client = cloudwatch(&fake, "us-east-1");
    let (mut in_use, mut zero, mut unknown) = (0, 0, 0);
    #[expect(clippy::disallowed_methods, reason = "the fake keeps AWS's time")]
    let now = jiff::Timestamp::now();
    let from = now - std::time::Duration::from_hours(14 * 24);
    for instance in fake.instances("us-east-1") {
        let query = query("a", &instance.id, "MetadataNoToken", "Sum", 86_400);
        let answer = client.get_metric_data(&map([
            ("MetricDataQueries", list([query])),
            ("StartTime", time(from)),
            ("EndTime", time(now)),
        ]));
        let results = answer.member("MetricDataResults").unwrap();
        let sums = numbers(&results.as_array().unwrap()[0], "Values");
        match sums.iter().sum::<f64>() {
            _ if sums.is_empty() => unknown += 1,
            0.0 => zero += 1,
            _ => {
                assert_eq!(instance.options.tokens, "optional");
                in_use += 1;
            }
        }
    }
    assert!(
        in_use > 0 && zero > 0 && unknown > 0,
        "{in_use} {zero} {unknown}"
    );
}

#[test]
fn a_fleets_regions_have_templates_images_and_launch_configurations() {
    let fake = FakeAws::start();
    fake.launch_fleet(100);
    let client = ec2(&fake, "us-east-1");
    let asked = [
        ("LaunchTemplateVersion.1", "$Default"),
        ("LaunchTemplateVersion.2", "$Latest"),
    ];
    let versions = client.call("DescribeLaunchTemplateVersions", &asked);
    assert_eq!(versions.texts("httpTokens"), ["optional", "required"]);
    let images = client.call("DescribeImages", &[]);
    assert_eq!(images.texts("imdsSupport"), ["v2.0"]);
    let known = images.texts("imageId");
    for instance in fake.instances("us-east-1") {
        assert!(known.contains(&instance.image), "{}", instance.image);
    }
    let configurations = autoscaling(&fake, "us-east-1").call("DescribeLaunchConfigurations", &[]);
    assert_eq!(configurations.texts("LaunchConfigurationName").len(), 2);
}
