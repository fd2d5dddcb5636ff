//! The metadata options in EC2's answers and calls: one table. An unrecognized value
//! leaves the option unknown, so it is never compliant.

use aws_sdk_ec2::operation::modify_instance_metadata_options::builders::ModifyInstanceMetadataOptionsFluentBuilder;
use aws_sdk_ec2::types;
use imds_core::options::{HopLimit, MetadataOption, MetadataOptions, OptionSetting};

/// Reads a field that is a word or a number.
macro_rules! read {
    ($options:ident, $option:ident, $value:expr, word) => {
        let word = $value.as_ref().map(|word| word.as_str());
        let setting = word.and_then(|word| MetadataOption::$option.setting(word));
        if let Some(setting) = setting {
            $options.set(setting);
        }
    };
    ($options:ident, $option:ident, $value:expr, number) => {
        let number = $value.and_then(|number| HopLimit::try_from(i64::from(number)).ok());
        if let Some(number) = number {
            $options.set(OptionSetting::$option(number));
        }
    };
}

macro_rules! define {
    ($($option:ident: $field:ident $kind:ident, $setter:ident;)+) => {
        /// The options of an instance.
        pub(crate) fn of_instance(
            answer: &types::InstanceMetadataOptionsResponse,
        ) -> MetadataOptions {
            let mut options = MetadataOptions::default();
            $(read!(options, $option, answer.$field, $kind);)+
            options
        }

        /// The options of a launch template.
        #[cfg(feature = "command")]
        pub(crate) fn of_template(
            answer: &types::LaunchTemplateInstanceMetadataOptions,
        ) -> MetadataOptions {
            let mut options = MetadataOptions::default();
            $(read!(options, $option, answer.$field, $kind);)+
            options
        }

        /// A call that sets these options.
        pub(crate) fn send(
            call: ModifyInstanceMetadataOptionsFluentBuilder,
            options: &MetadataOptions,
        ) -> ModifyInstanceMetadataOptionsFluentBuilder {
            $(let setting = options.get(MetadataOption::$option);
            let call = call.$setter(setting.and_then(|setting| setting.value().parse().ok()));)+
            call
        }
    };
}

define! {
    HttpTokens: http_tokens word, set_http_tokens;
    HttpEndpoint: http_endpoint word, set_http_endpoint;
    HopLimit: http_put_response_hop_limit number, set_http_put_response_hop_limit;
    HttpProtocolIpv6: http_protocol_ipv6 word, set_http_protocol_ipv6;
    InstanceMetadataTags: instance_metadata_tags word, set_instance_metadata_tags;
}

/// The options of a launch configuration, which has only three of them.
#[cfg(feature = "command")]
pub(crate) fn of_launch_configuration(
    answer: &aws_sdk_autoscaling::types::InstanceMetadataOptions,
) -> MetadataOptions {
    let mut options = MetadataOptions::default();
    read!(options, HttpTokens, answer.http_tokens, word);
    read!(options, HttpEndpoint, answer.http_endpoint, word);
    read!(
        options,
        HopLimit,
        answer.http_put_response_hop_limit,
        number
    );
    options
}
