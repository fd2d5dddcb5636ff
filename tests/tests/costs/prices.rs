//! Prices, and what the estimate assumes.

/// A price in US dollars of so many units.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Price {
    usd: f64,
    units: f64,
}

impl Price {
    pub(crate) fn of(self, units: f64) -> f64 {
        self.usd * units / self.units
    }
}

const fn price(usd: f64, units: f64) -> Price {
    Price { usd, units }
}

const MILLION: f64 = 1e6;
const GB: f64 = 1024.0 * 1024.0 * 1024.0;

// List prices in us-east-1 as of November 2026, without the free tier.

// https://aws.amazon.com/cloudwatch/pricing/
/// For a month, in each hour of which it is written; the first 10,000 metrics.
pub(crate) const METRIC: Price = price(0.30, 1.0);
/// The number of metrics up to which the price holds.
pub(crate) const METRICS_AT_PRICE: f64 = 10_000.0;
/// Standard resolution, for a month.
pub(crate) const ALARM: Price = price(0.10, 1.0);
/// For a month.
pub(crate) const DASHBOARD: Price = price(3.00, 1.0);
/// Bytes ingested.
pub(crate) const LOGS: Price = price(0.50, GB);
/// Metrics requested by `GetMetricData`.
pub(crate) const REQUESTED_METRIC: Price = price(0.01, 1000.0);

// https://aws.amazon.com/lambda/pricing/ (x86)
pub(crate) const INVOCATION: Price = price(0.20, MILLION);
pub(crate) const GB_SECOND: Price = price(16.6667, MILLION);

// https://aws.amazon.com/eventbridge/pricing/
/// An event on a bus of one's own, also from another Region: 64 KB.
pub(crate) const BUS_EVENT: Price = price(1.00, MILLION);
/// An invocation by EventBridge Scheduler.
pub(crate) const SCHEDULED: Price = price(1.00, MILLION);

// https://aws.amazon.com/dynamodb/pricing/on-demand/
pub(crate) const READ_UNIT: Price = price(0.125, MILLION);
pub(crate) const WRITE_UNIT: Price = price(0.625, MILLION);
/// A byte for a month: the table ($0.25 per GB) and its point-in-time recovery ($0.20 per GB).
pub(crate) const STORED: Price = price(0.45, GB);

/// A month, as AWS counts it.
pub(crate) const HOURS: f64 = 730.0;
pub(crate) const DAYS: f64 = HOURS / 24.0;

/// How often each thing happens in an account.
pub(crate) const LAUNCHES_A_DAY: f64 = 100.0;
pub(crate) const NON_COMPLIANT_LAUNCHES_A_DAY: f64 = 10.0;
pub(crate) const DRIFTS_A_DAY: f64 = 1.0;
pub(crate) const SWEEPS_A_DAY: f64 = 24.0;

/// Regions that have instances, and what they leave to sweeps in each.
pub(crate) const REGIONS_WITH_INSTANCES: usize = 3;
/// Instances that use IMDSv1, and are only reported.
pub(crate) const IN_USE_EACH: usize = 4;
pub(crate) const EXEMPT_EACH: usize = 3;
/// Instances that the first sweep of a day enforces.
pub(crate) const UNUSED_EACH: usize = 2;

/// Billed durations in seconds. No test measures them, because they are Lambda's.
pub(crate) const SWEEP_SECONDS: f64 = 10.0;
pub(crate) const EVENT_SECONDS: f64 = 0.2;

/// More than the items of a month of launches have.
pub(crate) const TABLE_BYTES: f64 = 1024.0 * 1024.0;

/// The alarms of the Terraform module with its defaults (`terraform/alarms.tf`), in the home Region:
/// four of the function, two of its queues, seven of its metrics, and one for each of the seven rules that
/// publish messages or keep lost events.
pub(crate) const HOME_ALARMS: usize = 4 + 2 + 7 + 7;
/// In each Region: one of the dead-letter queue, and `undelivered` of the rules `api-calls` and `alarms`.
pub(crate) const REGION_ALARMS: usize = 1 + 2;
/// `undelivered` of the seven other rules of the home Region, which are on its own bus.
pub(crate) const HOME_BUS_ALARMS: usize = 7;
pub(crate) const DASHBOARDS: usize = 1;
