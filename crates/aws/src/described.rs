//! Reads the answers of `DescribeInstances`: the one kind that grows with the fleet.
//!
//! An instance takes 3 KB, of which a tenth is of use. Reading just that event by event took a third of
//! the time of a deserializer, which also holds what it skips.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>

use std::collections::BTreeMap;
use std::error::Error;

use imds_core::instance::{Instance, InstanceId, State};
use jiff::Timestamp;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use crate::ec2::Options;

pub(crate) type Read<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// One answer.
#[derive(Debug, Default)]
pub(crate) struct Described {
    pub(crate) instances: Vec<Instance>,
    /// Of the next page.
    pub(crate) next_token: Option<String>,
}

impl Described {
    /// Reads a whole answer; what is not known in it is passed over.
    ///
    /// # Errors
    /// When it is no such answer, or ends before its end.
    pub(crate) fn read(text: &str, region: &str) -> Read<Self> {
        let mut xml = Xml(Reader::from_str(text));
        let mut answer = Described::default();
        let mut has_set = false;
        xml.open()?;
        loop {
            match xml.0.read_event()? {
                Event::Start(start) => match start.local_name().as_ref() {
                    "reservationSet" => {
                        has_set = true;
                        xml.items(|xml| reservation(xml, region, &mut answer.instances))?;
                    }
                    "nextToken" => {
                        let token = xml.text(&start)?.trim().to_owned();
                        answer.next_token = Some(token).filter(|token| !token.is_empty());
                    }
                    _ => xml.skip(&start)?,
                },
                // No instance at all.
                Event::Empty(start) => has_set |= start.local_name().as_ref() == "reservationSet",
                Event::End(_) if has_set => return Ok(answer),
                Event::End(_) => return Err("no `reservationSet`".into()),
                Event::Eof => return Err(CUT.into()),
                _ => {}
            }
        }
    }
}

fn reservation(xml: &mut Xml, region: &str, instances: &mut Vec<Instance>) -> Read<()> {
    let mut owner = None;
    let first = instances.len();
    xml.each(|xml, start| match start.local_name().as_ref() {
        "ownerId" => {
            owner = Some(xml.text(start)?);
            Ok(())
        }
        "instancesSet" => xml.items(|xml| {
            instances.push(instance(xml, region)?);
            Ok(())
        }),
        _ => xml.skip(start),
    })?;
    for instance in instances.iter_mut().skip(first) {
        instance.account.clone_from(&owner);
    }
    Ok(())
}

fn instance(xml: &mut Xml, region: &str) -> Read<Instance> {
    let (mut id, mut image, mut instance_type) = (None, None, None);
    let (mut state, mut launched_at) = (None, None);
    let (mut tags, mut options) = (BTreeMap::new(), Options::default());
    let (mut managed, mut operator) = (false, None);
    xml.each(|xml, start| {
        match start.local_name().as_ref() {
            "instanceId" => id = Some(InstanceId::try_from(xml.text(start)?)?),
            "imageId" => image = Some(xml.text(start)?),
            "instanceType" => instance_type = Some(xml.text(start)?),
            "launchTime" => launched_at = xml.text(start)?.parse::<Timestamp>().ok(),
            "instanceState" => xml.each(|xml, start| {
                match start.local_name().as_ref() {
                    "name" => state = State::from_word(&xml.text(start)?),
                    _ => xml.skip(start)?,
                }
                Ok(())
            })?,
            "tagSet" => xml.items(|xml| {
                let (key, value) = tag(xml)?;
                tags.insert(key, value);
                Ok(())
            })?,
            "metadataOptions" => options = metadata_options(xml)?,
            "operator" => xml.each(|xml, start| {
                match start.local_name().as_ref() {
                    "managed" => managed = xml.text(start)? == "true",
                    "principal" => operator = Some(xml.text(start)?),
                    _ => xml.skip(start)?,
                }
                Ok(())
            })?,
            _ => xml.skip(start)?,
        }
        Ok(())
    })?;
    let an_aws_service = || operator.unwrap_or_else(|| "an AWS service".to_owned());
    let id = id.ok_or("an instance without `instanceId`")?;
    Ok(Instance {
        image,
        instance_type,
        state,
        launched_at,
        tags,
        applied: options.state.as_deref().map(|state| state == "applied"),
        options: options.into_options(),
        managed_by: managed.then(an_aws_service),
        ..Instance::unknown(id, region)
    })
}

fn tag(xml: &mut Xml) -> Read<(String, String)> {
    let (mut key, mut value) = (None, String::new());
    xml.each(|xml, start| {
        match start.local_name().as_ref() {
            "key" => key = Some(xml.text(start)?),
            "value" => value = xml.text(start)?,
            _ => xml.skip(start)?,
        }
        Ok(())
    })?;
    Ok((key.ok_or("a tag without `key`")?, value))
}

fn metadata_options(xml: &mut Xml) -> Read<Options> {
    let mut options = Options::default();
    xml.each(|xml, start| {
        let place = match start.local_name().as_ref() {
            "httpTokens" => &mut options.http_tokens,
            "httpEndpoint" => &mut options.http_endpoint,
            "httpProtocolIpv6" => &mut options.http_protocol_ipv6,
            "instanceMetadataTags" => &mut options.instance_metadata_tags,
            "state" => &mut options.state,
            "httpPutResponseHopLimit" => {
                // What is no number is not known, and so never compliant.
                options.http_put_response_hop_limit = xml.text(start)?.trim().parse().ok();
                return Ok(());
            }
            _ => return xml.skip(start),
        };
        *place = Some(xml.text(start)?);
        Ok(())
    })?;
    Ok(options)
}

