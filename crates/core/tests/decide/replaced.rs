//! What would be launched again is enforced at most, and what launches it is named.

use imds_core::decide::{Because, Decision, Discovery, Evidence, Instead, decide};
use imds_core::instance::{Instance, LaunchTemplate};
use imds_core::policy::Action;
use imds_core::replacer::Replacer;

use crate::{done, launch, launched, non_compliant, now, open, tagged, tokens_and_hops, with};

type Named = fn(String) -> Replacer;

/// Tags, each with the name of what replaces the instance.
const TAGS: &[(&str, Named)] = &[
    ("aws:autoscaling:groupName", Replacer::AutoScalingGroup),
    ("aws:ec2:fleet-id", Replacer::Ec2Fleet),
    ("aws:ec2spot:fleet-request-id", Replacer::SpotFleet),
    ("eks:nodegroup-name", Replacer::EksNodeGroup),
    ("karpenter.sh/nodepool", Replacer::KarpenterNodePool),
    // Before v0.32.
    ("karpenter.sh/provisioner-name", Replacer::KarpenterNodePool),
    ("spotinst:aws:ec2:group:id", Replacer::Elastigroup),
    ("aws:elasticmapreduce:job-flow-id", Replacer::EmrCluster),
    (
        "elasticbeanstalk:environment-name",
        Replacer::BeanstalkEnvironment,
    ),
];

/// Tag keys that end with the name of what replaces the instance, and have the value `owned`.
const KEYS: &[(&str, Named)] = &[
    (
        "sigs.k8s.io/cluster-api-provider-aws/cluster/x",
        Replacer::ClusterApi,
    ),
    // OpenShift's machine sets among others.
    ("kubernetes.io/cluster/x", Replacer::KubernetesCluster),
];

/// Tags that only AWS can set and that say that a service stands behind the instance.
const OF_SERVICES: &[&str] = &[
    "aws:batch:compute-environment",
    "aws:elasticmapreduce:instance-group-role",
    "aws:ecs:clusterName",
    "aws:eks:cluster-name",
    "aws:gamelift:fleet",
    "aws:ssmmessages:x",
    "aws:x",
];

/// Tags that AWS sets on instances that people launch.
const OF_PEOPLE: &[&str] = &[
    "aws:cloudformation:stack-name",
    "aws:cloudformation:logical-id",
    "aws:ec2launchtemplate:id",
    "aws:ec2launchtemplate:version",
    "aws:servicecatalog:provisioningPrincipalArn",
    "Name",
    "eks:cluster-name",
    "aws-x",
    "AWS:x",
];

#[track_caller]
fn replaced(instance: &Instance, by: &Replacer) {
    for (required, of) in [("stop", Action::Stop), ("terminate", Action::Terminate)] {
        let decided = non_compliant(launch(&tokens_and_hops(required, ""), instance));
        let because = Because::Replaced {
            by: by.clone(),
            template: None,
        };
        let expected = Instead { of, because };
        assert_eq!(done(&decided), (Action::Enforce, Some(&expected)));
        assert_eq!(decided.question, None);
    }
    let enforced = non_compliant(launch(&tokens_and_hops("enforce", ""), instance));
    assert_eq!(done(&enforced), (Action::Enforce, None));
}

#[track_caller]
fn not_replaced(instance: &Instance) {
    let decided = non_compliant(launch(&tokens_and_hops("terminate", ""), instance));
    assert_eq!(done(&decided), (Action::Terminate, None), "{decided}");
}

#[test]
fn a_tag_names_what_replaces_the_instance() {
    for (key, by) in TAGS {
        replaced(&tagged(key, "x"), &by("x".to_owned()));
    }
}

#[test]
fn a_tag_key_names_the_cluster_that_owns_the_instance() {
    for (key, by) in KEYS {
        replaced(&tagged(key, "owned"), &by("x".to_owned()));
    }
}

#[test]
fn a_cluster_that_only_shares_an_instance_does_not_replace_it() {
    for value in ["shared", "", "Owned"] {
        not_replaced(&tagged("kubernetes.io/cluster/x", value));
    }
}

#[test]
fn a_tag_of_any_other_aws_service_says_that_it_replaces_the_instance() {
    for key in OF_SERVICES {
        let by = Replacer::Tagged((*key).to_owned());
        replaced(&tagged(key, "x"), &by);
    }
}

