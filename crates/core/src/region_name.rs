//! Names of regions, to recognize a typing error.

/// The regions of all partitions when this was written. AWS adds regions, so that another name may be right.
///
/// <https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html>
const KNOWN: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-isoe-west-1",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "us-isob-west-1",
    "us-isof-east-1",
    "us-isof-south-1",
    "us-west-1",
    "us-west-2",
];

/// How many letters a name may differ from the one that was meant.
const MOST_DIFFERENCES: usize = 2;

/// Whether AWS had this region when this was written.
pub fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
}

/// The known region that was probably meant; `None` if the name is known itself, or like no other.
pub fn meant(name: &str) -> Option<&'static str> {
    if is_known(name) {
        return None;
    }
    let name = name.to_lowercase();
    let distance = |known: &&&'static str| strsim::osa_distance(known, &name);
    let nearest = KNOWN.iter().min_by_key(distance)?;
    (distance(&nearest) <= MOST_DIFFERENCES).then_some(*nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_has_the_region_that_was_meant() {
        for (typed, region) in [
            ("eu-centrall-1", "eu-central-1"),
            ("eu-cetnral-1", "eu-central-1"),
            ("eu-central-1a", "eu-central-1"),
            ("eu-central1", "eu-central-1"),
            ("EU-WEST-1", "eu-west-1"),
            ("us-esat-2", "us-east-2"),
        ] {
            assert_eq!(meant(typed), Some(region), "{typed}");
        }
        for other in ["eu-central-1", "frankfurt", "us-gov-west-1", ""] {
            assert_eq!(meant(other), None, "{other}");
        }
    }
}
