//! The same in every region, side by side.

use std::future::Future;

use futures_util::{StreamExt, stream};

use crate::progress::Progress;

/// Does it in so many regions at once; what comes of it is in the order of the regions.
pub(crate) async fn side_by_side<R, T, F: Future<Output = T>>(
    regions: impl ExactSizeIterator<Item = R>,
    at_once: usize,
    progress: &Progress,
    each: impl Fn(R) -> F,
) -> Vec<T> {
    progress.begin("regions", regions.len());
    let tasks = regions.enumerate().map(|(place, region)| {
        let task = each(region);
        async move { (place, task.await) }
    });
    let mut done: Vec<(usize, T)> = stream::iter(tasks)
        .buffer_unordered(at_once.max(1))
        .inspect(|_| progress.done())
        .collect()
        .await;
    progress.end();
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, of)| of).collect()
}
