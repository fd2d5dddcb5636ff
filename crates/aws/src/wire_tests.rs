//! What the client makes of what comes over the wire: cut, garbled and odd answers.

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::options::{HopLimit, HttpTokens, Toggle};
use jiff::Timestamp;

use crate::client::Client;
use crate::cloudwatch::Metric;
use crate::ec2::Filter;
use crate::error::{CallError, Fault};
use crate::page::DescribedPage;
use crate::trust::Https;

const REGION: &str = "eu-central-1";

/// Answers every request with status 200 and what a function makes of the request's body.
struct Canned<F>(F);

impl<F> std::fmt::Debug for Canned<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Canned")
    }
}

impl<F: Fn(&str) -> Vec<u8> + Send + Sync + 'static> HttpConnector for Canned<F> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default());
        let answer = SdkBody::from((self.0)(&body));
        let mut response = HttpResponse::new(200.try_into().unwrap(), answer);
        let headers = response.headers_mut();
        headers.insert("smithy-protocol", "rpc-v2-cbor");
        HttpConnectorFuture::ready(Ok(response))
    }
}

fn client(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Client {
    let http = Https::over(SharedHttpConnector::new(Canned(answer)));
    let credentials = Credentials::new("key", "secret", None, None, "test");
    let config = SdkConfig::builder().build();
    Client::with_connections(http, &config, credentials)
}

fn instance(id: &str, hop_limit: &str, app: &str) -> String {
    format!(
        "<item><instanceId>{id}</instanceId><imageId>ami-1</imageId>\
         <instanceState><code>16</code><name>running</name></instanceState>\
         <launchTime>2026-07-13T10:00:00.000Z</launchTime>\
         <blockDeviceMapping><item><ebs><volumeId>vol-1</volumeId></ebs></item></blockDeviceMapping>\
         <tagSet><item><key>app</key><value>{app}</value></item></tagSet>\
         <metadataOptions><state>applied</state><httpTokens>required</httpTokens>\
         <httpPutResponseHopLimit>{hop_limit}</httpPutResponseHopLimit>\
         <httpEndpoint>enabled</httpEndpoint></metadataOptions>\
         <operator><managed>true</managed><principal>eks.amazonaws.com</principal></operator></item>"
    )
}

fn page(instances: &str, token: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
         <requestId>r</requestId><reservationSet><item><reservationId>r-1</reservationId>\
         <ownerId>111122223333</ownerId><groupSet/><instancesSet>{instances}</instancesSet></item>\
         </reservationSet><nextToken>{token}</nextToken></DescribeInstancesResponse>\n"
    )
}

const IDS: [&str; 3] = [
    "i-0123456789abcdef0",
    "i-0123456789abcdef1",
    "i-0123456789abcdef2",
];

fn three() -> String {
    let instances = IDS.map(|id| instance(id, "1", "a &amp; b"));
    page(&instances.concat(), "")
}

async fn first_page(answer: impl Into<Vec<u8>>) -> Result<Option<DescribedPage>, CallError> {
    let answer = answer.into();
    client(move |_| answer.clone())
        .pages(REGION, &[])
        .next()
        .await
}

fn up_to(text: &str, end: usize) -> &str {
    text.get(..end).unwrap()
}

#[tokio::test]
async fn what_is_of_use_is_read() {
    let page = first_page(three()).await.unwrap().unwrap();
    assert_eq!(page.unreadable, []);
    let [instance, _, _] = &page.instances[..] else {
        panic!("{page:?}");
    };
    assert_eq!(instance.id.as_str(), IDS[0]);
    assert_eq!(instance.account.as_deref(), Some("111122223333"));
    assert_eq!(instance.state, Some(State::Running));
    assert_eq!(instance.started_at, "2026-07-13T10:00:00Z".parse().ok());
    assert_eq!(instance.tags["app"], "a & b");
    assert_eq!(instance.options.http_tokens, Some(HttpTokens::Required));
    assert_eq!(instance.options.http_endpoint, Some(Toggle::Enabled));
    assert_eq!(instance.options.hop_limit, Some(HopLimit::MIN));
    assert_eq!(instance.options.http_protocol_ipv6, None);
    assert_eq!(instance.applied, Some(true));
    assert_eq!(instance.managed_by.as_deref(), Some("eks.amazonaws.com"));
}

