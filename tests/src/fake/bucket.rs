//! Token buckets: how many calls an account may make in a region.

use std::collections::HashMap;
use std::time::Instant;

use super::request::ApiRequest;

/// A bucket's size and its refill per second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub(super) burst: f64,
    pub(super) per_second: f64,
}

/// The buckets of all actions and regions. Without rates nothing is throttled.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    real: Option<f64>,
    chosen: HashMap<String, Rate>,
    buckets: HashMap<(String, String), BucketLevel>,
}

impl Buckets {
    /// EC2's own rates, refilled `time_factor` times as fast.
    pub(super) fn real(&mut self, time_factor: f64) {
        self.real = Some(time_factor);
        self.buckets.clear();
    }

    pub(super) fn choose(&mut self, action: &str, rate: Rate) {
        self.chosen.insert(action.to_owned(), rate);
        self.buckets.clear();
    }

    /// Takes what the call costs, or nothing if one of its buckets does not hold enough.
    pub(super) fn take(&mut self, request: &ApiRequest) -> bool {
        let now = Instant::now();
        let costs = self.costs(request);
        let enough = costs
            .iter()
            .all(|(name, rate, cost)| self.bucket(request, name, *rate, now).left >= *cost);
        if enough {
            for (name, rate, cost) in &costs {
                self.bucket(request, name, *rate, now).left -= cost;
            }
        }
        enough
    }

    fn bucket(
        &mut self,
        request: &ApiRequest,
        name: &str,
        rate: Rate,
        now: Instant,
    ) -> &mut BucketLevel {
        let key = (name.to_owned(), request.region.clone());
        let bucket = self.buckets.entry(key).or_insert(BucketLevel {
            left: rate.burst,
            at: now,
        });
        let grown = bucket.left + now.duration_since(bucket.at).as_secs_f64() * rate.per_second;
        *bucket = BucketLevel {
            left: grown.min(rate.burst),
            at: now,
        };
        bucket
    }

    /// The buckets that a call takes from, and how much.
    fn costs(&self, request: &ApiRequest) -> Vec<(String, Rate, f64)> {
        let action = request.action.as_str();
        if let Some(rate) = self.chosen.get(action) {
            return vec![(action.to_owned(), *rate, 1.0)];
        }
        let Some(factor) = self.real.filter(|_| request.service == "ec2") else {
            return Vec::new();
        };
        let rate = |(burst, per_second): (f64, f64)| Rate {
            burst,
            per_second: per_second * factor,
        };
        let (class, requests) = request_rate(request);
        let mut costs = vec![(format!("{action} {class}"), rate(requests), 1.0)];
        if let Some(instances) = instance_rate(action) {
            costs.push((
                format!("{action} instances"),
                rate(instances),
                instances_of(request),
            ));
        }
        costs
    }
}

#[derive(Clone, Copy, Debug)]
struct BucketLevel {
    left: f64,
    at: Instant,
}

/// Burst and refill of a call: <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>.
fn request_rate(request: &ApiRequest) -> (&'static str, (f64, f64)) {
    let narrowed = ["MaxResults", "NextToken", "Filter.1.Name"]
        .iter()
        .any(|name| request.get(name).is_some());
    match request.action.as_str() {
        action if action.starts_with("Describe") || action.starts_with("Get") => {
            if narrowed {
                ("filtered", (100.0, 20.0))
            } else {
                ("unfiltered", (50.0, 10.0))
            }
        }
        "ModifyInstanceMetadataOptions" | "TerminateInstances" => ("", (100.0, 5.0)),
        "CreateTags" | "DeleteTags" => ("", (100.0, 10.0)),
        "RunInstances" | "StartInstances" => ("", (5.0, 2.0)),
        _ => ("", (50.0, 5.0)),
    }
}

fn instance_rate(action: &str) -> Option<(f64, f64)> {
    match action {
        "TerminateInstances" | "StopInstances" => Some((1000.0, 20.0)),
        "RunInstances" | "StartInstances" => Some((1000.0, 2.0)),
        _ => None,
    }
}

fn instances_of(request: &ApiRequest) -> f64 {
    let count = match request.get("MaxCount") {
        Some(count) => count.parse().unwrap_or(0),
        None => request.list("InstanceId").len(),
    };
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
