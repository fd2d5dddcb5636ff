//! The SDK's clients for the services of a region.

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use aws_config::SdkConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::attempt_log::AttemptLog;
use crate::retry::LeaveThrottling;
use crate::timing;
use crate::whole::WholeAnswers;

/// The SDK's clients for a region; each is created on first use.
#[derive(Debug)]
pub(crate) struct Services {
    config: SdkConfig,
    log: AttemptLog,
    hides_managed: AtomicBool,
    ec2: OnceLock<aws_sdk_ec2::Client>,
    cloudwatch: OnceLock<aws_sdk_cloudwatch::Client>,
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    #[cfg(feature = "command")]
    sts: OnceLock<aws_sdk_sts::Client>,
    #[cfg(feature = "command")]
    auto_scaling: OnceLock<aws_sdk_autoscaling::Client>,
}

impl Services {
    pub(crate) fn new(config: SdkConfig, log: AttemptLog) -> Self {
        Services {
            config,
            log,
            hides_managed: AtomicBool::new(true),
            ec2: OnceLock::new(),
            cloudwatch: OnceLock::new(),
            dynamodb: OnceLock::new(),
            #[cfg(feature = "command")]
            sts: OnceLock::new(),
            #[cfg(feature = "command")]
            auto_scaling: OnceLock::new(),
        }
    }

    /// Whether EC2 may hide instances that AWS services manage, and knows the parameter that shows them.
    pub(crate) fn hides_managed(&self) -> &AtomicBool {
        &self.hides_managed
    }

    pub(crate) fn ec2(&self) -> &aws_sdk_ec2::Client {
        self.ec2.get_or_init(|| {
            let config = aws_sdk_ec2::config::Builder::from(&self.config)
                .retry_classifier(LeaveThrottling)
                .interceptor(WholeAnswers)
                .interceptor(self.log.clone());
            aws_sdk_ec2::Client::from_conf(config.build())
        })
    }

    pub(crate) fn cloudwatch(&self) -> &aws_sdk_cloudwatch::Client {
        self.cloudwatch.get_or_init(|| {
            let config = aws_sdk_cloudwatch::config::Builder::from(&self.config)
                .retry_classifier(LeaveThrottling)
                .interceptor(self.log.clone());
            aws_sdk_cloudwatch::Client::from_conf(config.build())
        })
    }

    /// An answer takes milliseconds, and whoever waits for it has another minute at most.
    pub(crate) fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        self.dynamodb.get_or_init(|| {
            let retries = self.config.retry_config().cloned();
            let retries = retries.unwrap_or_else(RetryConfig::standard);
            let timeouts = TimeoutConfig::builder()
                .operation_attempt_timeout(timing::STATE_ATTEMPT_TIMEOUT)
                .build();
            let config = aws_sdk_dynamodb::config::Builder::from(&self.config)
                .retry_config(
                    retries
                        .with_initial_backoff(timing::STATE_FIRST_RETRY)
                        .with_max_backoff(timing::STATE_LONGEST_RETRY)
                        .with_max_attempts(timing::STATE_ATTEMPTS),
                )
                .timeout_config(timeouts)
                .retry_classifier(LeaveThrottling)
                .interceptor(self.log.clone());
            aws_sdk_dynamodb::Client::from_conf(config.build())
        })
    }

    #[cfg(feature = "command")]
    pub(crate) fn sts(&self) -> &aws_sdk_sts::Client {
        self.sts.get_or_init(|| {
            let config = aws_sdk_sts::config::Builder::from(&self.config)
                .retry_classifier(LeaveThrottling)
                .interceptor(WholeAnswers)
                .interceptor(self.log.clone());
            aws_sdk_sts::Client::from_conf(config.build())
        })
    }

    #[cfg(feature = "command")]
    pub(crate) fn auto_scaling(&self) -> &aws_sdk_autoscaling::Client {
        self.auto_scaling.get_or_init(|| {
            let config = aws_sdk_autoscaling::config::Builder::from(&self.config)
                .retry_classifier(LeaveThrottling)
                .interceptor(WholeAnswers)
                .interceptor(self.log.clone());
            aws_sdk_autoscaling::Client::from_conf(config.build())
        })
    }
}
