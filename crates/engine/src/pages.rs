//! The one loop over the instances of a region.

use futures_util::future::join;
use imds_aws::{CallError, Client, DescribedPage, Filter};

/// Handles the pages of a region.
pub(crate) trait HandlePage {
    /// Handles one page.
    fn page(&mut self, page: DescribedPage) -> impl Future<Output = ()> + Send;
}

/// Reads every page of a region's instances; while one is handled, the next is requested.
///
/// # Errors
/// When EC2 does not answer, or refuses.
pub(crate) async fn each_page(
    client: &Client,
    region: &str,
    filters: &[Filter<'_>],
    handler: &mut impl HandlePage,
) -> Result<(), CallError> {
    let mut pages = client.pages(region, filters);
    let mut page = pages.next().await?;
    while let Some(read) = page {
        let (next, ()) = join(pages.next(), handler.page(read)).await;
        page = next?;
    }
    Ok(())
}
