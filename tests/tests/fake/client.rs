//! A minimal client: form posts with a placeholder signature, and XML answers.

use std::time::Duration;

use imds_tests::FakeAws;
use roxmltree::Document;
use ureq::Agent;

/// Calls one service in one region over persistent connections.
pub(crate) struct RawClient {
    agent: Agent,
    url: String,
    region: String,
    service: &'static str,
    version: &'static str,
}

/// Status and body.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

pub(crate) fn ec2(fake: &FakeAws, region: &str) -> RawClient {
    client(fake, region, "ec2", "2016-11-15")
}

pub(crate) fn sts(fake: &FakeAws, region: &str) -> RawClient {
    client(fake, region, "sts", "2011-06-15")
}

pub(crate) fn autoscaling(fake: &FakeAws, region: &str) -> RawClient {
    client(fake, region, "autoscaling", "2011-01-01")
}

pub(crate) fn agent() -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)));
    config.build().into()
}

/// A header with a placeholder signature; the fake reads only its scope.
pub(crate) fn authorization(region: &str, service: &str) -> String {
    let scope = format!("20260101/{region}/{service}/aws4_request");
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders=host;x-amz-date, Signature=abc"
    )
}

fn client(fake: &FakeAws, region: &str, service: &'static str, version: &'static str) -> RawClient {
    RawClient {
        agent: agent(),
        url: fake.url().to_owned(),
        region: region.to_owned(),
        service,
        version,
    }
}

impl RawClient {
    #[track_caller]
    pub(crate) fn call(&self, action: &str, params: &[(&str, &str)]) -> HttpAnswer {
        self.try_call(action, params).unwrap()
    }

    pub(crate) fn try_call(
        &self,
        action: &str,
        params: &[(&str, &str)],
    ) -> Result<HttpAnswer, ureq::Error> {
        let form = [("Action", action), ("Version", self.version)]
            .into_iter()
            .chain(params.iter().copied());
        let mut response = self
            .agent
            .post(&self.url)
            .header("Authorization", authorization(&self.region, self.service))
            .header("User-Agent", "self-test")
            .send_form(form)?;
        Ok(HttpAnswer {
            status: response.status().as_u16(),
            body: response.body_mut().read_to_string()?,
        })
    }

    /// With `InstanceId.1`, `InstanceId.2`, …
    #[track_caller]
    pub(crate) fn with_ids(&self, action: &str, ids: &[&str]) -> HttpAnswer {
        self.with_list(action, "InstanceId", ids)
    }

    #[track_caller]
    pub(crate) fn with_list(&self, action: &str, name: &str, values: &[&str]) -> HttpAnswer {
        let names: Vec<_> = (1..=values.len()).map(|n| format!("{name}.{n}")).collect();
        let params: Vec<_> = names
            .iter()
            .map(String::as_str)
            .zip(values.iter().copied())
            .collect();
        self.call(action, &params)
    }

    /// DescribeInstances with one filter.
    #[track_caller]
    pub(crate) fn filtered(&self, name: &str, values: &[&str]) -> HttpAnswer {
        let names: Vec<_> = (1..=values.len())
            .map(|n| format!("Filter.1.Value.{n}"))
            .collect();
        let mut params = vec![("Filter.1.Name", name)];
        params.extend(names.iter().map(String::as_str).zip(values.iter().copied()));
        self.call("DescribeInstances", &params)
    }

    #[track_caller]
    pub(crate) fn modify(&self, id: &str, params: &[(&str, &str)]) -> HttpAnswer {
        let params: Vec<_> = [("InstanceId", id)]
            .into_iter()
            .chain(params.iter().copied())
            .collect();
        self.call("ModifyInstanceMetadataOptions", &params)
    }
}

impl HttpAnswer {
    /// The texts of all elements of this name.
    #[track_caller]
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let document =
            Document::parse(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.body));
        let elements = document
            .descendants()
            .filter(|node| node.tag_name().name() == name);
        elements
            .map(|node| node.text().unwrap_or_default().to_owned())
            .collect()
    }

    /// The text of the first element of this name.
    #[track_caller]
    pub(crate) fn text(&self, name: &str) -> String {
        self.texts(name)
            .into_iter()
            .next()
            .unwrap_or_else(|| panic!("no {name} in {}", self.body))
    }

    /// The instances of DescribeInstances.
    #[track_caller]
    pub(crate) fn ids(&self) -> Vec<String> {
        assert_eq!(self.status, 200, "{}", self.body);
        self.texts("instanceId")
    }

    /// The error code and its status.
    #[track_caller]
    pub(crate) fn error(&self) -> (u16, String) {
        (self.status, self.text("Code"))
    }

    #[track_caller]
    pub(crate) fn is_done(&self) {
        assert_eq!(self.status, 200, "{}", self.body);
    }

    #[track_caller]
    pub(crate) fn is_rejected(&self, status: u16, code: &str) {
        assert_eq!(self.error(), (status, code.to_owned()), "{}", self.body);
    }
}
