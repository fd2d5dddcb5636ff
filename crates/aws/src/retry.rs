//! What the SDK retries by itself: every retryable error but throttling.

use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_sdk_cloudwatch::operation::get_metric_data::GetMetricDataError;
use aws_sdk_ec2::operation::describe_instances::DescribeInstancesError;
use aws_sdk_ec2::operation::describe_regions::DescribeRegionsError;
use aws_sdk_ec2::operation::modify_instance_metadata_options::ModifyInstanceMetadataOptionsError;
use aws_sdk_ec2::operation::stop_instances::StopInstancesError;
use aws_sdk_ec2::operation::terminate_instances::TerminateInstancesError;
use aws_smithy_runtime_api::client::interceptors::context::{Error, InterceptorContext};
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::trust::is_untrusted;

/// Excludes throttled calls of the operations in [`code`] from the SDK's retries, which would back off
/// independently: they are sent again with a permit of the rate limiter. Also excludes untrusted certificates, where a retry does not
/// help.
#[derive(Debug)]
pub(crate) struct LeaveThrottling;

impl ClassifyRetry for LeaveThrottling {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else {
            return RetryAction::NoActionIndicated;
        };
        let is_throttled = || {
            let code = error.as_operation_error().and_then(code);
            code.is_some_and(|code| THROTTLING_ERRORS.contains(&code))
        };
        if is_untrusted(error) || is_throttled() {
            RetryAction::RetryForbidden
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "leave throttling to the rate limiter"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::http_status_code_classifier())
    }
}

/// The error's code: the SDK hides which operation it is of.
fn code(error: &Error) -> Option<&str> {
    fn code_of<E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static>(
        error: &Error,
    ) -> Option<&str> {
        error.downcast_ref::<E>()?.code()
    }
    // The command's own calls are few: the SDK's backoff is enough for them.
    let any: [fn(&Error) -> Option<&str>; 6] = [
        code_of::<ModifyInstanceMetadataOptionsError>,
        code_of::<DescribeInstancesError>,
        code_of::<GetMetricDataError>,
        code_of::<StopInstancesError>,
        code_of::<TerminateInstancesError>,
        code_of::<DescribeRegionsError>,
    ];
    any.iter().find_map(|code_of| code_of(error))
}