#[tokio::test]
async fn public_addresses_are_read_from_every_interface_and_only_once() {
    let association = |ip| format!("<association><publicIp>{ip}</publicIp></association>");
    let [first, second, third] = ["203.0.113.9", "203.0.113.10", "203.0.113.11"].map(association);
    let described = format!(
        "<ipAddress>203.0.113.9</ipAddress><ipv6Address>2001:db8::2</ipv6Address>\
         <iamInstanceProfile><arn>arn:aws:iam::1:instance-profile/web</arn></iamInstanceProfile>\
         <networkInterfaceSet><item>{first}<privateIpAddressesSet><item>{first}</item>\
         <item>{second}</item></privateIpAddressesSet>\
         <ipv6AddressesSet><item><ipv6Address>2001:db8::2</ipv6Address></item>\
         <item><ipv6Address>fd12::3</ipv6Address></item></ipv6AddressesSet></item>\
         <item>{third}<ipv6AddressesSet><item><ipv6Address>2001:db8::1</ipv6Address></item>\
         </ipv6AddressesSet></item></networkInterfaceSet><launchTime>"
    );
    let page = first_page(three().replacen("<launchTime>", &described, 1));
    let page = page.await.unwrap().unwrap();
    let addresses = &page.instances[0].public_addresses;
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    assert_eq!(
        addresses,
        [
            "203.0.113.9",
            "203.0.113.10",
            "203.0.113.11",
            "2001:db8::1",
            "2001:db8::2"
        ]
    );
    let profile = page.instances[0].instance_profile.as_deref();
    assert_eq!(profile, Some("arn:aws:iam::1:instance-profile/web"));
}

#[tokio::test]
async fn words_of_ec2_that_are_not_known_stay_unknown() {
    let answer = three()
        .replace("required", "sometimes")
        .replace("enabled", " Enabled ")
        .replace(">applied<", ">soon<")
        .replace("running", "resting");
    let page = first_page(answer).await.unwrap().unwrap();
    let instance = &page.instances[0];
    assert_eq!(instance.options.http_tokens, None);
    assert_eq!(instance.options.http_endpoint, Some(Toggle::Enabled));
    assert_eq!((instance.state, instance.applied), (None, Some(false)));
}

#[tokio::test]
async fn an_answer_that_is_cut_anywhere_is_an_error() {
    let whole = three();
    let end = whole.trim_end().len();
    for cut in 0..end {
        let error = first_page(up_to(&whole, cut)).await.unwrap_err();
        assert_eq!(error.fault, Fault::Unreadable, "{cut}");
    }
    assert!(first_page(up_to(&whole, end)).await.is_ok());
}

#[tokio::test]
async fn answers_of_other_calls_that_are_cut_anywhere_are_errors() {
    let regions = "<DescribeRegionsResponse><requestId>r</requestId><regionInfo>\
         <item><regionName>eu-central-1</regionName></item><item><regionName>us-east-1</regionName>\
         </item></regionInfo></DescribeRegionsResponse>";
    let modified = "<ModifyInstanceMetadataOptionsResponse><requestId>r</requestId>\
         <instanceId>i-0123456789abcdef0</instanceId><instanceMetadataOptions><state>pending</state>\
         <httpTokens>required</httpTokens></instanceMetadataOptions>\
         </ModifyInstanceMetadataOptionsResponse>";
    for cut in 0..regions.len() {
        let client = client(move |_| up_to(regions, cut).into());
        let error = client.enabled_regions(REGION).await.unwrap_err();
        assert_eq!(error.fault, Fault::Unreadable, "{cut}");
    }
    let instance = Instance::unknown(InstanceId::try_from(IDS[0]).unwrap(), REGION);
    for cut in 0..modified.len() {
        let client = client(move |_| up_to(modified, cut).into());
        let sent = instance.options;
        let error = client.set_options(&instance, &sent).await.unwrap_err();
        assert_eq!(error.fault, Fault::Unreadable, "{cut}");
    }
}

#[tokio::test]
async fn an_end_that_matches_no_begin_is_an_error() {
    let whole = three();
    for (at, _) in whole.match_indices("</") {
        let (begin, end) = whole.split_at(at + 2);
        let garbled = format!("{begin}x{}", end.get(1..).unwrap());
        let error = first_page(garbled).await.unwrap_err();
        assert_eq!(error.fault, Fault::Unreadable, "{at}");
    }
}

