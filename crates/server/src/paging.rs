//! Reading a list page by page.

use crate::Result;

/// One page of a list.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Whether the list goes on after it.
    more: bool,
}

impl<T> Page<T> {
    /// Reads up to `limit` items. `read` is asked for one more, which only tells whether there is one.
    pub(crate) async fn read(
        limit: i64,
        read: impl AsyncFnOnce(i64) -> Result<Vec<T>>,
    ) -> Result<Self> {
        let mut items = read(limit + 1).await?;
        let size = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > size;
        items.truncate(size);
        Ok(Self { items, more })
    }

    /// Where the next page begins, from the last item of this one; `None` at the end of the list.
    pub(crate) fn next<Cursor>(&self, cursor: impl FnOnce(&T) -> Cursor) -> Option<Cursor> {
        self.items.last().filter(|_| self.more).map(cursor)
    }
}
