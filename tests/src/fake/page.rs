//! Pages and the tokens between them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::api_error::ApiError;
use super::request::ApiRequest;
use super::state::{FakeSettings, LastPage};
use super::xml::Xml;

/// Where a page begins and the most that it holds.
#[derive(Debug)]
pub(super) struct PageRange {
    pub(super) from: usize,
    pub(super) most: usize,
}

/// The page that a call requests; `allowed` are the values of `MaxResults`.
pub(super) fn page(
    request: &ApiRequest,
    settings: &FakeSettings,
    allowed: RangeInclusive<usize>,
) -> Result<PageRange, ApiError> {
    let from = match request.get("NextToken") {
        None | Some("") => 0,
        Some(token) => position(request, token)?,
    };
    let most = match request.number::<usize>("MaxResults")? {
        Some(most) if !allowed.contains(&most) => {
            let expected = format!("Expecting {} to {}.", allowed.start(), allowed.end());
            return Err(ApiError::value("maxResults", most, &expected));
        }
        most => most.unwrap_or(*allowed.end()).min(settings.page_size),
    };
    Ok(PageRange { from, most })
}

/// Writes the token of the next page, or what the last page has instead.
pub(super) fn next(
    xml: &mut Xml,
    request: &ApiRequest,
    settings: &mut FakeSettings,
    next: Option<usize>,
) {
    match (next, settings.last_page) {
        (Some(position), _) => {
            xml.text("nextToken", token(request, position));
        }
        (None, LastPage::Empty) => {
            xml.empty("nextToken");
        }
        (None, LastPage::Absent) => {}
        (None, LastPage::Alternate) => {
            settings.alternate = !settings.alternate;
            if settings.alternate {
                xml.empty("nextToken");
            }
        }
    }
}

/// A token is valid for its query only, and has characters that a form must escape.
pub(super) fn token(request: &ApiRequest, position: usize) -> String {
    let mut bytes = b"\xfb\xff\xfe".to_vec();
    bytes.extend(query(request).to_be_bytes());
    bytes.extend((position as u64).to_be_bytes());
    STANDARD.encode(bytes)
}

/// Where the token of an earlier page points.
pub(super) fn position(request: &ApiRequest, token: &str) -> Result<usize, ApiError> {
    let bytes = STANDARD.decode(token).unwrap_or_default();
    let position = bytes.last_chunk().map(|end| u64::from_be_bytes(*end));
    position
        .and_then(|position| usize::try_from(position).ok())
        .filter(|position| self::token(request, *position) == token)
        .ok_or_else(|| {
            ApiError::new(
                "InvalidPaginationToken",
                "The specified pagination token is not valid.",
            )
        })
}

fn query(request: &ApiRequest) -> u64 {
    let mut hasher = DefaultHasher::new();
    request.region.hash(&mut hasher);
    for parameter in request
        .params
        .iter()
        .filter(|(name, _)| *name != "NextToken")
    {
        parameter.hash(&mut hasher);
    }
    hasher.finish()
}