#[tokio::test]
async fn another_answer_is_an_error() {
    for other in [
        "",
        "<html><body>hello</body></html>",
        "<DescribeInstancesResponse/>",
        "<DescribeInstancesResponse><requestId>r</requestId></DescribeInstancesResponse>",
        "<Response><Errors><Error><Code>InternalError</Code></Error></Errors></Response>",
        "not XML",
    ] {
        let error = first_page(other).await.expect_err(other);
        assert_eq!(error.fault, Fault::Unreadable, "{other}");
    }
}

#[tokio::test]
async fn no_instance_is_none_and_an_empty_token_ends_the_pages() {
    for token in ["", "\n "] {
        let answer = page("", token);
        let client = client(move |_| answer.clone().into());
        let mut pages = client.pages(REGION, &[]);
        assert_eq!(pages.next().await.unwrap().unwrap().instances, []);
        assert!(pages.next().await.unwrap().is_none(), "{token:?}");
    }
}

#[tokio::test]
async fn the_same_page_token_twice_is_an_error() {
    let answer = page("", "again");
    let client = client(move |_| answer.clone().into());
    let mut pages = client.pages(REGION, &[]);
    assert!(pages.next().await.unwrap().is_some());
    let error = pages.next().await.unwrap_err();
    assert_eq!(error.cause(), "the same page token came twice");
}

/// EC2 with 400 instances on two pages, where some have an odd hop limit; the ids that it is asked for.
async fn fleet(odd: &'static [usize]) -> (Vec<String>, Vec<String>) {
    fn id(n: usize) -> String {
        format!("i-{n:017x}")
    }
    let client = client(move |request| {
        let of = |n: usize| {
            let hops = if odd.contains(&n) { "many" } else { "1" };
            instance(&id(n), hops, "x")
        };
        let asked: Vec<usize> = (0..400)
            .filter(|n| request.contains(&format!("={}&", id(*n))))
            .collect();
        let (ids, token) = match asked.is_empty() {
            false => (asked, ""),
            true if request.contains("NextToken=a%26b") => ((200..400).collect(), ""),
            true => ((0..200).collect(), "a&amp;b"),
        };
        let instances: String = ids.into_iter().map(of).collect();
        page(&instances, token).into()
    });
    let (mut read, mut unreadable) = (Vec::new(), Vec::new());
    let mut pages = client.pages(REGION, &[]);
    while let Some(page) = pages.next().await.unwrap() {
        read.extend(page.instances.into_iter().map(|it| it.id.to_string()));
        unreadable.extend(page.unreadable.into_iter().map(|it| it.id));
    }
    read.sort();
    unreadable.sort();
    let all = |wanted: &dyn Fn(usize) -> bool| -> Vec<String> {
        (0..400).filter(|n| wanted(*n)).map(id).collect()
    };
    assert_eq!(read, all(&|n| !odd.contains(&n)));
    assert_eq!(unreadable, all(&|n| odd.contains(&n)));
    (read, unreadable)
}

#[tokio::test]
async fn one_odd_value_hides_no_other_instance_and_no_page() {
    fleet(&[]).await;
    fleet(&[0]).await;
    fleet(&[199, 200]).await;
    fleet(&[7, 8, 9, 150, 399]).await;
}

#[tokio::test]
async fn an_odd_instance_is_named_with_the_reason() {
    let odd = instance(IDS[1], "many", "x");
    let both = page(&(instance(IDS[0], "1", "x") + &odd), "");
    let alone = page(&odd, "");
    let client = client(move |request| match request.contains(IDS[1]) {
        true if !request.contains(IDS[0]) => alone.clone().into(),
        _ if request.contains(IDS[0]) && !request.contains(IDS[1]) => {
            page(&instance(IDS[0], "1", "x"), "").into()
        }
        _ => both.clone().into(),
    });
    let filters = [Filter {
        name: "instance-state-name".into(),
        values: vec!["running"],
    }];
    let page = client.pages(REGION, &filters).next().await;
    let page = page.unwrap().unwrap();
    assert_eq!(page.instances.len(), 1);
    let [unreadable] = &page.unreadable[..] else {
        panic!("{page:?}");
    };
    let words = unreadable.to_string();
    assert!(words.contains(IDS[1]), "{words}");
    assert!(words.contains("integer"), "{words}");
}

