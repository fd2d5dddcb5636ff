//! Settings of the environment that the function shares with every AWS tool.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>

use std::collections::BTreeMap;
use std::str::FromStr;

use aws_config::SdkConfig;
use aws_smithy_types::retry::{RetryConfig, RetryMode};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

/// A variable whose value cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{name}` is `{value}`: expected {expected}")]
pub struct SettingError {
    name: &'static str,
    value: String,
    expected: &'static str,
}

/// Reads `AWS_ENDPOINT_URL`, the same with `_EC2` and `_CLOUDWATCH`,
/// `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS`, `AWS_USE_FIPS_ENDPOINT`, `AWS_USE_DUALSTACK_ENDPOINT` and
/// `AWS_MAX_ATTEMPTS` (3 unless it says otherwise, as in every AWS tool).
///
/// # Errors
/// Names the first variable whose value cannot be used.
pub fn environment(var: impl Fn(&str) -> Option<String>) -> Result<SdkConfig, SettingError> {
    let given = |name: &str| var(name).filter(|value| !value.is_empty());
    let switch = |name: &'static str| match given(name) {
        None => Ok(None),
        Some(value) if value.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(value) if value.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(value) => Err(SettingError {
            name,
            value,
            expected: "`true` or `false`",
        }),
    };
    let ignored = switch("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")? == Some(true);
    let url = |name: &str| given(name).filter(|_| !ignored);
    let mut config = SdkConfig::builder();
    config
        .set_endpoint_url(url("AWS_ENDPOINT_URL"))
        .set_use_fips(switch("AWS_USE_FIPS_ENDPOINT")?)
        .set_use_dual_stack(switch("AWS_USE_DUALSTACK_ENDPOINT")?)
        .set_service_config(Some(ServiceUrls::read(url)));
    let retries = retries(|name, _| given(name))?;
    Ok(config.retry_config(retries).build())
}

/// How often the SDK tries, by a function from a variable, or a key of a profile, to its value.
///
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
pub(crate) fn retries(
    value: impl Fn(&'static str, &'static str) -> Option<String>,
) -> Result<RetryConfig, SettingError> {
    let mut retries = RetryConfig::standard();
    if let Some(value) = value("AWS_MAX_ATTEMPTS", "max_attempts") {
        match value.parse() {
            Ok(attempts @ 1..) => retries = retries.with_max_attempts(attempts),
            _ => {
                return Err(SettingError {
                    name: "AWS_MAX_ATTEMPTS",
                    value,
                    expected: "a number from 1",
                });
            }
        }
    }
    if let Some(value) = value("AWS_RETRY_MODE", "retry_mode") {
        match RetryMode::from_str(&value) {
            Ok(mode) => retries = retries.with_retry_mode(mode),
            // The word of older tools, whose behaviour the SDK does not have.
            Err(_) if value == "legacy" => {}
            Err(_) => {
                return Err(SettingError {
                    name: "AWS_RETRY_MODE",
                    value,
                    expected: "`standard` or `adaptive`",
                });
            }
        }
    }
    Ok(retries)
}

/// The endpoints of single services, by variable.
#[derive(Debug)]
struct ServiceUrls(BTreeMap<&'static str, String>);

impl ServiceUrls {
    fn read(url: impl Fn(&str) -> Option<String>) -> Self {
        let urls = ["EC2", "CLOUDWATCH"]
            .into_iter()
            .filter_map(|service| Some((service, url(&format!("AWS_ENDPOINT_URL_{service}"))?)));
        ServiceUrls(urls.collect())
    }
}

impl LoadServiceConfig for ServiceUrls {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace(' ', "_");
        self.0
            .get(service.as_str())
            .filter(|_| key.env() == "AWS_ENDPOINT_URL")
            .cloned()
    }
}