#[test]
fn tags_of_single_launches_do_not() {
    for key in OF_PEOPLE {
        not_replaced(&tagged(key, "owned"));
    }
}

#[test]
fn the_service_that_manages_an_instance_replaces_it() {
    let instance = with(|i| i.managed_by = Some("eks.amazonaws.com".to_owned()));
    replaced(
        &instance,
        &Replacer::Service("eks.amazonaws.com".to_owned()),
    );
}

#[test]
fn the_service_that_launched_an_instance_replaces_it() {
    for service in [
        "autoscaling.amazonaws.com",
        "ec2fleet.amazonaws.com",
        "spotfleet.amazonaws.com",
        "elasticmapreduce.amazonaws.com",
        "batch.amazonaws.com",
    ] {
        let role = "arn:aws:iam::1:role/x".to_owned();
        let instance = with(|i| i.principals = vec![role, service.to_owned()]);
        replaced(&instance, &Replacer::Service(service.to_owned()));
    }
}

#[test]
fn services_through_which_people_launch_single_instances_do_not() {
    for principal in [
        "cloudformation.amazonaws.com",
        "servicecatalog.amazonaws.com",
        "signin.amazonaws.com",
        "ssm.amazonaws.com",
        "AWS Internal",
        // A session's name is its caller's choice.
        "arn:aws:sts::1:assumed-role/x/autoscaling.amazonaws.com",
    ] {
        not_replaced(&with(|i| i.principals = vec![principal.to_owned()]));
    }
}

#[test]
fn the_most_specific_name_counts() {
    let mut instance = tagged("aws:autoscaling:groupName", "asg");
    let tag = |i: &mut Instance, key: &str, value: &str| {
        i.tags.insert(key.to_owned(), value.to_owned());
    };
    tag(&mut instance, "kubernetes.io/cluster/c", "owned");
    tag(&mut instance, "aws:batch:x", "y");
    instance.principals = vec!["autoscaling.amazonaws.com".to_owned()];
    replaced(&instance, &Replacer::AutoScalingGroup("asg".to_owned()));
    tag(&mut instance, "eks:nodegroup-name", "nodes");
    replaced(&instance, &Replacer::EksNodeGroup("nodes".to_owned()));
}

#[test]
fn the_launch_template_to_update_is_named() {
    let mut instance = tagged("aws:autoscaling:groupName", "web");
    let template = |i: &mut Instance, key: &str, value: &str| {
        i.tags
            .insert(format!("aws:ec2launchtemplate:{key}"), value.to_owned());
    };
    template(&mut instance, "id", "lt-1");
    template(&mut instance, "version", "7");
    let decided = non_compliant(launch(&tokens_and_hops("terminate", ""), &instance));
    let because = Because::Replaced {
        by: Replacer::AutoScalingGroup("web".to_owned()),
        template: Some(LaunchTemplate {
            id: "lt-1".to_owned(),
            version: Some("7".to_owned()),
        }),
    };
    assert_eq!(decided.instead.as_ref().unwrap().because, because);
    assert!(
        decided.to_string().ends_with(
            "not terminated, because Auto Scaling group `web` would replace it with an instance \
             like it: update launch template lt-1 version 7"
        ),
        "{decided}"
    );
}

#[test]
fn a_rule_may_disrupt_what_is_replaced_while_it_is_new() {
    let rule = r#"{"name": "a", "when": {"auto_scaling": true}, "action": "terminate", "even_if_replaced": true}"#;
    let policy = tokens_and_hops("enforce", rule);
    let tag = |i: &mut Instance| {
        i.tags
            .insert("aws:autoscaling:groupName".to_owned(), "web".to_owned());
    };
    let mut new = open();
    tag(&mut new);
    assert_eq!(
        done(&non_compliant(launch(&policy, &new))),
        (Action::Terminate, None)
    );
    let mut recent = launched(3600);
    tag(&mut recent);
    let evidence = Evidence::NotAsked;
    for discovery in [Discovery::Sweep, crate::launch_event()] {
        let decided = decide(&policy, &recent, now(), discovery, &evidence);
        let Decision::NonCompliant(decided) = decided else {
            panic!()
        };
        assert!(decided.action <= Action::Enforce);
    }
}