#[tokio::test]
async fn an_id_that_is_none_and_a_tag_without_a_key_are_named() {
    let bad = instance("../i", "1", "x");
    let keyless = instance(IDS[1], "1", "x").replace("<key>app</key>", "");
    let instances = [instance(IDS[0], "1", "x"), bad, keyless].concat();
    let page = first_page(page(&instances, "")).await.unwrap().unwrap();
    let unreadable: Vec<&str> = page.unreadable.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(unreadable, ["../i", IDS[1]]);
    assert_eq!(page.instances.len(), 1);
}

#[tokio::test]
async fn an_instance_without_an_id_is_told_on_a_page_that_another_makes_unreadable() {
    let nameless = instance("", "1", "x").replace("<instanceId></instanceId>", "");
    let both = page(&(instance(IDS[1], "many", "x") + &nameless), "");
    let alone = page(&instance(IDS[1], "many", "x"), "");
    let client = client(move |request| match request.contains(IDS[1]) {
        true => alone.clone().into(),
        false => both.clone().into(),
    });
    let page = client.pages(REGION, &[]).next().await.unwrap().unwrap();
    let unreadable: Vec<&str> = page.unreadable.iter().map(|it| it.id.as_str()).collect();
    assert_eq!((unreadable, page.instances), (vec!["", IDS[1]], vec![]));
}

#[tokio::test]
async fn control_characters_in_a_tag_hide_nothing() {
    let instances = instance(IDS[0], "1", "a\u{1b}[2J\u{0}b\tc");
    let page = first_page(page(&instances, "")).await.unwrap().unwrap();
    assert_eq!(page.instances[0].tags["app"], "a?[2J?b\tc");
}

#[tokio::test]
async fn text_that_is_no_xml_and_no_unicode_hides_no_other_instance() {
    for odd in [&b"\xef\xbf\xbf"[..], &b"\xff\xfe"[..]] {
        let of = move |n: usize| {
            let (before, after) = ("BEFORE", "AFTER");
            let whole = instance(IDS[n], "1", &format!("{before}{after}"));
            let (begin, end) = whole.split_once("BEFOREAFTER").unwrap();
            let odd = if n == 1 { odd } else { b"" };
            [begin.as_bytes(), odd, end.as_bytes()].concat()
        };
        let client = client(move |request| {
            let asked: Vec<usize> = (0..3).filter(|n| request.contains(IDS[*n])).collect();
            let ids = if asked.is_empty() {
                vec![0, 1, 2]
            } else {
                asked
            };
            let empty = page("|", "");
            let (begin, end) = empty.split_once('|').unwrap();
            let instances: Vec<u8> = ids.into_iter().flat_map(of).collect();
            [begin.as_bytes(), &instances, end.as_bytes()].concat()
        });
        let page = client.pages(REGION, &[]).next().await.unwrap().unwrap();
        let unreadable: Vec<&str> = page.unreadable.iter().map(|it| it.id.as_str()).collect();
        assert_eq!((unreadable, page.instances.len()), (vec![IDS[1]], 2));
    }
}

/// `{"MetricDataResults": [{"Id": "m0", "Timestamps": [1(1783936800)], "Values": [5.0]}]}`
const METRICS: &[u8] = b"\xa1\x71MetricDataResults\x81\xa3\x62Id\x62m0\x6aTimestamps\x81\xc1\x1a\x6a\x54\xb7\x20\x66Values\x81\xfb\x40\x14\0\0\0\0\0\0";

#[tokio::test]
async fn metrics_that_are_cut_anywhere_are_an_error() {
    let id = InstanceId::try_from(IDS[0]).unwrap();
    let window = (
        Timestamp::UNIX_EPOCH,
        "2026-07-14T00:00:00Z".parse().unwrap(),
    );
    for cut in 0..=METRICS.len() {
        let client = client(move |_| METRICS[..cut].into());
        let read = client
            .call_data(REGION, &[Metric::NoToken], &[&id], window)
            .await;
        match read {
            Ok(points) if cut == METRICS.len() => {
                let at = "2026-07-13T10:00:00Z".parse().unwrap();
                assert_eq!(points[&id].accepted, [(at, 5.0)]);
            }
            read => assert_eq!(read.unwrap_err().fault, Fault::Unreadable, "{cut}"),
        }
    }
}
