//! Settings that the function and the command share with every AWS tool.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use aws_config::SdkConfig;
use aws_smithy_types::retry::{RetryConfig, RetryMode};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

/// A setting whose value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is `{value}`: expected {expected}")]
pub struct SettingError {
    name: &'static str,
    value: String,
    expected: &'static str,
}

/// All settings whose values cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SettingErrors(pub Vec<SettingError>);

impl fmt::Display for SettingErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors: Vec<String> = self.0.iter().map(SettingError::to_string).collect();
        f.write_str(&errors.join("; "))
    }
}

/// Reads `AWS_ENDPOINT_URL`, the same with `_EC2`, `_CLOUDWATCH` and `_DYNAMODB`,
/// `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS`, `AWS_USE_FIPS_ENDPOINT`, `AWS_USE_DUALSTACK_ENDPOINT`,
/// `AWS_RETRY_MODE` and `AWS_MAX_ATTEMPTS` (default 3, as in every AWS tool).
///
/// # Errors
/// Names every variable whose value cannot be used.
pub fn environment(var: impl Fn(&str) -> Option<String>) -> Result<SdkConfig, SettingErrors> {
    let given = |name: &str| var(name).filter(|value| !value.is_empty());
    let SharedSettings {
        ignore_endpoint_urls,
        fips,
        dual_stack,
        retries,
    } = SharedSettings::read(|name, _| given(name))?;
    let url = |name: &str| given(name).filter(|_| !ignore_endpoint_urls);
    let mut config = SdkConfig::builder();
    config
        .set_endpoint_url(url("AWS_ENDPOINT_URL"))
        .set_use_fips(fips)
        .set_use_dual_stack(dual_stack)
        .set_service_config(Some(ServiceUrls::read(url)));
    Ok(config.retry_config(retries).build())
}

/// Settings whose invalid values the SDK itself would ignore, or panic on.
pub(crate) struct SharedSettings {
    ignore_endpoint_urls: bool,
    fips: Option<bool>,
    dual_stack: Option<bool>,
    pub(crate) retries: RetryConfig,
}

impl SharedSettings {
    /// `value`: the value of a variable, or of a key of the profile.
    ///
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
    pub(crate) fn read(
        value: impl Fn(&str, &str) -> Option<String>,
    ) -> Result<Self, SettingErrors> {
        let mut reader = SettingsReader {
            value,
            errors: Vec::new(),
        };
        let switch = "`true` or `false`";
        let ignore_endpoint_urls = reader.read(
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "ignore_configured_endpoint_urls",
            switch,
            read_switch,
        );
        let fips = reader.read(
            "AWS_USE_FIPS_ENDPOINT",
            "use_fips_endpoint",
            switch,
            read_switch,
        );
        let dual_stack = reader.read(
            "AWS_USE_DUALSTACK_ENDPOINT",
            "use_dualstack_endpoint",
            switch,
            read_switch,
        );
        let attempts = |value: &str| value.parse().ok().filter(|attempts: &u32| *attempts > 0);
        let attempts = reader.read(
            "AWS_MAX_ATTEMPTS",
            "max_attempts",
            "a number from 1",
            attempts,
        );
        // Older tools accept `legacy`; the SDK does not implement that behavior.
        let mode = |value: &str| match RetryMode::from_str(value) {
            Ok(mode) => Some(Some(mode)),
            Err(_) => (value == "legacy").then_some(None),
        };
        let expected = "`standard`, `adaptive` or `legacy`";
        let mode = reader.read("AWS_RETRY_MODE", "retry_mode", expected, mode);
        let mut retries = RetryConfig::standard();
        if let Some(attempts) = attempts {
            retries = retries.with_max_attempts(attempts);
        }
        if let Some(mode) = mode.flatten() {
            retries = retries.with_retry_mode(mode);
        }
        match reader.errors {
            errors if errors.is_empty() => Ok(SharedSettings {
                ignore_endpoint_urls: ignore_endpoint_urls == Some(true),
                fips,
                dual_stack,
                retries,
            }),
            errors => Err(SettingErrors(errors)),
        }
    }
}

/// Reads settings and collects all errors.
struct SettingsReader<F> {
    value: F,
    errors: Vec<SettingError>,
}

impl<F: Fn(&str, &str) -> Option<String>> SettingsReader<F> {
    fn read<T>(
        &mut self,
        name: &'static str,
        key: &str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = (self.value)(name, key)?;
        let parsed = parse(&value);
        if parsed.is_none() {
            self.errors.push(SettingError {
                name,
                value,
                expected,
            });
        }
        parsed
    }
}

fn read_switch(value: &str) -> Option<bool> {
    value.to_ascii_lowercase().parse().ok()
}

/// The endpoints of individual services, by variable.
#[derive(Debug)]
struct ServiceUrls(BTreeMap<&'static str, String>);

impl ServiceUrls {
    fn read(url: impl Fn(&str) -> Option<String>) -> Self {
        let urls = ["EC2", "CLOUDWATCH", "DYNAMODB"]
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