const CUT: &str = "it ends within an element";

struct Xml<'a>(Reader<&'a [u8]>);

impl<'a> Xml<'a> {
    /// Up to the first child of the outermost element.
    fn open(&mut self) -> Read<()> {
        loop {
            match self.0.read_event()? {
                Event::Start(_) => return Ok(()),
                Event::Eof => return Err("no element".into()),
                _ => {}
            }
        }
    }

    /// Hands over the children of the element that was just opened, each to be read to its end; one
    /// without content has nothing to tell.
    fn each(&mut self, mut child: impl FnMut(&mut Self, &BytesStart<'a>) -> Read<()>) -> Read<()> {
        loop {
            match self.0.read_event()? {
                Event::Start(start) => child(self, &start)?,
                Event::End(_) => return Ok(()),
                Event::Eof => return Err(CUT.into()),
                _ => {}
            }
        }
    }

    /// A list, as EC2 writes it.
    fn items(&mut self, mut item: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        self.each(|xml, start| match start.local_name().as_ref() {
            "item" => item(xml),
            _ => xml.skip(start),
        })
    }

    fn text(&mut self, start: &BytesStart<'a>) -> Read<String> {
        let text = self.0.read_text(start.name())?;
        Ok(unescape(&text)?.into_owned())
    }

    fn skip(&mut self, start: &BytesStart<'a>) -> Read<()> {
        self.0.read_to_end(start.name())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use imds_core::instance::{HttpTokens, Toggle};

    use super::*;

    const ONE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <requestId>fdcdcab1-ae5c-489e-9c33-4637c5dda355</requestId>
  <reservationSet><item>
    <reservationId>r-1</reservationId>
    <groupSet><item><groupId>sg-1</groupId></item></groupSet>
    <instancesSet><item>
      <instanceId>i-0123456789abcdef0</instanceId>
      <imageId>ami-1</imageId>
      <instanceState><code>16</code><name>running</name></instanceState>
      <blockDeviceMapping><item><ebs><instanceId>i-no</instanceId></ebs></item></blockDeviceMapping>
      <launchTime>2026-07-13T10:00:00.000Z</launchTime>
      <tagSet><item><key>Name</key><value>a &amp; b</value></item><item><key>empty</key><value/></item></tagSet>
      <metadataOptions><state>pending</state><httpTokens>optional</httpTokens>
        <httpPutResponseHopLimit>many</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint></metadataOptions>
      <operator><managed>true</managed><principal>eks.amazonaws.com</principal></operator>
    </item></instancesSet>
    <ownerId>111122223333</ownerId>
  </item></reservationSet>
  <nextToken>a&amp;b</nextToken>
</DescribeInstancesResponse>"#;

    #[test]
    fn what_is_of_use_is_read_and_the_rest_is_passed_over() {
        let read = Described::read(ONE, "eu-central-1").unwrap();
        assert_eq!(read.next_token.as_deref(), Some("a&b"));
        let [instance] = &read.instances[..] else {
            panic!("{read:?}");
        };
        assert_eq!(instance.id.as_str(), "i-0123456789abcdef0");
        assert_eq!(instance.account.as_deref(), Some("111122223333"));
        assert_eq!(instance.state, Some(State::Running));
        assert_eq!(instance.tags["Name"], "a & b");
        assert_eq!(instance.tags["empty"], "");
        assert_eq!(instance.options.http_tokens, Some(HttpTokens::Optional));
        assert_eq!(instance.options.http_endpoint, Some(Toggle::Enabled));
        assert_eq!(instance.options.hop_limit, None, "a word is no hop limit");
        assert_eq!(instance.applied, Some(false));
        assert_eq!(instance.managed_by.as_deref(), Some("eks.amazonaws.com"));
    }

    #[test]
    fn an_answer_that_is_cut_anywhere_is_an_error() {
        for end in (0..ONE.len()).filter(|end| ONE.is_char_boundary(*end)) {
            assert!(
                Described::read(ONE.get(..end).unwrap(), "eu-central-1").is_err(),
                "{end}"
            );
        }
    }

    #[test]
    fn another_answer_is_an_error() {
        for text in [
            "",
            "<html><body>hello</body></html>",
            "<a><b></a></b>",
            "<A/>",
        ] {
            assert!(Described::read(text, "eu-central-1").is_err(), "{text}");
        }
    }

    #[test]
    fn no_instance_is_none_and_a_malformed_id_is_an_error() {
        for none in [
            "<R><reservationSet/><nextToken/></R>",
            "<R><reservationSet></reservationSet><nextToken></nextToken></R>",
            "<R><nextToken>\n</nextToken><reservationSet><item><instancesSet/></item></reservationSet></R>",
        ] {
            let read = Described::read(none, "x").unwrap();
            assert_eq!((read.instances.len(), read.next_token), (0, None), "{none}");
        }
        let bad = ONE.replace("i-0123456789abcdef0", "../i");
        assert!(Described::read(&bad, "x").is_err());
    }
}
