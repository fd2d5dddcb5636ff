//! Where a service listens in a region.

use crate::client::Service;

/// How endpoints are found.
///
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    every: Option<String>,
    ec2: Option<String>,
    cloudwatch: Option<String>,
    sts: Option<String>,
    auto_scaling: Option<String>,
    fips: bool,
    dual_stack: bool,
}

impl Endpoints {
    /// Reads `AWS_ENDPOINT_URL`, the same with `_EC2`, `_CLOUDWATCH`, `_STS` and `_AUTO_SCALING`,
    /// `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS`, `AWS_USE_FIPS_ENDPOINT` and `AWS_USE_DUALSTACK_ENDPOINT`.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Self {
        let on = |name: &str| var(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let ignored = on("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        let url = |name: &str| var(name).filter(|url| !url.is_empty() && !ignored);
        Endpoints {
            every: url("AWS_ENDPOINT_URL"),
            ec2: url("AWS_ENDPOINT_URL_EC2"),
            cloudwatch: url("AWS_ENDPOINT_URL_CLOUDWATCH"),
            sts: url("AWS_ENDPOINT_URL_STS"),
            auto_scaling: url("AWS_ENDPOINT_URL_AUTO_SCALING"),
            fips: on("AWS_USE_FIPS_ENDPOINT"),
            dual_stack: on("AWS_USE_DUALSTACK_ENDPOINT"),
        }
    }

    pub(crate) fn url(&self, service: Service, region: &str) -> String {
        let given = match service {
            Service::Ec2 => self.ec2.as_ref(),
            Service::CloudWatch => self.cloudwatch.as_ref(),
            Service::Sts => self.sts.as_ref(),
            Service::AutoScaling => self.auto_scaling.as_ref(),
        };
        match given.or(self.every.as_ref()) {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("https://{}", self.host(service, region)),
        }
    }

    /// The authority of the URL: what the signature covers.
    pub(crate) fn host_header(&self, service: Service, region: &str) -> String {
        let url = self.url(service, region);
        let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest).to_owned()
    }

    fn host(&self, service: Service, region: &str) -> String {
        let partition = Partition::of(region);
        let fips = if self.fips { "-fips" } else { "" };
        let suffix = if self.dual_stack {
            partition.dual_stack
        } else {
            partition.suffix
        };
        format!("{}{fips}.{region}.{suffix}", service.name())
    }
}

struct Partition {
    suffix: &'static str,
    dual_stack: &'static str,
}

impl Partition {
    /// The partitions of the SDK's `partitions.json`.
    fn of(region: &str) -> Self {
        let of_prefix = |prefix: &str| region.starts_with(prefix);
        let (suffix, dual_stack) = if of_prefix("cn-") {
            ("amazonaws.com.cn", "api.amazonwebservices.com.cn")
        } else if of_prefix("eusc-") {
            ("amazonaws.eu", "api.amazonwebservices.eu")
        } else if of_prefix("us-isob-") {
            ("sc2s.sgov.gov", "api.aws.scloud")
        } else if of_prefix("us-isof-") || of_prefix("eu-isof-") {
            ("csp.hci.ic.gov", "api.aws.hci.ic.gov")
        } else if of_prefix("us-iso-") {
            ("c2s.ic.gov", "api.aws.ic.gov")
        } else if of_prefix("eu-isoe-") {
            ("cloud.adc-e.uk", "api.cloud-aws.adc-e.uk")
        } else {
            ("amazonaws.com", "api.aws")
        };
        Partition { suffix, dual_stack }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(vars: &[(&str, &str)]) -> Endpoints {
        Endpoints::from_vars(|name| {
            vars.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn each_partition_has_its_own_domain() {
        let host = |region| with(&[]).url(Service::Ec2, region);
        assert_eq!(
            host("eu-central-1"),
            "https://ec2.eu-central-1.amazonaws.com"
        );
        assert_eq!(
            host("us-gov-west-1"),
            "https://ec2.us-gov-west-1.amazonaws.com"
        );
        assert_eq!(
            host("cn-north-1"),
            "https://ec2.cn-north-1.amazonaws.com.cn"
        );
        assert_eq!(
            host("us-iso-east-1"),
            "https://ec2.us-iso-east-1.c2s.ic.gov"
        );
    }

    #[test]
    fn fips_and_dual_stack_change_the_host() {
        let fips = with(&[("AWS_USE_FIPS_ENDPOINT", "true")]);
        assert_eq!(
            fips.url(Service::Ec2, "us-east-1"),
            "https://ec2-fips.us-east-1.amazonaws.com"
        );
        let dual = with(&[("AWS_USE_DUALSTACK_ENDPOINT", "true")]);
        assert_eq!(
            dual.url(Service::Ec2, "us-east-1"),
            "https://ec2.us-east-1.api.aws"
        );
    }

    #[test]
    fn the_endpoint_of_the_service_wins_over_the_endpoint_of_all() {
        let both = with(&[
            ("AWS_ENDPOINT_URL", "http://all:1/"),
            ("AWS_ENDPOINT_URL_EC2", "http://ec2:2"),
        ]);
        assert_eq!(both.url(Service::Ec2, "us-east-1"), "http://ec2:2");
        assert_eq!(
            with(&[("AWS_ENDPOINT_URL", "http://all:1/")]).host_header(Service::Ec2, "x"),
            "all:1"
        );
    }

    #[test]
    fn configured_endpoints_can_be_ignored() {
        let ignored = with(&[
            ("AWS_ENDPOINT_URL", "http://all:1"),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
        ]);
        assert_eq!(
            ignored.url(Service::Ec2, "sa-east-1"),
            "https://ec2.sa-east-1.amazonaws.com"
        );
    }
}
